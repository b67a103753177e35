//! Certificates of HTTPS listeners: read at the start, again when their files change, and on SIGHUP. What cannot be used then leaves what
//! was read before in force.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use postern_http::{ClientAuthentication, TlsConfig};
use postern_kafka::{KeyStore, Source, TrustStore};
use tokio::{sync::watch, task::AbortHandle, time::sleep};

use crate::config::{Clients, Config, Https};

/// How often files are looked at. Their content is compared, because links may be exchanged and clocks be coarse.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// Those of all listeners. Cheap to clone; clones share them.
#[derive(Clone)]
pub(crate) struct Certificates(Arc<[Option<Tls>; 3]>);

/// Those of one group of listeners, kept up to date.
pub(crate) struct Tls {
    /// Whose they are, for the log.
    server: &'static str,
    /// What they are read from, and what was read last, usable or not.
    read: Mutex<(Https, Vec<Vec<u8>>)>,
    current: watch::Sender<TlsConfig>,
}

const SERVERS: [&str; 3] = ["the REST proxy", "the Schema Registry", "the management listener"];

/// What each group shows and asks for. Whoever supervises the process has no certificate.
fn settings(config: &Config) -> [Option<Https>; 3] {
    let is_needed = config.management.is_some_and(|management| management.listen.is_tls);
    let management = config.https.clone().filter(|_| is_needed);
    let management = management.map(|https| Https { clients: Clients::NotAsked, ..https });
    [config.https.clone(), config.registry_https.clone(), management]
}

impl Certificates {
    /// Reads them. Blocks on the file system.
    ///
    /// # Errors
    /// What cannot be read or used, and why.
    pub(crate) fn load(config: &Config) -> Result<Certificates, String> {
        let [rest, registry, management] = settings(config);
        let load =
            |server: usize, https: Option<Https>| https.map(|https| Tls::load(SERVERS[server], https)).transpose();
        Ok(Certificates(Arc::new([load(0, rest)?, load(1, registry)?, load(2, management)?])))
    }

    /// Those of the REST proxy's listeners.
    pub(crate) fn rest(&self) -> Option<&Tls> {
        self.0[0].as_ref()
    }

    /// Those of the registry's.
    pub(crate) fn registry(&self) -> Option<&Tls> {
        self.0[1].as_ref()
    }

    /// Those of the management listener.
    pub(crate) fn management(&self) -> Option<&Tls> {
        self.0[2].as_ref()
    }

    /// Looks at the files again and again, in a task that ends when it is aborted. `None`: there are no files.
    pub(crate) fn watch(&self) -> Option<AbortHandle> {
        self.0.iter().flatten().next()?;
        let certificates = self.clone();
        let watching = async move {
            loop {
                sleep(LOOK_INTERVAL).await;
                let certificates = certificates.clone();
                // A panic or a runtime that ends leaves what was loaded last.
                let _ = tokio::task::spawn_blocking(move || certificates.0.iter().flatten().for_each(Tls::look)).await;
            }
        };
        Some(tokio::spawn(watching).abort_handle())
    }

    /// Takes what a configuration names into force, if all of it can be used. Listeners do not begin or cease to speak TLS.
    pub(crate) fn reload(&self) -> impl Fn(&Config) -> Result<(), String> + Send + Sync + 'static {
        let certificates = self.clone();
        move |config| {
            let mut loaded = Vec::new();
            for (tls, https) in certificates.0.iter().zip(settings(config)) {
                if let (Some(tls), Some(https)) = (tls, https) {
                    let content = https.content();
                    loaded.push((tls, https.load()?, (https, content)));
                }
            }
            for (tls, config, read) in loaded {
                *tls.read.lock() = read;
                tls.current.send_replace(config);
            }
            Ok(())
        }
    }
}

impl Tls {
    fn load(server: &'static str, https: Https) -> Result<Tls, String> {
        let content = https.content();
        Ok(Tls { server, current: watch::Sender::new(https.load()?), read: Mutex::new((https, content)) })
    }

    /// What is in force for new connections.
    pub(crate) fn current(&self) -> watch::Receiver<TlsConfig> {
        self.current.subscribe()
    }

    /// Takes what has changed into force, if it can be used.
    fn look(&self) {
        let (https, seen) = self.read.lock().clone();
        let content = https.content();
        if content == seen {
            return;
        }
        match https.load() {
            Ok(config) => {
                self.current.send_replace(config);
                tracing::info!("HTTPS of {}: certificates have changed and are used for new connections", self.server);
            }
            Err(reason) => {
                tracing::warn!("HTTPS of {}: {reason}; what was read before stays in use", self.server);
            }
        }
        *self.read.lock() = (https, content);
    }
}

impl Https {
    /// What the files hold; nothing of those that cannot be read.
    fn content(&self) -> Vec<Vec<u8>> {
        let KeyStore { store, key, password, key_password } = &self.key;
        let mut sources: Vec<Option<&Source>> =
            vec![Some(store), key.as_ref(), password.as_ref(), key_password.as_ref()];
        if let Clients::Requested(TrustStore { store, password }) | Clients::Required(TrustStore { store, password }) =
            &self.clients
        {
            sources.extend([Some(store), password.as_ref()]);
        }
        sources.into_iter().map(|source| source.and_then(|source| source.read().ok()).unwrap_or_default()).collect()
    }

    fn load(&self) -> Result<TlsConfig, String> {
        let (chain, key) = self.key.chain_and_key()?;
        let clients = match &self.clients {
            Clients::NotAsked => ClientAuthentication::None,
            Clients::Requested(authorities) => ClientAuthentication::Requested(authorities.certificates()?),
            Clients::Required(authorities) => ClientAuthentication::Required(authorities.certificates()?),
        };
        let built = TlsConfig::new(chain, key, clients, &self.versions);
        built.map_err(|reason| format!("key store {}: {reason}", self.key.store))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use postern_http::TlsVersion;

    use super::*;

    /// The files of a certificate: its chain, and its key.
    fn write(folder: &std::path::Path, name: &str) {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).expect("made");
        fs::write(folder.join("chain.pem"), made.cert.pem()).expect("written");
        fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).expect("written");
    }

    #[test]
    fn files_that_change_are_taken_when_they_can_be_used() {
        let folder = tempfile::tempdir().expect("a directory");
        let file = |name: &str| Source::File(folder.path().join(name));
        let key = KeyStore { store: file("chain.pem"), key: Some(file("key.pem")), password: None, key_password: None };
        let settings = Https { key, versions: vec![TlsVersion::V1_3], clients: Clients::NotAsked };
        assert!(Tls::load("a test", settings.clone()).err().is_some_and(|reason| reason.contains("chain.pem")));
        write(folder.path(), "one");
        let certificates = Tls::load("a test", settings).expect("it can be used");
        let mut current = certificates.current();
        certificates.look();
        assert!(!current.has_changed().expect("there"), "nothing has changed");
        write(folder.path(), "two");
        certificates.look();
        assert!(current.has_changed().expect("there"));
        current.mark_unchanged();
        // The certificate is new already, the key is not yet.
        let old_key = fs::read(folder.path().join("key.pem")).expect("there");
        write(folder.path(), "three");
        let new_key = fs::read(folder.path().join("key.pem")).expect("there");
        fs::write(folder.path().join("key.pem"), old_key).expect("written");
        certificates.look();
        assert!(!current.has_changed().expect("there"), "they do not belong together");
        fs::write(folder.path().join("key.pem"), new_key).expect("written");
        certificates.look();
        assert!(current.has_changed().expect("there"));
    }
}
