//! The page's script: the modules in `templates/js`, one after the other in one element.
//!
//! A page that may load nothing cannot have modules that import each other, so the lines that import are left out, and
//! `export` too. Each name stands for one thing in all modules; the tests see to it.

use std::sync::LazyLock;

macro_rules! module {
    ($name:literal) => {
        ($name, include_str!(concat!("../../../../../templates/js/", $name)))
    };
}

/// The modules, each after those that it imports.
const MODULES: &[(&str, &str)] = &[
    module!("query/fault.js"),
    module!("query/linear.js"),
    module!("query/pattern.js"),
    module!("query/networks.js"),
    module!("query/time.js"),
    module!("query/names.js"),
    module!("query/entries.js"),
    module!("model.js"),
    module!("columns.js"),
    module!("query/fields.js"),
    module!("query/syntax.js"),
    module!("query/findings.js"),
    module!("query/meaning.js"),
    module!("steps.js"),
    module!("payload.js"),
    module!("dom.js"),
    module!("format.js"),
    module!("geo.js"),
    module!("groups.js"),
    module!("state.js"),
    module!("facts.js"),
    module!("asked.js"),
    module!("cells.js"),
    module!("csv.js"),
    module!("app.js"),
    module!("bar.js"),
    module!("breakdown.js"),
    module!("map.js"),
    module!("trays.js"),
    module!("programs.js"),
    module!("nested.js"),
    module!("timeline.js"),
    module!("space.js"),
    module!("table.js"),
    module!("drawer.js"),
    module!("main.js"),
];

/// Modules of a page that a server feeds, after the others.
const LIVE_MODULES: &[(&str, &str)] = &[
    module!("live/merge.js"),
    module!("live/events.js"),
    module!("live/feed.js"),
    module!("live/pulse.js"),
    module!("live/figures.js"),
    module!("live/top.js"),
    module!("live/live.js"),
];

/// Runs before the page is laid out.
pub(super) const EARLY: &str = include_str!("../../../../../templates/js/early.js");

/// The whole script.
pub(super) static SCRIPT: LazyLock<String> = LazyLock::new(|| joined(MODULES.iter()));

/// The whole script of a page that a server feeds.
pub(super) static LIVE_SCRIPT: LazyLock<String> =
    LazyLock::new(|| joined(MODULES.iter().chain(LIVE_MODULES)));

fn joined<'a>(modules: impl Iterator<Item = &'a (&'static str, &'static str)>) -> String {
    let mut script = String::new();
    for (name, text) in modules {
        script.push_str(&format!("// {name}\n"));
        for line in text.lines().filter(|line| !is_import(line) && *line != "export {};") {
            script.push_str(line.strip_prefix("export ").unwrap_or(line));
            script.push('\n');
        }
    }
    script
}

/// Whether a line is left out: an import, which has a line of its own, or the mark for the type checker.
fn is_import(line: &str) -> bool {
    line.starts_with("import ") || line == "// @ts-check"
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// The names that a module declares at its top level.
    fn names(text: &str) -> impl Iterator<Item = &str> {
        let words = ["async function ", "function ", "const ", "let ", "class "];
        text.lines().filter_map(move |line| {
            let line = line.strip_prefix("export ").unwrap_or(line);
            let rest = words.iter().find_map(|word| line.strip_prefix(word))?;
            rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().filter(|name| !name.is_empty())
        })
    }

    #[test]
    fn each_name_stands_for_one_thing() {
        let mut seen: HashMap<&str, &str> = HashMap::new();
        for (module, text) in MODULES.iter().chain(LIVE_MODULES) {
            for name in names(text) {
                let before = seen.insert(name, module);
                assert!(before.is_none(), "{name} is in {module} and in {}", before.unwrap_or_default());
            }
        }
    }

    #[test]
    fn each_module_comes_after_what_it_imports() {
        let modules = [MODULES, LIVE_MODULES].concat();
        for (place, (module, text)) in modules.iter().enumerate() {
            for line in text.lines().filter(|line| line.starts_with("import ")) {
                let file = line.rsplit('/').next().unwrap().trim_end_matches("\";");
                let found = modules[..place].iter().any(|(name, _)| name.rsplit('/').next() == Some(file));
                assert!(found, "{module} imports {file}, which does not come before it");
                assert!(line.ends_with(';'), "{module}: an import is one line");
            }
        }
    }

    #[test]
    fn the_script_cannot_end_its_element() {
        let lower = LIVE_SCRIPT.to_lowercase() + EARLY;
        assert!(!lower.contains("</script") && !lower.contains("<!--"));
        assert!(!lower.contains("\nimport ") && !lower.contains("\nexport "));
        assert!(LIVE_SCRIPT.starts_with(SCRIPT.as_str()) && LIVE_SCRIPT.contains("EventSource"));
        assert!(!SCRIPT.contains("EventSource"), "a file has nobody to listen to");
    }
}
