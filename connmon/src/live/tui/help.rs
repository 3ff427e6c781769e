//! The keys and the symbols, on one page.

/// What there is to know, a line each: a head, or a key and what it does.
pub(super) const HELP: &[(&str, &str)] = &[
    ("", "WHAT IS SHOWN"),
    ("", "Every connection of this host that the recorder saw, and its process."),
    ("", "Sent, Received: bytes of the program. Now: the mean of the last 5 seconds."),
    ("▲ ■ × !", "just opened, open, closed, failed; ○ open and silent"),
    ("→ ← ↔", "this host called, was called, not known"),
    ("", ""),
    ("", "WHERE"),
    ("1 2 3 4 5", "connections, processes, destinations, map, timeline"),
    ("Tab   l   m", "the next view; sockets that listen; the map"),
    ("↓ ↑  j k", "the next row, the one before; PgDn PgUp by a page"),
    ("g   G", "the first row, whichever it is; the last"),
    ("Enter   Esc", "everything of the row; back"),
    ("", ""),
    ("", "WHAT OF IT"),
    ("/   Esc", "filter, as in  proc:curl country:DE,HK bytes>1M -org:google; none"),
    ("t", "closed connections: shown, not shown"),
    ("a", "by process; destinations by organisation, country, address"),
    ("", ""),
    ("", "HOW"),
    ("s   S", "order by the next column; turn the order round"),
    ("F", "freeze the order: rows stay where they are"),
    ("P", "pause the display; the recording goes on"),
    ("d   p", "names or addresses; services or ports"),
    ("+   -", "draw more often, less often"),
    ("w", "write the report of what is shown, an HTML file"),
    ("q", "quit"),
    ("", ""),
];

/// The lines, with what the recording says of its completeness.
pub(super) fn lines(statements: &[String]) -> Vec<(String, String)> {
    let own = HELP.iter().map(|(key, words)| ((*key).to_owned(), (*words).to_owned()));
    let head = (String::new(), "CAN ABSENCE BE TRUSTED?".to_owned());
    own.chain([head]).chain(statements.iter().map(|words| (String::new(), words.clone()))).collect()
}
