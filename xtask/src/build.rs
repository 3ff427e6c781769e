//! `cargo xtask build`: connmon itself.

use anyhow::Result;

use crate::{cargo, setup, sh};

/// What to build.
#[derive(clap::Args)]
pub struct Args {
    /// With optimisations
    #[arg(long)]
    release: bool,
}

/// `cargo xtask build`.
pub fn run(args: &Args) -> Result<()> {
    setup::ensure()?;
    sh::run(cargo::cargo(&["build", "-p", "connmon"]).args(cargo::profile(args.release)))
}
