//! Every kind of difference that is reported, where it is found, and what the lenient policy lets pass.

use postern_schema::Policy;
use serde_json::{Value, json};

use super::{referring, schema};

/// What keeps `new` from reading what `old` wrote, as "TYPE path", sorted.
fn found(old: &Value, new: &Value, policy: Policy) -> Vec<String> {
    let (old, new) = (schema(&old.to_string()), schema(&new.to_string()));
    let found = new.cannot_read_with(&old, policy);
    let mut found = found.iter().map(|one| format!("{} {}", one.kind(), one.path())).collect::<Vec<_>>();
    found.sort();
    found
}

fn modern(mut schema: Value) -> Value {
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    schema
}

#[test]
fn values_of_scalars() {
    for (old, new, wanted) in [
        (json!({"type": "string"}), json!({"type": "string", "maxLength": 5}), "MAX_LENGTH_ADDED #/maxLength"),
        (json!({"maxLength": 5}), json!({"maxLength": 4}), "MAX_LENGTH_DECREASED #/maxLength"),
        (json!({"pattern": "a"}), json!({"pattern": "a", "minLength": 1}), "MIN_LENGTH_ADDED #/minLength"),
        (json!({"minLength": -1}), json!({"minLength": 1}), "MIN_LENGTH_INCREASED #/minLength"),
        (json!({"type": "string"}), json!({"pattern": "a"}), "PATTERN_ADDED #/pattern"),
        (json!({"pattern": "a"}), json!({"pattern": "b"}), "PATTERN_CHANGED #/pattern"),
        (json!({"type": "number"}), json!({"maximum": 1}), "MAXIMUM_ADDED #/maximum"),
        (json!({"maximum": 1.5}), json!({"maximum": 1.25}), "MAXIMUM_DECREASED #/maximum"),
        (json!({"maximum": 1e2}), json!({"maximum": 100}), ""),
        (json!({"type": "number"}), json!({"minimum": 1}), "MINIMUM_ADDED #/minimum"),
        (json!({"minimum": -1}), json!({"minimum": 0}), "MINIMUM_INCREASED #/minimum"),
        (json!({"type": "number"}), json!({"exclusiveMaximum": 1}), "EXCLUSIVE_MAXIMUM_ADDED #/exclusiveMaximum"),
        (
            json!({"exclusiveMaximum": 5}),
            json!({"exclusiveMaximum": 4}),
            "EXCLUSIVE_MAXIMUM_DECREASED #/exclusiveMaximum",
        ),
        (json!({"type": "number"}), json!({"exclusiveMinimum": 1}), "EXCLUSIVE_MINIMUM_ADDED #/exclusiveMinimum"),
        (
            json!({"exclusiveMinimum": 1}),
            json!({"exclusiveMinimum": 2}),
            "EXCLUSIVE_MINIMUM_INCREASED #/exclusiveMinimum",
        ),
        (json!({"type": "number"}), json!({"multipleOf": 2}), "MULTIPLE_OF_ADDED #/multipleOf"),
        (json!({"multipleOf": 0.1}), json!({"multipleOf": 0.3}), "MULTIPLE_OF_EXPANDED #/multipleOf"),
        (json!({"multipleOf": 0.3}), json!({"multipleOf": 0.1}), ""),
        (json!({"multipleOf": 1}), json!({"multipleOf": 1e50}), "MULTIPLE_OF_EXPANDED #/multipleOf"),
        (json!({"multipleOf": 1e30}), json!({"multipleOf": 1e-30}), ""),
        (json!({"multipleOf": 2}), json!({"multipleOf": 2.0}), ""),
        (json!({"multipleOf": 2}), json!({"multipleOf": 3}), "MULTIPLE_OF_CHANGED #/multipleOf"),
        (json!({"type": "number"}), json!({"type": "integer"}), "TYPE_NARROWED #/"),
        (json!({"type": "string"}), json!({"type": "integer"}), "TYPE_CHANGED #/"),
        (json!({"enum": [1, 2]}), json!({"enum": [2]}), "ENUM_ARRAY_NARROWED #/enum"),
        (json!({"enum": [1, 2]}), json!({"enum": [2, 3]}), "ENUM_ARRAY_CHANGED #/enum"),
        (json!({"enum": [1]}), json!({"enum": [1.0]}), "ENUM_ARRAY_CHANGED #/enum"),
        (json!({"enum": [{"a": 1, "b": 2}, 1e2]}), json!({"enum": [1E2, {"b": 2, "a": 1}]}), ""),
        (json!({"const": 1}), json!({"const": 2}), "ENUM_ARRAY_CHANGED #/const"),
        (json!({"const": 1}), json!({"enum": [1]}), "TYPE_CHANGED #/"),
        (json!(false), json!({"type": "string"}), ""),
        (json!({"type": "string"}), json!(true), ""),
        (json!({"type": "string"}), json!(false), "TYPE_CHANGED #/"),
        (json!({"if": true}), json!({"if": false}), ""),
        (json!({"format": "date"}), json!({"format": "time"}), ""),
        (json!({"not": {"maxLength": 5}}), json!({"not": {"maxLength": 6}}), "NOT_TYPE_EXTENDED #/not"),
        (json!({"not": {"maxLength": 6}}), json!({"not": {"maxLength": 5}}), ""),
    ] {
        let wanted = wanted.split_terminator(';').collect::<Vec<_>>();
        assert_eq!(found(&old, &new, Policy::Strict), wanted, "{old} {new}");
        assert_eq!(found(&old, &new, Policy::Lenient), wanted, "{old} {new}");
    }
}

