//! Whether this process is alive and ready, for whoever supervises it: `/live` and `/ready` on a listener of their own.
//!
//! `/live` is answered as long as requests are. `/ready` is 200 when Kafka was reached lately, the schemas are read and no shutdown has begun,
//! else 503; in both cases it says of each part why, and for how long. Kafka is asked by a task here, not by the requests: they are answered
//! from memory.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use hyper::{
    Method, Response, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
};
use parking_lot::Mutex;
use postern_kafka::Cluster;
use postern_registry::Registry;
use serde_json::{Value, json};
use tokio::{task::JoinHandle, time::timeout};

/// How often Kafka is asked.
const PROBE_INTERVAL: Duration = Duration::from_secs(5);
/// How long an answer is waited for: longer than `kafka-unreachable-timeout` by default, so that the reason is the client's.
const PROBE_TIMEOUT: Duration = Duration::from_secs(15);
/// An answer counts for so long: two failures in a row are no reason to be sent no more requests.
const LATELY: Duration = Duration::from_secs(20);

/// What is known about the parts. Cheap to clone; clones share it.
#[derive(Clone)]
pub(crate) struct Health(Arc<Parts>);

struct Parts {
    started: Instant,
    stopping: AtomicBool,
    kafka: Mutex<Kafka>,
    /// The registry in this process; `None`: another one is asked when it is needed.
    registry: Option<Registry>,
    schemas: Mutex<State>,
}

/// What Kafka answered last.
struct Kafka {
    reached: Option<Instant>,
    /// Why it did not answer after that.
    obstacle: Option<String>,
}

/// A part's state, and since when it has been so.
#[derive(Clone)]
struct State {
    is_ready: bool,
    reason: String,
    since: Instant,
}

impl Health {
    /// Before anything is known.
    pub(crate) fn new(registry: Option<Registry>) -> Health {
        let now = Instant::now();
        Health(Arc::new(Parts {
            started: now,
            stopping: AtomicBool::new(false),
            kafka: Mutex::new(Kafka { reached: None, obstacle: None }),
            registry,
            schemas: Mutex::new(State { is_ready: false, reason: String::new(), since: now }),
        }))
    }

    /// Asks the cluster again and again, in a task that ends when it is aborted.
    pub(crate) fn probe(&self, cluster: Cluster) -> JoinHandle<()> {
        let health = self.clone();
        tokio::spawn(async move {
            loop {
                let answered = timeout(PROBE_TIMEOUT, cluster.describe_cluster()).await;
                health.kafka_answered(match answered {
                    Ok(Ok(_)) => Ok(()),
                    Ok(Err(error)) => Err(error.to_string()),
                    Err(_) => Err(format!("no answer within {} s", PROBE_TIMEOUT.as_secs())),
                });
                tokio::time::sleep(PROBE_INTERVAL).await;
            }
        })
    }

    fn kafka_answered(&self, answer: Result<(), String>) {
        let mut kafka = self.0.kafka.lock();
        match answer {
            Ok(()) => *kafka = Kafka { reached: Some(Instant::now()), obstacle: None },
            Err(obstacle) => kafka.obstacle = Some(obstacle),
        }
    }

    /// From now on it is not ready.
    pub(crate) fn stop(&self) {
        self.0.stopping.store(true, Ordering::Relaxed);
    }

