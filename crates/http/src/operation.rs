//! What the description of an API says about one operation: see [`crate::openapi`], which puts it together with the path, the method and the
//! media types of its row in the table of routes.
//!
//! Shapes are Rust types: those that are written as answers, and for bodies that are read by hand types that only say what may stand in them.

use schemars::{JsonSchema, Schema, SchemaGenerator};

/// Makes the JSON Schema of a type.
pub(crate) type Shape = fn(&mut SchemaGenerator) -> Schema;

/// One operation, as it is described.
#[derive(Clone, Copy)]
pub(crate) struct Operation {
    /// Unique within an API: generated clients name their functions by it.
    pub(crate) id: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) query: &'static [Query],
    pub(crate) body: Option<RequestBody>,
    /// Statuses of success, and what is answered with them; `None`: nothing.
    pub(crate) answers: [Option<(u16, Option<Shape>)>; 3],
    /// How the id goes on where one operation has several paths.
    pub(crate) id_ends: [&'static str; 2],
}

/// The body of a request.
#[derive(Clone, Copy)]
pub(crate) struct RequestBody {
    pub(crate) shape: Shape,
    pub(crate) is_required: bool,
    /// One for each media type, in their order; of a single one all have the same.
    pub(crate) examples: &'static [&'static str],
}

/// A parameter of the query.
#[derive(Clone, Copy)]
pub(crate) struct Query {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) kind: QueryKind,
    /// Such parameters are required.
    pub(crate) example: Option<&'static str>,
}

#[derive(Clone, Copy)]
pub(crate) enum QueryKind {
    Flag,
    Text,
    /// A list that is given by repeating the parameter.
    Texts,
    Number,
    OneOf(&'static [&'static str]),
}

/// An operation that answers 204 without a body until it is said otherwise.
pub(crate) const fn operation(id: &'static str, summary: &'static str) -> Operation {
    Operation { id, summary, query: &[], body: None, answers: [Some((204, None)), None, None], id_ends: ["", ""] }
}

impl Operation {
    /// The id with how it goes on.
    pub(crate) fn full_id(&self) -> String {
        format!("{}{}", self.id, self.id_ends.concat())
    }

    /// Answers 200 with a `T`.
    pub(crate) const fn returns<T: JsonSchema>(self) -> Operation {
        self.answers_with::<T>(200)
    }

    /// Answers `status` with a `T`.
    pub(crate) const fn answers_with<T: JsonSchema>(self, status: u16) -> Operation {
        Operation { answers: [Some((status, Some(SchemaGenerator::subschema_for::<T>))), None, None], ..self }
    }

    /// Answers `status` without a body.
    pub(crate) const fn answers_empty(self, status: u16) -> Operation {
        Operation { answers: [Some((status, None)), None, None], ..self }
    }

    /// Answers also `status` with a `T`.
    pub(crate) const fn or<T: JsonSchema>(self, status: u16) -> Operation {
        let mut answers = self.answers;
        answers[if answers[1].is_none() { 1 } else { 2 }] = Some((status, Some(SchemaGenerator::subschema_for::<T>)));
        Operation { answers, ..self }
    }

    /// Takes a `T` as its body, such as these.
    pub(crate) const fn takes<T: JsonSchema>(self, examples: &'static [&'static str]) -> Operation {
        let shape = SchemaGenerator::subschema_for::<T>;
        Operation { body: Some(RequestBody { shape, is_required: true, examples }), ..self }
    }

    /// Takes a `T` as its body, or none.
    pub(crate) const fn may_take<T: JsonSchema>(self, examples: &'static [&'static str]) -> Operation {
        let shape = SchemaGenerator::subschema_for::<T>;
        Operation { body: Some(RequestBody { shape, is_required: false, examples }), ..self }
    }

    /// Reads these parameters of the query.
    pub(crate) const fn with_query(self, query: &'static [Query]) -> Operation {
        Operation { query, ..self }
    }

    /// The same at another path.
    pub(crate) const fn again(self, id_end: &'static str) -> Operation {
        let id_ends = if self.id_ends[0].is_empty() { [id_end, ""] } else { [self.id_ends[0], id_end] };
        Operation { id_ends, ..self }
    }
}

/// A boolean parameter: true only for `true`.
pub(crate) const fn flag(name: &'static str, about: &'static str) -> Query {
    Query { name, about, kind: QueryKind::Flag, example: None }
}

pub(crate) const fn text(name: &'static str, about: &'static str) -> Query {
    Query { name, about, kind: QueryKind::Text, example: None }
}

pub(crate) const fn texts(name: &'static str, about: &'static str) -> Query {
    Query { name, about, kind: QueryKind::Texts, example: None }
}

pub(crate) const fn number(name: &'static str, about: &'static str) -> Query {
    Query { name, about, kind: QueryKind::Number, example: None }
}

pub(crate) const fn one_of(name: &'static str, about: &'static str, values: &'static [&'static str]) -> Query {
    Query { name, about, kind: QueryKind::OneOf(values), example: None }
}

impl Query {
    /// It must be given.
    pub(crate) const fn required(self, example: &'static str) -> Query {
        Query { example: Some(example), ..self }
    }
}
