//! JSON Schema from outside: recorded answers, every kind of difference, what is read and refused, values, hostile input.

mod compile;
mod corpus;
mod differences;
mod hostile;
mod properties;
mod values;

use postern_schema::{CompileError, Reference, Schema, SchemaKind, Strictness};

fn compile(text: &str) -> Result<Schema, CompileError> {
    Schema::compile(SchemaKind::Json, text, &[], Strictness::New)
}

fn schema(text: &str) -> Schema {
    compile(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn referring(text: &str, references: &[(&str, &Schema)]) -> Result<Schema, CompileError> {
    let reference =
        |(name, schema): &(&str, &Schema)| Reference { name: (*name).to_owned(), schema: (*schema).clone() };
    let references = references.iter().map(reference).collect::<Vec<_>>();
    Schema::compile(SchemaKind::Json, text, &references, Strictness::New)
}
