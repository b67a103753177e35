//! `stream_load ADDRESS CLUSTER TOPIC RECORDS CONNECTIONS`: streams of records of API v3, written as fast as they are taken, each with so many records of
//! 100 bytes. Every receipt must be one; prints how long all of them took, and how many the slowest stream had when the first was done.
//!
//! For `cargo xtask bench`.

use std::{
    env,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::ExitCode,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    thread,
    time::Instant,
};

/// Documents in one chunk of the body.
const AT_ONCE: u64 = 100;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [address, cluster, topic, records, connections] = &arguments[..] else {
        eprintln!("expected ADDRESS CLUSTER TOPIC RECORDS CONNECTIONS");
        return ExitCode::FAILURE;
    };
    let (Ok(records), Ok(connections)) = (records.parse::<u64>(), connections.parse::<usize>()) else {
        eprintln!("RECORDS and CONNECTIONS: expected numbers");
        return ExitCode::FAILURE;
    };
    let path = format!("/v3/clusters/{cluster}/topics/{topic}/records");
    let received: Vec<AtomicU64> = (0..connections).map(|_| AtomicU64::new(0)).collect();
    let (is_first, slowest) = (AtomicBool::new(true), AtomicU64::new(0));
    let started = Instant::now();
    let results: Vec<Result<(), String>> = thread::scope(|scope| {
        let streams: Vec<_> = received
            .iter()
            .map(|count| {
                let (path, received, is_first, slowest) = (&path, &received, &is_first, &slowest);
                scope.spawn(move || {
                    stream(address, path, records, count)?;
                    if is_first.swap(false, Relaxed) {
                        slowest.store(received.iter().map(|count| count.load(Relaxed)).min().unwrap_or(0), Relaxed);
                    }
                    Ok(())
                })
            })
            .collect();
        streams.into_iter().map(|stream| stream.join().unwrap_or_else(|_| Err("it panicked".to_owned()))).collect()
    });
    let took = started.elapsed();
    if let Some(error) = results.into_iter().find_map(Result::err) {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    println!("measured {} {} {}", records * connections as u64, took.as_micros(), slowest.load(Relaxed));
    ExitCode::SUCCESS
}

/// One stream: a thread writes its documents, this one reads the receipts.
fn stream(address: &str, path: &str, records: u64, received: &AtomicU64) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{address}: {error}");
    let connection = TcpStream::connect(address).map_err(failed)?;
    let mut writing = connection.try_clone().map_err(failed)?;
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    );
    thread::scope(|scope| {
        let writer = scope.spawn(move || -> std::io::Result<()> {
            writing.write_all(head.as_bytes())?;
            let document =
                format!("{{\"value\":{{\"type\":\"BINARY\",\"data\":\"{}\"}}}}\n", "eHh4".repeat(33) + "eA==");
            let mut left = records;
            while left > 0 {
                let some = left.min(AT_ONCE);
                let documents = document.repeat(some as usize);
                writing.write_all(format!("{:x}\r\n{documents}\r\n", documents.len()).as_bytes())?;
                left -= some;
            }
            writing.write_all(b"0\r\n\r\n")
        });
        let read = receipts(BufReader::with_capacity(1 << 20, connection), records, received);
        let written = writer.join().map_err(|_| "the writer panicked".to_owned())?;
        read.and(written.map_err(failed))
    })
}

/// As many receipts as records, with offsets that grow.
fn receipts(mut answer: BufReader<TcpStream>, records: u64, received: &AtomicU64) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("after {} receipts: {error}", received.load(Relaxed));
    let mut line = Vec::new();
    let mut next_line = |answer: &mut BufReader<TcpStream>| -> Result<String, String> {
        line.clear();
        answer.read_until(b'\n', &mut line).map_err(failed)?;
        Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
    };
    let status = next_line(&mut answer)?;
    if !status.starts_with("HTTP/1.1 200") {
        return Err(format!("the stream was answered with {status}"));
    }
    while !next_line(&mut answer)?.is_empty() {}
    let (mut last, mut rest) = (-1, Vec::new());
    loop {
        let size = next_line(&mut answer)?;
        let size = usize::from_str_radix(&size, 16).map_err(|_| format!("the size of a chunk is {size:?}"))?;
        let begin = rest.len();
        rest.resize(begin + size, 0);
        answer.read_exact(&mut rest[begin..]).map_err(failed)?;
        next_line(&mut answer)?;
        if size == 0 {
            break;
        }
        let end = rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        for receipt in rest[..end].split(|byte| *byte == b'\n').filter(|receipt| receipt.len() > 1) {
            let receipt = std::str::from_utf8(receipt).map_err(|error| error.to_string())?;
            let offset = receipt.split_once("\"offset\":").and_then(|(_, rest)| rest.split(',').next()?.parse().ok());
            match offset {
                Some(offset) if offset > last && receipt.starts_with("{\"error_code\":200,") => last = offset,
                _ => return Err(format!("after offset {last}: {receipt}")),
            }
            received.fetch_add(1, Relaxed);
        }
        rest.drain(..end);
    }
    match received.load(Relaxed) {
        count if count == records => Ok(()),
        count => Err(format!("{count} receipts for {records} records")),
    }
}
