//! Reading: subjects, versions, ids, guids, contexts. All from memory.
//!
//! Source: docs/reference/schema-registry.md §2.2, §8.1, §8.5.

use crate::model::error::Error;
use crate::model::names::{DEFAULT_CONTEXT, Guid, SchemaId, Subject, VersionRef};
use crate::model::rule_set::has_rule_of_type;
use crate::model::stored::{StoredSchema, Visible};
use crate::registry::Registry;
use crate::state::State;

/// A page of a list: so many items after so many.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Page {
    /// Items left out at the beginning.
    pub offset: usize,
    /// Items at most.
    pub limit: usize,
}

impl Page {
    /// All of it.
    pub const ALL: Page = Page { offset: 0, limit: usize::MAX };

    fn of<T>(self, items: impl Iterator<Item = T>) -> Vec<T> {
        items.skip(self.offset).take(self.limit).collect()
    }
}

// === Subjects and versions ===

impl Registry {
    /// The subjects with a visible version, sorted. `Visible::Deleted`: those of which every version is deleted.
    ///
    /// # Errors
    /// Only `NotReady`, as every read.
    pub fn subjects(&self, prefix: &Subject, visible: Visible, page: Page) -> Result<Vec<Subject>, Error> {
        self.read(|state| {
            let counts = |subject: &&Subject| match visible {
                Visible::Live | Visible::All => state.has(subject, visible),
                Visible::Deleted => !state.has(subject, Visible::Live),
            };
            Ok(page.of(state.subjects(prefix).filter(counts).cloned()))
        })
    }

    /// The visible versions of a subject, oldest first.
    ///
    /// # Errors
    /// `SubjectNotFound`.
    pub fn versions(&self, subject: &Subject, visible: Visible, page: Page) -> Result<Vec<StoredSchema>, Error> {
        self.read(|state| {
            let is_there = match visible {
                Visible::Live => state.has(subject, Visible::Live),
                Visible::All | Visible::Deleted => state.has(subject, Visible::All),
            };
            match is_there {
                true => Ok(page.of(state.versions(subject, visible))),
                false => Err(Error::SubjectNotFound(subject.clone())),
            }
        })
    }

    /// One version. An unqualified subject is looked for in all contexts, the default one first.
    ///
    /// # Errors
    /// `SubjectNotFound`, `VersionNotFound`.
    pub fn version(&self, subject: &Subject, version: VersionRef, deleted: bool) -> Result<StoredSchema, Error> {
        self.read(|state| state.version_somewhere(subject, version, if deleted { Visible::All } else { Visible::Live }))
    }

    /// The newest version whose metadata has all these properties.
    ///
    /// # Errors
    /// `SubjectNotFound`, `SchemaNotFound`.
    pub fn version_with(
        &self,
        subject: &Subject,
        properties: &[(String, String)],
        deleted: bool,
    ) -> Result<StoredSchema, Error> {
        let visible = if deleted { Visible::All } else { Visible::Live };
        let has_all = |stored: &StoredSchema| {
            let metadata = stored.content.metadata();
            properties.iter().all(|(name, value)| metadata.and_then(|metadata| metadata.property(name)) == Some(value))
        };
        let versions = self.versions(subject, visible, Page::ALL)?;
        versions.into_iter().rev().find(has_all).ok_or(Error::SchemaNotFound)
    }

    /// All versions under a prefix, sorted by subject and version. `latest_only`: the newest visible one of each subject.
    /// `rule_type`: only those with a rule of that type.
    ///
    /// # Errors
    /// Only `NotReady`.
    pub fn schemas(
        &self,
        prefix: &Subject,
        deleted: bool,
        latest_only: bool,
        rule_type: Option<&str>,
        page: Page,
    ) -> Result<Vec<StoredSchema>, Error> {
        let visible = if deleted { Visible::All } else { Visible::Live };
        self.read(|state| {
            let of = |subject: &Subject| -> Vec<StoredSchema> {
                let mut versions = state.versions(subject, visible);
                if latest_only { versions.next_back().into_iter().collect() } else { versions.collect() }
            };
            let counts = |stored: &StoredSchema| {
                rule_type.is_none_or(|kind| stored.content.rule_set().is_some_and(|set| has_rule_of_type(set, kind)))
            };
            Ok(page.of(state.subjects(prefix).flat_map(of).filter(counts)))
        })
    }

