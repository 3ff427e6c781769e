//! This project's own rules about its source. [`super::layers`] holds those about modules.

use super::code::Finding;
use super::{code, layers};

/// Files longer than this are to be taken apart.
const MOST_LINES: usize = 500;
/// Ways of asking for the time. Commands ask `clock` once, and a recording has its own: so a replay gives the same as live.
const CLOCKS: [&str; 4] = ["SystemTime::now", "Instant::now", "Timestamp::now", "Zoned::now"];
/// Who may ask.
const CLOCK_OWNERS: [&str; 2] = ["connmon/src/clock.rs", "connmon/src/daemon"];
/// Ways of putting a string into a page as markup.
const MARKUP: [&str; 4] = ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write"];

/// Modules that show or hand out what was captured: each takes untrusted text through its own sanitiser only.
const SINKS: [&str; 7] = [
    "crates/render/src/",
    "crates/live/src/",
    "connmon/src/commands",
    "connmon/src/cli",
    "connmon/src/stderr.rs",
    "connmon/src/main.rs",
    "connmon/src/batch_writer.rs",
];
/// Ways of getting at untrusted text as it was captured.
const RAW: [&str; 3] = [".raw()", "into_raw", "Untrusted::raw"];
/// Ways of writing it exactly, and the sinks whose readers sanitise it: the data and the updates of the page, viewers of the socket,
/// and the report's JSON, which is sanitised whole.
const EXACT: [&str; 2] = ["Exactly", "untrusted::exact"];
const EXACT_SINKS: [&str; 3] =
    ["crates/render/src/report/payload/", "crates/render/src/report/json.rs", "crates/live/src/update.rs"];
/// Ways by which a script puts text into the page, or onto a canvas, past the sanitiser of `dom.js`.
const PAGE_TEXT: [&str; 5] = ["textContent = ", "innerText", "nodeValue", "createTextNode", "fillText("];

/// Whether there is a rule for files such as this.
pub fn apply_to(path: &std::path::Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| ["rs", "js", "mjs", "html", "svg", "txt"].contains(&extension))
}

/// What is wrong with a file. `path` is relative to the workspace.
pub fn check(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (rust, script) = (path.ends_with(".rs"), path.ends_with(".js") || path.ends_with(".mjs"));
    let lines = text.lines().count();
    if (rust || script) && lines > MOST_LINES {
        findings.push(Finding {
            line: lines,
            rule: format!("{lines} lines, more than {MOST_LINES}: take it apart"),
        });
    }
    if path.starts_with("templates/") {
        findings.extend(each(
            text,
            &["|safe", "| safe", "|escape(\"none\")"],
            "templates never trust a string",
        ));
    }
    if script || path.ends_with(".html") {
        findings.extend(each(text, &MARKUP, "strings never become markup: use textContent or elements"));
    }
    if script
        && path.starts_with("templates/js/")
        && !path.ends_with(".test.js")
        && !path.ends_with("/dom.js")
    {
        findings.extend(each(text, &PAGE_TEXT, "text enters the page through `dom.js`, which makes it safe"));
    }
    if rust {
        rust_findings(path, &code::without_text(text), &mut findings);
    }
    findings.sort_by_key(|finding| finding.line);
    findings
}

fn rust_findings(path: &str, code: &str, findings: &mut Vec<Finding>) {
    findings.extend(unexplained(code));
    let is_product =
        path.starts_with("connmon/src/") || path.starts_with("crates/") && path.contains("/src/");
    if !is_product || path.ends_with("/tests.rs") || path.contains("/tests/") {
        return;
    }
    let product = code::without_tests(code);
    findings.extend(layers::check(path, &product));
    if SINKS.iter().any(|sink| path.starts_with(sink)) {
        findings.extend(each(&product, &RAW, "a sink takes untrusted text through its own sanitiser"));
        if !EXACT_SINKS.iter().any(|sink| path.starts_with(sink)) {
            findings.extend(each(&product, &EXACT, "only what another sanitiser reads is written exactly"));
        }
    }
    if !CLOCK_OWNERS.iter().any(|owner| path.starts_with(owner)) {
        findings.extend(each(
            &product,
            &CLOCKS,
            "the clock belongs to `clock` and `daemon`: take the time as an argument",
        ));
    }
}

/// Each line with one of these words.
fn each(text: &str, words: &[&str], rule: &str) -> Vec<Finding> {
    let found = |line: &str| words.iter().copied().find(|word| line.contains(word));
    let lines = text.lines().enumerate();
    lines
        .filter_map(|(nth, line)| Some((nth, found(line)?)))
        .map(|(nth, word)| Finding { line: nth + 1, rule: format!("`{word}`: {rule}") })
        .collect()
}

