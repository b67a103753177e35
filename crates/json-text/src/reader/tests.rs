//! The reader against `serde_json`, and the words of its errors.

use proptest::prelude::*;

use super::*;

/// What the reader makes of a text, as a tree.
fn tree(reader: &mut Reader<'_>) -> Result<serde_json::Value> {
    Ok(match reader.next_token()? {
        Token::Null => serde_json::Value::Null,
        Token::Bool(value) => value.into(),
        Token::Number(number) => serde_json::from_str(number.digits).expect("the digits of a number"),
        Token::String(text) => text.unescaped()?.into_owned().into(),
        Token::Array => {
            let mut items = Vec::new();
            while reader.next_element()? {
                items.push(tree(reader)?);
            }
            items.into()
        }
        Token::Object => {
            let mut members = serde_json::Map::new();
            while let Some(name) = reader.next_member()? {
                members.insert(name.unescaped()?.into_owned(), tree(reader)?);
            }
            members.into()
        }
    })
}

fn read(json: &[u8]) -> Result<serde_json::Value> {
    let mut reader = Reader::new(json, 100)?;
    let value = tree(&mut reader)?;
    reader.end().map(|()| value)
}

/// The same as `tree`, by one who expects `value`: asks for its types and for the names of its members.
fn expected_tree(reader: &mut Reader<'_>, value: &serde_json::Value) -> Result<serde_json::Value> {
    Ok(match value {
        serde_json::Value::Number(_) => match reader.next_number()? {
            Some(number) => serde_json::from_str(number.digits).expect("the digits of a number"),
            None => tree(reader)?,
        },
        serde_json::Value::String(_) => match reader.next_string()? {
            Some(text) => text.unescaped()?.into_owned().into(),
            None => tree(reader)?,
        },
        serde_json::Value::Object(expected) if reader.next_object()? => {
            let mut members = serde_json::Map::new();
            for (name, member) in expected {
                let name_and_colon = serde_json::to_string(name).expect("a name can be written") + ":";
                if reader.next_member_is(name_and_colon.as_bytes()) {
                    members.insert(name.clone(), expected_tree(reader, member)?);
                }
            }
            while let Some(name) = reader.next_member()? {
                members.insert(name.unescaped()?.into_owned(), tree(reader)?);
            }
            members.into()
        }
        _ => tree(reader)?,
    })
}

fn read_expecting(json: &[u8], value: &serde_json::Value) -> Result<serde_json::Value> {
    let mut reader = Reader::new(json, 100)?;
    let value = expected_tree(&mut reader, value)?;
    reader.end().map(|()| value)
}

