use super::*;

const HOST: &str = "coverage case=tcp-a-v4 backend=tracepoint kernel=6.18 result=exact
coverage case=tcp-a-v6 backend=tracepoint kernel=6.18 result=exact
coverage case=udp-b-v4 backend=tracepoint kernel=6.18 result=labelled:who sent is unknown
coverage case=udp-b-v6 backend=tracepoint kernel=6.18 result=exact
coverage case=v4-mapped backend=tracepoint kernel=6.18 result=skipped:no such thing
";

/// As a guest prints it, among other things.
const GUEST: &str = "running 2 tests\r
test case::tcp-a-v4 ... ok\r
coverage case=tcp-a-v4 backend=fentry kernel=5.10 result=exact\r
coverage case=tcp-a-v6 backend=fentry kernel=5.10 result=exact\r
coverage case=v4-mapped backend=fentry kernel=5.10 result=labelled:who sent is unknown\r
";

fn lines(text: &str) -> Vec<Line> {
    text.lines().filter_map(Line::parse).collect()
}

fn page(texts: &[&str]) -> Page {
    let mut page = Page::default();
    page.replace_columns(&lines(&texts.concat()));
    page
}

#[test]
fn families_share_a_row_where_they_are_equal() {
    let text = page(&[HOST, GUEST]).to_string();
    let table: Vec<_> = text.lines().filter(|line| line.starts_with(['|', '['])).collect();
    assert_eq!(
        table,
        [
            "| case | IP | 5.10 fentry | 6.18 tracepoint |",
            "|---|---|:-:|:-:|",
            "| tcp-a | 4, 6 | ✔ | ✔ |",
            "| udp-b | 4 | | ≈[^1] |",
            "| udp-b | 6 | | ✔ |",
            "| v4-mapped |  | ≈[^1] | –[^2] |",
            "[^1]: who sent is unknown",
            "[^2]: no such thing",
        ]
    );
}

#[test]
fn the_page_is_read_as_it_was_written() {
    let written = page(&[HOST, GUEST]).to_string();
    let read = Page::parse(&written).unwrap();
    assert_eq!(read.to_string(), written);
    assert!(read.differences(&lines(HOST)).is_empty() && read.differences(&lines(GUEST)).is_empty());
    assert!(Page::parse("no table").is_err());
    assert!(Page::parse(&written.replace("[^2]:", "[^3]:")).is_err(), "a footnote is missing");
}

#[test]
fn only_columns_of_the_page_are_compared() {
    let page = page(&[HOST]);
    assert!(page.differences(&lines(GUEST)).is_empty());
    assert!(
        page.differences(&lines(&HOST.replace("6.18", "6.19").replace("exact", "labelled:x"))).is_empty()
    );
}

#[test]
fn a_cell_that_changed_or_went_is_a_difference() {
    let page = page(&[HOST, GUEST]);
    let changed = page.differences(&lines(&HOST.replace("skipped:no such thing", "exact")));
    assert_eq!(changed, ["v4-mapped on 6.18 tracepoint: skipped:no such thing, run: exact"]);
    let gone: String = HOST.lines().skip(1).map(|line| format!("{line}\n")).collect();
    assert_eq!(page.differences(&lines(&gone)), ["tcp-a-v4 on 6.18 tracepoint: exact, run: nothing"]);
    let new = format!("{HOST}{}", HOST.lines().next().unwrap_or_default().replace("tcp-a", "tcp-new"));
    assert_eq!(page.differences(&lines(&new)), ["tcp-new-v4 on 6.18 tracepoint: nothing, run: exact"]);
}

#[test]
fn blessing_replaces_whole_columns_and_keeps_the_others() {
    let mut page = page(&[HOST, GUEST]);
    page.replace_columns(&lines("coverage case=tcp-a-v4 backend=tracepoint kernel=6.18 result=exact"));
    assert!(page.cell("udp-b-v6", &lines(HOST)[0].column).is_none());
    assert!(page.differences(&lines(GUEST)).is_empty());
}
