//! Request bodies of the registry: one JSON object, of which each operation takes the members it knows and ignores the rest.
//!
//! Scalars are converted as the registry we replace does (docs/reference/schema-registry.md §1): a number where a text is wanted, a text where a number or a
//! flag is wanted, 1 for true; a fraction is cut off. What cannot be converted is refused, with its path, what was expected and what was found.

use postern_registry::{Draft, Error, Metadata, Part, Reference, SchemaId, SchemaKind, Tagged, check_shape, kind_of};

use serde_json::{Map, Value};

use super::problem::problem;
use crate::call::{Call, Params};
use crate::problem::Problem;

/// The members of an object, and where it stands.
pub(super) struct Members {
    place: String,
    members: Map<String, Value>,
}

/// The object in the body of a call.
pub(super) async fn read(call: Call) -> Result<(Params, Members), Problem> {
    let (params, body) = call.read().await?;
    Ok((params, Members::parse(&body)?))
}

impl Members {
    fn parse(body: &[u8]) -> Result<Members, Problem> {
        if body.trim_ascii().is_empty() {
            return Err(Problem::unprocessable("The request has no body: expected a JSON object."));
        }
        let value = serde_json::from_slice(body)
            .map_err(|error| Problem::bad_request(format!("The request body is not JSON: {error}.")))?;
        match value {
            Value::Object(members) => Ok(Members { place: String::new(), members }),
            Value::Null => Err(Problem::unprocessable("The request body is null: expected a JSON object.")),
            other @ (Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
                Err(Problem::bad_request(format!("The request body: expected an object, found {}.", kind(&other))))
            }
        }
    }

    /// A member that is there and not null.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.members.remove(name).filter(|value| !value.is_null())
    }

    /// A text.
    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, Problem> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(Value::Bool(flag)) => Ok(Some(flag.to_string())),
            Some(other @ (Value::Null | Value::Array(_) | Value::Object(_))) => Err(self.wrong(name, "a text", &other)),
        }
    }

    /// A 32 bit integer.
    pub(super) fn integer(&mut self, name: &str) -> Result<Option<i32>, Problem> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let integer = match &value {
            Value::String(text) if text.trim().is_empty() => return Ok(None),
            Value::String(text) => text.trim().parse::<i64>().ok(),
            Value::Number(number) => number
                .as_i64()
                .or_else(|| number.as_f64().filter(|number| number.abs() < 1e15).map(|number| number as i64)),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        };
        let integer = integer.and_then(|integer| i32::try_from(integer).ok());
        integer.map(Some).ok_or_else(|| self.wrong(name, "a 32 bit integer", &value))
    }

    /// A flag.
    pub(super) fn flag(&mut self, name: &str) -> Result<Option<bool>, Problem> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let flag = match &value {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) if text.trim().is_empty() => return Ok(None),
            Value::String(text) if text.trim().eq_ignore_ascii_case("true") => Some(true),
            Value::String(text) if text.trim().eq_ignore_ascii_case("false") => Some(false),
            Value::Number(number) => number.as_i64().map(|number| number != 0),
            Value::Null | Value::String(_) | Value::Array(_) | Value::Object(_) => None,
        };
        flag.map(Some).ok_or_else(|| self.wrong(name, "true or false", &value))
    }

    /// Metadata.
    pub(super) fn metadata(&mut self, name: &str) -> Result<Option<Metadata>, Problem> {
        let metadata = self.take(name).map(|value| Metadata::from_json(&value)).transpose();
        metadata.map_err(|message| Problem::bad_request(format!("{}{message}.", self.place)))
    }

    /// A rule set, of the right shape; whether its rules make sense is another question.
    pub(super) fn rule_set(&mut self, name: &str) -> Result<Option<Value>, Problem> {
        let Some(value) = self.take(name) else { return Ok(None) };
        match check_shape(&value) {
            Ok(()) => Ok(Some(value)),
            Err(fault) => Err(Problem::bad_request(format!("{}{name}: {fault}", self.place))),
        }
    }

    /// A list of `SchemaTags`.
    pub(super) fn tagged(&mut self, name: &str) -> Result<Vec<Tagged>, Problem> {
        let items = match self.take(name) {
            None => return Ok(Vec::new()),
            Some(Value::Array(items)) => items,
            Some(other) => return Err(self.wrong(name, "an array", &other)),
        };
        items.into_iter().enumerate().map(|(at, item)| tagged(&format!("{name}[{at}]"), item)).collect()
    }

    /// `None`: absent; `Some(None)`: null; else what `read` makes of it.
    pub(super) fn change<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&mut Members, &str) -> Result<Option<T>, Problem>,
    ) -> Result<Option<Option<T>>, Problem> {
        match self.members.contains_key(name) {
            true => read(self, name).map(Some),
            false => Ok(None),
        }
    }

    /// A submitted schema.
    pub(super) fn draft(&mut self) -> Result<Draft, Problem> {
        let kind = match self.text("schemaType")? {
            None => SchemaKind::Avro,
            Some(name) => kind_of(&name).ok_or_else(|| problem(&Error::UnknownKind(name)))?,
        };
        let rule_set = self.rule_set("ruleSet")?;
        Ok(Draft {
            text: self.text("schema")?.unwrap_or_default(),
            references: self.references()?,
            metadata: self.metadata("metadata")?,
            version: self.integer("version")?.unwrap_or(0),
            id: self.integer("id")?.filter(|id| *id >= 0).map(SchemaId),
            kind,
            rule_set,
        })
    }

    fn references(&mut self) -> Result<Vec<Reference>, Problem> {
        let items = match self.take("references") {
            None => return Ok(Vec::new()),
            Some(Value::Array(items)) => items,
            Some(other) => return Err(self.wrong("references", "an array", &other)),
        };
        items.into_iter().enumerate().map(|(at, item)| reference(at, item)).collect()
    }

    fn wrong(&self, name: &str, expected: &str, found: &Value) -> Problem {
        Problem::bad_request(format!("{}{name}: expected {expected}, found {}.", self.place, kind(found)))
    }
}

