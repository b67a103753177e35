//! Error responses of the registry. Its statuses and error codes stand in this file only.
//!
//! Source: docs/reference/schema-registry.md §11.

use hyper::StatusCode;
use postern_registry::Error;

use crate::problem::Problem;

/// Not a valid schema, or a reference to none.
pub(super) const INVALID_SCHEMA: u32 = 42201;

/// Every error of the registry, without a wildcard.
pub(crate) fn problem(error: &Error) -> Problem {
    let (status, code) = match error {
        Error::NotReady(_) => (503, 503),
        Error::SubjectNotFound(_) => (404, 40401),
        Error::VersionNotFound(_) => (404, 40402),
        Error::IdNotFound(_) | Error::IdNotUnderSubject { .. } | Error::GuidNotFound(_) | Error::SchemaNotFound => {
            (404, 40403)
        }
        Error::SubjectSoftDeleted(_) => (404, 40404),
        Error::SubjectNotSoftDeleted(_) => (404, 40405),
        Error::VersionSoftDeleted(..) => (404, 40406),
        Error::VersionNotSoftDeleted(..) => (404, 40407),
        Error::NoSubjectConfig(_) => (404, 40408),
        Error::NoSubjectMode(_) => (404, 40409),
        Error::Incompatible { .. } => (409, 40901),
        Error::InvalidSchema { .. }
        | Error::UnknownKind(_)
        | Error::EmptySchema
        | Error::InvalidReference(_)
        | Error::ReferenceNotFound { .. }
        | Error::InvalidTags(_)
        | Error::VersionNotNext { .. }
        | Error::VersionTooLarge(_) => (422, INVALID_SCHEMA),
        Error::InvalidVersion(_) => (422, 42202),
        Error::InvalidLevel(_) => (422, 42203),
        Error::InvalidMode(_) | Error::ForwardModeIsGlobal => (422, 42204),
        Error::NotPermitted(_) | Error::NoVersionLeft(_) | Error::NoIdLeft(_) => (422, 42205),
        Error::Referenced { .. } => (422, 42206),
        Error::InvalidSubject(_) => (422, 42208),
        Error::TooLarge(_) => (422, 42209),
        Error::InvalidRules(_) => (422, 42210),
        Error::ContextNotEmpty(_) => (422, 42211),
        Error::NotBuilt(_) => (501, 501),
        // Only where schemas come from a remote registry, whose API is not served here.
        Error::Remote { status: _, code, message: _ } => (502, *code),
        Error::Unreachable(_) => (502, 502),
        // 503 rather than 500, because a retry makes sense, and clients do retry after it.
        Error::Store { timed_out: false, .. } => (503, 50001),
        Error::Store { timed_out: true, .. } => (503, 50002),
    };
    Problem::new(StatusCode::from_u16(status).expect("the statuses of this table are statuses"), code, error)
}

#[cfg(test)]
mod tests {
    use postern_registry::{NotPermitted, SchemaId, SchemaKind, Subject, VersionRef};

    use super::*;

    /// Clients act upon error codes; this is the list of them.
    #[test]
    fn error_codes_do_not_change() {
        let subject = || Subject::parse("s");
        let store = |timed_out| {
            let (cause, fate) = ("no answer".to_owned(), postern_registry::Fate::Unknown);
            Error::Store { operation: "register the schema", cause, fate, timed_out }
        };
        for (error, status, code) in [
            (Error::NotReady("it waits for Kafka".to_owned()), 503, 503),
            (Error::SubjectNotFound(subject()), 404, 40401),
            (Error::VersionNotFound(VersionRef::Latest), 404, 40402),
            (Error::IdNotFound(SchemaId(1)), 404, 40403),
            (
                Error::IdNotUnderSubject { id: SchemaId(1), subject: subject(), registered_under: vec![subject()] },
                404,
                40403,
            ),
            (Error::GuidNotFound("x".to_owned()), 404, 40403),
            (Error::SchemaNotFound, 404, 40403),
            (Error::SubjectSoftDeleted(subject()), 404, 40404),
            (Error::SubjectNotSoftDeleted(subject()), 404, 40405),
            (Error::VersionSoftDeleted(subject(), 1), 404, 40406),
            (Error::VersionNotSoftDeleted(subject(), 1), 404, 40407),
            (Error::NoSubjectConfig(subject()), 404, 40408),
            (Error::NoSubjectMode(subject()), 404, 40409),
            (Error::Incompatible { subject: subject(), messages: vec![] }, 409, 40901),
            (Error::InvalidSchema { kind: SchemaKind::Avro, message: "x".to_owned(), is_syntax: true }, 422, 42201),
            (Error::UnknownKind("THRIFT".to_owned()), 422, 42201),
            (Error::EmptySchema, 422, 42201),
            (Error::InvalidReference("x".to_owned()), 422, 42201),
            (Error::ReferenceNotFound { subject: subject(), version: VersionRef::Number(1) }, 422, 42201),
            (Error::InvalidTags("x".to_owned()), 422, 42201),
            (Error::InvalidRules("x".to_owned()), 422, 42210),
            (Error::VersionNotNext { asked: 5, next: 2 }, 422, 42201),
            (Error::VersionTooLarge(subject()), 422, 42201),
            (Error::NoVersionLeft(subject()), 422, 42205),
            (Error::NoIdLeft(".".to_owned()), 422, 42205),
            (Error::InvalidVersion("x".to_owned()), 422, 42202),
            (Error::InvalidLevel("x".to_owned()), 422, 42203),
            (Error::InvalidMode("x".to_owned()), 422, 42204),
            (Error::ForwardModeIsGlobal, 422, 42204),
            (Error::NotPermitted(NotPermitted::ImportOverSubjects), 422, 42205),
            (Error::Referenced { subject: subject(), version: 1 }, 422, 42206),
            (Error::InvalidSubject(subject()), 422, 42208),
            (Error::TooLarge("x".to_owned()), 422, 42209),
            (Error::ContextNotEmpty(".c".to_owned()), 422, 42211),
            (Error::NotBuilt("This"), 501, 501),
            (Error::Remote { status: 404, code: 40401, message: "none".to_owned() }, 502, 40401),
            (Error::Unreachable("x".to_owned()), 502, 502),
            (store(false), 503, 50001),
            (store(true), 503, 50002),
        ] {
            let problem = problem(&error);
            assert_eq!((problem.status.as_u16(), problem.code), (status, code), "{error}");
            assert!(problem.message.ends_with(['.', ']', ')', 'x']), "a sentence: {}", problem.message);
        }
    }
}
