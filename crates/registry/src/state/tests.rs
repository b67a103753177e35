//! Records in, state out: the bytes as other writers leave them.

use postern_schema::SchemaKind;
use serde_json::json;

use crate::log;
use crate::log::LogKey;
use crate::model::config::CompatibilityLevel;
use crate::model::content::SchemaContent;
use crate::model::mode::Mode;
use crate::model::names::{SchemaId, Subject};
use crate::model::stored::Visible;
use crate::state::State;
use crate::state::changes::{ApplyOutcome, StateChange};

/// Applies a record; the answer is what became of it, `None` when it was skipped.
fn apply(state: &mut State, key: &str, value: Option<&str>) -> Option<ApplyOutcome> {
    let entry = log::decode(Some(key.as_bytes()), value.map(str::as_bytes)).ok()?;
    Some(state.apply(key.as_bytes(), entry, Some(7), false))
}

fn subject(name: &str) -> Subject {
    Subject::parse(name)
}

/// A SCHEMA record as Confluent's registry writes it.
fn schema(state: &mut State, name: &str, version: u32, id: i32, text: &str, deleted: bool) -> Option<ApplyOutcome> {
    let key = format!(r#"{{"keytype":"SCHEMA","subject":"{name}","version":{version},"magic":1}}"#);
    let value = json!({"subject": name, "version": version, "id": id, "schemaType": "AVRO", "schema": text, "deleted": deleted});
    apply(state, &key, Some(&value.to_string()))
}

fn tombstone(state: &mut State, name: &str, version: u32) {
    apply(state, &format!(r#"{{"keytype":"SCHEMA","subject":"{name}","version":{version},"magic":1}}"#), None);
}

fn versions(state: &State, name: &str, visible: Visible) -> Vec<u32> {
    state.versions(&subject(name), visible).map(|stored| stored.version).collect()
}

#[test]
fn records_are_written_byte_for_byte_as_known() {
    let s = subject("s");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("JSON");
    assert_eq!(text(log::schema::key(&s, 1)), r#"{"keytype":"SCHEMA","subject":"s","version":1,"magic":1}"#);
    assert_eq!(text(log::schema::key(&subject(""), 1)), r#"{"keytype":"SCHEMA","version":1,"magic":1}"#);
    assert_eq!(text(log::config::key(Some(&s))), r#"{"keytype":"CONFIG","subject":"s","magic":0}"#);
    assert_eq!(text(log::config::key(None)), r#"{"keytype":"CONFIG","magic":0}"#);
    assert_eq!(text(log::mode::key(None)), r#"{"keytype":"MODE","magic":0}"#);
    assert_eq!(text(log::delete_subject::key(&s)), r#"{"keytype":"DELETE_SUBJECT","subject":"s","magic":0}"#);
    assert_eq!(text(log::clear_subject::key(Some(&s))), r#"{"keytype":"CLEAR_SUBJECT","subject":"s","magic":0}"#);
    assert_eq!(text(log::context::key(".c")), r#"{"keytype":"CONTEXT","tenant":"default","context":".c","magic":0}"#);
    let reference = crate::SchemaReference { name: "A".to_owned(), subject: "a".to_owned(), version: 1 };
    let metadata = crate::Metadata::from_json(&json!({"properties": {"k": "v"}})).expect("metadata");
    let content = SchemaContent::new(SchemaKind::Avro, "\"int\"", vec![reference], Some(metadata), None);
    assert_eq!(
        text(log::schema::value(&s, 1, SchemaId(5), &content, false, None)),
        r#"{"subject":"s","version":1,"id":5,"schemaType":"AVRO","references":[{"name":"A","subject":"a","version":1}],"metadata":{"properties":{"k":"v"}},"schema":"\"int\"","deleted":false}"#
    );
    assert_eq!(text(log::delete_subject::value(&s, 3)), r#"{"subject":"s","version":3}"#);
    assert_eq!(text(log::mode::value(None, Mode::ReadOnly)), r#"{"mode":"READONLY"}"#);
    let config = crate::Config {
        compatibility_level: Some(CompatibilityLevel::Full),
        normalize: Some(true),
        ..crate::Config::default()
    };
    assert_eq!(
        text(log::config::value(Some(&s), &config)),
        r#"{"subject":"s","normalize":true,"compatibilityLevel":"FULL"}"#
    );
}

#[test]
fn one_id_per_content_and_context() {
    let mut state = State::default();
    schema(&mut state, "a", 1, 1, "\"int\"", false);
    schema(&mut state, "b", 1, 1, "\"int\"", false);
    schema(&mut state, ":.c:a", 1, 1, "\"long\"", false);
    let versions_with_id: Vec<_> =
        state.versions_with_id(".", SchemaId(1)).map(|stored| stored.subject.to_string()).collect();
    assert_eq!(versions_with_id, ["a", "b"]);
    assert_eq!(state.content(".c", SchemaId(1)).map(|content| content.text()), Some("\"long\""));
    assert_eq!(state.contexts().collect::<Vec<_>>(), [".", ".c"]);
    assert_eq!((state.max_id("."), state.max_id(".c"), state.max_id(".d")), (1, 1, 0));
}

#[test]
fn an_id_goes_with_its_last_version_and_is_not_given_out_again() {
    let mut state = State::default();
    schema(&mut state, "a", 1, 4, "\"int\"", false);
    schema(&mut state, "b", 1, 4, "\"int\"", false);
    tombstone(&mut state, "a", 1);
    assert!(state.content(".", SchemaId(4)).is_some());
    tombstone(&mut state, "b", 1);
    assert!(state.content(".", SchemaId(4)).is_none());
    let guid = SchemaContent::new(SchemaKind::Avro, "\"int\"", vec![], None, None).guid();
    assert!(state.ids_of(".", guid).is_empty());
    assert_eq!((state.max_id("."), state.next_version(&subject("a"))), (4, 1));
}

#[test]
fn a_subject_is_deleted_up_to_a_version() {
    let mut state = State::default();
    for version in 1..=3 {
        schema(&mut state, "s", version, version as i32, &format!("\"{version}\""), false);
    }
    let outcome = apply(
        &mut state,
        r#"{"keytype":"DELETE_SUBJECT","subject":"s","magic":0}"#,
        Some(r#"{"subject":"s","version":2}"#),
    );
    assert_eq!(outcome, Some(ApplyOutcome::Applied(StateChange::Minor)));
    assert_eq!(versions(&state, "s", Visible::Live), [3]);
    assert_eq!(versions(&state, "s", Visible::Deleted), [1, 2]);
    // Restored by the same record without the mark.
    schema(&mut state, "s", 1, 1, "\"1\"", false);
    assert_eq!(versions(&state, "s", Visible::Live), [1, 3]);
    // A clear forgets what is still deleted.
    apply(&mut state, r#"{"keytype":"CLEAR_SUBJECT","subject":"s","magic":0}"#, Some(r#"{"subject":"s"}"#));
    assert_eq!(versions(&state, "s", Visible::All), [1, 3]);
}

#[test]
fn the_first_in_the_log_wins_a_version() {
    let mut state = State::default();
    schema(&mut state, "s", 1, 1, "\"int\"", false);
    assert!(matches!(schema(&mut state, "s", 1, 2, "\"long\"", false), Some(ApplyOutcome::Rejected(_))));
    assert_eq!(state.version(&subject("s"), 1).map(|stored| stored.id), Some(SchemaId(1)));
    assert_eq!(state.max_id("."), 1);
    // The rejected record is the last of its key, so the winner must be rewritten …
    assert_eq!(state.winners_to_rewrite().collect::<Vec<_>>(), [&(subject("s"), 1)]);
    let back = state.rewritten(&subject("s"), 1, None).expect("there");
    let text = |bytes: Option<bytes::Bytes>| String::from_utf8(bytes.expect("bytes").to_vec()).expect("JSON");
    assert_eq!(
        text(back.value.clone()),
        r#"{"subject":"s","version":1,"id":1,"schemaType":"AVRO","schema":"\"int\"","deleted":false}"#
    );
    // … and with that all is well.
    apply(&mut state, &text(back.key), Some(&text(back.value)));
    assert_eq!(state.winners_to_rewrite().count(), 0);
}

#[test]
fn the_first_in_the_log_wins_an_id() {
    let mut state = State::default();
    schema(&mut state, "a", 1, 1, "\"int\"", false);
    assert!(matches!(schema(&mut state, "b", 1, 1, "\"long\"", false), Some(ApplyOutcome::Rejected(_))));
    assert_eq!(versions(&state, "b", Visible::All), [0; 0]);
    // Its key is its own: nothing to repair, and the writer takes the next id under the same key.
    assert_eq!(state.winners_to_rewrite().count(), 0);
    assert!(matches!(schema(&mut state, "b", 1, 2, "\"long\"", false), Some(ApplyOutcome::Applied(_))));
}

#[test]
fn variants_of_other_writers_are_read() {
    let mut state = State::default();
    // Very old: magic 0, neither type nor mark; white space; null members written out.
    apply(
        &mut state,
        r#"{"keytype":"SCHEMA","subject":"s","version":1,"magic":0}"#,
        Some(r#"{"subject":"s","version":1,"id":1,"schema":"\"int\""}"#),
    );
    apply(
        &mut state,
        r#"{"subject": "s", "version": 2, "magic": 1, "keytype": "SCHEMA"}"#,
        Some(
            r#"{"id": 2, "schema": "\"long\"", "references": [], "metadata": null, "offset": 7, "ts": 8, "novel": {"x": 1.50}}"#,
        ),
    );
    apply(
        &mut state,
        r#"{"keytype":"SCHEMA","version":1,"magic":1}"#,
        Some(r#"{"version":1,"id":1,"schema":"\"int\""}"#),
    );
    assert_eq!(versions(&state, "s", Visible::Live), [1, 2]);
    assert_eq!(versions(&state, "", Visible::Live), [1]);
    // Rewritten under the key it has in the topic, with the member that is not understood.
    let rewritten = state.rewritten(&subject("s"), 2, Some(true)).expect("there");
    assert_eq!(
        rewritten.key.as_deref(),
        Some(&br#"{"subject": "s", "version": 2, "magic": 1, "keytype": "SCHEMA"}"#[..])
    );
    let value: serde_json::Value = serde_json::from_slice(&rewritten.value.expect("value")).expect("JSON");
    assert_eq!((value["novel"].to_string(), value["deleted"].clone()), (r#"{"x":1.50}"#.to_owned(), json!(true)));
}

#[test]
fn both_spellings_of_a_global_key_are_one_setting() {
    let mut state = State::default();
    let (ours, theirs) = (r#"{"keytype":"CONFIG","magic":0}"#, r#"{"keytype":"CONFIG","subject":null,"magic":0}"#);
    apply(&mut state, ours, Some(r#"{"compatibilityLevel":"FULL"}"#));
    apply(&mut state, theirs, Some(r#"{"compatibilityLevel":"NONE"}"#));
    assert_eq!(state.config(None).map(crate::Config::level), Some(CompatibilityLevel::None));
    // Both would survive compaction, so both get tombstones.
    let keys: Vec<_> = state.tombstones(&LogKey::Config(None)).into_iter().filter_map(|record| record.key).collect();
    assert_eq!(keys, [ours, theirs]);
    assert_eq!(state.key(&LogKey::Config(None)), theirs.as_bytes());
    apply(&mut state, theirs, None);
    assert_eq!(state.config(None), None);
}

#[test]
fn what_is_not_understood_changes_nothing() {
    let mut state = State::default();
    for (key, value) in [
        (r#"{"keytype":"SCHEMA","subject":"s","version":1,"magic":2}"#, Some(r#"{"id":1,"schema":"x"}"#)),
        (r#"{"keytype":"SCHEMA","subject":"s","version":0,"magic":1}"#, Some(r#"{"id":1,"schema":"x"}"#)),
        (r#"{"keytype":"SCHEMA","subject":"s","version":1,"magic":1}"#, Some(r#"{"schema":"x"}"#)),
        (r#"{"keytype":"SCHEMA","subject":"s","version":1,"magic":1}"#, Some("[]")),
        (r#"{"keytype":"NOVEL","magic":0}"#, Some("{}")),
        (r#"{"keytype":7}"#, None),
        ("not JSON", None),
        ("", None),
    ] {
        assert_eq!(apply(&mut state, key, value), None, "{key}");
    }
    assert!(log::decode(None, None).is_err());
    assert_eq!(
        apply(&mut state, r#"{"keytype":"NOOP","magic":0}"#, None),
        Some(ApplyOutcome::Applied(StateChange::Minor))
    );
    assert_eq!(state.subjects(&subject(":*:")).count(), 0);
}

#[test]
fn referrers_are_known_in_both_directions() {
    let mut state = State::default();
    schema(&mut state, "a", 1, 1, "\"int\"", false);
    let key = r#"{"keytype":"SCHEMA","subject":"b","version":1,"magic":1}"#;
    apply(&mut state, key, Some(r#"{"id":2,"schema":"\"A\"","references":[{"name":"A","subject":"a","version":1}]}"#));
    assert!(state.check_unreferenced(&subject("a"), 1, false).is_err());
    apply(
        &mut state,
        r#"{"keytype":"DELETE_SUBJECT","subject":"b","magic":0}"#,
        Some(r#"{"subject":"b","version":1}"#),
    );
    assert!(state.check_unreferenced(&subject("a"), 1, false).is_ok());
    assert!(state.check_unreferenced(&subject("a"), 1, true).is_err());
    apply(&mut state, key, None);
    assert!(state.check_unreferenced(&subject("a"), 1, true).is_ok());
}

#[test]
fn the_nearest_setting_counts() {
    let mut state = State::default();
    let config = |state: &mut State, name: Option<&str>, value: &str| {
        let scope = name.map_or(String::new(), |name| format!(r#""subject":"{name}","#));
        apply(state, &format!(r#"{{"keytype":"CONFIG",{scope}"magic":0}}"#), Some(value));
    };
    assert_eq!(state.effective_config(&subject("s")).level(), CompatibilityLevel::Backward);
    config(&mut state, Some(":.__GLOBAL:"), r#"{"compatibilityLevel":"FORWARD"}"#);
    assert_eq!(state.effective_config(&subject("s")).level(), CompatibilityLevel::Forward);
    config(&mut state, None, r#"{"compatibilityLevel":"FULL","normalize":true}"#);
    assert_eq!(state.effective_config(&subject("s")).level(), CompatibilityLevel::Full);
    assert_eq!(state.effective_config(&subject(":.c:s")).level(), CompatibilityLevel::Forward);
    config(&mut state, Some("s"), r#"{"compatibilityGroup":"g"}"#);
    let own = state.effective_config(&subject("s"));
    assert_eq!(
        (own.level(), own.normalize, own.compatibility_group.as_deref()),
        (CompatibilityLevel::Backward, Some(true), Some("g"))
    );
    apply(&mut state, r#"{"keytype":"MODE","magic":0}"#, Some(r#"{"mode":"READONLY"}"#));
    assert_eq!(state.effective_mode(Some(&subject("s"))), Mode::ReadOnly);
    assert_eq!(state.effective_mode(Some(&subject(":.c:s"))), Mode::ReadWrite);
}

/// Records with bytes changed, cut and repeated at chosen places: nothing panics, and the state stays whole.
#[test]
fn mangled_records_are_skipped_or_folded_but_never_break_the_state() {
    let records: [(&str, Option<&str>); 8] = [
        (
            r#"{"keytype":"SCHEMA","subject":"s","version":1,"magic":1}"#,
            Some(
                r#"{"subject":"s","version":1,"id":1,"references":[{"name":"a","subject":"t","version":1}],"metadata":{"tags":{"x":["T"]},"properties":{"a":"1"},"sensitive":["a"]},"ruleSet":{"domainRules":[{"name":"r","type":"CEL"}]},"schema":"\"int\"","deleted":false}"#,
            ),
        ),
        (
            r#"{"keytype":"SCHEMA","subject":":.c:t","version":2,"magic":1}"#,
            Some(r#"{"id":2,"schema":"\"long\"","deleted":true}"#),
        ),
        (r#"{"keytype":"SCHEMA","subject":"s","version":1,"magic":1}"#, None),
        (
            r#"{"keytype":"CONFIG","subject":"s","magic":0}"#,
            Some(r#"{"compatibilityLevel":"FULL","alias":"t","normalize":true}"#),
        ),
        (r#"{"keytype":"MODE","magic":0}"#, Some(r#"{"mode":"IMPORT"}"#)),
        (r#"{"keytype":"DELETE_SUBJECT","subject":"s","magic":0}"#, Some(r#"{"subject":"s","version":2}"#)),
        (r#"{"keytype":"CLEAR_SUBJECT","subject":":.c:","magic":0}"#, Some(r#"{"subject":":.c:"}"#)),
        (
            r#"{"keytype":"CONTEXT","tenant":"default","context":".c","magic":0}"#,
            Some(r#"{"tenant":"default","context":".c"}"#),
        ),
    ];
    // xorshift: the same places on every run.
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % u64::try_from(below.max(1)).expect("small")).expect("small")
    };
    let mut state = State::default();
    let (mut applied, mut skipped) = (0, 0);
    for _ in 0..40_000 {
        let (key, value) = records[next(records.len())];
        let (mut key, mut value) = (key.as_bytes().to_vec(), value.map(|value| value.as_bytes().to_vec()));
        let mangled = match value.as_mut().filter(|_| next(3) > 0) {
            Some(value) => value,
            None => &mut key,
        };
        for _ in 0..next(3) {
            let at = next(mangled.len());
            match next(4) {
                0 => mangled[at] = u8::try_from(next(256)).expect("a byte"),
                1 => mangled[at] = b"0123456789-.eE\"{}[],:"[next(20)],
                2 => mangled.truncate(at),
                _ => {
                    let piece = mangled[at..].to_vec();
                    mangled.extend(piece);
                }
            }
            if mangled.is_empty() {
                break;
            }
        }
        match log::decode(Some(&key), value.as_deref()) {
            Ok(entry) => {
                state.apply(&key, entry, Some(1), false);
                applied += 1;
            }
            Err(_) => skipped += 1,
        }
    }
    assert!(applied > 5_000 && skipped > 5_000, "{applied} applied, {skipped} skipped");
    // What the two directions say of each other is still true.
    let everywhere = subject(":*:");
    for subject in state.subjects(&everywhere) {
        for stored in state.versions(subject, Visible::All) {
            let versions_with_id: Vec<_> = state.versions_with_id(subject.context(), stored.id).collect();
            assert!(versions_with_id.iter().any(|other| other.subject == *subject && other.version == stored.version));
            assert!(state.ids_of(subject.context(), stored.content.guid()).contains(&stored.id));
            assert!(state.max_id(subject.context()) >= stored.id.0);
        }
    }
}

#[test]
fn encoded_metadata_is_kept_as_it_is_with_the_identity_of_its_clear_text() {
    let mut state = State::default();
    let key = r#"{"keytype":"SCHEMA","subject":"s","version":1,"magic":1}"#;
    let value = r#"{"subject":"s","version":1,"id":1,"md5":"AAECAwQFBgcICQoLDA0ODw==","schemaType":"AVRO","metadata":{"properties":{"__enc__":"true","key":"b3BhcXVl"},"sensitive":["key"]},"schema":"\"int\"","deleted":false}"#;
    apply(&mut state, key, Some(value));
    let stored = state.version(&subject("s"), 1).expect("there");
    assert_eq!(stored.content.guid().to_string(), "00010203-0405-0607-0809-0a0b0c0d0e0f");
    let rewritten = state.rewritten(&subject("s"), 1, None).and_then(|record| record.value).expect("a value");
    assert_eq!(String::from_utf8_lossy(&rewritten), value);
    // Of a content in clear text the guid is made anew, whatever stands there.
    let clear = r#"{"id":2,"md5":"AAECAwQFBgcICQoLDA0ODw==","schema":"\"int\""}"#;
    apply(&mut state, r#"{"keytype":"SCHEMA","subject":"t","version":1,"magic":1}"#, Some(clear));
    let clear = state.version(&subject("t"), 1).expect("there");
    assert_eq!(clear.content.guid().to_string(), "ef524ea1-b91e-7317-3d93-8ade36c1db32");
    // Associations are passed over in silence.
    let association = r#"{"keytype":"ASSOC","tenant":"default","resourceName":"t","magic":0}"#;
    assert_eq!(apply(&mut state, association, Some("{}")), Some(ApplyOutcome::Applied(StateChange::Minor)));
}

// === Repairs ===

/// Applies a record that was written as a repair.
fn repair(state: &mut State, key: &str, value: Option<&str>) {
    let entry = log::decode(Some(key.as_bytes()), value.map(str::as_bytes)).expect("a record");
    assert_eq!(state.apply(key.as_bytes(), entry, Some(8), true), ApplyOutcome::Applied(StateChange::Minor));
}

fn schema_key(name: &str, version: u32) -> String {
    format!(r#"{{"keytype":"SCHEMA","subject":"{name}","version":{version},"magic":1}}"#)
}

/// Another instance registers under an orphaned key while this one appends the tombstone for it: the registration was acknowledged.
#[test]
fn a_tombstone_for_an_orphan_does_not_remove_a_schema_that_came_before_it() {
    let mut state = State::default();
    schema(&mut state, "a", 1, 1, "\"int\"", false);
    schema(&mut state, "b", 1, 1, "\"long\"", false);
    assert_eq!(state.orphaned_keys().count(), 1);
    schema(&mut state, "b", 1, 2, "\"long\"", false);
    repair(&mut state, &schema_key("b", 1), None);
    assert_eq!(versions(&state, "b", Visible::Live), [1]);
    assert_eq!(state.winners_to_rewrite().count(), 1, "the tombstone is the last record of the key");
    let rewritten = state.rewritten(&subject("b"), 1, None).expect("there");
    repair(
        &mut state,
        &schema_key("b", 1),
        rewritten.value.as_deref().and_then(|value| std::str::from_utf8(value).ok()),
    );
    assert_eq!((state.winners_to_rewrite().count(), state.orphaned_keys().count()), (0, 0));
}

/// Another instance deletes a version softly, or for good, while this one rewrites it as it was.
#[test]
fn a_rewritten_winner_undoes_no_delete() {
    let value = |deleted| {
        let value = json!({"subject": "s", "version": 1, "id": 1, "schemaType": "AVRO", "schema": "\"int\"", "deleted": deleted});
        value.to_string()
    };
    let mut state = State::default();
    schema(&mut state, "s", 1, 1, "\"int\"", false);
    schema(&mut state, "s", 1, 2, "\"long\"", false);
    schema(&mut state, "s", 1, 1, "\"int\"", true);
    repair(&mut state, &schema_key("s", 1), Some(&value(false)));
    assert_eq!(versions(&state, "s", Visible::Live), [0; 0]);
    assert_eq!(state.winners_to_rewrite().count(), 1);
    repair(&mut state, &schema_key("s", 1), Some(&value(true)));
    assert_eq!((versions(&state, "s", Visible::Deleted), state.winners_to_rewrite().count()), (vec![1], 0));
    tombstone(&mut state, "s", 1);
    repair(&mut state, &schema_key("s", 1), Some(&value(true)));
    assert_eq!((versions(&state, "s", Visible::All), state.orphaned_keys().count()), (vec![], 1));
}

// === Finding versions ===

/// Registering looks at the versions that may be the same, however many there are.
#[test]
fn only_similar_versions_are_looked_at() {
    let mut state = State::default();
    for number in 1..=1000_u32 {
        let text = format!(r#"{{"type":"fixed","name":"F","size":{number}}}"#);
        schema(&mut state, "s", number, number as i32, &text, number == 21);
    }
    let content = |text: &str| SchemaContent::new(SchemaKind::Avro, text, vec![], None, None);
    let similar = |text: &str, visible| {
        let found = state.similar_versions(&subject("s"), &content(text), visible);
        found.iter().map(|stored| stored.version).collect::<Vec<_>>()
    };
    assert_eq!(similar(r#"{"type":"fixed","name":"F","size":12}"#, Visible::All), [21, 12]);
    assert_eq!(similar(r#"{"name":"F","type":"fixed","size":12}"#, Visible::Live), [12]);
    assert_eq!(similar("\"int\"", Visible::All), [0; 0]);
    tombstone(&mut state, "s", 12);
    let left =
        state.similar_versions(&subject("s"), &content(r#"{"type":"fixed","name":"F","size":12}"#), Visible::All);
    assert_eq!(left.len(), 1);
}
