//! The columns of a CSV: as its first line names them, else as the tables of the usual sources have them.

use super::record::asn;
use super::rows::CsvRow;
use connmon_record::from_bytes;

/// The columns of a row that have its addresses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Addresses {
    /// The first and the last one.
    Range(usize, usize),
    /// A network, a range or a single address in one cell.
    Network(usize),
}

/// The columns of a CSV. Where there are several, the first that says something counts.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct CsvLayout {
    pub count: usize,
    pub addresses: Addresses,
    pub country: Vec<usize>,
    pub region: Vec<usize>,
    pub city: Vec<usize>,
    pub degrees: Option<(usize, usize)>,
    pub asn: Vec<usize>,
    pub org: Vec<usize>,
    /// The first line names them: then a cell that cannot be understood is no sign of another layout, and is only counted.
    pub named: bool,
    /// Names of columns that are not used, with their numbers from 1.
    pub unused: Vec<(usize, String)>,
}

/// Names of columns, without what is no letter or digit; of several the first that is there is asked first.
const STARTS: [&str; 11] = [
    "startip",
    "ipstart",
    "iprangestart",
    "rangestart",
    "startaddress",
    "startipaddress",
    "firstip",
    "ipfrom",
    "networkstart",
    "start",
    "from",
];
const ENDS: [&str; 11] = [
    "endip",
    "ipend",
    "iprangeend",
    "rangeend",
    "endaddress",
    "endipaddress",
    "lastip",
    "ipto",
    "networkend",
    "end",
    "to",
];
const NETWORKS: [&str; 10] =
    ["network", "cidr", "prefix", "ipprefix", "range", "iprange", "netblock", "subnet", "ip", "ipaddress"];
const COUNTRIES: [&str; 9] = [
    "countrycode",
    "countryisocode",
    "countryiso",
    "countryiso2",
    "countrycode2",
    "cc",
    "isocode",
    "country",
    "countryname",
];
const REGIONS: [&str; 10] = [
    "regionname",
    "subdivision1name",
    "subdivisionname",
    "statename",
    "stateprov",
    "region",
    "subdivision",
    "state",
    "state1",
    "province",
];
const CITIES: [&str; 2] = ["city", "cityname"];
const LATITUDES: [&str; 2] = ["latitude", "lat"];
const LONGITUDES: [&str; 4] = ["longitude", "lon", "lng", "long"];
const NUMBERS: [&str; 6] = ["asn", "autonomoussystemnumber", "asnumber", "asnum", "asnnumber", "as"];
const ORGANISATIONS: [&str; 16] = [
    "asname",
    "autonomoussystemorganization",
    "asorganization",
    "asorg",
    "asnname",
    "asnorg",
    "asdescription",
    "asdesc",
    "organization",
    "organisation",
    "orgname",
    "org",
    "isp",
    "company",
    "companyname",
    "owner",
];
/// Columns beside which one called `name` is that of an organisation.
const OF_NETWORK: [&str; 4] = ["domain", "asdomain", "mcc", "type"];

impl CsvLayout {
    /// The columns that the first line names; `None` if it names none that are used.
    fn named_by(row: &CsvRow<'_>) -> Option<Self> {
        let names: Vec<String> = (0..row.len()).map(|nth| plain(row, nth)).collect();
        let all = |known: &[&str]| -> Vec<usize> {
            known.iter().filter_map(|one| names.iter().position(|name| name == one)).collect()
        };
        let first = |known: &[&str]| all(known).first().copied();
        let range = first(&STARTS).zip(first(&ENDS)).map(|(start, end)| Addresses::Range(start, end));
        let addresses = range.or_else(|| first(&NETWORKS).map(Addresses::Network))?;
        let (mut org, asn) = (all(&ORGANISATIONS), all(&NUMBERS));
        if !asn.is_empty() || first(&OF_NETWORK).is_some() {
            org.extend(first(&["name"]));
        }
        let (country, region, city) = (all(&COUNTRIES), all(&REGIONS), all(&CITIES));
        let degrees = first(&LATITUDES).zip(first(&LONGITUDES));
        let (one, two) = match addresses {
            Addresses::Range(start, end) => (start, end),
            Addresses::Network(network) => (network, network),
        };
        let mut used = vec![one, two];
        used.extend([&country, &region, &city, &asn, &org].into_iter().flatten());
        used.extend(degrees.iter().flat_map(|(lat, lon)| [*lat, *lon]));
        let some = used.len() > 2;
        let unused =
            (0..row.len()).filter(|nth| !used.contains(nth)).map(|nth| (nth + 1, title(row, nth))).collect();
        let count = row.len();
        some.then_some(Self {
            count,
            addresses,
            country,
            region,
            city,
            degrees,
            asn,
            org,
            named: true,
            unused,
        })
    }

