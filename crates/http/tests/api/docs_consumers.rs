//! The examples of `docs/consumers.md`, run as they stand there.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use crate::app::TestApp;

/// A command of the page, and what it prints; nothing: only that it succeeds is promised.
struct Example {
    command: String,
    expected: String,
    /// Where the answer does not end: so many lines of it.
    lines: Option<usize>,
}

fn examples(page: &str) -> Vec<Example> {
    let blocks = page.split("```sh\n").skip(1).map(|rest| rest.split("```").next().expect("a block"));
    blocks
        .map(|block| {
            let end = block.split_inclusive('\n').scan(true, |goes_on, line| {
                let is_command = std::mem::replace(goes_on, line.ends_with("\\\n"));
                is_command.then_some(line.len())
            });
            let (command, expected) = block.split_at(end.sum());
            let (command, lines) = match command.trim().split_once(" | head -n ") {
                Some((command, lines)) => (command, Some(lines.parse().expect("a number of lines"))),
                None => (command.trim(), None),
            };
            Example { command: command.to_owned(), expected: expected.trim_end().to_owned(), lines }
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_on_reading_do_what_the_page_says() {
    if Command::new("curl").arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "there is no curl");
        return;
    }
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    let page = include_str!("../../../../docs/consumers.md");
    let address = app.url().trim_start_matches("http://").to_owned();
    let examples = examples(page);
    assert!(examples.len() >= 9, "{}", examples.len());
    for Example { command, expected, lines } in examples {
        let script = command.replacen("curl ", "exec curl -sS --fail-with-body --max-time 60 ", 1);
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(script.replace("localhost:8082", &address)).env("CLUSTER", &app.cluster_id);
        let mut child = shell.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a shell");
        let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut found = String::new();
        match lines {
            None => {
                out.read_to_string(&mut found).expect("text");
                let ended = child.wait_with_output().expect("it ends");
                assert!(ended.status.success(), "{command}: {found} {}", String::from_utf8_lossy(&ended.stderr));
            }
            Some(lines) => {
                for _ in 0..lines {
                    out.read_line(&mut found).expect("text");
                }
                child.kill().expect("it runs");
                child.wait().expect("it ends");
            }
        }
        if !expected.is_empty() {
            assert_eq!(found.replace(&address, "localhost:8082").trim_end(), expected, "{command}");
        }
    }
}
