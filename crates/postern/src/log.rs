//! The log: lines on standard error, written by a thread of its own.
//!
//! Code that logs never waits for the reader of the log, and a log that cannot be written (a closed pipe, a full disk) is no reason to
//! end: lines are dropped, and their number is reported before the next line that can be written.
//!
//! A line that is logged while a request is answered ends with the id of that request.

use std::{
    io::{self, IsTerminal, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use postern_http::current_request_id;
use tracing::{Event, Subscriber};
use tracing_subscriber::{
    EnvFilter, Layer as _,
    field::RecordFields,
    fmt::{
        self, FmtContext, FormatEvent, FormatFields, MakeWriter,
        format::{DefaultFields, Writer},
    },
    layer::SubscriberExt,
    registry::LookupSpan,
    reload,
    util::SubscriberInitExt,
};

use crate::config::{Config, LogFormat};

/// Lines that may wait for the reader of the log; further ones are dropped.
const MAX_WAITING_LINES: usize = 1024;

/// How long the thread that writes rests once nothing waits. Where there is a line per request, it is then woken a thousand times a second at
/// most, and not by each line, which would cost its sender more than the line itself.
const REST: Duration = Duration::from_millis(1);

/// How long [`Log::flush`] waits for a reader that reads nothing.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// The running log.
pub(crate) struct Log {
    lines: SyncSender<Message>,
    set_levels: Arc<SetLevels>,
}

/// Sets what passes; an error says why that stays as it was.
type SetLevels = dyn Fn(&str) -> Result<(), String> + Send + Sync;

enum Message {
    Line(Vec<u8>),
    /// Answered once everything before it is written.
    Flush(SyncSender<()>),
}

impl Log {
    /// Starts logging `tracing` events that pass `filter`. In colour only on a terminal.
    ///
    /// # Errors
    ///
    /// When the thread cannot be started.
    pub(crate) fn start(filter: &str, format: LogFormat) -> io::Result<Log> {
        let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
        let (lines, received) = sync_channel(MAX_WAITING_LINES);
        let dropped = Arc::new(AtomicU64::new(0));
        let writer = LineWriter { lines: lines.clone(), dropped: dropped.clone() };
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write_lines(&received, &dropped, format, io::stderr()))?;
        // A failed write would be reported with `eprintln!`, which panics where the first write failed.
        let written = fmt::layer().with_writer(writer).log_internal_errors(false);
        let written = match format {
            LogFormat::Text => {
                written.with_ansi(io::stderr().is_terminal()).with_target(false).fmt_fields(FieldsAndRequest).boxed()
            }
            LogFormat::Json => {
                let json = written.json().flatten_event(true).with_current_span(false).with_span_list(false);
                json.map_event_format(JsonAndRequest).boxed()
            }
        };
        let (filter, levels) = reload::Layer::new(filter);
        tracing_subscriber::registry().with(filter).with(written).init();
        let set_levels = move |filter: &str| {
            let filter = EnvFilter::try_new(filter).map_err(|error| error.to_string())?;
            levels.reload(filter).map_err(|error| error.to_string())
        };
        Ok(Log { lines, set_levels: Arc::new(set_levels) })
    }

    /// Sets what passes from now on to what a configuration says.
    pub(crate) fn levels(&self) -> impl Fn(&Config) -> Result<(), String> + Send + Sync + 'static {
        let set_levels = Arc::clone(&self.set_levels);
        move |config| set_levels(&config.log)
    }

    /// Waits until everything logged so far is written, or for [`FLUSH_TIMEOUT`] if the reader of the log reads nothing.
    pub(crate) fn flush(&self) {
        let (written, wait) = sync_channel(1);
        if self.lines.try_send(Message::Flush(written)).is_ok() {
            // An error means that it took too long, which is no reason to keep the process.
            let _ = wait.recv_timeout(FLUSH_TIMEOUT);
        }
    }
}

