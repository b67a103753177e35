//! The meta-schemas of the drafts, which every schema may refer to as it may to a reference. Confluent has them built in,
//! too: those up to draft-07 for schemas of these drafts, those from draft-06 on for schemas of 2019-09 and 2020-12.
//!
//! The documents are those of the `referencing` crate, which `jsonschema` is made with.

use std::sync::LazyLock;

use referencing::meta;
use serde_json::Value;

/// The documents that a reference to the meta-schema `uri` (without its fragment) needs, each with its own URI.
///
/// `classic`: whether the schema that refers to it is of draft 4, 6 or 7.
pub(super) fn documents(uri: &str, classic: bool) -> &'static [(String, Value)] {
    let Some(name) = name(uri) else { return &[] };
    let family = match name {
        "draft-04/schema" | "draft-06/schema" | "draft-07/schema" => &*CLASSIC,
        _ if !classic && name.starts_with("draft/2019-09/") => &*DRAFT_2019_09,
        _ if !classic && name.starts_with("draft/2020-12/") => &*DRAFT_2020_12,
        _ => return &[],
    };
    match family.iter().any(|(known, _)| self::name(known) == Some(name)) {
        true => family,
        false => &[],
    }
}

/// What follows the host: both schemes stand for the same documents.
fn name(uri: &str) -> Option<&str> {
    let rest = uri.strip_prefix("http://").or_else(|| uri.strip_prefix("https://"))?;
    rest.strip_prefix("json-schema.org/")
}

static CLASSIC: LazyLock<Vec<(String, Value)>> =
    LazyLock::new(|| [&meta::DRAFT4, &meta::DRAFT6, &meta::DRAFT7].map(|document| with_uri(document)).into());

static DRAFT_2019_09: LazyLock<Vec<(String, Value)>> = LazyLock::new(|| {
    let documents = [
        &meta::DRAFT201909,
        &meta::DRAFT201909_APPLICATOR,
        &meta::DRAFT201909_CONTENT,
        &meta::DRAFT201909_CORE,
        &meta::DRAFT201909_FORMAT,
        &meta::DRAFT201909_META_DATA,
        &meta::DRAFT201909_VALIDATION,
    ];
    documents
        .into_iter()
        .map(|document| {
            let (uri, mut document) = with_uri(document);
            without_recursion(&mut document);
            (uri, document)
        })
        .collect()
});

static DRAFT_2020_12: LazyLock<Vec<(String, Value)>> = LazyLock::new(|| {
    let documents = [
        &meta::DRAFT202012,
        &meta::DRAFT202012_APPLICATOR,
        &meta::DRAFT202012_CONTENT,
        &meta::DRAFT202012_CORE,
        &meta::DRAFT202012_FORMAT_ANNOTATION,
        &meta::DRAFT202012_FORMAT_ASSERTION,
        &meta::DRAFT202012_META_DATA,
        &meta::DRAFT202012_UNEVALUATED,
        &meta::DRAFT202012_VALIDATION,
    ];
    documents.into_iter().map(|document| with_uri(document)).collect()
});

fn with_uri(document: &Value) -> (String, Value) {
    let id = document.get("$id").or_else(|| document.get("id")).and_then(Value::as_str).unwrap_or_default();
    (id.trim_end_matches('#').to_owned(), document.clone())
}

/// 2019-09 is read by the rules of 2020-12, where a dynamic anchor has a name.
fn without_recursion(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if members.shift_remove("$recursiveAnchor") == Some(Value::Bool(true)) {
                members.insert("$dynamicAnchor".to_owned(), "meta".into());
            }
            if members.get("$recursiveRef").is_some_and(Value::is_string) {
                members.shift_remove("$recursiveRef");
                members.insert("$dynamicRef".to_owned(), "#meta".into());
            }
            members.values_mut().for_each(without_recursion);
        }
        Value::Array(items) => items.iter_mut().for_each(without_recursion),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::documents;

    #[test]
    fn meta_schemas_are_found_from_schemas_of_their_time() {
        for (uri, classic, modern) in [
            ("http://json-schema.org/draft-04/schema", 3, 3),
            ("https://json-schema.org/draft-07/schema", 3, 3),
            ("https://json-schema.org/draft/2019-09/schema", 0, 7),
            ("https://json-schema.org/draft/2020-12/schema", 0, 9),
            ("https://json-schema.org/draft/2020-12/meta/core", 0, 9),
            ("https://json-schema.org/draft/2020-12/meta/none", 0, 0),
            ("http://json-schema.org/schema", 0, 0),
            ("http://example.org/draft-07/schema", 0, 0),
        ] {
            assert_eq!((documents(uri, true).len(), documents(uri, false).len()), (classic, modern), "{uri}");
        }
    }
}
