//! Hostile text on the screen.

use super::fixture::{app, first, options};
use super::{App, press, shown};
use crate::tests::hostile;
use connmon_record::display_safe;

#[test]
fn hostile_text_does_nothing() {
    for text in hostile::cases() {
        let mut app = App::new(options());
        app.update(&hostile::everywhere(first(), &text));
        let mut seen = String::new();
        for keys in
            ["1", "\n", "\u{1b}2", "GG\n", "\u{1b}3", "\n", "\u{1b}4", "\n", "\u{1b}5", "\n", "\u{1b}1", "a"]
        {
            press(&mut app, keys);
            let shown = shown(&mut app, 160, 50);
            for line in shown.lines() {
                assert_eq!(display_safe(line), line, "{text:?}");
            }
            seen.push_str(&shown);
        }
        let part: String = display_safe(&text).chars().take(4).collect();
        assert!(seen.contains(part.trim()), "{text:?} is nowhere:\n{seen}");
    }
    let mut app = app(options());
    press(&mut app, "2");
    let text = shown(&mut app, 120, 40);
    let line = text.lines().find(|line| line.contains("瀏"));
    assert!(line.unwrap().contains("\\u{1b}[2J\\u{202e}evil"), "{text}");
}
