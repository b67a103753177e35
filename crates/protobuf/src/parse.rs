//! A `.proto` text to its [`model`](super::model).
//!
//! The grammar is that of proto2 and proto3; editions are refused. Names are not resolved here, and numbers are taken as
//! they come: [`check`](super::check) decides whether a file is consistent.
//!
//! Source: Protocol Buffers Language Specification; where Confluent reads more or less than it says, Confluent is
//! followed (`017` is 17; every field of proto2 needs its label, and so does one without a syntax line).

mod settings;
mod statements;

use super::lex::{Lexer, Token};
use super::model::{self, Enum, Extend, File, Message, NestedTypes, StringLiteral, Syntax};
use postern_schema_core::CompileError;

/// Messages within messages, and values within values of options. Compilers end there, too.
const MAX_DEPTH: usize = 32;

/// Bytes of a text. Twice what a topic takes by default.
const TEXT_MAX: usize = 2 << 20;

/// Bytes of any name, with everything in front of it, and names in a package: a name is looked up in every
/// scope around it.
const NAME_MAX: usize = 512;
const PACKAGE_PARTS_MAX: usize = 32;

/// What the printed text may grow by because of indentation.
const INDENT_MAX: usize = 32 << 20;

/// Reads a file.
pub(super) fn parse(text: &str) -> Result<File, CompileError> {
    if text.len() > TEXT_MAX {
        let found = format!("{} bytes", text.len());
        return Err(CompileError::new(String::new(), format!("a text of at most {TEXT_MAX} bytes"), found));
    }
    let mut parser = Parser::new(text)?;
    parser.file()?;
    Ok(parser.file)
}

struct Parser<'t> {
    lexer: Lexer<'t>,
    token: Token<'t>,
    at: usize,
    file: File,
    depth: usize,
    indent: usize,
}

type Parsed<T = ()> = Result<T, CompileError>;

