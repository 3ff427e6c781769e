//! `connmon config`: checks a configuration, and prints what is in force.

use std::io::Write;

use serde_json::{Value, json};

use super::{CommandError, Outcome, done, stdout};
use crate::cli::{self, ConfigCommand, ConfigCommands, TextFormat};
use crate::clock::now;
use crate::config::{self, Recording, Setting};
use connmon_analysis::format::count;
use connmon_record::display_safe;

/// Checks or prints a configuration.
///
/// # Errors
/// Something in it is wrong, or a file that it names cannot be used.
pub fn run(args: ConfigCommands) -> Result<Outcome, CommandError> {
    match args.command {
        ConfigCommand::Check(file) => check(&file),
        ConfigCommand::Show(args) => show(&args),
    }
}

/// Reads everything that a recording would read.
fn check(args: &cli::ConfigFile) -> Result<Outcome, CommandError> {
    let now = now();
    let file = config::File::load(args.config.as_deref(), now)?;
    let mut recording = cli::plain_recording();
    file.fill(&mut recording);
    config::filter(&recording.choice, now)?;
    let lists = super::ioc::read(&recording.classification.ioc, false)?.abouts().len();
    let settings = Recording::try_from(recording)?;
    let databases = super::geo::open_databases(&settings.places)?.databases().len();
    let mut out = stdout();
    let name = file.path.as_deref().unwrap_or("without a configuration file, everything");
    let number = |n: usize, one, many| count(n as u64, one, many);
    writeln!(
        out,
        "{} is valid: {}, {}, {}",
        display_safe(name),
        number(file.rules.iter().count(), "rule", "rules"),
        number(lists, "list of indicators", "lists of indicators"),
        number(databases, "geo database", "geo databases"),
    )?;
    done(out, None)
}

/// Prints the options in force.
fn show(args: &cli::ConfigShow) -> Result<Outcome, CommandError> {
    let file = config::File::load(args.file.config.as_deref(), now())?;
    let settings = file.settings(cli::plain_recording());
    let mut out = stdout();
    match args.format {
        TextFormat::Json => {
            serde_json::to_writer_pretty(&mut out, &json!({ "file": file.path, "settings": settings }))
                .map_err(std::io::Error::from)?;
            writeln!(out)?;
        }
        TextFormat::Text => write_text(file.path.as_deref(), &settings, &mut out)?,
    }
    done(out, None)
}

/// A configuration that says the same, with the places in comments.
fn write_text(file: Option<&str>, settings: &[Setting], out: &mut impl Write) -> std::io::Result<()> {
    match file {
        Some(file) => writeln!(out, "# {}", display_safe(file))?,
        None => writeln!(out, "# there is no {}: everything is as by default", config::DEFAULT)?,
    }
    let mut section = "";
    for setting in settings {
        let (of, name) = setting.name.rsplit_once('.').unwrap_or(("", &setting.name));
        if of != section {
            section = of;
            match of.split_once(' ') {
                Some((rules, _)) => writeln!(out, "\n[[{}]]", display_safe(rules))?,
                None => writeln!(out, "\n[{}]", display_safe(of))?,
            }
        }
        let line = match &setting.value {
            Value::Null => format!("# {name} is not set"),
            value => format!("{:<50} # {}", format!("{name} = {value}"), setting.origin),
        };
        writeln!(out, "{}", display_safe(&line))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{File, Origin};
    use connmon_record::Timestamp;

    fn read(text: &str) -> File {
        File::read(text, "c.toml", Path::new("/etc/x"), Timestamp(0)).unwrap()
    }

    #[test]
    fn what_is_shown_is_a_configuration_that_says_the_same() {
        let text = "ioc = 'a\"\\\\b.csv'\nno-wire = true\n\n[redact]\nnames = ['x', 'y']\n\
                    [[rule]]\nlabel = 'a'\nmatch = 'port:1'\n[[rule]]\nlabel = 'b'\ntext = false\nmatch = ''\n";
        let settings = read(text).settings(cli::plain_recording());
        let at =
            |name: &str| settings.iter().find(|setting| setting.name == name).map(|setting| setting.origin);
        assert_eq!(at("ioc"), Some(Origin::Line(1)));
        assert_eq!(at("no-wire"), Some(Origin::Line(2)));
        assert_eq!(at("backend"), Some(Origin::Default));
        assert_eq!(at("redact.names"), Some(Origin::Line(5)));
        assert_eq!(at("rule 2.text"), Some(Origin::Line(11)));
        let mut shown = Vec::new();
        write_text(Some("c.toml"), &settings, &mut shown).unwrap();
        let again = String::from_utf8(shown).unwrap();
        let values = |settings: Vec<Setting>| -> Vec<_> {
            settings.into_iter().map(|setting| (setting.name, setting.value)).collect()
        };
        let settings_of = |text: &str| values(read(text).settings(cli::plain_recording()));
        assert_eq!(settings_of(&again), settings_of(text), "{again}");
    }
}
