//! What of a line of a list is not a comment.

/// A line without comments; `None` if nothing is left.
pub(super) fn content(line: &str) -> Option<&str> {
    let line = line.trim();
    if line.starts_with(['#', ';', '!']) || line.starts_with("//") {
        return None;
    }
    let comment = |mark: char| move |at: &(usize, char)| at.1 == mark && line[..at.0].ends_with([' ', '\t']);
    let end = ['#', ';']
        .into_iter()
        .filter_map(|mark| line.char_indices().find(comment(mark)))
        .map(|at| at.0)
        .min();
    let line = line[..end.unwrap_or(line.len())].trim();
    (!line.is_empty()).then_some(line)
}
