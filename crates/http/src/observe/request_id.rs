//! `X-Request-Id`: what a client calls its request, or what we call it where the client says nothing usable (docs/reference/schema-registry.md §1).
//!
//! The id is a task-local value while its request is answered, for the lines of the log: a span would be built and formatted for every
//! request, of which nearly none logs anything.

use std::cell::{OnceCell, RefCell};
use std::future::Future;
use std::sync::Arc;

use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use uuid::{Builder, fmt::Hyphenated};

use super::audited_request::AuditedRequest;

/// The header, in requests and responses.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Characters of an id that is taken.
const MAX: usize = 128;

tokio::task_local! {
    static CURRENT: Current;
}

/// What is known in the task that answers a request.
struct Current {
    id: RequestId,
    /// What it is about, for the audit.
    named: RefCell<Vec<String>>,
    /// Who asks for what, where something may be made on the way.
    asked: OnceCell<Arc<AuditedRequest>>,
}

impl Current {
    fn of(id: RequestId) -> Current {
        Current { id, named: RefCell::default(), asked: OnceCell::new() }
    }

    /// The same in another task.
    fn elsewhere(&self) -> Current {
        Current { id: self.id.clone(), named: RefCell::default(), asked: self.asked.clone() }
    }
}

/// The id of the request that the current task answers, if it does answer one.
pub fn current_request_id() -> Option<String> {
    CURRENT.try_with(|current| current.id.as_str().to_owned()).ok()
}

/// What the request that the current task answers is about; `None`: it answers none.
pub(super) fn with_named<T>(use_named: impl FnOnce(&mut Vec<String>) -> T) -> Option<T> {
    CURRENT.try_with(|current| use_named(&mut current.named.borrow_mut())).ok()
}

/// Keeps who asks for what in the request that the current task answers.
pub(crate) fn keep_asked(asked: AuditedRequest) {
    let _ = CURRENT.try_with(|current| current.asked.set(Arc::new(asked)));
}

/// What is known of a request, to be used in another task; `None`: there was none.
pub(super) struct Elsewhere(Option<Current>);

impl Elsewhere {
    /// Of the request that the current task answers.
    pub(super) fn of_current() -> Elsewhere {
        Elsewhere(CURRENT.try_with(Current::elsewhere).ok())
    }

    /// Logs something with who asks for what: the lines show the id of the request.
    pub(super) fn log(self, write: impl FnOnce(Option<&AuditedRequest>)) {
        match self.0 {
            None => write(None),
            Some(current) => {
                let asked = current.asked.get().cloned();
                CURRENT.sync_scope(current, || write(asked.as_deref()));
            }
        }
    }
}

/// Works in another task for the request that the current one answers.
///
/// # Panics
///
/// Where no request is answered.
pub(crate) fn continued<F: Future>(work: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(CURRENT.with(Current::elsewhere), work)
}

/// The id of one request: printable ASCII characters. Cheap to clone.
#[derive(Clone)]
pub(crate) struct RequestId(HeaderValue);

impl RequestId {
    /// The client's, if it sends one that is not blank and has up to 128 printable ASCII characters; else a new one, a random UUID.
    pub(crate) fn of(headers: &HeaderMap) -> RequestId {
        let mut given = headers.get_all(X_REQUEST_ID).iter().filter(|id| !id.as_bytes().trim_ascii().is_empty());
        let only = given.next().filter(|_| given.next().is_none());
        match only.filter(|id| id.len() <= MAX && id.as_bytes().iter().all(|byte| matches!(byte, b' '..=b'~'))) {
            Some(id) => RequestId(id.clone()),
            None => {
                // Ids have to differ, not to be secret: no system call for each of them.
                let id = Builder::from_random_bytes(fastrand::u128(..).to_ne_bytes()).into_uuid();
                let mut text = [0; Hyphenated::LENGTH];
                let text = id.hyphenated().encode_lower(&mut text);
                RequestId(HeaderValue::from_str(text).expect("hexadecimal digits and dashes are a valid header"))
            }
        }
    }

    /// Answers a request of this id: whatever `work` logs in its task shows it.
    pub(crate) fn scope<F: Future>(self, work: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(Current::of(self), work)
    }

    /// That of the request that the current task answers.
    ///
    /// # Panics
    ///
    /// Where no request is answered.
    pub(crate) fn current() -> RequestId {
        CURRENT.with(|current| current.id.clone())
    }

    pub(crate) fn as_str(&self) -> &str {
        self.0.to_str().expect("printable ASCII characters were checked")
    }

    pub(crate) fn into_value(self) -> HeaderValue {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn id(given: &[&str]) -> String {
        let value = |text: &&str| HeaderValue::from_bytes(text.as_bytes()).expect("a header");
        RequestId::of(&HeaderMap::from_iter(given.iter().map(|text| (X_REQUEST_ID, value(text))))).as_str().to_owned()
    }

    #[test]
    fn the_only_id_that_is_not_blank_is_taken_and_another_one_is_replaced() {
        assert_eq!(id(&["4711/a-B"]), "4711/a-B");
        assert_eq!(id(&["with space"]), "with space");
        let long = "x".repeat(MAX + 1);
        for unusable in [&[][..], &[" "], &["\u{fc}"], &[&long], &["tab\there"], &["a", "b"]] {
            assert_eq!(Uuid::parse_str(&id(unusable)).map(|id| id.get_version_num()), Ok(4), "{unusable:?}");
        }
        assert_ne!(id(&[]), id(&[]));
    }
}
