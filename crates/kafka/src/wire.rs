//! The Kafka protocol as bytes: record batches, the requests and answers of the hot path, and bounds for all others.
//!
//! Requests and answers of administration are encoded by the crate `kafka-protocol`; its decoders reserve memory for as many
//! elements as an answer announces, so [`response_layout`] checks each answer first. Produce and Fetch are read and written
//! here. Nothing in this module does IO. Source: the Kafka protocol guide, KIP-98 (record batches), KIP-482 (tagged fields).

pub(crate) mod batch;
pub(crate) mod codec;
pub(crate) mod cursor;
pub(crate) mod fetch;
pub(crate) mod murmur2;
pub(crate) mod partition_records;
pub(crate) mod produce;
pub(crate) mod records;
pub(crate) mod response_layout;