#[test]
fn properties() {
    let open = json!({"properties": {"a": {"type": "string"}}});
    let closed = json!({"properties": {"a": {"type": "string"}}, "additionalProperties": false});
    let partly = json!({"properties": {"a": {"type": "string"}}, "additionalProperties": {"type": "string"}});
    let with = |base: &Value, property: Value, required: &[&str]| {
        let mut schema = base.clone();
        schema["properties"]["b"] = property;
        schema["required"] = required.into();
        schema
    };
    let nothing = json!({"type": "object"});
    let forbidden = json!({"additionalProperties": false});
    for (old, new, strict, lenient) in [
        (
            open.clone(),
            with(&open, json!({"type": "null"}), &[]),
            "OPTIONAL_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL #/properties/b",
            "",
        ),
        (
            open.clone(),
            with(&open, json!({"type": "null"}), &["b"]),
            "REQUIRED_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL #/properties/b",
            "REQUIRED_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL #/properties/b",
        ),
        (
            open.clone(),
            with(&open, json!({"default": null, "type": "null"}), &["b"]),
            "REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_OPEN_CONTENT_MODEL #/properties/b",
            "",
        ),
        (open.clone(), with(&open, json!(true), &["b"]), "", ""),
        (closed.clone(), with(&closed, json!({"type": "null"}), &[]), "", ""),
        (
            closed.clone(),
            with(&closed, json!({"type": "null"}), &["b"]),
            "REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL #/properties/b",
            "REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL #/properties/b",
        ),
        (closed.clone(), with(&closed, json!({"default": 1}), &["b"]), "", ""),
        (partly.clone(), with(&partly, json!({"type": "string"}), &[]), "", ""),
        (
            partly.clone(),
            with(&partly, json!({"type": "null"}), &["b"]),
            "PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/properties/b;\
             REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL #/properties/b;TYPE_CHANGED #/properties/b",
            "REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL #/properties/b;TYPE_CHANGED #/properties/b",
        ),
        (open.clone(), nothing.clone(), "", ""),
        (closed.clone(), forbidden.clone(), "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL #/properties/a", ""),
        (with(&json!({"additionalProperties": false}), json!(false), &[]), forbidden.clone(), "", ""),
        (
            partly.clone(),
            json!({"additionalProperties": {"type": "integer"}}),
            "PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/properties/a;\
             TYPE_CHANGED #/additionalProperties;TYPE_CHANGED #/properties/a",
            "TYPE_CHANGED #/additionalProperties;TYPE_CHANGED #/properties/a",
        ),
        (closed.clone(), json!({"patternProperties": {"^a$": {"type": "string"}}}), "", ""),
        (
            closed.clone(),
            json!({"patternProperties": {"^b$": {"type": "string"}}}),
            "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL #/properties/a",
            "",
        ),
        (open.clone(), closed.clone(), "ADDITIONAL_PROPERTIES_REMOVED #/additionalProperties", ""),
        (open.clone(), partly.clone(), "ADDITIONAL_PROPERTIES_NARROWED #/additionalProperties", ""),
        (partly.clone(), open.clone(), "", ""),
        (closed.clone(), partly.clone(), "", ""),
        (
            open.clone(),
            json!({"properties": {"a": {"type": "string"}}, "required": ["a", "z"]}),
            "REQUIRED_ATTRIBUTE_ADDED #/required/a",
            "REQUIRED_ATTRIBUTE_ADDED #/required/a",
        ),
        (open.clone(), json!({"properties": {"a": {"type": "string", "default": ""}}, "required": ["a"]}), "", ""),
        (
            open.clone(),
            json!({"properties": {"a": {"$ref": "#/x", "default": ""}}, "x": {"type": "string"}, "required": ["a"]}),
            "REQUIRED_ATTRIBUTE_ADDED #/required/a",
            "REQUIRED_ATTRIBUTE_ADDED #/required/a",
        ),
    ] {
        let wanted = |text: &str| text.split_terminator(';').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(found(&old, &new, Policy::Strict), wanted(strict), "{old} {new}");
        assert_eq!(found(&old, &new, Policy::Lenient), wanted(lenient), "{old} {new}");
    }
}

