//! A partition's records on disk: segment files, their indexes, the producers' sequences, recovery.
//!
//! Batches are stored byte for byte as they came; only base offset and leader epoch, which the checksum leaves out,
//! are ours. "Acknowledged" means handed to the operating system by `write(2)`: a killed process loses nothing.
//!
//! What lies in a partition's directory:
//!
//! | file | when it is written | read |
//! |---|---|---|
//! | `<base>.log` | batches, appended; the last one is the active segment | always |
//! | `<base>.index` | once, when the segment is sealed and the disk has it | offset and time look-ups; rebuilt when torn or missing |
//! | `<base>.producers` | when the segment with that base is begun | recovery, before the active segment is replayed |
//! | `cleaned`, `*.compacted`, `*.replaced` | by compaction (`compaction`) | by its next round; at the next start |
//! | `start` | when records were deleted up to an offset | always |
//!
//! At an orderly stop a partition also gives a note for the next start, which the node keeps (`node`).
//!
//! Not here: who may append, which topic this is (`topics`), what a client is told (`api`).
//! Source: Apache Kafka's documentation, "Message Format" and "Log"; KIP-98 for producers' sequences.

#![expect(missing_docs, reason = "moved as it was; the documentation follows")]

pub mod batch;
pub mod codec;
mod compaction;
pub mod disk;
pub mod index;
pub mod partition;
pub mod producers;
pub mod records;
mod recovery;
pub mod segment;
#[cfg(test)]
mod tests;
mod upkeep;

pub use partition::{AppendError, Appended, FetchError, Partition};
