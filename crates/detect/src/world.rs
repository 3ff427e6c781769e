//! The world as the engine knows it: programs, destinations, and groups, which are pairs of both.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::net::IpAddr;

use connmon_record::untrusted::exact;
use connmon_record::{AddressKind, Connection, Direction, Process, Timestamp, Untrusted, service_port};
use serde::{Deserialize, Serialize};

use crate::program::{self, Home, Owner, Program, Trust};
use crate::settings::Settings;

/// A group that is no longer known, in [`Moved`].
pub(crate) const FORGOTTEN: u32 = u32::MAX;

/// The other end of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Destination {
    /// Its name.
    Name(#[serde(serialize_with = "exact")] Untrusted),
    /// Where no name is known: the number and the organisation of its network.
    Network(u32, #[serde(serialize_with = "exact")] Untrusted),
    /// Where neither is known: its address.
    Address(IpAddr),
}

/// The connections between a program and a destination in one direction.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Group {
    /// The place of its program in [`World::program`].
    pub program: u32,
    /// The place of its destination in [`World::destination`].
    pub destination: u32,
    /// The other end opened the connections.
    pub inbound: bool,
    /// Whether the address is public, as far as its first connection tells.
    pub public: bool,
    /// Every process so far ran a script from a folder that packages fill.
    pub system_script: bool,
    /// The port of the service of its latest connection.
    pub port: u16,
    /// When its first connection was opened.
    pub first: Timestamp,
    /// When something was last seen of it.
    pub last: Timestamp,
    /// Connections.
    pub connections: u64,
}

/// Whom a file belongs to: asked once for each program.
pub(crate) type Ownership = Box<dyn FnMut(&Process) -> Owner + Send>;

/// Programs, destinations and groups.
#[derive(Default, Serialize, Deserialize)]
pub struct World {
    programs: Vec<Program>,
    destinations: Vec<Destination>,
    groups: Vec<Group>,
    #[serde(skip)]
    keys: Keys,
    /// When the engine was first told anything.
    pub(crate) since: Option<Timestamp>,
    /// The latest time that it was told.
    pub(crate) now: Timestamp,
    /// Groups that were forgotten, because there were too many.
    pub(crate) forgotten: u64,
}

/// The places of all by what they are known by. Made anew when a state is read.
#[derive(Default)]
struct Keys {
    programs: HashMap<Box<str>, u32>,
    /// The program that was the last to be first seen at a path.
    paths: HashMap<Box<str>, u32>,
    names: HashMap<Box<str>, u32>,
    networks: HashMap<u32, u32>,
    addresses: HashMap<IpAddr, u32>,
    groups: HashMap<u64, u32, BuildHasherDefault<Mix>>,
}

/// Spreads keys that are made of places, which nobody else chooses.
#[derive(Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, key: u64) {
        let mixed = (self.0 ^ key).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ mixed >> 32;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Keys {
    fn program(&mut self, program: &Program, place: u32) {
        self.programs.insert(program.key().into(), place);
        if let Some(hash) = &program.sha256 {
            self.programs.insert(hash.clone(), place);
        }
        self.paths.insert(program.path.raw().into(), place);
    }

    fn destination(&mut self, destination: &Destination, place: u32) {
        match destination {
            Destination::Name(name) => self.names.insert(name.raw().into(), place),
            Destination::Network(number, _) => self.networks.insert(*number, place),
            Destination::Address(ip) => self.addresses.insert(*ip, place),
        };
    }
}

impl Group {
    /// Places have 31 bits: there are never as many groups.
    fn key(program: u32, destination: u32, inbound: bool) -> u64 {
        u64::from(program) << 33 | u64::from(destination) << 1 | u64::from(inbound)
    }
}

/// Where programs, destinations and groups are after some were forgotten: their new place, or [`FORGOTTEN`].
pub(crate) struct Moved {
    pub(crate) programs: Vec<u32>,
    pub(crate) destinations: Vec<u32>,
    pub(crate) groups: Vec<u32>,
}

impl Moved {
    /// The new place of a program.
    pub(crate) fn program(&self, place: u32) -> u32 {
        self.programs.get(place as usize).copied().unwrap_or(FORGOTTEN)
    }