#[test]
fn objects_and_arrays() {
    let object = json!({"type": "object"});
    let array = json!({"type": "array"});
    for (old, new, wanted) in [
        (object.clone(), json!({"maxProperties": 1}), "MAX_PROPERTIES_ADDED #/maxProperties"),
        (json!({"maxProperties": 2}), json!({"maxProperties": 1}), "MAX_PROPERTIES_DECREASED #/maxProperties"),
        (object.clone(), json!({"minProperties": 1}), "MIN_PROPERTIES_ADDED #/minProperties"),
        (json!({"minProperties": 1}), json!({"minProperties": 2}), "MIN_PROPERTIES_INCREASED #/minProperties"),
        (object.clone(), json!({"dependencies": {"a": ["b"]}}), "DEPENDENCY_ARRAY_ADDED #/dependencies/a"),
        (
            json!({"dependencies": {"a": ["b"]}}),
            json!({"dependencies": {"a": ["c", "b"]}}),
            "DEPENDENCY_ARRAY_EXTENDED #/dependencies/a",
        ),
        (json!({"dependencies": {"a": ["b", "c"]}}), json!({"dependencies": {"a": ["b"]}}), ""),
        (
            json!({"dependencies": {"a": ["b"]}}),
            json!({"dependencies": {"a": ["c"]}}),
            "DEPENDENCY_ARRAY_CHANGED #/dependencies/a",
        ),
        (object.clone(), json!({"dependencies": {"a": []}}), ""),
        (json!({"dependencies": {"a": []}}), object.clone(), ""),
        (object.clone(), json!({"dependencies": {"a": {}}}), "DEPENDENCY_SCHEMA_ADDED #/dependencies/a"),
        (
            json!({"dependencies": {"a": {"minProperties": 1}}}),
            json!({"dependencies": {"a": {"minProperties": 2}}}),
            "MIN_PROPERTIES_INCREASED #/dependencies/a/minProperties",
        ),
        (object.clone(), json!({"propertyNames": {"maxLength": 1}}), ""),
        (array.clone(), json!({"items": {}}), "SCHEMA_ADDED #/items"),
        (json!({"items": {}}), array.clone(), ""),
        (
            json!({"items": {"items": {"type": "string"}}}),
            json!({"items": {"items": {"type": "null"}}}),
            "TYPE_CHANGED #/items/items",
        ),
        (json!({"items": [true]}), json!({"items": [false]}), "TYPE_CHANGED #/items/0"),
        (json!({"items": []}), json!({"items": [{"type": "null"}]}), "ITEM_ADDED_TO_OPEN_CONTENT_MODEL #/items/0"),
        (json!({"items": []}), json!({"items": [{}]}), ""),
        (
            json!({"items": [{"type": "null"}], "additionalItems": false}),
            json!({"items": [], "additionalItems": false}),
            "ITEM_REMOVED_FROM_CLOSED_CONTENT_MODEL #/items/0",
        ),
        (json!({"items": [false], "additionalItems": false}), json!({"items": [], "additionalItems": false}), ""),
        (
            json!({"items": [{"type": "null"}], "additionalItems": {"type": "string"}}),
            json!({"items": [], "additionalItems": {"type": "string"}}),
            "ITEM_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/items/0;TYPE_CHANGED #/items/0",
        ),
        (
            json!({"items": [], "additionalItems": {"type": "string"}}),
            json!({"items": [{"type": "null"}], "additionalItems": {"type": "string"}}),
            "ITEM_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/items/0;TYPE_CHANGED #/items/0",
        ),
        (
            json!({"items": []}),
            json!({"items": [], "additionalItems": false}),
            "ADDITIONAL_ITEMS_REMOVED #/additionalItems",
        ),
        (
            json!({"items": []}),
            json!({"items": [], "additionalItems": {}}),
            "ADDITIONAL_ITEMS_NARROWED #/additionalItems",
        ),
        (json!({"items": {}}), json!({"items": {}, "additionalItems": false}), ""),
        (array.clone(), json!({"maxItems": 1}), "MAX_ITEMS_ADDED #/maxItems"),
        (json!({"maxItems": 2}), json!({"maxItems": 1}), "MAX_ITEMS_DECREASED #/maxItems"),
        (array.clone(), json!({"minItems": 1}), "MIN_ITEMS_ADDED #/minItems"),
        (json!({"minItems": 1}), json!({"minItems": 2}), "MIN_ITEMS_INCREASED #/minItems"),
        (array.clone(), json!({"uniqueItems": true}), "UNIQUE_ITEMS_ADDED #/uniqueItems"),
        (array.clone(), json!({"contains": {"type": "null"}}), ""),
    ] {
        let wanted = wanted.split_terminator(';').collect::<Vec<_>>();
        assert_eq!(found(&old, &new, Policy::Strict), wanted, "{old} {new}");
        assert_eq!(found(&old, &new, Policy::Lenient), wanted, "{old} {new}");
    }
}

