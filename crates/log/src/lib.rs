//! A partition's records on disk: segment files, their indexes, the producers' sequences, recovery, retention, compaction.
//!
//! Synchronous, without a network or a runtime: what blocks on files says so, and the caller chooses the thread. Batches
//! are stored byte for byte as they came; only base offset and leader epoch, which the checksum leaves out, are ours. An
//! append returns when `write(2)` has taken the batch: a killed process loses nothing. [`Partition::sync_to`] waits for the
//! disk; what it answered survives a power failure.
//!
//! What lies in a partition's directory:
//!
//! | file | when it is written | read |
//! |---|---|---|
//! | `<base>.log` | batches, appended; the last one is the active segment | always |
//! | `<base>-<end>-<n>.log` | by compaction, in the place of the segments from `<base>` up to `<end>` | always |
//! | `….index` | when the segment is sealed, after the disk has it | offset and time look-ups; rebuilt when damaged or missing |
//! | `<base>.producers` | when the segment with that base is begun | recovery, before the active segment is read |
//! | `start` | when the log begins later, before files are removed | always |
//! | `cleaned` | after a round of compaction | by the next one |
//! | `*.new`, `*.compacted` | while one of these is written | never; removed or written over |
//! | `*.unreachable` | by recovery, which sets aside what it cannot use | never; an operator may remove them |
//!
//! At an orderly stop a partition also gives a checkpoint for the next start, which the caller keeps.
//!
//! Modules from the bottom up: `fs`, `encoding`, `small_file`, `file_cache`; `batch`, `codec`, `records`; `index`,
//! `segment`, `producers`, `checkpoint`; `recovery`, `partition`, `maintenance`, `compaction`.
//!
//! Not here: who may append, what a topic is, what a client is answered.
//! Source: Apache Kafka's documentation, "Message Format" and "Log"; KIP-98 for producers' sequences.

pub mod batch;
mod batch_reader;
mod checkpoint;
pub mod codec;
mod compaction;
mod config;
pub mod encoding;
mod file_cache;
pub mod fs;
mod index;
mod maintenance;
mod partition;
mod producers;
pub mod records;
mod recovery;
mod segment;
#[cfg(test)]
mod simulation;
pub mod small_file;
#[cfg(test)]
mod tests;

pub use config::LogConfig;
pub use file_cache::FileCache;
pub use partition::{AppendError, AppendListener, Appended, FetchError, OffsetRange, Partition};
