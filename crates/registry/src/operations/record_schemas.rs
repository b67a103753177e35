//! The schemas that records name, for reading them.
//!
//! Ids never change, so a state that lags behind the topic at most lacks some. What it lacks is looked for again once it has caught up.
//!
//! Source: docs/reference/serialization.md §3.2.

use postern_schema::Schema;
use tokio::time::{Instant, timeout_at};

use crate::framing::SchemaIdentifier;
use crate::model::error::Error;
use crate::model::names::Subject;
use crate::model::schema_ref::{ResolveError, fetching_guid, fetching_id};
use crate::registry::Registry;

impl Registry {
    /// The schemas of these names in the context of `subject`, whatever subjects they are registered under, in the order of the names.
    /// Those that were deleted softly, too. Waits for the state to catch up until `deadline`, where it does not have them all.
    ///
    /// Dropping the future does nothing.
    ///
    /// # Errors
    /// Of each name: there is no such schema, it is not valid any more, or the state is not known yet.
    pub async fn schemas_of_records(
        &self,
        subject: &Subject,
        names: &[SchemaIdentifier],
        deadline: Instant,
    ) -> Vec<Result<Schema, ResolveError>> {
        let find = || names.iter().map(|name| self.schema_of_records(subject, *name)).collect::<Vec<_>>();
        let found = find();
        if found.iter().all(|found| !found.as_ref().is_err_and(depends_on_state)) {
            return found;
        }
        let caught_up = async {
            self.ready().await;
            self.catch_up().await
        };
        match timeout_at(deadline, caught_up).await {
            Ok(true) => find(),
            Ok(false) | Err(_) => found,
        }
    }

    fn schema_of_records(&self, subject: &Subject, name: SchemaIdentifier) -> Result<Schema, ResolveError> {
        let (stored, step) = match name {
            SchemaIdentifier::Id(id) => (self.schema(id, Some(subject)), fetching_id(id)),
            SchemaIdentifier::Guid(guid) => (self.schema_by_guid(guid), fetching_guid(guid)),
        };
        let schema = stored.and_then(|stored| self.compiled(&stored));
        schema.map_err(|error| ResolveError::Refused { step, error })
    }
}

fn depends_on_state(error: &ResolveError) -> bool {
    let ResolveError::Refused { error, .. } = error else { return false };
    matches!(error, Error::NotReady(_) | Error::IdNotFound(_) | Error::GuidNotFound(_))
}