#[test]
fn what_the_modern_drafts_added() {
    let (object, array) = (json!({"type": "object"}), json!({"type": "array"}));
    let contains = json!({"contains": true});
    for (old, new, wanted) in [
        (
            object.clone(),
            json!({"unevaluatedProperties": false}),
            "UNEVALUATED_PROPERTIES_REMOVED #/unevaluatedProperties",
        ),
        (
            object.clone(),
            json!({"unevaluatedProperties": {"type": "null"}}),
            "UNEVALUATED_PROPERTIES_NARROWED #/unevaluatedProperties",
        ),
        (
            object.clone(),
            json!({"unevaluatedProperties": {}}),
            "UNEVALUATED_PROPERTIES_NARROWED #/unevaluatedProperties",
        ),
        (json!({"unevaluatedProperties": false}), object.clone(), ""),
        (json!({"unevaluatedProperties": {"type": "null"}}), json!({"unevaluatedProperties": true}), ""),
        (array.clone(), json!({"unevaluatedItems": false}), "UNEVALUATED_ITEMS_REMOVED #/unevaluatedItems"),
        (array.clone(), json!({"unevaluatedItems": {"type": "null"}}), "UNEVALUATED_ITEMS_NARROWED #/unevaluatedItems"),
        (array.clone(), contains.clone(), "MIN_CONTAINS_ADDED #/minContains"),
        (contains.clone(), json!({"contains": true, "minContains": 1}), ""),
        (contains.clone(), json!({"contains": true, "minContains": 2}), "MIN_CONTAINS_INCREASED #/minContains"),
        (contains.clone(), json!({"contains": true, "maxContains": 2}), "MAX_CONTAINS_ADDED #/maxContains"),
        (array.clone(), json!({"minContains": 1, "maxContains": 1, "type": "array"}), ""),
        (
            json!({"contains": true, "maxContains": 2}),
            json!({"contains": true, "maxContains": 1}),
            "MAX_CONTAINS_DECREASED #/maxContains",
        ),
        (
            json!({"properties": {"a": {"type": "null"}}, "unevaluatedProperties": {"type": "string"}}),
            json!({"properties": {}, "unevaluatedProperties": {"type": "string"}}),
            "PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/properties/a;TYPE_CHANGED #/properties/a",
        ),
        (object.clone(), json!({"dependentRequired": {"a": ["b"]}}), "DEPENDENCY_ARRAY_ADDED #/dependencies/a"),
        (object.clone(), json!({"dependentSchemas": {"a": {}}}), "DEPENDENCY_SCHEMA_ADDED #/dependencies/a"),
        (object.clone(), json!({"dependencies": {"a": ["b"]}, "type": "object"}), ""),
        (
            json!({"properties": {"a": true}}),
            json!({"properties": {"a": {"default": null}}, "required": ["a"]}),
            "REQUIRED_ATTRIBUTE_ADDED #/required/a",
        ),
        // A format is a remark, and says nothing of strings.
        (json!({"type": "number"}), json!({"type": "number", "format": "date"}), ""),
        (json!({"type": "number"}), json!({"type": "number", "maximum": 1}), "MAXIMUM_ADDED #/maximum"),
        // Several kinds hold all at once.
        (json!({"type": "number"}), json!({"type": "number", "maxLength": 1}), "TYPE_CHANGED #/"),
        (json!({"type": "number", "maxLength": 1}), json!({"type": "number"}), ""),
    ] {
        let wanted = wanted.split_terminator(';').collect::<Vec<_>>();
        assert_eq!(found(&modern(old.clone()), &modern(new.clone()), Policy::Strict), wanted, "{old} {new}");
    }
}

