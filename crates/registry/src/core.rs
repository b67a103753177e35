//! What all clones of a [`Registry`](crate::Registry) share.

use parking_lot::RwLock;
use postern_kafka::{ByteCount, Cluster, Inflight};

use crate::caches::{CompiledCache, ResolvedCache};
use crate::leader::LeaderWatcher;
use crate::progress::Progress;
use crate::settings::Settings;
use crate::state::State;

/// Records of the topic that wait for their acknowledgement; writes come one at a time, so this bounds one write.
const INFLIGHT: ByteCount = ByteCount(16 << 20);

/// Lock order: `state` before the caches; none is held across an await.
pub(crate) struct Core {
    pub(crate) cluster: Cluster,
    pub(crate) settings: Settings,
    pub(crate) inflight: Inflight,
    pub(crate) state: RwLock<State>,
    pub(crate) resolved: ResolvedCache,
    pub(crate) compiled: CompiledCache,
    pub(crate) progress: Progress,
    pub(crate) leader: LeaderWatcher,
    /// Held by the one write in progress.
    pub(crate) writes: tokio::sync::Mutex<()>,
}

impl Core {
    pub(crate) fn new(cluster: Cluster, settings: Settings) -> Core {
        Core {
            cluster,
            inflight: Inflight::new(INFLIGHT),
            state: RwLock::new(State::new(settings.level)),
            settings,
            resolved: ResolvedCache::default(),
            compiled: CompiledCache::default(),
            progress: Progress::new(),
            leader: LeaderWatcher::new(),
            writes: tokio::sync::Mutex::new(()),
        }
    }

    /// Forgets everything read so far.
    pub(crate) fn reset(&self) {
        let mut state = self.state.write();
        *state = State::new(self.settings.level);
        self.progress.restart();
        self.resolved.clear();
        self.compiled.clear_contents();
    }
}
