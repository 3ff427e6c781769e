//! Locations of addresses: writes and reads what the geo databases said.

use std::net::IpAddr;

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::row::{self, at, json};
use connmon_record::rows::{Batch, ConnectionRow};
use connmon_record::{Coordinates, Location, Untrusted, country_of};

/// Writes which databases a run asks, and where its host stands, when that is told.
pub(super) fn put_run(db: &Transaction<'_>, run: i64, batch: &Batch) -> rusqlite::Result<()> {
    if batch.geo.is_empty() && batch.location.is_none() {
        return Ok(());
    }
    let databases = (!batch.geo.is_empty()).then(|| json(&batch.geo));
    let location = batch.location.as_ref().map(json);
    db.prepare_cached(
        "UPDATE run SET geo_databases = coalesce(?2, geo_databases), location = coalesce(?3, location) WHERE id = ?1",
    )?
    .execute(params![run, databases, location])?;
    Ok(())
}

/// Writes a remote address; gives its id, and whether it was in another country until now. An answer that knows less than an
/// earlier one does not replace it.
pub(super) fn put_endpoint(db: &Transaction<'_>, row: &ConnectionRow) -> rusqlite::Result<(i64, bool)> {
    let ip = row.remote.ip.to_string();
    let mut find = db.prepare_cached("SELECT id, country FROM endpoint WHERE ip = ?1")?;
    let mut known = || {
        find.query_row([&ip], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<String>>(1)?))).optional()
    };
    let before = known()?;
    let place = row.place.as_deref();
    let at = place.and_then(|place| place.coordinates);
    db.prepare_cached(
        "INSERT INTO endpoint (ip, country, region, city, latitude, longitude, asn, org, geo_source)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
            ON CONFLICT (ip) DO UPDATE SET country = excluded.country, region = excluded.region, city = excluded.city,
            latitude = excluded.latitude, longitude = excluded.longitude, asn = excluded.asn, org = excluded.org,
            geo_source = excluded.geo_source
            WHERE (country IS NULL OR excluded.country IS NOT NULL) AND (city IS NULL OR excluded.city IS NOT NULL)
                AND (asn IS NULL OR excluded.asn IS NOT NULL)",
    )?
    .execute(params![
        ip,
        row.country,
        place.and_then(|place| place.region.as_ref()).map(Untrusted::raw),
        place.and_then(|place| place.city.as_ref()).map(Untrusted::raw),
        at.map(|at| at.latitude),
        at.map(|at| at.longitude),
        place.and_then(|place| place.asn),
        place.and_then(|place| place.org.as_ref()).map(Untrusted::raw),
        place.map(|place| place.source.raw()),
    ])?;
    let Some(before) = before else { return Ok((db.last_insert_rowid(), false)) };
    let after = known()?;
    Ok((before.0, after.as_ref() != Some(&before)))
}

/// What is read of a remote address.
pub(super) const COLUMNS: [&str; 9] =
    ["ip", "country", "region", "city", "latitude", "longitude", "asn", "org", "geo_source"];

/// The address, and its country; `None` where it is none that can be.
pub(super) fn address(row: &Row<'_>) -> rusqlite::Result<(Option<IpAddr>, Option<String>)> {
    let ip = row.get_ref(at!("ip"))?.as_str()?.parse().ok().map(|ip: IpAddr| ip.to_canonical());
    let country = row.get_ref(at!("country"))?.as_str_or_null()?;
    Ok((ip, country.filter(|code| country_of(code).is_some()).map(str::to_owned)))
}

/// The stored facts about it besides its country.
pub(super) fn place(row: &Row<'_>) -> rusqlite::Result<Option<Location>> {
    let Some(source) = row.get_ref(at!("geo_source"))?.as_str_or_null()? else { return Ok(None) };
    let (latitude, longitude) = (row.get(at!("latitude"))?, row.get(at!("longitude"))?);
    Ok(Some(Location {
        region: row::maybe(row, at!("region"))?,
        city: row::maybe(row, at!("city"))?,
        coordinates: Option::zip(latitude, longitude).and_then(|(lat, lon)| Coordinates::new(lat, lon)),
        asn: row.get(at!("asn"))?,
        org: row::maybe(row, at!("org"))?,
        source: Untrusted::from(source),
    }))
}
