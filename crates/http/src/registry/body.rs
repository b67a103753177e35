//! Request bodies of the registry: one JSON object, of which each operation takes the members it knows and ignores the rest.
//!
//! How scalars are converted is described in [`crate::lenient_object`].

use hyper::StatusCode;
use postern_registry::{
    EntityTags, EntityType, Error, Metadata, SchemaId, SchemaKind, SchemaReference, SchemaSubmission,
    check_rule_set_shape, kind_of,
};
use serde_json::Value;

use super::problem::{INVALID_SCHEMA, problem};
use crate::body::Body;
use crate::json_member;
use crate::lenient_object::{LenientObject, NotAnObject};
use crate::problem::Problem;
use crate::request_context::{Params, RequestContext};

/// Bytes of one body. A schema that is stored has at most 1 MiB as a record, and a client may write each of its characters as an escape.
const BODY_MAX: usize = 4 << 20;

/// What the member `schema` has to be.
const SCHEMA_TEXT: &str =
    r#"the schema as a text (JSON inside of a JSON string, such as {"schema": "{\"type\": \"string\"}"})"#;

/// Reads the body of a request.
pub(super) async fn read(request: RequestContext) -> Result<Body, Problem> {
    Ok(read_with_params(request).await?.1)
}

/// Reads the body of a request, and returns the parameters of its path with it.
pub(super) async fn read_with_params(request: RequestContext) -> Result<(Params, Body), Problem> {
    request.read_document(BODY_MAX).await
}

/// The object in a body.
pub(super) fn parse(body: &[u8]) -> Result<LenientObject<'_>, Problem> {
    LenientObject::parse(body).map_err(|error| match error {
        NotAnObject::Empty => Problem::unprocessable("The request has no body: expected a JSON object."),
        NotAnObject::Null => Problem::unprocessable("The request body is null: expected a JSON object."),
        NotAnObject::Syntax(error) => Problem::bad_request(format!("The request body is not JSON: {error}.")),
        NotAnObject::Other(found) => {
            Problem::bad_request(format!("The request body: expected an object, found {found}."))
        }
    })
}

/// Metadata.
pub(super) fn metadata(object: &mut LenientObject<'_>, name: &'static str) -> Result<Option<Metadata>, Problem> {
    let Some(value) = tree(object, name)? else { return Ok(None) };
    let metadata = Metadata::from_json(&value);
    metadata.map(Some).map_err(|message| Problem::bad_request(format!("{}.", object.path(&message))))
}

/// A rule set of the right shape; its rules are checked by the registry.
pub(super) fn rule_set(object: &mut LenientObject<'_>, name: &'static str) -> Result<Option<Value>, Problem> {
    let Some(value) = tree(object, name)? else { return Ok(None) };
    match check_rule_set_shape(&value) {
        Ok(()) => Ok(Some(value)),
        Err(fault) => Err(Problem::bad_request(format!("{}: {fault}", object.path(name)))),
    }
}

fn tree(object: &mut LenientObject<'_>, name: &'static str) -> Result<Option<Value>, Problem> {
    let Some(value) = object.take(name) else { return Ok(None) };
    let error = |error| Problem::bad_request(format!("{}: expected JSON, found {error}.", object.path(name)));
    serde_json::from_str(value.get()).map(Some).map_err(error)
}

/// `None`: absent; `Some(None)`: null; else what `read` returns.
pub(super) fn change<'a, T>(
    object: &mut LenientObject<'a>,
    name: &'static str,
    read: impl FnOnce(&mut LenientObject<'a>, &'static str) -> Result<Option<T>, Problem>,
) -> Result<Option<Option<T>>, Problem> {
    if object.contains(name) { read(object, name).map(Some) } else { Ok(None) }
}

/// A submitted schema.
pub(super) fn draft(object: &mut LenientObject<'_>) -> Result<SchemaSubmission, Problem> {
    let kind = match object.text("schemaType")? {
        None => SchemaKind::Avro,
        Some(name) => kind_of(&name).ok_or_else(|| problem(&Error::UnknownKind(name)))?,
    };
    let rule_set = rule_set(object, "ruleSet")?;
    let has_text = object.contains("schema");
    let text = object.text_expecting("schema", SCHEMA_TEXT)?.unwrap_or_default();
    let submission = SchemaSubmission {
        text,
        references: references(object)?,
        metadata: metadata(object, "metadata")?,
        version: object.int32("version")?.unwrap_or(0),
        id: object.int32("id")?.filter(|id| *id >= 0).map(SchemaId),
        kind,
        rule_set,
    };
    match object.unknown().filter(|name| !has_text && !OTHER_MEMBERS.contains(name)) {
        None => Ok(submission),
        Some(name) => Err(no_schema(name)),
    }
}

/// What a body may have besides the members of a submission.
const OTHER_MEMBERS: [&str; 9] = [
    "subject",
    "guid",
    "ts",
    "deleted",
    "schemaTags",
    "schemaTagsToAdd",
    "schemaTagsToRemove",
    "propagateSchemaTags",
    "compatibilityPolicy",
];

/// Without a text, that of the latest version would be taken, which nobody meant who wrote the schema as the body, or misspelt its member.
fn no_schema(found: &str) -> Problem {
    let message = format!(
        "{}: unknown member, and there is no schema: expected {SCHEMA_TEXT}. If the body is the schema itself, send it as that text.",
        json_member::shown(found)
    );
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, INVALID_SCHEMA, message)
}