    /// The new place of a group.
    pub(crate) fn group(&self, place: u32) -> u32 {
        self.groups.get(place as usize).copied().unwrap_or(FORGOTTEN)
    }
}

/// The place of a connection in the world.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) program: u32,
    pub(crate) group: u32,
    /// When something was last seen of the group before this event.
    pub(crate) before: Option<Timestamp>,
    /// The program was not known before this event.
    pub(crate) is_new_program: bool,
}

impl World {
    /// A program.
    pub fn program(&self, place: u32) -> &Program {
        &self.programs[place as usize]
    }

    /// A destination.
    pub fn destination(&self, place: u32) -> &Destination {
        &self.destinations[place as usize]
    }

    /// A group.
    pub fn group(&self, place: u32) -> &Group {
        &self.groups[place as usize]
    }

    /// The latest time that the engine was told.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The number of groups that are known.
    pub fn groups(&self) -> usize {
        self.groups.len()
    }

    /// How ordinary the program of a group is there: an interpreter that runs a script of a package is as ordinary as that.
    pub(crate) fn trust(&self, group: &Group) -> Trust {
        let trust = self.program(group.program).trust();
        if trust == Trust::Tool && group.system_script { Trust::Ordinary } else { trust }
    }

    /// The number of programs that are known.
    pub fn programs(&self) -> usize {
        self.programs.len()
    }

    /// Finds the place of a connection, or makes it; counts the connection if `counts`.
    pub(crate) fn place(
        &mut self,
        connection: &Connection,
        time: Timestamp,
        counts: bool,
        owner_of: &mut Ownership,
    ) -> Option<Place> {
        let process = connection.owner.as_deref()?;
        let (program, is_new_program) = match self.program_of(process) {
            Some(place) => (place, false),
            None => {
                let place = self.programs.len() as u32;
                let program = Program::new(process, owner_of(process), time);
                self.keys.program(&program, place);
                self.programs.push(program);
                (place, true)
            }
        };
        self.note_hash(program, process);
        let destination = self.destination_of(connection);
        let inbound = connection.direction == Direction::In;
        let group_key = Group::key(program, destination, inbound);
        let (group, before) = match self.keys.groups.get(&group_key) {
            Some(place) => (*place, Some(self.groups[*place as usize].last)),
            None => {
                let place = self.groups.len() as u32;
                self.groups.push(Group {
                    program,
                    destination,
                    inbound,
                    public: AddressKind::of_address(connection.remote.ip) == AddressKind::Public,
                    system_script: true,
                    port: 0,
                    first: connection.opened,
                    last: time,
                    connections: 0,
                });
                self.keys.groups.insert(group_key, place);
                self.programs[program as usize].destinations += 1;
                (place, None)
            }
        };
        let known = &mut self.programs[program as usize];
        known.last = known.last.max(time);
        let of = &mut self.groups[group as usize];
        of.first = of.first.min(connection.opened);
        of.last = of.last.max(time);
        if counts {
            known.connections += 1;
            of.connections += 1;
            of.port = service_port(connection.direction, connection.local.port, connection.remote.port);
            of.system_script &= !known.is_tool() || program::script_home(process) == Home::System;
        }
        Some(Place { program, group, before, is_new_program })
    }

    /// The program of a process. One whose file is yet to be examined is the one that was last seen at its path; and the first hash that is
    /// known of a path is that of the program whose file had not been examined.
    fn program_of(&self, process: &Process) -> Option<u32> {
        self.keys.programs.get(program::key_of(process)).copied().or_else(|| {
            let place = *self.keys.paths.get(process.exe.raw())?;
            let known = self.program(place);
            let is_it = match program::hash_of(process) {
                Some(_) => known.awaited && known.sha256.is_none(),
                None => program::is_awaited(process),
            };
            is_it.then_some(place)
        })
    }

    /// Takes note of the hash of a program that had not been examined.
    fn note_hash(&mut self, place: u32, process: &Process) {
        let program = &mut self.programs[place as usize];
        if let (None, Some(hash)) = (&program.sha256, program::hash_of(process)) {
            program.sha256 = Some(hash.into());
            self.keys.programs.insert(hash.into(), place);
        }
    }

