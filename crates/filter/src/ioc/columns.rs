//! Recognises by their names the columns of a table, or keys of JSON, that hold indicators.

use csv::StringRecord;

use super::cell;

/// Names of columns that hold indicators, without what is no letter or digit.
const VALUES: [&str; 72] = [
    "indicator",
    "indicators",
    "indicatorvalue",
    "ioc",
    "iocs",
    "iocvalue",
    "value",
    "values",
    "observable",
    "observables",
    "observablevalue",
    "artifact",
    "ip",
    "ips",
    "ipaddress",
    "ipaddresses",
    "ipaddr",
    "ipv4",
    "ipv6",
    "ipv4address",
    "ipv6address",
    "ipv4addr",
    "ipv6addr",
    "address",
    "addr",
    "ipport",
    "ipandport",
    "dstip",
    "destip",
    "ipdst",
    "destinationip",
    "remoteip",
    "remoteaddress",
    "srcip",
    "sourceip",
    "ipsrc",
    "attackerip",
    "attackip",
    "maliciousip",
    "c2",
    "c2ip",
    "c2server",
    "cnc",
    "server",
    "cidr",
    "network",
    "netblock",
    "subnet",
    "prefix",
    "ipprefix",
    "ipv6prefix",
    "range",
    "iprange",
    "ipblock",
    "domain",
    "domains",
    "domainname",
    "hostname",
    "hostnames",
    "host",
    "fqdn",
    "dns",
    "dnsname",
    "url",
    "urls",
    "uri",
    "sha256",
    "sha256hash",
    "filesha256",
    "hash",
    "hashes",
    "filehash",
];
/// Names of the column with the first address of a range, and of that with the last.
const STARTS: [&str; 8] =
    ["start", "startip", "startaddress", "ipstart", "rangestart", "firstip", "ipfrom", "from"];
const ENDS: [&str; 8] = ["end", "endip", "endaddress", "ipend", "rangeend", "lastip", "ipto", "to"];
/// Names of the column that says of which kind a value is.
const KINDS: [&str; 9] = [
    "type",
    "ioctype",
    "indicatortype",
    "entitytype",
    "observabletype",
    "kind",
    "attributetype",
    "iocskind",
    "valuetype",
];
/// Beginnings of kinds that no connection has, whatever their values look like.
const OTHER_KINDS: [&str; 24] = [
    "filename",
    "filepath",
    "email",
    "md5",
    "sha1",
    "sha224",
    "sha384",
    "sha512",
    "filehashmd5",
    "filehashsha1",
    "imphash",
    "ssdeep",
    "mutex",
    "registry",
    "regkey",
    "text",
    "comment",
    "useragent",
    "yara",
    "sigma",
    "cve",
    "vulnerability",
    "ja3",
    "btc",
];

/// The columns of a table.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Columns {
    /// The columns with indicators.
    pub values: Vec<usize>,
    /// The columns with the first and the last address of a range.
    pub range: Option<(usize, usize)>,
    /// Says of which kind the values are.
    pub kind: Option<usize>,
    /// MISP's mark for what is meant for detection.
    pub to_ids: Option<usize>,
}

impl Columns {
    /// The columns that a row names; `None` if it is no row of names.
    pub(super) fn named_by(row: &StringRecord) -> Option<Self> {
        // Next to a value, the name of a column is a value too: `192.0.2.1,ipaddress,…`.
        if row.iter().any(is_value) {
            return None;
        }
        let names: Vec<String> = row.iter().map(plain).collect();
        let one_of = |known: &[&str]| names.iter().position(|name| known.contains(&name.as_str()));
        let values: Vec<usize> = (0..names.len()).filter(|nth| holds_indicators(&names[*nth])).collect();
        let range = one_of(&STARTS).zip(one_of(&ENDS));
        let some = !values.is_empty() || range.is_some();
        some.then(|| Self { values, range, kind: one_of(&KINDS), to_ids: one_of(&["toids"]) })
    }
}

/// A name in small letters, without what is no letter or digit.
pub(super) fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

/// Whether a plain name is that of a column with indicators.
pub(super) fn holds_indicators(plain: &str) -> bool {
    VALUES.contains(&plain)
}

/// Whether values of a kind are nothing that a connection has.
pub(super) fn is_other_kind(kind: &str) -> bool {
    let kind = plain(kind);
    let several = ["sha256", "filenamesha256"].iter().any(|hash| kind.contains(hash));
    !several && OTHER_KINDS.iter().any(|other| kind.starts_with(other))
}

fn is_value(cell: &str) -> bool {
    let hash = cell.len() >= 32 && cell.bytes().all(|c| c.is_ascii_hexdigit());
    hash || cell.contains("://") || !cell::indicators(cell).0.is_empty()
}