impl<'t> Parser<'t> {
    fn new(text: &'t str) -> Parsed<Parser<'t>> {
        let mut lexer = Lexer::new(text);
        let (at, token) = lexer.next()?;
        Ok(Parser { lexer, token, at, file: File::default(), depth: 0, indent: 0 })
    }

    fn file(&mut self) -> Parsed {
        if self.token == Token::Word("syntax") {
            self.advance()?;
            self.sign('=')?;
            let (at, syntax) = (self.at, self.text()?);
            self.file.syntax = Some(match syntax.plain.as_str() {
                "proto2" => Syntax::Proto2,
                "proto3" => Syntax::Proto3,
                other => return Err(self.fault_at(at, "\"proto2\" or \"proto3\"", format!("{other:?}"))),
            });
            self.sign(';')?;
        }
        loop {
            let at = self.at;
            match self.advance()? {
                Token::End => break,
                Token::Sign(';') => {}
                Token::Word("package") if self.file.package.is_none() => {
                    let package = self.dotted()?;
                    if package.split('.').count() > PACKAGE_PARTS_MAX {
                        return Err(self.fault_at(
                            at,
                            &format!("a package of at most {PACKAGE_PARTS_MAX} names"),
                            "more",
                        ));
                    }
                    self.file.package = Some(package);
                    self.sign(';')?;
                }
                Token::Word("import") => self.import()?,
                Token::Word("option") => {
                    let option = self.option_statement()?;
                    self.file.options.push(option);
                }
                Token::Word("message") => {
                    let message = self.message("")?;
                    self.file.top.messages.push(message);
                }
                Token::Word("enum") => {
                    let id = self.enumeration("")?;
                    self.file.top.enums.push(id);
                }
                Token::Word("extend") => {
                    let extend = self.extend()?;
                    self.file.extends.push(extend);
                }
                Token::Word("service") => {
                    let service = self.service()?;
                    self.file.services.push(service);
                }
                Token::Word("edition") => {
                    let expected = "syntax = \"proto2\" or \"proto3\"";
                    return Err(self.fault_at(at, expected, "an edition, which is not read here"));
                }
                other => {
                    let expected = "package, import, option, message, enum, extend or service";
                    return Err(self.fault_at(at, expected, other.describe()));
                }
            }
        }
        // A nested type learns its full name only with the package, which may come late.
        let package = self.file.package.clone();
        if let Some(package) = package {
            let messages = self.file.messages.iter_mut().map(|message| &mut message.full_name);
            let enums = self.file.enums.iter_mut().map(|kind| &mut kind.full_name);
            messages.chain(enums).for_each(|name| *name = format!("{package}.{name}"));
        }
        Ok(())
    }

    fn import(&mut self) -> Parsed {
        let modifier = match self.token {
            Token::Word(word @ ("public" | "weak")) => {
                self.advance()?;
                Some(word)
            }
            _ => None,
        };
        let path = self.text()?.plain;
        match modifier {
            None => self.file.imports.push(path),
            Some("public") => self.file.public_imports.push(path),
            // Weak imports are not kept by registries: what cannot be printed again must not be relied on.
            Some(_) => {}
        }
        self.sign(';')
    }

    /// The message whose keyword was just read; gives its place in the file.
    fn message(&mut self, outer: &str) -> Parsed<usize> {
        let name = self.name()?;
        let full_name = self.join(outer, &name)?;
        let id = self.file.messages.len();
        self.file.messages.push(Message { name, full_name: full_name.clone(), ..Message::default() });
        let mut message = Message::default();
        self.block(|parser| parser.message_statement(&mut message, &full_name))?;
        let slot = &mut self.file.messages[id];
        message.name = std::mem::take(&mut slot.name);
        message.full_name = full_name;
        message.is_map_entry = message.fields.len() == 2 && model::word(&message.options, "map_entry") == Some("true");
        *slot = message;
        Ok(id)
    }

    fn message_statement(&mut self, message: &mut Message, full_name: &str) -> Parsed {
        let NestedTypes { messages, enums } = &mut message.nested;
        match self.token {
            Token::Word("message") => {
                self.advance()?;
                messages.push(self.message(full_name)?);
            }
            Token::Word("enum") => {
                self.advance()?;
                enums.push(self.enumeration(full_name)?);
            }
            Token::Word("option") => {
                self.advance()?;
                message.options.push(self.option_statement()?);
            }
            Token::Word("reserved") => {
                self.advance()?;
                message.reserved.push(self.reserved()?);
            }
            Token::Word("extensions") => {
                self.advance()?;
                message.extensions.push(self.extensions()?);
            }
            Token::Word("extend") => {
                self.advance()?;
                message.extends.push(self.extend()?);
            }
            Token::Word("oneof") => {
                self.advance()?;
                message.oneofs.push(self.oneof()?);
            }
            _ => self.field_or_group(&mut message.fields, Some(&mut message.groups))?,
        }
        Ok(())
    }

    fn enumeration(&mut self, outer: &str) -> Parsed<usize> {
        let name = self.name()?;
        let mut kind = Enum { full_name: self.join(outer, &name)?, name, ..Enum::default() };
        self.block(|parser| {
            match parser.token {
                Token::Word("option") => {
                    parser.advance()?;
                    kind.options.push(parser.option_statement()?);
                }
                Token::Word("reserved") => {
                    parser.advance()?;
                    kind.reserved.push(parser.reserved()?);
                }
                _ => kind.constants.push(parser.constant()?),
            }
            Ok(())
        })?;
        self.file.enums.push(kind);
        Ok(self.file.enums.len() - 1)
    }

    fn extend(&mut self) -> Parsed<Extend> {
        let mut extend = Extend { target: self.type_name()?, fields: Vec::new(), groups: Vec::new() };
        self.block(|parser| parser.field_or_group(&mut extend.fields, Some(&mut extend.groups)))?;
        Ok(extend)
    }

    // === tokens ===

    /// The statements between `{` and `}`; lone semicolons are skipped.
    fn block(&mut self, mut statement: impl FnMut(&mut Parser<'t>) -> Parsed) -> Parsed {
        self.sign('{')?;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.fault(&format!("at most {MAX_DEPTH} levels of nesting"), "a deeper one"));
        }
        loop {
            match self.token {
                Token::Sign('}') => break,
                Token::Sign(';') => {
                    self.advance()?;
                }
                Token::End => return Err(self.unexpected("`}`")),
                _ => {
                    self.indent += 2 * self.depth;
                    if self.indent > INDENT_MAX {
                        return Err(self.fault("a schema that can be printed", "too much nesting in too long a text"));
                    }
                    statement(self)?;
                }
            }
        }
        self.depth -= 1;
        self.advance()?;
        Ok(())
    }

