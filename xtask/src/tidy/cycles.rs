//! No import cycles between the files of a crate: of two files at most one needs the other.
//!
//! A module may use what its ancestors define (`super::…`), as a part may use what the whole keeps for its parts: that is no dependency here.
//! Names are resolved as far as that takes: `use` declarations, re-exports on the way, child modules, `crate`, `self` and `super`. A file
//! depends on the file that defines what it names. That a module declares a child, or only re-exports its items, is no
//! dependency. Code for tests is left out, and so is what only the type checker knows, such as calls of methods.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    iter::Peekable,
};

use proc_macro2::{Delimiter, TokenStream, TokenTree, token_stream::IntoIter};

use crate::{Outcome, workspace};

/// Checks every crate, this one included.
pub(super) fn check(found: &mut Vec<String>) -> Outcome {
    let crates = workspace::crates()?.into_iter().map(|name| format!("crates/{name}"));
    for folder in crates.chain(["xtask".to_owned(), "fuzz".to_owned()]) {
        for root in ["lib.rs", "main.rs"] {
            let root = format!("{folder}/src/{root}");
            if !workspace::root().join(&root).exists() {
                continue;
            }
            let mut modules = Modules::default();
            modules.read(Vec::new(), &root, &|path| fs::read_to_string(workspace::root().join(path)).ok())?;
            found.extend(cycles(&modules.dependencies()));
        }
    }
    Ok(())
}

type Path = Vec<String>;

/// Names by the file that defines them, by the file that uses them.
type Dependencies = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// The modules of a crate by their paths; that of the root is empty.
#[derive(Default)]
struct Modules(BTreeMap<Path, Module>);

#[derive(Default)]
struct Module {
    file: String,
    children: BTreeSet<String>,
    /// Names of items defined here.
    items: BTreeSet<String>,
    /// What `use` brings in, by the name it has here.
    imports: BTreeMap<String, Import>,
    /// Modules of which every name is brought in.
    globs: Vec<Path>,
    /// Paths in code with two segments or more.
    paths: Vec<Path>,
    /// Every identifier in code.
    identifiers: BTreeSet<String>,
}

struct Import {
    path: Path,
    is_reexport: bool,
}

/// What a path names.
#[derive(Debug, PartialEq)]
enum Target {
    Module,
    /// Something that this file defines.
    Item(String),
}

impl Modules {
    /// Reads the file of the module `path` and those of the modules that it declares.
    fn read(&mut self, path: Path, file: &str, text: &dyn Fn(&str) -> Option<String>) -> Outcome {
        let code = text(file).ok_or_else(|| format!("{file} cannot be read"))?;
        let tokens: TokenStream = code.parse().map_err(|error| format!("{file}: {error}"))?;
        let mut declared = Vec::new();
        self.scan(&path, file, tokens, &mut declared);
        let folder = match file.rsplit_once('/') {
            Some((folder, "lib.rs" | "main.rs" | "mod.rs")) => folder.to_owned(),
            _ => file.trim_end_matches(".rs").to_owned(),
        };
        for child in declared {
            // A module in braces stands in this file, and its children in a folder of its name.
            let inside = child[path.len()..].join("/");
            let files = [format!("{folder}/{inside}.rs"), format!("{folder}/{inside}/mod.rs")];
            let file = files.iter().find(|file| text(file).is_some());
            self.read(child, file.ok_or_else(|| format!("{}: there is no such file", files[0]))?, text)?;
        }
        Ok(())
    }

