//! librdkafka's C interface behind types that hide it. Every `unsafe` block of the crate is in this folder.
//!
//! Rules that the blocks lean on:
//! - A [`Client`] owns one `rd_kafka_t`; everything made from it ([`Topic`], [`Queue`]) holds an `Arc` of it and is gone before
//!   it is destroyed. librdkafka's calls on a handle are safe from any thread.
//! - Nothing here blocks, except what says so. A [`Queue`] wakes a task when something lies in it.
//! - Strings and arrays of an event live as long as the event; they are copied out before it is destroyed.
//! - Error codes are read as numbers, never as the bindings' enum: a number that the enum does not know would be undefined
//!   behaviour, and brokers are free to send one.

mod admin_calls;
mod client;
mod consume;
mod groups;
mod metadata;
mod produce;
mod queue;
mod raw;
mod reply;

pub(crate) use admin_calls::{AdminCall, Request};
pub(crate) use client::{Client, Role};
pub(crate) use consume::PartitionConsumer;
pub(crate) use metadata::Partitions;
pub(crate) use produce::{Event, NotQueued, Topic};
pub(crate) use queue::Queue;
pub(crate) use reply::Reply;
