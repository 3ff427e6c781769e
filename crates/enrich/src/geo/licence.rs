//! The licences of the usual sources of geo data, and the attributions that they require.

/// A licence, and the words that it wants where data are shown.
pub(super) struct Terms {
    pub(super) licence: &'static str,
    pub(super) attribution: &'static str,
}

/// A part of a database's name or type, and the terms that come with it.
const KNOWN: [(&str, Terms); 6] = [
    ("dbip", Terms { licence: "CC BY 4.0", attribution: "IP Geolocation by DB-IP (db-ip.com)" }),
    (
        "geolite2",
        Terms {
            licence: "GeoLite2 End User License Agreement",
            attribution: "This product includes GeoLite2 data created by MaxMind, available from www.maxmind.com",
        },
    ),
    (
        "ipinfo",
        Terms { licence: "CC BY-SA 4.0", attribution: "IP address data powered by IPinfo (ipinfo.io)" },
    ),
    ("iptoasn", Terms { licence: "PDDL 1.0", attribution: "IPtoASN (iptoasn.com)" }),
    ("routeviews", Terms { licence: "CC BY 4.0", attribution: "RouteViews (www.routeviews.org)" }),
    // How ip-location-db names the files of its package `asn`.
    (
        "asn-ipv",
        Terms {
            licence: "CC BY 4.0",
            attribution: "RouteViews, NRO and DB-IP (db-ip.com), packaged by ip-location-db",
        },
    ),
];

/// Whether a database of this name is made from registrations, and so knows nothing of where a host stands.
pub fn is_of_registrations(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["iptoasn", "whois", "delegated"].iter().any(|part| name.contains(part))
}

/// The licence and the attribution that are usual for a database of this name.
pub fn usual_terms(name: &str) -> Option<(&'static str, &'static str)> {
    terms(name).map(|terms| (terms.licence, terms.attribution))
}

/// The terms of a database with this name, type or description.
pub(super) fn terms(name: &str) -> Option<&'static Terms> {
    let name = name.to_ascii_lowercase().replace("db-ip", "dbip");
    KNOWN.iter().find(|(part, _)| name.contains(part)).map(|(_, terms)| terms)
}

#[cfg(test)]
mod tests {
    use super::terms;

    #[test]
    fn usual_names() {
        for (name, licence) in [
            ("dbip-city-ipv4", Some("CC BY 4.0")),
            ("DBIP-City-Lite", Some("CC BY 4.0")),
            ("DB-IP ASN", Some("CC BY 4.0")),
            ("GeoLite2-City", Some("GeoLite2 End User License Agreement")),
            ("asn-ipv4", Some("CC BY 4.0")),
            ("iptoasn-country", Some("PDDL 1.0")),
            ("mine", None),
        ] {
            assert_eq!(terms(name).map(|terms| terms.licence), licence, "{name}");
        }
    }
}
