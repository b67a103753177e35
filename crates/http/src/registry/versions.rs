//! `/subjects/{subject}/versions` — list, register, show, delete; and what refers to one (schema-registry.md §3, rows 12 to 19).

use hyper::StatusCode;
use postern_registry::{Error, RegisterOptions, Registry, Stored, Visible};

use super::shapes::{Version, as_asked, told};
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
    let (_, mut members) = body::read(call).await?;
    let draft = members.draft()?;
    let tags = [members.take("schemaTagsToAdd"), members.take("schemaTagsToRemove")];
    let changes_tags = tags.iter().flatten().any(|tags| tags.as_array().is_none_or(|tags| !tags.is_empty()));
    if changes_tags || members.flag("propagateSchemaTags")? == Some(true) {
        return told(Err(Error::NotBuilt("Changing tags while registering")));
    }
    let registered = told(registry.register(&subject, draft, options).await)?;
    let shown = Version::of(&registered.stored).without_subject();
    Ok(Reply::ok(&if registered.looked_up { shown } else { shown.without_record() }))
}

/// `GET /subjects/{subject}/versions/{version}`
pub(super) async fn show(registry: Registry, call: Call) -> Result<Reply, Problem> {
    let stored = as_asked(&call, version(&registry, &call)?)?;
    Ok(Reply::ok(&Version::of(&stored)))
}

/// `GET /subjects/{subject}/versions/{version}/schema`
pub(super) async fn text(registry: Registry, call: Call) -> Result<Reply, Problem> {
    let stored = as_asked(&call, version(&registry, &call)?)?;
    Ok(Reply::bytes(StatusCode::OK, stored.content.text().to_owned()))
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
    let pairs: Vec<_> = names::queries(&call, "key").into_iter().zip(names::queries(&call, "value")).collect();
    let stored = as_asked(&call, told(registry.version_with(&subject, &pairs, call.flag("deleted")))?)?;
    Ok(Reply::ok(&Version::of(&stored)))
}

/// `POST /subjects/{subject}/versions/{version}/tags`
pub(super) async fn tag(_: Registry, _: Call) -> Result<Reply, Problem> {
    told(Err(Error::NotBuilt("Changing tags")))
}

fn version(registry: &Registry, call: &Call) -> Result<Stored, Problem> {
    let version = names::version(call)?;
    told(registry.version(&names::subject(registry, call)?, version, call.flag("deleted")))
}
