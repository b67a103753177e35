//! Which replica serves a call for an instance, and what happens to an instance whose replica is gone.

use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::directory::Ending;
use super::replicas::{Claim, ReplicaSettings, Replicas};
use super::settings::InstanceSettings;
use super::{ConsumerError, InstanceName, OPERATION_TIMEOUT};
use crate::{Error, Proxy};

/// What an answer may take besides the longest wait of a read.
const PATIENCE: Duration = OPERATION_TIMEOUT.saturating_add(Duration::from_secs(5));
/// How often it is looked again, while others open and close the instance.
const ATTEMPTS: usize = 4;

/// Who serves a call for an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// This process; or nobody, because there is no such instance.
    Here,
    /// Another replica.
    Elsewhere(Holder),
    /// Another replica, and the call has come from one already.
    NotHere,
}

/// Another replica, and as what it has an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Where replicas reach it, host and port.
    pub address: String,
    /// How long it may take to answer.
    pub patience: Duration,
    claim: Option<(Uuid, u64)>,
}

impl Proxy {
    /// From now on other replicas serve the instances of this one, and this one theirs. To be called once, inside a runtime, before the
    /// first instance is made; a second call changes nothing.
    pub fn share_consumers(&self, settings: ReplicaSettings) {
        let start = || Replicas::start(self.0.cluster.clone(), settings, self.consumers().clone());
        let _ = self.0.replicas.get_or_init(start);
    }

    /// Who serves a call for an instance. Opens it here where its replica has released it. `is_forwarded`: the call comes from another
    /// replica. Where replicas do not know each other it is always [`Location::Here`].
    ///
    /// Dropping the future leaves an instance that was opened.
    ///
    /// # Errors
    /// [`ConsumerError::ReplicasUnknown`], [`ConsumerError::NotRecorded`], [`ConsumerError::TooMany`]; [`Error::Stopping`].
    pub async fn locate(&self, at: &InstanceName, is_forwarded: bool) -> Result<Location, Error> {
        let Some(replicas) = self.replicas() else { return Ok(Location::Here) };
        self.end_of_another(at);
        if self.consumers().has(at) {
            return Ok(Location::Here);
        }
        if self.consumers().is_stopped() {
            return self.elsewhere(replicas, is_forwarded).await;
        }
        replicas.ready().await?;
        let mut is_current = false;
        for _ in 0..ATTEMPTS {
            match replicas.claim(at) {
                None if is_current => return Ok(Location::Here),
                // At this address it is not open: it is being opened, an attempt has failed, or an earlier process had the same address.
                Some(claim) if claim.released || claim.address == replicas.address() => {
                    self.open_again(replicas, at, (claim.replica, claim.incarnation)).await?;
                    if self.consumers().has(at) {
                        return Ok(Location::Here);
                    }
                }
                Some(claim) if !is_forwarded => return Ok(Location::Elsewhere(self.holder(&claim))),
                Some(_) if is_current => return Ok(Location::NotHere),
                None | Some(_) => {
                    replicas.catch_up().await?;
                    is_current = true;
                }
            }
        }
        Err(ConsumerError::Moving(at.clone()).into())
    }

    /// The `holder` of an instance does not have it, or is gone: opens it here, unless others were faster. [`Proxy::locate`] tells who serves
    /// the call then.
    ///
    /// # Errors
    /// As [`Proxy::locate`].
    pub async fn take_over(&self, at: &InstanceName, holder: &Holder) -> Result<(), Error> {
        match (self.replicas(), holder.claim) {
            (Some(replicas), Some(seen)) => self.open_again(replicas, at, seen).await,
            // It was to serve the call in place of this one, which is being stopped: the next one shall.
            (Some(replicas), None) => {
                replicas.forget(&holder.address);
                Ok(())
            }
            (None, _) => Ok(()),
        }
    }

    /// Whether a replica that does not answer was heard of lately.
    pub fn is_there(&self, holder: &Holder) -> bool {
        match (self.replicas(), holder.claim) {
            (Some(replicas), Some((replica, _))) => replicas.is_there(replica),
            _ => true,
        }
    }

    /// The replica is being stopped: another one serves the call.
    async fn elsewhere(&self, replicas: &Replicas, is_forwarded: bool) -> Result<Location, Error> {
        replicas.released().await;
        if is_forwarded {
            return Ok(Location::NotHere);
        }
        let address = replicas.others().into_iter().next().ok_or(Error::Stopping)?;
        let patience = PATIENCE + self.consumers().limits().wait;
        Ok(Location::Elsewhere(Holder { address, patience, claim: None }))
    }

    fn holder(&self, claim: &Claim) -> Holder {
        let wait = claim.wait().unwrap_or(self.consumers().limits().wait);
        Holder {
            address: claim.address.clone(),
            patience: wait + PATIENCE,
            claim: Some((claim.replica, claim.incarnation)),
        }
    }

    /// Claims an instance that `seen` holds, and opens it if the claim wins.
    async fn open_again(&self, replicas: &Replicas, at: &InstanceName, seen: (Uuid, u64)) -> Result<(), Error> {
        let _opening = replicas.opening(at).await;
        replicas.catch_up().await?;
        let claim = replicas.claim(at).filter(|claim| (claim.replica, claim.incarnation) == seen);
        let (Some(claim), false) = (claim, self.consumers().has(at)) else { return Ok(()) };
        if self.consumers().is_stopped() {
            return Err(Error::Stopping);
        }
        self.consumers().check_room()?;
        let Some(settings) = claim.instance_settings(at) else { return Err(ConsumerError::Moving(at.clone()).into()) };
        let started = Instant::now();
        let claim = replicas.superseding(claim);
        replicas.write(at, &claim).await?;
        if !replicas.holds(at, claim.incarnation) {
            return Ok(());
        }
        if let Err(error) = self.open(at, settings, Some(&claim)) {
            drop(replicas.write(at, &Claim { released: true, ..claim }).await);
            return Err(error);
        }
        tracing::info!(
            group = at.group,
            name = at.name,
            incarnation = claim.incarnation,
            elapsed_ms = started.elapsed().as_millis(),
            "a consumer instance of another replica was opened here"
        );
        Ok(())
    }

    /// Makes an instance that all replicas know.
    pub(super) async fn create_shared(
        &self,
        replicas: &Replicas,
        at: &InstanceName,
        settings: InstanceSettings,
    ) -> Result<(), Error> {
        // Whatever was said of an earlier instance of this name is applied before this one is there.
        replicas.catch_up().await?;
        let _opening = replicas.opening(at).await;
        if replicas.knows(at) {
            return Err(ConsumerError::NameTaken(at.clone()).into());
        }
        replicas.check_room()?;
        let claim = replicas.new_claim(&settings);
        self.open(at, settings, Some(&claim))?;
        let written = replicas.write(at, &claim).await;
        match written {
            Ok(()) if replicas.holds(at, claim.incarnation) => Ok(()),
            Ok(()) => {
                drop(self.consumers().remove(at, Ending::Moved));
                Err(ConsumerError::NameTaken(at.clone()).into())
            }
            Err(error) => {
                drop(self.consumers().remove(at, Ending::Deleted));
                Err(error)
            }
        }
    }
}
