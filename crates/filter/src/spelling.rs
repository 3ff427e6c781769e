//! What was meant by a word that is misspelt.

/// The word that is most like another: the beginning of it, or at most two typing errors away.
pub fn alike(word: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let distance = |known: &str| {
        let begins = known.len() > 1 && (word.starts_with(known) || known.starts_with(word));
        if begins { 0 } else { strsim::damerau_levenshtein(word, known) }
    };
    let near = |(distance, known): &(usize, &str)| *distance <= 2 && *distance < known.len().max(2);
    known
        .map(|known| (distance(known), known))
        .filter(near)
        .min_by_key(|(distance, _)| *distance)
        .map(|near| near.1)
}