#[test]
fn combinations() {
    let types = |keyword: &str, types: &[&str]| json!({keyword: types.iter().map(|one| json!({"type": one})).collect::<Value>()});
    for (old, new, wanted) in [
        (types("anyOf", &["string", "null"]), types("anyOf", &["null", "string"]), ""),
        (types("anyOf", &["string", "null"]), types("oneOf", &["string", "null"]), "COMBINED_TYPE_CHANGED #/"),
        (types("oneOf", &["string", "null"]), types("allOf", &["string", "null"]), "COMBINED_TYPE_CHANGED #/"),
        (types("allOf", &["string", "null"]), types("oneOf", &["string", "null"]), "COMBINED_TYPE_CHANGED #/"),
        (types("oneOf", &["string"]), types("allOf", &["string"]), ""),
        (types("anyOf", &["string"]), types("oneOf", &["string", "null"]), ""),
        (types("allOf", &["string", "null"]), types("oneOf", &["string"]), ""),
        (types("allOf", &["string"]), types("allOf", &["string", "null"]), "PRODUCT_TYPE_EXTENDED #/"),
        (types("oneOf", &["string", "null"]), types("oneOf", &["null"]), "SUM_TYPE_NARROWED #/"),
        (types("oneOf", &["string", "null", "null"]), types("oneOf", &["null", "string"]), ""),
        (
            types("oneOf", &["string", "null"]),
            types("oneOf", &["null", "number"]),
            "COMBINED_TYPE_SUBSCHEMAS_CHANGED #/",
        ),
        (
            types("oneOf", &["integer", "number"]),
            types("oneOf", &["string", "number"]),
            "COMBINED_TYPE_SUBSCHEMAS_CHANGED #/",
        ),
        (json!({"type": ["string"]}), json!({"type": "string"}), ""),
        (json!({"type": ["string", "null"]}), json!({"type": "string"}), "TYPE_CHANGED #/"),
        (json!({"type": ["string", "null"]}), json!({"type": ["null", "string", "number"]}), ""),
        (
            json!({"type": ["string", "null"], "maxLength": 5}),
            json!({"type": ["string", "null"], "maxLength": 4}),
            "COMBINED_TYPE_SUBSCHEMAS_CHANGED #/",
        ),
        (json!({"type": "object"}), json!({"type": "object", "if": true}), "TYPE_CHANGED #/"),
    ] {
        let wanted = wanted.split_terminator(';').collect::<Vec<_>>();
        assert_eq!(found(&old, &new, Policy::Strict), wanted, "{old} {new}");
    }
}

