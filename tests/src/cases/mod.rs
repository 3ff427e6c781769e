//! The zoo: every kind of traffic that connmon must get right.
//!
//! One file a theme; each entry is a name, a sentence and a small function a role.

use anyhow::{Context, Result};

use crate::stage::{Case, Family, Role};

mod identity;
mod mptcp;
mod namespace;
pub mod process;
mod raw;
mod tcp_accept;
mod tcp_amount;
mod tcp_basic;
mod tcp_calls;
mod tcp_end;
mod tcp_fail;
mod tcp_flags;
mod tcp_open;
mod tcp_shared;
mod tcp_tls;
mod tcp_uring;
mod udp;
mod udp_batch;
mod udp_connect;
mod udp_error;
mod udp_group;
mod udp_race;
mod wait;

/// All cases, in the order in which they run.
pub fn all() -> Vec<Case> {
    [
        tcp_basic::cases(),
        tcp_calls::cases(),
        tcp_end::cases(),
        tcp_fail::cases(),
        tcp_accept::cases(),
        tcp_shared::cases(),
        tcp_amount::cases(),
        tcp_flags::cases(),
        tcp_uring::cases(),
        tcp_open::cases(),
        tcp_tls::cases(),
        udp::cases(),
        udp_connect::cases(),
        udp_batch::cases(),
        udp_error::cases(),
        udp_group::cases(),
        udp_race::cases(),
        namespace::cases(),
        identity::cases(),
        mptcp::cases(),
        raw::cases(),
        process::cases(),
        wait::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The runs that `name` means: a case with all its families, or one of them.
pub fn find<'a>(cases: &'a [Case], name: &str) -> Vec<(&'a Case, Family)> {
    let runs = cases.iter().flat_map(|case| case.families.iter().map(move |&family| (case, family)));
    runs.filter(|(case, family)| case.name == name || case.id(*family) == name).collect()
}

/// What a worker process has to do.
pub fn find_role(id: &str, role: &str) -> Result<(Family, Role)> {
    let mut cases = all();
    cases.extend([crate::storm::case(), crate::storm::crowd::case(), crate::demo::case()]);
    let (case, family) = *find(&cases, id).first().with_context(|| format!("no case {id}"))?;
    Ok((family, case.find_role(role).with_context(|| format!("{id} has no role {role}"))?))
}
