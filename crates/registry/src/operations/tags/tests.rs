use super::*;

const AVRO: &str = r#"{"type":"record","name":"R","namespace":"n","fields":[{"name":"a","type":["null",{"type":"array","items":{"type":"record","name":"I","fields":[{"name":"x","type":"int"}]}}]}]}"#;
const JSON: &str = r#"{"type":"object","properties":{"address":{"type":"object","properties":{"zip":{"type":"string"}}},"list":{"type":"array","items":{"type":"object","properties":{"y":true}}},"one":{"oneOf":[{"type":"null"},{"type":"object","properties":{"z":{"type":"integer"}}}]}}}"#;

fn tagged(path: &str, part: EntityType, tags: &[&str]) -> EntityTags {
    EntityTags { path: path.to_owned(), part, tags: tags.iter().map(|tag| (*tag).to_owned()).collect() }
}

fn add(kind: SchemaKind, text: &str, add: Vec<EntityTags>) -> Result<String, Error> {
    TagTargets::read(kind, text)?.changed(&[], &TagChanges { add, ..TagChanges::default() })
}

fn all(kind: SchemaKind, text: &str) -> Vec<EntityTags> {
    TagTargets::read(kind, text).expect("a document").tagged()
}

#[test]
fn avro_places_go_by_full_and_simple_names() {
    let asked = vec![
        tagged("R", EntityType::Record, &["A"]),
        tagged("n.R.a", EntityType::Field, &["B", "C"]),
        tagged("I.x", EntityType::Field, &["D"]),
    ];
    let text = add(SchemaKind::Avro, AVRO, asked).expect("all paths fit");
    let found = vec![
        tagged("n.R", EntityType::Record, &["A"]),
        tagged("n.R.a", EntityType::Field, &["B", "C"]),
        tagged("n.I.x", EntityType::Field, &["D"]),
    ];
    assert_eq!(all(SchemaKind::Avro, &text), found);
    let remove = vec![tagged("n.R.a", EntityType::Field, &["B", "Z"]), tagged("I.x", EntityType::Field, &["D"])];
    let changes = TagChanges { remove, ..TagChanges::default() };
    let text = TagTargets::read(SchemaKind::Avro, &text)
        .and_then(|candidate_subjects| candidate_subjects.changed(&[], &changes))
        .expect("changed");
    let left = vec![tagged("n.R", EntityType::Record, &["A"]), tagged("n.R.a", EntityType::Field, &["C"])];
    assert_eq!(all(SchemaKind::Avro, &text), left);
}

#[test]
fn json_places_go_by_structure() {
    let asked = vec![
        tagged("object", EntityType::Record, &["A"]),
        tagged("object.address", EntityType::Field, &["B"]),
        tagged("object.address.object", EntityType::Record, &["C"]),
        tagged("object.address.object.zip", EntityType::Field, &["D"]),
        tagged("object.list.array.object", EntityType::Record, &["E"]),
        tagged("object.one.oneof.1.object.z", EntityType::Field, &["F"]),
    ];
    let text = add(SchemaKind::Json, JSON, asked).expect("all paths fit");
    let found: Vec<(String, Vec<String>)> =
        all(SchemaKind::Json, &text).into_iter().map(|tagged| (tagged.path, tagged.tags)).collect();
    let expected = [
        ("object", vec!["A"]),
        ("object.address", vec!["B", "C"]),
        ("object.address.object.zip", vec!["D"]),
        ("object.list.array.object", vec!["E"]),
        ("object.one.oneof.1.object.z", vec!["F"]),
    ];
    let expected = expected.map(|(path, tags)| (path.to_owned(), tags.into_iter().map(str::to_owned).collect()));
    assert_eq!(found, expected);
}

#[test]
fn a_path_that_fits_nothing_is_refused() {
    for (kind, text, path, part) in [
        (SchemaKind::Avro, AVRO, "R.b", EntityType::Field),
        (SchemaKind::Avro, "\"int\"", "int", EntityType::Record),
        (SchemaKind::Json, JSON, "object.zip", EntityType::Field),
        (SchemaKind::Json, "true", "object", EntityType::Record),
    ] {
        let refused = add(kind, text, vec![tagged(path, part, &["T"])]);
        assert_eq!(refused, Err(Error::InvalidTags(format!("the schema has no {} \"{path}\"", part.name()))));
    }
}

const PROTOBUF: &str = "syntax = \"proto3\";\npackage p;\n\nmessage A {\n  option (confluent.message_meta).tags = \"OLD\";\n\n  int32 x = 1 [\n    (confluent.field_meta) = {\n      doc: \"d\",\n      tags: \"PII\"\n    },\n    deprecated = true\n  ];\n\n  oneof o {\n    B b = 2;\n  }\n\n  message B {\n    string s = 1;\n  }\n}\n";

#[test]
fn protobuf_places_go_by_names_without_the_package_and_tags_are_options() {
    let before = vec![tagged("A", EntityType::Record, &["OLD"]), tagged("A.x", EntityType::Field, &["PII"])];
    assert_eq!(all(SchemaKind::Protobuf, PROTOBUF), before);
    let changes = TagChanges {
        remove: vec![tagged("A", EntityType::Record, &["OLD"]), tagged("A.x", EntityType::Field, &["PII"])],
        add: vec![
            tagged("A.b", EntityType::Field, &["O"]),
            tagged("A.B", EntityType::Record, &["N", "M"]),
            tagged("A.B.s", EntityType::Field, &["a\"b"]),
        ],
        propagate: false,
    };
    let changed = TagTargets::read(SchemaKind::Protobuf, PROTOBUF)
        .and_then(|candidate_subjects| candidate_subjects.changed(&[], &changes));
    let changed = changed.expect("all paths fit");
    let after = vec![
        tagged("A.b", EntityType::Field, &["O"]),
        tagged("A.B", EntityType::Record, &["N", "M"]),
        tagged("A.B.s", EntityType::Field, &["a\"b"]),
    ];
    assert_eq!(all(SchemaKind::Protobuf, &changed), after);
    // What is not a tag stays, and what holds nothing any more goes.
    assert!(changed.contains("doc: \"d\"") && changed.contains("deprecated = true"), "{changed}");
    assert_eq!(changed.matches("message_meta").count(), 1, "{changed}");
    assert!(
        changed.contains("  message B {\n    option (confluent.message_meta) = {\n      tags: [\n        \"N\",\n        \"M\"\n      ]\n    };\n"),
        "{changed}"
    );
    let refused = add(SchemaKind::Protobuf, PROTOBUF, vec![tagged("p.A", EntityType::Record, &["T"])]);
    assert_eq!(refused, Err(Error::InvalidTags("the schema has no sr_record \"p.A\"".to_owned())));
}

#[test]
fn tags_are_taken_over_where_there_is_a_place_before_they_are_changed() {
    let known = [tagged("n.R.a", EntityType::Field, &["A", "B"]), tagged("n.R.gone", EntityType::Field, &["C"])];
    let changes = TagChanges { remove: vec![tagged("R.a", EntityType::Field, &["A"])], ..TagChanges::default() };
    let text = TagTargets::read(SchemaKind::Avro, AVRO)
        .and_then(|candidate_subjects| candidate_subjects.changed(&known, &changes))
        .expect("fits");
    assert_eq!(all(SchemaKind::Avro, &text), [tagged("n.R.a", EntityType::Field, &["B"])]);
}
