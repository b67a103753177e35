//! Administrative bodies: one JSON object whose members are taken out one by one.
//!
//! Conversions are lenient where Confluent's are (docs/reference/rest-v2.md §3.2, docs/reference/schema-registry.md §1): a number may be a string, a fraction is truncated,
//! null counts as absent, the last of a repeated member counts. Errors name the member, what was expected and what was found. Members stay
//! slices of the text until they are taken, so what no operation reads costs no memory. Records are not read this way.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::{de::Read, value::RawValue};

use crate::problem::Problem;

/// Bytes of the body of an administrative request of API v3.
pub(crate) const BODY_MAX: usize = 1 << 20;
/// The longest string of the Kafka protocol, in bytes.
const KAFKA_TEXT_MAX: usize = 32767;

/// A JSON object, reduced member by member.
#[derive(Debug)]
pub(crate) struct LenientObject<'a> {
    /// The prefix of the names of members in messages, such as `configs[2].`
    place: String,
    members: Members<'a>,
    /// The names of the members taken so far, which are the allowed ones.
    known: Vec<&'static str>,
}

/// Members by name, with their position in the text.
type Members<'a> = HashMap<String, (usize, &'a RawValue)>;

/// A body that is not a JSON object.
#[derive(Debug)]
pub(crate) enum NotAnObject {
    /// There is nothing but white space.
    Empty,
    /// It is `null`.
    Null,
    /// It is not JSON, and why.
    Syntax(String),
    /// It is another value, which is quoted.
    Other(String),
}

