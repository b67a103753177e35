//! Membership of consumer groups by the classic protocol: joining, assigning, heartbeats, offsets.
//!
//! - `member`: the task of a member, from joining to leaving.
//! - `join`: one round of JoinGroup and SyncGroup, on a connection of its own because both rest at the broker.
//! - `link`: everything else that is asked of the coordinator, on the connection that all members share.
//! - `protocol`: subscriptions and assignments as bytes, which the members of a group exchange.
//! - `assignors`: which member reads which partition, where this client leads the group.
//! - `assignment`: what a consumer reads now, shared by the task and the consumer.
//!
//! Source: KIP-62 (heartbeats), KIP-134, KIP-345 (static members), KIP-394 (member ids).

mod assignors;
mod join;
mod link;
mod member;
mod protocol;

pub(crate) mod assignment;

/// For the fuzz targets: how many of the things that members tell each other the bytes are.
#[cfg(feature = "fuzzing")]
pub(crate) fn read_foreign(bytes: &[u8]) -> usize {
    let (subscription, assignment) = (protocol::Subscription::decode(bytes), protocol::decode_assignment(bytes));
    [subscription.is_ok(), assignment.is_ok(), protocol::decode_sticky(bytes).is_ok()].map(usize::from).iter().sum()
}

pub(crate) use link::GroupLink;
pub(crate) use member::Member;