fn references(object: &mut LenientObject<'_>) -> Result<Vec<SchemaReference>, Problem> {
    let missing = |item: &LenientObject<'_>, name: &str| {
        problem(&Error::InvalidReference(format!("{} is missing.", item.path(name))))
    };
    let reference = |mut item: LenientObject<'_>| {
        Ok(SchemaReference {
            name: item.text("name")?.ok_or_else(|| missing(&item, "name"))?,
            subject: item
                .text("subject")?
                .filter(|subject| !subject.is_empty())
                .ok_or_else(|| missing(&item, "subject"))?,
            version: item.int32("version")?.ok_or_else(|| missing(&item, "version"))?,
        })
    };
    object.objects("references")?.unwrap_or_default().into_iter().map(reference).collect()
}

/// A list of `SchemaTags`.
pub(super) fn tagged(object: &mut LenientObject<'_>, name: &'static str) -> Result<Vec<EntityTags>, Problem> {
    let missing =
        |item: &LenientObject<'_>, name: &str| problem(&Error::InvalidTags(format!("{} is missing", item.path(name))));
    let tagged = |mut item: LenientObject<'_>| {
        let mut entity = item.object("schemaEntity")?.ok_or_else(|| missing(&item, "schemaEntity"))?;
        let path = entity.text("entityPath")?.ok_or_else(|| missing(&entity, "entityPath"))?;
        let part = entity.text("entityType")?.ok_or_else(|| missing(&entity, "entityType"))?;
        let part = EntityType::parse(&part).ok_or_else(|| {
            Problem::bad_request(format!(
                "{}: expected sr_record or sr_field, found \"{part}\".",
                entity.path("entityType")
            ))
        })?;
        // Messages of a package may be given with a leading dot.
        Ok(EntityTags { path: path.strip_prefix('.').unwrap_or(&path).to_owned(), part, tags: item.texts("tags")? })
    };
    object.objects(name)?.unwrap_or_default().into_iter().map(tagged).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> LenientObject<'_> {
        parse(text.as_bytes()).expect("an object")
    }

    fn draft_of(text: &str) -> Result<SchemaSubmission, Problem> {
        draft(&mut object(text))
    }

    fn refused<T>(result: Result<T, Problem>) -> (u32, String) {
        match result {
            Ok(_) => panic!("taken"),
            Err(problem) => (problem.code, problem.message),
        }
    }

    #[test]
    fn bodies_that_are_no_object_are_refused() {
        for (body, code) in [
            ("", 422),
            ("null", 422),
            ("[]", 400),
            ("\"text\"", 400),
            ("5", 400),
            ("{", 400),
            ("{} {}", 400),
            ("{'a':1}", 400),
        ] {
            assert_eq!(refused(parse(body.as_bytes())).0, code, "{body}");
        }
    }

    #[test]
    fn scalars_are_converted() {
        let mut read =
            object(r#"{"text":7,"int":"12","cut":1.5,"flag":1,"said":"True","null":null,"twice":1,"twice":2}"#);
        assert_eq!(read.text("text").ok().flatten().as_deref(), Some("7"));
        assert_eq!(read.int32("int").ok(), Some(Some(12)));
        assert_eq!(read.int32("cut").ok(), Some(Some(1)));
        assert_eq!(read.flag("flag").ok(), Some(Some(true)));
        assert_eq!(read.flag("said").ok(), Some(Some(true)));
        assert_eq!(read.text("null").ok(), Some(None));
        assert_eq!(read.int32("twice").ok(), Some(Some(2)));
    }

    #[test]
    fn what_cannot_be_converted_is_named() {
        assert_eq!(
            refused(draft_of(r#"{"schema":{}}"#)),
            (400, format!("schema: expected {SCHEMA_TEXT}, found {{}}."))
        );
        assert_eq!(
            refused(draft_of(r#"{"version":true}"#)),
            (400, "version: expected a 32 bit integer, found true.".to_owned())
        );
        assert_eq!(
            refused(draft_of(r#"{"references":[5]}"#)),
            (400, "references[0]: expected an object, found 5.".to_owned())
        );
        let (code, message) = refused(draft_of(r#"{"references":[{"name":"a","subject":"b","version":"x"}]}"#));
        assert_eq!((code, message.as_str()), (400, "references[0].version: expected a 32 bit integer, found \"x\"."));
        assert_eq!(refused(draft_of(r#"{"references":[{"name":"a","subject":"b"}]}"#)).0, 42201);
        assert_eq!(refused(draft_of(r#"{"schemaType":"THRIFT"}"#)).0, 42201);
    }

    #[test]
    fn a_body_without_a_schema_names_the_member_that_stands_there_instead() {
        let itself = refused(draft_of(r#"{"type":"record","name":"R","fields":[]}"#));
        assert_eq!(itself.0, 42201);
        assert!(
            itself.1.starts_with("type: unknown member, and there is no schema: expected the schema"),
            "{}",
            itself.1
        );
        assert_eq!(refused(draft_of(r#"{"shema":"\"int\""}"#)).0, 42201);
        // That of the latest version is meant, or what others send along.
        assert!(draft_of(r#"{"metadata":null,"subject":"s"}"#).is_ok());
        assert!(draft_of(r#"{"schema":"\"int\"","more":1}"#).is_ok());
    }
}
