//! The service as an administrator has it, in a guest with systemd (`cargo xtask vm --systemd`): installed from its package,
//! through what happens in years, up to the removal, after which nothing may be left. What the generator sent while the service
//! recorded must be there to the byte; what was not recorded must be in a gap.
//!
//! The guest is started several times; a file says what is done. Each step says on the console how it ended.

mod faults;
mod guest;
mod package;
mod story;

use anyhow::Result;
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

/// Plays what is not done yet.
fn play() -> Result<()> {
    let mut story = Story::read()?;
    for (name, step) in STEPS.iter().skip(story.done()) {
        println!("{MARK} {name}");
        let seconds = guest::uptime()?;
        step(&mut story).map_err(|error| error.context(*name))?;
        println!("{MARK}   {:.1} s", guest::uptime()? - seconds);
        story.did()?;
    }
    Ok(())
}
