//! Readers of a topic of one partition, for `cargo xtask bench`.
//!
//! - `read_load fill ADDRESS TOPIC json|avro BYTES RECORDS`: writes records whose values have about so many bytes as JSON text.
//! - `read_load lists ADDRESS TOPIC FORMAT MAX_BYTES RECORDS`: one consumer instance reads them, one answer after the other.
//! - `read_load waiting ADDRESS TOPIC RECORDS`: one instance waits for each of so many records that say when they were written (`native_latency`).
//! - `read_load events ADDRESS TOPIC earliest|latest READERS RECORDS`: so many streams of server-sent events, each with so many records; what
//!   begins at the latest has records that say when they were written.
//!
//! Who waits for records prints `ready` first; the first record is not counted, as its writer is still connecting. Offsets must follow each other.

use std::{
    env,
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{self, ExitCode},
    sync::Barrier,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// The record that all of the bench has.
const RECORD: &str = r#""timestamp":1539899245000,"band":"y","instrument":"HSC","meanSky":-213.75,"stdevSky":2328.906"#;
const SCHEMA: &str = r#"{\"type\":\"record\",\"name\":\"skyFluxMetric\",\"namespace\":\"lsst.example\",\"fields\":[{\"name\":\"timestamp\",\"type\":\"long\"},{\"name\":\"band\",\"type\":\"string\"},{\"name\":\"instrument\",\"type\":\"string\",\"default\":\"HSC\"},{\"name\":\"meanSky\",\"type\":\"float\"},{\"name\":\"stdevSky\",\"type\":\"float\"},{\"name\":\"note\",\"type\":\"string\",\"default\":\"\"}]}"#;
const PER_REQUEST: usize = 1000;

type Outcome<T = ()> = Result<T, String>;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["fill", address, topic, format, bytes, records] => {
            both(bytes, records).and_then(|(bytes, records)| fill(address, topic, format, bytes, records))
        }
        ["lists", address, topic, format, max_bytes, records] => {
            both(max_bytes, records).and_then(|(max_bytes, records)| lists(address, topic, format, max_bytes, records))
        }
        ["waiting", address, topic, records] => number(records).and_then(|records| waiting(address, topic, records)),
        ["events", address, topic, from, readers, records] => {
            both(readers, records).and_then(|(readers, records)| events(address, topic, from, readers, records))
        }
        _ => Err("expected fill, lists, waiting or events, and its arguments".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn number(text: &str) -> Outcome<usize> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| format!("{text}: expected a number above 0"))
}

fn both(first: &str, second: &str) -> Outcome<(usize, usize)> {
    Ok((number(first)?, number(second)?))
}

