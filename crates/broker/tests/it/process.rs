//! The example broker as a process of its own, which can be killed.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A running broker, killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: String,
}

impl Process {
    /// Starts it on the data in `dir`, with further arguments.
    pub(crate) fn start(listen: &str, dir: &Path, arguments: &[&str]) -> Process {
        Process::start_by(&mut Command::new(program()), listen, dir, arguments)
    }

    /// The same by a command that ends in the program.
    pub(crate) fn start_by(command: &mut Command, listen: &str, dir: &Path, arguments: &[&str]) -> Process {
        let command = command.arg(listen).arg(dir).args(arguments).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("cargo builds the examples along with the tests");
        let mut address = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
        Process { child, address: address.trim().to_owned() }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it with SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The example, which stands beside the tests.
pub(crate) fn program() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    tests.parent().unwrap().parent().unwrap().join("examples/broker")
}
