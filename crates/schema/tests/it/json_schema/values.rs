//! Values under schemas: what is stored of them, and what is said where they do not fit.

use super::{referring, schema};

fn encoded(text: &str, value: &str) -> Result<String, String> {
    let mut out = Vec::new();
    let result = schema(text).encode(value.as_bytes(), &mut out);
    let stored = String::from_utf8(out).expect("JSON is text");
    result.map(|_| stored).map_err(|error| error.to_string())
}

#[test]
fn defaults_are_filled_in_where_they_are_missing() {
    let nested = r##"{"properties":{"o":{"properties":{"x":{"default":1}}},"l":{"items":{"$ref":"#/definitions/d"}},
        "p":{"default":{"y":2}},"n":{"oneOf":[{"type":"null"},{"type":"object","properties":{"z":{"default":3}}}]}},
        "definitions":{"d":{"allOf":[{"properties":{"k":{"type":"string","default":"v"}}}]}}}"##;
    let rest = r#"{"properties":{"a":{"default":5}},"patternProperties":{"^p":{"properties":{"c":{"default":2}}}},
        "additionalProperties":{"properties":{"b":{"default":1.10}}}}"#;
    let tuple =
        r#"{"items":[{"properties":{"a":{"default":1}}}],"additionalItems":{"properties":{"b":{"default":2}}}}"#;
    let kinds = r#"{"oneOf":[{"required":["k"],"properties":{"k":{"const":"x"},"a":{"default":1}}},
        {"required":["k"],"properties":{"k":{"const":"y"},"b":{"default":2}}}]}"#;
    let any = r#"{"anyOf":[{"required":["k"],"properties":{"a":{"default":1}}},{"properties":{"b":{"default":2}}}]}"#;
    let condition = r#"{"if":{"required":["k"],"properties":{"d":{"default":4}}},"then":{"properties":{"b":{"default":2}}},
        "else":{"properties":{"c":{"default":3}}}}"#;
    let dependency = r#"{"dependencies":{"a":{"properties":{"b":{"default":2}}},"c":["a"]}}"#;
    let modern = r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","properties":{"a":{"default":1}}}"#;
    let without_end = r##"{"properties":{"c":{"allOf":[{"$ref":"#"}],"default":{}}}}"##;
    let beside = r##"{"properties":{"a":{"$ref":"#/definitions/d","default":1}},"definitions":{"d":{"default":2}}}"##;
    let unfit = r#"{"properties":{"a":{"type":"integer","default":"five"}}}"#;
    let too_many = r#"{"properties":{"a":{"default":5}},"maxProperties":0}"#;
    for (schema, value, stored) in [
        (nested, "{}", r#"{"p":{"y":2}}"#),
        (
            nested,
            r#"{"o":{},"l":[{},{"k":"w"}],"p":1,"n":{}}"#,
            r#"{"o":{"x":1},"l":[{"k":"v"},{"k":"w"}],"p":1,"n":{"z":3}}"#,
        ),
        (nested, r#"{"n":null,"p":null}"#, r#"{"n":null,"p":null}"#),
        (nested, "5", "5"),
        (rest, r#"{"x":{},"p":{},"a":{}}"#, r#"{"x":{"b":1.1},"p":{"c":2},"a":{}}"#),
        (rest, r#"{"x":{}}"#, r#"{"x":{"b":1.1},"a":5}"#),
        (tuple, "[{},{},1]", r#"[{"a":1},{"b":2},1]"#),
        (kinds, r#"{"k":"x"}"#, r#"{"k":"x","a":1}"#),
        (kinds, r#"{"k":"y"}"#, r#"{"k":"y","b":2}"#),
        (any, "{}", r#"{"b":2}"#),
        (any, r#"{"k":1}"#, r#"{"k":1,"a":1,"b":2}"#),
        (condition, "{}", r#"{"c":3}"#),
        (condition, r#"{"k":1}"#, r#"{"k":1,"d":4,"b":2}"#),
        (dependency, r#"{"a":1}"#, r#"{"a":1,"b":2}"#),
        (dependency, "{}", "{}"),
        (modern, "{}", "{}"),
        (without_end, r#"{"c":{}}"#, r#"{"c":{"c":{}}}"#),
        (beside, "{}", "{}"),
        (unfit, "{}", "{}"),
        (too_many, "{}", "{}"),
    ] {
        assert_eq!(encoded(schema, value).as_deref(), Ok(stored), "{schema} {value}");
    }
}

#[test]
fn a_default_helps_no_value_to_fit() {
    let with = |rest: &str| format!(r#"{{"properties":{{"a":{{"default":1}}}},{rest}}}"#);
    for (rest, message) in [
        (r#""required":["a"]"#, "a: expected a value (it is required), found no such member"),
        (r#""minProperties":1"#, "expected at least 1 members, found 0"),
        (r#""not":{"maxProperties":0}"#, "expected a value that `not` does not exclude, found an object"),
    ] {
        assert_eq!(encoded(&with(rest), "{}").expect_err(rest), message);
    }
}

#[test]
fn expressions_that_only_java_knows_hold_values_too() {
    for (pattern, fits, misfit) in [
        ("(?i)^abc$", "ABC", "abcd"),
        (r"\\Aa.c\\z", "abc", "abcd"),
        ("^a++]}$", "aa]}", "a"),
        (r"^\\Qa.b\\E$", "a.b", "axb"),
        (r"^[\\w-.]+$", "a-b.c", "a b"),
    ] {
        let strings = format!(r#"{{"pattern":"{pattern}"}}"#);
        assert!(encoded(&strings, &format!("{fits:?}")).is_ok(), "{pattern}");
        assert!(encoded(&strings, &format!("{misfit:?}")).is_err(), "{pattern}");
    }
    let members = r#"{"patternProperties":{"(?i)^x":{"type":"integer"}},"additionalProperties":false}"#;
    assert!(encoded(members, r#"{"X1":1}"#).is_ok() && encoded(members, r#"{"X1":"a"}"#).is_err());
    assert!(encoded(members, r#"{"y":1}"#).is_err());
}

#[test]
fn the_drafts_differ() {
    let in_draft = |draft: &str, rest: &str| format!(r#"{{"$schema":"{draft}",{rest}}}"#);
    let four = "http://json-schema.org/draft-04/schema#";
    let six = "http://json-schema.org/draft-06/schema#";
    let seven = "http://json-schema.org/draft-07/schema#";
    let modern = "https://json-schema.org/draft/2019-09/schema";
    for (draft, rest, value, fits) in [
        (four, r#""maximum":5,"exclusiveMaximum":true"#, "5", false),
        (four, r#""maximum":5,"exclusiveMaximum":false"#, "5", true),
        (four, r#""const":5"#, "6", true),
        (six, r#""const":5"#, "6", false),
        (six, r#""const":5"#, "5.0", true),
        (six, r#""if":true,"then":false"#, "6", true),
        (seven, r#""if":true,"then":false"#, "6", false),
        (seven, r#""type":"integer""#, "1.0", false),
        (seven, r#""type":["integer","null"]"#, "1.0", false),
        (seven, r#""type":["integer","null"]"#, "null", true),
        (seven, r#""type":["integer","null"]"#, "123456789012345678901234567890", true),
        (seven, r#""type":["integer","number"]"#, "1.0", true),
        (modern, r#""type":"integer""#, "1.0", true),
        (modern, r#""type":"integer""#, "1.5", false),
        (seven, r#""format":"date""#, "\"yesterday\"", false),
        (six, r#""format":"date""#, "\"yesterday\"", true),
        (four, r#""format":"ipv4""#, "\"1.2.3\"", false),
        (four, r#""format":"ipv4""#, "5", true),
        (modern, r#""format":"ipv4""#, "\"1.2.3\"", true),
        (seven, r##""$ref":"#/definitions/s","maxLength":1,"definitions":{"s":{"type":"string"}}"##, "\"ab\"", true),
        (modern, r##""$ref":"#/definitions/s","maxLength":1,"definitions":{"s":{"type":"string"}}"##, "\"ab\"", false),
        (seven, r#""minLength":-1,"maxLength":1"#, "\"\"", true),
        (seven, r#""enum":[]"#, "1", false),
        (seven, r#""type":[]"#, "1", false),
        (seven, r#""anyOf":[]"#, "1", false),
        (seven, r#""allOf":[]"#, "1", true),
        (seven, r#""multipleOf":0.01"#, "1.13", true),
        (modern, r#""multipleOf":0"#, "1", true),
        (seven, r#""multipleOf":-2"#, "4", true),
        (seven, r#""multipleOf":-2"#, "3", false),
        (four, r#""format":"uri""#, "\"a/b\"", true),
        (four, r#""format":"uri""#, "\"a b\"", false),
        (six, r#""format":"uri""#, "\"a/b\"", false),
        (seven, r#""format":"uri""#, "\"http://e.org/ä\"", true),
        (six, r#""format":"uri-reference""#, "\"/ä\"", true),
        (four, r#""format":"uri-reference""#, "\"a b\"", true),
        (seven, r#""uniqueItems":true"#, "[1,1.0]", false),
        (seven, r#""dependencies":{"a":["b"]}"#, r#"{"a":1}"#, false),
        (modern, r#""dependentRequired":{"a":["b"]}"#, r#"{"a":1}"#, false),
        (modern, r#""prefixItems":[{"type":"null"}],"items":false"#, "[null,1]", false),
        (modern, r#""allOf":[{"properties":{"a":true}}],"unevaluatedProperties":false"#, r#"{"a":1}"#, true),
        (modern, r#""allOf":[{"properties":{"a":true}}],"unevaluatedProperties":false"#, r#"{"b":1}"#, false),
        (modern, r#""contains":{"type":"null"},"maxContains":1"#, "[null,null]", false),
        (modern, r#""type":["string","null"],"maxLength":1"#, "\"ab\"", false),
        (seven, r#""type":["string","null"],"maxLength":1"#, "\"ab\"", false),
    ] {
        let text = in_draft(draft, rest);
        assert_eq!(encoded(&text, value).is_ok(), fits, "{text} {value}");
    }
}

#[test]
fn values_come_out_compact() {
    let modern = r#"{"$schema":"https://json-schema.org/draft/2020-12/schema"}"#;
    for (value, stored) in [
        (" { \"b\" : 1.10 , \"a\" : [ 1e10 , -0 ] } ", r#"{"b":1.1,"a":[1.0E10,0]}"#),
        (r#"{"a":1,"b":2,"a":3}"#, r#"{"a":3,"b":2}"#),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("null", "null"),
    ] {
        assert_eq!(encoded(modern, value).as_deref(), Ok(stored));
        assert_eq!(encoded("true", value).as_deref(), Ok(stored));
    }
}

#[test]
fn a_misfit_has_a_path_and_says_both_sides() {
    let order = r##"{"type":"object","required":["id"],"additionalProperties":false,"properties":{
        "id":{"type":"integer","minimum":1},"tags":{"type":"array","items":{"$ref":"#/definitions/tag"},"maxItems":3,"uniqueItems":true},
        "a b":{"enum":["x","y"]},"c":{"const":5},"n":{"oneOf":[{"type":"null"},{"type":"string","pattern":"^a"}]},
        "e":{"anyOf":[{"type":"string","minLength":2},{"type":"string","maxLength":0}]},"d":{"format":"date"},
        "x":{"not":{"type":"string"}},"o":{"oneOf":[{"type":"integer"},{"type":"string"},{"minimum":3}]},
        "i":{"if":{"properties":{"k":{"const":1}}},"then":{"required":["v"]},"else":{"properties":{"v":{"type":"string"}}}},"m":{"multipleOf":0.5},"t":{"type":["string","null"]}},
        "definitions":{"tag":{"type":"string","maxLength":2}}}"##;
    for (value, message) in [
        (r#"{"id":"1"}"#, r#"id: expected integer, found string "1""#),
        (r#"{"id":1.5}"#, "id: expected integer, found 1.5"),
        (r#"{"id":0}"#, "id: expected at least 1, found 0"),
        ("{}", "id: expected a value (it is required), found no such member"),
        ("[]", "expected object, found a list"),
        ("null", "expected object, found null"),
        (r#"{"id":1,"z":true}"#, "z: expected no members but those that the schema names, found true"),
        (r#"{"id":1,"tags":["a",5]}"#, "tags[1]: expected string, found 5"),
        (r#"{"id":1,"tags":["abc"]}"#, "tags[0]: expected at most 2 characters, found 3"),
        (r#"{"id":1,"tags":["a","b","c","d"]}"#, "tags: expected at most 3 items, found 4"),
        (
            r#"{"id":1,"tags":["a","a"]}"#,
            r#"tags[1]: expected items that are all different, found string "a" once more"#,
        ),
        (r#"{"id":1,"a b":"z"}"#, r#"["a b"]: expected one of "x", "y", found "z""#),
        (r#"{"id":1,"c":6}"#, "c: expected 5, found 6"),
        (r#"{"id":1,"n":"b"}"#, r#"n: expected a string that matches ^a, found string "b""#),
        (r#"{"id":1,"n":5}"#, "n: expected a value that fits one of 2 alternatives, found 5"),
        (r#"{"id":1,"e":"x"}"#, r#"e: expected a value that fits one of 2 alternatives, found string "x""#),
        (r#"{"id":1,"d":"x"}"#, r#"d: expected a string in the format date, found string "x""#),
        (r#"{"id":1,"m":0.7}"#, "m: expected a multiple of 0.5, found 0.7"),
        (r#"{"id":1,"t":5}"#, "t: expected string or null, found 5"),
        (r#"{"id":1,"x":"s"}"#, r#"x: expected a value that `not` does not exclude, found string "s""#),
        (r#"{"id":1,"o":5}"#, "o: expected a value that fits exactly one of 3 alternatives, found 5, which fits 2"),
        (r#"{"id":1,"i":{"k":1}}"#, "i.v: expected a value (it is required), found no such member"),
        (r#"{"id":1,"i":{"k":2,"v":1}}"#, "i.v: expected string, found 1"),
        (r#"{"id":"#, "expected JSON, found a text that ends too early"),
        (r#"{"id":1e999}"#, "expected a number that a 64-bit float can hold, found 1e999"),
    ] {
        assert_eq!(encoded(order, value).expect_err(value), message, "{value}");
    }
}

/// A schema that is about a value twice, by way of itself, is no reason to refuse values of a large one.
#[test]
fn a_circle_costs_only_the_schemas_that_lead_to_it() {
    let named = |n: usize| format!(r##""p{n}":{{"type":"object","properties":{{"a":{{"type":"string"}}}}}}"##);
    let many = (0..40_000).map(named).collect::<Vec<_>>().join(",");
    let circle = r##""circle":{"$ref":"#/$defs/circle","type":"object"}"##;
    let schema = format!(
        r##"{{"$schema":"https://json-schema.org/draft/2020-12/schema","properties":{{"c":{{"$ref":"#/$defs/circle"}},{many}}},"$defs":{{{circle}}}}}"##
    );
    assert_eq!(encoded(&schema, r#"{"p7":{"a":"b"},"c":{}}"#).as_deref(), Ok(r#"{"p7":{"a":"b"},"c":{}}"#));
}

#[test]
fn a_schema_that_was_stored_elsewhere_says_what_it_cannot_do() {
    let text = r#"{"pattern":"\\p{IsLatin}["}"#;
    let stored = postern_schema::Schema::compile(
        postern_schema::SchemaKind::Json,
        text,
        &[],
        postern_schema::Strictness::Stored,
    );
    let stored = stored.expect("what is stored stays readable");
    let mut out = b"before".to_vec();
    let error = stored.encode(b"\"x\"", &mut out).expect_err("its pattern cannot be read");
    assert_eq!(error.expected(), "a schema that values can be held to");
    assert_eq!(out, b"before");
}

#[test]
fn referenced_schemas_hold_too() {
    let inner = schema(r#"{"type":"object","properties":{"x":{"type":"integer","default":7}}}"#);
    let outer =
        referring(r#"{"properties":{"p":{"$ref":"p.json"}}}"#, &[("p.json", &inner)]).expect("it refers to p.json");
    let mut out = Vec::new();
    outer.encode(br#"{"p":{}}"#, &mut out).expect("the default is filled in");
    assert_eq!(out, br#"{"p":{"x":7}}"#);
    let error = outer.encode(br#"{"p":{"x":"y"}}"#, &mut out).expect_err("x is no integer");
    assert_eq!(error.to_string(), r#"p.x: expected integer, found string "y""#);
}

#[test]
fn what_refers_to_itself_allows_nothing() {
    let text = r##"{"properties":{"a":{"$ref":"#/properties/a"}}}"##;
    assert_eq!(schema(text).canonical(), text);
    assert_eq!(encoded(text, r#"{"b":1}"#), Ok(r#"{"b":1}"#.to_owned()));
    assert_eq!(encoded(text, r#"{"a":1}"#), Err("a: expected nothing here, found 1".to_owned()));
    assert!(encoded(r##"{"$ref":"#"}"##, "1").is_err());
}

#[test]
fn a_dynamic_reference_leads_to_the_outermost_anchor() {
    let list = schema(
        r##"{"$schema":"https://json-schema.org/draft/2020-12/schema","$id":"https://example.test/list","type":"array","items":{"$dynamicRef":"#item"},"$defs":{"item":{"$dynamicAnchor":"item"}}}"##,
    );
    let of = |kind: &str| {
        let text = format!(
            r##"{{"$schema":"https://json-schema.org/draft/2020-12/schema","$id":"https://example.test/{kind}s","$ref":"list","$defs":{{"item":{{"$dynamicAnchor":"item","type":"{kind}"}}}}}}"##
        );
        super::referring(&text, &[("https://example.test/list", &list)]).expect("it can be read")
    };
    let both = super::referring(
        r##"{"$schema":"https://json-schema.org/draft/2020-12/schema","properties":{"s":{"$ref":"https://example.test/strings"},"n":{"$ref":"https://example.test/numbers"},"any":{"$ref":"https://example.test/list"}}}"##,
        &[
            ("https://example.test/strings", &of("string")),
            ("https://example.test/numbers", &of("number")),
            ("https://example.test/list", &list),
        ],
    );
    let both = both.expect("it can be read");
    for (value, is_taken) in
        [(r#"{"s":["a"],"n":[1],"any":[true]}"#, true), (r#"{"s":[1]}"#, false), (r#"{"n":["a"]}"#, false)]
    {
        assert_eq!(both.encode(value.as_bytes(), &mut Vec::new()).is_ok(), is_taken, "{value}");
    }
}
