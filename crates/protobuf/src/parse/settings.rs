//! Options: `option name = value;` and `[name = value, …]`, with values as deep as text format allows.

use std::collections::HashMap;

use super::{MAX_DEPTH, Parsed, Parser};
use crate::lex::Token;
use crate::model::{OptionValue, ProtoOption};

impl Parser<'_> {
    /// After the keyword, up to and with the semicolon.
    pub(super) fn option_statement(&mut self) -> Parsed<ProtoOption> {
        let option = self.setting()?;
        self.sign(';')?;
        Ok(option)
    }

    /// `[a = 1, b = 2]`, if it is there.
    pub(super) fn inline_options(&mut self) -> Parsed<Vec<ProtoOption>> {
        let mut options = Vec::new();
        if self.has_sign('[')? {
            loop {
                options.push(self.setting()?);
                if !self.has_sign(',')? {
                    break;
                }
            }
            self.sign(']')?;
        }
        Ok(options)
    }

    fn setting(&mut self) -> Parsed<ProtoOption> {
        let mut name = self.name_part()?;
        while self.has_sign('.')? {
            name.push('.');
            name.push_str(&self.name_part()?);
        }
        self.sign('=')?;
        Ok(ProtoOption { name, value: self.value(MAX_DEPTH)? })
    }

    fn name_part(&mut self) -> Parsed<String> {
        if self.has_sign('(')? {
            let name = self.type_name()?;
            self.sign(')')?;
            Ok(format!("({name})"))
        } else {
            self.name()
        }
    }

    fn value(&mut self, depth: usize) -> Parsed<OptionValue> {
        if depth == 0 {
            return Err(self.fault(&format!("at most {MAX_DEPTH} levels of nesting"), "a deeper value"));
        }
        self.indent += 2 * (self.depth + MAX_DEPTH - depth);
        if self.indent > super::INDENT_MAX {
            return Err(self.fault("a schema that can be printed", "too much nesting in too long a text"));
        }
        match self.token {
            Token::Text(_) => Ok(OptionValue::Text(self.text()?)),
            Token::Word(_) => Ok(OptionValue::Word(self.dotted()?)),
            Token::Number(number) => {
                self.advance()?;
                Ok(OptionValue::Word(number.to_owned()))
            }
            Token::Sign(sign @ ('-' | '+')) => {
                self.advance()?;
                match self.token {
                    Token::Number(number) | Token::Word(number @ ("inf" | "nan" | "infinity")) => {
                        self.advance()?;
                        Ok(OptionValue::Word(if sign == '-' { format!("-{number}") } else { number.to_owned() }))
                    }
                    _ => Err(self.unexpected("a number")),
                }
            }
            Token::Sign(open @ ('{' | '<')) => {
                self.advance()?;
                let close = if open == '{' { '}' } else { '>' };
                Ok(OptionValue::Map(self.map(close, depth)?))
            }
            Token::Sign('[') => {
                self.advance()?;
                let mut items = Vec::new();
                while self.token != Token::Sign(']') {
                    items.push(self.value(depth - 1)?);
                    if !self.has_sign(',')? {
                        break;
                    }
                }
                self.sign(']')?;
                Ok(OptionValue::List(items))
            }
            Token::Sign(_) | Token::End => Err(self.unexpected("the value of an option")),
        }
    }

    /// A key given several times has a list of all its values, where it stands first.
    fn map(&mut self, close: char, depth: usize) -> Parsed<Vec<(String, OptionValue)>> {
        let mut entries: Vec<(String, OptionValue)> = Vec::new();
        let mut places = HashMap::<String, usize>::new();
        while self.token != Token::Sign(close) {
            let key = if self.has_sign('[')? {
                let mut key = self.dotted()?;
                if self.has_sign('/')? {
                    key = format!("{key}/{}", self.dotted()?);
                }
                self.sign(']')?;
                format!("[{key}]")
            } else {
                self.name()?
            };
            if !self.has_sign(':')? && !matches!(self.token, Token::Sign('{' | '<')) {
                return Err(self.unexpected("`:`"));
            }
            let value = self.value(depth - 1)?;
            match places.get(&key) {
                Some(place) => {
                    let known = &mut entries[*place].1;
                    // What was in no list before comes to stand one level deeper.
                    let deeper = [&*known, &value].into_iter().filter(|value| !matches!(value, OptionValue::List(_)));
                    if deeper.map(levels).any(|levels| levels + 1 > depth - 1) {
                        return Err(self.fault(&format!("at most {MAX_DEPTH} levels of nesting"), "a deeper value"));
                    }
                    gather(known, value);
                }
                None => {
                    places.insert(key.clone(), entries.len());
                    entries.push((key, value));
                }
            }
            if !self.has_sign(',')? {
                self.has_sign(';')?;
            }
        }
        self.sign(close)?;
        Ok(entries)
    }
}

/// How deep a value nests; a word is one level.
fn levels(value: &OptionValue) -> usize {
    1 + match value {
        OptionValue::Word(_) | OptionValue::Text(_) => 0,
        OptionValue::Map(entries) => entries.iter().map(|(_, value)| levels(value)).max().unwrap_or(0),
        OptionValue::List(values) => values.iter().map(levels).max().unwrap_or(0),
    }
}

fn gather(known: &mut OptionValue, more: OptionValue) {
    let mut values = match std::mem::replace(known, OptionValue::List(Vec::new())) {
        OptionValue::List(values) => values,
        single => vec![single],
    };
    match more {
        OptionValue::List(more) => values.extend(more),
        single => values.push(single),
    }
    *known = OptionValue::List(values);
}
