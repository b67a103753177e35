//! The API from outside: real HTTP, the embedded broker behind it. One binary, because each would link the C library
//! anew.

mod app;
mod http_bounds;
mod http_responses;
mod http_wire;
mod registry;
mod registry_better;
mod registry_config;
mod registry_contexts;
mod registry_hostile;
mod registry_order;
mod registry_queries;
mod registry_reserved;
mod remote;
mod v2_fates;
mod v2_produce;
mod v2_schemas;
mod v2_topics;
mod v3_acls;
mod v3_clusters;
mod v3_configs;
mod v3_groups;
mod v3_http;
mod v3_partitions;
mod v3_topics;
