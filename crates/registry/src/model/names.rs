//! Schema ids, guids, subjects, contexts, versions. Parsed once, where a request comes in.
//!
//! Source: docs/reference/schema-registry.md §2.1 (subjects), §6.2 (guids), §8.1 (versions).

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

/// A schema id, unique within a context. On the wire 4 bytes, big-endian.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct SchemaId(pub i32);

impl fmt::Display for SchemaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The identity of a schema's content: the same in every context and every registry. Printed as a UUID.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Guid(pub [u8; 16]);

impl Guid {
    /// Parses UUID text, with or without dashes.
    pub fn parse(text: &str) -> Option<Guid> {
        // `Uuid` also takes braces and a URN prefix, which the registry API does not.
        match text.len() {
            32 | 36 => Uuid::try_parse(text).ok().map(|uuid| Guid(uuid.into_bytes())),
            _ => None,
        }
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Uuid::from_bytes(self.0).hyphenated().fmt(f)
    }
}

/// The side of a record that a schema describes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Side {
    /// The record's key.
    Key,
    /// The record's value.
    Value,
}

/// The name of the default context, as it stands in lists of contexts.
pub const DEFAULT_CONTEXT: &str = ".";
/// The context that only holds configuration and mode, for all others.
pub(crate) const GLOBAL_CONTEXT: &str = ".__GLOBAL";
const ANY_CONTEXT: &str = "*";

/// A subject with its context: `foo` in the default one, `:.ctx:foo` elsewhere. Always in its shortest form, so equal names
/// are equal texts. A subject whose own part is empty (`:.ctx:`) stands for its whole context.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Subject(Arc<str>);

impl Subject {
    /// Any text is a subject; [`Subject::is_valid`] says whether something may be registered under it.
    pub fn parse(name: &str) -> Subject {
        match split(name) {
            (DEFAULT_CONTEXT, own) => Subject(own.into()),
            (context, own) => Subject(format!(":{context}:{own}").into()),
        }
    }

    /// TopicNameStrategy: `<topic>-key`, `<topic>-value`.
    pub fn of_topic(topic: &str, side: Side) -> Subject {
        Subject(match side {
            Side::Key => format!("{topic}-key").into(),
            Side::Value => format!("{topic}-value").into(),
        })
    }

    /// The subject that stands for a whole context, given without colons (`.ctx`).
    pub fn of_context(context: &str) -> Subject {
        Subject::parse(&format!(":{context}:"))
    }

    /// `name` as it is read in a schema of `self`: unqualified names belong to the context of `self`.
    pub fn sibling(&self, name: &str) -> Subject {
        match split(name) {
            (DEFAULT_CONTEXT, own) if !name.starts_with(":.:") => Subject::parse(&format!(":{}:{own}", self.context())),
            _ => Subject::parse(name),
        }
    }

    /// The same name in another context.
    pub fn in_context(&self, context: &str) -> Subject {
        Subject::parse(&format!(":{context}:{}", self.own()))
    }

    /// The qualified name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The context's name without colons, `.` for the default one, `*` for any.
    pub fn context(&self) -> &str {
        split(&self.0).0
    }

    /// The name within its context.
    pub fn own(&self) -> &str {
        split(&self.0).1
    }

    /// In the default context, hence without a prefix.
    pub fn is_unqualified(&self) -> bool {
        self.context() == DEFAULT_CONTEXT
    }

    /// Stands for a whole context.
    pub fn is_context(&self) -> bool {
        self.own().is_empty()
    }

    /// Whether schemas may be registered under it (docs/reference/schema-registry.md §2.1).
    pub fn is_valid(&self) -> bool {
        self.is_configurable() && self.context() != GLOBAL_CONTEXT
    }

    /// Whether it may have a configuration and a mode.
    pub fn is_configurable(&self) -> bool {
        !self.0.chars().any(char::is_control) && !matches!(self.own(), "__GLOBAL" | "__EMPTY")
    }

