//! What a page begins with: what was recorded, whether absence can be trusted, the figures, what is worth a look.

use askama::Template;

use super::view::{Shown, When};
use super::{Markup, findings, header};
use crate::report::{PictureOptions, svg};
use connmon_analysis::format;
use connmon_analysis::{GeoNotes, Summary};

pub(super) struct Top {
    pub(super) title: Shown,
    pub(super) case: Vec<header::HeaderFact>,
    pub(super) findings: findings::Section,
    pub(super) window: Option<header::Interval>,
    pub(super) facts: Vec<header::HeaderFact>,
    pub(super) notes: Vec<Shown>,
    pub(super) verdict: header::VerdictLine,
    pub(super) gaps: Vec<header::GapLine>,
    pub(super) more_gaps: String,
    pub(super) runs: Vec<header::RunLine>,
    /// That not every connection is in the page; empty if they all are.
    pub(super) cut: String,
    pub(super) figures: Vec<header::Figure>,
    pub(super) activity: Option<Markup>,
    pub(super) step: String,
    /// What the highest bar of `activity` stands for.
    pub(super) most: String,
    pub(super) before: String,
    pub(super) ticks: Vec<When>,
    /// Whether they are on several days, so that a clock alone does not say when.
    pub(super) long: bool,
}

/// The top alone, for a page that goes on.
#[derive(Template)]
#[template(path = "top.html")]
pub(super) struct TopOnly {
    pub(super) top: Top,
}

impl Top {
    pub(super) fn new(summary: &Summary, options: &PictureOptions, geo: &GeoNotes, cut: String) -> Self {
        let activity = svg::activity(summary);
        let ticks: Vec<When> = svg::ticks(summary).into_iter().map(When::new).collect();
        Self {
            title: options.title.as_deref().map_or_else(|| header::hosts(summary), Shown::new),
            case: header::case(options, summary),
            findings: findings::Section::new(&options.found),
            window: header::interval(summary),
            facts: header::facts(summary, geo),
            notes: header::backend_notes(summary),
            verdict: header::verdict(summary),
            gaps: header::gaps(summary),
            more_gaps: header::more_gaps(summary),
            runs: header::runs(summary),
            cut,
            figures: header::figures(summary),
            activity: (!activity.is_empty()).then_some(Markup(activity)),
            step: format::duration(summary.activity.step_ns),
            most: format::grouped(summary.activity.most()),
            before: match summary.activity.before {
                0 => String::new(),
                n => format::grouped(n),
            },
            long: ticks.first().zip(ticks.last()).is_some_and(|(first, last)| first.date != last.date),
            ticks,
        }
    }
}
