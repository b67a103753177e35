//! Registering a schema: found where it is known, else checked, given version and id, and written.
//!
//! Source: docs/reference/schema-registry.md §6.1, whose steps the comments name.

use postern_kafka::{Fate, Record};
use postern_schema::Strictness;

use crate::compile::{Draft, Prepared};
use crate::error::NotPermitted;
use crate::log::{self, LogKey};
use crate::metadata::VERSION_PROPERTY;
use crate::state::Visible;
use crate::state::{State, Stored};
use crate::write::Operation;
use crate::{Config, Content, Error, Guid, Metadata, Mode, Registry, SchemaId, Subject, reserved};

/// How a schema is to be registered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RegisterOptions {
    /// Normalise it first, even if the configuration does not say so.
    pub normalize: bool,
    /// Do not check its compatibility.
    pub force: bool,
}

/// A schema that is registered now.
#[derive(Clone, PartialEq, Debug)]
pub struct Registered {
    /// As what.
    pub stored: Stored,
    /// It was there already, and was found by looking it up as it was given.
    pub looked_up: bool,
}

impl Registry {
    /// Registers a schema under a subject, or finds it there. Answers when it can be read.
    ///
    /// # Errors
    /// `Error::Store` says whether it may have been written all the same. Dropping the future leaves that open, too; doing
    /// it again finds the schema.
    pub async fn register(
        &self,
        subject: &Subject,
        mut draft: Draft,
        options: RegisterOptions,
    ) -> Result<Registered, Error> {
        self.check_ready()?;
        // 1: rule sets are not kept. 2: the name.
        draft.rule_set = None;
        if !subject.is_valid() {
            return Err(Error::InvalidSubject(subject.clone()));
        }
        // 3, 4: what is known is returned without any further condition.
        let config = self.read(|state| Ok(state.config_in_force(subject)))?;
        if let Some(stored) = self.already_there(subject, &draft, &config, options)? {
            return Ok(Registered { stored, looked_up: true });
        }
        self.register_anew(subject, draft, options).await
    }

    /// From step 5 on: without looking whether it is there as it was given.
    pub(crate) async fn register_anew(
        &self,
        subject: &Subject,
        mut draft: Draft,
        options: RegisterOptions,
    ) -> Result<Registered, Error> {
        draft.rule_set = None;
        if !subject.is_valid() {
            return Err(Error::InvalidSubject(subject.clone()));
        }
        self.read(|state| state.mode_in_force(Some(subject)).check_register(subject, draft.id.is_some()))?;
        let turn = self.writer(Operation::Register).await?;
        loop {
            let attempt = match self.decide(subject, &draft, options)? {
                Decision::Known(stored) => return Ok(Registered { stored, looked_up: false }),
                Decision::Write(attempt) => attempt,
            };
            turn.append(attempt.records).await?;
            // Another writer may have been first in the log, with this version or this id. Then all is to be decided anew.
            let stored = self.read(|state| Ok(state.version(subject, attempt.version)))?;
            if let Some(stored) = stored
                .filter(|stored| stored.id == attempt.id && stored.content.guid() == attempt.guid && !stored.deleted)
            {
                self.drop_replaced(&turn, &stored).await;
                return Ok(Registered { stored, looked_up: false });
            }
            if !turn.has_time() {
                return Err(turn.out_of_time());
            }
            tracing::info!(%subject, version = attempt.version, "another writer was faster; registering starts over");
        }
    }

    /// Step 4. A text that is no schema at all is refused here already, unless the configuration adds to what is registered: then
    /// nothing is looked up.
    fn already_there(
        &self,
        subject: &Subject,
        draft: &Draft,
        config: &Config,
        options: RegisterOptions,
    ) -> Result<Option<Stored>, Error> {
        if draft.text.trim().is_empty() || config.adds_to_schemas() {
            return Ok(None);
        }
        let normalize = options.normalize || config.normalize.unwrap_or(false);
        let prepared = self.prepare(subject, draft, normalize, Strictness::Stored, Visible::All)?;
        let Some(found) = self.find(subject, &prepared, Visible::Live, draft.version == -1)? else {
            return Ok(None);
        };
        let stored = found.stored;
        let is_meant = match draft.version {
            0 | -1 => draft.id.is_none_or(|id| id == stored.id),
            asked => draft.id == Some(stored.id) && i64::from(asked) == i64::from(stored.version),
        };
        Ok(is_meant.then_some(stored))
    }

