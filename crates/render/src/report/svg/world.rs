//! The outlines of the countries, on the map's grid.

/// Code, or `-` for areas without one, and path data. Sorted by code.
pub(super) fn outlines() -> impl Iterator<Item = (&'static str, &'static str)> {
    include_str!("../../../data/world.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('\t'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outlines_are_there_and_small() {
        assert!((170..=260).contains(&outlines().count()));
        assert!(outlines().any(|(code, path)| code == "DE" && path.starts_with('M') && path.ends_with('z')));
        assert!(outlines().map(|(_, path)| path.len()).sum::<usize>() < 110_000);
    }
}
