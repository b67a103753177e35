//! An answer as lines that stay the same: what `{:?}` prints of a decoded response, with marks for what is different
//! every time.
//!
//! A structure is a line of its plain fields, then its lists, indented. Fields stand apart by two spaces.

use std::borrow::Cow;

use bytes::Bytes;
use kafka_protocol::messages::ApiKey;
use postern_broker::ErrorCode;

use super::batches;

/// What `{:?}` prints, read back. Wrappers (`Some`, the newtypes of the codecs) are gone.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Tree {
    Plain(String),
    List(Vec<Tree>),
    Fields(Vec<(String, Tree)>),
}

impl Tree {
    pub(crate) fn of(value: &impl std::fmt::Debug) -> Tree {
        let printed = format!("{value:?}");
        let mut reader = Reader { rest: &printed };
        let tree = reader.value();
        assert_eq!(reader.rest, "", "all of what was printed is read: {printed}");
        tree
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn value(&mut self) -> Tree {
        if self.takes("[") {
            let mut items = Vec::new();
            while !self.takes("]") {
                items.push(self.value());
                self.takes(", ");
            }
            return Tree::List(items);
        }
        let word = self.word();
        if self.takes(" { ") || self.takes("{") {
            let mut fields = Vec::new();
            while !(self.takes(" }") || self.takes("}")) {
                let name = self.word().to_owned();
                assert!(self.takes(": "), "a field before {}", self.rest);
                fields.push((name, self.value()));
                self.takes(", ");
            }
            return Tree::Fields(fields);
        }
        if self.takes("(") {
            let inner = self.value();
            assert!(self.takes(")"), "the end of a wrapper before {}", self.rest);
            return inner;
        }
        Tree::Plain(if word == "None" { "null".to_owned() } else { word.to_owned() })
    }

    fn takes(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// A name, a number or a text in quotes.
    fn word(&mut self) -> &'a str {
        let mut is_quoted = false;
        let mut is_escaped = false;
        let end = self.rest.find(|c: char| {
            let was_escaped = std::mem::take(&mut is_escaped);
            match c {
                '"' if !was_escaped => is_quoted = !is_quoted,
                '\\' if is_quoted => is_escaped = !was_escaped,
                _ => return !is_quoted && matches!(c, ' ' | ',' | ':' | '{' | '}' | '(' | ')' | '[' | ']'),
            }
            false
        });
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        word
    }
}

/// Settings that say where this server is.
const OF_THIS_SERVER: [&str; 5] =
    ["advertised.listeners", "controller.quorum.voters", "listener.security.protocol.map", "listeners", "log.dirs"];

/// Names what is different every time: identifiers in the order of their appearance, the prefix of this run.
#[derive(Debug)]
pub(crate) struct Marks {
    pub(crate) prefix: String,
    ids: Vec<String>,
}

impl Marks {
    pub(crate) fn new(prefix: String) -> Marks {
        Marks { prefix, ids: Vec::new() }
    }

    /// The lines of an answer. With `only_ours` topics and groups of others are left out.
    pub(crate) fn lines(&mut self, tree: &Tree, only_ours: bool) -> Vec<String> {
        let mut lines = Vec::new();
        match tree {
            Tree::Fields(fields) => self.fields(fields, only_ours, 0, &mut lines),
            other => panic!("an answer is a structure, not {other:?}"),
        }
        lines
    }

    fn fields(&mut self, fields: &[(String, Tree)], only_ours: bool, depth: usize, lines: &mut Vec<String>) {
        let mut plain = Vec::new();
        let mut below = Vec::new();
        let is_of_this_server = fields.iter().any(|(name, value)| {
            name == "name" && matches!(value, Tree::Plain(value) if OF_THIS_SERVER.contains(&value.trim_matches('"')))
        });
        for (name, value) in fields {
            match value {
                _ if name == "throttle_time_ms" => {}
                Tree::Plain(_) if name == "value" && is_of_this_server => plain.push("value=*".to_owned()),
                Tree::Fields(inner) if inner.is_empty() => {}
                Tree::Plain(value) if name == "records" && value.starts_with("b\"") => {
                    let batches = batches::described(&unescaped(value));
                    below.push((name, batches));
                }
                Tree::Plain(value) => plain.push(format!("{name}={}", self.plain(name, value))),
                Tree::List(items) if items.iter().all(|item| matches!(item, Tree::Plain(_))) => {
                    let items = items.iter().map(|item| match item {
                        Tree::Plain(value) => self.plain(name, value).into_owned(),
                        Tree::List(_) | Tree::Fields(_) => unreachable!("all are plain"),
                    });
                    let items: Vec<_> = items.collect();
                    plain.push(format!("{name}=[{}]", items.join(", ")));
                }
                Tree::List(items) => below.push((name, items.clone())),
                Tree::Fields(_) => below.push((name, vec![value.clone()])),
            }
        }
        let indent = "  ".repeat(depth);
        if !plain.is_empty() {
            lines.push(format!("{indent}{}", plain.join("  ")));
        }
        for (name, items) in below {
            lines.push(format!("{indent}{name}:"));
            let mut blocks: Vec<Vec<String>> = Vec::new();
            for item in &items {
                let Tree::Fields(inner) = item else { panic!("a list of structures, not {item:?}") };
                if only_ours && matches!(name.as_str(), "topics" | "groups") && !self.is_ours(inner) {
                    continue;
                }
                let mut block = Vec::new();
                self.fields(inner, only_ours, depth + 1, &mut block);
                blocks.push(block);
            }
            // No client relies on the order of what has a name; that of batches and of synonyms means something.
            if !matches!(name.as_str(), "records" | "synonyms") {
                blocks.sort();
            }
            lines.extend(blocks.into_iter().flatten());
        }
    }

