//! Whether data written with one schema can be read with another, and if not, all the reasons.
//!
//! A pair of named types is compared once. Its result is cached and reported again, with the paths of the first time,
//! wherever the pair occurs again. For a union, only whether some branch reads the writer's type counts, not why others do not.
//!
//! Recursive types: a pair that is already under comparison counts as readable. Where that assumption turns out wrong, the
//! results that were derived from it are dropped from the cache.
//!
//! Source: Avro specification, "Schema Resolution", decided without data. Docs, sort order, logical types, custom
//! properties and the values of defaults have no influence.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use super::model::{Definition, Enum, Field, Fixed, Kind, Model, NodeId, Primitive, Record};
use postern_schema_core::Description;
use postern_schema_core::Incompatibility;

/// Types within types that are compared. Bounds the recursion: chains of references may be longer than the stack.
const MAX_DEPTH: usize = 200;

/// With more reasons than these, cached ones are not repeated: types that share types would repeat them 2^n times.
const MAX_REPEATED: usize = 1000;

/// Pairs of types that are looked at, and pairs of named types that are remembered. Two large unions have more than anybody can
/// wait for: half a minute and gigabytes in the 1 MiB that a text may have.
const MAX_PAIRS: usize = 10_000_000;
const MAX_KNOWN_PAIRS: usize = 100_000;

/// All reasons why `reader` cannot read what `writer` wrote.
pub(crate) fn differences(reader: &Model, writer: &Model) -> Vec<Incompatibility> {
    let mut comparison = Comparison::new(reader, writer);
    comparison.compare(reader.root, writer.root);
    if comparison.is_exhausted() {
        return vec![Incompatibility::bare("SCHEMA_TOO_COMPLEX", "/".to_owned(), TOO_COMPLEX.to_owned())];
    }
    match comparison.ambiguous {
        Some(reason) => vec![reason],
        None => comparison.found.into_iter().map(Rc::unwrap_or_clone).collect(),
    }
}

const TOO_COMPLEX: &str = "The schemas have too many types within unions to be compared: at most 10000000 pairs of types, and 100000 pairs of \
                           types of one name, are";

type Pair = (NodeId, NodeId);

struct Comparison<'m> {
    reader: &'m Model,
    writer: &'m Model,
    /// The writer's fields by name, per record.
    sources: HashMap<NodeId, HashMap<&'m str, &'m Field>>,
    /// Per pair of named types the reasons found. Empty for pairs that are compatible or under comparison.
    known: HashMap<Pair, Vec<Rc<Incompatibility>>>,
    /// The compatible ones among `known`, in the order in which they were found.
    readable: Vec<Pair>,
    /// Segments of the JSON pointer into the reader.
    path: Vec<String>,
    depth: usize,
    /// How many pairs were looked at.
    pairs: usize,
    /// Outermost first.
    found: Vec<Rc<Incompatibility>>,
    /// The first field that several fields of the writer match by name or alias. If there is one, only it is reported.
    ambiguous: Option<Incompatibility>,
}

