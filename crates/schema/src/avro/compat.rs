//! Whether data of one schema can be read with another, and if not, all the reasons.
//!
//! Two questions are kept apart. [`Pairs::readable`] only says yes or no; unions ask it of their branches, and it
//! remembers verdicts on pairs of named types. [`Report`] walks the pair once more and notes every reason.
//!
//! Recursive types: a pair already under comparison counts as readable. That is an assumption; when the pair turns
//! out not to be, the verdicts drawn from it are drawn again.
//!
//! Source: Avro specification, "Schema Resolution", decided without data, as registries do it. Docs, sort order,
//! logical types, custom properties and the worth of defaults say nothing here.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::model::{Definition, Enum, Field, Fixed, Kind, Model, NodeId, Primitive, Record};
use crate::Incompatibility;
use crate::incompatibility::Description;

/// Types within types that are compared; chains of references may be longer than any stack.
const MAX_DEPTH: usize = 200;

/// All reasons why `reader` cannot read what `writer` wrote.
pub(crate) fn differences(reader: &Model, writer: &Model) -> Vec<Incompatibility> {
    let pairs = Pairs::new(reader, writer).settled();
    let mut report = Report { pairs, reported: HashSet::new(), path: Vec::new(), found: Vec::new() };
    report.compare(reader.root, writer.root);
    report.found
}

type Pair = (NodeId, NodeId);

/// Reader and writer, and what is known about pairs of their named types.
struct Pairs<'m> {
    reader: &'m Model,
    writer: &'m Model,
    /// The writer's fields by name, per record.
    sources: HashMap<NodeId, HashMap<&'m str, &'m Field>>,
    /// Known not to go together; never taken back.
    refuted: HashSet<Pair>,
    /// Under comparison, or found readable in this pass. Once settled: the truth.
    assumed: HashSet<Pair>,
    /// Those assumed that somebody relied on.
    relied_on: HashSet<Pair>,
}

impl<'m> Pairs<'m> {
    fn new(reader: &'m Model, writer: &'m Model) -> Pairs<'m> {
        let by_name = |record: &'m Record| record.fields.iter().map(|field| (field.name.as_str(), field)).collect();
        let sources = writer.ids().filter_map(|id| match writer.kind(id) {
            Kind::Record(record) => Some((id, by_name(record))),
            _ => None,
        });
        let sources = sources.collect();
        let (refuted, assumed, relied_on) = Default::default();
        Pairs { reader, writer, sources, refuted, assumed, relied_on }
    }

    /// Repeats passes until none relies on a pair that it refutes.
    fn settled(mut self) -> Pairs<'m> {
        loop {
            self.assumed.clear();
            self.relied_on.clear();
            self.readable(self.reader.root, self.writer.root, MAX_DEPTH);
            if self.relied_on.is_disjoint(&self.refuted) {
                return self;
            }
        }
    }

    fn readable(&mut self, reader: NodeId, writer: NodeId, depth: usize) -> bool {
        match (self.reader.kind(reader).definition(), self.writer.kind(writer).definition()) {
            // Not worth remembering: two large unions have too many such pairs.
            (Some(ours), Some(theirs)) if !same_name(ours, theirs) => return false,
            (Some(_), Some(_)) => {}
            (None, _) | (_, None) => return self.readable_by_kind(reader, writer, depth),
        }
        let pair = (reader, writer);
        if self.refuted.contains(&pair) {
            return false;
        }
        if !self.assumed.insert(pair) {
            self.relied_on.insert(pair);
            return true;
        }
        let verdict = self.readable_by_kind(reader, writer, depth);
        if !verdict {
            self.refuted.insert(pair);
        }
        verdict
    }

    /// The same of two types whose names, if they have any, go together.
    fn readable_by_kind(&mut self, reader: NodeId, writer: NodeId, depth: usize) -> bool {
        let Some(depth) = depth.checked_sub(1) else { return false };
        match (self.reader.kind(reader), self.writer.kind(writer)) {
            (_, Kind::Union(branches)) => branches.iter().all(|branch| self.readable(reader, *branch, depth)),
            (Kind::Union(branches), _) => branches.iter().any(|branch| self.readable(*branch, writer, depth)),
            (Kind::Array(ours), Kind::Array(theirs)) | (Kind::Map(ours), Kind::Map(theirs)) => {
                self.readable(*ours, *theirs, depth)
            }
            (Kind::Fixed(ours), Kind::Fixed(theirs)) => ours.size == theirs.size,
            (Kind::Enum(ours), Kind::Enum(theirs)) => missing_symbols(ours, theirs).is_empty(),
            (Kind::Record(ours), Kind::Record(_)) => ours.fields.iter().all(|field| match self.source(field, writer) {
                Source::Field(source) => self.readable(field.node, source.node, depth),
                Source::Absent => field.default.is_some(),
                Source::Several => false,
            }),
            (Kind::Primitive(ours), Kind::Primitive(theirs)) => promotes(*ours, *theirs),
            (
                Kind::Primitive(_) | Kind::Array(_) | Kind::Map(_) | Kind::Record(_) | Kind::Enum(_) | Kind::Fixed(_),
                Kind::Primitive(_) | Kind::Array(_) | Kind::Map(_) | Kind::Record(_) | Kind::Enum(_) | Kind::Fixed(_),
            ) => false,
        }
    }

    /// The verdict on a pair when all is settled.
    fn verdict(&mut self, reader: NodeId, writer: NodeId) -> bool {
        self.readable(reader, writer, MAX_DEPTH)
    }

    fn both_named(&self, reader: NodeId, writer: NodeId) -> bool {
        self.reader.kind(reader).definition().is_some() && self.writer.kind(writer).definition().is_some()
    }

    /// The writer's field that feeds a field of the reader, found by name or by an alias.
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
}

