//! The service as an administrator has it, in a guest with systemd (`cargo xtask vm --systemd`): installed from its package,
//! through what happens in years, up to the removal, after which nothing may be left. What the generator sent while the service
//! recorded must be there to the byte; what was not recorded must be in a gap.
//!
//! The guest is started several times; a file says what is done. Each step says on the console how it ended.

mod alerts;
mod faults;
mod guest;
mod package;
mod story;

use anyhow::{Result, ensure};
use story::Story;

/// Begins each line for whoever started the guest.
const MARK: &str = "@@connmon-vm";

/// A step, and its name.
type Step = (&'static str, fn(&mut Story) -> Result<()>);

/// What happens, in order.
const STEPS: &[Step] = &[
    ("install", package::install),
    ("confined", package::confined),
    ("records", story::records),
    ("reboot", guest::reboot),
    ("starts by itself", guest::started),
    ("records after the reboot", story::records),
    ("kill -9", faults::killed),
    ("full disk", faults::full),
    ("clock", faults::clock),
    ("root writes", faults::root_writes),
    ("upgrade", package::upgrade),
    ("records after the upgrade", story::records),
    ("whole", story::whole),
    ("power is lost", guest::power_lost),
    ("starts after that", guest::started),
    ("records after that", story::records),
    ("whole again", story::whole),
    ("alerts", alerts::told),
    ("remove", package::remove),
    ("purge", package::purge),
];

fn main() {
    let end = match play() {
        Ok(()) => "done",
        Err(error) => {
            println!("{MARK} failed: {error:#}");
            guest::tell_why();
            "failed"
        }
    };
    println!("{MARK} {end}");
    guest::switch_off();
}

/// The steps to play: those that `E2E_STEPS` names, between commas, or all.
fn steps() -> Result<Vec<Step>> {
    let Ok(wanted) = std::env::var("E2E_STEPS") else { return Ok(STEPS.to_vec()) };
    let names: Vec<&str> = wanted.split(',').collect();
    for name in &names {
        ensure!(STEPS.iter().any(|(known, _)| known == name), "there is no step \"{name}\"");
    }
    Ok(STEPS.iter().filter(|(name, _)| names.contains(name)).copied().collect())
}

/// Plays what is not done yet.
fn play() -> Result<()> {
    let mut story = Story::read()?;
    for (name, step) in steps()?.iter().skip(story.done()) {
        println!("{MARK} {name}");
        let seconds = guest::uptime()?;
        step(&mut story).map_err(|error| error.context(*name))?;
        println!("{MARK}   {:.1} s", guest::uptime()? - seconds);
        story.did()?;
    }
    Ok(())
}
