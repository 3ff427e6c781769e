//! Comma-separated values that a spreadsheet can open without harm.

use std::borrow::Cow;

use crate::model::display_safe;

/// A cell from a captured string: made visible, kept from being a formula, and quoted where needed.
pub fn cell(text: &str) -> String {
    let safe = display_safe(text);
    let safe: Cow<'_, str> =
        if safe.starts_with(['=', '+', '-', '@']) { format!("'{safe}").into() } else { safe };
    if safe.contains([',', '"', '\'', ';', '\t']) || safe.starts_with(' ') {
        format!("\"{}\"", safe.replace('"', "\"\""))
    } else {
        safe.into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn cells_are_safe() {
        for (text, expected) in [
            ("curl", "curl"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("=cmd|' /C calc'!A0", "\"'=cmd|' /C calc'!A0\""),
            ("-x", "\"'-x\""),
            ("line\nbreak", "line\\u{a}break"),
        ] {
            assert_eq!(cell(text), expected);
        }
    }
}
