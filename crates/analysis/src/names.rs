//! The few names of an address in one piece of memory: there are as many of these as addresses.

use std::fmt;

use super::cells::FEW;
use connmon_record::Untrusted;
use connmon_record::varint;

/// At most eight names, the first by the alphabet.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Names(Box<[u8]>);

impl Names {
    /// The names, in order.
    pub fn iter(&self) -> impl Iterator<Item = Untrusted<&str>> {
        self.texts().map(Untrusted::from)
    }

    /// The first.
    pub fn first(&self) -> Option<Untrusted<&str>> {
        self.iter().next()
    }

    /// Takes in a name.
    pub(super) fn insert(&mut self, name: Untrusted<&str>) {
        let mut all: Vec<&str> = self.texts().collect();
        let Err(place) = all.binary_search(&name.raw()) else { return };
        if place >= FEW {
            return;
        }
        all.insert(place, name.raw());
        let mut bytes = Vec::with_capacity(self.0.len() + name.len() + 2);
        for name in all.into_iter().take(FEW) {
            varint::push(&mut bytes, name.len() as u64);
            bytes.extend(name.as_bytes());
        }
        self.0 = bytes.into();
    }

    fn texts(&self) -> impl Iterator<Item = &str> {
        let mut rest = &*self.0;
        std::iter::from_fn(move || {
            let mut numbers = varint::read(rest);
            let length = usize::try_from(numbers.next()?).ok()?;
            let (name, after) = numbers.rest().split_at_checked(length)?;
            rest = after;
            std::str::from_utf8(name).ok()
        })
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_few_are_kept_in_order() {
        let mut names = Names::default();
        assert_eq!(names.first(), None);
        let long = format!("a{}", "b".repeat(300));
        for name in ["host-7", "", "host-3", "host-7", "ü\0", "host-5", &long, "z"] {
            names.insert(name.into());
        }
        let kept: Vec<_> = names.iter().map(|name| name.raw().to_owned()).collect();
        assert_eq!(kept, ["", &long, "host-3", "host-5", "host-7", "z", "ü\0"]);
        for number in 0..20 {
            names.insert(Untrusted::from(format!("b{number:02}")).borrowed());
        }
        assert_eq!(names.iter().count(), FEW);
        assert_eq!(format!("{:?}", names.iter().last()), "Some(\"b05\")");
    }
}
