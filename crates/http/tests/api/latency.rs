//! How long small requests take beside bodies of 20 MiB and answers that nobody reads. It only measures, as times say nothing on a machine
//! that does other things as well:
//!
//! ```text
//! POSTERN_LATENCY_SECONDS=20 cargo test --release -p postern-http --test api latency:: -- --ignored --nocapture
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use crate::app::TestApp;

const JSON: &str = "application/vnd.kafka.json.v2+json";
const RECORD_BYTES: usize = 10 << 10;
const RECORDS: usize = 2048;
/// What one request in a hundred may take.
const MAX_P99: Duration = Duration::from_millis(50);

fn body(records: usize, value_bytes: usize) -> Bytes {
    let record = format!(r#"{{"value":"{}"}}"#, "x".repeat(value_bytes));
    format!(r#"{{"records":[{}]}}"#, vec![record; records].join(",")).into()
}

/// The latencies of `GET /`, and of produces of one record, each sorted.
async fn measure(app: &TestApp, time: Duration) -> [Vec<Duration>; 2] {
    let small = body(1, 20);
    let mut latencies = [Vec::new(), Vec::new()];
    let begun = Instant::now();
    while begun.elapsed() < time {
        let calls = [
            app.request(Method::GET, "/"),
            app.request(Method::POST, "/topics/small").body(small.clone()).header("Content-Type", JSON),
        ];
        for (call, latencies) in calls.into_iter().zip(&mut latencies) {
            let sent = Instant::now();
            assert_eq!(call.send().await.status, 200);
            latencies.push(sent.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    latencies.iter_mut().for_each(|latencies| latencies.sort_unstable());
    latencies
}

fn percentile(sorted: &[Duration], of_thousand: usize) -> Duration {
    sorted[(sorted.len() * of_thousand / 1000).min(sorted.len() - 1)]
}

/// The clients have one of their own: what they do must not look like a slow server.
fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

// Times say something on a quiet machine only, so it is run by hand; that bodies give other tasks their turn is a test in `body.rs`.
#[test]
#[ignore = "measures times: for a quiet machine, with --release, by hand"]
fn small_requests_stay_fast_beside_large_bodies_and_slow_readers() {
    let seconds = std::env::var("POSTERN_LATENCY_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    let time = seconds.map_or(Duration::from_millis(1500), Duration::from_secs);
    let (of_server, of_clients) = (runtime(), runtime());
    let app = Arc::new(of_server.block_on(async {
        let app = TestApp::start().await;
        app.topic("large", 2).await;
        app.topic("small", 1).await;
        app
    }));
    let (idle, busy, posted) = of_clients.block_on(async {
        let large = body(RECORDS, RECORD_BYTES);
        let post =
            |app: &TestApp| app.request(Method::POST, "/topics/large").header("Content-Type", JSON).body(large.clone());
        assert_eq!(post(&app).send().await.status, 200);
        let idle = measure(&app, time / 3).await;

        let mut stalled = Vec::new();
        for _ in 0..4 {
            let mut connection = app.connect().await;
            let request = "GET /topics/large/partitions/0/records?offset=0&count=2000 HTTP/1.1\r\nHost: x\r\n\r\n";
            connection.write_all(request.as_bytes()).await.expect("it is read");
            connection.read_exact(&mut [0; 1000]).await.expect("it is answered");
            stalled.push(connection);
        }
        let (loaded, posted) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
        let mut posting = JoinSet::new();
        for _ in 0..3 {
            let (app, loaded, posted, large) = (app.clone(), loaded.clone(), posted.clone(), large.clone());
            posting.spawn(async move {
                while loaded.load(Ordering::Relaxed) {
                    let call =
                        app.request(Method::POST, "/topics/large").header("Content-Type", JSON).body(large.clone());
                    assert_eq!(call.send().await.status, 200);
                    posted.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let busy = measure(&app, time).await;
        loaded.store(false, Ordering::Relaxed);
        posting.join_all().await;
        (idle, busy, posted.load(Ordering::Relaxed))
    });
    println!("beside {posted} bodies of 20 MiB and four clients that do not read");
    assert!(posted > 0);
    let mut slow = Vec::new();
    for (name, [read, written]) in [("idle", idle), ("busy", busy)] {
        for (what, latencies) in [("GET /", read), ("produce", written)] {
            let [half, p99, p999] = [500, 990, 999].map(|of_thousand| percentile(&latencies, of_thousand));
            println!("{name} {what}: {} requests, p50 {half:?}, p99 {p99:?}, p99.9 {p999:?}", latencies.len());
            slow.extend((p99 > MAX_P99).then(|| format!("{name} {what}")));
        }
    }
    assert!(slow.is_empty(), "slower than {MAX_P99:?}: {slow:?}");
    // Both are in use until here, and a runtime must not be dropped within another one.
    drop(app);
    of_server.shutdown_background();
}