    /// Reads what stands in the module `path`; modules that are declared with files of their own are put into `declared`.
    fn scan(&mut self, path: &Path, file: &str, tokens: TokenStream, declared: &mut Vec<Path>) {
        self.0.entry(path.clone()).or_default().file = file.to_owned();
        let mut tokens = tokens.into_iter().peekable();
        let mut is_public = false;
        while let Some(token) = tokens.next() {
            let module = self.0.entry(path.clone()).or_default();
            let was_public = std::mem::take(&mut is_public);
            match token {
                TokenTree::Punct(punct) if punct.as_char() == '#' => {
                    if let Some(TokenTree::Group(attribute)) = tokens.peek() {
                        let attribute = attribute.stream().to_string().replace(' ', "");
                        if attribute == "cfg(test)" {
                            tokens.next();
                            skip_item(&mut tokens);
                        }
                    }
                }
                TokenTree::Group(group) => {
                    // `pub(crate)`: what follows is as public as after `pub`.
                    is_public = was_public && group.delimiter() == Delimiter::Parenthesis;
                    self.scan(path, file, group.stream(), declared);
                }
                TokenTree::Ident(identifier) => match identifier.to_string().as_str() {
                    "pub" => is_public = true,
                    "use" => read_use(&mut tokens, &mut Vec::new(), module, was_public),
                    "mod" => {
                        let Some(TokenTree::Ident(name)) = tokens.next() else { continue };
                        module.children.insert(name.to_string());
                        let child: Path = path.iter().cloned().chain([name.to_string()]).collect();
                        match tokens.next() {
                            Some(TokenTree::Group(group)) => self.scan(&child, file, group.stream(), declared),
                            _ => declared.push(child),
                        }
                    }
                    first => {
                        if ["struct", "enum", "union", "trait", "type", "fn", "const", "static"].contains(&first)
                            && let Some(TokenTree::Ident(name)) = tokens.peek()
                        {
                            module.items.insert(name.to_string());
                        }
                        let segments = read_path(first.to_owned(), &mut tokens);
                        module.identifiers.extend(segments.iter().cloned());
                        if segments.len() > 1 {
                            module.paths.push(segments);
                        }
                    }
                },
                _ => {}
            }
        }
    }

    /// For each file the files that it depends on, and for which names.
    fn dependencies(&self) -> Dependencies {
        let mut dependencies = Dependencies::new();
        for (at, module) in &self.0 {
            let is_ancestor =
                |file: &String| (0..=at.len()).any(|n| self.0.get(&at[..n]).is_some_and(|m| m.file == *file));
            let imported = module
                .imports
                .iter()
                .filter(|(name, import)| !import.is_reexport || module.identifiers.contains(name.as_str()));
            for path in imported.map(|(_, import)| &import.path).chain(&module.paths) {
                if let Some(Target::Item(file)) = self.resolve(at, path, 0)
                    && !is_ancestor(&file)
                {
                    let name = path.last().cloned().unwrap_or_default();
                    dependencies.entry(module.file.clone()).or_default().entry(file).or_default().insert(name);
                }
            }
            for glob in &module.globs {
                for name in module.identifiers.iter().filter(|name| !module.items.contains(*name)) {
                    let path: Path = glob.iter().chain([name]).cloned().collect();
                    if let Some(target @ Target::Item(_)) = self.resolve(at, &path, 0)
                        && self.defines(&target, name)
                        && let Target::Item(file) = target
                        && !is_ancestor(&file)
                    {
                        dependencies
                            .entry(module.file.clone())
                            .or_default()
                            .entry(file)
                            .or_default()
                            .insert(name.clone());
                    }
                }
            }
        }
        dependencies
    }

    /// What `path` names in the module `at`. `None`: something of another crate.
    fn resolve(&self, at: &Path, path: &[String], depth: usize) -> Option<Target> {
        // Re-exports of each other, which do not compile, would be followed for ever.
        let depth = depth.checked_add(1).filter(|&depth| depth < 32)?;
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => self.walk(&Vec::new(), rest, depth),
            "self" => self.walk(at, rest, depth),
            "super" => {
                let parent = at[..at.len().checked_sub(1)?].to_vec();
                match rest.first().map(String::as_str) {
                    Some("super") => self.resolve(&parent, rest, depth),
                    _ => self.walk(&parent, rest, depth),
                }
            }
            name => {
                let module = self.0.get(at)?;
                let is_known = module.imports.contains_key(name) || module.children.contains(name);
                if is_known { self.walk(at, path, depth) } else { None }
            }
        }
    }

    fn walk(&self, at: &Path, path: &[String], depth: usize) -> Option<Target> {
        let module = self.0.get(at)?;
        let Some((name, rest)) = path.split_first() else { return Some(Target::Module) };
        let import = module.imports.get(name);
        let child = module.children.get(name).map(|name| at.iter().cloned().chain([name.clone()]).collect::<Path>());
        match (import, child) {
            // `mod rest; pub use rest::rest;`: with something behind it the module is meant.
            (Some(import), child) if child.is_none() || rest.is_empty() => {
                let path: Path = import.path.iter().chain(rest).cloned().collect();
                self.resolve(at, &path, depth)
            }
            (_, Some(child)) => self.walk(&child, rest, depth),
            _ if !module.items.contains(name) => {
                let through_glob = module.globs.iter().find_map(|glob| {
                    let path: Path = glob.iter().chain(path).cloned().collect();
                    let target = self.resolve(at, &path, depth)?;
                    self.defines(&target, name).then_some(target)
                });
                Some(through_glob.unwrap_or_else(|| Target::Item(module.file.clone())))
            }
            _ => Some(Target::Item(module.file.clone())),
        }
    }

    fn defines(&self, target: &Target, name: &str) -> bool {
        match target {
            Target::Module => true,
            Target::Item(file) => self.0.values().any(|module| module.file == *file && module.items.contains(name)),
        }
    }
}

