//! The APIs served: which versions, who answers, and how an answer becomes a frame.
//!
//! One table (`served!`) holds all of it; what stands there is what `ApiVersions` announces. A file per API says what
//! it does and what it does not.

mod acls;
mod api_versions;
mod configs;
mod create_topics;
mod fetch;
mod fetched;
mod group_admin;
mod groups;
mod list_offsets;
mod log_dirs;
mod metadata;
mod offsets;
mod produce;
mod producer_id;
mod topic_partitions;
mod topics;

use std::future::pending;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{BufMut, Bytes};
use kafka_protocol::messages::ApiKey;
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};

use crate::code;
use crate::faults::Fault;
use crate::frame::{self, BadFrame, Head};
use crate::node::Node;
use crate::output::Output;
use crate::shape::{self, Field};

/// Who asks: the same for all requests of a connection.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) host: IpAddr,
    /// The address the client reached us at, which is what it is told to use.
    pub(crate) local: SocketAddr,
}

/// One request as its handler sees it, but for the body.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) version: i16,
    pub(crate) client_id: Option<StrBytes>,
    /// A fault rule wants the work done and the answer lost.
    loses_answer: AtomicBool,
}

/// Why a request gets no answer.
#[derive(Debug)]
pub(crate) enum Cut {
    /// The connection ends: a fault rule says so.
    Close,
    Bad(BadFrame),
    Unanswerable(String),
}

/// A frame whose header was read and whose body has the right form.
#[derive(Debug)]
pub(crate) struct Request {
    head: Head,
    api: ApiKey,
    body: Bytes,
}

impl Request {
    pub(crate) fn read(mut frame: Bytes) -> Result<Request, BadFrame> {
        let mut head = frame::head(&mut frame)?;
        let api = ApiKey::try_from(head.api_key).map_err(|()| BadFrame::UnknownApi(head.api_key))?;
        let served = served(api).ok_or(BadFrame::UnknownApi(head.api_key))?;
        if !(served.oldest_decoded..=served.newest).contains(&head.version) {
            if api != ApiKey::ApiVersions {
                return Err(BadFrame::UnsupportedVersion { api_key: head.api_key, version: head.version });
            }
            // Told in version 0, which every client reads; then it asks again.
            head.version = api_versions::UNSUPPORTED;
            return Ok(Request { head, api, body: Bytes::new() });
        }
        let flexible = api.request_header_version(head.version) >= 2;
        let mut body = frame::checked(&head, frame, served.fields, flexible)?;
        // A group keeps names and metadata for weeks: pieces of this body, not of all that was read along with it.
        if api != ApiKey::Produce {
            body = Bytes::copy_from_slice(&body);
            head.client_id = head.client_id.map(|id| StrBytes::from_string(id.to_string()));
        }
        Ok(Request { head, api, body })
    }

    /// Whether answers before this one should go out first.
    pub(crate) fn may_wait(&self) -> bool {
        !matches!(self.api, ApiKey::Produce | ApiKey::ApiVersions | ApiKey::Heartbeat | ApiKey::ListOffsets)
    }
}

/// Whether the answer may be long however short the request was.
fn lists(api: ApiKey) -> bool {
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

impl Call<'_> {
    /// What a fault rule has for this request: an error to answer, or an end of it all.
    pub(crate) async fn fault(&self, node: &Node, api: ApiKey, topic: Option<&str>) -> Result<Option<i16>, Cut> {
        match node.faults.meet(api, topic) {
            None => Ok(None),
            Some(Fault::Error(error)) => Ok(Some(code(error))),
            Some(Fault::NeverAnswer) => unless_stopping(node, pending()).await,
            Some(Fault::Close) => Err(Cut::Close),
            Some(Fault::LoseAnswer) => {
                self.loses_answer.store(true, Ordering::Relaxed);
                Ok(None)
            }
        }
    }
}

/// An API as announced.
pub(crate) struct Served {
    pub(crate) api: ApiKey,
    pub(crate) oldest: i16,
    pub(crate) newest: i16,
    oldest_decoded: i16,
    fields: &'static [Field],
}

pub(crate) fn served(api: ApiKey) -> Option<&'static Served> {
    SERVED.iter().find(|served| served.api == api)
}

/// The table, and from it the dispatch.
macro_rules! served {
    ($($api:ident $oldest:literal ..= $newest:literal, $shape:ident => $handler:path;)*) => {
        /// All APIs served, in the order of their keys.
        pub(crate) static SERVED: &[Served] = &[$(Served {
            api: ApiKey::$api,
            oldest: $oldest,
            newest: $newest,
            oldest_decoded: if matches!(ApiKey::$api, ApiKey::Produce) { 3 } else { $oldest },
            fields: shape::$shape,
        }),*];

        /// Answers one request into `output`; nothing is put there if the request wants, or gets, no answer.
        pub(crate) async fn answer(
            node: &Arc<Node>,
            caller: &Caller,
            request: Request,
            output: &mut Output,
        ) -> Result<(), Cut> {
            let Request { head, api, body } = request;
            let call = Call {
                caller,
                version: head.version,
                client_id: head.client_id,
                loses_answer: AtomicBool::new(false),
            };
            let (version, correlation_id) = (head.version, head.correlation_id);
            if lists(api) && node.room.is_full() {
                drop(unless_stopping(node, node.room.answer(1)).await?);
            }
            match api {
                $(ApiKey::$api => {
                    let body = decode(ApiKey::$api, version, body)?;
                    let answer = $handler(node, &call, body).await?;
                    if call.loses_answer.load(Ordering::Relaxed) {
                        return Err(Cut::Close);
                    }
                    answer.write(ApiKey::$api, version, correlation_id, output)
                })*
                // `Request::read` let only the APIs of the table through.
                _ => Err(Cut::Bad(BadFrame::UnknownApi(api as i16))),
            }
        }

        /// Decodes a body as [`answer`] would, and does nothing with it.
        #[cfg(any(test, feature = "fuzzing"))]
        pub(crate) fn decodes(request: Request) -> bool {
            /// The request type that a handler takes.
            fn body_of<'a, T: Decodable + Default, F>(
                _: fn(&'a Arc<Node>, &'a Call<'a>, T) -> F,
                api: ApiKey,
                version: i16,
                body: Bytes,
            ) -> bool {
                decode::<T>(api, version, body).is_ok()
            }
            let Request { head, api, body } = request;
            match api {
                $(ApiKey::$api => body_of(|node, call, body| $handler(node, call, body), api, head.version, body),)*
                _ => false,
            }
        }
    };
}

