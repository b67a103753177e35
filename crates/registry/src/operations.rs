//! What a [`Registry`](crate::Registry) can do: one operation, one file.
//!
//! Reads are answered from memory. Writes take a lease (`write`), decide on the state as it is then, append, and are answered
//! when the state has passed their records.

mod compatibility;
mod compile;
mod config;
mod delete;
mod format;
mod lookup;
mod mode;
mod read;
mod record_schemas;
mod register;
mod reserved;
mod resolve;
mod tags;
pub(crate) mod write;

pub use compatibility::Compatibility;
pub use compile::compile;
pub use lookup::LookupMatch;
pub use read::Page;
pub use register::{RegisterOptions, Registered};
pub use tags::{DerivedVersion, EntityTags, EntityType, TagChanges};