/// `::b::c` after `a`.
fn read_path(first: String, tokens: &mut Peekable<IntoIter>) -> Path {
    let mut segments = vec![first];
    loop {
        let mut ahead = tokens.clone();
        let is_colon =
            |token: Option<TokenTree>| matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
        if !(is_colon(ahead.next()) && is_colon(ahead.next())) {
            return segments;
        }
        let Some(TokenTree::Ident(next)) = ahead.next() else { return segments };
        segments.push(next.to_string());
        *tokens = ahead;
    }
}

/// One tree of a `use` declaration, up to its `;` or the end of its braces.
fn read_use(tokens: &mut Peekable<IntoIter>, before: &mut Path, module: &mut Module, is_reexport: bool) {
    let mut path = before.clone();
    let mut name = None;
    let mut add = |path: &Path, name: Option<String>| {
        let own = path.last().filter(|last| *last != "self").or_else(|| path.iter().rev().nth(1)).cloned();
        let mut path = path.clone();
        path.pop_if(|last| last == "self");
        if let Some(name) = name.or(own)
            && !path.is_empty()
            && name != "_"
        {
            module.imports.insert(name, Import { path, is_reexport });
        }
    };
    let mut nested = Vec::new();
    let mut globs = Vec::new();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(identifier) if identifier == "as" => name = tokens.next().map(|name| name.to_string()),
            TokenTree::Ident(identifier) => path.push(identifier.to_string()),
            TokenTree::Group(group) => {
                nested.push((std::mem::replace(&mut path, before.clone()), group.stream()));
            }
            TokenTree::Punct(punct) => match punct.as_char() {
                '*' => globs.push(std::mem::replace(&mut path, before.clone())),
                ',' | ';' => {
                    if path.len() > before.len() {
                        add(&path, name.take());
                    }
                    path.clone_from(before);
                    if punct.as_char() == ';' {
                        break;
                    }
                }
                _ => {}
            },
            TokenTree::Literal(_) => {}
        }
    }
    if path.len() > before.len() {
        add(&path, name);
    }
    module.globs.extend(globs);
    for (mut path, stream) in nested {
        read_use(&mut stream.into_iter().peekable(), &mut path, module, is_reexport);
    }
}

/// Passes over what an attribute belongs to: an item, or a field or variant with its comma.
fn skip_item(tokens: &mut Peekable<IntoIter>) {
    const ITEMS: [&str; 14] = [
        "pub",
        "use",
        "mod",
        "fn",
        "impl",
        "struct",
        "enum",
        "trait",
        "const",
        "static",
        "type",
        "async",
        "unsafe",
        "macro_rules",
    ];
    let mut is_item = false;
    let mut is_use = false;
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '#' => drop(tokens.next()),
            TokenTree::Punct(punct) if punct.as_char() == ';' => return,
            TokenTree::Punct(punct) if punct.as_char() == ',' && !is_item => return,
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace && !is_use => return,
            TokenTree::Ident(word) => {
                is_use |= word == "use";
                is_item |= ITEMS.iter().any(|item| word == item);
            }
            _ => {}
        }
    }
}

