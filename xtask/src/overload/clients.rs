//! The clients, each a thread, and what they have met.

use std::{
    collections::BTreeMap,
    io::{BufReader, Read},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle, sleep},
    time::{Duration, Instant},
};

use super::{
    Size,
    http::{self, AVRO, Answer, JSON},
};
use crate::Outcome;

/// Threads are many, and each does little.
const STACK: usize = 128 << 10;

/// How long a client waits that was told to come again later.
const PAUSE: Duration = Duration::from_secs(1);

/// One record, as its client and its round.
pub(super) type Record = (usize, usize);

/// What all clients have met.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) acknowledged: Vec<Record>,
    /// Answers that tell clients to come again later.
    pub(super) refused: usize,
    /// The begin of what they say, and how often.
    pub(super) refusals: BTreeMap<String, usize>,
    /// Records of which the answer says that they were not, or perhaps not, written.
    pub(super) failed: usize,
    pub(super) bulks: usize,
    pub(super) bulks_refused: usize,
    pub(super) reads: usize,
    pub(super) reads_refused: usize,
    /// What must not happen.
    pub(super) faults: Vec<String>,
}

/// What one client does, and where it writes what it met.
type Client = Box<dyn FnOnce(&Mutex<Tally>) + Send>;

/// Running clients.
pub(super) struct Load {
    writers: Vec<JoinHandle<()>>,
    others: Vec<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    tally: Arc<Mutex<Tally>>,
}

