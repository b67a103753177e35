//! `/subjects/{subject}/versions` — list, register, show, delete; and what refers to one (docs/reference/schema-registry.md §3, rows 12 to 19).

use hyper::StatusCode;
use postern_registry::{
    Derived, Error, RegisterOptions, Registered, Registry, Stored, TagChanges, Visible, check_rules,
};

use super::shapes::{Asked, Registration, Version, told};
use super::{body, names, subjects};
use crate::call::Call;
use crate::problem::Problem;
use crate::reply::Reply;

/// Ids in one answer of `referencedby`.
const REFERRERS_MAX: usize = 1000;

/// `GET /subjects/{subject}/versions`
pub(super) async fn list(registry: Registry, call: Call) -> Result<Reply, Problem> {
    let (subject, page) = (names::subject(&registry, &call)?, names::page(&call, usize::MAX)?);
    let marks_deleted = call.flag("deletedAsNegative");
    let visible = if marks_deleted { Visible::All } else { subjects::visible(&call) };
    let found = told(registry.versions(&subject, visible, page))?;
    let number = |stored: &Stored| {
        if marks_deleted && stored.deleted { -i64::from(stored.version) } else { i64::from(stored.version) }
    };
    Ok(Reply::ok(&found.iter().map(number).collect::<Vec<_>>()))
}

/// `POST /subjects/{subject}/versions`
pub(super) async fn register(registry: Registry, call: Call) -> Result<Reply, Problem> {
    let subject = names::subject(&registry, &call)?;
    let options = RegisterOptions { normalize: call.flag("normalize"), force: call.flag("force") };
    let format = call.query("format");
    let (_, mut members) = body::read(call).await?;
    let draft = members.draft()?;
    let changes = TagChanges {
        add: members.tagged("schemaTagsToAdd")?,
        remove: members.tagged("schemaTagsToRemove")?,
        propagate: members.flag("propagateSchemaTags")?.unwrap_or(false),
    };
    let registered = match changes == TagChanges::default() {
        true => registry.register(&subject, draft, options).await,
        false => registry.register_tagged(&subject, draft, changes, options).await,
    };
    answer(&registry, told(registered)?, format.as_deref())
}

/// What a client is told that registered something.
fn answer(registry: &Registry, registered: Registered, format: Option<&str>) -> Result<Reply, Problem> {
    let asked = Asked::in_format(registry, registered.stored, format)?;
    Ok(Reply::ok(&Registration::of(&asked, !registered.looked_up)))
}

/// `GET /subjects/{subject}/versions/{version}`
pub(super) async fn show(registry: Registry, call: Call) -> Result<Reply, Problem> {
    let asked = Asked::by(&registry, &call, version(&registry, &call)?)?;
    Ok(Reply::ok(&Version::of(&asked)))
}

/// `GET /subjects/{subject}/versions/{version}/schema`
pub(super) async fn text(registry: Registry, call: Call) -> Result<Reply, Problem> {
    let asked = Asked::by(&registry, &call, version(&registry, &call)?)?;
    Ok(Reply::bytes(StatusCode::OK, asked.text().to_owned()))
}

/// `DELETE /subjects/{subject}/versions/{version}`
pub(super) async fn delete(registry: Registry, call: Call) -> Result<Reply, Problem> {
    let version = names::version(&call)?;
    let subject = names::subject(&registry, &call)?;
    Ok(Reply::ok(&told(registry.delete_version(&subject, version, call.flag("permanent")).await)?))
}

/// `GET /subjects/{subject}/versions/{version}/referencedby`
pub(super) async fn referenced_by(registry: Registry, call: Call) -> Result<Reply, Problem> {
    let (version, page) = (names::version(&call)?, names::page(&call, REFERRERS_MAX)?);
    let subject = names::subject(&registry, &call)?;
    let referrers = told(registry.referrers(&subject, version, call.flag("deleted")))?;
    let mut ids: Vec<i32> = referrers.iter().map(|stored| stored.id.0).collect();
    ids.sort_unstable();
    ids.dedup();
    Ok(Reply::ok(&ids.into_iter().skip(page.offset).take(page.limit).collect::<Vec<_>>()))
}

/// `GET /subjects/{subject}/metadata` — the newest version whose metadata has all the pairs of `key` and `value`.
pub(super) async fn with_metadata(registry: Registry, call: Call) -> Result<Reply, Problem> {
    let subject = names::subject(&registry, &call)?;
    let pairs: Vec<_> = call.queries("key").zip(call.queries("value")).collect();
    let found = told(registry.version_with(&subject, &pairs, call.flag("deleted")))?;
    let asked = Asked::in_format(&registry, found, call.query("format").as_deref())?;
    Ok(Reply::ok(&Version::of(&asked)))
}

/// `POST /subjects/{subject}/versions/{version}/tags` — a new version, with other tags or metadata. Rules are checked and not kept.
pub(super) async fn tag(registry: Registry, call: Call) -> Result<Reply, Problem> {
    let version = names::version(&call)?;
    let subject = names::subject(&registry, &call)?;
    let (_, mut members) = body::read(call).await?;
    let merges = members.rule_set("rulesToMerge")?;
    let removes = members.take("rulesToRemove").is_some_and(|names| names.as_array().is_none_or(|all| !all.is_empty()));
    if members.rule_set("ruleSet")?.is_some() && (merges.is_some() || removes) {
        let both = "ruleSet should be omitted if specifying rulesToMerge or rulesToRemove.";
        return told(Err(Error::InvalidRules(both.to_owned())));
    }
    if let Some(rules) = merges {
        told(check_rules(&rules).map_err(|fault| Error::InvalidRules(fault.to_string())))?;
    }
    let derived = Derived {
        version: members.integer("newVersion")?.filter(|version| *version > 0),
        tags: TagChanges {
            add: members.tagged("tagsToAdd")?,
            remove: members.tagged("tagsToRemove")?,
            propagate: false,
        },
        metadata: members.metadata("metadata")?,
    };
    let registered = told(registry.derive(&subject, version, derived, RegisterOptions::default()).await)?;
    answer(&registry, registered, None)
}

fn version(registry: &Registry, call: &Call) -> Result<Stored, Problem> {
    let version = names::version(call)?;
    told(registry.version(&names::subject(registry, call)?, version, call.flag("deleted")))
}