/// The sets of files that depend on each other, each as a sentence.
fn cycles(dependencies: &Dependencies) -> Vec<String> {
    let reachable = |from: &str| {
        let mut seen = BTreeSet::new();
        let mut next = vec![from.to_owned()];
        while let Some(file) = next.pop() {
            for other in dependencies.get(&file).into_iter().flat_map(BTreeMap::keys) {
                if seen.insert(other.clone()) {
                    next.push(other.clone());
                }
            }
        }
        seen
    };
    let reached: BTreeMap<&String, BTreeSet<String>> =
        dependencies.keys().map(|file| (file, reachable(file))).collect();
    let is_cyclic =
        |a: &String, b: &String| reached[a].contains(b) && reached.get(b).is_some_and(|from| from.contains(a));
    let mut reported = BTreeSet::new();
    let mut found = Vec::new();
    for file in dependencies.keys() {
        let members: Vec<&String> = dependencies.keys().filter(|other| is_cyclic(file, other)).collect();
        if members.is_empty() || reported.contains(file) {
            continue;
        }
        reported.extend(members.iter().copied());
        let edges = members.iter().flat_map(|from| {
            let to = dependencies[*from].iter().filter(|(to, _)| members.contains(to));
            to.map(move |(to, names)| {
                let names: Vec<&str> = names.iter().map(String::as_str).take(4).collect();
                format!("    {from} needs {to}: {}", names.join(", "))
            })
        });
        let files: Vec<&str> = members.iter().map(|file| file.as_str()).collect();
        let edges: Vec<String> = edges.collect();
        found.push(format!("an import cycle of {}: {}\n{}", files.len(), files.join(", "), edges.join("\n")));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let mut modules = Modules::default();
        let text = |path: &str| files.iter().find(|(file, _)| *file == path).map(|(_, text)| (*text).to_owned());
        modules.read(Vec::new(), "lib.rs", &|path| text(path.trim_start_matches('/'))).expect("it can be read");
        cycles(&modules.dependencies())
    }

    #[test]
    fn two_files_that_name_each_other_are_a_cycle() {
        let lib = ("lib.rs", "mod a; mod b;");
        let b = ("lib/b.rs", "pub struct B(Vec<crate::a::A>); fn f() { format!(\"{}\", super::a::f()) }");
        assert_eq!(found(&[lib, ("lib/a.rs", "pub struct A; pub fn f() {}"), b]), Vec::<String>::new());
        let cycle = found(&[lib, ("lib/a.rs", "use crate::b::B; pub struct A; pub fn f() -> Option<B> {}"), b]);
        assert_eq!(cycle.len(), 1);
        assert!(cycle[0].starts_with("an import cycle of 2: lib/a.rs, lib/b.rs\n"), "{cycle:?}");
        assert!(cycle[0].contains("lib/b.rs needs lib/a.rs: A, f"), "{cycle:?}");
    }

    #[test]
    fn re_exports_are_followed_and_are_no_dependency_by_themselves() {
        let files = [
            ("lib.rs", "mod a; mod b; pub use {a::{A, self as other}, b::*};"),
            ("lib/a.rs", "use crate::{B, other::A as Own}; pub struct A;"),
            ("lib/b.rs", "pub struct B;"),
        ];
        assert_eq!(found(&files), Vec::<String>::new());
    }

    #[test]
    fn a_module_may_use_what_its_ancestors_define() {
        let files = [
            ("lib.rs", "mod a; use a::A; pub struct B(A);"),
            ("lib/a.rs", "mod c; pub struct A(c::C);"),
            ("lib/a/c.rs", "pub struct C(Vec<super::A>, Vec<crate::B>);"),
        ];
        assert_eq!(found(&files), Vec::<String>::new());
    }

    #[test]
    fn tests_are_left_out() {
        let files = [
            ("lib.rs", "mod a; mod b;"),
            (
                "lib/a.rs",
                "pub struct A; #[cfg(test)] mod tests { use crate::b::B; } #[cfg(test)] use crate::b::B as C;",
            ),
            ("lib/b.rs", "pub struct B(crate::a::A);"),
        ];
        assert_eq!(found(&files), Vec::<String>::new());
    }
}