    /// The versions that refer to a version.
    ///
    /// # Errors
    /// `SubjectNotFound`, `VersionNotFound`.
    pub fn referrers(&self, subject: &Subject, version: VersionRef, deleted: bool) -> Result<Vec<StoredSchema>, Error> {
        self.read(|state| {
            // Like other reads of a version it looks into other contexts; there, no reference has this name.
            let target = state.version_somewhere(subject, version, Visible::All)?;
            let referrers = state.referrers(subject, target.version).filter(|_| target.subject == *subject);
            Ok(referrers.filter(|referrer| deleted || !referrer.deleted).collect())
        })
    }
}

// === Ids and guids ===

impl Registry {
    /// A version that carries an id: that of `subject` or of its namesakes in other contexts; else, unless the subject is named
    /// with its context, any in the subject's context.
    ///
    /// # Errors
    /// `IdNotFound`.
    pub fn schema(&self, id: SchemaId, subject: Option<&Subject>) -> Result<StoredSchema, Error> {
        self.read(|state| {
            let found = match subject {
                None => live_first(state.versions_with_id(DEFAULT_CONTEXT, id)),
                Some(subject) => {
                    let namesakes = state.namesakes(subject, Visible::All);
                    let own = namesakes
                        .iter()
                        .find_map(|namesake| live_first(state.versions_in_subject_with_id(namesake, id)));
                    // A subject named with its context must carry the id; any other stands for its context as well.
                    let stands_for_context = subject.is_unqualified() || subject.is_context();
                    own.or_else(|| {
                        let of_context = state.versions_with_id(subject.context(), id);
                        live_first(of_context.filter(|_| stands_for_context))
                    })
                }
            };
            found.ok_or(Error::IdNotFound(id))
        })
    }

    /// The versions that carry an id in a context, oldest record first.
    ///
    /// # Errors
    /// `IdNotFound`.
    pub fn versions_with_id(
        &self,
        context: &str,
        id: SchemaId,
        deleted: bool,
        page: Page,
    ) -> Result<Vec<StoredSchema>, Error> {
        self.read(|state| {
            if state.content(context, id).is_none() {
                return Err(Error::IdNotFound(id));
            }
            Ok(page.of(state.versions_with_id(context, id).filter(|stored| deleted || !stored.deleted)))
        })
    }

    /// The highest id ever given out in a context.
    ///
    /// # Errors
    /// Only `NotReady`.
    pub fn max_id(&self, context: &str) -> Result<i32, Error> {
        self.read(|state| Ok(state.max_id(context)))
    }

    /// A version that has this content, in the default context or else in any.
    ///
    /// # Errors
    /// `GuidNotFound`.
    pub fn schema_by_guid(&self, guid: Guid) -> Result<StoredSchema, Error> {
        self.read(|state| {
            let found = state.contexts().find_map(|context| {
                state.ids_of(context, guid).iter().find_map(|id| live_first(state.versions_with_id(context, *id)))
            });
            found.ok_or_else(|| Error::GuidNotFound(guid.to_string()))
        })
    }

    /// The ids of a content, by context.
    ///
    /// # Errors
    /// Only `NotReady`.
    pub fn ids_of(&self, guid: Guid) -> Result<Vec<(String, SchemaId)>, Error> {
        self.read(|state| {
            Ok(state
                .contexts()
                .flat_map(|context| state.ids_of(context, guid).iter().map(|id| (context.to_owned(), *id)))
                .collect())
        })
    }

    /// All contexts whose name begins so, the default one first.
    ///
    /// # Errors
    /// Only `NotReady`.
    pub fn contexts(&self, prefix: &str, page: Page) -> Result<Vec<String>, Error> {
        self.read(
            |state| Ok(page.of(state.contexts().filter(|context| context.starts_with(prefix)).map(str::to_owned))),
        )
    }
}

impl State {
    /// A version of a subject or, where an unqualified one does not have it, of its namesake in another context.
    fn version_somewhere(
        &self,
        subject: &Subject,
        version: VersionRef,
        visible: Visible,
    ) -> Result<StoredSchema, Error> {
        let found = self.namesakes(subject, visible).iter().find_map(|namesake| match version {
            VersionRef::Latest => self.latest(namesake),
            VersionRef::Number(number) => self.version(namesake, number).filter(|stored| visible.shows(stored.deleted)),
        });
        match found {
            Some(found) => Ok(found),
            None if self.has(subject, visible) => Err(Error::VersionNotFound(version)),
            None => Err(Error::SubjectNotFound(subject.clone())),
        }
    }
}

/// The first that is not deleted, or else the first.
fn live_first(versions: impl Iterator<Item = StoredSchema>) -> Option<StoredSchema> {
    let mut deleted = None;
    for stored in versions {
        if !stored.deleted {
            return Some(stored);
        }
        deleted.get_or_insert(stored);
    }
    deleted
}
