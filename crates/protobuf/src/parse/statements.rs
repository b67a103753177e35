//! The single statements of messages, enums and services.

use super::{Parsed, Parser};
use crate::lex::Token;
use crate::model::{
    Constant, Extensions, Field, FieldType, Group, Label, OneOf, RangeEnd, Reserved, Rpc, RpcType, Service, Syntax,
};

impl Parser<'_> {
    /// A field of a message or an extension. `groups`: where a group goes, if one may stand here.
    pub(super) fn field_or_group(&mut self, fields: &mut Vec<Field>, groups: Option<&mut Vec<Group>>) -> Parsed {
        let at = self.at;
        let label = match self.token {
            Token::Word("optional") => Some(Label::Optional),
            Token::Word("required") => Some(Label::Required),
            Token::Word("repeated") => Some(Label::Repeated),
            _ => None,
        };
        let proto3 = self.file.syntax == Some(Syntax::Proto3);
        if label.is_some() {
            self.advance()?;
        }
        if label == Some(Label::Required) && proto3 {
            return Err(self.fault_at(at, "a field that is not required, in proto3", "`required`"));
        }
        if let (Token::Word("group"), Some(groups)) = (&self.token, groups) {
            self.advance()?;
            groups.push(self.group(label)?);
            return Ok(());
        }
        let kind = self.field_type()?;
        match (&kind, label) {
            (FieldType::Map(..), Some(label)) => {
                return Err(self.fault_at(at, "a map without a label", format!("`{}`", label.word())));
            }
            (FieldType::Named(name), None) if !proto3 => {
                let expected = "optional, required or repeated before the type (or syntax = \"proto3\" at the top)";
                return Err(self.fault_at(at, expected, format!("`{}`", super::super::lex::cut(name))));
            }
            (FieldType::Named(_) | FieldType::Map(..), _) => {}
        }
        fields.push(self.field(label, kind)?);
        Ok(())
    }

    pub(super) fn oneof(&mut self) -> Parsed<OneOf> {
        let mut oneof = OneOf { name: self.name()?, options: Vec::new(), fields: Vec::new(), groups: Vec::new() };
        self.block(|parser| {
            match parser.token {
                Token::Word("option") => {
                    parser.advance()?;
                    oneof.options.push(parser.option_statement()?);
                }
                Token::Word("group") => {
                    parser.advance()?;
                    oneof.groups.push(parser.group(None)?);
                }
                Token::Word("optional" | "required" | "repeated") => {
                    return Err(parser.unexpected("a field without a label, in a oneof"));
                }
                _ => match parser.field_type()? {
                    FieldType::Map(..) => return Err(parser.fault("a field that is no map, in a oneof", "a map")),
                    kind @ FieldType::Named(_) => oneof.fields.push(parser.field(None, kind)?),
                },
            }
            Ok(())
        })?;
        Ok(oneof)
    }

    fn field_type(&mut self) -> Parsed<FieldType> {
        let written = self.type_name()?;
        if written != "map" || !self.has_sign('<')? {
            return Ok(FieldType::Named(written));
        }
        let key = self.type_name()?;
        self.sign(',')?;
        let value = self.type_name()?;
        self.sign('>')?;
        Ok(FieldType::Map(key, value))
    }

    /// From its name on.
    fn field(&mut self, label: Option<Label>, kind: FieldType) -> Parsed<Field> {
        let name = self.name()?;
        self.sign('=')?;
        let number = self.integer()?;
        let options = self.inline_options()?;
        self.sign(';')?;
        Ok(Field { label, kind, name, number, options })
    }

    fn group(&mut self, label: Option<Label>) -> Parsed<Group> {
        let name = self.name()?;
        self.sign('=')?;
        let mut group = Group { label, name, number: self.integer()?, fields: Vec::new() };
        self.block(|parser| parser.field_or_group(&mut group.fields, None))?;
        Ok(group)
    }

    pub(super) fn reserved(&mut self) -> Parsed<Vec<Reserved>> {
        let mut entries = Vec::new();
        loop {
            entries.push(match self.token {
                Token::Text(_) => Reserved::Name(self.text()?.plain),
                _ => self.range()?,
            });
            if !self.has_sign(',')? {
                break;
            }
        }
        self.sign(';')?;
        Ok(entries)
    }

    pub(super) fn extensions(&mut self) -> Parsed<Extensions> {
        let mut ranges = Vec::new();
        loop {
            ranges.push(self.range()?);
            if !self.has_sign(',')? {
                break;
            }
        }
        let options = self.inline_options()?;
        self.sign(';')?;
        Ok(Extensions { ranges, options })
    }

    fn range(&mut self) -> Parsed<Reserved> {
        let first = self.integer()?;
        if self.token != Token::Word("to") {
            return Ok(Reserved::Numbers(first, None));
        }
        self.advance()?;
        let last = if self.token == Token::Word("max") {
            self.advance()?;
            RangeEnd::Max
        } else {
            RangeEnd::Number(self.integer()?)
        };
        Ok(Reserved::Numbers(first, Some(last)))
    }

    pub(super) fn constant(&mut self) -> Parsed<Constant> {
        let name = self.name()?;
        self.sign('=')?;
        let number = self.integer()?;
        let options = self.inline_options()?;
        self.sign(';')?;
        Ok(Constant { name, number, options })
    }

    pub(super) fn service(&mut self) -> Parsed<Service> {
        let mut service = Service { name: self.name()?, options: Vec::new(), rpcs: Vec::new() };
        self.block(|parser| {
            match parser.token {
                Token::Word("option") => {
                    parser.advance()?;
                    service.options.push(parser.option_statement()?);
                }
                Token::Word("rpc") => {
                    parser.advance()?;
                    service.rpcs.push(parser.call()?);
                }
                _ => return Err(parser.unexpected("rpc or option")),
            }
            Ok(())
        })?;
        Ok(service)
    }

    fn call(&mut self) -> Parsed<Rpc> {
        let name = self.name()?;
        let request = self.streamed()?;
        self.keyword("returns")?;
        let response = self.streamed()?;
        let mut options = Vec::new();
        if self.token == super::super::lex::Token::Sign('{') {
            self.block(|parser| {
                parser.keyword("option")?;
                options.push(parser.option_statement()?);
                Ok(())
            })?;
        } else {
            self.sign(';')?;
        }
        Ok(Rpc { name, request, response, options })
    }

    fn streamed(&mut self) -> Parsed<RpcType> {
        self.sign('(')?;
        let mut stream = self.token == Token::Word("stream");
        let mut kind = String::new();
        if stream {
            self.advance()?;
            // A message may be called so, too.
            if self.token == Token::Sign(')') {
                stream = false;
                kind = "stream".to_owned();
            }
        }
        if kind.is_empty() {
            kind = self.type_name()?;
        }
        self.sign(')')?;
        Ok(RpcType { stream, kind })
    }
}