fn write_lines(messages: &Receiver<Message>, dropped: &AtomicU64, format: LogFormat, mut out: impl Write) {
    while let Ok(first) = messages.recv() {
        for message in std::iter::once(first).chain(messages.try_iter()) {
            write_message(message, dropped, format, &mut out);
        }
        thread::sleep(REST);
    }
}

fn write_message(message: Message, dropped: &AtomicU64, format: LogFormat, mut out: impl Write) {
    match message {
        Message::Line(line) => {
            let lost = dropped.swap(0, Ordering::Relaxed);
            let report = match format {
                _ if lost == 0 => String::new(),
                LogFormat::Text => format!("{lost} lines of the log could not be written\n"),
                LogFormat::Json => {
                    format!("{{\"level\":\"WARN\",\"message\":\"{lost} lines of the log could not be written\"}}\n")
                }
            };
            if out.write_all(report.as_bytes()).and_then(|()| out.write_all(&line)).is_err() {
                dropped.fetch_add(lost + 1, Ordering::Relaxed);
            }
        }
        // An error means that nobody waits any more.
        Message::Flush(written) => drop(written.try_send(())),
    }
}

/// Formats the fields of an event as usual, and behind them the id of the request.
struct FieldsAndRequest;

impl<'writer> FormatFields<'writer> for FieldsAndRequest {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'writer>, fields: R) -> std::fmt::Result {
        DefaultFields::new().format_fields(writer.by_ref(), fields)?;
        match current_request_id() {
            Some(id) => write!(writer, " request_id={id:?}"),
            None => Ok(()),
        }
    }
}

/// Formats an event as a JSON object by the formatter within, and gives that a member for the id of the request.
struct JsonAndRequest<F>(F);

impl<S, N, F> FormatEvent<S, N> for JsonAndRequest<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> std::fmt::Result {
        let Some(id) = current_request_id() else { return self.0.format_event(context, writer, event) };
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        let members = line.trim_end().strip_suffix('}').ok_or(std::fmt::Error)?;
        writeln!(writer, "{members},\"request_id\":{}}}", serde_json::Value::from(id))
    }
}

/// Hands each line to the thread that writes.
#[derive(Clone)]
struct LineWriter {
    lines: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
}

impl Write for LineWriter {
    /// Takes all of `line`: `tracing_subscriber` writes an event with one call.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.lines.try_send(Message::Line(line.to_vec())).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LineWriter {
    type Writer = LineWriter;

    fn make_writer(&'a self) -> LineWriter {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails as often as its first member says, then takes everything.
    struct Failing(u32, Vec<u8>);

    impl Write for &mut Failing {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.0 > 0 && !bytes.is_empty() {
                self.0 -= 1;
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.1.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_that_could_not_be_written_are_counted() {
        let (lines, received) = sync_channel(8);
        let dropped = Arc::new(AtomicU64::new(0));
        let mut writer = LineWriter { lines, dropped: dropped.clone() };
        for line in ["a\n", "b\n", "c\n", "d\n"] {
            writer.write_all(line.as_bytes()).expect("never fails");
        }
        drop(writer);
        let mut out = Failing(2, Vec::new());
        write_lines(&received, &dropped, LogFormat::Text, &mut out);
        assert_eq!(String::from_utf8_lossy(&out.1), "2 lines of the log could not be written\nc\nd\n");
    }

    #[test]
    fn lines_beyond_those_that_may_wait_are_dropped_and_counted() {
        let (lines, received) = sync_channel(2);
        let dropped = Arc::new(AtomicU64::new(0));
        let mut writer = LineWriter { lines, dropped: dropped.clone() };
        for line in ["a\n", "b\n", "c\n", "d\n", "e\n"] {
            writer.write_all(line.as_bytes()).expect("never waits");
        }
        drop(writer);
        let mut out = Failing(0, Vec::new());
        write_lines(&received, &dropped, LogFormat::Json, &mut out);
        assert_eq!(
            String::from_utf8_lossy(&out.1),
            "{\"level\":\"WARN\",\"message\":\"3 lines of the log could not be written\"}\na\nb\n"
        );
    }
}
