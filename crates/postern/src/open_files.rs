//! The limit of open files: raised at the start, and shared out between connections and everything else.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that are kept free for segments, Kafka connections and whatever else is not an HTTP connection.
const RESERVED: u64 = 1024;

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

/// How many connections each of `listeners` may hold so that files remain for everything else; at most `wanted`.
pub(crate) fn connections(limit: Option<u64>, listeners: usize, wanted: usize) -> usize {
    let Some(limit) = limit else { return wanted };
    let available = limit - RESERVED.min(limit / 2);
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
        assert_eq!(connections(Some(1024), 2, 8192), 256);
        assert_eq!(connections(Some(256), 2, 8192), 64);
        assert_eq!(connections(Some(256), 1, 8192), 128);
        assert_eq!(connections(Some(1), 2, 8192), 1);
    }
}
