//! Administrative bodies: one JSON object, read whole, its members taken out one by one.
//!
//! Reading is generous where the servers we replace are (docs/reference/rest-v2.md §3.2): a number may stand in a text, a fraction is cut
//! off, null is as absent, the last of a repeated member counts. A member that nobody took out is refused
//! ([`Document::end`]). Refusals name the member, what was expected and what was found. Records never come this way: a
//! tree per record would cost too much.

use std::collections::BTreeMap;

use hyper::StatusCode;
use serde_json::{Map, Value};

use crate::problem::Problem;

/// A tree takes up many times the bytes of its text, and no administrative request has a use for more.
const BODY_MAX: usize = 1 << 20;
/// The longest text that Kafka's administrative calls carry.
const KAFKA_TEXT_MAX: usize = 32767;

/// A JSON object whose members wait to be taken out.
#[derive(Debug)]
pub(crate) struct Document {
    /// What stands before the names of members in messages, such as `configs[2].`
    place: String,
    members: Map<String, Value>,
    /// The members that were asked for: those that may be there.
    known: Vec<&'static str>,
}

impl Document {
    /// The object of a request's body; `expected` says what should be there, as in "an object with topic_name".
    pub(crate) fn read(body: &[u8], expected: &str) -> Result<Document, Problem> {
        let empty = || Problem::payload(format!("The request body is empty: expected {expected}."));
        if body.len() > BODY_MAX {
            let message =
                format!("The request body has {} bytes; requests of this kind may have {BODY_MAX}.", body.len());
            return Err(Problem::generic(StatusCode::PAYLOAD_TOO_LARGE, message));
        }
        if body.trim_ascii().is_empty() {
            return Err(empty());
        }
        let value = serde_json::from_slice(body)
            .map_err(|error| Problem::bad_request(format!("The request body is not JSON: {error}.")))?;
        match value {
            Value::Null => Err(empty()),
            Value::Object(members) => Ok(Document::new(String::new(), members)),
            other @ (Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
                Err(wrong("The request body", expected, &other))
            }
        }
    }

    /// A 32 bit integer.
    pub(crate) fn int32(&mut self, name: &'static str) -> Result<Option<i32>, Problem> {
        self.int(name, "a 32 bit integer")
    }

    /// A 16 bit integer.
    pub(crate) fn int16(&mut self, name: &'static str) -> Result<Option<i16>, Problem> {
        self.int(name, "a 16 bit integer")
    }

