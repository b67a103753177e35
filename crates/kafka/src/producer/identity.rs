//! The producer id: asked for with the first record, kept for life, replaced when its epochs are used up.
//!
//! Source: KIP-98 (idempotent producers), KIP-360 (epochs changed by the producer itself).

use std::{sync::Arc, time::Duration};

use kafka_protocol::messages::{InitProducerIdRequest, ProducerId};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

use super::partition::Identity;
use crate::{
    Error,
    connection::Backoff,
    error::ErrorCode,
    network::{Destination, Network},
};

/// The producer id of this client.
pub(crate) struct ProducerIdentity {
    network: Arc<Network>,
    timeout: Duration,
    known: Mutex<Known>,
    /// One task asks at a time.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    producer_id: Option<i64>,
    /// Higher than every epoch of partitions whose state was forgotten.
    first_epoch: i16,
}

impl ProducerIdentity {
    pub(crate) fn new(network: Arc<Network>, timeout: Duration) -> ProducerIdentity {
        ProducerIdentity { network, timeout, known: Mutex::default(), asking: tokio::sync::Mutex::default() }
    }

    pub(crate) fn known(&self) -> Option<Identity> {
        let known = self.known.lock();
        known.producer_id.map(|producer_id| Identity { producer_id, first_epoch: known.first_epoch })
    }

    /// The state of a partition is forgotten: a later one must begin with this epoch or a higher one, so that the broker does not
    /// take its first records for the ones that it remembers.
    pub(crate) fn forgotten(&self, next_epoch: i16) {
        let mut known = self.known.lock();
        known.first_epoch = known.first_epoch.max(next_epoch);
        if known.first_epoch == i16::MAX {
            *known = Known::default();
        }
    }

    /// This producer id can no longer be used.
    pub(crate) fn retire(&self, producer_id: i64) {
        let mut known = self.known.lock();
        if known.producer_id == Some(producer_id) {
            *known = Known::default();
        }
    }

    /// The producer id, asked for where there is none.
    ///
    /// # Errors
    /// The cluster's refusal, or no answer within the call timeout.
    pub(crate) async fn get(&self) -> Result<Identity, Error> {
        let _asking = self.asking.lock().await;
        if let Some(identity) = self.known() {
            return Ok(identity);
        }
        let deadline = Instant::now() + self.timeout;
        let mut backoff = Backoff::RETRY;
        loop {
            let build = |_| {
                InitProducerIdRequest::default()
                    .with_transactional_id(None)
                    .with_transaction_timeout_ms(60_000)
                    .with_producer_id(ProducerId(-1))
                    .with_producer_epoch(-1)
            };
            let response =
                self.network.ask(Destination::Any, true, deadline, build).await.map_err(|failed| failed.error)?;
            let error = match ErrorCode(response.error_code) {
                ErrorCode::NONE => {
                    let producer_id = response.producer_id.0;
                    let mut known = self.known.lock();
                    known.producer_id = Some(producer_id);
                    return Ok(Identity { producer_id, first_epoch: known.first_epoch });
                }
                code => code.error(None),
            };
            let pause = backoff.next();
            if !error.is_transient() || Instant::now() + pause >= deadline {
                return Err(error);
            }
            sleep(pause).await;
        }
    }
}
