//! Registering a schema: found if it is known, else checked, given a version and an id, and written.
//!
//! [`Registration::decide`] is the list of the rules, in their order. Source: docs/reference/schema-registry.md §6.1.

use postern_kafka::Record;
use postern_schema::Strictness;

use crate::log::{self, LogKey};
use crate::model::config::Config;
use crate::model::content::SchemaContent;
use crate::model::error::{Error, NotPermitted};
use crate::model::metadata::{Metadata, VERSION_PROPERTY};
use crate::model::mode::Mode;
use crate::model::names::{Guid, SchemaId, Subject};
use crate::model::stored::{StoredSchema, Visible};
use crate::model::submission::SchemaSubmission;
use crate::operations::compatibility::Comparison;
use crate::operations::compile::CompiledSubmission;
use crate::operations::reserved;
use crate::operations::write::Operation;
use crate::registry::Registry;
use crate::state::State;

/// How a schema is to be registered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RegisterOptions {
    /// Normalize it first, even if the configuration does not say so.
    pub normalize: bool,
    /// Do not check its compatibility.
    pub force: bool,
}

/// A schema that is registered now.
#[derive(Clone, PartialEq, Debug)]
pub struct Registered {
    /// The version it is registered as.
    pub stored: StoredSchema,
    /// It was there already, and was found by looking it up as it was submitted.
    pub looked_up: bool,
    /// It was not there: this registration has written it.
    pub is_new: bool,
}

impl Registry {
    /// Registers a schema under a subject, or finds it there. Answers when it can be read.
    ///
    /// Dropping the future leaves it open whether the schema is registered; registering it again finds it.
    ///
    /// # Errors
    /// The rule that the schema breaks; `Error::Store` says whether it may have been written all the same.
    pub async fn register(
        &self,
        subject: &Subject,
        submission: SchemaSubmission,
        options: RegisterOptions,
    ) -> Result<Registered, Error> {
        self.check_ready()?;
        let registration = Registration::new(self, subject, submission, options)?;
        match registration.registered_already()? {
            Some(stored) => Ok(Registered { stored, looked_up: true, is_new: false }),
            None => registration.run().await,
        }
    }

    /// Registers a schema without first looking it up as it was submitted.
    pub(crate) async fn register_new(
        &self,
        subject: &Subject,
        submission: SchemaSubmission,
        options: RegisterOptions,
    ) -> Result<Registered, Error> {
        Registration::new(self, subject, submission, options)?.run().await
    }

    /// What registering would do, without doing it: the registered version, or the compiled schema that would be registered.
    pub(crate) fn preview_registration(
        &self,
        subject: &Subject,
        submission: SchemaSubmission,
    ) -> Result<Preview, Error> {
        let registration = Registration::new(self, subject, submission, RegisterOptions::default())?;
        if let Some(stored) = registration.registered_already()? {
            return Ok(Preview::Registered(stored));
        }
        match registration.decide(&mut Remembered::default())? {
            Decision::Registered(stored) => Ok(Preview::Registered(stored)),
            Decision::Write(attempt) => Ok(Preview::New(attempt.compiled)),
        }
    }
}

/// What registering a schema would do.
pub(crate) enum Preview {
    Registered(StoredSchema),
    New(CompiledSubmission),
}

/// A schema on its way to be registered under a subject.
struct Registration<'a> {
    registry: &'a Registry,
    subject: &'a Subject,
    submission: SchemaSubmission,
    options: RegisterOptions,
}

/// The settings and versions that a decision depends on, read at once.
struct Scope {
    mode: Mode,
    config: Config,
    /// The latest live version.
    previous: Option<StoredSchema>,
    /// The number of the next version.
    next: u32,
}

enum Decision {
    Registered(StoredSchema),
    Write(Attempt),
}

/// What is to be written, and how to tell afterwards whether it won.
struct Attempt {
    compiled: CompiledSubmission,
    version: u32,
    id: SchemaId,
    records: Vec<Record>,
}

impl Attempt {
    fn guid(&self) -> Guid {
        self.compiled.content.guid()
    }
}

/// What one attempt leaves for the next.
#[derive(Default)]
struct Remembered {
    /// The last comparison with earlier versions, which need not be repeated if nothing has changed.
    comparison: Option<Comparison>,
    /// The id that the schema had before the versions it replaces were removed.
    id: Option<SchemaId>,
}