fn reference(at: usize, item: Value) -> Result<Reference, Problem> {
    let place = format!("references[{at}]");
    let mut members = inner(&place, item)?;
    let missing = |name: &str| problem(&Error::InvalidReference(format!("{place}.{name} is missing.")));
    Ok(Reference {
        name: members.text("name")?.ok_or_else(|| missing("name"))?,
        subject: members.text("subject")?.filter(|subject| !subject.is_empty()).ok_or_else(|| missing("subject"))?,
        version: members.integer("version")?.ok_or_else(|| missing("version"))?,
    })
}

fn tagged(place: &str, item: Value) -> Result<Tagged, Problem> {
    let mut members = inner(place, item)?;
    let missing = |name: &str| problem(&Error::InvalidTags(format!("{place}.{name} is missing")));
    let entity = members.take("schemaEntity").ok_or_else(|| missing("schemaEntity"))?;
    let mut entity = inner(&format!("{place}.schemaEntity"), entity)?;
    let path = entity.text("entityPath")?.ok_or_else(|| missing("schemaEntity.entityPath"))?;
    let part = entity.text("entityType")?.ok_or_else(|| missing("schemaEntity.entityType"))?;
    let part = Part::parse(&part).ok_or_else(|| {
        Problem::bad_request(format!(
            "{place}.schemaEntity.entityType: expected sr_record or sr_field, found \"{part}\"."
        ))
    })?;
    let tags = match members.take("tags") {
        None => Vec::new(),
        Some(Value::Array(tags)) => tags,
        Some(other) => return Err(members.wrong("tags", "an array of texts", &other)),
    };
    let text = |tag: &Value| tag.as_str().map(str::to_owned).ok_or_else(|| members.wrong("tags[]", "a text", tag));
    let tags = tags.iter().map(text).collect::<Result<_, _>>()?;
    // Messages of a package may be given with a leading dot.
    Ok(Tagged { path: path.strip_prefix('.').unwrap_or(&path).to_owned(), part, tags })
}

/// The members of an object inside the body.
fn inner(place: &str, value: Value) -> Result<Members, Problem> {
    match value {
        Value::Object(members) => Ok(Members { place: format!("{place}."), members }),
        other => Err(Problem::bad_request(format!("{place}: expected an object, found {}.", kind(&other)))),
    }
}

fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => format!("the text \"{}\"", text.chars().take(40).collect::<String>()),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(text: &str) -> Members {
        match Members::parse(text.as_bytes()) {
            Ok(members) => members,
            Err(problem) => panic!("{}", problem.message),
        }
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
            assert_eq!(refused(Members::parse(body.as_bytes())).0, code, "{body}");
        }
    }

    #[test]
    fn scalars_are_converted() {
        let mut read =
            members(r#"{"text":7,"int":"12","cut":1.5,"flag":1,"said":"True","null":null,"twice":1,"twice":2}"#);
        assert_eq!(read.text("text").ok().flatten().as_deref(), Some("7"));
        assert_eq!(read.integer("int").ok(), Some(Some(12)));
        assert_eq!(read.integer("cut").ok(), Some(Some(1)));
        assert_eq!(read.flag("flag").ok(), Some(Some(true)));
        assert_eq!(read.flag("said").ok(), Some(Some(true)));
        assert_eq!(read.text("null").ok(), Some(None));
        assert_eq!(read.integer("twice").ok(), Some(Some(2)));
    }

    #[test]
    fn what_cannot_be_converted_is_named() {
        assert_eq!(
            refused(members(r#"{"schema":{}}"#).draft()),
            (400, "schema: expected a text, found an object.".to_owned())
        );
        assert_eq!(
            refused(members(r#"{"version":true}"#).draft()),
            (400, "version: expected a 32 bit integer, found true.".to_owned())
        );
        assert_eq!(
            refused(members(r#"{"references":[5]}"#).draft()),
            (400, "references[0]: expected an object, found 5.".to_owned())
        );
        let (code, message) = refused(members(r#"{"references":[{"name":"a","subject":"b","version":"x"}]}"#).draft());
        assert_eq!(
            (code, message.as_str()),
            (400, "references[0].version: expected a 32 bit integer, found the text \"x\".")
        );
        assert_eq!(refused(members(r#"{"references":[{"name":"a","subject":"b"}]}"#).draft()).0, 42201);
        assert_eq!(refused(members(r#"{"schemaType":"THRIFT"}"#).draft()).0, 42201);
    }
}
