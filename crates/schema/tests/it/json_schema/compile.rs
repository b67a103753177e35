//! What is a schema, what it refers to, and its texts.

use super::{compile, referring, schema};

#[test]
fn oddities_that_always_passed() {
    for text in [
        "true",
        "false",
        "{}",
        r#"{"minLength":-1,"maxItems":-5}"#,
        r#"{"definitions":5,"$defs":[]}"#,
        r#"{"enum":[]}"#,
        r#"{"type":[]}"#,
        r#"{"allOf":[],"anyOf":[],"oneOf":[]}"#,
        r#"{"$schema":"http://unknown.org/schema"}"#,
        r#"{"definitions":{"unused":{"type":"nothing","$ref":"gone.json"}}}"#,
        r##"{"$ref":"#/x","type":"nothing","x":{"type":"string"}}"##,
        r#"{"unknown":{"type":"nothing"},"format":"mine","examples":5}"#,
        r#"{"type":["string","string"],"required":["a","a"]}"#,
        r#"{"properties":{"$ref":{"type":"string"}}}"#,
        r#"{"$schema":"http://json-schema.org/draft-04/schema#","const":5,"if":5,"contains":5}"#,
        r#"{"$schema":"http://json-schema.org/draft-06/schema#","if":5}"#,
        r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","dependencies":5,"additionalItems":5,"then":5,"else":{"items":[]}}"#,
        r##"{"$schema":"https://json-schema.org/draft/2019-09/schema","items":{},"$recursiveRef":"#"}"##,
    ] {
        let schema = schema(text);
        // Each of them can be compared, and judges values.
        assert!(schema.cannot_read(&schema.clone()).is_empty());
        if let Err(error) = schema.encode(b"5", &mut Vec::new()) {
            assert_ne!(error.expected(), "a schema that values can be held to", "{text}");
        }
    }
}