    /// The subject of such a table.
    pub fn kind(&self) -> String {
        let is_city = !self.city.is_empty() || !self.region.is_empty() || self.degrees.is_some();
        let kinds = [
            (!self.country.is_empty() && !is_city, "country"),
            (is_city, "city"),
            (!self.asn.is_empty() || !self.org.is_empty(), "asn"),
        ];
        let kinds: Vec<&str> = kinds.into_iter().filter_map(|(has, kind)| has.then_some(kind)).collect();
        kinds.join(" + ")
    }
}

fn title(row: &CsvRow<'_>, nth: usize) -> String {
    from_bytes(row.get(nth).unwrap_or_default())
}

/// A title without what is no letter or digit, in small letters.
fn plain(row: &CsvRow<'_>, nth: usize) -> String {
    title(row, nth).chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

/// The kinds of first rows.
pub(super) enum FirstRow {
    /// It names the columns.
    Names(CsvLayout),
    /// It is a row of a table of the usual sources.
    Row(CsvLayout),
    /// It names columns, of which the usual order is to be expected.
    Head,
}

/// The kind of a first row, and so the columns of the rows that follow.
///
/// # Errors
/// It is of a layout that is not known.
pub(super) fn detect(row: &CsvRow<'_>, is_first: bool) -> Result<FirstRow, String> {
    if !is_first || !is_head(row) {
        return usual(row).map(FirstRow::Row);
    }
    if let Some(columns) = CsvLayout::named_by(row) {
        return Ok(FirstRow::Names(columns));
    }
    // Titles in words of their own: the usual tables are told by their rows.
    if matches!(row.len(), 3 | 4 | 5 | 8 | 10) && !NETWORKS.contains(&plain(row, 0).as_str()) {
        return Ok(FirstRow::Head);
    }
    Err("the first line names no addresses (start_ip and end_ip, or network) beside a country, city, coordinates, ASN or \
         organisation"
        .into())
}

/// Whether a first row names the columns instead of having values: an address has a dot, a colon or is a number.
fn is_head(row: &CsvRow<'_>) -> bool {
    let is_title = |cell: &[u8]| {
        let cell = cell.trim_ascii();
        cell.first().is_some_and(|c| c.is_ascii_alphabetic())
            && cell.iter().all(|c| c.is_ascii_alphanumeric() || b" _-".contains(c))
            // An IPv6 address has a colon, and no name has none but digits.
            && !cell.contains(&b':')
    };
    row.len() > 1 && row.get(0).is_some_and(is_title)
}

/// The columns of the usual sources, told apart by their number and by what the third is.
fn usual(row: &CsvRow<'_>) -> Result<CsvLayout, String> {
    let cell = |nth: usize| row.get(nth).map(from_bytes).unwrap_or_default();
    let is_number = |nth: usize| asn(&cell(nth)).is_some() || cell(nth).trim() == "0";
    let table =
        |country: &[usize], region: &[usize], city: &[usize], degrees, asn: &[usize], org: &[usize]| {
            CsvLayout {
                count: row.len(),
                addresses: Addresses::Range(0, 1),
                country: country.into(),
                region: region.into(),
                city: city.into(),
                degrees,
                asn: asn.into(),
                org: org.into(),
                named: false,
                unused: Vec::new(),
            }
        };
    // IP2Location has the name of the country after its code in all tables but that of networks, and `-` for what it does not know.
    let is_named_country = row.len() > 3 && cell(2).trim().len() < 3 && cell(3).trim().len() != 2;
    let is_degrees = |nth: usize| cell(nth).contains('.') && cell(nth).trim().parse::<f64>().is_ok();
    let has_degrees = || is_degrees(6) && is_degrees(7);
    match row.len() {
        4 if is_named_country && !is_number(2) => Ok(table(&[2], &[], &[], None, &[], &[])),
        5 if cell(2).contains('/') => Ok(table(&[], &[], &[], None, &[3], &[4])),
        6 if is_named_country => Ok(table(&[2], &[4], &[5], None, &[], &[])),
        8..=10 if is_named_country && has_degrees() => Ok(table(&[2], &[4], &[5], Some((6, 7)), &[], &[])),
        3 if !is_number(2) => Ok(table(&[2], &[], &[], None, &[], &[])),
        4 if is_number(2) => Ok(table(&[], &[], &[], None, &[2], &[3])),
        // IP to ASN of IPtoASN
        5 if is_number(2) => Ok(table(&[3], &[], &[], None, &[2], &[4])),
        8 => Ok(table(&[3], &[4], &[5], Some((6, 7)), &[], &[])),
        10 => Ok(table(&[2], &[3], &[5], Some((7, 8)), &[], &[])),
        n => Err(format!(
            "an unknown layout of {n} columns; supported are start,end,country and start,end,asn,organisation, the \
             city tables of DB-IP and ip-location-db, the tables of IP2Location, and others whose first line names the columns"
        )),
    }
}