/// A client that has panicked is reported when it is joined.
fn lock(tally: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Load {
    /// Starts all clients. Writers end after their rounds, the others when `stop` is set, each after what it is about.
    pub(super) fn start(rest: &str, size: Size, stop: &Arc<AtomicBool>) -> Load {
        let tally = Arc::new(Mutex::new(Tally::default()));
        let spawn = |work: Client| {
            let tally = Arc::clone(&tally);
            let builder = thread::Builder::new().stack_size(STACK);
            builder.spawn(move || work(&tally)).expect("a thread can be started")
        };
        let body: Arc<[u8]> = bulk(size.body).into();
        let mut others = Vec::new();
        for _ in 0..size.readers {
            let (rest, stop) = (rest.to_owned(), Arc::clone(stop));
            others.push(spawn(Box::new(move |tally| read_slowly(&rest, &stop, tally))));
        }
        for _ in 0..size.bulks {
            let (rest, stop, body) = (rest.to_owned(), Arc::clone(stop), Arc::clone(&body));
            others.push(spawn(Box::new(move |tally| write_bulks(&rest, &body, &stop, tally))));
        }
        let writers = (0..size.writers).map(|client| {
            let rest = rest.to_owned();
            spawn(Box::new(move |tally| write_rounds(&rest, client, size, tally)))
        });
        Load { writers: writers.collect(), others, stop: Arc::clone(stop), tally: Arc::clone(&tally) }
    }

    /// Waits for the writers, stops the others, and sums up.
    pub(super) fn join(self) -> Outcome<Tally> {
        let join = |clients: Vec<JoinHandle<()>>| {
            clients.into_iter().try_for_each(|client| client.join().map_err(|_| "a client has panicked".to_owned()))
        };
        join(self.writers)?;
        self.stop.store(true, Relaxed);
        join(self.others)?;
        Ok(std::mem::take(&mut *lock(&self.tally)))
    }
}

/// The schema of what writers write, as a member of a request.
const SCHEMA: &str = r#""value_schema":"{\"type\":\"record\",\"name\":\"Measured\",\"fields\":[{\"name\":\"client\",\"type\":\"int\"},{\"name\":\"round\",\"type\":\"int\"},{\"name\":\"flux\",\"type\":\"double\"}]}""#;

fn write_rounds(rest: &str, client: usize, size: Size, tally: &Mutex<Tally>) {
    let begin = Instant::now();
    for round in 0..size.rounds {
        // A client whose answer took longer than its pace goes on at once.
        let at = size.pace * u32::try_from(round).unwrap_or(u32::MAX);
        sleep(at.saturating_sub(begin.elapsed()));
        let body = format!(
            "{{{SCHEMA},\"records\":[{{\"value\":{{\"client\":{client},\"round\":{round},\"flux\":-213.75}}}}]}}"
        );
        let answer = http::post(rest, "/topics/overload", AVRO, body.as_bytes());
        let produced = produced(answer);
        let mut tally = lock(tally);
        match produced {
            Ok(Produced::Acknowledged) => tally.acknowledged.push((client, round)),
            Ok(Produced::Refused(message)) => {
                tally.refused += 1;
                *tally.refusals.entry(message).or_default() += 1;
            }
            Ok(Produced::Failed) => tally.failed += 1,
            Err(sentence) => tally.faults.push(format!("a writer: {sentence}")),
        }
    }
}

fn write_bulks(rest: &str, body: &[u8], stop: &AtomicBool, tally: &Mutex<Tally>) {
    while !stop.load(Relaxed) {
        match produced(http::post(rest, "/topics/bulk", JSON, body)) {
            Ok(Produced::Acknowledged) => {
                lock(tally).bulks += 1;
                continue;
            }
            Ok(Produced::Refused(_) | Produced::Failed) => lock(tally).bulks_refused += 1,
            Err(sentence) => lock(tally).faults.push(format!("a large body: {sentence}")),
        }
        sleep(PAUSE);
    }
}

/// What became of a produce request.
enum Produced {
    Acknowledged,
    Refused(String),
    Failed,
}

/// An error is a fault of the server: no answer, or one that does not say enough.
fn produced(answer: std::io::Result<Answer>) -> Result<Produced, String> {
    let answer = answer.map_err(|error| format!("no answer: {error}"))?;
    let shown: String = answer.body.chars().take(200).collect();
    match answer.status {
        200 if answer.is_acknowledged() => Ok(Produced::Acknowledged),
        200 | 429 | 503 if !answer.says_fate() => {
            Err(format!("{} without the fate of its records: {shown}", answer.status))
        }
        200 => Ok(Produced::Failed),
        429 | 503 if answer.retry_after => Ok(Produced::Refused(shown)),
        429 | 503 => Err(format!("{} without Retry-After: {shown}", answer.status)),
        status => Err(format!("{status}: {shown}")),
    }
}

/// Takes a few bytes at a time of a large answer, as over a poor connection.
fn read_slowly(rest: &str, stop: &AtomicBool, tally: &Mutex<Tally>) {
    const TARGET: &str = "/topics/large/partitions/0/records?offset=0&max_bytes=4194304";
    let head = format!("GET {TARGET} HTTP/1.1\r\nHost: {rest}\r\nAccept: {JSON}\r\n");
    let read = || -> std::io::Result<(u16, bool)> {
        let mut answer = BufReader::with_capacity(512, http::send(rest, &head, b"")?);
        let (status, retry_after, mut left) = http::read_head(&mut answer)?;
        let mut part = vec![0; 4096];
        while left > 0 && !stop.load(Relaxed) {
            let length = part.len().min(left);
            answer.read_exact(&mut part[..length])?;
            left -= length;
            if status == 200 {
                sleep(Duration::from_millis(100));
            }
        }
        Ok((status, retry_after))
    };
    while !stop.load(Relaxed) {
        match read() {
            Ok((200, _)) => {
                lock(tally).reads += 1;
                continue;
            }
            Ok((429 | 503, true)) => lock(tally).reads_refused += 1,
            Ok((status, _)) => lock(tally).faults.push(format!("a slow reader: {status}, or without Retry-After")),
            Err(error) => lock(tally).faults.push(format!("a slow reader: no answer: {error}")),
        }
        sleep(PAUSE);
    }
}

/// The body of a produce request of about `size` bytes, in records of 10 KiB.
pub(super) fn bulk(size: usize) -> Vec<u8> {
    let record = format!("{{\"value\":\"{}\"}}", "x".repeat(10 << 10));
    let records = vec![record; (size / (10 << 10)).max(1)];
    format!("{{\"records\":[{}]}}", records.join(",")).into_bytes()
}
