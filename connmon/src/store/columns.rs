//! Where the columns of connections are in a query's rows: looked up once for a query, because SQLite compares names, and
//! a report reads millions of rows.

use rusqlite::types::FromSql;
use rusqlite::{Row, Statement};

/// A column; stores of earlier versions lack some of them until something is recorded into them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    name: &'static str,
    place: Option<usize>,
}

impl Column {
    /// The value.
    ///
    /// # Errors
    /// There is no such column, or it has something else.
    pub(super) fn get<T: FromSql>(self, row: &Row<'_>) -> rusqlite::Result<T> {
        match self.place {
            Some(place) => row.get(place),
            None => Err(rusqlite::Error::InvalidColumnName(self.name.to_owned())),
        }
    }

    /// The value, if the store has the column.
    ///
    /// # Errors
    /// It has something else.
    pub(super) fn newer<T: FromSql>(self, row: &Row<'_>) -> rusqlite::Result<Option<T>> {
        self.place.map_or(Ok(None), |place| row.get(place))
    }
}

macro_rules! columns {
    ($($name:ident)*) => {
        /// The columns of `connection` and `endpoint`.
        pub(super) struct Columns {
            $(pub(super) $name: Column,)*
        }

        impl Columns {
            /// Where they are in the rows of this query.
            pub(super) fn of(statement: &Statement<'_>) -> Self {
                $(let $name = Column { name: stringify!($name), place: statement.column_index(stringify!($name)).ok() };)*
                Self { $($name,)* }
            }
        }
    };
}

columns! {
    id run_id remote_id direction end kernel_tx kernel_rx retransmits retransmitted_bytes rtt_us wire_tx_bytes wire_rx_bytes
    wire_tx_packets wire_rx_packets proto local_ip local_port ip remote_port opened closed preexisting subflow inexact
    owner_id country label asked_ip asked_port
}
