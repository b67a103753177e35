//! The broker as a process of its own, from a client not written here (kcat), and killed while that client writes.
//!
//! Skipped, and said so, where kcat is not installed.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::process::Process;

fn start(listen: &str, dir: &Path) -> Process {
    Process::start(listen, dir, &["--auto-create-topics"])
}

fn has_kcat() -> bool {
    let found = Command::new("kcat").arg("-V").output().is_ok();
    if !found {
        eprintln!("SKIPPED: kcat is not installed");
    }
    found
}

/// Runs kcat with `input` and answers what it printed.
fn kcat(address: &str, arguments: &[&str], input: &str) -> String {
    let mut child = Command::new("kcat")
        .args(["-b", address])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn lines(count: usize) -> String {
    (0..count).map(|n| format!("record {n}\n")).collect()
}

#[test]
fn kcat_reads_back_what_it_wrote_with_every_codec() {
    if !has_kcat() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let broker = start("127.0.0.1:0", dir.path());
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let written = lines(5000);
        kcat(&broker.address, &["-P", "-t", codec, "-z", codec, "-X", "enable.idempotence=true"], &written);
        assert!(kcat(&broker.address, &["-C", "-t", codec, "-e", "-q"], "") == written, "{codec}");
        let offset = kcat(&broker.address, &["-Q", "-t", &format!("{codec}:0:-1")], "");
        assert_eq!(offset.trim(), format!("{codec} [0] offset 5000"));
    }
    kcat(&broker.address, &["-P", "-t", "headers", "-k", "key", "-H", "a=1", "-H", "a=2"], "value");
    let read = kcat(&broker.address, &["-C", "-t", "headers", "-e", "-q", "-f", "%k %h %s"], "");
    assert_eq!(read, "key a=1,a=2 value");
}

#[test]
fn kcat_reads_as_a_group_and_goes_on_where_it_was() {
    if !has_kcat() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let broker = start("127.0.0.1:0", dir.path());
    let group = ["-G", "readers", "-X", "auto.offset.reset=earliest", "-e", "-q", "grouped"];
    kcat(&broker.address, &["-P", "-t", "grouped"], "first\n");
    assert_eq!(kcat(&broker.address, &group, ""), "first\n");
    kcat(&broker.address, &["-P", "-t", "grouped"], "second\n");
    let address = broker.address.clone();
    broker.kill();
    let broker = start(&address, dir.path());
    assert_eq!(kcat(&broker.address, &group, ""), "second\n");
}

#[test]
fn nothing_is_lost_or_doubled_by_kills_under_an_idempotent_load() {
    if !has_kcat() {
        return;
    }
    const RECORDS: usize = 60_000;
    let dir = tempfile::tempdir().unwrap();
    let mut broker = start("127.0.0.1:0", dir.path());
    let address = broker.address.clone();
    let settings = ["-X", "enable.idempotence=true", "-X", "linger.ms=1", "-X", "retry.backoff.ms=20"];
    let settings = settings.into_iter().chain([
        "-X",
        "reconnect.backoff.ms=20",
        "-X",
        "reconnect.backoff.max.ms=50",
        "-X",
        "batch.num.messages=50",
    ]);
    let mut writer = Command::new("kcat")
        .args(["-b", &address, "-P", "-E", "-t", "crash"])
        .args(settings)
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = writer.stdin.take().unwrap();
    let feeder = std::thread::spawn(move || {
        for chunk in 0..RECORDS / 100 {
            let chunk: String = (0..100).map(|n| format!("{}\n", chunk * 100 + n)).collect();
            stdin.write_all(chunk.as_bytes()).unwrap();
            std::thread::sleep(Duration::from_millis(3));
        }
    });
    let begun = Instant::now();
    let mut kills = 0;
    while !feeder.is_finished() && begun.elapsed() < Duration::from_secs(60) {
        // Not a round number, so that kills fall anywhere between two batches.
        std::thread::sleep(Duration::from_micros(150_000 + 37_777 * (kills % 5)));
        broker.kill();
        broker = start(&address, dir.path());
        kills += 1;
    }
    feeder.join().unwrap();
    assert!(writer.wait().unwrap().success());
    assert!(kills >= 5, "{kills} kills only");
    let read = kcat(&address, &["-C", "-t", "crash", "-e", "-q"], "");
    let read: Vec<usize> = read.lines().map(|line| line.parse().unwrap()).collect();
    let distinct: BTreeSet<_> = read.iter().copied().collect();
    assert_eq!((read.len(), distinct.len()), (RECORDS, RECORDS), "after {kills} kills");
    assert!(read.is_sorted(), "out of order after {kills} kills");
}
