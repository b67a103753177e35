//! The signals that are waited for.

use std::io::{self, IsTerminal};

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Those that request a shutdown, and the one that requests to read files again.
///
/// SIGHUP reads again, unless the process was started from a terminal: there it means that the terminal was closed.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    has_terminal: bool,
}

/// One that has arrived.
pub(crate) enum Received {
    /// It requests a shutdown.
    Stop(StopSignal),
    /// It requests to read again what can be read again.
    Reload,
}

/// A request to shut down.
pub(crate) struct StopSignal {
    pub(crate) name: &'static str,
    number: i32,
}

impl StopSignal {
    /// The exit code of a process that the signal ended at once, as shells report it.
    pub(crate) fn exit_code(&self) -> i32 {
        128 + self.number
    }
}

impl Signals {
    /// From now on they do not end the process by themselves.
    pub(crate) fn listen() -> io::Result<Signals> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            // Afterwards the closed terminal is none any more.
            has_terminal: io::stderr().is_terminal(),
        })
    }

    /// The next one. Dropping the future loses none.
    pub(crate) async fn next(&mut self) -> Received {
        let (name, kind) = tokio::select! {
            _ = self.interrupt.recv() => ("SIGINT", SignalKind::interrupt()),
            _ = self.terminate.recv() => ("SIGTERM", SignalKind::terminate()),
            _ = self.hangup.recv() => match self.has_terminal {
                true => ("SIGHUP", SignalKind::hangup()),
                false => return Received::Reload,
            },
        };
        Received::Stop(StopSignal { name, number: kind.as_raw_value() })
    }

    /// The next one that requests a shutdown.
    pub(crate) async fn stop(&mut self) -> StopSignal {
        loop {
            if let Received::Stop(stop) = self.next().await {
                return stop;
            }
        }
    }
}
