//! A file as text again, always in the same layout: the text by which registries tell Protobuf schemas apart.
//!
//! Two spaces of indentation; parts of a message stand in groups with an empty line between them. The empty lines of a
//! nested block hold the spaces of its indentation: odd, but ids and guids out there depend on it.
//!
//! Source: docs/reference/schema-registry.md §5.5; recorded answers.

use super::model::{
    Constant, Enum, Extend, Field, FieldType, File, Group, MAX_FIELD_NUMBER, Message, NestedTypes, OneOf, OptionValue,
    ProtoOption, RangeEnd, Reserved, Rpc, RpcType, Service, StringLiteral,
};

/// What is printed, and in which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// Everything as it was written.
    Canonical,
    /// As canonical, with options in the order in which they come.
    Normalized,
    /// As canonical, without `extensions` and `extend` and without custom options, but for Confluent's own.
    WithoutExtensions,
}

pub(super) fn print(file: &File, style: Style) -> String {
    let mut printer = Printer { file, style, out: String::new(), indent: 0 };
    printer.whole();
    printer.out
}

struct Printer<'f> {
    file: &'f File,
    style: Style,
    out: String,
    /// In spaces.
    indent: usize,
}

impl Printer<'_> {
    fn whole(&mut self) {
        let file = self.file;
        if let Some(syntax) = file.syntax {
            self.line(&format!("syntax = \"{}\";", syntax.word()));
        }
        if let Some(package) = &file.package {
            self.line(&format!("package {package};"));
        }
        self.group(file.imports.len() + file.public_imports.len());
        for path in &file.imports {
            self.line(&format!("import \"{}\";", StringLiteral::new(path).escaped));
        }
        for path in &file.public_imports {
            self.line(&format!("import public \"{}\";", StringLiteral::new(path).escaped));
        }
        let options = self.kept(&file.options);
        self.group(options.len());
        self.option_statements(&options);
        self.group(file.top.messages.len() + file.top.enums.len());
        self.members(&file.top);
        if self.style != Style::WithoutExtensions {
            self.group(file.extends.len());
            file.extends.iter().for_each(|extend| self.extend(extend));
        }
        self.group(file.services.len());
        file.services.iter().for_each(|service| self.service(service));
    }

    fn members(&mut self, members: &NestedTypes) {
        let file = self.file;
        members.messages.iter().for_each(|id| self.message(&file.messages[*id]));
        members.enums.iter().for_each(|id| self.enumeration(&file.enums[*id]));
    }

    fn message(&mut self, message: &Message) {
        let mut block = self.open(&format!("message {}", message.name));
        for entries in &message.reserved {
            self.statement(&mut block, Part::Reserved, &format!("reserved {};", ranges(entries)));
        }
        for option in self.kept(&message.options) {
            let text = self.option_statement(option);
            self.statement(&mut block, Part::Options, &text);
        }
        for field in &message.fields {
            self.part(&mut block, Part::Fields);
            self.field(field);
        }
        for oneof in &message.oneofs {
            self.part(&mut block, Part::OneOfs);
            self.oneof(oneof);
        }
        for group in &message.groups {
            self.part(&mut block, Part::Groups);
            self.group_field(group);
        }
        if self.style != Style::WithoutExtensions {
            for extensions in &message.extensions {
                let options = self.inline_options(&extensions.options);
                let text = format!("extensions {}{options};", ranges(&extensions.ranges));
                self.statement(&mut block, Part::Extensions, &text);
            }
            for extend in &message.extends {
                self.part(&mut block, Part::Extends);
                self.extend(extend);
            }
        }
        if !(message.nested.messages.is_empty() && message.nested.enums.is_empty()) {
            self.part(&mut block, Part::Nested);
            self.members(&message.nested);
        }
        self.close(block);
    }

    fn oneof(&mut self, oneof: &OneOf) {
        let mut block = self.open(&format!("oneof {}", oneof.name));
        for option in self.kept(&oneof.options) {
            let text = self.option_statement(option);
            self.statement(&mut block, Part::Options, &text);
        }
        for field in &oneof.fields {
            self.part(&mut block, Part::Fields);
            self.field(field);
        }
        for group in &oneof.groups {
            self.part(&mut block, Part::Groups);
            self.group_field(group);
        }
        self.close(block);
    }

    fn group_field(&mut self, group: &Group) {
        let label = group.label.map_or(String::new(), |label| format!("{} ", label.word()));
        let mut block = self.open(&format!("{label}group {} = {}", group.name, group.number));
        for field in &group.fields {
            self.part(&mut block, Part::Fields);
            self.field(field);
        }
        self.close(block);
    }

    fn field(&mut self, field: &Field) {
        let label = field.label.map_or(String::new(), |label| format!("{} ", label.word()));
        let kind = match &field.kind {
            FieldType::Named(name) => name.clone(),
            FieldType::Map(key, value) => format!("map<{key}, {value}>"),
        };
        let options = self.inline_options(&field.options);
        self.line(&format!("{label}{kind} {} = {}{options};", field.name, field.number));
    }

    fn extend(&mut self, extend: &Extend) {
        let mut block = self.open(&format!("extend {}", extend.target));
        for field in &extend.fields {
            self.part(&mut block, Part::Fields);
            self.field(field);
        }
        for group in &extend.groups {
            self.part(&mut block, Part::Fields);
            self.group_field(group);
        }
        self.close(block);
    }

    fn enumeration(&mut self, kind: &Enum) {
        // One part: an enum has no empty lines.
        let mut block = self.open(&format!("enum {}", kind.name));
        for entries in &kind.reserved {
            self.statement(&mut block, Part::Fields, &format!("reserved {};", ranges(entries)));
        }
        for option in self.kept(&kind.options) {
            let text = self.option_statement(option);
            self.statement(&mut block, Part::Fields, &text);
        }
        for Constant { name, number, options } in &kind.constants {
            let options = self.inline_options(options);
            self.statement(&mut block, Part::Fields, &format!("{name} = {number}{options};"));
        }
        self.close(block);
    }

    fn service(&mut self, service: &Service) {
        let mut block = self.open(&format!("service {}", service.name));
        for option in self.kept(&service.options) {
            let text = self.option_statement(option);
            self.statement(&mut block, Part::Options, &text);
        }
        for call in &service.rpcs {
            self.part(&mut block, Part::Fields);
            self.call(call);
        }
        self.close(block);
    }

    fn call(&mut self, call: &Rpc) {
        let kind = |of: &RpcType| format!("{}{}", if of.stream { "stream " } else { "" }, of.kind);
        let head = format!("rpc {} ({}) returns ({})", call.name, kind(&call.request), kind(&call.response));
        let options = self.kept(&call.options);
        if options.is_empty() {
            return self.line(&format!("{head};"));
        }
        self.line(&format!("{head} {{"));
        self.indent += 2;
        self.option_statements(&options);
        self.indent -= 2;
        self.line("};");
    }

    // === options ===

    /// Those that are printed, in the order in which they are.
    fn kept<'o>(&self, options: &'o [ProtoOption]) -> Vec<&'o ProtoOption> {
        let mut kept = options.iter().collect::<Vec<_>>();
        match self.style {
            Style::Canonical | Style::Normalized => {}
            Style::WithoutExtensions => {
                kept.retain(|option| !option.is_custom() || option.name.starts_with("(confluent."))
            }
        }
        kept
    }

    fn option_statements(&mut self, options: &[&ProtoOption]) {
        for option in options {
            let text = self.option_statement(option);
            self.line(&text);
        }
    }

    /// To stand on lines of its own, inside of what is open.
    fn option_statement(&self, option: &ProtoOption) -> String {
        let mut text = format!("option {} = ", option.name);
        option_value(&option.value, 0, &mut text);
        text.push(';');
        text
    }

    /// ` [a = 1]`, or several on a line each; nothing when there are none.
    fn inline_options(&self, options: &[ProtoOption]) -> String {
        let mut kept = self.kept(options);
        if self.style != Style::Normalized {
            kept.sort_by_key(|option| match option.name.as_str() {
                "default" => 1,
                "json_name" => 2,
                _ => 0,
            });
        }
        let mut text = String::new();
        match kept.as_slice() {
            [] => return text,
            [option] => {
                text.push_str(&format!(" [{} = ", option.name));
                option_value(&option.value, 0, &mut text);
            }
            options => {
                text.push_str(" [\n");
                for (position, option) in options.iter().enumerate() {
                    text.push_str(&format!("  {} = ", option.name));
                    option_value(&option.value, 2, &mut text);
                    text.push_str(if position + 1 < options.len() { ",\n" } else { "\n" });
                }
            }
        }
        text.push(']');
        text
    }

    // === lines ===

    /// Writes each line of `text` at the present indentation.
    fn line(&mut self, text: &str) {
        for line in text.split('\n') {
            self.out.extend(std::iter::repeat_n(' ', self.indent));
            self.out.push_str(line);
            self.out.push('\n');
        }
    }

    /// An empty line before a part of the file that is not empty.
    fn group(&mut self, count: usize) {
        if count > 0 {
            self.out.push('\n');
        }
    }

    fn open(&mut self, head: &str) -> Block {
        self.out.extend(std::iter::repeat_n(' ', self.indent));
        self.out.push_str(head);
        self.out.push_str(" {");
        self.indent += 2;
        Block { last: None }
    }

    fn part(&mut self, block: &mut Block, part: Part) {
        match block.last {
            None => self.out.push('\n'),
            Some(last) if last != part => {
                self.out.extend(std::iter::repeat_n(' ', self.indent - 2));
                self.out.push('\n');
            }
            Some(_) => {}
        }
        block.last = Some(part);
    }

    fn statement(&mut self, block: &mut Block, part: Part, text: &str) {
        self.part(block, part);
        self.line(text);
    }

    fn close(&mut self, block: Block) {
        self.indent -= 2;
        if block.last.is_some() {
            self.out.extend(std::iter::repeat_n(' ', self.indent));
        }
        self.out.push_str("}\n");
    }
}

