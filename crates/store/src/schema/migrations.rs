//! The tables, as they came to be. A migration is never changed once it has been released; the next one is appended.

/// A file each, applied in order; `PRAGMA user_version` tells how many have been.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("migrations/01.sql"),
    include_str!("migrations/02.sql"),
    include_str!("migrations/03.sql"),
    include_str!("migrations/04.sql"),
    include_str!("migrations/05.sql"),
    include_str!("migrations/06.sql"),
    include_str!("migrations/07.sql"),
    include_str!("migrations/08.sql"),
    include_str!("migrations/09.sql"),
    include_str!("migrations/10.sql"),
    include_str!("migrations/11.sql"),
    include_str!("migrations/12.sql"),
    include_str!("migrations/13.sql"),
    include_str!("migrations/14.sql"),
    include_str!("migrations/15.sql"),
    include_str!("migrations/16.sql"),
    include_str!("migrations/17.sql"),
    include_str!("migrations/18.sql"),
    include_str!("migrations/19.sql"),
    include_str!("migrations/20.sql"),
    include_str!("migrations/21.sql"),
    include_str!("migrations/22.sql"),
    include_str!("migrations/23.sql"),
];
