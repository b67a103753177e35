//! Parsing and encoding of large requests, outside of the threads that answer.
//!
//! A request of 60 MiB takes seconds of CPU time, in which a thread of the runtime would answer nobody else. The work still runs on the thread
//! that has it, but the runtime gives the thread's other tasks to another one meanwhile. Few requests do so at once, so that the operating
//! system has processors left for the others.

use std::sync::LazyLock;
use std::thread::available_parallelism;

use postern_registry::RecordSerializer;
use postern_schema::bounded_together;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Semaphore;
use tokio::task::block_in_place;

/// Work on more bytes is large. Encoding that much takes about a millisecond.
const LARGE: usize = 100 << 10;

/// One permit per processor, for the whole process, as processors are.
static PROCESSORS: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(available_parallelism().map_or(1, usize::from)));

/// Runs `work` on `bytes` of a request; if they are many, not on the threads that answer. What it may cost to hold the values in them to
/// JSON Schemas is bounded for all of them together.
///
/// Dropping the future before the work has begun cancels it.
pub async fn run_large<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    run(bytes, bytes <= LARGE, work).await
}

/// [`run_large`] for values that are encoded: the first one of a schema may take long, however small it is.
pub(crate) async fn encode_large<T>(
    bytes: usize,
    serializers: [Option<&RecordSerializer>; 2],
    work: impl FnOnce() -> T,
) -> T {
    let first = serializers.into_iter().flatten().map(|serializer| serializer.schema.first_encode_bytes());
    run(bytes, first.fold(bytes, usize::saturating_add) <= LARGE, work).await
}

async fn run<T>(bytes: usize, is_small: bool, work: impl FnOnce() -> T) -> T {
    let work = || bounded_together(bytes, work);
    if is_small {
        return work();
    }
    let _permit = PROCESSORS.acquire().await;
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::CurrentThread => work(),
        _ => block_in_place(work),
    }
}
