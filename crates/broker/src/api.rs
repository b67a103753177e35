//! The supported APIs: their versions, their handlers, and how a response becomes a frame.
//!
//! One table (`supported_apis!`) holds all of it, and is what `ApiVersions` announces. Each API's file opens with what it
//! does and what it does not.

mod acls;
mod api_versions;
mod configs;
mod create_topics;
mod fetch;
mod fetch_response;
mod group_admin;
mod groups;
mod list_offsets;
mod log_dirs;
mod metadata;
mod offsets;
mod produce;
mod producer_id;
mod refusal;
mod topic_partitions;
mod topics;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{BufMut, Bytes};
use kafka_protocol::messages::ApiKey;
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};

use crate::blocking::{MAX_INLINE_BYTES, MAX_INLINE_ELEMENTS, in_place};
#[cfg(feature = "faults")]
use crate::faults::Fault;
use crate::frame::{self, FrameError, RequestHeader};
use crate::node::Node;
use crate::output::Output;
use crate::request_layout::{self, Field};

/// What all requests of a connection share.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionInfo {
    pub(crate) host: IpAddr,
    /// The address the client connected to, which is also the one that metadata names.
    pub(crate) local: SocketAddr,
}

/// What a handler knows of its request besides the body.
#[derive(Debug)]
pub(crate) struct CallContext<'a> {
    pub(crate) connection: &'a ConnectionInfo,
    pub(crate) version: i16,
    pub(crate) client_id: Option<StrBytes>,
    /// The request holds a permit for its decoded form, which others may wait for.
    pub(crate) holds_permit: bool,
    /// An injected fault: the request is handled and its response lost.
    drops_response: AtomicBool,
}

/// Why a request gets no response and its connection is closed.
#[derive(Debug)]
pub(crate) enum Disconnect {
    /// An injected fault, the stop of the broker, or a failed produce with `acks=0`.
    Close,
    Frame(FrameError),
    Unencodable(String),
}

/// A frame whose header was read and whose body has the layout of its API.
#[derive(Debug)]
pub(crate) struct Request {
    header: RequestHeader,
    api: ApiKey,
    body: Bytes,
    /// Of all arrays of the body.
    elements: usize,
}

/// What one element of a request takes when it is decoded, together with its counterpart in the response.
const DECODED_ELEMENT_BYTES: usize = 512;
/// Requests with fewer elements than this take what their frame and a connection's buffers take anyway.
const MAX_UNCOUNTED_ELEMENTS: usize = 256;

impl Request {
    pub(crate) fn read(mut frame: Bytes) -> Result<Request, FrameError> {
        let mut header = frame::read_header(&mut frame)?;
        let api = ApiKey::try_from(header.api_key).map_err(|()| FrameError::UnknownApi(header.api_key))?;
        let supported = supported(api).ok_or(FrameError::UnknownApi(header.api_key))?;
        if !(supported.min_decodable..=supported.max_version).contains(&header.version) {
            if api != ApiKey::ApiVersions {
                return Err(FrameError::UnsupportedVersion { api_key: header.api_key, version: header.version });
            }
            // The response is of version 0, which every client can read; the client then asks again.
            header.version = api_versions::UNSUPPORTED;
            return Ok(Request { header, api, body: Bytes::new(), elements: 0 });
        }
        let flexible = api.request_header_version(header.version) >= 2;
        let (mut body, elements) = frame::check_body(&header, frame, supported.fields, flexible)?;
        // Groups keep names and metadata for weeks. Without a copy they would keep the connection's whole buffer alive.
        if api != ApiKey::Produce {
            body = Bytes::copy_from_slice(&body);
            header.client_id = header.client_id.map(|id| StrBytes::from_string(id.to_string()));
        }
        Ok(Request { header, api, body, elements })
    }

    /// Whether earlier responses should be sent before this request is handled, for it may wait.
    pub(crate) fn may_wait(&self) -> bool {
        self.elements > MAX_UNCOUNTED_ELEMENTS
            || !matches!(self.api, ApiKey::Produce | ApiKey::ApiVersions | ApiKey::Heartbeat | ApiKey::ListOffsets)
    }
}

/// Whether the handler waits for records or for other members.
fn waits(api: ApiKey) -> bool {
    matches!(api, ApiKey::Fetch | ApiKey::JoinGroup | ApiKey::SyncGroup)
}

