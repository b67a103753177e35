//! `/schemas` — all of them, and by id and guid (docs/reference/schema-registry.md §3, rows 1 to 8).

use postern_registry::{Error, Guid, Page, Registry, Stored};
use serde_json::json;

use super::names;
use super::shapes::{Asked, ById, Version, told};
use crate::call::Call;
use crate::problem::Problem;
use crate::reply::Reply;

/// Schemas in one answer.
const PAGE_MAX: usize = 1000;

/// `GET /schemas`
pub(super) async fn list(registry: Registry, call: Call) -> Result<Reply, Problem> {
    let rule_type = call.query("ruleType").filter(|kind| !kind.is_empty());
    let (prefix, page) = (names::prefix(&call, "")?, names::page(&call, PAGE_MAX)?);
    let (deleted, latest_only) = (call.flag("deleted"), call.flag("latestOnly"));
    let found = told(registry.schemas(&prefix, deleted, latest_only, rule_type.as_deref(), page))?;
    let found: Vec<Asked> = found.into_iter().map(Asked::as_stored).collect();
    if !call.flag("aliases") {
        return Ok(Reply::ok(&found.iter().map(Version::of).collect::<Vec<_>>()));
    }
    let aliases: Vec<_> = found.iter().map(|asked| registry.aliases(&asked.stored.subject)).collect();
    Ok(Reply::ok(
        &found
            .iter()
            .zip(&aliases)
            .map(|(asked, aliases)| Version::of(asked).with_aliases(aliases))
            .collect::<Vec<_>>(),
    ))
}

/// `GET /schemas/types`
pub(super) async fn types(_: Registry, _: Call) -> Result<Reply, Problem> {
    Ok(Reply::ok(&["JSON", "PROTOBUF", "AVRO"]))
}

/// `GET /schemas/ids/{id}`
pub(super) async fn by_id(registry: Registry, call: Call) -> Result<Reply, Problem> {
    let asked = Asked::by(&registry, &call, named(&registry, &call)?)?;
    let mut shown = ById::of(&asked);
    if call.flag("fetchMaxId") {
        shown.max_id = Some(told(registry.max_id(asked.stored.subject.context()))?);
    }
    Ok(Reply::ok(&shown))
}

/// `GET /schemas/ids/{id}/schema`
pub(super) async fn text_by_id(registry: Registry, call: Call) -> Result<Reply, Problem> {
    let asked = Asked::by(&registry, &call, named(&registry, &call)?)?;
    Ok(Reply::bytes(hyper::StatusCode::OK, asked.text().to_owned()))
}

/// `GET /schemas/ids/{id}/subjects`
pub(super) async fn subjects(registry: Registry, call: Call) -> Result<Reply, Problem> {
    let page = names::page(&call, usize::MAX)?;
    let holders = holders(&registry, &call, Page::ALL)?;
    let mut subjects: Vec<&str> = holders.iter().map(|stored| stored.subject.as_str()).collect();
    subjects.sort_unstable();
    subjects.dedup();
    Ok(Reply::ok(&subjects.into_iter().skip(page.offset).take(page.limit).collect::<Vec<_>>()))
}

/// `GET /schemas/ids/{id}/versions`
pub(super) async fn versions(registry: Registry, call: Call) -> Result<Reply, Problem> {
    let holders = holders(&registry, &call, names::page(&call, usize::MAX)?)?;
    let shown = |stored: &Stored| json!({"subject": stored.subject.as_str(), "version": stored.version});
    Ok(Reply::ok(&holders.iter().map(shown).collect::<Vec<_>>()))
}

/// `GET /schemas/guids/{guid}`
pub(super) async fn by_guid(registry: Registry, call: Call) -> Result<Reply, Problem> {
    let text = call.params.get("guid");
    let guid = told(Guid::parse(text).ok_or_else(|| Error::GuidNotFound(text.to_owned())))?;
    let asked = Asked::in_format(&registry, told(registry.schema_by_guid(guid))?, call.query("format").as_deref())?;
    Ok(Reply::ok(&ById::of(&asked).without_version()))
}

/// `GET /schemas/guids/{guid}/ids`
pub(super) async fn ids(registry: Registry, call: Call) -> Result<Reply, Problem> {
    let found = match Guid::parse(call.params.get("guid")) {
        Some(guid) => told(registry.ids_of(guid))?,
        None => Vec::new(),
    };
    Ok(Reply::ok(&found.iter().map(|(context, id)| json!({"context": context, "id": id.0})).collect::<Vec<_>>()))
}

fn named(registry: &Registry, call: &Call) -> Result<Stored, Problem> {
    let id = names::id(call)?;
    let subject = names::queried_subject(registry, call)?;
    told(registry.schema(id, subject.as_ref()))
}

fn holders(registry: &Registry, call: &Call, page: Page) -> Result<Vec<Stored>, Problem> {
    let id = names::id(call)?;
    told(registry.holders(&names::queried_context(registry, call)?, id, call.flag("deleted"), page))
}
