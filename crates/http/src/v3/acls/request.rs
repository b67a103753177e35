//! The parameters of searches and the bodies of creations (docs/reference/rest-v3.md §9.1, §9.3–9.6).

use postern_proxy::{Acl, AclFilter, AclOperation, AclPatternType, AclPermission, AclResourceType};

use crate::lenient_object::LenientObject;
use crate::problem::Problem;
use crate::request_context::RequestContext;

/// The query of a search. Empty texts: all.
#[derive(Debug)]
pub(super) struct Search {
    resource_type: AclResourceType,
    resource_name: String,
    pattern_type: AclPatternType,
    principal: String,
    host: String,
    operation: AclOperation,
    permission: AclPermission,
}

impl Search {
    /// `for_deletion`: the enumerations must be there.
    pub(super) fn read(request: &RequestContext, for_deletion: bool) -> Result<Search, Problem> {
        let query = |name: &'static str| request.query(name);
        // What is not a value at all is found before what may not be used.
        let resource_type = value(query("resource_type"), "ResourceType", AclResourceType::ALL, AclResourceType::name)?;
        let pattern_type = value(query("pattern_type"), "PatternType", AclPatternType::ALL, AclPatternType::name)?;
        let operation = value(query("operation"), "Operation", AclOperation::ALL, AclOperation::name)?;
        let permission = value(query("permission"), "Permission", AclPermission::ALL, AclPermission::name)?;
        Ok(Search {
            resource_type: usable(
                "resource_type",
                resource_type,
                AclResourceType::Any,
                AclResourceType::Unknown,
                for_deletion,
            )?,
            resource_name: query("resource_name").unwrap_or_default(),
            pattern_type: usable(
                "pattern_type",
                pattern_type,
                AclPatternType::Any,
                AclPatternType::Unknown,
                for_deletion,
            )?,
            principal: query("principal").unwrap_or_default(),
            host: query("host").unwrap_or_default(),
            operation: usable("operation", operation, AclOperation::Any, AclOperation::Unknown, for_deletion)?,
            permission: usable("permission", permission, AclPermission::Any, AclPermission::Unknown, for_deletion)?,
        })
    }

    pub(super) fn filter(&self) -> AclFilter {
        let optional = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        AclFilter {
            resource_type: self.resource_type,
            resource_name: optional(&self.resource_name),
            pattern_type: self.pattern_type,
            principal: optional(&self.principal),
            host: optional(&self.host),
            operation: self.operation,
            permission: self.permission,
        }
    }

    /// In the order of links.
    pub(super) fn values(&self) -> [&str; 7] {
        [
            self.resource_type.name(),
            &self.resource_name,
            self.pattern_type.name(),
            &self.principal,
            &self.host,
            self.operation.name(),
            self.permission.name(),
        ]
    }
}

/// A value of an enumeration in a query, in any case; `what` names the enumeration.
fn value<T: Copy>(
    text: Option<String>,
    what: &str,
    all: &[T],
    name: fn(T) -> &'static str,
) -> Result<Option<T>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let found = all.iter().copied().find(|value| name(*value).eq_ignore_ascii_case(&text));
    found.map(Some).ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|value| name(*value)).collect();
        Problem::missing(format!("The valid values for {what} do not include '{text}': they are {}.", names.join(", ")))
    })
}

fn usable<T: PartialEq>(name: &str, value: Option<T>, any: T, unknown: T, for_deletion: bool) -> Result<T, Problem> {
    match value {
        None if for_deletion => Err(Problem::bad_request(format!(
            "{name} cannot be unspecified or UNKNOWN: name it in the query, {name}=any for all."
        ))),
        None => Ok(any),
        Some(value) if value == unknown && for_deletion => {
            Err(Problem::bad_request(format!("{name} cannot be unspecified or UNKNOWN.")))
        }
        Some(value) if value == unknown => Err(Problem::bad_request(format!("{name} cannot be UNKNOWN."))),
        Some(value) => Ok(value),
    }
}

pub(super) fn read_acl(body: &[u8]) -> Result<Acl, Problem> {
    acl(LenientObject::read(body, "an object with resource_type and the other members of an ACL")?)
}