    /// Whether `self`, read as a prefix (`:*:foo`: in every context), is one of `subject`.
    pub fn is_prefix_of(&self, subject: &Subject) -> bool {
        let (context, own) = split(&self.0);
        let (other_context, other_own) = split(&subject.0);
        (context == ANY_CONTEXT || context == other_context) && other_own.starts_with(own)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Context and own part of a subject.
fn split(name: &str) -> (&str, &str) {
    match name.strip_prefix(':') {
        Some(rest) if rest.starts_with('.') => rest.split_once(':').unwrap_or((rest, "")),
        Some(rest) if rest.starts_with("*:") => (ANY_CONTEXT, &rest[2..]),
        Some(_) | None => (DEFAULT_CONTEXT, name),
    }
}

/// A version of a subject as requests name it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum VersionRef {
    /// The newest one that is not deleted.
    Latest,
    /// This one, 1 or more.
    Number(u32),
}

impl VersionRef {
    /// Parses `latest` in any case, `-1`, or 1 to 2147483647; white space around it, a plus sign and leading zeros are allowed.
    /// `None`: the text is not a version.
    pub fn parse(text: &str) -> Option<VersionRef> {
        let trimmed = text.trim();
        if trimmed.eq_ignore_ascii_case("latest") {
            return Some(VersionRef::Latest);
        }
        match trimmed.parse::<i32>() {
            Ok(-1) => Some(VersionRef::Latest),
            Ok(number) if number > 0 => Some(VersionRef::Number(number.unsigned_abs())),
            Ok(_) | Err(_) => None,
        }
    }
}

impl fmt::Display for VersionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            VersionRef::Latest => f.write_str("latest"),
            VersionRef::Number(number) => number.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_parsed_into_their_shortest_form() {
        for (given, context, own, printed) in [
            ("foo", ".", "foo", "foo"),
            (":.ctx:foo", ".ctx", "foo", ":.ctx:foo"),
            (":.ctx:", ".ctx", "", ":.ctx:"),
            (":.ctx", ".ctx", "", ":.ctx:"),
            (":.:foo", ".", "foo", "foo"),
            (":.:", ".", "", ""),
            (":*:foo", "*", "foo", ":*:foo"),
            ("::foo", ".", "::foo", "::foo"),
            (":foo", ".", ":foo", ":foo"),
            (":.ctx:a:b", ".ctx", "a:b", ":.ctx:a:b"),
        ] {
            let subject = Subject::parse(given);
            assert_eq!((subject.context(), subject.own(), subject.as_str()), (context, own, printed), "{given}");
        }
    }

    #[test]
    fn some_names_are_kept_free() {
        for bad in ["a\nb", "__GLOBAL", "__EMPTY", ":.ctx:__GLOBAL", ":.__GLOBAL:x"] {
            assert!(!Subject::parse(bad).is_valid(), "{bad:?}");
        }
        assert!(Subject::parse(":.__GLOBAL:").is_configurable());
        assert!(Subject::parse("").is_valid());
    }

    #[test]
    fn references_are_read_in_the_context_of_the_referring_subject() {
        let subject = Subject::parse(":.ctx:a");
        assert_eq!(subject.sibling("b").as_str(), ":.ctx:b");
        assert_eq!(subject.sibling(":.other:b").as_str(), ":.other:b");
        assert_eq!(subject.sibling(":.:b").as_str(), "b");
        assert_eq!(Subject::parse("a").sibling("b").as_str(), "b");
    }

    #[test]
    fn prefixes_look_at_one_context_or_at_all() {
        let subject = Subject::parse(":.ctx:orders");
        assert!(Subject::parse(":*:or").is_prefix_of(&subject));
        assert!(Subject::parse(":.ctx:").is_prefix_of(&subject));
        assert!(!Subject::parse("or").is_prefix_of(&subject));
    }

    #[test]
    fn versions_have_a_tolerant_spelling() {
        for (text, version) in
            [("latest", None), ("LATEST", None), ("-1", None), ("1", Some(1)), (" 7", Some(7)), ("+07", Some(7))]
        {
            let expected = version.map_or(VersionRef::Latest, VersionRef::Number);
            assert_eq!(VersionRef::parse(text), Some(expected), "{text:?}");
        }
        for bad in ["0", "-2", "abc", "1.5", "2147483648", "latest1", ""] {
            assert!(VersionRef::parse(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn guids_are_read_with_and_without_dashes() {
        let guid = Guid::parse("095d71cf-1255-6b9d-5e33-0ad575b3df5d").expect("a UUID");
        assert_eq!(guid.to_string(), "095d71cf-1255-6b9d-5e33-0ad575b3df5d");
        assert_eq!(Guid::parse("095d71cf12556b9d5e330ad575b3df5d"), Some(guid));
        for bad in ["", "095d71cf", "095d71cf-1255-6b9d-5e33-0ad575b3df5g", "095d71cf-1255-6b9d-5e33-0ad575b3df5é"] {
            assert_eq!(Guid::parse(bad), None, "{bad:?}");
        }
    }
}
