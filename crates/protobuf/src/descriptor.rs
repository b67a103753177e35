//! Files as `FileDescriptorProto`, the form that compilers hand to one another: read, and written.
//!
//! Only what `descriptor.proto` itself declares is known, and Confluent's own options ([`meta`]): other custom options are
//! lost.
//!
//! Source: `google/protobuf/descriptor.proto`.

mod meta;
mod options;
mod read;
mod write;

pub(super) use read::read;
pub(super) use write::write;

/// Number of a type in descriptors, where it is not a scalar.
const TYPE_GROUP: u64 = 10;
const TYPE_MESSAGE: u64 = 11;
const TYPE_ENUM: u64 = 14;

const LABEL_OPTIONAL: u64 = 1;
const LABEL_REQUIRED: u64 = 2;
const LABEL_REPEATED: u64 = 3;

/// One past the last number of a field; stands for `max`.
const RANGE_END: i32 = 1 << 29;