#[test]
fn what_differs_by_remarks_alone_counts_once() {
    let formats = |names: &[&str]| {
        let parts = names.iter().map(|name| json!({"type": "string", "format": name})).collect::<Vec<_>>();
        json!({"anyOf": parts})
    };
    for (old, new, wanted) in [
        (formats(&["uuid", "colour"]), formats(&["uuid"]), vec![]),
        (formats(&["date", "time"]), formats(&["date"]), vec!["SUM_TYPE_NARROWED #/"]),
        (modern(formats(&["date", "time"])), modern(formats(&["date"])), vec![]),
    ] {
        assert_eq!(found(&old, &new, Policy::Strict), wanted, "{old} {new}");
    }
}

#[test]
fn recursive_schemas_are_compared_to_their_end() {
    let list = |item: &str| {
        json!({"$ref": "#/definitions/a", "definitions": {
            "a": {"properties": {"next": {"$ref": "#/definitions/b"}}},
            "b": {"properties": {"next": {"$ref": "#/definitions/a"}, "item": {"type": item}}}}})
    };
    assert_eq!(found(&list("integer"), &list("number"), Policy::Strict), Vec::<String>::new());
    assert_eq!(
        found(&list("number"), &list("integer"), Policy::Strict),
        ["TYPE_NARROWED #/properties/next/properties/item"]
    );
    // What was assumed of `a` while it was compared turns out to be wrong, and with it what was drawn from it.
    let tree = |leaf: &str| {
        json!({"definitions": {"a": {"oneOf": [{"properties": {"l": {"$ref": "#/definitions/a"}}}, {"type": leaf}]}},
            "oneOf": [{"$ref": "#/definitions/a"}, {"type": "null"}]})
    };
    assert_eq!(found(&tree("string"), &tree("boolean"), Policy::Strict), ["COMBINED_TYPE_SUBSCHEMAS_CHANGED #/"]);
    assert_eq!(found(&tree("integer"), &tree("number"), Policy::Strict), Vec::<String>::new());
}