impl<'m> Comparison<'m> {
    fn new(reader: &'m Model, writer: &'m Model) -> Comparison<'m> {
        let by_name = |record: &'m Record| record.fields.iter().map(|field| (field.name.as_str(), field)).collect();
        let sources = writer.ids().filter_map(|id| match writer.kind(id) {
            Kind::Record(record) => Some((id, by_name(record))),
            _ => None,
        });
        let sources = sources.collect();
        let (known, readable, path, found) = Default::default();
        Comparison { reader, writer, sources, known, readable, path, depth: 0, pairs: 0, found, ambiguous: None }
    }

    /// Whether a bound was reached, so that nothing is compared any more.
    fn is_exhausted(&self) -> bool {
        self.pairs > MAX_PAIRS || self.known.len() > MAX_KNOWN_PAIRS
    }

    fn compare(&mut self, reader: NodeId, writer: NodeId) {
        self.pairs += 1;
        if self.is_exhausted() {
            return;
        }
        let named = |model: &Model, id| model.kind(id).definition().is_some();
        if !(named(self.reader, reader) && named(self.writer, writer)) {
            return self.kinds(reader, writer);
        }
        let pair = (reader, writer);
        if let Some(reasons) = self.known.get(&pair) {
            if self.found.len() < MAX_REPEATED {
                self.found.extend(reasons.iter().cloned());
            } else if !reasons.is_empty() {
                self.found.push(Rc::clone(&reasons[0]));
            }
            return;
        }
        self.known.insert(pair, Vec::new());
        let (before, readable) = (self.found.len(), self.readable.len());
        self.kinds(reader, writer);
        if self.found.len() == before {
            return self.readable.push(pair);
        }
        self.known.insert(pair, self.found[before..].to_vec());
        for inside in self.readable.drain(readable..) {
            self.known.remove(&inside);
        }
    }

    /// Whether `reader` reads `writer`, without recording the reasons.
    fn reads(&mut self, reader: NodeId, writer: NodeId) -> bool {
        self.pairs += 1;
        if self.is_exhausted() {
            return true; // whatever it is, the answer will be that there are too many pairs
        }
        let definitions = self.reader.kind(reader).definition().zip(self.writer.kind(writer).definition());
        // Different names are not compared any further, unless they were already: two large unions have too many such pairs.
        if definitions.is_some_and(|(ours, theirs)| !same_name(ours, theirs))
            && !self.known.contains_key(&(reader, writer))
        {
            return false;
        }
        let before = self.found.len();
        self.compare(reader, writer);
        let readable = self.found.len() == before;
        self.found.truncate(before);
        readable
    }

    fn kinds(&mut self, reader: NodeId, writer: NodeId) {
        let (ours, theirs) = (self.reader.kind(reader), self.writer.kind(writer));
        if self.depth == MAX_DEPTH {
            return self.mismatch("types nested too deep to be compared".to_owned());
        }
        self.depth += 1;
        match (ours, theirs) {
            (Kind::Union(_), Kind::Union(branches)) => {
                for (position, branch) in branches.iter().enumerate() {
                    self.within(&[&position.to_string()], |comparison| {
                        if !comparison.reads(reader, *branch) {
                            comparison.missing_branch(comparison.writer.kind(*branch));
                        }
                    });
                }
            }
            (_, Kind::Union(branches)) => {
                for (position, branch) in branches.iter().enumerate() {
                    self.within(&[&position.to_string()], |comparison| comparison.compare(reader, *branch));
                }
            }
            (Kind::Union(branches), theirs) => {
                if !branches.iter().any(|branch| self.reads(*branch, writer)) {
                    self.missing_branch(theirs);
                }
            }
            (Kind::Array(ours), Kind::Array(theirs)) => {
                self.within(&["items"], |comparison| comparison.compare(*ours, *theirs))
            }
            (Kind::Map(ours), Kind::Map(theirs)) => {
                self.within(&["values"], |comparison| comparison.compare(*ours, *theirs))
            }
            (Kind::Fixed(ours), Kind::Fixed(theirs)) => {
                self.names(&ours.definition, &theirs.definition);
                self.sizes(ours, theirs);
            }
            (Kind::Enum(ours), Kind::Enum(theirs)) => {
                self.names(&ours.definition, &theirs.definition);
                self.symbols(ours, theirs);
            }
            (Kind::Record(ours), Kind::Record(theirs)) => {
                self.names(&ours.definition, &theirs.definition);
                self.fields(ours, theirs, writer);
            }
            (Kind::Primitive(ours), Kind::Primitive(theirs)) if promotes(*ours, *theirs) => {}
            (
                Kind::Primitive(_) | Kind::Array(_) | Kind::Map(_) | Kind::Record(_) | Kind::Enum(_) | Kind::Fixed(_),
                Kind::Primitive(_) | Kind::Array(_) | Kind::Map(_) | Kind::Record(_) | Kind::Enum(_) | Kind::Fixed(_),
            ) => self.mismatch(types(ours, theirs)),
        }
        self.depth -= 1;
    }

    fn fields(&mut self, ours: &'m Record, theirs: &'m Record, writer: NodeId) {
        for (position, field) in ours.fields.iter().enumerate() {
            let position = position.to_string();
            match self.source(field, writer) {
                Source::Field(source) => {
                    self.within(&["fields", &position, "type"], |comparison| {
                        comparison.compare(field.node, source.node)
                    });
                }
                Source::Absent if field.default.is_some() => {}
                Source::Absent => match self.reader.kind(field.node) {
                    // Confluent compares such an enum with the writer's record. Odd, but clients see this answer.
                    enumeration @ Kind::Enum(Enum { default: Some(_), .. }) => {
                        let info =
                            format!("reader type: {} not compatible with writer type: RECORD", upper(enumeration));
                        self.within(&["fields", &position, "type"], |comparison| comparison.mismatch(info));
                    }
                    _ => self.within(&["fields", &position], |comparison| comparison.no_default(&field.name)),
                },
                Source::Several => self.within(&["fields", &position], |comparison| comparison.several(field, theirs)),
            }
        }
    }

    /// The writer's field that a field of the reader is read from, by name or by an alias.
    fn source(&self, field: &Field, writer: NodeId) -> Source<'m> {
        let fields = &self.sources[&writer];
        let names = std::iter::once(&field.name).chain(&field.aliases);
        let mut matches = names.filter_map(|name| fields.get(name.as_str()).copied());
        match matches.next() {
            None => Source::Absent,
            Some(first) if matches.any(|other| other.name != first.name) => Source::Several,
            Some(first) => Source::Field(first),
        }
    }

    fn names(&mut self, reader: &Definition, writer: &Definition) {
        if !same_name(reader, writer) {
            self.within(&["name"], |comparison| {
                let description = format!("The name of the schema has changed (path '{}')", comparison.pointer());
                let info = format!("expected: {}", writer.name.full());
                comparison.note("NAME_MISMATCH", info, Description::Plain(description));
            });
        }
    }

    fn sizes(&mut self, reader: &Fixed, writer: &Fixed) {
        if reader.size != writer.size {
            self.within(&["size"], |comparison| {
                let description = Description::ReaderWriter(
                    format!("The size of FIXED type field at path '{}' in the ", comparison.pointer()),
                    " schema does not match with the ".to_owned(),
                    " schema".to_owned(),
                );
                let info = format!("expected: {}, found: {}", writer.size, reader.size);
                comparison.note("FIXED_SIZE_MISMATCH", info, description);
            });
        }
    }

    fn symbols(&mut self, reader: &Enum, writer: &Enum) {
        let missing = missing_symbols(reader, writer).into_iter().collect::<Vec<_>>();
        if !missing.is_empty() {
            self.within(&["symbols"], |comparison| {
                let info = format!("[{}]", missing.join(", "));
                let description = Description::ReaderWriter(
                    "The ".to_owned(),
                    format!(" schema is missing enum symbols '{info}' at path '{}' in the ", comparison.pointer()),
                    " schema".to_owned(),
                );
                comparison.note("MISSING_ENUM_SYMBOLS", info, description);
            });
        }
    }

    fn no_default(&mut self, field: &str) {
        let description = Description::ReaderWriter(
            format!("The field '{field}' at path '{}' in the ", self.pointer()),
            " schema has no default value and is missing in the ".to_owned(),
            " schema".to_owned(),
        );
        self.note("READER_FIELD_MISSING_DEFAULT_VALUE", field.to_owned(), description);
    }

    /// Confluent's registry ends the whole check there.
    fn several(&mut self, field: &Field, writer: &Record) {
        let text = format!(
            "Unexpected exception during compatibility check: Reader record field {} at path '{}' matches multiple \
             fields in writer record schema {}",
            field.name,
            self.pointer(),
            writer.definition.name.full()
        );
        let reason = Incompatibility::bare("READER_FIELD_MATCHES_SEVERAL", self.pointer(), text);
        self.found.push(Rc::new(reason.clone()));
        self.ambiguous.get_or_insert(reason);
    }

    fn missing_branch(&mut self, writer: &Kind) {
        let description = Description::ReaderWriter(
            "The ".to_owned(),
            format!(" schema is missing a type inside a union field at path '{}' in the ", self.pointer()),
            " schema".to_owned(),
        );
        let info = format!("reader union lacking writer type: {}", upper(writer));
        self.note("MISSING_UNION_BRANCH", info, description);
    }

    fn mismatch(&mut self, info: String) {
        let description = Description::ReaderWriter(
            format!("The type (path '{}') of a field in the ", self.pointer()),
            " schema does not match with the ".to_owned(),
            " schema".to_owned(),
        );
        self.note("TYPE_MISMATCH", info, description);
    }

    fn note(&mut self, kind: &'static str, info: String, description: Description) {
        self.found.push(Rc::new(Incompatibility::new(kind, self.pointer(), info, description)));
    }

    fn within(&mut self, segments: &[&str], inner: impl FnOnce(&mut Self)) {
        let outer = self.path.len();
        self.path.extend(segments.iter().map(|segment| segment.replace('~', "~0").replace('/', "~1")));
        inner(self);
        self.path.truncate(outer);
    }

    fn pointer(&self) -> String {
        format!("/{}", self.path.join("/"))
    }
}