// Produce: versions 0 to 2 are announced as Apache Kafka 4.1 does, for librdkafka takes their absence as the absence of
// compression; a request in one of them closes the connection.
served! {
    Produce 0..=13, PRODUCE => produce::answer;
    Fetch 4..=18, FETCH => fetch::answer;
    ListOffsets 1..=10, LIST_OFFSETS => list_offsets::answer;
    Metadata 0..=13, METADATA => metadata::answer;
    OffsetCommit 2..=9, OFFSET_COMMIT => offsets::commit;
    OffsetFetch 1..=9, OFFSET_FETCH => offsets::fetch;
    FindCoordinator 0..=6, FIND_COORDINATOR => groups::find_coordinator;
    JoinGroup 0..=9, JOIN_GROUP => groups::join;
    Heartbeat 0..=4, HEARTBEAT => groups::heartbeat;
    LeaveGroup 0..=5, LEAVE_GROUP => groups::leave;
    SyncGroup 0..=5, SYNC_GROUP => groups::sync;
    DescribeGroups 0..=6, DESCRIBE_GROUPS => group_admin::describe;
    ListGroups 0..=5, LIST_GROUPS => group_admin::list;
    ApiVersions 0..=4, API_VERSIONS => api_versions::answer;
    CreateTopics 2..=7, CREATE_TOPICS => create_topics::answer;
    DeleteTopics 1..=6, DELETE_TOPICS => topics::delete;
    DeleteRecords 0..=2, DELETE_RECORDS => topics::delete_records;
    InitProducerId 0..=5, INIT_PRODUCER_ID => producer_id::answer;
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

fn decode<T: Decodable + Default>(api: ApiKey, version: i16, mut body: Bytes) -> Result<T, Cut> {
    if version == api_versions::UNSUPPORTED {
        return Ok(T::default());
    }
    T::decode(&mut body, version).map_err(|_| Cut::Bad(BadFrame::Body { api_key: api as i16, version }))
}

/// What a handler answers: a response, or its own way of writing one.
trait Answer {
    fn write(self, api: ApiKey, version: i16, correlation_id: i32, output: &mut Output) -> Result<(), Cut>;
}

impl<T: Encodable> Answer for T {
    fn write(self, api: ApiKey, version: i16, correlation_id: i32, output: &mut Output) -> Result<(), Cut> {
        let version = if version == api_versions::UNSUPPORTED { 0 } else { version };
        let start = begin(api, version, correlation_id, output);
        self.encode(&mut output.gathered, version).map_err(|error| Cut::Unanswerable(error.to_string()))?;
        let length = (output.gathered.len() - start - 4) as u32;
        output.gathered[start..start + 4].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }
}

/// Puts a length (to be filled in) and the response header; answers where the length stands in `output.gathered`.
fn begin(api: ApiKey, version: i16, correlation_id: i32, output: &mut Output) -> usize {
    let start = output.gathered.len();
    output.gathered.put_u32(0);
    output.gathered.put_i32(correlation_id);
    if api.response_header_version(version) >= 1 {
        output.gathered.put_u8(0);
    }
    start
}

/// What comes of `waiting`; the end of the connection if the broker stops before.
async fn unless_stopping<T>(node: &Node, waiting: impl Future<Output = T>) -> Result<T, Cut> {
    tokio::select! {
        biased;
        done = waiting => Ok(done),
        () = node.stopping() => Err(Cut::Close),
    }
}

/// Runs what blocks on files, away from the connections.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

pub(crate) fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame of this API and version: no client id, then `body`.
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
    fn the_table_is_in_order_and_announces_what_can_be_decoded() {
        assert!(SERVED.is_sorted_by_key(|served| served.api as i16));
        for served in SERVED {
            let decoded = served.api.valid_versions();
            assert!(served.oldest_decoded >= decoded.min && served.newest <= decoded.max, "{:?}", served.api);
        }
    }

    #[test]
    fn no_bytes_make_the_decoders_panic_or_reserve_what_is_not_there() {
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = move || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed
        };
        let mut decoded = 0;
        for served in SERVED {
            for version in served.oldest_decoded..=served.newest {
                for _ in 0..400 {
                    // Mostly small numbers, so that lengths and counts are believed and the walk goes deep.
                    let body: Vec<u8> = (0..random() % 80)
                        .map(|_| match random() % 8 {
                            0 => random() as u8,
                            1 => 0xff,
                            2 => (random() % 4) as u8,
                            _ => 0,
                        })
                        .collect();
                    if let Ok(request) = Request::read(frame(served.api, version, &body)) {
                        decoded += usize::from(decodes(request));
                    }
                }
            }
        }
        assert!(decoded > 1000, "{decoded}");
    }
}