    /// Steps 5 to 17, on the state as it is now.
    fn decide(&self, subject: &Subject, draft: &Draft, options: RegisterOptions) -> Result<Decision, Error> {
        let (mode, config, previous, next) = self.read(|state| {
            let mode = state.mode_in_force(Some(subject));
            Ok((mode, state.config_in_force(subject), state.latest(subject), state.next_version(subject)))
        })?;
        mode.check_register(subject, draft.id.is_some())?;
        let prepared = self.prepare_new(subject, draft, mode, &config, previous.as_ref(), next, options)?;
        if draft.version == 0
            && let Some(stored) = self.known_version(subject, draft, &prepared)?
        {
            return Ok(Decision::Known(stored));
        }
        // 13
        if !mode.is_import() && !options.force {
            let messages = self.incompatibilities(subject, &config, &prepared)?;
            if !messages.is_empty() {
                return Err(Error::Incompatible { subject: subject.clone(), messages });
            }
        }
        self.read(|state| {
            let version = version(state, subject, draft, mode, &prepared.content)?;
            let id = id(state, subject, draft, &prepared.content)?;
            let mut records: Vec<Record> = Vec::new();
            // 14
            let context = subject.context();
            if !state.is_context_recorded(context) {
                records.push(log::record(log::context::key(context), Some(log::context::value(context))));
            }
            // A version that is there already is restored, with what newer writers have added to it.
            records.push(state.rewritten(subject, version, Some(false)).unwrap_or_else(|| {
                let key = state.key(&LogKey::Schema { subject: subject.clone(), version });
                log::record(key, Some(log::schema::value(subject, version, id, &prepared.content, false, None)))
            }));
            Ok(Decision::Write(Attempt { version, id, guid: prepared.content.guid(), records }))
        })
    }

    /// Steps 8 and 9: what is missing is taken from the previous version and the configuration, then the text is read.
    #[expect(clippy::too_many_arguments, reason = "one step of the algorithm, with all that it looks at")]
    fn prepare_new(
        &self,
        subject: &Subject,
        draft: &Draft,
        mode: Mode,
        config: &Config,
        previous: Option<&Stored>,
        next: u32,
        options: RegisterOptions,
    ) -> Result<Prepared, Error> {
        let mut draft = draft.clone();
        let mut normalize = options.normalize;
        if !mode.is_import() {
            normalize |= config.normalize.unwrap_or(false);
            if let Some(previous) = previous {
                inherit(&mut draft, previous);
            }
            draft.metadata =
                merged([config.default_metadata.as_ref(), draft.metadata.as_ref(), config.override_metadata.as_ref()]);
        }
        let has_version = draft.metadata.as_ref().is_some_and(|metadata| metadata.property(VERSION_PROPERTY).is_some());
        if draft.version != 0 && !mode.is_import() || has_version && !mode.is_import() {
            draft.metadata.get_or_insert_default().set_property(VERSION_PROPERTY, next.to_string());
        }
        let is_strict = draft.id.is_none() && config.validate_new_schemas != Some(false);
        let strictness = if is_strict { Strictness::New } else { Strictness::Stored };
        let prepared = self.prepare(subject, &draft, normalize, strictness, Visible::Live)?;
        if is_strict {
            reserved::check_names(config, &prepared)?;
        }
        Ok(prepared)
    }

    /// Steps 11 and 12: the live version that is this content, or means the same.
    fn known_version(&self, subject: &Subject, draft: &Draft, prepared: &Prepared) -> Result<Option<Stored>, Error> {
        let is_meant = |stored: &Stored| draft.id.is_none_or(|id| id == stored.id);
        let identical = self.read(|state| Ok(state.carrying(subject, &prepared.content, Visible::Live)))?;
        if let Some(stored) = identical.filter(is_meant) {
            return Ok(Some(stored));
        }
        let versions: Vec<Stored> = self.read(|state| Ok(state.versions(subject, Visible::Live).rev().collect()))?;
        for stored in versions {
            if is_meant(&stored) && self.means(prepared, &prepared.content, &stored)? {
                return Ok(Some(stored));
            }
        }
        Ok(None)
    }

