//! The limit of open files: raised at the start, and shared out between connections, the files of partitions and everything else.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that are kept free for Kafka connections and whatever else is neither an HTTP connection nor a partition's.
const RESERVED: u64 = 512;
/// Files of partitions that are kept open where the limit allows it.
const PARTITION_FILES: u64 = 16 << 10;

/// Raises the soft limit to the hard one, and returns the limit that holds; `None`: there is none.
///
/// Shells and service managers set a low soft limit (often 1024) for programs that use `select`, which this one does not.
pub(crate) fn raise_limit() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        match setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
            Ok(()) => {
                tracing::info!("limit of open files: {} raised to {}", shown(limit.current), shown(limit.maximum));
                return limit.maximum;
            }
            // macOS refuses more than a limit of its own that cannot be asked for.
            Err(error) => {
                tracing::warn!("limit of open files: stays at {}: {error}", shown(limit.current));
            }
        }
    }
    limit.current
}

fn shown(limit: Option<u64>) -> String {
    limit.map_or_else(|| "unlimited".to_owned(), |limit| limit.to_string())
}

/// How many files of partitions the embedded broker may keep open. One that it has closed costs the next append to it a search for its path, so that
/// a thousand topics want a thousand files.
pub(crate) fn partition_files(limit: Option<u64>) -> usize {
    let files = limit.map_or(PARTITION_FILES, |limit| (limit / 8).min(PARTITION_FILES));
    usize::try_from(files).unwrap_or(usize::MAX)
}

/// How many connections each of `listeners` may hold so that files remain for everything else; at most `wanted`.
pub(crate) fn connections(limit: Option<u64>, listeners: usize, wanted: usize) -> usize {
    let Some(limit) = limit else { return wanted };
    let others = RESERVED + partition_files(Some(limit)) as u64;
    let available = limit - others.min(limit / 2);
    let each = usize::try_from(available).unwrap_or(usize::MAX) / listeners.max(1);
    each.clamp(1, wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_everything_else() {
        assert_eq!(connections(None, 2, 8192), 8192);
        assert_eq!(connections(Some(1 << 20), 2, 8192), 8192);
        assert_eq!(connections(Some(20_000), 2, 8192), 8192);
        assert_eq!(connections(Some(1024), 2, 8192), 256);
        assert_eq!(connections(Some(256), 2, 8192), 64);
        assert_eq!(connections(Some(256), 1, 8192), 128);
        assert_eq!(connections(Some(1), 2, 8192), 1);
    }

    #[test]
    fn partitions_have_a_share_of_the_files() {
        assert_eq!(partition_files(None), 16_384);
        assert_eq!(partition_files(Some(1 << 20)), 16_384);
        assert_eq!(partition_files(Some(65_536)), 8192);
        assert_eq!(partition_files(Some(1024)), 128);
    }
}