impl<'a> Registration<'a> {
    /// The name must be valid. Rule sets are not stored.
    fn new(
        registry: &'a Registry,
        subject: &'a Subject,
        submission: SchemaSubmission,
        options: RegisterOptions,
    ) -> Result<Registration<'a>, Error> {
        match subject.is_valid() {
            true => {
                let submission = SchemaSubmission { rule_set: None, ..submission };
                Ok(Registration { registry, subject, submission, options })
            }
            false => Err(Error::InvalidSubject(subject.clone())),
        }
    }

    /// A schema that is registered is found whatever the mode, and without the strict rules for new ones. Nothing is looked up
    /// where the configuration adds metadata to each registration, or where there is no text.
    fn registered_already(&self) -> Result<Option<StoredSchema>, Error> {
        let (subject, submission) = (self.subject, &self.submission);
        let config = self.registry.read(|state| Ok(state.effective_config(subject)))?;
        if submission.text.trim().is_empty() || config.adds_to_schemas() {
            return Ok(None);
        }
        let normalize = self.options.normalize || config.normalize.unwrap_or(false);
        let compiled =
            self.registry.compile_submission(subject, submission, normalize, Strictness::Stored, Visible::All)?;
        let Some(found) = self.registry.find(subject, &compiled, Visible::Live, submission.version == -1, &config)?
        else {
            return Ok(None);
        };
        let stored = found.stored;
        let id_matches = match submission.version {
            0 | -1 => submission.id.is_none_or(|id| id == stored.id),
            asked => submission.id == Some(stored.id) && i64::from(asked) == i64::from(stored.version),
        };
        Ok(id_matches.then_some(stored))
    }

    /// Decides and writes until a record of ours wins, or another one turns out to be the same schema.
    async fn run(&self) -> Result<Registered, Error> {
        let registry = self.registry;
        registry.read(|state| self.check_mode(state.effective_mode(Some(self.subject))))?;
        let mut remembered = Remembered::default();
        // Compiling and comparing may take long: done here, they do not hold up other writes. The answer comes from the second
        // decision, on a state that is certainly up to date; it repeats what depends on something that has changed since.
        if let Ok(Decision::Registered(stored)) = self.decide(&mut remembered) {
            return Ok(Registered { stored, looked_up: false, is_new: false });
        }
        let lease = registry.lease_write(Operation::Register).await?;
        loop {
            let attempt = match self.decide(&mut remembered)? {
                Decision::Registered(stored) => return Ok(Registered { stored, looked_up: false, is_new: false }),
                Decision::Write(attempt) => attempt,
            };
            let (version, id, guid) = (attempt.version, attempt.id, attempt.guid());
            remembered.id = Some(id);
            lease.append(attempt.records).await?;
            // Another writer may have been first in the log with this version or this id. Then everything is decided anew.
            let stored = registry.read(|state| Ok(state.version(self.subject, version)))?;
            let is_ours = |stored: &StoredSchema| stored.id == id && stored.content.guid() == guid && !stored.deleted;
            if let Some(stored) = stored.filter(is_ours) {
                lease.confirm().await?;
                tracing::info!(subject = %self.subject, version, %id, "schema registered");
                return Ok(Registered { stored, looked_up: false, is_new: true });
            }
            if !lease.has_time() {
                return Err(lease.out_of_time());
            }
            tracing::info!(subject = %self.subject, version, "another writer was faster; registering starts over");
        }
    }

    /// The rules, in their order, on the state as it is now.
    fn decide(&self, remembered: &mut Remembered) -> Result<Decision, Error> {
        let scope = self.scope()?;
        self.check_mode(scope.mode)?;
        let submission = self.completed(&scope);
        let compiled = self.compile(&scope, &submission)?;
        if let Some(stored) = self.same_version(&compiled)? {
            return Ok(Decision::Registered(stored));
        }
        self.check_compatibility(&scope, &compiled, remembered)?;
        self.registry.read(|state| {
            let version = self.version(state, scope.mode, &compiled.content)?;
            let id = self.id(state, &compiled.content, remembered.id)?;
            let mut records = self.context_record(state);
            records.extend(self.replaced_versions(state, version, id));
            records.push(self.schema_record(state, version, id, &compiled.content));
            Ok(Decision::Write(Attempt { compiled, version, id, records }))
        })
    }

    fn scope(&self) -> Result<Scope, Error> {
        self.registry.read(|state| {
            Ok(Scope {
                mode: state.effective_mode(Some(self.subject)),
                config: state.effective_config(self.subject),
                previous: state.latest(self.subject),
                next: state.next_version(self.subject),
            })
        })
    }

    /// The mode must allow it: with an id in IMPORT and FORWARD, without one in READWRITE.
    fn check_mode(&self, mode: Mode) -> Result<(), Error> {
        mode.check_register(self.subject, self.submission.id.is_some())
    }

    /// Outside of imports, what is not given is taken from the previous version, the configuration's metadata is added, and a
    /// request for a certain version is marked in the metadata.
    fn completed(&self, scope: &Scope) -> SchemaSubmission {
        let mut submission = self.submission.clone();
        if scope.mode.is_import() {
            return submission;
        }
        if let Some(previous) = &scope.previous {
            inherit(&mut submission, &previous.content);
        }
        submission.metadata = with_configured_metadata(&scope.config, submission.metadata.as_ref());
        let has_version =
            submission.metadata.as_ref().is_some_and(|metadata| metadata.property(VERSION_PROPERTY).is_some());
        if submission.version != 0 || has_version {
            submission.metadata.get_or_insert_default().set_property(VERSION_PROPERTY, scope.next.to_string());
        }
        submission
    }

    /// The text must be a valid schema: by the strict rules where it is new, by the lenient ones in an import. The references of
    /// an import may name softly deleted versions, so that a registry that has such schemas can be copied.
    fn compile(&self, scope: &Scope, submission: &SchemaSubmission) -> Result<CompiledSubmission, Error> {
        let config = &scope.config;
        let normalize = self.options.normalize || (!scope.mode.is_import() && config.normalize == Some(true));
        let is_new = submission.id.is_none();
        let strictness =
            if is_new && config.validate_new_schemas != Some(false) { Strictness::New } else { Strictness::Stored };
        let visible = if is_new { Visible::Live } else { Visible::All };
        let compiled = self.registry.compile_submission(self.subject, submission, normalize, strictness, visible)?;
        if strictness == Strictness::New {
            reserved::check_names(config, &compiled)?;
        }
        Ok(compiled)
    }

    /// Unless a certain version is asked for, a live version with the same or an equivalent content is the answer.
    fn same_version(&self, compiled: &CompiledSubmission) -> Result<Option<StoredSchema>, Error> {
        if self.submission.version != 0 {
            return Ok(None);
        }
        let id_matches = |stored: &StoredSchema| self.submission.id.is_none_or(|id| id == stored.id);
        let candidates =
            self.registry.read(|state| Ok(state.similar_versions(self.subject, &compiled.content, Visible::Live)))?;
        let candidates: Vec<StoredSchema> = candidates.into_iter().filter(id_matches).collect();
        if let Some(identical) = candidates.iter().find(|stored| stored.content.is_same(&compiled.content)) {
            return Ok(Some(identical.clone()));
        }
        for stored in candidates {
            if self.registry.is_equivalent(compiled, &compiled.content, &stored)? {
                return Ok(Some(stored));
            }
        }
        Ok(None)
    }

    /// It must be compatible with earlier versions as the configuration asks, unless it is imported or forced.
    fn check_compatibility(
        &self,
        scope: &Scope,
        compiled: &CompiledSubmission,
        remembered: &mut Remembered,
    ) -> Result<(), Error> {
        if scope.mode.is_import() || self.options.force {
            return Ok(());
        }
        let comparison = self.registry.compare(self.subject, &scope.config, compiled, remembered.comparison.take())?;
        let messages = comparison.messages.clone();
        remembered.comparison = Some(comparison);
        match messages.is_empty() {
            true => Ok(()),
            false => Err(Error::Incompatible { subject: self.subject.clone(), messages }),
        }
    }

    /// The version is the next one. An import may ask for any other, also for one that is softly deleted, but not overwrite one;
    /// and not for the greatest number, after which there would be no next one.
    fn version(&self, state: &State, mode: Mode, content: &SchemaContent) -> Result<u32, Error> {
        let (subject, next) = (self.subject, state.next_version(self.subject));
        if let Some(asked) = u32::try_from(self.submission.version).ok().filter(|asked| *asked > 0 && *asked != next) {
            if !mode.is_import() {
                return Err(Error::VersionNotNext { asked: self.submission.version, next });
            }
            return match state.version(subject, asked) {
                Some(stored) if stored.content.guid() != content.guid() || Some(stored.id) != self.submission.id => {
                    Err(NotPermitted::VersionTaken(subject.clone(), asked).into())
                }
                None if asked == i32::MAX.unsigned_abs() => Err(Error::VersionTooLarge(subject.clone())),
                Some(_) | None => Ok(asked),
            };
        }
        match i32::try_from(next) {
            Ok(_) => Ok(next),
            Err(_) => Err(Error::NoVersionLeft(subject.clone())),
        }
    }

    /// The id is the one asked for, if no other content has it; else the one that the content has in this context; else a new one.
    fn id(&self, state: &State, content: &SchemaContent, before: Option<SchemaId>) -> Result<SchemaId, Error> {
        let context = self.subject.context();
        if let Some(id) = self.submission.id {
            return match state.content(context, id) {
                Some(other) if other.guid() != content.guid() => {
                    Err(NotPermitted::IdTaken { id, context: context.to_owned() }.into())
                }
                Some(_) | None => Ok(id),
            };
        }
        let mut known = state.ids_of(context, content.guid()).iter();
        if let Some(id) =
            known.find(|id| state.content(context, **id).is_some_and(|other| other.kind() == content.kind()))
        {
            return Ok(*id);
        }
        // Records in other topics may name the id that the content had before its replaced version was removed.
        match before.filter(|id| state.content(context, *id).is_none()) {
            Some(id) => Ok(id),
            None => state.next_id(context).ok_or_else(|| Error::NoIdLeft(context.to_owned())),
        }
    }

    /// A context that is not the default one needs a record of its own before its first schema.
    fn context_record(&self, state: &State) -> Vec<Record> {
        let context = self.subject.context();
        match state.is_context_recorded(context) {
            true => Vec::new(),
            false => vec![log::record(log::context::key(context), Some(log::context::value(context)))],
        }
    }

    /// Softly deleted versions of the subject with the same id are replaced: they get tombstones, unless other schemas refer to
    /// them.
    ///
    /// The tombstones come before the new record, in the same append, as in Confluent's registry: that one forgets the schema's
    /// references by its id when it reads the tombstone. The producer keeps the order of an append, and hands its records to
    /// the broker in one batch in all but rare cases; should this process die between two batches, the softly deleted version
    /// is gone, and registering again continues from there.
    fn replaced_versions(&self, state: &State, version: u32, id: SchemaId) -> Vec<Record> {
        let replaced = state
            .versions_in_subject_with_id(self.subject, id)
            .filter(|old| old.deleted && old.version < version)
            .filter(|old| state.check_unreferenced(&old.subject, old.version, true).is_ok());
        replaced
            .flat_map(|old| state.tombstones(&LogKey::Schema { subject: old.subject, version: old.version }))
            .collect()
    }

    /// The schema's record. A version that is there already is restored, with what newer writers have added to it.
    fn schema_record(&self, state: &State, version: u32, id: SchemaId, content: &SchemaContent) -> Record {
        state.rewritten(self.subject, version, Some(false)).unwrap_or_else(|| {
            let key = state.key(&LogKey::Schema { subject: self.subject.clone(), version });
            log::record(key, Some(log::schema::value(self.subject, version, id, content, false, None)))
        })
    }
}

/// What is not given is that of the previous version.
fn inherit(submission: &mut SchemaSubmission, previous: &SchemaContent) {
    if submission.text.trim().is_empty() {
        submission.text = previous.text().to_owned();
        submission.kind = previous.kind();
        submission.references = previous.references().to_vec();
    }
    if submission.metadata.is_none() {
        submission.metadata = previous.metadata().cloned();
    }
}

/// The configuration's default metadata, then what is given, then its override metadata: later ones win.
pub(crate) fn with_configured_metadata(config: &Config, given: Option<&Metadata>) -> Option<Metadata> {
    let layers = [config.default_metadata.as_ref(), given, config.override_metadata.as_ref()];
    layers.into_iter().flatten().fold(None, |merged: Option<Metadata>, layer| match merged {
        None => Some(layer.clone()),
        Some(merged) => Some(merged.merged(layer)),
    })
}
