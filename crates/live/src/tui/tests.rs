//! Screens that were agreed on, and what keys do.

mod findings;
mod fixture;
mod hostile;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::style::Color;

use super::app::App;
use super::list::RowKey;
use super::tab::{Action, Mode, Tab};
use super::terminal::draws_unicode;
use super::{Options, text};
use crate::update::Snapshot;
use crate::{LiveTotals, Update};
use connmon_filter::Filter;
use connmon_record::{End, Timestamp};
use fixture::{app, at, made, moved, options, told};

/// Compares a screen with the one that was agreed on.
fn golden(name: &str, text: &str) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/tui/golden");
    connmon_fixtures::golden::compare(std::path::Path::new(folder).join(name), text);
}

fn screen(app: &mut App, width: u16, height: u16) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| app.draw(frame)).unwrap();
    terminal.backend().buffer().clone()
}

/// The characters, without the spaces at the ends of lines and the cells that wide characters cover.
fn words(buffer: &Buffer) -> String {
    let mut text = String::new();
    for y in 0..buffer.area.height {
        let mut line = String::new();
        let mut x = 0;
        while x < buffer.area.width {
            let symbol = buffer[(x, y)].symbol();
            line.push_str(symbol);
            x += u16::try_from(unicode_width::UnicodeWidthStr::width(symbol)).unwrap().max(1);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn shown(app: &mut App, width: u16, height: u16) -> String {
    words(&screen(app, width, height))
}

#[test]
fn what_is_in_the_totals_twice_is_told() {
    let mut app = app(options());
    assert!(shown(&mut app, 200, 30).contains("(1 with both ends here: each counts)"));
    app.update(&told(&[made(90, 1, "127.0.0.1:80", 31), made(91, 1, "127.0.0.1:40090", 31)], at(31)));
    let screen = shown(&mut app, 200, 30);
    assert!(screen.contains("(3 with both ends here: each counts)"), "{screen}");
    assert!(shown(&mut app, 80, 24).contains("(3 twice)"));
}

fn press(app: &mut App, keys: &str) -> Action {
    let mut last = Action::Nothing;
    for c in keys.chars() {
        let code = match c {
            '\n' => KeyCode::Enter,
            '\t' => KeyCode::Tab,
            '\u{1b}' => KeyCode::Esc,
            '\u{8}' => KeyCode::Backspace,
            c => KeyCode::Char(c),
        };
        last = app.key(KeyEvent::new(code, KeyModifiers::NONE));
    }
    last
}

/// A terminal sends the same for Alt and a key as for Escape and then the key.
#[test]
fn escape_is_not_lost_in_front_of_a_key() {
    let mut app = app(options());
    press(&mut app, "?");
    assert!(shown(&mut app, 80, 24).contains("SYMBOLS"));
    app.key(KeyEvent::new(KeyCode::Char('2'), KeyModifiers::ALT));
    let text = shown(&mut app, 80, 24);
    assert!(text.contains("[2 Processes]") && !text.contains("SYMBOLS"), "{text}");
    press(&mut app, "?");
    app.key(KeyEvent::new(KeyCode::Char('P'), KeyModifiers::ALT));
    let text = shown(&mut app, 80, 24);
    assert!(text.contains("PAUSED") && !text.contains("SYMBOLS"), "{text}");
}

#[test]
fn every_tab_is_as_agreed() {
    for (width, height) in [(80, 24), (120, 40)] {
        for tab in Tab::ALL {
            let mut app = app(options());
            press(&mut app, &tab.key().to_string());
            let name = format!("{}-{width}x{height}.txt", tab.name().to_lowercase());
            golden(&name, &shown(&mut app, width, height));
        }
    }
}

#[test]
fn what_lies_over_the_tabs_is_as_agreed() {
    for (name, keys, width, height) in [
        ("help", "?", 80, 24),
        ("help-wide", "?", 120, 40),
        ("filter-empty", "/", 80, 24),
        ("filter-typed", "/proc:firefox port:443", 80, 24),
        ("filter-error", "/proc:curl contry:DE", 80, 24),
        ("filtered", "/country:US\n", 80, 24),
        ("nothing-fits", "/proc:nobody\n", 80, 24),
        ("detail-connection", "\n", 80, 24),
        ("detail-process", "2\n", 80, 24),
        ("detail-destination", "3\n", 80, 24),
        ("detail-address", "5\n", 80, 24),
        ("detail-socket", "l\n", 80, 24),
        ("grouped", "a", 80, 24),
        ("by-country", "3a", 80, 24),
        ("by-address", "3aa", 80, 24),
        ("addresses-and-ports", "dp", 80, 24),
        ("open-only", "t", 80, 24),
        ("sorted", "sS", 80, 24),
        ("saved", "w", 80, 24),
        ("not-saved", "/proc:curl\nw", 80, 24),
        ("tiny", "", 40, 10),
        ("tiny-timeline", "5", 40, 10),
        ("tiny-map", "4", 40, 10),
        ("tiny-help", "?", 40, 10),
    ] {
        let mut app = app(options());
        screen(&mut app, width, height);
        press(&mut app, keys);
        golden(&format!("{name}.txt"), &shown(&mut app, width, height));
    }
}

#[test]
fn ascii_is_ascii() {
    for tab in Tab::ALL {
        let mut app = app(Options { ascii: true, ..options() });
        press(&mut app, &tab.key().to_string());
        let text = shown(&mut app, 80, 24);
        assert!(text.is_ascii(), "{text}");
        golden(&format!("ascii-{}.txt", tab.name().to_lowercase()), &text);
    }
}

#[test]
fn colours_are_the_sixteen_of_the_terminal_or_none() {
    for color in [true, false] {
        for keys in ["1", "2", "3", "4", "5", "l", "?", "/", "/x:y", "1\n", "P"] {
            let mut app = app(Options { color, ..options() });
            press(&mut app, keys);
            for cell in &screen(&mut app, 100, 30).content {
                for colour in [cell.fg, cell.bg] {
                    let plain = matches!(colour, Color::Reset);
                    assert!(plain || color, "{keys}: {colour:?} without colours");
                    assert!(!matches!(colour, Color::Rgb(..) | Color::Indexed(_)), "{keys}: {colour:?}");
                }
            }
        }
    }
}

#[test]
fn no_screen_is_too_small_or_too_large() {
    for keys in ["1", "2", "3", "4", "5", "l", "?", "/abc", "1\n", "2\n", "a", "1P"] {
        for (width, height) in
            [(1, 1), (2, 30), (16, 4), (17, 5), (20, 200), (33, 12), (61, 17), (95, 18), (300, 3), (400, 120)]
        {
            let mut app = app(options());
            press(&mut app, keys);
            shown(&mut app, width, height);
        }
    }
}

/// The line of the chosen row: the one that is reversed.
fn chosen(app: &mut App) -> String {
    let buffer = screen(app, 100, 30);
    let reversed = |y: u16| {
        (0..100).filter(|x| buffer[(*x, y)].modifier.contains(ratatui::style::Modifier::REVERSED)).count()
            > 90
    };
    let y = (0..30).find(|y| reversed(*y)).unwrap();
    words(&buffer).lines().nth(y.into()).unwrap().to_owned()
}

#[test]
fn the_choice_follows_the_connection() {
    let mut app = app(options());
    assert!(chosen(&mut app).contains("github.com"));
    press(&mut app, "jj");
    assert!(chosen(&mut app).contains("a-very-long"));
    // It moves most of all now, and another comes between.
    app.update(&Update { traffic: vec![moved(5, 3, 90_000_000, 0)], ..told(&[], at(31)) });
    app.update(&told(&[made(30, 1, "9.9.9.9:443", 31).moved(1, 99_000_000)], at(31)));
    assert!(chosen(&mut app).contains("a-very-long"));
    assert_eq!(app.list().index(), 1);
    press(&mut app, "j");
    assert!(chosen(&mut app).contains("github.com"));
    // Without a choice it is the first row, whichever that is.
    press(&mut app, "g");
    assert!(chosen(&mut app).contains("9.9.9.9"));
    app.update(&told(&[made(31, 1, "9.9.9.10:443", 31).moved(1, 999_000_000)], at(32)));
    assert!(chosen(&mut app).contains("9.9.9.10"));
    // What is gone leaves its place to the next.
    press(&mut app, "j");
    app.update(&Update { left_out: vec![30], ..told(&[], at(33)) });
    assert_eq!(app.list().index(), 1);
    assert!(chosen(&mut app).contains("a-very-long"));
}

#[test]
fn a_new_snapshot_keeps_the_choice() {
    let mut app = app(options());
    shown(&mut app, 100, 30);
    press(&mut app, "jj");
    let part = |first, last| Some(Snapshot { first, last, missed: 3, forgotten: 0 });
    app.update(&Update { snapshot: part(true, false), connections: Vec::new(), ..fixture::first() });
    assert!(shown(&mut app, 100, 30).contains("connmon kestrel fentry …"));
    let rest = Update { run: None, processes: Vec::new(), ..fixture::first() };
    app.update(&Update { snapshot: part(false, true), ..rest });
    assert!(chosen(&mut app).contains("a-very-long"));
    assert!(shown(&mut app, 100, 30).contains("nothing lost ! 3 updates resynchronised"));
}

#[test]
fn a_frozen_order_stays_and_new_rows_come_last() {
    let mut app = app(options());
    shown(&mut app, 100, 30);
    press(&mut app, "F");
    let order = |app: &mut App| {
        shown(app, 100, 30);
        let id = |key: &RowKey| match key {
            RowKey::Connection(id) => id & 0xff,
            _ => 0,
        };
        app.rows.iter().map(|row| id(&row.key)).collect::<Vec<_>>()
    };
    let before = order(&mut app);
    app.update(&told(&[made(40, 1, "9.9.9.9:443", 31).moved(1, 99_000_000)], at(31)));
    let after = order(&mut app);
    assert_eq!(after[..before.len()], before);
    assert_eq!(after.last(), Some(&40));
    press(&mut app, "F");
    assert_eq!(order(&mut app)[0], 40);
}

#[test]
fn a_pause_stops_the_display_and_nothing_else() {
    let mut app = app(options());
    press(&mut app, "P");
    let before = shown(&mut app, 100, 30);
    assert!(before.contains("PAUSED (0 updates wait; P resumes)"), "{before}");
    for second in 31..34 {
        let new = made(second, 1, "9.9.9.9:443", second).moved(1, 99_000_000);
        let totals = LiveTotals { connections: 99, ..LiveTotals::default() };
        app.update(&Update { totals, ..told(&[new], at(second)) });
    }
    let after = shown(&mut app, 100, 30);
    assert!(after.contains("PAUSED (3 updates wait; P resumes)"), "{after}");
    assert_eq!(before.lines().skip(1).collect::<Vec<_>>(), after.lines().skip(1).collect::<Vec<_>>());
    press(&mut app, "P");
    let text = shown(&mut app, 100, 30);
    assert!(text.contains("LIVE") && text.contains("9.9.9.9") && text.contains("open of 99"), "{text}");
}

/// What came since the last drawing is shown with its rate, paused or not.
#[test]
fn a_pause_keeps_the_rates() {
    let screen = |pause: bool| {
        let mut app = app(options());
        shown(&mut app, 120, 30);
        app.update(&told(&[made(2, 2, "9.9.9.9:443", 2).moved(9_000_000, 99_000_000)], at(31)));
        if pause {
            press(&mut app, "P");
        }
        shown(&mut app, 120, 30).replace("PAUSED (0 updates wait; P resumes)", "LIVE")
    };
    let rates = |text: String| {
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    assert_eq!(rates(screen(true)), rates(screen(false)));
}

#[test]
fn rates_and_totals_are_those_of_the_board() {
    let mut app = app(options());
    let text = shown(&mut app, 120, 40);
    let line = |host: &str| text.lines().find(|line| line.contains(host)).unwrap().to_owned();
    // 5 000 and 1 000 000 bytes within the window of five seconds.
    let dns = line("dns.google");
    for figure in ["6.35 KiB", "3.81 MiB", "0.98 KiB/s", "195 KiB/s"] {
        assert!(dns.contains(figure), "{figure}: {dns}");
    }
    assert!(text.lines().next().unwrap().contains("↑ 40.0 KiB/s  ↓  195 KiB/s"), "{text}");
    // Later nothing is moved any more.
    app.update(&told(&[], at(50)));
    let text = shown(&mut app, 120, 40);
    assert!(text.lines().next().unwrap().contains("↑      0 B/s  ↓      0 B/s"), "{text}");
    assert!(text.contains("3.81 MiB"));
}

#[test]
fn losses_are_said() {
    let mut app = app(options());
    assert!(shown(&mut app, 80, 24).contains("nothing lost"));
    let mut run = connmon_fixtures::rows::run();
    run.completeness.lost_events = 12;
    let totals = LiveTotals { unseen: 7, ..LiveTotals::default() };
    app.update(&Update { run: Some(Box::new(run)), totals, ..told(&[], at(31)) });
    let text = shown(&mut app, 100, 24);
    assert!(text.contains("! LOST 12 events ! 7 rows not shown"), "{text}");
    press(&mut app, "?");
    press(&mut app, "G");
    let text = shown(&mut app, 100, 24);
    assert!(text.contains("12 records were lost"), "{text}");
}

#[test]
fn what_is_pushed_out_has_been_moved_all_the_same() {
    let mut app = app(Options { keep: 2, ..options() });
    let told_of = |from: i64, count: i64, time| {
        let rows: Vec<_> = (from..from + count).collect();
        let ends =
            rows.iter().map(|row| made(*row, 1, "9.9.9.9:443", 31).ended(31, End::Fin)).collect::<Vec<_>>();
        let traffic = rows.iter().map(|row| connmon_fixtures::rows::traffic(*row, 1, 1_024, 5_120)).collect();
        Update { traffic, ..told(&ends, time) }
    };
    app.update(&told_of(100, 100, at(50)));
    app.update(&told_of(200, 100, at(51)));
    app.update(&told(&[], at(51)));
    let first = |app: &mut App| shown(app, 120, 24).lines().next().unwrap().to_owned();
    // 200 KiB and 1000 KiB within five seconds, of which two connections are left.
    let line = first(&mut app);
    assert!(line.contains("now ↑ 40.0 KiB/s  ↓  200 KiB/s"), "{line}");
    press(&mut app, "/host:9.9.9.9\n");
    let line = first(&mut app);
    assert!(line.contains("now at least ↑"), "{line}");
    app.update(&told(&[], at(60)));
    assert!(!first(&mut app).contains("at least"));
    // What was missed was moved as well.
    press(&mut app, "\u{1b}");
    let part = app.live().snapshot(3).remove(0);
    let totals = LiveTotals { tx_bytes: 5_120, rx_bytes: 10_240, ..LiveTotals::default() };
    app.update(&Update { totals, time: at(61), ..part });
    assert!(first(&mut app).contains("now ↑ 1.00 KiB/s  ↓ 2.00 KiB/s"), "{}", first(&mut app));
}

#[test]
fn what_only_the_store_has_is_said() {
    let of = |keep, forgotten| {
        let mut app = app(Options { keep, ..options() });
        let snapshot = Some(Snapshot { first: true, last: true, missed: 0, forgotten });
        let part = app.live().snapshot(0).remove(0);
        app.update(&Update { snapshot, ..part });
        shown(&mut app, 80, 24).lines().nth(2).unwrap().trim_end().to_owned()
    };
    assert!(!of(100, 0).contains("older"), "{}", of(100, 0));
    // The recorder had forgotten them when this viewer came: it cannot keep what it never had.
    assert!(of(100, 1_224).contains("1 224 older only in the store"), "{}", of(100, 1_224));
    assert!(of(0, 1_224).contains("older hidden (--keep)"), "{}", of(0, 1_224));
}

#[test]
fn a_filter_is_typed_judged_applied_and_cleared() {
    let mut app = app(options());
    press(&mut app, "/proc:curl contry:DE");
    let Mode::Filter(input) = &app.mode else { panic!("not typed") };
    assert!(input.verdict.as_ref().is_err_and(|why| why.contains("column 11")), "{:?}", input.verdict);
    press(&mut app, "\n");
    assert!(matches!(app.mode, Mode::Filter(_)) && app.filter().is_everything());
    press(&mut app, &"\u{8}".repeat(10));
    press(&mut app, "\n");
    assert_eq!((app.filter().text(), &app.mode), ("proc:curl", &Mode::Table));
    assert_eq!(app.items.fitting().count(), 3);
    // What comes later is judged too.
    app.update(&told(&[made(41, 1, "9.9.9.9:443", 31), made(42, 2, "9.9.9.9:443", 31)], at(31)));
    assert_eq!(app.items.fitting().count(), 4);
    press(&mut app, "\u{1b}");
    assert_eq!(app.items.fitting().count(), 12);
    // That of the command line can be changed, but for one that cannot be typed.
    let filter = Filter::parse("port:443", Timestamp(0)).unwrap();
    let mut with = fixture::app(Options { filter, ..options() });
    press(&mut with, "/");
    assert!(matches!(&with.mode, Mode::Filter(input) if input.text == "port:443"));
    press(&mut with, "\u{1b}");
    assert_eq!(with.items.fitting().count(), 10);
}

#[test]
fn an_open_connection_grows_into_a_filter_of_time() {
    let mut app = app(options());
    press(&mut app, "/dur>1h\n");
    let Mode::Table = app.mode else { panic!("{:?}", app.mode) };
    shown(&mut app, 80, 24);
    assert_eq!(app.items.fitting().count(), 0);
    app.update(&told(&[], at(4_000)));
    shown(&mut app, 80, 24);
    assert_eq!(app.items.fitting().count(), 8);
}

#[test]
fn keys_of_every_kind_do_no_harm() {
    let mut app = app(options());
    let codes = [
        KeyCode::Up,
        KeyCode::Down,
        KeyCode::PageUp,
        KeyCode::PageDown,
        KeyCode::Home,
        KeyCode::End,
        KeyCode::Left,
        KeyCode::Right,
        KeyCode::BackTab,
        KeyCode::Delete,
        KeyCode::Backspace,
        KeyCode::Enter,
        KeyCode::Esc,
        KeyCode::F(5),
        KeyCode::Char('é'),
        KeyCode::Char('網'),
        KeyCode::Char('/'),
        KeyCode::Char('+'),
        KeyCode::Char('-'),
        KeyCode::Char('w'),
        KeyCode::Char('a'),
        KeyCode::Char('u'),
        KeyCode::Char('?'),
        KeyCode::Char('P'),
    ];
    // Every key after every other, with and without the control key.
    let mut seed = 1_u32;
    for _ in 0..3_000 {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let code = codes[(seed >> 8) as usize % codes.len()];
        let modifiers = if seed >> 30 == 0 { KeyModifiers::CONTROL } else { KeyModifiers::NONE };
        app.key(KeyEvent::new(code, modifiers));
        if seed >> 29 == 0 {
            shown(&mut app, 60, 20);
        }
    }
    press(&mut app, "\u{1b}\u{1b}");
    assert_eq!(app.key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)), Action::Quit);
    assert_eq!(press(&mut app, "q"), Action::Quit);
}

#[test]
fn a_gone_recorder_leaves_what_it_told() {
    let mut app = app(options());
    app.gone("The recorder has stopped. Its data stays on screen; q quits.".into());
    let text = shown(&mut app, 120, 24);
    assert!(text.contains("nothing lost up to here"), "{text}");
    assert!(text.contains("RECORDER STOPPED") && app.items.fitting().all(|(_, item)| !item.open()), "{text}");
    app.over = Some("The recording has ended. Its data stays on screen; q quits.".into());
    app.update(&Update { ended: true, ..told(&[], at(31)) });
    let text = shown(&mut app, 80, 24);
    assert!(text.contains("ENDED") && text.contains("Its data stays on screen"), "{text}");
    let closed = made(1, 1, "8.8.8.8:443", 1).ended(31, End::Fin);
    app.update(&told(&[closed], at(31)));
}

#[test]
fn the_locale_says_what_can_be_drawn() {
    let with = |variables: &'static [(&str, &str)]| {
        draws_unicode(|name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    };
    assert!(with(&[("LANG", "de_DE.UTF-8"), ("TERM", "xterm")]));
    assert!(with(&[("LANG", "C"), ("LC_ALL", "C.utf8")]));
    assert!(!with(&[("LANG", "de_DE.UTF-8"), ("LC_ALL", "C")]));
    assert!(!with(&[("LANG", "de_DE.UTF-8"), ("TERM", "linux")]));
    assert!(!with(&[]));
    assert_eq!(text::cut("abc", 2), "a…");
}
