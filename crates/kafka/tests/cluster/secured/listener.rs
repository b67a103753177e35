//! A listener with TLS and SASL in front of the embedded broker, which has neither: it ends both and passes requests on, one at a
//! time, as a broker serves a connection. Addresses of brokers in answers become its own.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::{
    messages::{
        ApiKey, ApiVersionsResponse, FindCoordinatorResponse, MetadataResponse, RequestHeader, ResponseHeader,
        SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest, SaslHandshakeResponse,
        api_versions_response::ApiVersion,
    },
    protocol::{Decodable, Encodable, StrBytes},
};
use parking_lot::Mutex;
use ring::{digest, hmac, pbkdf2};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};

/// What the listener asks of those who connect.
#[derive(Clone, Default)]
pub(crate) struct Options {
    pub(crate) tls: Option<Arc<ServerConfig>>,
    /// Users and passwords; for OAUTHBEARER the token of a user. `None`: no SASL.
    pub(crate) users: Option<Arc<Mutex<HashMap<String, String>>>>,
    /// What is said of the length of a session.
    pub(crate) session: Option<Duration>,
}

/// What has happened.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) connections: AtomicUsize,
    pub(crate) handshakes: AtomicUsize,
    pub(crate) refused: AtomicUsize,
    /// Requests that were passed on, by who had logged in.
    passed: Mutex<HashMap<(String, ApiKey), usize>>,
}

impl Counts {
    /// Requests of `user` for this API.
    pub(crate) fn passed(&self, user: &str, api: ApiKey) -> usize {
        self.passed.lock().get(&(user.to_owned(), api)).copied().unwrap_or_default()
    }
}

/// Stops when dropped.
pub(crate) struct Listener {
    pub(crate) address: SocketAddr,
    pub(crate) counts: Arc<Counts>,
    task: JoinHandle<()>,
}

impl Listener {
    pub(crate) async fn start(broker: SocketAddr, options: Options) -> Listener {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let counts = Arc::new(Counts::default());
        let counted = counts.clone();
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                counted.connections.fetch_add(1, Ordering::Relaxed);
                let connection = Connection {
                    broker,
                    address,
                    options: options.clone(),
                    counts: counted.clone(),
                    state: State::Unknown,
                };
                tokio::spawn(connection.accept(socket));
            }
        });
        Listener { address, counts, task }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// How far a client has proved who it is.
enum State {
    Unknown,
    Mechanism(String),
    /// SCRAM: the user's salted password, and what was said so far.
    Challenged {
        mechanism: String,
        user: String,
        salted: Vec<u8>,
        said: String,
    },
    Known(String),
}

struct Connection {
    broker: SocketAddr,
    address: SocketAddr,
    options: Options,
    counts: Arc<Counts>,
    state: State,
}

impl Connection {
    async fn accept(self, socket: TcpStream) {
        // Errors are the client's to notice.
        match self.options.tls.clone() {
            None => drop(self.serve(socket).await),
            Some(tls) => {
                if let Ok(stream) = TlsAcceptor::from(tls).accept(socket).await {
                    let _ = self.serve(stream).await;
                }
            }
        }
    }

    async fn serve(mut self, mut client: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
        let mut broker = TcpStream::connect(self.broker).await?;
        if self.options.users.is_none() {
            self.state = State::Known(String::new());
        }
        loop {
            let request = read_frame(&mut client).await?;
            let (api, version) = (i16_at(&request, 0)?, i16_at(&request, 2)?);
            let api = ApiKey::try_from(api).map_err(|()| io::Error::other("an API"))?;
            let answer = match api {
                ApiKey::SaslHandshake | ApiKey::SaslAuthenticate => self.sasl(api, version, request)?,
                ApiKey::ApiVersions => with_sasl(version, pass_on(&mut broker, &request).await?)?,
                _ => {
                    let State::Known(user) = &self.state else { return Err(io::Error::other("not authenticated")) };
                    *self.counts.passed.lock().entry((user.clone(), api)).or_default() += 1;
                    let answer = pass_on(&mut broker, &request).await?;
                    self.readdress(api, version, answer)?
                }
            };
            write_frame(&mut client, &answer).await?;
        }
    }

