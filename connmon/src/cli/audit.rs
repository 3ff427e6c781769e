//! `connmon audit`

use clap::{Args, ValueEnum};

use super::{Source, TableFormat};
use connmon_render::export::audit;

/// `connmon audit`
#[derive(Debug, Args)]
pub struct AuditArgs {
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would print it as help")]
    pub source: Source,
    /// Group by one key, or by two, as in user,day [default: exe; process for csv and json]
    #[arg(long, value_enum, value_name = "KEY[,KEY]", value_delimiter = ',')]
    pub by: Vec<GroupByArg>,
    /// Show the first N groups; the others are summed into one row
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub top: Option<u32>,
    /// Sort order; numbers from high to low [default: bytes; name for month, day and hour]
    #[arg(long, value_enum)]
    pub sort: Option<GroupSortArg>,
    /// Output format
    #[arg(long, value_enum, default_value_t = TableFormat::Table)]
    pub format: TableFormat,
    /// Below the table, explain completeness in full and compare the bytes with the counters of the network interfaces
    #[arg(long)]
    pub explain: bool,
}

/// `--by`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GroupByArg {
    /// Each process: if several use a connection, each has the bytes that it moved itself; the connection counts for the owner
    Process,
    /// Each executable
    Exe,
    /// Each user
    User,
    /// Each systemd unit
    Unit,
    /// Each container
    Container,
    /// Each remote host, by its best known name, or by its address if no name is known
    Host,
    /// Each remote address
    Remote,
    /// Each country in which remote addresses are registered
    Country,
    /// Each autonomous system, if a geo database knew it: see `connmon geo`
    Asn,
    /// Each organisation that runs autonomous systems
    Org,
    /// Each label that a rule gave
    Label,
    /// Each port of a service: the remote port of outbound connections, the local one of inbound ones
    Port,
    /// Each month, in UTC: bytes count in the month in which they were moved, a connection in the one in which it was opened
    Month,
    /// Each day, in UTC: bytes count on the day on which they were moved, a connection on the day on which it was opened
    Day,
    /// Each hour, in UTC: bytes count in the hour in which they were moved, a connection in the one in which it was opened
    Hour,
}

/// `--sort`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GroupSortArg {
    /// Bytes sent and received
    Bytes,
    /// Bytes sent
    Tx,
    /// Bytes received
    Rx,
    /// Connections
    Connections,
    /// The name, the address, the port or the time
    Name,
}

impl From<GroupByArg> for audit::GroupBy {
    fn from(by: GroupByArg) -> Self {
        match by {
            GroupByArg::Process => Self::Process,
            GroupByArg::Exe => Self::Exe,
            GroupByArg::User => Self::User,
            GroupByArg::Unit => Self::Unit,
            GroupByArg::Container => Self::Container,
            GroupByArg::Host => Self::Host,
            GroupByArg::Remote => Self::Remote,
            GroupByArg::Country => Self::Country,
            GroupByArg::Asn => Self::Asn,
            GroupByArg::Org => Self::Org,
            GroupByArg::Label => Self::Label,
            GroupByArg::Port => Self::Port,
            GroupByArg::Month => Self::Month,
            GroupByArg::Day => Self::Day,
            GroupByArg::Hour => Self::Hour,
        }
    }
}

impl From<GroupSortArg> for audit::GroupSort {
    fn from(sort: GroupSortArg) -> Self {
        match sort {
            GroupSortArg::Bytes => Self::Bytes,
            GroupSortArg::Tx => Self::Tx,
            GroupSortArg::Rx => Self::Rx,
            GroupSortArg::Connections => Self::Connections,
            GroupSortArg::Name => Self::Name,
        }
    }
}