impl<'a> LenientObject<'a> {
    /// Parses a body.
    pub(crate) fn parse(body: &'a [u8]) -> Result<LenientObject<'a>, NotAnObject> {
        let syntax = |error: serde_json::Error| NotAnObject::Syntax(error.to_string());
        match body.trim_ascii_start() {
            [] => return Err(NotAnObject::Empty),
            [b'{', ..] => {
                let members = members(serde_json::Deserializer::from_slice(body)).map_err(syntax)?;
                return Ok(LenientObject { place: String::new(), members, known: Vec::new() });
            }
            _ => {}
        }
        match serde_json::from_slice::<&RawValue>(body).map_err(syntax)?.get() {
            "null" => Err(NotAnObject::Null),
            other => Err(NotAnObject::Other(excerpt(other))),
        }
    }

    /// The body of an administrative request of API v3; `expected` describes it, as in "an object with topic_name".
    pub(crate) fn read(body: &'a [u8], expected: &str) -> Result<LenientObject<'a>, Problem> {
        LenientObject::parse(body).map_err(|error| match error {
            NotAnObject::Empty | NotAnObject::Null => {
                Problem::payload(format!("The request body is empty: expected {expected}."))
            }
            NotAnObject::Syntax(error) => Problem::bad_request(format!("The request body is not JSON: {error}.")),
            NotAnObject::Other(found) => {
                Problem::bad_request(format!("The request body: expected {expected}, found {found}."))
            }
        })
    }

    /// A 32 bit integer.
    pub(crate) fn int32(&mut self, name: &'static str) -> Result<Option<i32>, Problem> {
        self.int(name, "a 32 bit integer")
    }

    /// A 64 bit integer.
    pub(crate) fn int64(&mut self, name: &'static str) -> Result<Option<i64>, Problem> {
        self.int(name, "an integer")
    }

    /// A 16 bit integer.
    pub(crate) fn int16(&mut self, name: &'static str) -> Result<Option<i16>, Problem> {
        self.int(name, "a 16 bit integer")
    }

    /// A string; numbers and booleans count as their text.
    pub(crate) fn text(&mut self, name: &'static str) -> Result<Option<String>, Problem> {
        self.text_expecting(name, "a text")
    }

    /// The same with a description of the text for errors.
    pub(crate) fn text_expecting(&mut self, name: &'static str, expected: &str) -> Result<Option<String>, Problem> {
        let Some(value) = self.take(name) else { return Ok(None) };
        text(value).map(|text| Some(text.into_owned())).ok_or_else(|| self.wrong(name, expected, value))
    }

    /// A string that is sent to Kafka as a name or value, and must not be longer than the protocol allows.
    pub(crate) fn kafka_text(&mut self, name: &'static str) -> Result<Option<String>, Problem> {
        let text = self.text(name)?;
        match text.as_deref().map(str::len) {
            Some(length) if length > KAFKA_TEXT_MAX => {
                let message = format!(
                    "{}: expected a text of at most {KAFKA_TEXT_MAX} bytes, found {length} bytes.",
                    self.path(name)
                );
                Err(Problem::bad_request(message))
            }
            Some(_) | None => Ok(text),
        }
    }

    /// A boolean; integers and the strings `true` and `false` are accepted, and 0 is false.
    pub(crate) fn flag(&mut self, name: &'static str) -> Result<Option<bool>, Problem> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let Some(text) = text(value) else { return Err(self.wrong(name, "true or false", value)) };
        match text.trim() {
            "" => Ok(None),
            flag if flag.eq_ignore_ascii_case("true") => Ok(Some(true)),
            flag if flag.eq_ignore_ascii_case("false") => Ok(Some(false)),
            number => match number.parse::<i64>() {
                Ok(number) if !is_string(value) || matches!(number, 0 | 1) => Ok(Some(number != 0)),
                Ok(_) | Err(_) => Err(self.wrong(name, "true or false", value)),
            },
        }
    }

    /// One of a few names, written as they are.
    pub(crate) fn choice<T: Copy>(
        &mut self,
        name: &'static str,
        choices: &[(&'static str, T)],
    ) -> Result<Option<T>, Problem> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let chosen = text(value).filter(|_| is_string(value));
        let found = chosen.and_then(|chosen| choices.iter().find(|(name, _)| *name == chosen));
        let expected = || {
            let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
            match names.split_last() {
                Some((last, [])) => (*last).to_owned(),
                Some((last, others)) => format!("{} or {last}", others.join(", ")),
                None => "nothing".to_owned(),
            }
        };
        found.map(|(_, value)| Some(*value)).ok_or_else(|| self.wrong(name, &expected(), value))
    }

    /// Whether a member is a list that holds nothing but null.
    pub(crate) fn is_list_of_nulls(&self, name: &str) -> bool {
        let items = self.members.get(name).and_then(|(_, value)| items(value));
        items.is_some_and(|items| !items.is_empty() && items.iter().all(|item| item.get() == "null"))
    }

    /// A list of objects.
    pub(crate) fn objects(&mut self, name: &'static str) -> Result<Option<Vec<LenientObject<'a>>>, Problem> {
        let items = match self.take(name) {
            None => return Ok(None),
            Some(value) => items(value).ok_or_else(|| self.wrong(name, "a list of objects", value))?,
        };
        let object = |(n, item)| self.nested(format!("{}[{n}]", self.path(name)), item);
        items.into_iter().enumerate().map(object).collect::<Result<_, _>>().map(Some)
    }

    /// The same where items may be null.
    pub(crate) fn objects_or_nulls(
        &mut self,
        name: &'static str,
    ) -> Result<Option<Vec<Option<LenientObject<'a>>>>, Problem> {
        let items = match self.take(name) {
            None => return Ok(None),
            Some(value) => items(value).ok_or_else(|| self.wrong(name, "a list of objects", value))?,
        };
        let object = |(n, item): (usize, &'a RawValue)| match item.get() {
            "null" => Ok(None),
            _ => self.nested(format!("{}[{n}]", self.path(name)), item).map(Some),
        };
        items.into_iter().enumerate().map(object).collect::<Result<_, _>>().map(Some)
    }

    /// A list of strings, in which items may be null; numbers and booleans count as their text.
    pub(crate) fn texts_or_nulls(&mut self, name: &'static str) -> Result<Option<Vec<Option<String>>>, Problem> {
        let items = match self.take(name) {
            None => return Ok(None),
            Some(value) => items(value).ok_or_else(|| self.wrong(name, "a list of texts", value))?,
        };
        let item = |(n, item): (usize, &'a RawValue)| match item.get() {
            "null" => Ok(None),
            _ => text(item)
                .map(|text| Some(text.into_owned()))
                .ok_or_else(|| wrong(&format!("{}[{n}]", self.path(name)), "a text", item)),
        };
        items.into_iter().enumerate().map(item).collect::<Result<_, _>>().map(Some)
    }

    /// An object.
    pub(crate) fn object(&mut self, name: &'static str) -> Result<Option<LenientObject<'a>>, Problem> {
        self.take(name).map(|value| self.nested(self.path(name), value)).transpose()
    }

    /// A list of strings, which are not converted.
    pub(crate) fn texts(&mut self, name: &'static str) -> Result<Vec<String>, Problem> {
        let items = match self.take(name) {
            None => return Ok(Vec::new()),
            Some(value) => items(value).ok_or_else(|| self.wrong(name, "a list of texts", value))?,
        };
        let item = |item: &'a RawValue| {
            text(item)
                .filter(|_| is_string(item))
                .map(Cow::into_owned)
                .ok_or_else(|| wrong(&format!("{}[]", self.path(name)), "a text", item))
        };
        items.into_iter().map(item).collect()
    }

    /// An object of lists of 32 bit integers whose names are 32 bit integers, too: `{"0": [1, 2]}`.
    pub(crate) fn numbered_lists(&mut self, name: &'static str) -> Result<Option<BTreeMap<i32, Vec<i32>>>, Problem> {
        const EXPECTED: &str = "an object of integers and lists of integers, such as {\"0\":[1,2]}";
        let Some(value) = self.take(name) else { return Ok(None) };
        if !value.get().starts_with('{') {
            return Err(self.wrong(name, EXPECTED, value));
        }
        let mut lists = BTreeMap::new();
        let members = members(serde_json::Deserializer::from_str(value.get()))
            .map_err(|error| Problem::bad_request(format!("{}: {error}.", self.path(name))))?;
        // In the order of the text: of one number that is written in two ways the last counts, and of two faults the first is told.
        let mut members: Vec<_> = members.into_iter().collect();
        members.sort_unstable_by_key(|(_, (position, _))| *position);
        for (key, (_, value)) in members {
            let number = key.parse().map_err(|_| {
                Problem::bad_request(format!("{}: expected {EXPECTED}, found {key:?}.", self.path(name)))
            })?;
            let place = format!("{}.{key}", self.path(name));
            let items = items(value).ok_or_else(|| wrong(&place, "a list of integers", value))?;
            let integer =
                |(n, item)| integer(item).ok_or_else(|| wrong(&format!("{place}[{n}]"), "a 32 bit integer", item));
            lists.insert(number, items.into_iter().enumerate().map(integer).collect::<Result<_, _>>()?);
        }
        Ok(Some(lists))
    }

    /// The JSON text of a member that is present and not null.
    pub(crate) fn take(&mut self, name: &'static str) -> Option<&'a RawValue> {
        self.known.push(name);
        self.members.remove(name).map(|(_, value)| value).filter(|value| value.get() != "null")
    }

    /// Whether there is a member, null or not.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// The value of the member `name`, which must be present.
    pub(crate) fn required<T>(&self, name: &'static str, taken: Option<T>) -> Result<T, Problem> {
        taken.ok_or_else(|| {
            Problem::bad_request(format!("{} is missing: it is required, and must not be null.", self.path(name)))
        })
    }

    /// The JSON text of a member that must be present and may be null, which is `None`; `expected` describes it in the error of one that is not
    /// there.
    pub(crate) fn required_or_null(
        &mut self,
        name: &'static str,
        expected: &str,
    ) -> Result<Option<&'a RawValue>, Problem> {
        match self.contains(name) {
            true => Ok(self.take(name)),
            false => {
                Err(Problem::bad_request(format!("{} is missing: expected {expected}, or null.", self.path(name))))
            }
        }
    }

    /// The name of the first member that was not taken.
    pub(crate) fn unknown(&self) -> Option<&str> {
        self.members.iter().min_by_key(|(_, (position, _))| *position).map(|(name, _)| name.as_str())
    }

    /// Refuses members that were not taken. Called after the check of required members, which are reported first.
    pub(crate) fn end(self) -> Result<(), Problem> {
        match self.unknown() {
            None => Ok(()),
            Some(unknown) => {
                let message =
                    format!("Unrecognized field: {}. There may be {}.", self.path(unknown), self.known.join(", "));
                Err(Problem::unprocessable(message))
            }
        }
    }

    /// The path of a member, for messages.
    pub(crate) fn path(&self, name: &str) -> String {
        format!("{}{name}", self.place)
    }

    /// The error for a member that cannot be converted.
    pub(crate) fn wrong(&self, name: &str, expected: &str, found: &RawValue) -> Problem {
        wrong(&self.path(name), expected, found)
    }

    fn nested(&self, place: String, value: &'a RawValue) -> Result<LenientObject<'a>, Problem> {
        if !value.get().starts_with('{') {
            return Err(wrong(&place, "an object", value));
        }
        let error = |error| Problem::bad_request(format!("The request body is not JSON: {error}."));
        let members = members(serde_json::Deserializer::from_str(value.get())).map_err(error)?;
        Ok(LenientObject { place: place + ".", members, known: Vec::new() })
    }

    fn int<T: TryFrom<i64>>(&mut self, name: &'static str, expected: &str) -> Result<Option<T>, Problem> {
        let Some(value) = self.take(name) else { return Ok(None) };
        if text(value).is_some_and(|text| text.trim().is_empty()) {
            return Ok(None);
        }
        integer(value).map(Some).ok_or_else(|| self.wrong(name, expected, value))
    }
}

/// The members of an object; the last of a repeated one counts.
fn members<'de, R: Read<'de>>(mut json: serde_json::Deserializer<R>) -> serde_json::Result<Members<'de>> {
    struct ByName;

    impl<'de> Visitor<'de> for ByName {
        type Value = Members<'de>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
            let mut members = Members::new();
            let mut position = 0;
            while let Some((name, value)) = map.next_entry()? {
                members.insert(name, (position, value));
                position += 1;
            }
            Ok(members)
        }
    }

    let members = json.deserialize_map(ByName)?;
    json.end()?;
    Ok(members)
}

/// The items of a list; `None`: it is not a list.
fn items(value: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(value.get()).ok()
}

fn is_string(value: &RawValue) -> bool {
    value.get().starts_with('"')
}

/// The text of a scalar; `None`: a list, an object, or a string that is not valid Unicode.
fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    match value.get().as_bytes().first() {
        Some(b'"') => serde_json::from_str::<String>(value.get()).ok().map(Cow::Owned),
        Some(b'{' | b'[') | None => None,
        Some(_) => Some(Cow::Borrowed(value.get())),
    }
}

/// A number without its fraction, or a string that is an integer.
fn integer<T: TryFrom<i64>>(value: &RawValue) -> Option<T> {
    /// Beyond it a double no longer holds every integer.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let text = text(value)?;
    let whole = match text.trim().parse::<i64>() {
        Ok(whole) => Some(whole),
        Err(_) if is_string(value) => None,
        Err(_) => {
            text.parse::<f64>().ok().map(f64::trunc).filter(|whole| whole.abs() < EXACT).map(|whole| whole as i64)
        }
    };
    T::try_from(whole?).ok()
}

fn wrong(place: &str, expected: &str, found: &RawValue) -> Problem {
    Problem::bad_request(format!("{place}: expected {expected}, found {}.", excerpt(found.get())))
}

/// The beginning of a value, for messages.
fn excerpt(text: &str) -> String {
    const LENGTH: usize = 40;
    match text.char_indices().nth(LENGTH) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> LenientObject<'_> {
        LenientObject::read(text.as_bytes(), "an object").expect("an object")
    }

