//! `[[alert]]`: what somebody is told of, how often at most, and how.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use super::{FileError, Reader, Texts};
use crate::alert::limit::Limit;
use crate::alert::{About, Alert, Target};
use connmon_detect::{CARDS, Policy, Severity, card};
use connmon_filter::alike;
use connmon_record::Timestamp;

/// The user as whom programs run.
const USER: &str = "nobody";

/// An alert, as it is written.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct RawAlert {
    name: Spanned<String>,
    #[serde(default)]
    finding: Vec<Spanned<String>>,
    severity: Option<Spanned<String>>,
    policy: Option<Spanned<String>>,
    r#match: Option<Spanned<String>>,
    at_most: Option<Spanned<String>>,
    #[serde(default)]
    to: Vec<Spanned<String>>,
    #[serde(default)]
    command: Texts,
    user: Option<String>,
}

/// What an alert has, for suggestions.
pub(super) const OF_ALERT: [&str; 9] =
    ["name", "finding", "severity", "policy", "match", "at-most", "to", "command", "user"];

impl Reader<'_> {
    /// The alerts; no two have the same name.
    pub(super) fn alerts(
        &self,
        raw: Vec<RawAlert>,
        folder: &Path,
        now: Timestamp,
    ) -> Result<Vec<Alert>, FileError> {
        let mut alerts: Vec<Alert> = Vec::new();
        for raw in raw {
            let name = raw.name.get_ref().trim();
            if name.is_empty() {
                return Err(self.wrong(raw.name.span(), "an alert needs a name"));
            }
            if alerts.iter().any(|alert| alert.name == name) {
                return Err(self.wrong(raw.name.span(), format!("another alert is called `{name}`")));
            }
            alerts.push(self.alert(raw, folder, now)?);
        }
        Ok(alerts)
    }

    fn alert(&self, raw: RawAlert, folder: &Path, now: Timestamp) -> Result<Alert, FileError> {
        let about = self.about(&raw, now)?;
        let limit = match &raw.at_most {
            None => Limit::default(),
            Some(text) => Limit::parse(text.get_ref()).ok_or_else(|| {
                self.wrong(text.span(), "write how many within which time, as in \"20/1h\"")
            })?,
        };
        let mut targets: Vec<Target> =
            raw.to.iter().map(|text| self.target(text, folder)).collect::<Result<_, _>>()?;
        let words: Vec<String> = raw.command.iter().map(str::to_owned).collect();
        if !words.is_empty() {
            targets.push(Target::Command(words, raw.user.unwrap_or_else(|| USER.to_owned())));
        }
        if targets.is_empty() {
            let what = "an alert needs `to`, as in [\"journal\"], or `command`";
            return Err(self.wrong(raw.name.span(), what));
        }
        Ok(Alert { name: raw.name.get_ref().trim().to_owned(), about, limit, targets })
    }

    /// Findings, a rule of the user's own, or connections.
    fn about(&self, raw: &RawAlert, now: Timestamp) -> Result<About, FileError> {
        let is_of_findings = !raw.finding.is_empty() || raw.severity.is_some();
        if [is_of_findings, raw.policy.is_some(), raw.r#match.is_some()].into_iter().filter(|is| *is).count()
            > 1
        {
            let what = "an alert is about `finding` and `severity`, or about a `policy`, or about a `match`: write an alert for each";
            return Err(self.wrong(raw.name.span(), what));
        }
        if let Some(filter) = &raw.r#match {
            return Ok(About::Connections(self.filter(filter, now)?));
        }
        if let Some(text) = &raw.policy {
            let policy = Policy::parse(text.get_ref(), now);
            return policy.map(About::Policy).map_err(|error| self.wrong(text.span(), error.to_string()));
        }
        raw.finding.iter().try_for_each(|detector| self.detector(detector))?;
        let severity = match &raw.severity {
            None => Severity::Medium,
            Some(text) => Severity::from_name(text.get_ref())
                .ok_or_else(|| self.wrong(text.span(), "a severity is one of info, low, medium, high"))?,
        };
        Ok(About::Findings(raw.finding.iter().map(|text| text.get_ref().clone()).collect(), severity))
    }

    /// Whether there is such a detector, or it is the id of a finding.
    fn detector(&self, text: &Spanned<String>) -> Result<(), FileError> {
        let name = text.get_ref();
        let is_id = name.split_once('-').is_some_and(|(code, _)| CARDS.iter().any(|one| one.code == code));
        if card(name).is_some() || is_id {
            return Ok(());
        }
        let names = || CARDS.iter().map(|card| card.name);
        let hint = match alike(&name.to_lowercase(), names()) {
            Some(known) => format!("did you mean `{known}`?"),
            None => format!("there are {}", names().collect::<Vec<_>>().join(", ")),
        };
        Err(self.wrong(text.span(), format!("there is no detector `{name}`; {hint}")))
    }

    fn target(&self, text: &Spanned<String>, folder: &Path) -> Result<Target, FileError> {
        let target = text.get_ref();
        Ok(match target.as_str() {
            "journal" => Target::Journal,
            "syslog" => Target::Syslog,
            "desktop" => Target::Desktop,
            "stdout" => Target::Stdout,
            _ => match target.split_once(':') {
                Some(("file", path)) if !path.is_empty() => Target::File(folder.join(PathBuf::from(path))),
                Some(("http" | "https", rest)) if rest.starts_with("//") => Target::Webhook(target.clone()),
                _ => {
                    let what = "it is one of \"journal\", \"syslog\", \"desktop\", \"stdout\", \"file:PATH\", \"https://…\"";
                    return Err(self.wrong(text.span(), what));
                }
            },
        })
    }
}