/// Something between braces that is being printed.
struct Block {
    /// The part printed last. None yet: the brace may close on the same line.
    last: Option<Part>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Reserved,
    Options,
    Fields,
    OneOfs,
    Groups,
    Extensions,
    Extends,
    Nested,
}

/// The value of an option, its inner lines indented by `indent` and more. A list of one stands on its line.
fn option_value(of: &OptionValue, indent: usize, out: &mut String) {
    match of {
        OptionValue::List(items) if items.len() == 1 => {
            out.push('[');
            value(&items[0], indent, out);
            out.push(']');
        }
        other => value(other, indent, out),
    }
}

fn value(of: &OptionValue, indent: usize, out: &mut String) {
    match of {
        OptionValue::Word(word) => out.push_str(word),
        OptionValue::Text(text) => {
            out.push('"');
            out.push_str(&text.escaped);
            out.push('"');
        }
        OptionValue::Map(entries) => {
            out.push_str("{\n");
            for (position, (key, inner)) in entries.iter().enumerate() {
                out.extend(std::iter::repeat_n(' ', indent + 2));
                out.push_str(key);
                out.push_str(": ");
                value(inner, indent + 2, out);
                out.push_str(if position + 1 < entries.len() { ",\n" } else { "\n" });
            }
            out.extend(std::iter::repeat_n(' ', indent));
            out.push('}');
        }
        OptionValue::List(items) => {
            out.push_str("[\n");
            for (position, inner) in items.iter().enumerate() {
                out.extend(std::iter::repeat_n(' ', indent + 2));
                value(inner, indent + 2, out);
                out.push_str(if position + 1 < items.len() { ",\n" } else { "\n" });
            }
            out.extend(std::iter::repeat_n(' ', indent));
            out.push(']');
        }
    }
}

fn ranges(entries: &[Reserved]) -> String {
    let entry = |entry: &Reserved| match entry {
        Reserved::Name(name) => format!("\"{}\"", StringLiteral::new(name).escaped),
        Reserved::Numbers(first, None) => first.to_string(),
        Reserved::Numbers(first, Some(RangeEnd::Number(last))) if *last < MAX_FIELD_NUMBER => {
            format!("{first} to {last}")
        }
        Reserved::Numbers(first, Some(_)) => format!("{first} to max"),
    };
    entries.iter().map(entry).collect::<Vec<_>>().join(", ")
}
