//! Names of types: a namespace and a simple name, and the shortest way to write them inside a namespace.

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
    namespace_len: usize,
}

impl Name {
    /// A name as written in a schema: with a dot in it, it is a full name; without, it is one of `enclosing`.
    pub(crate) fn new(written: &str, enclosing: &str) -> Name {
        match written.rfind('.') {
            Some(0) => Name { full: written[1..].to_owned(), namespace_len: 0 },
            Some(dot) => Name { full: written.to_owned(), namespace_len: dot },
            None if enclosing.is_empty() => Name { full: written.to_owned(), namespace_len: 0 },
            None => Name { full: format!("{enclosing}.{written}"), namespace_len: enclosing.len() },
        }
    }

    /// Namespace and name, as union branches and references use it.
    pub(crate) fn full(&self) -> &str {
        &self.full
    }

    /// The namespace; empty for the null namespace.
    pub(crate) fn namespace(&self) -> &str {
        &self.full[..self.namespace_len]
    }

    /// The part after the last dot.
    pub(crate) fn simple(&self) -> &str {
        if self.namespace_len == 0 { &self.full } else { &self.full[self.namespace_len + 1..] }
    }

    /// Bytes on the heap.
    pub(crate) fn heap_size(&self) -> usize {
        self.full.capacity()
    }

    /// The shortest way to refer to it from inside `namespace`.
    pub(crate) fn within(&self, namespace: &str) -> &str {
        if self.namespace() == namespace && !TYPE_WORDS.contains(&self.simple()) { self.simple() } else { &self.full }
    }
}

/// Whether `name` is a letter or `_`, then letters, digits and `_`. In new schemas (`ascii_only`) only those of ASCII; Avro for
/// Java once took those of all scripts.
pub(crate) fn is_valid(name: &str, ascii_only: bool) -> bool {
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
        assert_eq!((name.full(), name.namespace(), name.simple()), ("a.b.C", "a.b", "C"));
        let name = Name::new("C", "a.b");
        assert_eq!((name.full(), name.namespace(), name.simple()), ("a.b.C", "a.b", "C"));
        let name = Name::new("C", "");
        assert_eq!((name.full(), name.namespace(), name.simple()), ("C", "", "C"));
    }

    #[test]
    fn a_name_is_short_only_in_its_own_namespace() {
        let name = Name::new("a.C", "");
        assert_eq!((name.within("a"), name.within("b"), name.within("")), ("C", "a.C", "a.C"));
        assert_eq!(Name::new("C", "").within("a"), "C");
        assert_eq!(Name::new("a.enum", "").within("a"), "a.enum");
    }

    #[test]
    fn letters_of_other_scripts_are_valid_only_in_what_is_stored() {
        for (name, new, stored) in [
            ("a_1", true, true),
            ("_", true, true),
            ("1a", false, false),
            ("", false, false),
            ("a-b", false, false),
            ("größe", false, true),
        ] {
            assert_eq!((is_valid(name, true), is_valid(name, false)), (new, stored), "{name}");
        }
    }
}