    fn refused<T: std::fmt::Debug>(read: Result<T, Problem>) -> (u32, String) {
        let problem = read.expect_err("refused");
        (problem.code, problem.message)
    }

    #[test]
    fn bodies_that_are_no_object_are_refused() {
        for (body, code, message) in [
            ("", 42206, "The request body is empty: expected an object with a."),
            (" \r\n", 42206, "The request body is empty: expected an object with a."),
            ("null", 42206, "The request body is empty: expected an object with a."),
            ("[1]", 400, "The request body: expected an object with a, found [1]."),
            ("\"t\"", 400, "The request body: expected an object with a, found \"t\"."),
            ("{", 400, "The request body is not JSON: EOF while parsing an object at line 1 column 1."),
            ("{\"a\":NaN}", 400, "The request body is not JSON: expected value at line 1 column 6."),
            ("{} {}", 400, "The request body is not JSON: trailing characters at line 1 column 4."),
        ] {
            assert_eq!(
                refused(LenientObject::read(body.as_bytes(), "an object with a")),
                (code, message.to_owned()),
                "{body}"
            );
        }
        let deep = "[".repeat(100_000);
        assert_eq!(refused(LenientObject::read(deep.as_bytes(), "an object")).0, 400);
    }

    #[test]
    fn integers_are_read_leniently() {
        for (json, expected) in [
            ("3", Ok(Some(3))),
            ("\"3\"", Ok(Some(3))),
            ("\" -3 \"", Ok(Some(-3))),
            ("2.9", Ok(Some(2))),
            ("-0.5", Ok(Some(0))),
            ("3e2", Ok(Some(300))),
            ("null", Ok(None)),
            ("\"\"", Ok(None)),
            ("2147483647.9", Ok(Some(i32::MAX))),
            ("2147483648", Err("a: expected a 32 bit integer, found 2147483648.")),
            ("1e400", Err("a: expected a 32 bit integer, found 1e400.")),
            ("true", Err("a: expected a 32 bit integer, found true.")),
            ("[1]", Err("a: expected a 32 bit integer, found [1].")),
            ("\"two\"", Err("a: expected a 32 bit integer, found \"two\".")),
        ] {
            let read = object(&format!("{{\"a\":{json}}}")).int32("a").map_err(|problem| problem.message);
            assert_eq!(read, expected.map_err(str::to_owned), "{json}");
        }
        assert_eq!(object("{}").int32("a").ok(), Some(None));
        assert_eq!(refused(object("{\"a\":32768}").int16("a")).1, "a: expected a 16 bit integer, found 32768.");
    }

