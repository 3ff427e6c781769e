//! Which of two kinds of groups have connections in common: each pair once, in about four bytes.

use std::collections::BTreeMap;

use connmon_record::varint;

/// So many parts of all pairs are put in order by themselves: what that takes is a part of what all take.
const PARTS: u32 = 64;
/// Pairs of a part that are kept as they come, at least.
const FRESH: usize = 1 << 10;

/// Pairs of places. Of the first ones there are many, with a few second ones each.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    parts: BTreeMap<u32, Part>,
    last: Option<(u32, u32)>,
}

/// The pairs whose first places have the same remainder.
#[derive(Debug, Default)]
struct Part {
    /// Those that are in order, each once: see [`Packer`].
    packed: Vec<u8>,
    count: usize,
    /// What has come since.
    fresh: Vec<(u32, u32)>,
}

impl Pairs {
    /// Adds a pair, which may be there already.
    pub(super) fn add(&mut self, one: u32, other: u32) {
        if self.last.replace((one, other)) != Some((one, other)) {
            self.parts.entry(one % PARTS).or_default().add(one, other);
        }
    }

    /// Calls `each` with every pair once, those of one first place after each other.
    pub(super) fn finish(self, mut each: impl FnMut(u32, u32)) {
        for mut part in self.parts.into_values() {
            part.tidy();
            unpacked(&part.packed).for_each(|(one, other)| each(one, other));
        }
    }

    /// Bytes that the pairs take.
    #[cfg(test)]
    fn bytes(&self) -> usize {
        let of = |part: &Part| part.packed.capacity() + 8 * part.fresh.capacity();
        self.parts.values().map(of).sum()
    }
}

impl Part {
    fn add(&mut self, one: u32, other: u32) {
        if self.fresh.len() == self.fresh.capacity() {
            let most = FRESH.max(self.count / 4);
            if self.fresh.len() >= most {
                self.tidy();
            }
            self.fresh.reserve_exact(most.min(2 * self.fresh.len().max(32)) - self.fresh.len());
        }
        self.fresh.push((one, other));
    }

    /// Puts what has come into its place.
    fn tidy(&mut self) {
        self.fresh.sort_unstable();
        self.fresh.dedup();
        let mut packer = Packer::default();
        packer.bytes.reserve(self.packed.len() + 3 * self.fresh.len());
        let mut fresh = self.fresh.drain(..).peekable();
        for pair in unpacked(&self.packed) {
            while let Some(before) = fresh.next_if(|one| *one < pair) {
                packer.push(before);
            }
            fresh.next_if_eq(&pair);
            packer.push(pair);
        }
        fresh.for_each(|pair| packer.push(pair));
        packer.bytes.shrink_to_fit();
        (self.packed, self.count) = (packer.bytes, packer.count);
    }
}

/// Makes bytes of pairs in ascending order: of each how much further its second place is; before it, if the first place is
/// another, 0 and how much further that is.
#[derive(Default)]
struct Packer {
    bytes: Vec<u8>,
    count: usize,
    last: (u32, u32),
}

impl Packer {
    fn push(&mut self, (one, other): (u32, u32)) {
        let begins = self.count == 0 || one != self.last.0;
        if begins {
            varint::push(&mut self.bytes, 0);
            varint::push(&mut self.bytes, u64::from(one - self.last.0));
            self.last.1 = 0;
        }
        // Of two pairs that follow each other the second place differs; the first one of all may be 0.
        let further = u64::from(other - self.last.1) + u64::from(begins);
        varint::push(&mut self.bytes, further);
        (self.last, self.count) = ((one, other), self.count + 1);
    }
}

/// The inverse.
fn unpacked(bytes: &[u8]) -> impl Iterator<Item = (u32, u32)> {
    let (mut numbers, mut one, mut other, mut begins) = (varint::read(bytes), 0_u32, 0_u32, false);
    std::iter::from_fn(move || {
        let mut further = numbers.next()?;
        if further == 0 {
            one = one.wrapping_add(numbers.next()? as u32);
            (further, other, begins) = (numbers.next()?, 0, true);
        }
        other = other.wrapping_add(further as u32).wrapping_sub(u32::from(begins));
        begins = false;
        Some((one, other))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(pairs: Pairs) -> Vec<(u32, u32)> {
        let mut all = Vec::new();
        pairs.finish(|one, other| all.push((one, other)));
        all
    }

    #[test]
    fn each_pair_is_there_once() {
        let mut pairs = Pairs::default();
        for number in 0..300_000 {
            pairs.add(number % 2, number % 3);
        }
        assert!(pairs.bytes() < 20_000, "{} bytes for six pairs", pairs.bytes());
        assert_eq!(all(pairs), [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]);
        let (mut pairs, ends) = (Pairs::default(), [0, 1, 64, u32::MAX]);
        let every = ends.iter().flat_map(|one| ends.iter().map(move |other| (*one, *other)));
        every.clone().for_each(|(one, other)| pairs.add(one, other));
        let mut found = all(pairs);
        found.sort_unstable();
        assert_eq!(found, every.collect::<Vec<_>>());
    }

    #[test]
    fn a_pair_takes_few_bytes() {
        let (mut random, mut pairs) = (connmon_fixtures::Random(5), Pairs::default());
        let mut expected = std::collections::BTreeSet::new();
        for _ in 0..400_000 {
            // As remote addresses have processes.
            let pair = (random.below(10_000) as u32, random.below(20_000) as u32);
            pairs.add(pair.0, pair.1);
            expected.insert(pair);
        }
        let each = pairs.bytes() as f64 / expected.len() as f64;
        assert!(each < 5.5, "{each} bytes a pair");
        assert!(pairs.parts.values().all(|part| part.count > 0));
        let mut found = all(pairs);
        found.sort_unstable();
        assert!(found.into_iter().eq(expected));
    }
}