    fn sasl(&mut self, api: ApiKey, version: i16, mut request: Bytes) -> io::Result<Bytes> {
        let header =
            RequestHeader::decode(&mut request, api.request_header_version(version)).map_err(io::Error::other)?;
        let mut answer = BytesMut::new();
        let correlation = ResponseHeader::default().with_correlation_id(header.correlation_id);
        correlation.encode(&mut answer, api.response_header_version(version)).map_err(io::Error::other)?;
        if api == ApiKey::SaslHandshake {
            self.counts.handshakes.fetch_add(1, Ordering::Relaxed);
            let request = SaslHandshakeRequest::decode(&mut request, version).map_err(io::Error::other)?;
            let offered = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"];
            let code = match (&self.options.users, offered.contains(&request.mechanism.as_str())) {
                (None, _) => 34,
                (_, false) => 33,
                (_, true) => 0,
            };
            self.state = State::Mechanism(request.mechanism.to_string());
            let response = SaslHandshakeResponse::default()
                .with_error_code(code)
                .with_mechanisms(offered.map(StrBytes::from_static_str).to_vec());
            response.encode(&mut answer, version).map_err(io::Error::other)?;
        } else {
            let request = SaslAuthenticateRequest::decode(&mut request, version).map_err(io::Error::other)?;
            let message = String::from_utf8_lossy(&request.auth_bytes).into_owned();
            let response = match self.step(&message) {
                Ok(said) => {
                    let session = match self.state {
                        State::Known(_) => self.options.session.map_or(0, |session| session.as_millis() as i64),
                        _ => 0,
                    };
                    SaslAuthenticateResponse::default()
                        .with_auth_bytes(said.into_bytes().into())
                        .with_session_lifetime_ms(session)
                }
                Err(sentence) => {
                    self.counts.refused.fetch_add(1, Ordering::Relaxed);
                    SaslAuthenticateResponse::default()
                        .with_error_code(58)
                        .with_error_message(Some(StrBytes::from_static_str(sentence)))
                }
            };
            response.encode(&mut answer, version).map_err(io::Error::other)?;
        }
        Ok(answer.freeze())
    }