    #[test]
    fn texts_and_flags_are_read_leniently() {
        for (json, expected) in [
            ("\"x\"", Some("x")),
            ("60000", Some("60000")),
            ("1.50", Some("1.50")),
            ("true", Some("true")),
            ("null", None),
        ] {
            let read = object(&format!("{{\"a\":{json}}}")).text("a").expect("a text");
            assert_eq!(read.as_deref(), expected, "{json}");
        }
        for (json, expected) in
            [("true", Some(true)), ("0", Some(false)), ("1", Some(true)), ("\"False\"", Some(false)), ("null", None)]
        {
            assert_eq!(object(&format!("{{\"a\":{json}}}")).flag("a").ok(), Some(expected), "{json}");
        }
        assert_eq!(refused(object("{\"a\":[\"1\"]}").text("a")).1, "a: expected a text, found [\"1\"].");
        assert_eq!(refused(object("{\"a\":\"maybe\"}").flag("a")).1, "a: expected true or false, found \"maybe\".");
    }

    #[test]
    fn a_text_for_kafka_has_a_bound() {
        let body = |length: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(length));
        assert_eq!(object(&body(32767)).kafka_text("a").ok().flatten().map(|text| text.len()), Some(32767));
        assert_eq!(
            refused(object(&body(32768)).kafka_text("a")),
            (400, "a: expected a text of at most 32767 bytes, found 32768 bytes.".to_owned())
        );
    }

    #[test]
    fn missing_and_unknown_members_are_named() {
        let mut read = object("{\"b\":1,\"a\":null,\"a\":2,\"c\":3}");
        assert_eq!(read.int32("a").ok(), Some(Some(2)), "the last one counts");
        let missing: Option<i32> = read.int32("d").expect("absent");
        assert_eq!(
            refused(read.required("d", missing)),
            (400, "d is missing: it is required, and must not be null.".to_owned())
        );
        assert_eq!(refused(read.end()), (422, "Unrecognized field: b. There may be a, d.".to_owned()));

        let mut outer = object("{\"list\":[{\"name\":\"x\"},{\"nam\":\"y\"}]}");
        let mut items = outer.objects("list").expect("a list").expect("is there");
        let mut second = items.remove(1);
        let name = second.text("name").expect("absent");
        assert_eq!(
            refused(second.required("name", name)).1,
            "list[1].name is missing: it is required, and must not be null."
        );
        assert_eq!(refused(second.end()).1, "Unrecognized field: list[1].nam. There may be name.");
        assert!(outer.end().is_ok());
        assert_eq!(
            refused(object("{\"list\":[{},null]}").objects("list")).1,
            "list[1]: expected an object, found null."
        );
    }

    #[test]
    fn numbered_lists_are_sorted_by_number() {
        for _ in 0..20 {
            let json = "{\"a\":{\"0\":[1],\"00\":[2],\"000\":[3],\"0000\":[4]}}";
            assert_eq!(
                object(json).numbered_lists("a").expect("lists"),
                Some([(0, vec![4])].into()),
                "the last counts"
            );
        }
        let read = object("{\"a\":{\"1\":[2,\"3\"],\"0\":[]}}").numbered_lists("a").expect("lists").expect("are there");
        assert_eq!(read, BTreeMap::from([(0, vec![]), (1, vec![2, 3])]));
        for (json, message) in [
            (
                "{\"zero\":[1]}",
                "a: expected an object of integers and lists of integers, such as {\"0\":[1,2]}, found \"zero\".",
            ),
            (
                "{\" 0\":[1]}",
                "a: expected an object of integers and lists of integers, such as {\"0\":[1,2]}, found \" 0\".",
            ),
            ("[[1]]", "a: expected an object of integers and lists of integers, such as {\"0\":[1,2]}, found [[1]]."),
            ("{\"0\":null}", "a.0: expected a list of integers, found null."),
            ("{\"0\":[1,null]}", "a.0[1]: expected a 32 bit integer, found null."),
        ] {
            assert_eq!(
                refused(object(&format!("{{\"a\":{json}}}")).numbered_lists("a")),
                (400, message.to_owned()),
                "{json}"
            );
        }
    }
}