    /// Step 17: softly deleted versions of the subject with the same id have been replaced. Nothing depends on their going,
    /// so a failure is only logged.
    async fn drop_replaced(&self, turn: &crate::write::Turn<'_>, stored: &Stored) {
        let records = self.read(|state| {
            let replaced = state
                .versions(&stored.subject, Visible::Deleted)
                .filter(|old| old.id == stored.id && old.version < stored.version);
            let unused = replaced.filter(|old| state.check_unreferenced(&old.subject, old.version, true).is_ok());
            Ok(unused
                .flat_map(|old| state.tombstones(&LogKey::Schema { subject: old.subject, version: old.version }))
                .collect())
        });
        let dropped = match records {
            Ok(records) => turn.append(records).await,
            Err(error) => Err(error),
        };
        if let Err(error) = dropped {
            tracing::warn!(subject = %stored.subject, "replaced versions were not dropped: {error}");
        }
    }
}

enum Decision {
    Known(Stored),
    Write(Attempt),
}

/// What is written, and how to tell afterwards whether it won.
struct Attempt {
    version: u32,
    id: SchemaId,
    guid: Guid,
    records: Vec<Record>,
}

/// Step 8: what is not given is that of the previous version.
fn inherit(draft: &mut Draft, previous: &Stored) {
    let content = &previous.content;
    if draft.text.trim().is_empty() {
        draft.text = content.text().to_owned();
        draft.kind = content.kind();
        draft.references = content.references().to_vec();
    }
    if draft.metadata.is_none() {
        draft.metadata = content.metadata().cloned();
    }
}

/// Later ones win; empty ones are ignored.
fn merged(layers: [Option<&Metadata>; 3]) -> Option<Metadata> {
    layers.into_iter().flatten().fold(None, |merged: Option<Metadata>, layer| match merged {
        None => Some(layer.clone()),
        Some(merged) => Some(merged.merged(layer)),
    })
}

/// Step 15.
fn version(state: &State, subject: &Subject, draft: &Draft, mode: Mode, content: &Content) -> Result<u32, Error> {
    let next = state.next_version(subject);
    if i32::try_from(next).is_err() {
        return Err(used_up(format!("subject {subject} has no version left")));
    }
    let Some(asked) = u32::try_from(draft.version).ok().filter(|asked| *asked > 0) else {
        return Ok(next);
    };
    if asked == next {
        return Ok(next);
    }
    if !mode.is_import() {
        return Err(Error::VersionNotNext { asked: draft.version, next });
    }
    match state.version(subject, asked) {
        // An import may restore what was softly deleted; it does not overwrite.
        Some(stored) if stored.content.guid() != content.guid() || Some(stored.id) != draft.id => {
            Err(NotPermitted::VersionTaken(subject.clone(), asked).into())
        }
        Some(_) | None => Ok(asked),
    }
}

/// Steps 11 and 16: the id that is asked for, that the content has already, or a new one.
fn id(state: &State, subject: &Subject, draft: &Draft, content: &Content) -> Result<SchemaId, Error> {
    let context = subject.context();
    if let Some(id) = draft.id {
        return match state.content(context, id) {
            Some(other) if other.guid() != content.guid() => {
                Err(NotPermitted::IdTaken { id, context: context.to_owned() }.into())
            }
            Some(_) | None => Ok(id),
        };
    }
    match state
        .ids_of(context, content.guid())
        .iter()
        .find(|id| state.content(context, **id).is_some_and(|known| known.kind() == content.kind()))
    {
        Some(id) => Ok(*id),
        None => {
            let next = state.max_id(context).checked_add(1);
            next.map(SchemaId).ok_or_else(|| used_up(format!("context {context} has no id left")))
        }
    }
}

/// An import has taken the greatest number there is.
fn used_up(cause: String) -> Error {
    Error::Store { operation: Operation::Register.words(), cause, fate: Fate::NotWritten, timed_out: false }
}