#[test]
fn what_is_no_schema_is_told_why_and_where() {
    let modern = |rest: &str| format!(r#"{{"$schema":"https://json-schema.org/draft/2019-09/schema",{rest}}}"#);
    for (text, message) in [
        ("".to_owned(), "expected a schema, found an empty text"),
        ("[]".to_owned(), "expected a schema (an object, true or false), found a list"),
        ("nonsense".to_owned(), "expected JSON, found expected ident at line 1 column 2"),
        (r#"{"type":"string"} {}"#.to_owned(), "expected JSON, found trailing characters at line 1 column 19"),
        (
            r#"{"properties":{"a":{"type":"text"}}}"#.to_owned(),
            r#"properties.a.type: expected string, number, integer, boolean, object, array or null, found string "text""#,
        ),
        (r#"{"type":5}"#.to_owned(), "type: expected string, number, integer, boolean, object, array or null, found 5"),
        (r#"{"properties":5}"#.to_owned(), "properties: expected an object, found 5"),
        (r#"{"properties":{"a":5}}"#.to_owned(), "properties.a: expected a schema (an object, true or false), found 5"),
        (r#"{"anyOf":[{},{"required":true}]}"#.to_owned(), "anyOf[1].required: expected a list, found true"),
        (r#"{"multipleOf":0.0}"#.to_owned(), "multipleOf: expected a number other than 0, found 0.0"),
        (r#"{"minLength":1.0}"#.to_owned(), "minLength: expected a whole number, found 1.0"),
        (r#"{"exclusiveMaximum":true}"#.to_owned(), "exclusiveMaximum: expected a number, found true"),
        (r#"{"title":5}"#.to_owned(), "title: expected a string, found 5"),
        (r#"{"pattern":"["}"#.to_owned(), r#"pattern: expected a regular expression, found string "[""#),
        (r#"{"enum":5}"#.to_owned(), "enum: expected a list, found 5"),
        (
            r#"{"dependencies":{"a":[5]}}"#.to_owned(),
            "dependencies.a: expected the name of a property (a string), found 5",
        ),
        (
            r##"{"properties":{"a":{"$ref":"#/definitions/x"}},"definitions":{"x":{"maximum":"5"}}}"##.to_owned(),
            r##"#/definitions/x.maximum: expected a number, found string "5""##,
        ),
        (
            r##"{"$ref":"http://e.org/x"}"##.to_owned(),
            r##"$ref: expected a place in this schema, or one in a schema that it names in its references, found string "http://e.org/x"; nothing is fetched from elsewhere"##,
        ),
        (
            modern(r#""items":[{}]"#),
            "items: expected a schema; a list of schemas is called prefixItems since draft 2020-12, found a list",
        ),
        (
            modern(r##""$dynamicRef":"#x""##),
            r##"$dynamicRef: expected a place in this schema, or one in a schema that it names in its references, found string "#x"; nothing is fetched from elsewhere"##,
        ),
        (modern(r##""$dynamicRef":5"##), "$dynamicRef: expected a reference (a string), found 5"),
        (
            r#"{"maximum":1e99999999999}"#.to_owned(),
            "expected numbers of at most 1000 digits, with exponents of 31 bits, found 1e+99999999999",
        ),
    ] {
        let error = compile(&text).expect_err(&text);
        assert_eq!(error.to_string(), message, "{text}");
        assert_eq!(error.is_syntax(), error.expected() == "JSON" || text.is_empty(), "{text}");
    }
}

#[test]
fn references_are_found_by_name_id_and_anchor() {
    let whole = schema(r#"{"type":"integer"}"#);
    let parts = schema(
        r##"{"$id":"http://e.org/parts.json","definitions":{"n":{"$id":"#n","type":"integer"},"m":{"$id":"m.json","type":"integer"}}}"##,
    );
    for (text, names) in [
        (r#"{"$ref":"a.json"}"#, vec![("a.json", &whole)]),
        (r##"{"$ref":"a.json#"}"##, vec![("a.json", &whole)]),
        (r#"{"$id":"http://e.org/dir/x.json","allOf":[{"$ref":"a.json"}]}"#, vec![("a.json", &whole)]),
        (r#"{"$id":"http://e.org/dir/x.json","allOf":[{"$ref":"http://e.org/dir/a.json"}]}"#, vec![("a.json", &whole)]),
        (r#"{"$id":"http://e.org/dir/x.json","allOf":[{"$ref":"a.json"}]}"#, vec![("http://e.org/dir/a.json", &whole)]),
        (r##"{"$ref":"p.json#/definitions/n"}"##, vec![("p.json", &parts)]),
        (r##"{"$ref":"p.json#/$defs/n"}"##, vec![("p.json", &parts)]),
        (r##"{"$ref":"http://e.org/parts.json#n"}"##, vec![("p.json", &parts)]),
        (r#"{"$ref":"http://e.org/m.json"}"#, vec![("p.json", &parts)]),
        (r##"{"$ref":"#/definitions/a%20~1~0b","definitions":{"a /~b":{"type":"integer"}}}"##, vec![]),
        (r##"{"$ref":"#/x/1","x":[5,{"type":"integer"}]}"##, vec![]),
        (r##"{"$ref":"#here","definitions":{"x":{"$id":"#here","type":"integer"}}}"##, vec![]),
        (
            r##"{"$schema":"https://json-schema.org/draft/2020-12/schema","$ref":"#here","$defs":{"x":{"$anchor":"here","type":"integer"}}}"##,
            vec![],
        ),
        (
            r##"{"$schema":"https://json-schema.org/draft/2020-12/schema","$ref":"sub","$defs":{"x":{"$id":"sub","$ref":"#/$defs/y","$defs":{"y":{"type":"integer"}}}}}"##,
            vec![],
        ),
        (
            r##"{"$schema":"http://json-schema.org/draft-04/schema#","$ref":"http://e.org/n","definitions":{"n":{"id":"http://e.org/n","type":"integer"}}}"##,
            vec![],
        ),
    ] {
        let schema = referring(text, &names).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert!(schema.cannot_read(&whole).is_empty() && whole.cannot_read(&schema).is_empty(), "{text}");
        let mut out = Vec::new();
        assert!(schema.encode(b"5", &mut out).is_ok() && schema.encode(b"\"5\"", &mut out).is_err(), "{text}");
    }
    assert!(referring(r#"{"$ref":"b.json"}"#, &[("a.json", &whole)]).is_err());
    assert!(referring(r##"{"$ref":"a.json#/x"}"##, &[("a.json", &whole)]).is_err());
}

#[test]
fn references_have_references_of_their_own() {
    let inner = schema(r#"{"type":"integer"}"#);
    let middle =
        referring(r#"{"items":{"$ref":"inner.json"}}"#, &[("inner.json", &inner)]).expect("it refers to inner.json");
    let other = schema(r#"{"type":"string"}"#);
    let names = [("middle.json", &middle), ("inner.json", &other)];
    let text = r##"{"properties":{"m":{"$ref":"middle.json"},"i":{"$ref":"inner.json"}}}"##;
    let outer = referring(text, &names).expect("it refers to both");
    let mut out = Vec::new();
    assert!(outer.encode(br#"{"m":[1],"i":"s"}"#, &mut out).is_ok(), "each sees the one that it named itself");
    assert!(outer.encode(br#"{"m":["s"]}"#, &mut out).is_err());
    // What a reference refers to is at hand, too.
    let text = r#"{"properties":{"i":{"$ref":"inner.json"}}}"#;
    assert!(referring(text, &[("middle.json", &middle)]).is_ok());
    let avro = postern_schema::Schema::compile(
        postern_schema::SchemaKind::Avro,
        "\"int\"",
        &[],
        postern_schema::Strictness::New,
    );
    let avro = avro.expect("int is a schema");
    assert!(referring("true", &[("a", &avro)]).is_ok(), "what is not used may be anything");
    assert!(referring(r#"{"$ref":"a"}"#, &[("a", &avro)]).is_err());
}

#[test]
fn texts() {
    let text = "{ \"b\" : 1E5, \"a\":[12E3,1.10E+2,-0,1.10], \"b\":2, \"\u{1f40e}\":1, \"\u{ffff}\":\"\\u00e9\\ud83d\\ude00\\/\" }";
    let odd = schema(text);
    assert_eq!(odd.canonical(), "{\"b\":2,\"a\":[1.2E+4,110,0,1.10],\"\u{1f40e}\":1,\"\u{ffff}\":\"é😀/\"}");
    assert_eq!(odd.normalized(), "{\"a\":[1.2E+4,110,0,1.10],\"b\":2,\"\u{1f40e}\":1,\"\u{ffff}\":\"é😀/\"}");
    assert_eq!(schema(r#"{"title":"Point"}"#).full_name(), Some("Point"));
    assert_eq!((schema("true").full_name(), schema("{}").full_name()), (None, None));
    assert!(schema(r#"{"type":"string"}"#).equivalent(&schema("{ \"type\" : \"string\" }")));
    assert!(!schema(r#"{"type":"string","title":"x"}"#).equivalent(&schema(r#"{"title":"x","type":"string"}"#)));
}
