//! One indicator, from any of the ways in which people write it.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use super::defang::refanged;
use super::range::{address, masked, range};
use crate::network;
use connmon_record::{IndicatorKind, hex};

/// Longer texts are no indicators.
const LONGEST: usize = 4096;
/// Characters of a host name at most (RFC 1035).
const LONGEST_NAME: usize = 253;

/// Endings of files that are no top-level domains (IANA's list), so that what ends with one is no host.
const FILES: [&str; 114] = [
    "exe", "dll", "sys", "drv", "ocx", "cpl", "scr", "pif", "msi", "msp", "msu", "bat", "cmd", "ps1", "psm1",
    "psd1", "vbs", "vbe", "js", "jse", "wsf", "wsh", "hta", "lnk", "reg", "inf", "ini", "cfg", "conf", "jar",
    "war", "class", "dex", "apk", "ipa", "dmg", "pkg", "deb", "rpm", "elf", "ko", "bin", "dat", "tmp", "log",
    "bak", "old", "txt", "csv", "json", "xml", "yml", "yaml", "html", "htm", "xhtml", "shtml", "php", "php5",
    "phtml", "asp", "aspx", "jsp", "cgi", "css", "swf", "png", "jpg", "jpeg", "gif", "bmp", "ico", "svg",
    "tif", "tiff", "mp3", "mp4", "avi", "mkv", "wav", "flv", "doc", "docx", "docm", "dotm", "xls", "xlsx",
    "xlsm", "xlsb", "xll", "ppt", "pptx", "pptm", "rtf", "odt", "pdf", "rar", "7z", "gz", "tgz", "bz2", "xz",
    "tar", "iso", "img", "vhd", "vhdx", "ace", "lzh", "pcap", "dmp", "eml", "msg", "rb",
];
/// Endings of files that are top-level domains as well.
const FILES_TOO: [&str; 10] = ["sh", "so", "py", "pl", "zip", "mov", "app", "cab", "rs", "md"];

/// Something that tells a connection from others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Indicator {
    /// The thing to look for.
    pub value: IndicatorValue,
    /// Only connections to this port of the remote.
    pub port: Option<u16>,
}

/// The kinds of things that an indicator names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum IndicatorValue {
    /// An address is a network of one.
    Network(IpNet),
    /// A host name in lower case: it, and every name below it.
    Name(Box<str>),
    /// A URL and its host, which is what can be seen of it.
    Url(UrlHost, Box<str>),
    /// An executable.
    Sha256([u8; 32]),
}

/// The host of a URL: it alone, not the names below it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum UrlHost {
    /// By address.
    Address(IpAddr),
    /// By name, in lower case.
    Name(Box<str>),
}

impl Indicator {
    /// Reads an address, a network, a name, a URL or a SHA-256, also one that was made harmless ("defanged") as in
    /// `1.2.3[.]4` or `hxxp://`. `None` if it is none of these.
    pub fn parse(text: &str) -> Option<Self> {
        let text = bare(text);
        if text.is_empty() || text.len() > LONGEST {
            return None;
        }
        let text = refanged(text);
        let text = text.as_ref();
        let any_port = |what| Self { value: what, port: None };
        if let Some((scheme, rest)) = text.split_once("://") {
            let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme.bytes().all(|c| c.is_ascii_alphanumeric() || b"+-.".contains(&c));
            return if is_scheme { url(rest, text) } else { None };
        }
        if let Some(hash) = sha256(text) {
            return Some(any_port(IndicatorValue::Sha256(hash)));
        }
        if let Some(network) =
            network(text).ok().or_else(|| masked(text)).or_else(|| Some(address(text)?.into()))
        {
            return Some(any_port(IndicatorValue::Network(network)));
        }
        if let Some((_, path)) = text.split_once('/') {
            // A prefix that no network can have makes no URL, nor does a range of networks.
            let prefix = path.split([' ', '-']).next().unwrap_or_default();
            return if prefix.parse::<u32>().is_ok() { None } else { url(text, text) };
        }
        let (host, port) = host(text)?;
        let what = match host {
            UrlHost::Address(ip) => IndicatorValue::Network(ip.into()),
            UrlHost::Name(name) => IndicatorValue::Name(name),
        };
        Some(Self { value: what, port })
    }

    /// The same, also of a range of addresses (`192.0.2.1 - 192.0.2.9`), which is as many networks as it takes. A name before
    /// the range is what some lists for file sharing have.
    pub(super) fn parse_with_ranges(text: &str) -> Option<Vec<Self>> {
        if let Some(one) = Self::parse(text) {
            return Some(vec![one]);
        }
        let text = refanged(bare(text));
        let networks = range(&text).or_else(|| range(text.rsplit_once(':')?.1))?;
        Some(networks.into_iter().map(Self::network).collect())
    }

