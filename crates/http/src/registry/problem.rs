//! What a client of the registry is told when something is refused. Statuses and numbers of this dialect stand in this file only.
//!
//! Source: schema-registry.md §11.

use hyper::StatusCode;
use postern_registry::Error;

use crate::problem::Problem;

/// The whole table: every error of the registry, no wildcard.
pub(crate) fn problem(error: &Error) -> Problem {
    let (status, code) = match error {
        Error::NotReady(_) => (503, 503),
        Error::SubjectNotFound(_) => (404, 40401),
        Error::VersionNotFound(_) => (404, 40402),
        Error::IdNotFound(_) | Error::GuidNotFound(_) | Error::SchemaNotFound => (404, 40403),
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
        | Error::VersionNotNext { .. } => (422, 42201),
        Error::InvalidVersion(_) => (422, 42202),
        Error::InvalidLevel(_) => (422, 42203),
        Error::InvalidMode(_) | Error::ForwardModeIsGlobal => (422, 42204),
        Error::NotPermitted(_) => (422, 42205),
        Error::Referenced { .. } => (422, 42206),
        Error::InvalidSubject(_) => (422, 42208),
        Error::TooLarge(_) => (422, 42209),
        Error::ContextNotEmpty(_) => (422, 42211),
        Error::NotBuilt(_) => (501, 501),
        // 503 rather than 500: it is worth trying again, and clients do.
        Error::Store { timed_out: false, .. } => (503, 50001),
        Error::Store { timed_out: true, .. } => (503, 50002),
    };
    Problem::new(StatusCode::from_u16(status).expect("the statuses of this table are statuses"), code, error)
}