fn skipped(json: &[u8]) -> Result<()> {
    let mut reader = Reader::new(json, 100)?;
    reader.skip_value()?;
    reader.end()
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_filter("JSON has no others", |value| value.is_finite()).prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::vec((any::<String>(), inner), 0..6)
                .prop_map(|members| members.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

proptest! {
    #[test]
    fn what_another_writes_is_read_as_it_reads_it(value in any_json(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_vec_pretty(&value) } else { serde_json::to_vec(&value) };
        let text = text.expect("a tree can be written");
        prop_assert_eq!(read(&text), serde_json::from_slice(&text).map_err(|_| unreachable!("it was just written")));
        prop_assert_eq!(skipped(&text), Ok(()));
        prop_assert_eq!(read_expecting(&text, &value), read(&text));
    }

    /// One byte changed: either both readers take it, for the same, or neither does.
    #[test]
    fn what_another_refuses_is_refused(value in any_json(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut text = serde_json::to_vec(&value).expect("a tree can be written");
        let at = at.index(text.len());
        text[at] = byte;
        match (read(&text), serde_json::from_slice::<serde_json::Value>(&text)) {
            (Ok(ours), Ok(theirs)) => prop_assert_eq!(ours, theirs),
            (Err(_), Err(_)) => {}
            (ours, theirs) => prop_assert!(false, "{ours:?} and {theirs:?} of {}", String::from_utf8_lossy(&text)),
        }
        prop_assert_eq!(skipped(&text).is_ok(), read(&text).is_ok());
        prop_assert_eq!(read_expecting(&text, &value), read(&text));
    }

    #[test]
    fn runs_end_where_a_look_at_each_byte_ends_them(bytes in prop::collection::vec(0_u8..0x80, 0..40)) {
        let one_by_one = bytes.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20)).count();
        prop_assert_eq!(unescaped_len(&bytes), one_by_one);
    }
}

#[test]
fn syntax_errors_say_where_and_what_was_meant() {
    let python = "; strings stand in double quotes: did you use str() where json.dumps() is meant?";
    let no_number = "; JSON has no such number; send null instead, under Avro with the type [\"null\", \"double\"], where other numbers are written {\"double\": 1.5}";
    for (json, error) in [
        ("", "a text that ends too early"),
        ("[1,2", "a text that ends too early"),
        ("1 2", "'2' at byte 2"),
        ("[1,]", "']' at byte 3; there is no comma after the last element"),
        ("[,1]", "',' at byte 1"),
        ("[1 2]", "'2' at byte 3"),
        ("{\"a\":1, }", "'}' at byte 8; there is no comma after the last element"),
        ("{a:1}", "'a' at byte 1; a string stands in double quotes, such as \"a\""),
        ("{\"a\" 1}", "'1' at byte 5"),
        ("[1}", "'}' at byte 2"),
        ("[NaN]", &format!("NaN at byte 1{no_number}")),
        ("-Infinity", &format!("-Infinity at byte 0{no_number}")),
        ("01", "a number with a leading zero at byte 0"),
        ("1.", "a text that ends too early"),
        ("+1", "'+' at byte 0"),
        ("cloudy", "'c' at byte 0; a string stands in double quotes, such as \"cloudy\""),
        ("[True]", "'T' at byte 1; JSON writes true"),
        ("[None]", "'N' at byte 1; JSON writes null"),
        ("\"\\x\"", "an escape that JSON does not have at byte 1"),
        ("\"\\", "an escape that JSON does not have at byte 1"),
        ("\"\\u12", "\\u without four hexadecimal digits at byte 1"),
        ("\"a\nb\"", "the control character U+000A within a string at byte 2; there it stands as \\n"),
        ("\"a", "a text that ends too early"),
        ("{'a': 1}", &format!("'\\'' at byte 1{python}")),
        ("['a']", &format!("'\\'' at byte 1{python}")),
    ] {
        let expected = format!("expected JSON, found {error}");
        assert_eq!(read(json.as_bytes()).map_err(|error| error.to_string()), Err(expected.clone()), "{json}");
        assert_eq!(skipped(json.as_bytes()).map_err(|error| error.to_string()), Err(expected), "{json}");
    }
    let error = read(b"[1, \"\xff\"]").expect_err("it is not UTF-8");
    assert_eq!(
        (error.to_string().as_str(), error.offset()),
        ("expected JSON, found a byte that is not UTF-8 at byte 5", Some(5))
    );
}

#[test]
fn skipped_values_are_handed_out_as_they_are_written() {
    let text = " { \"a\" : [ 1 , {\"b\":null} ] ,\"c\":\"\\u0041\" , \"d\": -1.50e1 } ";
    let mut reader = Reader::over(text, 10);
    assert!(matches!(reader.next_token(), Ok(Token::Object)));
    let mut members = Vec::new();
    while let Some(name) = reader.next_member().expect("valid") {
        members.push((name.unescaped().expect("valid"), reader.skip_value().expect("valid")));
    }
    assert_eq!(reader.position(), text.len() - 1);
    reader.end().expect("nothing follows");
    let expected = [("a", "[ 1 , {\"b\":null} ]"), ("c", "\"\\u0041\""), ("d", "-1.50e1")];
    assert_eq!(members, expected.map(|(name, value)| (std::borrow::Cow::Borrowed(name), value)));
}

#[test]
fn a_member_is_taken_where_it_is_written_as_expected() {
    for (text, taken) in [
        ("{\"a\":1,\"b\":2}", [true, true]),
        ("{\"a\":1,\r\n\t \"b\":2}", [true, true]),
        ("{\"a\":1 , \"b\":2}", [true, false]), // space before the comma
        ("{\"a\" :1,\"b\":2}", [false, true]),
        ("{\"\\u0061\":1,\"b\":2}", [false, true]),
    ] {
        let mut reader = Reader::over(text, 1);
        assert_eq!(reader.next_object(), Ok(true));
        for (name, taken) in ["a", "b"].into_iter().zip(taken) {
            assert!(!reader.next_member_is(b"\"c\":"), "{text}");
            assert_eq!(reader.next_member_is(format!("\"{name}\":").as_bytes()), taken, "{name} in {text}");
            if !taken {
                let found = reader.next_member().expect("valid").expect("not the end");
                assert_eq!(found.unescaped(), Ok(name.into()), "{text}");
            }
            assert!(reader.next_number().expect("valid").is_some(), "{text}");
        }
        assert!(!reader.next_member_is(b"\"c\":"), "{text}");
        assert!(matches!(reader.next_member(), Ok(None)), "{text}");
        reader.end().expect("nothing follows");
    }
    let mut reader = Reader::over("{,\"a\":1}", 1);
    assert_eq!(reader.next_object(), Ok(true));
    assert!(!reader.next_member_is(b"\"a\":"), "no comma comes first");
    let mut reader = Reader::over("{\"a\":1 \"b\":2}", 1);
    assert_eq!((reader.next_object(), reader.next_member_is(b"\"a\":")), (Ok(true), true));
    assert!(reader.next_number().expect("valid").is_some());
    assert!(!reader.next_member_is(b"\"b\":"), "a comma is due");
}

#[test]
fn numbers_and_names_have_an_end() {
    for (text, what) in [
        ("7".repeat(1001), "a number of at most 1000 characters"),
        (format!("0.{}", "7".repeat(999)), "a number of at most 1000 characters"),
        (format!("{{\"{}\":1}}", "a".repeat(50_001)), "a name of at most 50000 bytes"),
    ] {
        let error = skipped(text.as_bytes()).expect_err(&text);
        assert_eq!((error.expected(), error.found()), (what, "a longer one"));
    }
    for text in [format!("-{}", "7".repeat(1000)), format!("{{\"{}\":1}}", "a".repeat(50_000))] {
        assert_eq!(skipped(text.as_bytes()), Ok(()));
    }
}

#[test]
fn nesting_has_an_end() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert_eq!(skipped(nested(100).as_bytes()), Ok(()));
    assert_eq!(skipped(nested(101).as_bytes()), Err(too_deep(100, 100)));
    assert_eq!(skipped("[[],".repeat(1_000_000).as_bytes()), Err(too_deep(100, 397)));
}