pub(super) fn read_batch(body: &[u8]) -> Result<Vec<Acl>, Problem> {
    let mut object = LenientObject::read(body, "an object with data")?;
    if object.is_list_of_nulls("data") {
        return Err(Problem::payload("data: expected a list of ACLs, found nothing in it."));
    }
    let data = object.objects("data")?;
    let data = data.ok_or_else(|| Problem::payload("data is missing: expected a list of ACLs."))?;
    let acls = data.into_iter().map(acl).collect::<Result<_, _>>()?;
    object.end()?;
    Ok(acls)
}

/// All members are required. What may be searched for and cannot be created is refused after what is missing.
fn acl(mut object: LenientObject) -> Result<Acl, Problem> {
    let resource_type = object.choice("resource_type", &named(AclResourceType::ALL, AclResourceType::name))?;
    let resource_name = object.kafka_text("resource_name")?;
    let pattern_type = object.choice("pattern_type", &named(AclPatternType::ALL, AclPatternType::name))?;
    let principal = object.kafka_text("principal")?;
    let host = object.kafka_text("host")?;
    let operation = object.choice("operation", &named(AclOperation::ALL, AclOperation::name))?;
    let permission = object.choice("permission", &named(AclPermission::ALL, AclPermission::name))?;
    let acl = Acl {
        resource_type: object.required("resource_type", resource_type)?,
        resource_name: object.required("resource_name", resource_name)?,
        pattern_type: object.required("pattern_type", pattern_type)?,
        principal: object.required("principal", principal)?,
        host: object.required("host", host)?,
        operation: object.required("operation", operation)?,
        permission: object.required("permission", permission)?,
    };
    let cannot = |name: &str, value: &str| {
        let place = object.path(name);
        Err(Problem::bad_request(format!("{place} cannot be {value}: an ACL that is created is about one thing.")))
    };
    if let AclResourceType::Any | AclResourceType::Unknown = acl.resource_type {
        return cannot("resource_type", acl.resource_type.name());
    }
    if let AclPatternType::Any | AclPatternType::Match | AclPatternType::Unknown = acl.pattern_type {
        return cannot("pattern_type", acl.pattern_type.name());
    }
    if let AclOperation::Any | AclOperation::Unknown = acl.operation {
        return cannot("operation", acl.operation.name());
    }
    if let AclPermission::Any | AclPermission::Unknown = acl.permission {
        return cannot("permission", acl.permission.name());
    }
    object.end()?;
    Ok(acl)
}

fn named<T: Copy>(all: &[T], name: fn(T) -> &'static str) -> Vec<(&'static str, T)> {
    all.iter().map(|value| (name(*value), *value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"resource_type":"TOPIC","resource_name":"t","pattern_type":"LITERAL","principal":"User:a","host":"*","operation":"READ","permission":"ALLOW"}"#;

    #[test]
    fn an_acl_is_read_and_each_mistake_named() {
        let acl = read_acl(GOOD.as_bytes()).expect("good");
        assert_eq!((acl.resource_type, acl.operation), (AclResourceType::Topic, AclOperation::Read));
        for (from, to, code, message) in [
            (r#""host":"*","#, "", 400, "host is missing: it is required, and must not be null."),
            ("TOPIC", "ANY", 400, "resource_type cannot be ANY: an ACL that is created is about one thing."),
            ("LITERAL", "MATCH", 400, "pattern_type cannot be MATCH: an ACL that is created is about one thing."),
            ("\"ALLOW\"", "\"allow\"", 400, "permission: expected UNKNOWN, ANY, DENY or ALLOW, found \"allow\"."),
            (
                "\"ALLOW\"",
                "\"ALLOW\",\"x\":1",
                422,
                "Unrecognized field: x. There may be resource_type, resource_name, pattern_type, principal, host, operation, permission.",
            ),
        ] {
            let problem = read_acl(GOOD.replace(from, to).as_bytes()).expect_err("refused");
            assert_eq!((problem.code, problem.message.as_str()), (code, message));
        }
        for (body, code) in [
            ("{}".to_owned(), 42206),
            (r#"{"data":null}"#.to_owned(), 42206),
            (r#"{"data":[null]}"#.to_owned(), 42206),
            (format!(r#"{{"acls":[{GOOD}]}}"#), 42206),
            (r#"{"data":{}}"#.to_owned(), 400),
            (format!(r#"{{"data":[{GOOD},null]}}"#), 400),
        ] {
            assert_eq!(read_batch(body.as_bytes()).expect_err("refused").code, code, "{body}");
        }
        assert_eq!(read_batch(format!(r#"{{"data":[{GOOD},{GOOD}]}}"#).as_bytes()).expect("good").len(), 2);
    }
}