    /// A network, for any port.
    pub(super) fn network(network: IpNet) -> Self {
        Self { value: IndicatorValue::Network(network), port: None }
    }

    /// Whether it may as well be the name of a file: `run.sh`.
    pub(super) fn may_be_a_file(&self) -> bool {
        let IndicatorValue::Name(name) = &self.value else { return false };
        name.rsplit('.').next().is_some_and(|last| FILES_TOO.contains(&last))
    }

    /// An indicator of an address, a network or a name that is not also tried as something else.
    pub(super) fn with_port(self, port: Option<u16>) -> Self {
        Self { port, ..self }
    }

    /// Its kind.
    pub fn kind(&self) -> IndicatorKind {
        match &self.value {
            IndicatorValue::Network(network) if network.prefix_len() == network.max_prefix_len() => {
                IndicatorKind::Address
            }
            IndicatorValue::Network(_) => IndicatorKind::Network,
            IndicatorValue::Name(_) => IndicatorKind::Name,
            IndicatorValue::Url(..) => IndicatorKind::Url,
            IndicatorValue::Sha256(_) => IndicatorKind::Sha256,
        }
    }
}

/// As it would be written in a list, not made harmless.
impl fmt::Display for Indicator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.value, self.port) {
            (IndicatorValue::Network(network), Some(port)) if self.kind() == IndicatorKind::Address => {
                SocketAddr::new(network.addr(), port).fmt(f)
            }
            (IndicatorValue::Network(network), _) if self.kind() == IndicatorKind::Address => {
                network.addr().fmt(f)
            }
            (IndicatorValue::Network(network), _) => network.fmt(f),
            (IndicatorValue::Name(name), Some(port)) => write!(f, "{name}:{port}"),
            (IndicatorValue::Name(name), None) => f.write_str(name),
            (IndicatorValue::Url(_, url), _) => f.write_str(url),
            (IndicatorValue::Sha256(hash), _) => f.write_str(&hex(hash)),
        }
    }
}

/// A text without quotes and punctuation around it.
pub(super) fn bare(text: &str) -> &str {
    let text = text.trim_matches(|c: char| c.is_whitespace() || "\"'`“”‘’„«»".contains(c));
    text.trim_end_matches([',', ';'])
}

/// A URL whose scheme is behind us: `rest` begins with its host.
fn url(rest: &str, whole: &str) -> Option<Indicator> {
    let authority = rest.split(['/', '?', '#']).next()?;
    let at = authority.rsplit('@').next()?;
    let (host, port) = host(at)?;
    Some(Indicator { value: IndicatorValue::Url(host, whole.into()), port })
}

/// An address or a name, with or without a port.
fn host(text: &str) -> Option<(UrlHost, Option<u16>)> {
    if let Ok(at) = text.parse::<SocketAddr>() {
        return Some((UrlHost::Address(at.ip().to_canonical()), Some(at.port()).filter(|port| *port > 0)));
    }
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return Some((UrlHost::Address(ip.to_canonical()), None));
    }
    match text.rsplit_once(':') {
        Some((text, port)) => {
            Some((UrlHost::Name(name(text)?), Some(port.parse().ok().filter(|port| *port > 0)?)))
        }
        None => Some((UrlHost::Name(name(text)?), None)),
    }
}

/// A host name of at least two labels, in lower case and as DNS has it (RFC 5891); `*.` in front of it and a dot behind mean
/// nothing.
pub(super) fn name(text: &str) -> Option<Box<str>> {
    let text = text.strip_suffix('.').unwrap_or(text);
    let text = text.strip_prefix("*.").or_else(|| text.strip_prefix('.')).unwrap_or(text);
    let text = match text.is_ascii() {
        true => Cow::Borrowed(text),
        false => Cow::Owned(idna::domain_to_ascii(text).ok()?),
    };
    let is_label = |label: &str| {
        (1..64).contains(&label.len())
            && label.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_')
    };
    let (_, last) = text.rsplit_once('.')?;
    let fits = text.len() <= LONGEST_NAME
        && text.split('.').all(is_label)
        && last.bytes().any(|c| c.is_ascii_alphabetic())
        && !FILES.iter().any(|ending| last.eq_ignore_ascii_case(ending));
    fits.then(|| text.to_ascii_lowercase().into())
}

/// The bytes of a SHA-256 in hexadecimal.
pub(super) fn sha256(text: &str) -> Option<[u8; 32]> {
    let digits = text.strip_prefix("sha256:").unwrap_or(text).as_bytes();
    let mut hash = [0; 32];
    if digits.len() != 64 {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        // Both are below 16.
        *byte = (digit(pair[0])? * 16 + digit(pair[1])?) as u8;
    }
    Some(hash)
}
