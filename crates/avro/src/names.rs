//! Names of types: a namespace and a simple name, and how short they may be written where.

/// The words that stand for types; a type of such a name is always referred to with its namespace.
const TYPE_WORDS: [&str; 14] = [
    "record", "enum", "array", "map", "union", "fixed", "string", "bytes", "int", "long", "float", "double", "boolean",
    "null",
];

/// Full name of a record, enum or fixed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Name {
    full: String,
    /// Length of the namespace in `full`; zero for the null namespace.
    space: usize,
}

impl Name {
    /// A name as written in a schema: dots in it win over the namespace that is in force.
    pub(crate) fn new(written: &str, space: &str) -> Name {
        match written.rfind('.') {
            Some(0) => Name { full: written[1..].to_owned(), space: 0 },
            Some(dot) => Name { full: written.to_owned(), space: dot },
            None if space.is_empty() => Name { full: written.to_owned(), space: 0 },
            None => Name { full: format!("{space}.{written}"), space: space.len() },
        }
    }

    /// Namespace and name; what union branches and references go by.
    pub(crate) fn full(&self) -> &str {
        &self.full
    }

    /// The namespace; empty for the null namespace.
    pub(crate) fn space(&self) -> &str {
        &self.full[..self.space]
    }

    /// The part after the last dot.
    pub(crate) fn simple(&self) -> &str {
        if self.space == 0 { &self.full } else { &self.full[self.space + 1..] }
    }

    /// The shortest way to refer to it from inside `space`.
    pub(crate) fn within(&self, space: &str) -> &str {
        if self.space() == space && !TYPE_WORDS.contains(&self.simple()) { self.simple() } else { &self.full }
    }
}

/// A letter or `_`, then letters, digits, `_`.
pub(crate) fn lawful(name: &str, ascii_only: bool) -> bool {
    let letter = |c: char| c == '_' || if ascii_only { c.is_ascii_alphabetic() } else { c.is_alphabetic() };
    let digit = |c: char| if ascii_only { c.is_ascii_digit() } else { c.is_numeric() };
    name.starts_with(letter) && name.chars().all(|c| letter(c) || digit(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_in_a_name_win_over_the_namespace() {
        let name = Name::new("a.b.C", "z");
        assert_eq!((name.full(), name.space(), name.simple()), ("a.b.C", "a.b", "C"));
        let name = Name::new("C", "a.b");
        assert_eq!((name.full(), name.space(), name.simple()), ("a.b.C", "a.b", "C"));
        let name = Name::new("C", "");
        assert_eq!((name.full(), name.space(), name.simple()), ("C", "", "C"));
    }

    #[test]
    fn a_name_is_short_only_in_its_own_namespace() {
        let name = Name::new("a.C", "");
        assert_eq!((name.within("a"), name.within("b"), name.within("")), ("C", "a.C", "a.C"));
        assert_eq!(Name::new("C", "").within("a"), "C");
        assert_eq!(Name::new("a.enum", "").within("a"), "a.enum");
    }

    #[test]
    fn letters_of_other_scripts_are_lawful_only_in_what_is_stored() {
        for (name, new, stored) in [
            ("a_1", true, true),
            ("_", true, true),
            ("1a", false, false),
            ("", false, false),
            ("a-b", false, false),
            ("größe", false, true),
        ] {
            assert_eq!((lawful(name, true), lawful(name, false)), (new, stored), "{name}");
        }
    }
}
