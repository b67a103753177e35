//! The floor that the benches measure against: the same HTTP stack and accept loop, with nothing behind it but the body handed back.
//!
//! `echo [ADDRESS]`, by default 127.0.0.1:8090.

use std::future::pending;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{Request, Response};
use postern_http::{Bounds, serve};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8090".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("echo on http://{}", listener.local_addr()?);
    let echo = |request: Request<Incoming>| async {
        let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        Response::new(body)
    };
    serve::serve_with(listener, echo, Bounds::default(), pending(), Duration::ZERO).await;
    Ok(())
}