/// Whether decoding, handling and encoding may take more than a millisecond. Fetches, produces and searches by timestamp
/// decide for themselves, for that depends on the records.
fn is_heavy(node: &Node, api: ApiKey, body: &Bytes, elements: usize) -> bool {
    let max_elements = match api {
        ApiKey::Produce | ApiKey::ListOffsets => return false,
        _ if waits(api) => return false,
        // Each of these has all its settings in the response.
        ApiKey::DescribeConfigs => 20,
        ApiKey::CreateTopics => 100,
        _ => MAX_INLINE_ELEMENTS,
    };
    let is_long_list = || {
        has_unbounded_response(api)
            && (node.topics.has_more_partitions_than(MAX_INLINE_ELEMENTS) || node.groups.count() > MAX_INLINE_ELEMENTS)
    };
    elements > max_elements || body.len() > MAX_INLINE_BYTES || is_long_list()
}

/// Whether the response may be long however short the request was.
fn has_unbounded_response(api: ApiKey) -> bool {
    matches!(
        api,
        ApiKey::Metadata
            | ApiKey::OffsetFetch
            | ApiKey::DescribeGroups
            | ApiKey::ListGroups
            | ApiKey::CreateTopics
            | ApiKey::DescribeConfigs
            | ApiKey::DescribeLogDirs
    )
}

impl<'a> CallContext<'a> {
    pub(crate) fn new(connection: &'a ConnectionInfo, version: i16, client_id: Option<StrBytes>) -> CallContext<'a> {
        CallContext { connection, version, client_id, holds_permit: false, drops_response: AtomicBool::new(false) }
    }

    /// Applies an injected fault, if there is one for this request: an error code to respond with, or a disconnect.
    #[cfg(feature = "faults")]
    pub(crate) async fn injected_fault(
        &self,
        node: &Node,
        api: ApiKey,
        topic: Option<&str>,
    ) -> Result<Option<i16>, Disconnect> {
        match node.faults.take(api, topic) {
            None => Ok(None),
            Some(Fault::Error(error)) => Ok(Some(crate::code(error))),
            Some(Fault::NeverAnswer) => unless_stopping(node, std::future::pending()).await,
            Some(Fault::Close) => Err(Disconnect::Close),
            Some(Fault::LoseAnswer) => {
                self.drops_response.store(true, Ordering::Relaxed);
                Ok(None)
            }
        }
    }

    /// None: the product is built without injected faults.
    #[cfg(not(feature = "faults"))]
    pub(crate) async fn injected_fault(&self, _: &Node, _: ApiKey, _: Option<&str>) -> Result<Option<i16>, Disconnect> {
        Ok(None)
    }
}

/// An API and the versions that `ApiVersions` announces.
pub(crate) struct SupportedApi {
    pub(crate) api: ApiKey,
    pub(crate) min_version: i16,
    pub(crate) max_version: i16,
    /// Produce announces versions that it does not decode.
    min_decodable: i16,
    fields: &'static [Field],
}

fn supported(api: ApiKey) -> Option<&'static SupportedApi> {
    SUPPORTED_APIS.iter().find(|supported| supported.api == api)
}

/// The table, and from it the dispatch.
macro_rules! supported_apis {
    ($($api:ident $min_version:literal ..= $max_version:literal, $layout:ident => $handler:path;)*) => {
        /// All supported APIs, in the order of their keys.
        pub(crate) static SUPPORTED_APIS: &[SupportedApi] = &[$(SupportedApi {
            api: ApiKey::$api,
            min_version: $min_version,
            max_version: $max_version,
            min_decodable: if matches!(ApiKey::$api, ApiKey::Produce) { 3 } else { $min_version },
            fields: request_layout::$layout,
        }),*];

        /// Handles one request and puts its response into `output`; a produce with `acks=0` has none.
        pub(crate) async fn handle(
            node: &Arc<Node>,
            connection: &ConnectionInfo,
            request: Request,
            output: &mut Output,
        ) -> Result<(), Disconnect> {
            let Request { header, api, body, elements } = request;
            let mut context = CallContext::new(connection, header.version, header.client_id);
            let (version, correlation_id) = (header.version, header.correlation_id);
            let mut permit = None;
            if elements > MAX_UNCOUNTED_ELEMENTS {
                let acquiring = node.decoded_budget.acquire(elements * DECODED_ELEMENT_BYTES);
                permit = Some(unless_stopping(node, acquiring).await?);
                context.holds_permit = true;
            }
            if has_unbounded_response(api) && node.response_budget.is_exhausted() {
                drop(unless_stopping(node, node.response_budget.acquire(1)).await?);
            }
            let is_heavy = is_heavy(node, api, &body, elements);
            let handling = async {
                match api {
                    $(ApiKey::$api => {
                        let body = if elements > MAX_INLINE_ELEMENTS {
                            in_place(|| decode(ApiKey::$api, version, body))?
                        } else {
                            decode(ApiKey::$api, version, body)?
                        };
                        if matches!(api, ApiKey::JoinGroup | ApiKey::SyncGroup) {
                            // The group keeps what is needed; the wait for other members may be long.
                            permit = None;
                        }
                        let response = $handler(node, &context, body).await?;
                        if context.drops_response.load(Ordering::Relaxed) {
                            return Err(Disconnect::Close);
                        }
                        let written = response.write(ApiKey::$api, version, correlation_id, output);
                        drop(permit);
                        written
                    })*
                    // `Request::read` let only the APIs of the table through.
                    _ => Err(Disconnect::Frame(FrameError::UnknownApi(api as i16))),
                }
            };
            if is_heavy { node.heavy_work.run(handling).await } else { handling.await }
        }

        /// Decodes a body as [`handle`] would, and does nothing with it.
        #[cfg(any(test, feature = "fuzzing"))]
        pub(crate) fn decodes(request: Request) -> bool {
            /// The request type that a handler takes.
            fn body_of<'a, T: Decodable + Default, F>(
                _: fn(&'a Arc<Node>, &'a CallContext<'a>, T) -> F,
                api: ApiKey,
                version: i16,
                body: Bytes,
            ) -> bool {
                decode::<T>(api, version, body).is_ok()
            }
            let Request { header, api, body, .. } = request;
            match api {
                $(ApiKey::$api => body_of(|node, context, body| $handler(node, context, body), api, header.version, body),)*
                _ => false,
            }
        }
    };
}

