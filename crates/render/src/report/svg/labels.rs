//! Labels that do not cover each other: each takes the first free side of its point, or is left out.

/// A rectangle on the grid.
#[derive(Clone, Copy, Debug)]
pub(super) struct Area {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) right: f64,
    pub(super) bottom: f64,
}

impl Area {
    /// The square around a point.
    pub(super) fn around(x: f64, y: f64, radius: f64) -> Self {
        Self { left: x - radius, top: y - radius, right: x + radius, bottom: y + radius }
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }

    fn is_inside(&self, other: &Self) -> bool {
        self.left >= other.left
            && self.right <= other.right
            && self.top >= other.top
            && self.bottom <= other.bottom
    }
}

/// Where a label stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    /// Of the anchor.
    pub(super) x: f64,
    /// Of the baseline.
    pub(super) y: f64,
    /// The `text-anchor`.
    pub(super) anchor: &'static str,
}

/// Places labels one after the other on a sheet.
pub(super) struct Placer {
    sheet: Area,
    taken: Vec<Area>,
    size: f64,
}

impl Placer {
    /// For text of this size; nothing is placed on what is `taken` or beyond the sheet.
    pub(super) fn new(sheet: Area, taken: Vec<Area>, size: f64) -> Self {
        Self { sheet, taken, size }
    }

    /// From now on nothing is placed here.
    pub(super) fn keep_free(&mut self, area: Area) {
        self.taken.push(area);
    }

    /// The first free side of a point with this radius.
    pub(super) fn place(&mut self, x: f64, y: f64, radius: f64, text: &str) -> Option<Spot> {
        // The mean width of a letter of common sans-serif faces, a little generous.
        let width = text.chars().count() as f64 * self.size * 0.54;
        let gap = radius + self.size * 0.35;
        let height = self.size;
        let spots = [
            (x + gap, y + height * 0.35, "start"),
            (x - gap, y + height * 0.35, "end"),
            (x, y - gap - height * 0.2, "middle"),
            (x, y + gap + height * 0.95, "middle"),
            (x + gap * 0.7, y - gap * 0.7, "start"),
            (x + gap * 0.7, y + gap * 0.7 + height * 0.7, "start"),
            (x - gap * 0.7, y - gap * 0.7, "end"),
            (x - gap * 0.7, y + gap * 0.7 + height * 0.7, "end"),
        ];
        spots.into_iter().find_map(|(x, y, anchor)| {
            let left = match anchor {
                "start" => x,
                "end" => x - width,
                _ => x - width / 2.0,
            };
            let area = Area { left, top: y - height * 0.85, right: left + width, bottom: y + height * 0.3 };
            let free = area.is_inside(&self.sheet) && !self.taken.iter().any(|other| area.overlaps(other));
            free.then(|| {
                self.taken.push(area);
                Spot { x, y, anchor }
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_keep_apart() {
        let sheet = Area { left: 0.0, top: 0.0, right: 200.0, bottom: 100.0 };
        let mut placer = Placer::new(sheet, vec![Area::around(100.0, 50.0, 3.0)], 10.0);
        let anchors: Vec<_> =
            (0..6).map(|_| placer.place(100.0, 50.0, 3.0, "Germany").map(|spot| spot.anchor)).collect();
        assert_eq!(&anchors[..4], [Some("start"), Some("end"), Some("middle"), Some("middle")]);
        assert_eq!(anchors[5], None, "no room is left");
        assert!(placer.place(199.0, 2.0, 3.0, "a label far too long for any corner of this sheet").is_none());
    }
}