    fn is_ours(&self, fields: &[(String, Tree)]) -> bool {
        fields.iter().any(|(_, value)| matches!(value, Tree::Plain(text) if text.contains(&self.prefix)))
    }

    fn plain<'a>(&mut self, name: &str, value: &'a str) -> Cow<'a, str> {
        const MARK: Cow<'_, str> = Cow::Borrowed("*");
        match name {
            "error_code" => {
                let code: i16 = value.parse().expect("a code is a number");
                return ErrorCode::try_from_code(code).map_or("ok".into(), |error| format!("{error:?}").into());
            }
            "api_key" => {
                let key: i16 = value.parse().expect("a key is a number");
                return ApiKey::try_from(key).map_or(value.into(), |api| format!("{api:?}").into());
            }
            "host" | "cluster_id" | "log_dir" if value != "\"\"" => return MARK,
            "port" | "producer_id" | "log_append_time_ms" | "total_bytes" | "usable_bytes" if value != "-1" => {
                return MARK;
            }
            "finalized_features_epoch" if value != "-1" => return MARK,
            "session_id" if value != "0" => return MARK,
            _ => {}
        }
        let named = without_bounds(&self.name_ids(value).replace(&self.prefix, "").replace("  ", " "));
        if named == value { Cow::Borrowed(value) } else { Cow::Owned(named) }
    }

    /// Replaces UUIDs by numbers.
    fn name_ids(&mut self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = (0..rest.len()).find(|&at| rest.get(at..at + 36).is_some_and(is_uuid)) {
            let (before, from) = rest.split_at(at);
            let (id, after) = from.split_at(36);
            out.push_str(before);
            out.push_str(&self.number(id));
            rest = after;
        }
        out + rest
    }

    fn number(&mut self, id: &str) -> String {
        if id.bytes().all(|byte| matches!(byte, b'0' | b'-')) {
            return "none".to_owned();
        }
        let at = self.ids.iter().position(|known| known == id).unwrap_or_else(|| {
            self.ids.push(id.to_owned());
            self.ids.len() - 1
        });
        format!("#{at}")
    }
}

/// A sentence without the times between which a record's should have been.
fn without_bounds(text: &str) -> String {
    match text.split_once("should be within [") {
        Some((before, after)) => {
            let after = after.split_once(']').map_or("", |(_, after)| after);
            format!("{before}should be within *{after}")
        }
        None => text.to_owned(),
    }
}

fn is_uuid(text: &str) -> bool {
    text.bytes().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    })
}

/// The bytes that `b"…"` stands for.
fn unescaped(printed: &str) -> Bytes {
    let inner = &printed.as_bytes()[2..printed.len() - 1];
    let mut out = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter();
    while let Some(&byte) = bytes.next() {
        out.push(match byte {
            b'\\' => match bytes.next() {
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                Some(b't') => b'\t',
                Some(b'0') => 0,
                Some(b'x') => {
                    let mut digit = || char::from(*bytes.next().expect("two digits")).to_digit(16).expect("hex") as u8;
                    digit() << 4 | digit()
                }
                Some(&other) => other,
                None => panic!("an escape that ends: {printed}"),
            },
            byte => byte,
        });
    }
    out.into()
}

#[test]
fn what_is_printed_is_read_back_and_marked() {
    #[derive(Debug)]
    #[expect(dead_code, reason = "only printed")]
    struct Inner {
        name: Option<kafka_protocol::messages::TopicName>,
        error_code: i16,
    }
    #[derive(Debug)]
    #[expect(dead_code, reason = "only printed")]
    struct Outer {
        port: i32,
        note: &'static str,
        data: Bytes,
        inners: Vec<Inner>,
        none: Vec<i32>,
        unknown_tagged_fields: std::collections::BTreeMap<i32, Bytes>,
    }
    let named = |name: &str| Some(crate::wire::topic(name));
    let outer = Outer {
        port: 9,
        note: "p-a: (\"b\\ 7d444840-9dc0-11d1-b245-5ffdce74fad2",
        data: Bytes::from_static(b"\0\"]\xff"),
        inners: vec![Inner { name: named("p-z"), error_code: 3 }, Inner { name: None, error_code: 0 }],
        none: vec![],
        unknown_tagged_fields: Default::default(),
    };
    let lines = Marks::new("p-".to_owned()).lines(&Tree::of(&outer), false);
    let expected = [
        r##"port=*  note="a: (\"b\\ #0"  data=b"\0\"]\xff"  none=[]"##,
        "inners:",
        "  name=\"z\"  error_code=UnknownTopicOrPartition",
        "  name=null  error_code=ok",
    ];
    assert_eq!(lines, expected);
    assert_eq!(unescaped(r#"b"\0\"]\xff\n\\""#), &b"\0\"]\xff\n\\"[..]);
}