    /// A text; numbers and booleans count as what they are written as.
    pub(crate) fn text(&mut self, name: &'static str) -> Result<Option<String>, Problem> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => Ok(Some(value.to_string())),
            Some(value @ (Value::Array(_) | Value::Object(_) | Value::Null)) => {
                Err(wrong(&self.at(name), "a text", &value))
            }
        }
    }

    /// A text that goes to Kafka as the name or value of something, and must not be longer than Kafka's calls carry.
    pub(crate) fn kafka_text(&mut self, name: &'static str) -> Result<Option<String>, Problem> {
        let text = self.text(name)?;
        match text.as_deref().map(str::len) {
            Some(length) if length > KAFKA_TEXT_MAX => {
                let message = format!(
                    "{}: expected a text of at most {KAFKA_TEXT_MAX} bytes, found {length} bytes.",
                    self.at(name)
                );
                Err(Problem::bad_request(message))
            }
            Some(_) | None => Ok(text),
        }
    }

    /// A boolean; 0, 1 and the texts `true` and `false` will do.
    pub(crate) fn flag(&mut self, name: &'static str) -> Result<Option<bool>, Problem> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let text = match &value {
            Value::String(text) => text.trim().to_ascii_lowercase(),
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) | Value::Null => value.to_string(),
        };
        match text.as_str() {
            "true" | "1" => Ok(Some(true)),
            "false" | "0" => Ok(Some(false)),
            "" => Ok(None),
            _ => Err(wrong(&self.at(name), "true or false", &value)),
        }
    }

    /// A list of objects.
    pub(crate) fn documents(&mut self, name: &'static str) -> Result<Option<Vec<Document>>, Problem> {
        let items = match self.take(name) {
            None => return Ok(None),
            Some(Value::Array(items)) => items,
            Some(other) => return Err(wrong(&self.at(name), "a list of objects", &other)),
        };
        let document = |(n, item)| {
            let place = format!("{}[{n}]", self.at(name));
            match item {
                Value::Object(members) => Ok(Document::new(place + ".", members)),
                other => Err(wrong(&place, "an object", &other)),
            }
        };
        items.into_iter().enumerate().map(document).collect::<Result<_, _>>().map(Some)
    }

    /// An object of lists of 32 bit integers whose names are 32 bit integers, too: `{"0": [1, 2]}`.
    pub(crate) fn numbered_lists(&mut self, name: &'static str) -> Result<Option<BTreeMap<i32, Vec<i32>>>, Problem> {
        const EXPECTED: &str = "an object of integers and lists of integers, such as {\"0\":[1,2]}";
        let members = match self.take(name) {
            None => return Ok(None),
            Some(Value::Object(members)) => members,
            Some(other) => return Err(wrong(&self.at(name), EXPECTED, &other)),
        };
        let mut lists = BTreeMap::new();
        for (key, value) in members {
            let number =
                key.trim().parse().map_err(|_| wrong(&self.at(name), EXPECTED, &Value::String(key.clone())))?;
            let place = format!("{}.{key}", self.at(name));
            let Value::Array(items) = value else { return Err(wrong(&place, "a list of integers", &value)) };
            let integer =
                |(n, item)| integer(&item).ok_or_else(|| wrong(&format!("{place}[{n}]"), "a 32 bit integer", &item));
            lists.insert(number, items.into_iter().enumerate().map(integer).collect::<Result<_, _>>()?);
        }
        Ok(Some(lists))
    }

    /// What was taken out of the member `name`, which must be there.
    pub(crate) fn required<T>(&self, name: &'static str, taken: Option<T>) -> Result<T, Problem> {
        taken.ok_or_else(|| {
            Problem::bad_request(format!("{} is missing: it is required, and must not be null.", self.at(name)))
        })
    }

    /// Refuses what nobody took out. Called after the required members are known to be there: one that is missing is told
    /// first.
    pub(crate) fn end(self) -> Result<(), Problem> {
        match self.members.keys().next() {
            None => Ok(()),
            Some(unknown) => {
                let message =
                    format!("Unrecognized field: {}. There may be {}.", self.at(unknown), self.known.join(", "));
                Err(Problem::unprocessable(message))
            }
        }
    }

    fn new(place: String, members: Map<String, Value>) -> Document {
        Document { place, members, known: Vec::new() }
    }

    /// `None`: absent, or null.
    fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        self.members.shift_remove(name).filter(|value| !value.is_null())
    }

    fn int<T: TryFrom<i64>>(&mut self, name: &'static str, expected: &str) -> Result<Option<T>, Problem> {
        let Some(value) = self.take(name) else { return Ok(None) };
        if value.as_str().is_some_and(|text| text.trim().is_empty()) {
            return Ok(None);
        }
        integer(&value).map(Some).ok_or_else(|| wrong(&self.at(name), expected, &value))
    }

    fn at(&self, name: &str) -> String {
        format!("{}{name}", self.place)
    }
}

/// A number without its fraction, or a text that is an integer.
fn integer<T: TryFrom<i64>>(value: &Value) -> Option<T> {
    /// Beyond it a double no longer holds every integer.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let whole = match value {
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Some(whole),
            None => number.as_f64().map(f64::trunc).filter(|whole| whole.abs() < EXACT).map(|whole| whole as i64),
        },
        Value::String(text) => text.trim().parse().ok(),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) | Value::Null => None,
    };
    T::try_from(whole?).ok()
}