    /// The token that stood there; the next one is looked at from now on.
    fn advance(&mut self) -> Parsed<Token<'t>> {
        let (at, next) = self.lexer.next()?;
        self.at = at;
        Ok(std::mem::replace(&mut self.token, next))
    }

    fn sign(&mut self, sign: char) -> Parsed {
        if self.token != Token::Sign(sign) {
            return Err(self.unexpected(&format!("`{sign}`")));
        }
        self.advance()?;
        Ok(())
    }

    /// Whether the sign was there; it is read then.
    fn has_sign(&mut self, sign: char) -> Parsed<bool> {
        let there = self.token == Token::Sign(sign);
        if there {
            self.advance()?;
        }
        Ok(there)
    }

    fn keyword(&mut self, keyword: &'static str) -> Parsed {
        if self.token != Token::Word(keyword) {
            return Err(self.unexpected(&format!("`{keyword}`")));
        }
        self.advance()?;
        Ok(())
    }

    fn name(&mut self) -> Parsed<String> {
        match self.token {
            Token::Word(word) if word.len() <= NAME_MAX => {
                self.advance()?;
                Ok(word.to_owned())
            }
            Token::Word(_) => Err(self.unexpected(&format!("a name of at most {NAME_MAX} bytes"))),
            _ => Err(self.unexpected("a name")),
        }
    }

    fn join(&self, outer: &str, name: &str) -> Parsed<String> {
        let full_name = if outer.is_empty() { name.to_owned() } else { format!("{outer}.{name}") };
        if full_name.len() > NAME_MAX {
            return Err(self.fault(&format!("a full name of at most {NAME_MAX} bytes"), "a longer one"));
        }
        Ok(full_name)
    }

    /// `a.b.c`
    fn dotted(&mut self) -> Parsed<String> {
        let mut name = self.name()?;
        while self.has_sign('.')? {
            name.push('.');
            name.push_str(&self.name()?);
            if name.len() > NAME_MAX {
                return Err(self.fault(&format!("a name of at most {NAME_MAX} bytes"), "a longer one"));
            }
        }
        Ok(name)
    }

    /// `a.b.c` or `.a.b.c`
    fn type_name(&mut self) -> Parsed<String> {
        if self.token != Token::Sign('.') && !matches!(self.token, Token::Word(_)) {
            return Err(self.unexpected("the name of a type"));
        }
        let absolute = self.has_sign('.')?;
        let name = self.dotted()?;
        Ok(if absolute { format!(".{name}") } else { name })
    }

    /// A string literal, or several in a row, which are one.
    fn text(&mut self) -> Parsed<StringLiteral> {
        let Token::Text(_) = self.token else { return Err(self.unexpected("a text in quotes")) };
        let mut whole = StringLiteral::default();
        while let Token::Text(part) = &self.token {
            whole.append(part);
            self.advance()?;
        }
        Ok(whole)
    }

    /// A whole number. One with a leading zero, octal for compilers, is read as decimal, as Confluent does, and noted for
    /// [`check`](super::check).
    fn integer(&mut self) -> Parsed<i32> {
        let at = self.at;
        let negative = self.has_sign('-')?;
        let Token::Number(digits) = self.token else { return Err(self.unexpected("a whole number")) };
        self.advance()?;
        let hexadecimal = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
        let value = match hexadecimal {
            Some(digits) => i64::from_str_radix(digits, 16).ok(),
            None => digits.parse::<i64>().ok(),
        };
        if hexadecimal.is_none() && digits.len() > 1 && digits.starts_with('0') && self.file.octal.is_none() {
            self.file.octal = Some((self.lexer.place(at), super::lex::cut(digits)));
        }
        value
            .map(|value| if negative { -value } else { value })
            .and_then(|value| i32::try_from(value).ok())
            .ok_or_else(|| self.fault_at(at, "a whole number of 32 bits", format!("`{}`", super::lex::cut(digits))))
    }

    // === faults ===

    #[cold]
    fn unexpected(&self, expected: &str) -> CompileError {
        self.fault(expected, self.token.describe())
    }

    #[cold]
    fn fault(&self, expected: &str, found: impl Into<String>) -> CompileError {
        self.fault_at(self.at, expected, found)
    }

    #[cold]
    fn fault_at(&self, at: usize, expected: &str, found: impl Into<String>) -> CompileError {
        CompileError::new(self.lexer.place(at), expected, found)
    }
}