    /// What the program of a process is known by.
    pub(crate) fn key_of<'a>(&'a self, process: &'a Process) -> &'a str {
        self.program_of(process).map_or(program::key_of(process), |place| self.program(place).key())
    }

    fn destination_of(&mut self, connection: &Connection) -> u32 {
        let ip = connection.remote.ip;
        let (name, place) = (connection.host(), connection.place.as_deref());
        let network = place.and_then(|place| place.asn);
        let known = match (name, network) {
            (Some(name), _) => self.keys.names.get(name.raw()),
            (None, Some(number)) => self.keys.networks.get(&number),
            (None, None) => self.keys.addresses.get(&ip),
        };
        if let Some(place) = known {
            return *place;
        }
        let destination = match (name, network) {
            (Some(name), _) => Destination::Name(name.clone()),
            (None, Some(number)) => {
                let organisation = place.and_then(|place| place.org.clone());
                Destination::Network(number, organisation.unwrap_or_default())
            }
            (None, None) => Destination::Address(ip),
        };
        let place = self.destinations.len() as u32;
        self.keys.destination(&destination, place);
        self.destinations.push(destination);
        place
    }

    /// Whether every place that a group names is there. A state may come from anybody.
    pub(crate) fn is_sound(&self) -> bool {
        let [programs, destinations] = [self.programs.len(), self.destinations.len()];
        let is_there = |group: &Group| {
            (group.program as usize) < programs && (group.destination as usize) < destinations
        };
        self.groups.len() < FORGOTTEN as usize && self.groups.iter().all(is_there)
    }

    /// Makes the keys of all, which a state does not have.
    pub(crate) fn make_keys(&mut self) {
        let mut keys = Keys::default();
        for (place, program) in (0..).zip(&self.programs) {
            keys.program(program, place);
        }
        for (place, destination) in (0..).zip(&self.destinations) {
            keys.destination(destination, place);
        }
        for (place, group) in (0..).zip(&self.groups) {
            keys.groups.insert(Group::key(group.program, group.destination, group.inbound), place);
        }
        self.keys = keys;
    }

    /// Forgets a quarter of the groups, those that were quiet longest, if there are too many.
    pub(crate) fn forget(&mut self, settings: &Settings) -> Option<Moved> {
        if self.groups.len() <= settings.max_groups {
            return None;
        }
        let keep = settings.max_groups - settings.max_groups / 4;
        let mut by_time: Vec<u32> = (0..self.groups.len() as u32).collect();
        by_time.sort_unstable_by_key(|place| {
            (std::cmp::Reverse(self.groups[*place as usize].last), std::cmp::Reverse(*place))
        });
        by_time.truncate(keep);
        by_time.sort_unstable();
        self.forgotten += (self.groups.len() - by_time.len()) as u64;
        let mut moved = Moved {
            programs: vec![FORGOTTEN; self.programs.len()],
            destinations: vec![FORGOTTEN; self.destinations.len()],
            groups: vec![FORGOTTEN; self.groups.len()],
        };
        let mut groups = Vec::with_capacity(settings.max_groups);
        for old in by_time {
            let group = self.groups[old as usize].clone();
            moved.groups[old as usize] = groups.len() as u32;
            moved.programs[group.program as usize] = 0;
            moved.destinations[group.destination as usize] = 0;
            groups.push(group);
        }
        compact(&mut self.programs, &mut moved.programs);
        compact(&mut self.destinations, &mut moved.destinations);
        for group in &mut groups {
            group.program = moved.programs[group.program as usize];
            group.destination = moved.destinations[group.destination as usize];
        }
        self.groups = groups;
        self.make_keys();
        Some(moved)
    }
}

/// Keeps what has a place that is not [`FORGOTTEN`], and notes where it is then.
fn compact<T>(all: &mut Vec<T>, moved: &mut [u32]) {
    let (mut next, mut old) = (0, 0);
    all.retain(|_| {
        let place = &mut moved[old];
        old += 1;
        let stays = *place != FORGOTTEN;
        if stays {
            *place = next;
            next += 1;
        }
        stays
    });
}