    /// Answers `GET /live` and `GET /ready`.
    pub(crate) fn answer(&self, method: &Method, path: &str) -> Response<Bytes> {
        let (status, body) = match (method, path) {
            (&Method::GET | &Method::HEAD, "/live") => {
                (StatusCode::OK, json!({"live": true, "age_s": seconds(self.0.started, Instant::now())}))
            }
            (&Method::GET | &Method::HEAD, "/ready") => self.ready(Instant::now()),
            (_, "/live" | "/ready" | "/metrics") => {
                (StatusCode::METHOD_NOT_ALLOWED, json!({"message": "only GET is possible here"}))
            }
            _ => (StatusCode::NOT_FOUND, json!({"message": "there are /live, /ready and /metrics here"})),
        };
        let mut response = Response::new(Bytes::from(format!("{body}\n")));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::METHOD_NOT_ALLOWED {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        response
    }

    fn ready(&self, now: Instant) -> (StatusCode, Value) {
        let is_stopping = self.0.stopping.load(Ordering::Relaxed);
        let process = State {
            is_ready: !is_stopping,
            reason: if is_stopping { "it is being stopped" } else { "it runs" }.to_owned(),
            since: self.0.started,
        };
        let (kafka, schemas) = (self.kafka(now), self.schemas(now));
        let is_ready = process.is_ready && kafka.is_ready && schemas.is_ready;
        let part = |state: &State| json!({"ready": state.is_ready, "reason": state.reason, "age_s": seconds(state.since, now)});
        let body = json!({
            "ready": is_ready,
            "parts": {"process": part(&process), "kafka": part(&kafka), "schemas": part(&schemas)},
        });
        (if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, body)
    }

    /// Its age is the time since it answered last.
    fn kafka(&self, now: Instant) -> State {
        let kafka = self.0.kafka.lock();
        let is_ready = kafka.reached.is_some_and(|reached| now.saturating_duration_since(reached) < LATELY);
        let reason = match (&kafka.obstacle, is_ready) {
            (Some(obstacle), true) => format!("it answered lately, but then: {obstacle}"),
            (Some(obstacle), false) => obstacle.clone(),
            (None, true) => "it answers".to_owned(),
            (None, false) => "it has not answered yet".to_owned(),
        };
        State { is_ready, reason, since: kafka.reached.unwrap_or(self.0.started) }
    }

    /// Its age is the time since it has been so.
    fn schemas(&self, now: Instant) -> State {
        let (is_ready, reason) = match &self.0.registry {
            None => (true, "another registry is asked when it is needed".to_owned()),
            Some(registry) => match registry.check_ready() {
                Ok(()) => (true, "they are read".to_owned()),
                Err(error) => (false, error.to_string()),
            },
        };
        let mut state = self.0.schemas.lock();
        let since = if state.is_ready == is_ready { state.since } else { now };
        *state = State { is_ready, reason, since };
        state.clone()
    }
}

/// In seconds with milliseconds.
fn seconds(since: Instant, now: Instant) -> f64 {
    (now.saturating_duration_since(since).as_secs_f64() * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(health: &Health, after: Duration) -> (u16, Value) {
        let (status, body) = health.ready(Instant::now() + after);
        (status.as_u16(), body)
    }

    #[test]
    fn it_is_ready_when_kafka_answered_lately_and_no_shutdown_has_begun() {
        let health = Health::new(None);
        let (status, body) = ready(&health, Duration::ZERO);
        assert_eq!((status, &body["parts"]["kafka"]["reason"]), (503, &json!("it has not answered yet")));
        health.kafka_answered(Ok(()));
        let (status, body) = ready(&health, Duration::ZERO);
        assert_eq!((status, &body["ready"]), (200, &json!(true)));
        // One failure is none; after a while it is.
        health.kafka_answered(Err("it is away".to_owned()));
        let (status, body) = ready(&health, Duration::ZERO);
        assert_eq!(
            (status, &body["parts"]["kafka"]["reason"]),
            (200, &json!("it answered lately, but then: it is away"))
        );
        let (status, body) = ready(&health, LATELY * 2);
        assert_eq!((status, &body["parts"]["kafka"]["reason"]), (503, &json!("it is away")));
        assert!(body["parts"]["kafka"]["age_s"].as_f64().expect("a number") >= LATELY.as_secs_f64());
        health.kafka_answered(Ok(()));
        health.stop();
        let (status, body) = ready(&health, Duration::ZERO);
        assert_eq!((status, &body["parts"]["process"]["ready"]), (503, &json!(false)));
    }

    #[test]
    fn other_paths_and_methods_are_told_what_there_is() {
        let health = Health::new(None);
        let status = |method, path| health.answer(&method, path).status().as_u16();
        assert_eq!(status(Method::GET, "/live"), 200);
        assert_eq!(status(Method::HEAD, "/live"), 200);
        assert_eq!(status(Method::POST, "/live"), 405);
        assert_eq!(status(Method::GET, "/"), 404);
    }
}
