//! What the program does besides running: `check-config` and `healthcheck`.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

use postern_access::{Caller, Permissions, Way};
use postern_kafka::Cluster;
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};

use crate::{
    config::{AccessConfig, ClusterChoice, Config, HttpAddress, Question},
    server,
};

/// How long `healthcheck` waits for a connection, and for each part of the answer.
const HEALTHCHECK_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of the answer that are read.
const ANSWER_MAX: u64 = 64 << 10;

/// Connects to the cluster as the start would, for `check-config --connect`. What it found, or why it cannot.
pub(crate) fn connect(config: &Config) -> Result<String, String> {
    let ClusterChoice::Remote { bootstrap_servers } = &config.cluster else {
        return Ok("Nothing to connect to: the broker is started inside the process.".to_owned());
    };
    let runtime = tokio::runtime::Runtime::new().map_err(|error| format!("cannot start threads: {error}"))?;
    runtime.block_on(async {
        let settings = server::client_settings(config, bootstrap_servers);
        let cluster = Cluster::connect(settings).map_err(|error| format!("Kafka: {error}"))?;
        let found = cluster.describe_cluster().await.map_err(|error| format!("Kafka: {error}"))?;
        Ok(format!("Kafka answers: cluster {}, brokers: {}.", found.cluster_id, found.brokers.len()))
    })
}

/// Whether the rules let a caller do something, and why, and as whom Kafka is asked for it.
///
/// # Errors
/// The files cannot be used, or there is no such path.
pub(crate) fn explain(access: &AccessConfig, question: &Question) -> Result<(bool, String), String> {
    let keys = postern_http::TokenKeys::default();
    let decisions =
        access.build(&|path| std::fs::read_to_string(path), &keys, None).map_err(|faults| faults.join("; "))?;
    let caller = match question.name.as_str() {
        "anonymous" => Caller::anonymous(),
        // Rules look at names and groups, not at how they became known.
        name => Caller::new(Way::Basic, name, question.groups.clone()).map_err(|invalid| invalid.to_string())?,
    };
    let permissions = Permissions::new(Arc::new(caller), decisions.rules);
    let identities = decisions.identities.map(|identities| identities.table);
    postern_http::explain(&permissions, identities.as_deref(), &question.method, &question.path)
}

/// Asks a running process whether it is ready, over the management listener at `address`. Its answer: ready, or not.
///
/// # Errors
/// Nothing answers there.
pub(crate) fn healthcheck(HttpAddress { address, is_tls }: HttpAddress) -> io::Result<Result<String, String>> {
    let mut stream = TcpStream::connect_timeout(&address, HEALTHCHECK_TIMEOUT)?;
    stream.set_read_timeout(Some(HEALTHCHECK_TIMEOUT))?;
    stream.set_write_timeout(Some(HEALTHCHECK_TIMEOUT))?;
    let answer = if is_tls { ask(&mut tls(address, stream)?, address) } else { ask(&mut stream, address) }?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned();
    Ok(if answer.starts_with("HTTP/1.1 200 ") { Ok(body) } else { Err(body) })
}

fn ask(stream: &mut (impl Read + Write), address: SocketAddr) -> io::Result<String> {
    write!(stream, "GET /ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(ANSWER_MAX).read_to_string(&mut answer)?;
    Ok(answer)
}

fn tls(address: SocketAddr, stream: TcpStream) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    let connection = ClientConnection::new(Arc::new(config), ServerName::IpAddress(address.ip().into()));
    Ok(StreamOwned::new(connection.map_err(io::Error::other)?, stream))
}

/// Accepts every certificate: the process is asked at the address that its own configuration names, nothing secret is sent, and the
/// certificate need not name this address.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
