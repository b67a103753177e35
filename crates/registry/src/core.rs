//! What all clones of a [`Registry`](crate::Registry) share.

use parking_lot::{Mutex, RwLock};
use postern_kafka::{ByteCount, Cluster, Inflight};

use crate::Settings;
use crate::compile::Compiled;
use crate::fold::Progress;
use crate::resolve::Resolved;
use crate::state::State;
use crate::upstream::Upstream;

/// Records of the topic that wait for their acknowledgement; writes come one at a time, so this bounds one write.
const INFLIGHT: ByteCount = ByteCount(16 << 20);

/// Lock order: `state` before the caches; none is held across an await.
pub(crate) struct Core {
    pub(crate) cluster: Cluster,
    pub(crate) settings: Settings,
    pub(crate) inflight: Inflight,
    pub(crate) state: RwLock<State>,
    pub(crate) resolved: RwLock<Resolved>,
    pub(crate) compiled: Mutex<Compiled>,
    pub(crate) progress: Progress,
    pub(crate) upstream: Upstream,
    /// Held by the one write under way.
    pub(crate) writes: tokio::sync::Mutex<()>,
}

impl Core {
    pub(crate) fn new(cluster: Cluster, settings: Settings) -> Core {
        Core {
            cluster,
            inflight: Inflight::new(INFLIGHT),
            state: RwLock::new(State::new(settings.level)),
            settings,
            resolved: RwLock::default(),
            compiled: Mutex::default(),
            progress: Progress::new(),
            upstream: Upstream::new(),
            writes: tokio::sync::Mutex::new(()),
        }
    }

    /// As if nothing had been read yet.
    pub(crate) fn forget(&self) {
        let mut state = self.state.write();
        *state = State::new(self.settings.level);
        self.progress.restart();
        self.resolved.write().clear();
        self.compiled.lock().clear();
    }
}
