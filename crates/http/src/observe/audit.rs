//! The audit: who did what to what. A line of the log with the target `audit` for each request that would alter something (topics, configs, ACLs,
//! groups, schemas), however it ends, and for each request that is refused, whatever it asks for (401, 403).
//!
//! Records are no alteration: producing, reading, and what consumer instances do have no line unless they are refused. But what producing makes on the
//! way has one, once it is there, whatever becomes of the request. Lines hold no query, no header and of bodies only what handlers name here: names,
//! never values of configs, which may be secrets.

use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use hyper::{Method, Uri};
use postern_access::Caller;
use postern_proxy::{Made, Tell};

use super::audited_request::AuditedRequest;
use super::request_id;
use super::shown::{Shown, audited_path};
use crate::rate::{Epoch, PaidUntil};

/// Lines of refused requests from callers who were not recognized, in a second: anybody can send any number of them.
const STRANGERS_PER_SECOND: u32 = 20;
/// Things that one request names in its line, and characters of each.
const NAMED_MAX: usize = 32;
const NAME_MAX: usize = 300;

/// Bounds the lines of strangers.
#[derive(Debug)]
pub(super) struct Strangers {
    epoch: Epoch,
    paid_until: PaidUntil,
    /// Lines that were left out since the last one.
    left_out: AtomicU64,
}

impl Default for Strangers {
    fn default() -> Strangers {
        Strangers { epoch: Epoch::start(), paid_until: PaidUntil::default(), left_out: AtomicU64::new(0) }
    }
}

impl Strangers {
    /// Whether a line may be written, and how many were left out before it.
    fn admit(&self) -> Option<u64> {
        match self.paid_until.take(1, STRANGERS_PER_SECOND, self.epoch.now()) {
            None => Some(self.left_out.swap(0, Relaxed)),
            Some(_) => {
                self.left_out.fetch_add(1, Relaxed);
                None
            }
        }
    }
}

/// Names what the request that the current task answers is about, where its body or its query says so.
pub(crate) fn name(what: fmt::Arguments<'_>) {
    request_id::with_named(|named| {
        if named.len() < NAMED_MAX {
            named.push(what.to_string().chars().take(NAME_MAX).collect());
        } else if named.len() == NAMED_MAX {
            named.push("and more".to_owned());
        }
    });
}

/// Writes a line of what is made for the request that the current task answers, as soon as it is there.
pub(crate) fn tell_what_is_made() -> Tell {
    let request = request_id::Elsewhere::of_current();
    Box::new(move |made| request.log(|asked| line_of_made(made, asked)))
}

fn line_of_made(made: &Made<'_>, asked: Option<&AuditedRequest>) {
    let (operation, named) = match made {
        Made::Topic(topic) => ("createTopic", format!("topic {topic}")),
        Made::Schema { subject, serializer } => {
            let version = serializer.version.map_or_else(String::new, |version| format!(" version {version}"));
            ("registerSchema", format!("subject {}{version} id {}", subject.as_str(), serializer.id))
        }
    };
    let caller = asked.map(|asked| asked.permissions.caller()).filter(|caller| !caller.is_anonymous());
    tracing::info!(
        target: "audit",
        client = %Shown(asked.and_then(|asked| asked.client)),
        caller = %Shown(caller.map(Caller::name)),
        operation,
        method = asked.map(|asked| asked.method.as_str()),
        path = asked.map(|asked| audited_path(&asked.uri)),
        named = named.chars().take(NAME_MAX).collect::<String>(),
        "audit: done"
    );
}

/// A request that was answered.
pub(super) struct Answered<'a> {
    pub(super) client: Option<IpAddr>,
    /// `None`: nobody was recognized.
    pub(super) caller: Option<&'a str>,
    /// The id, and whether it alters something; `None`: it was answered before that was known.
    pub(super) operation: Option<(&'a str, bool)>,
    pub(super) method: &'a Method,
    pub(super) uri: &'a Uri,
    pub(super) status: u16,
    pub(super) error_code: Option<u32>,
}

/// Writes the line of a request, if it has one.
pub(super) fn line(strangers: &Strangers, answered: &Answered<'_>) {
    let Answered { client, caller, operation, method, uri, status, error_code } = *answered;
    let is_refused = matches!(status, 401 | 403);
    if !is_refused && !operation.is_some_and(|(_, alters)| alters) {
        return;
    }
    let Some(left_out) = (if is_refused && caller.is_none() { strangers.admit() } else { Some(0) }) else { return };
    let named = request_id::with_named(std::mem::take).unwrap_or_default();
    let outcome = match status {
        _ if is_refused => "refused",
        200..400 => "done",
        _ => "failed",
    };
    tracing::info!(
        target: "audit",
        client = %Shown(client),
        caller = %Shown(caller),
        operation = operation.map(|(id, _)| id),
        method = method.as_str(),
        path = audited_path(uri),
        named = (!named.is_empty()).then(|| named.join("; ")),
        status,
        error_code,
        left_out = (left_out > 0).then_some(left_out),
        "audit: {outcome}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_strangers_are_bounded_and_counted() {
        let strangers = Strangers::default();
        let written: Vec<u64> = (0..1000).filter_map(|_| strangers.admit()).collect();
        assert!((20..900).contains(&written.len()), "{}", written.len());
        let left_out = strangers.left_out.load(Relaxed) + written.iter().sum::<u64>();
        assert_eq!(left_out + written.len() as u64, 1000);
    }
}
