//! What is marked on the map: cities, and countries for what has none.

use std::collections::BTreeMap;

use super::projection::{NORTH, SOUTH, project};
use super::{log_share, text_safe};
use connmon_analysis::format::bytes;
use connmon_analysis::{GroupFigures, RemoteRow, Summary};
use connmon_record::{AddressKind, Untrusted, country_of};

/// A mark with its place on the grid. Its name has passed the sanitiser.
pub(super) struct MapMark {
    pub(super) name: String,
    pub(super) figures: GroupFigures,
    pub(super) remotes: u64,
    pub(super) is_city: bool,
    pub(super) longitude: f64,
    pub(super) latitude: f64,
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) share: f64,
}

impl MapMark {
    pub(super) fn radius(&self) -> f64 {
        2.0 + 4.5 * self.share
    }

    pub(super) fn label(&self) -> String {
        format!("{} {}", self.name, bytes(self.figures.bytes()))
    }

    /// The label, and a remark if only the country is known.
    pub(super) fn title(&self) -> String {
        if self.is_city { self.label() } else { format!("{} (only the country is known)", self.label()) }
    }
}

/// What belongs to one mark: a city where a database knew one with its coordinates, in hundredths of a degree; else the
/// country.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct MarkKey<'a> {
    country: &'a str,
    city: Option<(Untrusted<&'a str>, i32, i32)>,
}

impl<'a> MarkKey<'a> {
    fn of_remote(row: &RemoteRow<'a>) -> Option<Self> {
        let country = row.country.unwrap_or_default();
        let city = row.location.and_then(|place| {
            let (city, at) = (place.city.as_ref()?.borrowed(), place.coordinates?);
            let hundredths = |degrees: f64| (degrees * 100.0).round() as i32;
            Some((city, hundredths(at.latitude), hundredths(at.longitude)))
        });
        (city.is_some() || !country.is_empty()).then_some(Self { country, city })
    }

    /// Degrees east and north.
    fn position(&self) -> Option<(f64, f64)> {
        match self.city {
            Some((_, latitude, longitude)) => {
                Some((f64::from(longitude) / 100.0, f64::from(latitude) / 100.0))
            }
            None => country_of(self.country).map(|country| (country.longitude, country.latitude)),
        }
    }
}

/// The marks, most bytes first.
pub(super) fn places(summary: &Summary) -> Vec<MapMark> {
    let mut sums: BTreeMap<MarkKey<'_>, (GroupFigures, u64)> = BTreeMap::new();
    for row in summary.remotes.iter().filter(|row| row.kind == AddressKind::Public) {
        let Some(key) = MarkKey::of_remote(&row) else { continue };
        let (figures, remotes) = sums.entry(key).or_default();
        *figures += row.figures;
        *remotes += 1;
    }
    let all = || sums.values().map(|(figures, _)| figures.bytes()).filter(|bytes| *bytes > 0);
    let (least, most) = (all().min().unwrap_or(0), all().max().unwrap_or(0));
    let place = |(key, (figures, remotes)): (&MarkKey<'_>, &(GroupFigures, u64))| {
        let (longitude, latitude) = key.position()?;
        let name = match key.city {
            Some((city, ..)) => text_safe(city),
            None => country_of(key.country)?.name.to_owned(),
        };
        let (x, y) = project(longitude, latitude.clamp(SOUTH, NORTH));
        Some(MapMark {
            name,
            figures: *figures,
            remotes: *remotes,
            is_city: key.city.is_some(),
            longitude,
            latitude,
            x,
            y,
            share: log_share(figures.bytes(), least, most),
        })
    };
    let mut places: Vec<MapMark> = sums.iter().filter_map(place).collect();
    places.sort_by_key(|place| place.figures.rank());
    places
}
