//! Circles within a crate: modules that use each other can only be read, tested and moved together. The compiler holds this between
//! crates; here it is held within one. A module and its own children are one thing: the children are what it is made of.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::imports::{self, Module};
use crate::workspace;

/// Fails if modules of a crate use each other in a circle.
pub fn check() -> Result<()> {
    let mut folders: Vec<String> = ["connmon", "connmon-ebpf", "xtask", "tests"].map(str::to_owned).into();
    let crates = workspace::root().join("crates");
    for entry in std::fs::read_dir(&crates).with_context(|| format!("cannot read {}", crates.display()))? {
        folders.push(format!("crates/{}", entry?.file_name().to_string_lossy()));
    }
    folders.sort();
    let mut found = 0;
    for folder in &folders {
        let mut sources = BTreeMap::new();
        read(&workspace::root().join(folder).join("src"), &mut Vec::new(), &mut sources)?;
        for circle in circles(sources) {
            found += 1;
            eprintln!("{folder}: {circle}");
        }
    }
    ensure!(found == 0, "{found} times modules of a crate use each other in a circle");
    eprintln!("no modules of a crate use each other in a circle");
    Ok(())
}

/// The source of each module below a folder.
fn read(folder: &Path, module: &mut Module, sources: &mut BTreeMap<Module, String>) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            module.push(name);
            read(&path, module, sources)?;
            module.pop();
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let is_folder = ["mod", "lib", "main"].contains(&name.as_str());
            let own = module.iter().cloned().chain((!is_folder).then_some(name)).collect();
            let text = std::fs::read_to_string(&path);
            sources.insert(own, text.with_context(|| format!("cannot read {}", path.display()))?);
        }
    }
    Ok(())
}

/// The circles of a crate, each told with what uses what.
fn circles(sources: BTreeMap<Module, String>) -> Vec<String> {
    let uses = imports::uses(sources);
    let mut found = Vec::new();
    // Each folder's children are compared with one another, with all that is below them.
    let parents: BTreeSet<&[String]> =
        uses.iter().flat_map(|edge| (0..edge.from.len()).map(|depth| &edge.from[..depth])).collect();
    for parent in parents {
        let mut graph: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
        for edge in &uses {
            let child = |module: &'_ Module| module.strip_prefix(parent).is_some_and(|rest| !rest.is_empty());
            if !child(&edge.from) || !child(&edge.to) {
                continue;
            }
            let (from, to) = (edge.from[parent.len()].as_str(), edge.to[parent.len()].as_str());
            if from != to {
                graph.entry(from).or_default().entry(to).or_insert(&edge.path);
            }
        }
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        for start in graph.keys() {
            if seen.contains(start) {
                continue;
            }
            let Some(circle) = shortest(&graph, start) else { continue };
            seen.extend(&circle);
            let step = |pair: &[&str]| format!("{} uses {}", pair[0], graph[pair[0]][pair[1]]);
            let steps: Vec<String> = circle.windows(2).map(step).collect();
            let place = if parent.is_empty() { "the crate".into() } else { parent.join("::") };
            found.push(format!("in {place}, {}", steps.join(", ")));
        }
    }
    found
}

/// The shortest way from a module back to itself.
fn shortest<'a>(
    graph: &BTreeMap<&'a str, BTreeMap<&'a str, &'a str>>,
    start: &'a str,
) -> Option<Vec<&'a str>> {
    let mut before: BTreeMap<&str, &str> = BTreeMap::new();
    let mut next = VecDeque::from([start]);
    while let Some(at) = next.pop_front() {
        for to in graph.get(at).into_iter().flat_map(BTreeMap::keys) {
            if *to == start {
                let mut way = vec![start, at];
                while let Some(earlier) =
                    way.last().filter(|last| **last != start).and_then(|last| before.get(last))
                {
                    way.push(earlier);
                }
                way.reverse();
                if way.len() == 2 && way[0] == way[1] {
                    continue;
                }
                return Some(way);
            }
            if !before.contains_key(to) {
                before.insert(to, at);
                next.push_back(to);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(sources: &[(&str, &str)]) -> Vec<String> {
        let module =
            |path: &str| path.split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect();
        circles(sources.iter().map(|(path, text)| (module(path), (*text).to_owned())).collect())
    }

    #[test]
    fn modules_that_use_each_other_are_found() {
        let two = [("a", "use crate::b::B;"), ("b", "fn f() { super::a::f() }")];
        assert_eq!(found(&two), ["in the crate, a uses crate::b::B, b uses super::a::f"]);
        let three = [
            ("a", "use super::{b, c::X};"),
            ("b", "use crate::{d::{self, Y}, d};"),
            ("c", "use crate::a::A as B;"),
            ("d", ""),
        ];
        assert_eq!(found(&three), ["in the crate, a uses super::c::X, c uses crate::a::A"]);
    }

    #[test]
    fn names_lead_to_where_they_come_from() {
        let shown = [
            ("", "mod a; mod b; pub use a::{A, f}; pub use b::*;"),
            ("a", "use crate::B;"),
            ("b", "use crate::A; pub struct B;"),
        ];
        assert_eq!(found(&shown), [] as [&str; 0], "a glob names nothing");
        let named = [("", "pub use a::A; pub use b::B;"), ("a", "use crate::B;"), ("b", "use super::A;")];
        assert_eq!(found(&named), ["in the crate, a uses crate::B, b uses super::A"]);
    }

    #[test]
    fn folders_count_as_one() {
        let deep = [("a", ""), ("a::x", "use crate::b;"), ("a::y", ""), ("b", "use crate::a::y::Z;")];
        assert_eq!(found(&deep), ["in the crate, a uses crate::b, b uses crate::a::y::Z"]);
        let own = [
            ("a", "mod x; use x::X;"),
            ("a::x", "use super::A; use self::y;"),
            ("a::x::y", "use crate::a::x::X;"),
        ];
        assert_eq!(found(&own), [] as [&str; 0]);
    }

    #[test]
    fn this_project_has_none() {
        check().unwrap();
    }

    #[test]
    fn tests_may_use_all() {
        let tests = [
            ("a", "use crate::b;"),
            ("b", "#[cfg(test)]\nmod tests;\n#[cfg(test)]\nmod more { use crate::a; }"),
            ("b::tests", "use crate::a;"),
        ];
        assert_eq!(found(&tests), [] as [&str; 0]);
        let text = [("a", "use crate::b;"), ("b", "// use crate::a;\nconst A: &str = \"crate::a::X\";")];
        assert_eq!(found(&text), [] as [&str; 0]);
    }
}
