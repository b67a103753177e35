//! A registry that says what it is told to, and remembers what it was asked: over HTTP, or over TLS with a certificate of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, LOCATION};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// What it says to one request.
pub(crate) enum Says {
    /// A status and a document.
    This(u16, String),
    /// That somebody else should be asked.
    Elsewhere(String),
    /// Nothing, ever.
    Nothing,
}

/// A request it was asked, `GET /path`, and who said to ask.
pub(crate) type Asked = (String, Option<String>);

type Script = dyn Fn(&str) -> Says + Send + Sync;

pub(crate) struct Registry {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    connections: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Registry {
    pub(crate) async fn start(script: impl Fn(&str) -> Says + Send + Sync + 'static) -> Registry {
        Registry::listen(None, script).await
    }

    /// Its certificate is for `localhost`.
    pub(crate) async fn start_tls(
        certificate: &rcgen::CertifiedKey<rcgen::KeyPair>,
        script: impl Fn(&str) -> Says + Send + Sync + 'static,
    ) -> Registry {
        let key = rustls::pki_types::PrivateKeyDer::try_from(certificate.signing_key.serialize_der()).expect("a key");
        let config = rustls::ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .expect("the default versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.cert.der().clone()], key)
            .expect("key and certificate belong together");
        Registry::listen(Some(TlsAcceptor::from(Arc::new(config))), script).await
    }

    async fn listen(tls: Option<TlsAcceptor>, script: impl Fn(&str) -> Says + Send + Sync + 'static) -> Registry {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let (asked, connections) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        let (script, seen, counted): (Arc<Script>, _, _) = (Arc::new(script), asked.clone(), connections.clone());
        let accepting = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("it listens");
                counted.fetch_add(1, Ordering::Relaxed);
                let (script, seen, tls) = (script.clone(), seen.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, script, seen).await,
                        // A client that does not believe us hangs up.
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, script, seen).await;
                            }
                        }
                    }
                });
            }
        });
        Registry { address, asked, connections, accepting }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, script: Arc<Script>, seen: Arc<Mutex<Vec<Asked>>>) {
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let line = format!("{} {}", request.method(), request.uri());
        let who = request.headers().get(AUTHORIZATION).map(|who| who.to_str().expect("text").to_owned());
        seen.lock().push((line.clone(), who));
        let says = script(&line);
        async move {
            let answer = Response::builder();
            Ok::<_, std::convert::Infallible>(match says {
                Says::This(status, body) => answer.status(status).body(Full::new(Bytes::from(body))),
                Says::Elsewhere(url) => answer.status(307).header(LOCATION, url).body(Full::default()),
                Says::Nothing => std::future::pending().await,
            })
            .map(|answer| answer.expect("tests give good answers"))
        }
    });
    // A client that goes away is no failure of the test.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}