/// Collects the reasons, outermost first.
struct Report<'m> {
    pairs: Pairs<'m>,
    /// Pairs of named types are explained where they are first met.
    reported: HashSet<Pair>,
    /// Segments of the JSON pointer into the reader.
    path: Vec<String>,
    found: Vec<Incompatibility>,
}

impl<'m> Report<'m> {
    fn compare(&mut self, reader: NodeId, writer: NodeId) {
        let (kind, written) = (self.pairs.reader.kind(reader), self.pairs.writer.kind(writer));
        if self.pairs.both_named(reader, writer)
            && (!self.reported.insert((reader, writer)) || self.pairs.verdict(reader, writer))
        {
            return;
        }
        // A field takes three segments; what was refuted for its depth is met here.
        if self.path.len() > 3 * MAX_DEPTH {
            return self.mismatch("types nested too deep to be compared".to_owned());
        }
        match (kind, written) {
            (Kind::Union(_), Kind::Union(branches)) => {
                for (position, branch) in branches.iter().enumerate() {
                    if !self.pairs.verdict(reader, *branch) {
                        let written = self.pairs.writer.kind(*branch);
                        self.within(&[&position.to_string()], |report| report.missing_branch(written));
                    }
                }
            }
            (_, Kind::Union(branches)) => {
                for (position, branch) in branches.iter().enumerate() {
                    self.within(&[&position.to_string()], |report| report.compare(reader, *branch));
                }
            }
            (Kind::Union(branches), written) => {
                if !branches.iter().any(|branch| self.pairs.verdict(*branch, writer)) {
                    self.missing_branch(written);
                }
            }
            (Kind::Array(ours), Kind::Array(theirs)) => {
                self.within(&["items"], |report| report.compare(*ours, *theirs))
            }
            (Kind::Map(ours), Kind::Map(theirs)) => self.within(&["values"], |report| report.compare(*ours, *theirs)),
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
            ) => self.mismatch(types(kind, written)),
        }
    }

    fn fields(&mut self, reader: &'m Record, written: &'m Record, writer: NodeId) {
        for (position, field) in reader.fields.iter().enumerate() {
            let position = position.to_string();
            match self.pairs.source(field, writer) {
                Source::Field(source) => {
                    self.within(&["fields", &position, "type"], |report| report.compare(field.node, source.node));
                }
                Source::Absent if field.default.is_some() => {}
                Source::Absent => match self.pairs.reader.kind(field.node) {
                    // Registries compare such an enum with the writer's record; the answer is kept, odd as it is.
                    enumeration @ Kind::Enum(Enum { default: Some(_), .. }) => {
                        let info =
                            format!("reader type: {} not compatible with writer type: RECORD", upper(enumeration));
                        self.within(&["fields", &position, "type"], |report| report.mismatch(info));
                    }
                    _ => self.within(&["fields", &position], |report| report.no_default(&field.name)),
                },
                Source::Several => self.within(&["fields", &position], |report| report.ambiguous(field, written)),
            }
        }
    }

    fn names(&mut self, reader: &Definition, writer: &Definition) {
        if !same_name(reader, writer) {
            self.within(&["name"], |report| {
                let description = format!("The name of the schema has changed (path '{}')", report.pointer());
                let info = format!("expected: {}", writer.name.full());
                report.note("NAME_MISMATCH", info, Description::Plain(description));
            });
        }
    }

    fn sizes(&mut self, reader: &Fixed, writer: &Fixed) {
        if reader.size != writer.size {
            self.within(&["size"], |report| {
                let description = Description::ReaderWriter(
                    format!("The size of FIXED type field at path '{}' in the ", report.pointer()),
                    " schema does not match with the ".to_owned(),
                    " schema".to_owned(),
                );
                let info = format!("expected: {}, found: {}", writer.size, reader.size);
                report.note("FIXED_SIZE_MISMATCH", info, description);
            });
        }
    }

    fn symbols(&mut self, reader: &Enum, writer: &Enum) {
        let missing = missing_symbols(reader, writer).into_iter().collect::<Vec<_>>();
        if !missing.is_empty() {
            self.within(&["symbols"], |report| {
                let info = format!("[{}]", missing.join(", "));
                let description = Description::ReaderWriter(
                    "The ".to_owned(),
                    format!(" schema is missing enum symbols '{info}' at path '{}' in the ", report.pointer()),
                    " schema".to_owned(),
                );
                report.note("MISSING_ENUM_SYMBOLS", info, description);
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

    fn ambiguous(&mut self, field: &Field, writer: &Record) {
        let description = Description::ReaderWriter(
            format!("The field '{}' at path '{}' in the ", field.name, self.pointer()),
            " schema matches, by its name and aliases, several fields of the ".to_owned(),
            " schema".to_owned(),
        );
        self.note("READER_FIELD_MATCHES_SEVERAL", writer.definition.name.full().to_owned(), description);
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
        self.found.push(Incompatibility::new(kind, self.pointer(), info, description));
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

/// Unqualified names decide, so a change of namespace alone is none; an alias names the writer's type in full.
fn same_name(reader: &Definition, writer: &Definition) -> bool {
    reader.name.simple() == writer.name.simple() || reader.aliases.contains(&writer.name)
}

/// What the writer may say and the reader does not know, unless it has a word for all such.
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
        kind => kind.word().to_ascii_uppercase(),
    }
}
