//! How much a program and its destination are of concern, whatever they do: timing alone tells nothing.

use std::borrow::Cow;

use connmon_record::AddressKind;

use crate::program::{Owner, Trust};
use crate::world::{Destination, Group, World};

/// Steps of severity above "info", and the reasons for them.
pub(crate) struct Concern {
    /// May be below 0 where what raises a severity later is not to raise it above "info".
    pub(crate) steps: i32,
    pub(crate) words: Vec<Cow<'static, str>>,
}

/// The concern about a group.
pub(crate) fn of_group(world: &World, settings_learning_ns: i64, group: &Group) -> Concern {
    let trust = world.trust(group);
    let mut concern = of_trust(world, group, trust);
    if trust == Trust::Ordinary {
        return concern;
    }
    let nameless = !matches!(world.destination(group.destination), Destination::Name(_));
    if group.public && nameless && !group.inbound {
        concern.add(1, "no name is known of the public address");
    }
    if !group.public {
        let loopback = matches!(world.destination(group.destination),
            Destination::Address(ip) if AddressKind::of_address(*ip) == AddressKind::Loopback);
        concern.add(if loopback { -2 } else { -1 }, "the other end is not a public address");
    }
    if group.inbound {
        concern.add(-1, "the other end opened the connections");
    }
    let learnt =
        world.since.is_some_and(|since| group.first.0.saturating_sub(since.0) > settings_learning_ns);
    if trust == Trust::Local && learnt {
        concern.add(1, "first seen after the time of learning");
    }
    concern
}

fn of_trust(world: &World, group: &Group, trust: Trust) -> Concern {
    let program = world.program(group.program);
    let mut concern = Concern { steps: 0, words: Vec::new() };
    match trust {
        Trust::Ordinary => match &program.owner {
            Owner::Package(_) => concern.add(0, "the executable belongs to a package"),
            _ if program.kernel => concern.add(0, "a kernel thread"),
            _ if program.is_tool() => concern.add(0, "runs a script from a folder that packages fill"),
            _ => concern.add(0, "the executable is in a folder that packages fill"),
        },
        Trust::Local => concern.add(0, "the executable is in a folder that the administrator fills"),
        Trust::Tool => concern.add(1, "an interpreter or a tool, which does whatever it is told"),
        Trust::Unowned if program.owner == Owner::Nobody => {
            concern.add(2, "the executable belongs to no package")
        }
        Trust::Unowned => concern.add(2, "the executable is outside of the folders that packages fill"),
        Trust::Odd => match &program.owner {
            Owner::Altered(_) => concern.add(3, "the executable differs from its package's"),
            _ => concern.add(3, "the executable is where no program should be"),
        },
    }
    concern
}

impl Concern {
    /// Raises or lowers it, for this reason.
    pub(crate) fn add(&mut self, steps: i32, words: impl Into<Cow<'static, str>>) {
        self.steps += steps;
        self.words.push(words.into());
    }
}