/// Lints that are switched off without a reason.
fn unexplained(code: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for start in ["#[allow(", "#![allow(", "#[expect(", "#![expect("] {
        for (at, _) in code.match_indices(start) {
            let bracket = at + start.find('[').unwrap_or(0);
            let end = bracket + code::enclosed(&code[bracket..], '[', ']');
            if !code[bracket..end].replace(' ', "").contains("reason=") {
                let rule = format!("`{start}…)]` without a reason");
                findings.push(Finding { line: code::line_of(code, at), rule });
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines that break a rule.
    fn lines(path: &str, text: &str) -> Vec<usize> {
        check(path, text).into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn templates_never_trust_a_string() {
        assert_eq!(lines("templates/report.html", "<p>{{ a }}</p>\n{{ name|safe }}\n{{ b | safe }}"), [2, 3]);
        assert!(lines("templates/report.html", "it is safe to say").is_empty());
    }

    #[test]
    fn strings_never_become_markup() {
        assert_eq!(lines("templates/report.js", "a.textContent = b;\na.innerHTML = b;"), [2]);
        assert_eq!(lines("templates/live.html", "<script>document.write(x)</script>"), [1]);
        assert!(lines("connmon/src/a.rs", "// no innerHTML").is_empty());
    }

    #[test]
    fn the_clock_belongs_to_two_modules() {
        let code = "fn f() {\n let now = std::time::Instant::now();\n}\n";
        assert_eq!(lines("crates/track/src/lib.rs", code), [2]);
        assert_eq!(lines("crates/render/src/export.rs", "x(jiff::Timestamp::now());"), [1]);
        for path in [
            "connmon/src/clock.rs",
            "connmon/src/daemon.rs",
            "connmon/src/daemon/clock.rs",
            "crates/enrich/benches/b.rs",
            "tests/src/a.rs",
        ] {
            assert!(lines(path, code).is_empty(), "{path}");
        }
        let test = format!("fn g() {{}}\n#[cfg(test)]\nmod tests {{\n{code}}}\n");
        assert!(lines("crates/track/src/lib.rs", &test).is_empty());
        assert!(lines("crates/track/src/lib.rs", "// Instant::now\nlet s = \"Instant::now\";").is_empty());
    }

    #[test]
    fn sinks_take_untrusted_text_through_their_sanitiser() {
        let code =
            "fn f(name: &Untrusted) {\n out(name.shown());\n out(name.raw());\n out(Exactly(name));\n}\n";
        assert_eq!(lines("crates/render/src/export/csv.rs", code), [3, 4]);
        assert_eq!(lines("crates/live/src/tui/text.rs", code), [3, 4]);
        assert_eq!(lines("crates/render/src/report/json.rs", code), [3]);
        assert!(lines("crates/store/src/names.rs", code).is_empty());
        let script = "a.textContent = b;\nif (a.textContent === b) pen.fillText(b, 0, 0);";
        assert_eq!(lines("templates/js/bar.js", script), [1, 2]);
        assert!(lines("templates/js/dom.js", script).is_empty());
    }

    #[test]
    fn a_lint_is_switched_off_for_a_reason() {
        assert_eq!(lines("tests/src/a.rs", "\n#[allow(dead_code)]\nfn f() {}"), [2]);
        assert_eq!(lines("tests/src/a.rs", "#![expect(clippy::x)]"), [1]);
        assert!(
            lines("tests/src/a.rs", "#[expect(\n    clippy::x,\n    reason = \"why\"\n)]\nfn f() {}")
                .is_empty()
        );
        assert_eq!(lines("tests/src/a.rs", "#[allow(x)]\nfn f() { let reason = 1; }"), [1]);
    }

    #[test]
    fn long_files_are_to_be_taken_apart() {
        let text = "x\n".repeat(500);
        assert!(lines("xtask/src/a.rs", &text).is_empty());
        assert_eq!(lines("xtask/src/a.rs", &format!("{text}x")), [501]);
        assert!(lines("templates/a.svg", &format!("{text}x")).is_empty());
    }

    #[test]
    fn layers_are_checked_in_the_product_only() {
        assert_eq!(lines("crates/live/src/lib.rs", "use ratatui::Frame;"), [1]);
        assert!(lines("tests/src/lib.rs", "use ratatui::Frame;").is_empty());
        assert!(lines("crates/live/src/tests.rs", "use ratatui::Frame;").is_empty());
    }
}