    /// One message of a client.
    fn step(&mut self, message: &str) -> Result<String, &'static str> {
        const REFUSED: &str = "Authentication failed: Invalid username or password";
        let users = self.options.users.as_ref().expect("SASL is on").lock();
        match std::mem::replace(&mut self.state, State::Unknown) {
            State::Mechanism(mechanism) if mechanism == "PLAIN" => {
                let mut parts = message.split('\0').skip(1);
                let (user, password) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
                if users.get(user).is_none_or(|expected| expected != password) {
                    return Err(REFUSED);
                }
                self.state = State::Known(user.to_owned());
                Ok(String::new())
            }
            State::Mechanism(mechanism) if mechanism == "OAUTHBEARER" => {
                let token = message.split('\u{1}').find_map(|part| part.strip_prefix("auth=Bearer "));
                let Some((user, _)) = users.iter().find(|(_, expected)| Some(expected.as_str()) == token) else {
                    self.state = State::Mechanism("REFUSED".to_owned());
                    return Ok("{\"status\":\"invalid_token\"}".to_owned());
                };
                self.state = State::Known(user.clone());
                Ok(String::new())
            }
            State::Mechanism(mechanism) if mechanism == "REFUSED" => Err("{\"status\":\"invalid_token\"}"),
            State::Mechanism(mechanism) => {
                let bare = message.strip_prefix("n,,").ok_or("no channel binding was expected")?;
                let (user, nonce) =
                    bare.strip_prefix("n=").and_then(|rest| rest.split_once(",r=")).ok_or("malformed")?;
                let password = users.get(user).ok_or(REFUSED)?;
                let (salt, iterations) = (b"salt of the test", 4096);
                let first = format!("r={nonce}server,s={},i={iterations}", BASE64_STANDARD.encode(salt));
                let (algorithm, length) = match mechanism.as_str() {
                    "SCRAM-SHA-256" => (pbkdf2::PBKDF2_HMAC_SHA256, 32),
                    _ => (pbkdf2::PBKDF2_HMAC_SHA512, 64),
                };
                let mut salted = vec![0; length];
                let iterations = NonZeroU32::new(iterations).expect("positive");
                pbkdf2::derive(algorithm, iterations, salt, password.as_bytes(), &mut salted);
                self.state =
                    State::Challenged { mechanism, user: user.to_owned(), salted, said: format!("{bare},{first}") };
                Ok(first)
            }
            State::Challenged { mechanism, user, salted, said } => {
                let (without_proof, proof) = message.split_once(",p=").ok_or("no proof")?;
                let (algorithm, hash) = match mechanism.as_str() {
                    "SCRAM-SHA-256" => (hmac::HMAC_SHA256, &digest::SHA256),
                    _ => (hmac::HMAC_SHA512, &digest::SHA512),
                };
                let sign = |key: &[u8], data: &[u8]| hmac::sign(&hmac::Key::new(algorithm, key), data);
                let said = format!("{said},{without_proof}");
                let stored = digest::digest(hash, sign(&salted, b"Client Key").as_ref());
                let signature = sign(stored.as_ref(), said.as_bytes());
                let proof = BASE64_STANDARD.decode(proof).map_err(|_| "no base64")?;
                let key: Vec<u8> = proof.iter().zip(signature.as_ref()).map(|(byte, mask)| byte ^ mask).collect();
                if digest::digest(hash, &key).as_ref() != stored.as_ref() {
                    return Err(REFUSED);
                }
                let server = sign(sign(&salted, b"Server Key").as_ref(), said.as_bytes());
                self.state = State::Known(user);
                Ok(format!("v={}", BASE64_STANDARD.encode(server)))
            }
            State::Unknown | State::Known(_) => Err("SaslHandshake is missing"),
        }
    }

    /// The answer with the listener's address for the broker's.
    fn readdress(&self, api: ApiKey, version: i16, answer: Bytes) -> io::Result<Bytes> {
        let host = StrBytes::from_string(self.address.ip().to_string());
        let port = i32::from(self.address.port());
        let mut rest = answer.clone();
        let header_version = api.response_header_version(version);
        let mut changed = BytesMut::new();
        match api {
            ApiKey::Metadata => {
                let header = ResponseHeader::decode(&mut rest, header_version).map_err(io::Error::other)?;
                let mut response = MetadataResponse::decode(&mut rest, version).map_err(io::Error::other)?;
                for broker in &mut response.brokers {
                    (broker.host, broker.port) = (host.clone(), port);
                }
                header.encode(&mut changed, header_version).map_err(io::Error::other)?;
                response.encode(&mut changed, version).map_err(io::Error::other)?;
            }
            ApiKey::FindCoordinator => {
                let header = ResponseHeader::decode(&mut rest, header_version).map_err(io::Error::other)?;
                let mut response = FindCoordinatorResponse::decode(&mut rest, version).map_err(io::Error::other)?;
                (response.host, response.port) = (host, port);
                header.encode(&mut changed, header_version).map_err(io::Error::other)?;
                response.encode(&mut changed, version).map_err(io::Error::other)?;
            }
            _ => return Ok(answer),
        }
        Ok(changed.freeze())
    }
}

/// The versions of the broker, which knows nothing of SASL, and those of SASL.
fn with_sasl(version: i16, mut answer: Bytes) -> io::Result<Bytes> {
    let header = ResponseHeader::decode(&mut answer, 0).map_err(io::Error::other)?;
    let mut response = ApiVersionsResponse::decode(&mut answer, version).map_err(io::Error::other)?;
    for (api, max) in [(ApiKey::SaslHandshake, 1), (ApiKey::SaslAuthenticate, 2)] {
        response.api_keys.push(ApiVersion::default().with_api_key(api as i16).with_max_version(max));
    }
    let mut changed = BytesMut::new();
    header.encode(&mut changed, 0).map_err(io::Error::other)?;
    response.encode(&mut changed, version).map_err(io::Error::other)?;
    Ok(changed.freeze())
}

async fn pass_on(broker: &mut TcpStream, request: &Bytes) -> io::Result<Bytes> {
    write_frame(broker, request).await?;
    read_frame(broker).await
}

async fn read_frame(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Bytes> {
    let length = stream.read_u32().await? as usize;
    if length > 100 << 20 {
        return Err(io::Error::other("no frame"));
    }
    let mut frame = vec![0; length];
    stream.read_exact(&mut frame).await?;
    Ok(frame.into())
}

async fn write_frame(stream: &mut (impl AsyncWrite + Unpin), frame: &Bytes) -> io::Result<()> {
    let mut whole = BytesMut::with_capacity(4 + frame.len());
    whole.put_u32(frame.len() as u32);
    whole.put_slice(frame);
    stream.write_all(&whole).await?;
    stream.flush().await
}

fn i16_at(frame: &Bytes, at: usize) -> io::Result<i16> {
    frame.get(at..at + 2).map(|mut two| two.get_i16()).ok_or_else(|| io::Error::other("a short frame"))
}