fn wrong(place: &str, expected: &str, found: &Value) -> Problem {
    const SHOWN: usize = 40;
    let text = found.to_string();
    let cut = text.char_indices().nth(SHOWN).map_or(text.as_str(), |(at, _)| &text[..at]);
    let more = if cut.len() < text.len() { "…" } else { "" };
    Problem::bad_request(format!("{place}: expected {expected}, found {cut}{more}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> Document {
        Document::read(text.as_bytes(), "an object").expect("an object")
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
                refused(Document::read(body.as_bytes(), "an object with a")),
                (code, message.to_owned()),
                "{body}"
            );
        }
        let deep = "[".repeat(100_000);
        assert_eq!(refused(Document::read(deep.as_bytes(), "an object")).0, 400);
        let large = " ".repeat(BODY_MAX + 1);
        assert_eq!(refused(Document::read(large.as_bytes(), "an object")).0, 413);
    }

    #[test]
    fn integers_are_read_generously() {
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
            ("1e400", Err("a: expected a 32 bit integer, found 1e+400.")),
            ("true", Err("a: expected a 32 bit integer, found true.")),
            ("[1]", Err("a: expected a 32 bit integer, found [1].")),
            ("\"two\"", Err("a: expected a 32 bit integer, found \"two\".")),
        ] {
            let read = document(&format!("{{\"a\":{json}}}")).int32("a").map_err(|problem| problem.message);
            assert_eq!(read, expected.map_err(str::to_owned), "{json}");
        }
        assert_eq!(document("{}").int32("a").ok(), Some(None));
        assert_eq!(refused(document("{\"a\":32768}").int16("a")).1, "a: expected a 16 bit integer, found 32768.");
    }

    #[test]
    fn texts_and_flags_are_read_generously() {
        for (json, expected) in [
            ("\"x\"", Some("x")),
            ("60000", Some("60000")),
            ("1.50", Some("1.50")),
            ("true", Some("true")),
            ("null", None),
        ] {
            let read = document(&format!("{{\"a\":{json}}}")).text("a").expect("a text");
            assert_eq!(read.as_deref(), expected, "{json}");
        }
        for (json, expected) in
            [("true", Some(true)), ("0", Some(false)), ("1", Some(true)), ("\"False\"", Some(false)), ("null", None)]
        {
            assert_eq!(document(&format!("{{\"a\":{json}}}")).flag("a").ok(), Some(expected), "{json}");
        }
        assert_eq!(refused(document("{\"a\":[\"1\"]}").text("a")).1, "a: expected a text, found [\"1\"].");
        assert_eq!(refused(document("{\"a\":\"maybe\"}").flag("a")).1, "a: expected true or false, found \"maybe\".");
    }

    #[test]
    fn a_text_for_kafka_has_a_bound() {
        let body = |length: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(length));
        assert_eq!(document(&body(32767)).kafka_text("a").ok().flatten().map(|text| text.len()), Some(32767));
        assert_eq!(
            refused(document(&body(32768)).kafka_text("a")),
            (400, "a: expected a text of at most 32767 bytes, found 32768 bytes.".to_owned())
        );
    }

    #[test]
    fn what_is_missing_or_unknown_is_named() {
        let mut read = document("{\"b\":1,\"a\":null,\"a\":2,\"c\":3}");
        assert_eq!(read.int32("a").ok(), Some(Some(2)), "the last one counts");
        let missing: Option<i32> = read.int32("d").expect("absent");
        assert_eq!(
            refused(read.required("d", missing)),
            (400, "d is missing: it is required, and must not be null.".to_owned())
        );
        assert_eq!(refused(read.end()), (422, "Unrecognized field: b. There may be a, d.".to_owned()));

        let mut outer = document("{\"list\":[{\"name\":\"x\"},{\"nam\":\"y\"}]}");
        let mut items = outer.documents("list").expect("a list").expect("is there");
        let mut second = items.remove(1);
        let name = second.text("name").expect("absent");
        assert_eq!(
            refused(second.required("name", name)).1,
            "list[1].name is missing: it is required, and must not be null."
        );
        assert_eq!(refused(second.end()).1, "Unrecognized field: list[1].nam. There may be name.");
        assert!(outer.end().is_ok());
        assert_eq!(
            refused(document("{\"list\":[{},null]}").documents("list")).1,
            "list[1]: expected an object, found null."
        );
    }

    #[test]
    fn numbered_lists_are_sorted_by_number() {
        let read =
            document("{\"a\":{\"1\":[2,\"3\"],\"0\":[]}}").numbered_lists("a").expect("lists").expect("are there");
        assert_eq!(read, BTreeMap::from([(0, vec![]), (1, vec![2, 3])]));
        for (json, message) in [
            (
                "{\"zero\":[1]}",
                "a: expected an object of integers and lists of integers, such as {\"0\":[1,2]}, found \"zero\".",
            ),
            ("[[1]]", "a: expected an object of integers and lists of integers, such as {\"0\":[1,2]}, found [[1]]."),
            ("{\"0\":null}", "a.0: expected a list of integers, found null."),
            ("{\"0\":[1,null]}", "a.0[1]: expected a 32 bit integer, found null."),
        ] {
            assert_eq!(
                refused(document(&format!("{{\"a\":{json}}}")).numbered_lists("a")),
                (400, message.to_owned()),
                "{json}"
            );
        }
    }
}