#[test]
fn references_are_followed_on_both_sides() {
    let (narrow, wide) = (schema(r#"{"type":"integer"}"#), schema(r#"{"type":"number"}"#));
    let text = r#"{"properties":{"n":{"$ref":"n.json"}}}"#;
    let (before, after) = (referring(text, &[("n.json", &narrow)]), referring(text, &[("n.json", &wide)]));
    let (before, after) = (before.expect("it refers to n.json"), after.expect("it refers to n.json"));
    assert!(after.cannot_read(&before).is_empty());
    let found = before.cannot_read(&after);
    assert_eq!((found[0].kind(), found[0].path()), ("TYPE_NARROWED", "#/properties/n"));
    assert!(!before.equivalent(&after) && before.equivalent(&before.clone()));
}

#[test]
fn messages_name_reader_and_writer() {
    let message = |old: Value, new: Value| {
        let (old, new) = (schema(&old.to_string()), schema(&new.to_string()));
        new.cannot_read(&old).first().map(|first| first.message("new", "old")).unwrap_or_default()
    };
    for (old, new, wanted) in [
        (
            json!({"type": "string"}),
            json!({"type": "null"}),
            r#"{errorType:"TYPE_CHANGED", description:"A type at path '#/' is different between the new schema and the old schema"}"#,
        ),
        (
            json!({"properties": {"100%d": {"maximum": 2}}}),
            json!({"properties": {"100%d": {"maximum": 1}}}),
            r#"{errorType:"MAXIMUM_DECREASED", description:"The value at path '#/properties/100%d/maximum' in the new schema is less than its value in the old schema"}"#,
        ),
        (json!({"type": "array"}), json!({"items": {}}), r#"{errorType:"SCHEMA_ADDED", description:""}"#),
        (
            json!({"type": "object", "additionalProperties": false, "properties": {"a": {}}}),
            json!({"type": "object", "additionalProperties": false}),
            r#"{errorType:"PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL", description:"The new has a closed content model and is missing a property or item present at path '#/properties/a' in the old schema"}"#,
        ),
    ] {
        assert_eq!(message(old, new), wanted);
    }
    let avro = postern_schema::Schema::compile(
        postern_schema::SchemaKind::Avro,
        "\"int\"",
        &[],
        postern_schema::Strictness::New,
    );
    let found = avro.expect("int is a schema").cannot_read(&schema("true"));
    assert_eq!(found[0].message("new", "old"), "Incompatible because of different schema type");
}

#[test]
fn a_reference_to_itself_is_like_nothing_else() {
    let itself = json!({"$ref": "#"});
    let circle = json!({"$ref": "#/definitions/a", "definitions": {"a": {"$ref": "#/definitions/b"}, "b": {"$ref": "#/definitions/a"}}});
    for (old, new, wanted) in [
        (&itself, &circle, ""),
        (&json!({"type": "string"}), &itself, "TYPE_CHANGED #/"),
        (&itself, &json!({"type": "string"}), "TYPE_CHANGED #/"),
        (&json!({}), &itself, "TYPE_CHANGED #/"),
        (&itself, &json!({}), ""),
    ] {
        let wanted = wanted.split_terminator(';').collect::<Vec<_>>();
        assert_eq!(found(old, new, Policy::Strict), wanted, "{old} {new}");
    }
}

#[test]
fn long_lists_of_alternatives_are_compared_by_their_equal_parts() {
    let alternative = |number: usize, bound: usize| json!({"type": "object", "properties": {format!("p{number}"): {"type": "string", "maxLength": bound}}});
    let all = |bound: usize| (0..1000).map(move |number| alternative(number, if number == 500 { bound } else { 5 }));
    let list = |parts: Vec<Value>| json!({ "anyOf": parts });
    let old = list(all(5).collect());
    let more = list(all(5).chain([alternative(1000, 5)]).rev().collect());
    assert_eq!(found(&old, &more, Policy::Strict), [""; 0]);
    assert_eq!(found(&more, &old, Policy::Strict), ["SUM_TYPE_NARROWED #/"]);
    assert_eq!(found(&old, &list(all(6).collect()), Policy::Strict), [""; 0]);
    assert_eq!(found(&old, &list(all(4).collect()), Policy::Strict), ["COMBINED_TYPE_SUBSCHEMAS_CHANGED #/"]);
}