// Produce: versions 0 to 2 are announced, as Apache Kafka 4.1 does, because librdkafka disables compression where they
// are missing; a request in one of them closes the connection.
supported_apis! {
    Produce 0..=13, PRODUCE => produce::handle;
    Fetch 4..=18, FETCH => fetch::handle;
    ListOffsets 1..=10, LIST_OFFSETS => list_offsets::handle;
    Metadata 0..=13, METADATA => metadata::handle;
    OffsetCommit 2..=9, OFFSET_COMMIT => offsets::commit;
    OffsetFetch 1..=9, OFFSET_FETCH => offsets::fetch;
    FindCoordinator 0..=6, FIND_COORDINATOR => groups::find_coordinator;
    JoinGroup 0..=9, JOIN_GROUP => groups::join;
    Heartbeat 0..=4, HEARTBEAT => groups::heartbeat;
    LeaveGroup 0..=5, LEAVE_GROUP => groups::leave;
    SyncGroup 0..=5, SYNC_GROUP => groups::sync;
    DescribeGroups 0..=6, DESCRIBE_GROUPS => group_admin::describe;
    ListGroups 0..=5, LIST_GROUPS => group_admin::list;
    ApiVersions 0..=4, API_VERSIONS => api_versions::handle;
    CreateTopics 2..=7, CREATE_TOPICS => create_topics::handle;
    DeleteTopics 1..=6, DELETE_TOPICS => topics::delete;
    DeleteRecords 0..=2, DELETE_RECORDS => topics::delete_records;
    InitProducerId 0..=5, INIT_PRODUCER_ID => producer_id::handle;
    OffsetForLeaderEpoch 2..=4, OFFSET_FOR_LEADER_EPOCH => list_offsets::for_leader_epoch;
    DescribeAcls 1..=3, DESCRIBE_ACLS => acls::describe;
    CreateAcls 1..=3, CREATE_ACLS => acls::create;
    DeleteAcls 1..=3, DELETE_ACLS => acls::delete;
    DescribeConfigs 1..=4, DESCRIBE_CONFIGS => configs::describe;
    AlterConfigs 0..=2, ALTER_CONFIGS => configs::alter;
    DescribeLogDirs 1..=4, DESCRIBE_LOG_DIRS => log_dirs::describe;
    CreatePartitions 0..=3, CREATE_PARTITIONS => topics::create_partitions;
    DeleteGroups 0..=2, DELETE_GROUPS => group_admin::delete;
    IncrementalAlterConfigs 0..=1, INCREMENTAL_ALTER_CONFIGS => configs::alter_incrementally;
    ListPartitionReassignments 0..=0, LIST_PARTITION_REASSIGNMENTS => log_dirs::list_reassignments;
    OffsetDelete 0..=0, OFFSET_DELETE => offsets::delete;
    DescribeCluster 0..=2, DESCRIBE_CLUSTER => metadata::describe_cluster;
    DescribeTopicPartitions 0..=0, DESCRIBE_TOPIC_PARTITIONS => topic_partitions::describe;
}

fn decode<T: Decodable + Default>(api: ApiKey, version: i16, mut body: Bytes) -> Result<T, Disconnect> {
    if version == api_versions::UNSUPPORTED {
        return Ok(T::default());
    }
    T::decode(&mut body, version).map_err(|_| Disconnect::Frame(FrameError::Body { api_key: api as i16, version }))
}

