//! A registered version as it is handed out.

use std::sync::Arc;

use super::content::SchemaContent;
use super::names::{SchemaId, Subject};

/// One version of a subject, as it is stored. Cheap to clone.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredSchema {
    /// Where it is registered.
    pub subject: Subject,
    /// As which version.
    pub version: u32,
    /// The id of its content in the subject's context.
    pub id: SchemaId,
    /// The schema itself.
    pub content: Arc<SchemaContent>,
    /// When its record was written, in milliseconds since 1970.
    pub timestamp_ms: Option<i64>,
    /// Softly deleted: only visible on request.
    pub deleted: bool,
}

/// Which versions are visible: live ones, softly deleted ones, both.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Visible {
    /// What is not deleted.
    #[default]
    Live,
    /// That, and what is softly deleted.
    All,
    /// Only what is softly deleted.
    Deleted,
}

impl Visible {
    /// Whether a version is counted.
    pub(crate) fn shows(self, deleted: bool) -> bool {
        match self {
            Visible::Live => !deleted,
            Visible::All => true,
            Visible::Deleted => deleted,
        }
    }
}