fn fill(address: &str, topic: &str, format: &str, bytes: usize, records: usize) -> Outcome {
    let note = "n".repeat(bytes.saturating_sub(RECORD.len() + r#"{,"note":""}"#.len()));
    let record = format!("{{\"value\":{{{RECORD},\"note\":\"{note}\"}}}}");
    let schema = if format == "avro" { format!("\"value_schema\":\"{SCHEMA}\",") } else { String::new() };
    let mut connection = Connection::open(address)?;
    let mut left = records;
    while left > 0 {
        let some = left.min(PER_REQUEST);
        let body = format!("{{{schema}\"records\":[{}]}}", vec![record.as_str(); some].join(","));
        let answer =
            connection.post(&format!("/topics/{topic}"), &format!("application/vnd.kafka.{format}.v2+json"), &body)?;
        if !answer.contains("\"error_code\":null") || answer.contains("\"error\":\"") {
            return Err(format!("a record was not written: {answer}"));
        }
        left -= some;
    }
    Ok(())
}

/// The clock runs from the first answer to the last, as that of `native_consumer` runs from its first record.
fn lists(address: &str, topic: &str, format: &str, max_bytes: usize, records: usize) -> Outcome {
    let mut instance = Instance::open(address, topic, format)?;
    let path = format!("{}/records?max_bytes={max_bytes}", instance.path);
    let mut started = None;
    let (mut next, mut answers) = (0, 0_u64);
    while next < records as u64 {
        let answer = instance.read(&path)?;
        next = follows(answer, next)?.ok_or_else(|| format!("nothing came after {next} records"))?;
        answers += 1;
        started.get_or_insert_with(|| (Instant::now(), next));
    }
    let (started, first) = started.ok_or("nothing was read")?;
    println!("measured {} {} {answers}", next - first, started.elapsed().as_micros());
    instance.delete()
}

fn waiting(address: &str, topic: &str, records: usize) -> Outcome {
    let mut instance = Instance::open(address, topic, "json")?;
    let path = format!("{}/records?timeout=10000", instance.path);
    println!("ready");
    let mut micros = Vec::with_capacity(records);
    let mut next = 0;
    while micros.len() < records {
        let answer = instance.read(&path)?;
        let now = now();
        for record in answer.split("{\"topic\":").skip(1) {
            micros.push(now.saturating_sub(written(record)?));
        }
        next = follows(answer, next)?.ok_or_else(|| format!("nothing came after {next} records"))?;
    }
    print_latency(micros.split_off(1));
    instance.delete()
}

/// The clock runs from when all readers ask for their streams to the last record of the last of them.
fn events(address: &str, topic: &str, from: &str, readers: usize, records: usize) -> Outcome {
    let all_are_there = Barrier::new(readers + 1);
    let (micros, took) = thread::scope(|scope| {
        let reader = || {
            let body = || read_events(address, topic, from, records, &all_are_there);
            thread::Builder::new().stack_size(256 << 10).spawn_scoped(scope, body).map_err(|error| error.to_string())
        };
        let readers = (0..readers).map(|_| reader()).collect::<Outcome<Vec<_>>>()?;
        all_are_there.wait();
        let started = Instant::now();
        println!("ready");
        let mut micros = Vec::new();
        for reader in readers {
            micros.extend(reader.join().map_err(|_| "a reader panicked")??);
        }
        Ok::<_, String>((micros, started.elapsed()))
    })?;
    match from {
        "latest" => print_latency(micros),
        _ => println!("measured {} {} 0", readers * records, took.as_micros()),
    }
    Ok(())
}

/// The microseconds from the writing of each record to its coming, where records say when they were written.
fn read_events(address: &str, topic: &str, from: &str, records: usize, all_are_there: &Barrier) -> Outcome<Vec<u64>> {
    let begun = Connection::open(address);
    if from == "earliest" {
        all_are_there.wait();
    }
    let path = format!("/topics/{topic}/records?format=json&offset={from}");
    let begun = begun.and_then(|mut connection| {
        connection.send("GET", &path, "Accept: text/event-stream\r\n", "")?;
        connection.head()?;
        let mut stream =
            Stream { lines: BufReader::with_capacity(16 << 10, Chunks { connection, left: 0 }), text: String::new() };
        // The first event says where the stream begins.
        while !stream.line()?.starts_with("id: ") {}
        Ok(stream)
    });
    if from == "latest" {
        all_are_there.wait();
    }
    let mut stream = begun?;
    let (mut micros, mut next, mut count) = (Vec::new(), None, 0);
    while count < records {
        let line = stream.line()?;
        let Some(record) = line.strip_prefix("data: ") else { continue };
        let offset = last_offset(record).ok_or_else(|| format!("no record: {record}"))?;
        if next.is_some_and(|next| next != offset) {
            return Err(format!("offset {offset} follows {next:?}"));
        }
        (next, count) = (Some(offset + 1), count + 1);
        if from == "latest" && count > 1 {
            micros.push(now().saturating_sub(written(record)?));
        }
    }
    Ok(micros)
}

fn print_latency(mut micros: Vec<u64>) {
    micros.sort_unstable();
    println!("measured {} {} 0", micros[micros.len() / 2], micros[micros.len() * 99 / 100]);
}

/// When a record was written, in microseconds since 1970.
fn written(record: &str) -> Outcome<u64> {
    let digits = record.split_once("{\"at\":").and_then(|(_, rest)| rest.split_once('}'));
    digits
        .and_then(|(digits, _)| digits.parse().ok())
        .ok_or_else(|| format!("it does not say when it was written: {record}"))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros() as u64
}

/// The offset behind the last record of an answer whose first one must have the offset `next`; `None`: it has no records.
fn follows(answer: &str, next: u64) -> Outcome<Option<u64>> {
    let (Some(first), Some(last)) = (first_offset(answer), last_offset(answer)) else {
        return if answer == "[]" { Ok(None) } else { Err(format!("no records: {answer}")) };
    };
    if first != next {
        return Err(format!("offset {first} in place of {next}"));
    }
    Ok(Some(last + 1))
}

const OFFSET: &str = "\"partition\":0,\"offset\":";

fn first_offset(text: &str) -> Option<u64> {
    text.split_once(OFFSET)?.1.split('}').next()?.parse().ok()
}

fn last_offset(text: &str) -> Option<u64> {
    text.rsplit_once(OFFSET)?.1.split('}').next()?.parse().ok()
}

/// A consumer instance with the partition assigned, from its beginning.
struct Instance {
    connection: Connection,
    path: String,
    format: String,
}

impl Instance {
    fn open(address: &str, topic: &str, format: &str) -> Outcome<Instance> {
        const V2: &str = "application/vnd.kafka.v2+json";
        let mut connection = Connection::open(address)?;
        let (group, name) = (format!("bench-{}", process::id()), "reader");
        let settings = format!(
            "{{\"name\":\"{name}\",\"format\":\"{format}\",\"auto.offset.reset\":\"earliest\",\"auto.commit.enable\":\"false\",\"fetch.min.bytes\":1,\"consumer.request.timeout.ms\":10000}}"
        );
        connection.post(&format!("/consumers/{group}"), V2, &settings)?;
        let path = format!("/consumers/{group}/instances/{name}");
        let assigned = format!("{{\"partitions\":[{{\"topic\":\"{topic}\",\"partition\":0}}]}}");
        connection.post(&format!("{path}/assignments"), V2, &assigned)?;
        Ok(Instance { connection, path, format: format.to_owned() })
    }

    fn read(&mut self, path: &str) -> Outcome<&str> {
        self.connection.send("GET", path, &format!("Accept: application/vnd.kafka.{}.v2+json\r\n", self.format), "")?;
        self.connection.answer()
    }

    fn delete(mut self) -> Outcome {
        self.connection.send("DELETE", &self.path, "", "")?;
        self.connection.answer().map(drop)
    }
}

/// One connection, which is kept.
struct Connection {
    read: BufReader<TcpStream>,
    text: String,
}

impl Connection {
    fn open(address: &str) -> Outcome<Connection> {
        let stream = TcpStream::connect(address).and_then(|stream| {
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(Duration::from_secs(30)))?;
            Ok(stream)
        });
        let stream = stream.map_err(|error| format!("{address}: {error}"))?;
        Ok(Connection { read: BufReader::with_capacity(64 << 10, stream), text: String::new() })
    }

    fn post(&mut self, path: &str, content_type: &str, body: &str) -> Outcome<&str> {
        self.send("POST", path, &format!("Content-Type: {content_type}\r\n"), body)?;
        self.answer()
    }

    fn send(&mut self, method: &str, path: &str, headers: &str, body: &str) -> Outcome {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: postern\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.read.get_mut().write_all(request.as_bytes()).map_err(|error| format!("{method} {path}: {error}"))
    }

    /// Up to the body of an answer, which has the length that is returned where that is known.
    fn head(&mut self) -> Outcome<usize> {
        let status = self.line()?.to_owned();
        let mut length = 0;
        loop {
            let line = self.line()?.to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().map_err(|_| line.clone())?;
            }
        }
        match status.starts_with("HTTP/1.1 2") {
            true => Ok(length),
            false => Err(format!("{status} {}", self.body(length)?)),
        }
    }

    fn answer(&mut self) -> Outcome<&str> {
        let length = self.head()?;
        self.body(length)
    }

    fn body(&mut self, length: usize) -> Outcome<&str> {
        self.text.clear();
        let read = self.read.by_ref().take(length as u64).read_to_string(&mut self.text);
        match read {
            Ok(read) if read == length => Ok(&self.text),
            Ok(read) => Err(format!("an answer of {length} bytes ends after {read}")),
            Err(error) => Err(error.to_string()),
        }
    }

    fn line(&mut self) -> Outcome<&str> {
        line(&mut self.read, &mut self.text)
    }
}

/// The body of an answer that comes in chunks.
struct Chunks {
    connection: Connection,
    /// Of the chunk that is being read.
    left: usize,
}

impl Read for Chunks {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.left == 0 {
            // The end of the chunk before has a line of its own.
            match self.connection.line().map_err(io::Error::other)? {
                "" => {}
                "0" => return Ok(0),
                size => self.left = usize::from_str_radix(size, 16).map_err(io::Error::other)?,
            }
        }
        let most = out.len().min(self.left);
        let read = self.connection.read.read(&mut out[..most])?;
        self.left -= read;
        Ok(read)
    }
}

/// A stream of events, line by line.
struct Stream {
    lines: BufReader<Chunks>,
    text: String,
}

impl Stream {
    fn line(&mut self) -> Outcome<&str> {
        line(&mut self.lines, &mut self.text)
    }
}

/// The next line, without its end.
fn line<'t>(from: &mut impl BufRead, text: &'t mut String) -> Outcome<&'t str> {
    text.clear();
    match from.read_line(text) {
        Ok(0) => Err("the connection ended".to_owned()),
        Ok(_) => Ok(text.trim_end()),
        Err(error) => Err(error.to_string()),
    }
}
