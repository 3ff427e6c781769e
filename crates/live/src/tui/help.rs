//! The keys and the symbols, on one page.

/// What there is to know, a line each: a head, or a key and what it does.
pub(super) const HELP: &[(&str, &str)] = &[
    ("", "SYMBOLS"),
    ("", "Every connection of this host and its process."),
    ("", "Sent, Received: application bytes. Now: mean of the last 5 seconds."),
    ("▲ ■ × !", "new, open, closed, failed; ○ open and idle"),
    ("→ ← –", "outbound, inbound, unknown"),
    ("", ""),
    ("", "VIEWS"),
    ("1 2 3 4 5", "connections, processes, destinations, map, timeline"),
    ("Tab   l   m", "next view; listening sockets; map"),
    ("n", "what is worth a look; Enter shows the connections"),
    ("↓ ↑  j k", "next row, previous row; PgDn PgUp by a page"),
    ("g   G", "first row; last row"),
    ("Enter   Esc", "details; back"),
    ("", ""),
    ("", "SELECTION"),
    ("/   Esc", "filter, such as  proc:curl country:DE,HK bytes>1M -org:google; clear"),
    ("t", "show or hide closed connections"),
    ("a", "group by process; destinations by organisation, country, address"),
    ("", ""),
    ("", "DISPLAY"),
    ("s   S", "sort by the next column; reverse the order"),
    ("F", "freeze the order of rows"),
    ("P", "pause the display; recording continues"),
    ("d   p", "names or addresses; services or ports"),
    ("+   -", "redraw more often, less often"),
    ("w", "write an HTML report of this view"),
    ("q", "quit"),
    ("", ""),
];

/// The lines, with what the recording says of its completeness.
pub(super) fn lines(statements: &[String]) -> Vec<(String, String)> {
    let own = HELP.iter().map(|(key, words)| ((*key).to_owned(), (*words).to_owned()));
    let head = (String::new(), "IS THIS RECORD COMPLETE?".to_owned());
    own.chain([head]).chain(statements.iter().map(|words| (String::new(), words.clone()))).collect()
}