/// What a handler returns: a response of `kafka-protocol`, or a type that encodes itself.
trait ApiResponse {
    fn write(self, api: ApiKey, version: i16, correlation_id: i32, output: &mut Output) -> Result<(), Disconnect>;
}

impl<T: Encodable> ApiResponse for T {
    fn write(self, api: ApiKey, version: i16, correlation_id: i32, output: &mut Output) -> Result<(), Disconnect> {
        let version = if version == api_versions::UNSUPPORTED { 0 } else { version };
        let start = begin_frame(api, version, correlation_id, output);
        self.encode(&mut output.gathered, version).map_err(|error| Disconnect::Unencodable(error.to_string()))?;
        let length = (output.gathered.len() - start - 4) as u32;
        output.gathered[start..start + 4].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }
}

/// Writes a length (to be filled in) and the response header. Returns the position of the length in `output.gathered`.
fn begin_frame(api: ApiKey, version: i16, correlation_id: i32, output: &mut Output) -> usize {
    let start = output.gathered.len();
    output.gathered.put_u32(0);
    output.gathered.put_i32(correlation_id);
    if api.response_header_version(version) >= 1 {
        output.gathered.put_u8(0);
    }
    start
}

/// The result of `waiting`, or a disconnect if the broker stops first.
async fn unless_stopping<T>(node: &Node, waiting: impl Future<Output = T>) -> Result<T, Disconnect> {
    tokio::select! {
        biased;
        done = waiting => Ok(done),
        () = node.stopping() => Err(Disconnect::Close),
    }
}

pub(crate) fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame of this API and version without a client id.
    fn frame(api: ApiKey, version: i16, body: &[u8]) -> Bytes {
        let mut frame = vec![];
        frame.put_i16(api as i16);
        frame.put_i16(version);
        frame.put_i32(1);
        frame.put_i16(-1);
        if api.request_header_version(version) >= 2 {
            frame.put_u8(0);
        }
        frame.extend_from_slice(body);
        frame.into()
    }

    #[test]
    fn the_table_is_sorted_and_announces_only_what_can_be_decoded() {
        assert!(SUPPORTED_APIS.is_sorted_by_key(|supported| supported.api as i16));
        for supported in SUPPORTED_APIS {
            let decodable = supported.api.valid_versions();
            assert!(
                supported.min_decodable >= decodable.min && supported.max_version <= decodable.max,
                "{:?}",
                supported.api
            );
        }
    }

    #[test]
    fn an_element_takes_no_more_than_is_counted() {
        use kafka_protocol::messages::*;
        macro_rules! sizes {
            ($($request:path, $response:path;)*) => {
                [$((stringify!($request), size_of::<$request>() + size_of::<$response>())),*]
            };
        }
        let sizes = sizes! {
            fetch_request::FetchPartition, fetch_response::PartitionData;
            produce_request::PartitionProduceData, produce_response::PartitionProduceResponse;
            list_offsets_request::ListOffsetsPartition, list_offsets_response::ListOffsetsPartitionResponse;
            metadata_request::MetadataRequestTopic, metadata_response::MetadataResponseTopic;
            offset_commit_request::OffsetCommitRequestPartition, offset_commit_response::OffsetCommitResponsePartition;
            i32, offset_fetch_response::OffsetFetchResponsePartitions;
            join_group_request::JoinGroupRequestProtocol, join_group_response::JoinGroupResponseMember;
            delete_topics_request::DeleteTopicState, delete_topics_response::DeletableTopicResult;
            GroupId, describe_groups_response::DescribedGroup;
            GroupId, delete_groups_response::DeletableGroupResult;
        };
        for (name, bytes) in sizes {
            assert!(bytes <= DECODED_ELEMENT_BYTES, "{name}: {bytes}");
        }
    }

    #[test]
    fn no_bytes_make_the_decoders_panic_or_allocate_for_missing_elements() {
        let mut random = fastrand::Rng::with_seed(0x9e37_79b9_7f4a_7c15);
        let mut decoded = 0;
        for supported in SUPPORTED_APIS {
            for version in supported.min_decodable..=supported.max_version {
                for _ in 0..400 {
                    // Mostly small numbers, so that lengths and counts are plausible and the walk goes deep.
                    let body: Vec<u8> = (0..random.usize(..80))
                        .map(|_| match random.u8(..8) {
                            0 => random.u8(..),
                            1 => 0xff,
                            2 => random.u8(..4),
                            _ => 0,
                        })
                        .collect();
                    if let Ok(request) = Request::read(frame(supported.api, version, &body)) {
                        decoded += usize::from(decodes(request));
                    }
                }
            }
        }
        assert!(decoded > 1000, "{decoded}");
    }
}
