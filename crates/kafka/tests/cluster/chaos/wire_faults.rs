//! A proxy between client and brokers that breaks frames: connections that end before, inside and after a request or an answer,
//! answers that are late, out of order, garbage, or an error although the broker has done what it was asked for.

use std::{
    collections::{HashMap, VecDeque},
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicI16, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use kafka_protocol::{
    messages::{
        ApiKey, ApiVersionsResponse, FetchResponse, MetadataResponse, OffsetForLeaderEpochResponse, ProduceResponse,
        ResponseHeader, fetch_response::EpochEndOffset,
    },
    protocol::{Decodable, Encodable, StrBytes},
};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
    task::JoinSet,
    time::sleep,
};

/// Requests on one connection; no client has as many under way.
const MAX_UNANSWERED: usize = 100;

/// What happens to one request and its answer.
#[derive(Clone, Debug)]
pub(crate) enum WireFault {
    /// The connection ends, and the broker gets nothing.
    CloseBefore,
    /// The broker gets so much of the request, then the connection ends.
    CloseWithin(f64),
    /// The broker gets the request, and nothing of its answer comes through.
    LoseAnswer,
    /// So much of the answer comes through, then the connection ends.
    CutAnswer(f64),
    /// The answer comes through, then the connection ends.
    CloseAfter,
    Delay(Duration),
    /// The answer changes places with the one after it.
    Swap,
    /// Random bytes in place of the answer; `framed`: with a right length and correlation id.
    Garbage {
        seed: u64,
        framed: bool,
    },
    /// Produce: what the broker has written is answered with this code and its base offset.
    WrittenBut(i16),
    /// Fetch, OffsetForLeaderEpoch: the leader's log has nothing of what was read from this offset on.
    Diverging(i64),
}

/// The faults that wait for a request of their API.
pub(crate) struct WireFaults {
    waiting: Mutex<HashMap<i16, VecDeque<WireFault>>>,
    injected: AtomicUsize,
    /// Brokers offer no newer version of Fetch.
    pub(crate) fetch_version: AtomicI16,
}

impl Default for WireFaults {
    fn default() -> WireFaults {
        let fetch_version = AtomicI16::new(i16::MAX);
        WireFaults { waiting: Mutex::default(), injected: AtomicUsize::default(), fetch_version }
    }
}

impl WireFaults {
    pub(crate) fn add(&self, api: ApiKey, fault: WireFault) {
        self.waiting.lock().entry(api as i16).or_default().push_back(fault);
    }

    pub(crate) fn clear(&self) {
        self.waiting.lock().clear();
    }

    /// How many requests met a fault.
    pub(crate) fn injected(&self) -> usize {
        self.injected.load(Ordering::Relaxed)
    }

    fn take(&self, api: i16) -> Option<WireFault> {
        let fault = self.waiting.lock().get_mut(&api).and_then(VecDeque::pop_front)?;
        self.injected.fetch_add(1, Ordering::Relaxed);
        Some(fault)
    }
}

/// The way to a cluster whose every broker is reached through a proxy.
pub(crate) struct FaultyWay {
    pub(crate) faults: Arc<WireFaults>,
    /// What a client is given.
    pub(crate) bootstrap: String,
    _proxies: JoinSet<()>,
}

impl FaultyWay {
    /// `brokers`: `host:port`, separated by commas.
    pub(crate) async fn to(brokers: &str) -> FaultyWay {
        let faults = Arc::new(WireFaults::default());
        let (mut listeners, mut ports) = (Vec::new(), HashMap::new());
        for broker in brokers.split(',') {
            let broker: SocketAddr = broker.parse().expect("an address");
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            ports.insert(i32::from(broker.port()), listener.local_addr().expect("bound").port());
            listeners.push((listener, broker));
        }
        let addresses: Vec<String> = ports.values().map(|port| format!("127.0.0.1:{port}")).collect();
        let (ports, mut proxies) = (Arc::new(ports), JoinSet::new());
        for (listener, broker) in listeners {
            proxies.spawn(accept(listener, broker, faults.clone(), ports.clone()));
        }
        FaultyWay { faults, bootstrap: addresses.join(","), _proxies: proxies }
    }
}

type Ports = Arc<HashMap<i32, u16>>;

