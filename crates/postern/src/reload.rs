//! What SIGHUP reads again: each part that can be read again while the process runs registers here.
//!
//! The configuration is read anew as a start would read it; each part then takes from it what is its own, such as a file that it names. What
//! cannot be used changes nothing: what was read before stays.

use std::sync::Arc;

use crate::config::{self, Command, Config};

/// Reads one part again, from what the configuration names. It runs where it may block.
///
/// # Errors
/// A sentence about why what was read before stays.
type Apply = dyn Fn(&Config) -> Result<(), String> + Send + Sync;

/// The parts that can be read again.
#[derive(Default)]
pub(crate) struct Reload(Vec<(&'static str, Box<Apply>)>);

impl Reload {
    /// Adds a part. `name` is what the log calls it.
    pub(crate) fn add(
        &mut self,
        name: &'static str,
        apply: impl Fn(&Config) -> Result<(), String> + Send + Sync + 'static,
    ) {
        self.0.push((name, Box::new(apply)));
    }

    /// Reads all parts again. Dropping the future leaves the work to end by itself.
    pub(crate) async fn run(self: &Arc<Reload>) {
        let parts = Arc::clone(self);
        // A process that runs was started with arguments that can be read.
        let Ok(arguments) = arguments() else { return };
        let work = tokio::task::spawn_blocking(move || parts.apply(config::read(&arguments, &config::Process)));
        if let Err(error) = work.await {
            tracing::error!("SIGHUP: reading again broke off: {error}");
        }
    }

    fn apply(&self, read: Result<Command, config::ConfigErrors>) {
        let config = match read {
            Ok(Command::Run(config)) => config,
            // A process that runs was started with the arguments of a start.
            Ok(_) => return,
            Err(errors) => return tracing::error!("SIGHUP: nothing is read again: {errors}"),
        };
        for (name, apply) in &self.0 {
            match apply(&config) {
                Ok(()) => tracing::info!("SIGHUP: {name}: read again"),
                Err(sentence) => tracing::error!("SIGHUP: {name}: what was read before stays: {sentence}"),
            }
        }
    }
}

/// The arguments of this process.
///
/// # Errors
/// It is called by a name that starts nothing.
pub(crate) fn arguments() -> Result<Vec<String>, String> {
    // No setting has a name that is not UTF-8; such arguments are shown with those bytes replaced.
    let mut arguments = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned());
    let program = arguments.next().unwrap_or_default();
    config::as_called(&program, arguments.collect())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    use super::*;

    #[test]
    fn a_part_that_cannot_be_read_does_not_keep_the_others_from_it() {
        let read = Arc::new(AtomicU32::new(0));
        let mut parts = Reload::default();
        parts.add("broken", |_| Err("no such file".to_owned()));
        let count = Arc::clone(&read);
        parts.add("whole", move |_| {
            count.fetch_add(1, Relaxed);
            Ok(())
        });
        let config = || config::read(&[], &config::Process);
        parts.apply(config());
        assert_eq!(read.load(Relaxed), 1);
        parts.apply(config::read(&["--nonsense".to_owned()], &config::Process));
        assert_eq!(read.load(Relaxed), 1);
    }
}
