//! The reasons that registries give for an incompatible change: type, place, sentence.

use postern_schema::{Schema, SchemaKind, Strictness};

fn avro(text: &str) -> Schema {
    Schema::compile(SchemaKind::Avro, text, &[], Strictness::New).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn record(fields: &str) -> String {
    format!(r#"{{"type":"record","name":"r","fields":[{fields}]}}"#)
}

/// Type, place and info of every reason.
fn reasons(reader: &str, writer: &str) -> Vec<String> {
    let differences = avro(reader).cannot_read(&avro(writer));
    differences.iter().map(|one| format!("{} {} {}", one.kind(), one.path(), one.info())).collect()
}

#[test]
fn a_message_reads_as_tools_know_it() {
    let (old, new) = (
        avro(&record(r#"{"name":"f1","type":"string"}"#)),
        avro(&record(r#"{"name":"f1","type":"string"},{"name":"f2","type":"string"}"#)),
    );
    let differences = new.cannot_read(&old);
    assert_eq!(
        differences[0].message("new", "old"),
        "{errorType:'READER_FIELD_MISSING_DEFAULT_VALUE', description:'The field 'f2' at path '/fields/1' in the new \
         schema has no default value and is missing in the old schema', additionalInfo:'f2'}"
    );
    assert_eq!((differences.len(), old.cannot_read(&new).len()), (1, 0));
}

#[test]
fn every_kind_has_its_sentence() {
    let e = |name: &str, symbols: &str| format!(r#"{{"type":"enum","name":"{name}","symbols":[{symbols}]}}"#);
    let f = |size: usize| format!(r#"{{"type":"fixed","name":"F","size":{size}}}"#);
    for (reader, writer, message) in [
        (
            "\"int\"".to_owned(),
            "\"string\"".to_owned(),
            "{errorType:'TYPE_MISMATCH', description:'The type (path '/') of a field in the new schema does not match with the \
             old schema', additionalInfo:'reader type: INT not compatible with writer type: STRING'}",
        ),
        (
            e("E", "\"A\""),
            e("E", "\"D\",\"A\",\"C\""),
            "{errorType:'MISSING_ENUM_SYMBOLS', description:'The new schema is missing enum symbols '[C, D]' at path \
             '/symbols' in the old schema', additionalInfo:'[C, D]'}",
        ),
        (
            e("E", "\"A\""),
            e("n.G", "\"A\""),
            "{errorType:'NAME_MISMATCH', description:'The name of the schema has changed (path '/name')', \
             additionalInfo:'expected: n.G'}",
        ),
        (
            f(2),
            f(1),
            "{errorType:'FIXED_SIZE_MISMATCH', description:'The size of FIXED type field at path '/size' in the new schema does \
             not match with the old schema', additionalInfo:'expected: 1, found: 2'}",
        ),
        (
            "[\"int\"]".to_owned(),
            "[\"int\",\"string\"]".to_owned(),
            "{errorType:'MISSING_UNION_BRANCH', description:'The new schema is missing a type inside a union field at path '/1' \
             in the old schema', additionalInfo:'reader union lacking writer type: STRING'}",
        ),
    ] {
        let differences = avro(&reader).cannot_read(&avro(&writer));
        let messages = differences.iter().map(|one| one.message("new", "old")).collect::<Vec<_>>();
        assert_eq!(messages, [message], "{reader} {writer}");
    }
}

#[test]
fn places_are_pointers_into_the_reader() {
    let nested = |kind: &str| {
        record(&format!(
            r#"{{"name":"x","type":"int"}},{{"name":"a","type":{{"type":"array","items":{{"type":"map","values":["null",{kind}]}}}}}}"#
        ))
    };
    assert_eq!(
        reasons(&nested("\"int\""), &nested("\"string\"")),
        ["MISSING_UNION_BRANCH /fields/1/type/items/values/1 reader union lacking writer type: STRING"]
    );
    assert_eq!(
        reasons("\"int\"", r#"["int","null","string"]"#),
        [
            "TYPE_MISMATCH /1 reader type: INT not compatible with writer type: NULL",
            "TYPE_MISMATCH /2 reader type: INT not compatible with writer type: STRING"
        ]
    );
    assert_eq!(
        reasons(r#"["null","string"]"#, "\"int\""),
        ["MISSING_UNION_BRANCH / reader union lacking writer type: INT"]
    );
    // A changed name does not hide what else has changed.
    let renamed = record(r#"{"name":"f","type":"int"},{"name":"g","type":"int"}"#).replace("\"r\"", "\"s\"");
    assert_eq!(
        reasons(&renamed, &record(r#"{"name":"f","type":"string"}"#)),
        [
            "NAME_MISMATCH /name expected: r",
            "TYPE_MISMATCH /fields/0/type reader type: INT not compatible with writer type: STRING",
            "READER_FIELD_MISSING_DEFAULT_VALUE /fields/1 g"
        ]
    );
    // An enum with a default of its own is compared with the writer's record.
    let choice = r#"{"name":"e","type":{"type":"enum","name":"E","symbols":["A"],"default":"A"}}"#;
    assert_eq!(
        reasons(&record(choice), &record("")),
        ["TYPE_MISMATCH /fields/0/type reader type: ENUM not compatible with writer type: RECORD"]
    );
    let aliased = record(r#"{"name":"f","type":"int","aliases":["g"]}"#);
    let both = record(r#"{"name":"f","type":"int"},{"name":"g","type":"int"}"#);
    assert_eq!(reasons(&aliased, &both), ["READER_FIELD_MATCHES_SEVERAL /fields/0 "]);
    // It is the only answer, whatever else differs.
    let more = record(
        r#"{"name":"h","type":"int"},{"name":"u","type":["null",{"type":"record","name":"s","fields":[{"name":"f","type":"int","aliases":["g"]}]}]}"#,
    );
    let written = record(
        r#"{"name":"u","type":{"type":"record","name":"s","fields":[{"name":"f","type":"int"},{"name":"g","type":"int"}]}}"#,
    );
    let differences = avro(&more).cannot_read(&avro(&written));
    assert_eq!(differences.len(), 1, "{differences:?}");
    let message = differences[0].message("new", "old");
    assert!(
        message.starts_with("Unexpected exception during compatibility check: Reader record field f ")
            && message.ends_with(" matches multiple fields in writer record schema s"),
        "{message}"
    );
    let itself = record(r#"{"name":"f","type":"int","aliases":["f"]}"#);
    assert!(reasons(&itself, &both).is_empty(), "a field that is its own alias matches once");
}

#[test]
fn recursive_types_are_settled() {
    let list =
        |value: &str| record(&format!(r#"{{"name":"next","type":["null","r"]}},{{"name":"value","type":"{value}"}}"#));
    assert!(reasons(&list("long"), &list("int")).is_empty());
    // Under comparison the pair counts as good: nothing is told of the union.
    assert_eq!(
        reasons(&list("int"), &list("long")),
        ["TYPE_MISMATCH /fields/1/type reader type: INT not compatible with writer type: LONG"]
    );
    // What was concluded from a pair that turned out bad is not believed. `b` can be read only as long as `a` can; that is asked inside
    // of a union first, where `a` is under comparison, and again without it.
    let pair = |value: &str, last: &str| {
        let a = format!(
            r#"{{"type":"record","name":"a","fields":[{{"name":"b","type":{{"type":"record","name":"b","fields":[
            {{"name":"a","type":["null","a"]}}]}}}},{{"name":"v","type":"{value}"}}]}}"#
        );
        record(&format!(r#"{{"name":"u","type":["null",{a},{last}]}},{{"name":"w","type":"b"}}"#))
    };
    let (int, long) = (pair("int", r#"{"type":"map","values":"b"}"#), pair("long", r#"{"type":"map","values":"b"}"#));
    assert_eq!(
        reasons(&int, &long),
        [
            "MISSING_UNION_BRANCH /fields/0/type/1 reader union lacking writer type: RECORD",
            "MISSING_UNION_BRANCH /fields/0/type/2 reader union lacking writer type: MAP",
            "MISSING_UNION_BRANCH /fields/0/type/2/values/fields/0/type/1 reader union lacking writer type: RECORD",
        ]
    );
}

#[test]
fn a_type_that_differs_is_told_wherever_it_is_used() {
    let uses = |value: &str| {
        record(&format!(
            r#"{{"name":"a","type":{{"type":"record","name":"s","fields":[{{"name":"v","type":"{value}"}}]}}}},{{"name":"b","type":"s"}},
            {{"name":"c","type":["null","s"]}}"#
        ))
    };
    let inside = "TYPE_MISMATCH /fields/0/type/fields/0/type reader type: INT not compatible with writer type: LONG";
    assert_eq!(
        reasons(&uses("int"), &uses("long")),
        [inside, inside, "MISSING_UNION_BRANCH /fields/2/type/1 reader union lacking writer type: RECORD"]
    );
}

#[test]
fn many_ways_to_the_same_type_are_walked_once() {
    // Each record holds the next one twice: 2^60 paths.
    let tower = |last: &str| {
        let mut text = format!(r#"{{"type":"record","name":"t60","fields":[{{"name":"v","type":"{last}"}}]}}"#);
        let mut levels = vec![text.clone()];
        for level in (0..60).rev() {
            text = format!(
                r#"{{"type":"record","name":"t{level}","fields":[{{"name":"a","type":"t{}"}},{{"name":"b","type":"t{}"}}]}}"#,
                level + 1,
                level + 1
            );
            levels.push(text.clone());
        }
        format!("[{}]", levels.join(","))
    };
    let (int, long) = (avro(&tower("int")), avro(&tower("long")));
    assert!(long.cannot_read(&int).is_empty());
    assert_eq!(int.cannot_read(&long).len(), 61, "every record of the union holds it");
    // Outside of the union it is told for every path, up to a point.
    let root = |last: &str| {
        avro(&record(&format!(
            r#"{{"name":"u","type":{},"default":{{"v":1}}}},{{"name":"t","type":"t0"}}"#,
            tower(last)
        )))
    };
    let (int, long) = (root("int"), root("long"));
    assert!((1000..3000).contains(&int.cannot_read(&long).len()), "{}", int.cannot_read(&long).len());
}

#[test]
fn a_chain_longer_than_any_stack_is_judged_incomparable() {
    let chain = |length: usize| {
        let mut text = r#"[{"type":"record","name":"c0","fields":[]}"#.to_owned();
        for link in 1..length {
            text +=
                &format!(r#",{{"type":"record","name":"c{link}","fields":[{{"name":"f","type":"c{}"}}]}}"#, link - 1);
        }
        text + "]"
    };
    let whole = |length: usize, default: &str| {
        let last = length - 1;
        record(&format!(r#"{{"name":"u","type":{}{default}}},{{"name":"v","type":"c{last}"}}"#, chain(length)))
    };
    // Built from the bottom up: the union's branches are known by the time the chain is met.
    assert!(reasons(&whole(2000, ""), &whole(2000, "")).is_empty());
    // Met from the top, because the writer does not have the union.
    let from_the_top = |length: usize| {
        let writer = whole(length, "").replace("\"u\"", "\"w\"");
        reasons(&whole(length, r#","default":{}"#), &writer)
    };
    assert!(from_the_top(150).is_empty());
    let reasons = from_the_top(2000);
    assert_eq!(reasons.len(), 1);
    assert!(reasons[0].ends_with("types nested too deep to be compared"), "{}", &reasons[0][reasons[0].len() - 80..]);
}

#[test]
fn unions_of_very_many_types_are_not_compared() {
    let union = |count: usize, name: &dyn Fn(usize) -> String, size: usize| {
        let types = (0..count).map(|n| format!(r#"{{"type":"fixed","name":"{}","size":{size}}}"#, name(n)));
        format!("[{}]", types.collect::<Vec<_>>().join(","))
    };
    let (other, namespaced) = (|n: usize| format!("b{n}"), |n: usize| format!("n{n}.F"));
    // Ten million pairs of different names, and a hundred thousand of one name and two sizes.
    for (ours, theirs) in [
        (union(4000, &|n| format!("a{n}"), 1), union(4000, &other, 1)),
        (union(400, &namespaced, 1), union(400, &namespaced, 2)),
    ] {
        let differences = avro(&ours).cannot_read(&avro(&theirs));
        let kinds = differences.iter().map(|difference| difference.kind()).collect::<Vec<_>>();
        assert_eq!(kinds, ["SCHEMA_TOO_COMPLEX"]);
        assert!(differences[0].message("new", "old").contains("too many types within unions"));
    }
    let many = avro(&union(2000, &other, 1));
    assert!(many.cannot_read(&many).is_empty());
}
