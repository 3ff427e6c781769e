//! Which module of a crate uses which, by the paths in its source.

use std::collections::{BTreeMap, BTreeSet};

use super::code;

/// A module as the names from the root of its crate to it.
pub type Module = Vec<String>;

/// One use of a module by another.
#[derive(Debug)]
pub struct Use {
    /// Who uses.
    pub from: Module,
    /// Who is used: the module that has what the path leads to, also where the path names another that hands it on.
    pub to: Module,
    /// The path as it is written.
    pub path: String,
}

/// How often names that are handed on are followed.
const MOST_STEPS: usize = 8;

/// A crate's modules, and what each name that is imported into them stands for.
struct Names {
    modules: BTreeMap<Module, String>,
    imported: BTreeMap<Module, BTreeMap<String, Module>>,
}

/// All uses between the modules of a crate, of which neither is within the other.
pub fn uses(sources: BTreeMap<Module, String>) -> Vec<Use> {
    let mut tests: BTreeSet<Module> = BTreeSet::new();
    let mut modules = BTreeMap::new();
    for (module, text) in sources {
        let (code, children) = product(&text);
        tests.extend(children.into_iter().map(|child| [&module[..], std::slice::from_ref(&child)].concat()));
        modules.insert(module, code);
    }
    modules.retain(|module, _| !tests.iter().any(|test| module.starts_with(test)));
    let imports: BTreeMap<Module, Vec<(Module, String)>> =
        modules.iter().map(|(module, code)| (module.clone(), imports(code))).collect();
    let by_name =
        |all: &Vec<(Module, String)>| all.iter().map(|(path, name)| (name.clone(), path.clone())).collect();
    let imported = imports.iter().map(|(module, all)| (module.clone(), by_name(all))).collect();
    let names = Names { modules, imported };
    let mut uses = Vec::new();
    for (from, code) in &names.modules {
        let inline = paths(code);
        let written = imports[from].iter().map(|(path, _)| path).chain(&inline);
        for path in written {
            let Some(whole) = names.absolute(from, path) else { continue };
            let to = names.owner(&whole, MOST_STEPS);
            if !to.starts_with(from) && !from.starts_with(&to) {
                uses.push(Use { from: from.clone(), to, path: path.join("::") });
            }
        }
    }
    uses
}

impl Names {
    /// A path from the root of the crate; `None` if it leads out of it.
    fn absolute(&self, from: &Module, path: &Module) -> Option<Module> {
        let first = path.first()?;
        let mut module = from.clone();
        let rest = match first.as_str() {
            "crate" => {
                module.clear();
                &path[1..]
            }
            "self" => &path[1..],
            "super" => {
                let ups = path.iter().take_while(|name| *name == "super").count();
                module.truncate(from.len().checked_sub(ups)?);
                &path[ups..]
            }
            _ if self.modules.contains_key(&[&from[..], std::slice::from_ref(first)].concat()) => &path[..],
            _ => {
                let known = self.imported[from].get(first).filter(|known| known[..] != path[..1])?;
                module = self.absolute(from, known)?;
                &path[1..]
            }
        };
        module.extend_from_slice(rest);
        Some(module)
    }

    /// The module that has what a path leads to.
    fn owner(&self, path: &Module, steps: usize) -> Module {
        let depth =
            (0..=path.len()).rev().find(|depth| self.modules.contains_key(&path[..*depth])).unwrap_or(0);
        let (module, rest) = path.split_at(depth);
        let module = module.to_vec();
        let Some(name) = rest.first().filter(|_| steps > 0) else { return module };
        let handed_on = self.imported.get(&module).and_then(|names| names.get(name));
        match handed_on.and_then(|known| self.absolute(&module, known)) {
            Some(known) if known != path[..=depth] => {
                self.owner(&[&known[..], &rest[1..]].concat(), steps - 1)
            }
            _ => module,
        }
    }
}

/// What a module imports: each path, and the name that it has from then on.
fn imports(code: &str) -> Vec<(Module, String)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("use ") {
        let is_word = code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        if let (false, Some(end)) = (is_word, code[at..].find(';')) {
            tree(&[], &code[at + 4..at + end], &mut found);
        }
    }
    found
}

/// The paths of a tree of imports: `a::{b, c as d}`.
fn tree(before: &[String], text: &str, found: &mut Vec<(Module, String)>) {
    let text = text.trim();
    if let Some(inner) = text.strip_prefix('{') {
        let (mut depth, mut start) = (0, 0);
        for (at, c) in inner.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth > 0 => depth -= 1,
                ',' | '}' if depth == 0 => {
                    tree(before, &inner[start..at], found);
                    start = at + 1;
                }
                _ => {}
            }
        }
        return;
    }
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if name.is_empty() {
        return;
    }
    if let Some(rest) = rest.trim_start().strip_prefix("::") {
        return tree(&[before, &[name.to_owned()][..]].concat(), rest, found);
    }
    let path = if name == "self" { before.to_vec() } else { [before, &[name.to_owned()][..]].concat() };
    let other = rest.trim().strip_prefix("as ").map(|name| name.trim().to_owned());
    if let Some(name) = other.or_else(|| path.last().cloned()) {
        found.push((path, name));
    }
}

/// Paths of at least two names, anywhere in the code; imports among them as far as they go.
fn paths(code: &str) -> Vec<Module> {
    let mut found = Vec::new();
    let words = code.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
    for word in words {
        let path: Module = word.trim_end_matches(':').split("::").map(str::to_owned).collect();
        if path.len() > 1 && path.iter().all(|name| !name.is_empty() && !name.contains(':')) {
            found.push(path);
        }
    }
    found
}

/// The code of a module without text and tests, and its children that are tests.
fn product(text: &str) -> (String, Vec<String>) {
    let code = code::without_text(text);
    let tests = code.split("#[cfg(test)]").skip(1).filter_map(|item| {
        let item = item.trim_start().trim_start_matches("pub(crate)").trim_start();
        let name = item.strip_prefix("mod ")?.split([';', ' ', '{']).next()?;
        Some(name.to_owned())
    });
    let tests = tests.collect();
    (code::without_tests(&code), tests)
}
