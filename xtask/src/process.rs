//! Child processes: run to completion, or kept running until dropped.

use std::{
    ffi::OsStr,
    fs::File,
    net::{TcpListener, TcpStream},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    Outcome,
    workspace::{self, Profile},
};

/// Runs a program to completion; it shares our output.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let command_line = display(command);
    let status = command.status().map_err(|error| format!("cannot run {command_line}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{command_line}: {status}")) }
}

/// Like [`run`], but in CI a program that takes longer than `timeout` is killed with everything that it started. A developer sees
/// which test hangs, and interrupts it.
pub(crate) fn run_within(timeout: Duration, command: &mut Command) -> Outcome {
    if !workspace::in_ci() {
        return run(command);
    }
    let command_line = display(command);
    // A group of its own, so that the signal reaches the tests that cargo started, too.
    let mut child = command.process_group(0).spawn().map_err(|error| format!("cannot run {command_line}: {error}"))?;
    let start = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(format!("{command_line}: {status}")),
            Ok(None) if start.elapsed() < timeout => thread::sleep(Duration::from_millis(100)),
            Ok(None) => {
                run(Command::new("kill").args(["-KILL", "--", &format!("-{}", child.id())]))?;
                let _ = child.wait();
                return Err(format!("{command_line}: still running after {} s: killed", timeout.as_secs()));
            }
            Err(error) => return Err(format!("cannot wait for {command_line}: {error}")),
        }
    }
}

/// Runs a program to completion and returns its standard output.
pub(crate) fn output(command: &mut Command) -> Outcome<String> {
    let command_line = display(command);
    let output =
        command.stderr(Stdio::inherit()).output().map_err(|error| format!("cannot run {command_line}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{command_line}: {}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("{command_line} printed something that is not UTF-8"))
}

/// Whether a program can be started at all.
pub(crate) fn exists(program: &str, argument: &str) -> bool {
    let status = Command::new(program).arg(argument).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// The cargo that runs this program, in the root of the tree.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace::root());
    cargo
}

/// Builds every program of the workspace, with the features that its tests have, so that nothing is built twice.
pub(crate) fn build(profile: Profile) -> Outcome {
    run(cargo().args(["build", "--profile", profile.name(), "--workspace", "--bins", "--examples", "--locked"]))
}

/// A port that was free a moment ago. Only for programs that cannot choose a port themselves: another process may take it.
pub(crate) fn free_port() -> Outcome<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| format!("no free port: {error}"))?;
    listener.local_addr().map(|address| address.port()).map_err(|error| format!("no free port: {error}"))
}

/// A running child process. Killed when dropped.
pub(crate) struct Server {
    child: Child,
    name: String,
    log: PathBuf,
}

impl Server {
    /// Starts it; all its output goes to `log`.
    pub(crate) fn start(name: &str, command: &mut Command, log: &Path) -> Outcome<Server> {
        let file = File::create(log).map_err(|error| format!("cannot write {}: {error}", log.display()))?;
        let copy = file.try_clone().map_err(|error| format!("cannot write {}: {error}", log.display()))?;
        let command_line = display(command);
        // Settings in the caller's environment are not meant for what is started here.
        for (name, _) in std::env::vars_os() {
            if ["POSTERN_", "OTEL_"].iter().any(|begin| name.to_string_lossy().starts_with(begin)) {
                command.env_remove(name);
            }
        }
        let child = command
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(copy)
            .spawn()
            .map_err(|error| format!("cannot start {command_line}: {error}"))?;
        Ok(Server { child, name: name.to_owned(), log: log.to_owned() })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until `port` accepts connections.
    pub(crate) fn wait_for(&mut self, port: u16, timeout: Duration) -> Outcome {
        self.wait_until("listen", timeout, || TcpStream::connect(("127.0.0.1", port)).ok().map(drop))
    }

    /// Waits until it has printed a line that begins with `text`, and returns all lines up to that one.
    pub(crate) fn wait_for_line(&mut self, text: &str, timeout: Duration) -> Outcome<Vec<String>> {
        let log = self.log.clone();
        self.wait_until(&format!("print {text:?}"), timeout, move || {
            let printed = std::fs::read(&log).ok()?;
            let printed = String::from_utf8_lossy(&printed).into_owned();
            let lines: Vec<String> =
                printed.split_inclusive('\n').filter(|line| line.ends_with('\n')).map(str::to_owned).collect();
            let end = lines.iter().position(|line| line.starts_with(text))?;
            Some(lines[..=end].to_vec())
        })
    }

    fn wait_until<T>(&mut self, what: &str, timeout: Duration, look: impl Fn() -> Option<T>) -> Outcome<T> {
        let start = Instant::now();
        loop {
            if let Some(found) = look() {
                return Ok(found);
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!(
                    "{} ended ({status}): expected it to {what}; its log:\n{}",
                    self.name,
                    self.log_tail()
                ));
            }
            if start.elapsed() > timeout {
                let seconds = timeout.as_secs();
                return Err(format!("{} does not {what} after {seconds} s; its log:\n{}", self.name, self.log_tail()));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends SIGTERM and waits; a process that does not end within the timeout is killed and reported as a failure.
    pub(crate) fn stop(mut self, timeout: Duration) -> Outcome {
        run(Command::new("kill").args(["-TERM", &self.pid().to_string()]))?;
        let start = Instant::now();
        loop {
            match self.child.try_wait() {
                Ok(Some(_)) => return Ok(()),
                Ok(None) if start.elapsed() < timeout => thread::sleep(Duration::from_millis(20)),
                Ok(None) => {
                    return Err(format!("{} did not end within {} s of SIGTERM", self.name, timeout.as_secs()));
                }
                Err(error) => return Err(format!("cannot wait for {}: {error}", self.name)),
            }
        }
    }

    /// The end of its log.
    pub(crate) fn log_tail(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn display(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args()).map(OsStr::to_string_lossy);
    words.collect::<Vec<_>>().join(" ")
}