async fn accept(listener: TcpListener, broker: SocketAddr, faults: Arc<WireFaults>, ports: Ports) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let (faults, ports) = (faults.clone(), ports.clone());
        connections.spawn(async move {
            let Ok(broker) = TcpStream::connect(broker).await else { return };
            let (_, _) = (client.set_nodelay(true), broker.set_nodelay(true));
            let ((from_client, to_client), (from_broker, to_broker)) = (client.into_split(), broker.into_split());
            let (sent, asked) = mpsc::channel(MAX_UNANSWERED);
            // Whichever ends first ends the connection.
            tokio::select! {
                _ = requests(from_client, to_broker, &faults, sent) => {}
                _ = answers(from_broker, to_client, asked, &ports, &faults) => {}
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

/// A request that was passed on.
struct Asked {
    api: i16,
    version: i16,
    fault: Option<WireFault>,
}

async fn frame(from: &mut OwnedReadHalf) -> io::Result<BytesMut> {
    let length = from.read_i32().await?;
    let mut frame = BytesMut::zeroed(usize::try_from(length).map_err(io::Error::other)?);
    from.read_exact(&mut frame).await?;
    Ok(frame)
}

async fn send(to: &mut OwnedWriteHalf, frame: &[u8]) -> io::Result<()> {
    let length = i32::try_from(frame.len()).map_err(io::Error::other)?;
    to.write_all(&[&length.to_be_bytes(), frame].concat()).await
}

/// So much of a frame with its length.
fn part_of(frame: &[u8], share: f64) -> Vec<u8> {
    let mut whole = i32::try_from(frame.len()).unwrap_or(0).to_be_bytes().to_vec();
    whole.extend_from_slice(frame);
    whole.truncate((whole.len() as f64 * share) as usize);
    whole
}

fn ended() -> io::Error {
    io::Error::other("a fault ends the connection")
}

async fn requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    faults: &WireFaults,
    sent: mpsc::Sender<Asked>,
) -> io::Result<()> {
    loop {
        let request = frame(&mut from).await?;
        let (api, version) =
            (i16::from_be_bytes([request[0], request[1]]), i16::from_be_bytes([request[2], request[3]]));
        let fault = faults.take(api);
        match fault {
            Some(WireFault::CloseBefore) => return Err(ended()),
            Some(WireFault::CloseWithin(share)) => {
                to.write_all(&part_of(&request, share)).await?;
                return Err(ended());
            }
            _ => {}
        }
        let _ = sent.send(Asked { api, version, fault }).await;
        send(&mut to, &request).await?;
    }
}

async fn answers(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut asked: mpsc::Receiver<Asked>,
    ports: &Ports,
    faults: &WireFaults,
) -> io::Result<()> {
    let mut held: Option<BytesMut> = None;
    loop {
        // The one that is held back for a swap goes when no other comes.
        let next = match held {
            Some(_) => tokio::time::timeout(Duration::from_millis(500), asked.recv()).await,
            None => Ok(asked.recv().await),
        };
        let Ok(next) = next else {
            if let Some(held) = held.take() {
                send(&mut to, &held).await?;
            }
            continue;
        };
        let Some(Asked { api, version, fault }) = next else { return Ok(()) };
        let answer = frame(&mut from).await?;
        let answer = match (ApiKey::try_from(api), &fault) {
            (Ok(ApiKey::Metadata), _) => {
                through(answer, ApiKey::Metadata, version, |metadata: &mut MetadataResponse| {
                    for broker in &mut metadata.brokers {
                        broker.port = ports.get(&broker.port).map_or(broker.port, |port| i32::from(*port));
                        broker.host = StrBytes::from_static_str("127.0.0.1");
                    }
                })
            }
            (Ok(ApiKey::ApiVersions), _) if faults.fetch_version.load(Ordering::Relaxed) < i16::MAX => {
                let newest = faults.fetch_version.load(Ordering::Relaxed);
                through(answer, ApiKey::ApiVersions, version, |versions: &mut ApiVersionsResponse| {
                    let fetch = versions.api_keys.iter_mut().filter(|api| api.api_key == ApiKey::Fetch as i16);
                    fetch.for_each(|api| api.max_version = api.max_version.min(newest));
                })
            }
            (Ok(ApiKey::OffsetForLeaderEpoch), Some(WireFault::Diverging(end))) => {
                through(answer, ApiKey::OffsetForLeaderEpoch, version, |ends: &mut OffsetForLeaderEpochResponse| {
                    let partitions = ends.topics.iter_mut().flat_map(|topic| &mut topic.partitions);
                    partitions.for_each(|partition| (partition.leader_epoch, partition.end_offset) = (0, *end));
                })
            }
            (Ok(ApiKey::Produce), Some(WireFault::WrittenBut(code))) => {
                through(answer, ApiKey::Produce, version, |produced: &mut ProduceResponse| {
                    let partitions = produced.responses.iter_mut().flat_map(|topic| &mut topic.partition_responses);
                    partitions.filter(|partition| partition.error_code == 0).for_each(|part| part.error_code = *code);
                })
            }
            (Ok(ApiKey::Fetch), Some(WireFault::Diverging(end))) => {
                through(answer, ApiKey::Fetch, version, |fetched: &mut FetchResponse| {
                    for partition in fetched.responses.iter_mut().flat_map(|topic| &mut topic.partitions) {
                        partition.diverging_epoch = EpochEndOffset::default().with_epoch(0).with_end_offset(*end);
                        partition.records = None;
                    }
                })
            }
            _ => answer,
        };
        match fault {
            Some(WireFault::LoseAnswer) => return Err(ended()),
            Some(WireFault::CutAnswer(share)) => {
                to.write_all(&part_of(&answer, share)).await?;
                return Err(ended());
            }
            Some(WireFault::CloseAfter) => {
                send(&mut to, &answer).await?;
                return Err(ended());
            }
            Some(WireFault::Delay(time)) => sleep(time).await,
            Some(WireFault::Swap) if held.is_none() => {
                held = Some(answer);
                continue;
            }
            Some(WireFault::Garbage { seed, framed }) => {
                let mut random = fastrand::Rng::with_seed(seed);
                let mut garbage = vec![0; random.usize(1..200)];
                random.fill(&mut garbage);
                if framed {
                    send(&mut to, &[&answer[..4], &garbage].concat()).await?;
                } else {
                    to.write_all(&garbage).await?;
                }
                continue;
            }
            _ => {}
        }
        send(&mut to, &answer).await?;
        if let Some(held) = held.take() {
            send(&mut to, &held).await?;
        }
    }
}

/// The answer, changed.
fn through<R: Decodable + Encodable>(
    answer: BytesMut,
    api: ApiKey,
    version: i16,
    change: impl FnOnce(&mut R),
) -> BytesMut {
    let mut bytes = Bytes::copy_from_slice(&answer);
    let header_version = api.response_header_version(version);
    let header = ResponseHeader::decode(&mut bytes, header_version).expect("the broker answers as it should");
    let mut body = R::decode(&mut bytes, version).expect("the broker answers as it should");
    change(&mut body);
    let mut changed = BytesMut::new();
    header.encode(&mut changed, header_version).expect("it was read");
    body.encode(&mut changed, version).expect("it was read");
    changed
}