enum Source<'m> {
    Field(&'m Field),
    Absent,
    Several,
}

/// Unqualified names are compared, so namespaces may differ; an alias must be the full name of the writer's type.
fn same_name(reader: &Definition, writer: &Definition) -> bool {
    reader.name.simple() == writer.name.simple() || reader.aliases.contains(&writer.name)
}

/// Symbols of the writer that the reader lacks; none if the reader has a default symbol.
fn missing_symbols<'m>(reader: &Enum, writer: &'m Enum) -> BTreeSet<&'m str> {
    if reader.default.is_some() {
        return BTreeSet::new();
    }
    let known = reader.symbols.iter().collect::<HashSet<_>>();
    writer.symbols.iter().filter(|symbol| !known.contains(symbol)).map(String::as_str).collect()
}

/// Whether a primitive read as `reader` may have been written as `writer`.
fn promotes(reader: Primitive, writer: Primitive) -> bool {
    use Primitive::{Boolean, Bytes, Double, Float, Int, Long, Null, String};
    match reader {
        Null | Boolean | Int => reader == writer,
        Long => matches!(writer, Int | Long),
        Float => matches!(writer, Int | Long | Float),
        Double => matches!(writer, Int | Long | Float | Double),
        Bytes | String => matches!(writer, Bytes | String),
    }
}

fn types(reader: &Kind, writer: &Kind) -> String {
    format!("reader type: {} not compatible with writer type: {}", upper(reader), upper(writer))
}

fn upper(kind: &Kind) -> String {
    match kind {
        Kind::Record(_) => "RECORD".to_owned(),
        kind => kind.type_name().to_ascii_uppercase(),
    }
}
