//! How connections to the brokers of one cluster are secured.

use std::sync::Arc;

use crate::{Error, sasl::Authenticator, settings::Security, tls::ClientTls};

/// TLS and SASL, shared by all connections.
#[derive(Clone, Debug, Default)]
pub(crate) struct Protection {
    pub(super) tls: Option<Arc<ClientTls>>,
    pub(super) sasl: Option<Arc<Authenticator>>,
}

impl Protection {
    /// Reads what files there are. Blocks on the file system, for a client that is about to start.
    ///
    /// # Errors
    /// `InvalidRequest`: a store or a secret cannot be read or used.
    pub(crate) fn new(security: &Security) -> Result<Protection, Error> {
        let tls = security.tls.clone().map(ClientTls::new).transpose()?;
        let sasl = security.sasl.clone().map(Authenticator::new).transpose()?;
        Ok(Protection { tls: tls.map(Arc::new), sasl: sasl.map(Arc::new) })
    }

    /// The same TLS, for somebody else.
    pub(crate) fn with_login(&self, authenticator: &Arc<Authenticator>) -> Protection {
        Protection { tls: self.tls.clone(), sasl: Some(authenticator.clone()) }
    }

    /// How often a broker has refused the credentials.
    pub(crate) fn refusals(&self) -> u64 {
        self.sasl.as_ref().map_or(0, |authenticator| authenticator.refusals())
    }
}
