//! What a case consists of.

use anyhow::Result;

use super::{Family, Hold, Role, Script, Stage, Unsupported};
use crate::sys::netns::Netns;
use crate::truth::Truth;

/// One kind of traffic: its roles and who directs them.
pub struct Case {
    /// Short name.
    pub name: &'static str,
    /// One sentence for `traffic list`.
    pub about: &'static str,
    /// The IP versions it runs with.
    pub families: &'static [Family],
    /// What the worker processes can play.
    pub roles: Vec<(&'static str, Role)>,
    /// Starts the roles and lets them meet.
    pub drive: fn(&mut Stage<'_>) -> Result<()>,
    /// Runs in a network namespace of its own.
    pub netns: bool,
    /// Waits in the middle until it is told to go on; needs a recorder of its own.
    pub hold: bool,
    /// What is sent need not arrive.
    pub lossy: bool,
}

impl Case {
    /// A case without roles so far; by default each role is started after the one before is ready.
    pub fn new(name: &'static str, about: &'static str) -> Self {
        Self {
            name,
            about,
            families: &[Family::V4, Family::V6],
            roles: Vec::new(),
            drive: |stage| stage.in_order(),
            netns: false,
            hold: false,
            lossy: false,
        }
    }

    /// The usual case: a server, then a client that knows the server's address as [`Worker::peer`].
    pub fn pair(name: &'static str, about: &'static str, server: Role, client: Role) -> Self {
        Self::new(name, about).role("server", server).role("client", client)
    }

    /// Adds a role.
    pub fn role(mut self, name: &'static str, role: Role) -> Self {
        self.roles.push((name, role));
        self
    }

    /// Replaces the director.
    pub fn drive(mut self, drive: fn(&mut Stage<'_>) -> Result<()>) -> Self {
        self.drive = drive;
        self
    }

    /// Runs over IPv4 only.
    pub fn v4(mut self) -> Self {
        self.families = &[Family::V4];
        self
    }

    /// Runs in a network namespace of its own.
    pub fn netns(mut self) -> Self {
        self.netns = true;
        self
    }

    /// Waits in the middle.
    pub fn hold(mut self) -> Self {
        self.hold = true;
        self
    }

    /// What is sent need not arrive.
    pub fn lossy(mut self) -> Self {
        self.lossy = true;
        self
    }

    /// The name of one run: with the family where there are two.
    pub fn id(&self, family: Family) -> String {
        match (self.families.len(), family) {
            (1, _) => self.name.to_owned(),
            (_, Family::V4) => format!("{}-v4", self.name),
            (_, Family::V6) => format!("{}-v6", self.name),
        }
    }

    /// The role called `name`.
    pub fn find_role(&self, name: &str) -> Option<Role> {
        self.roles.iter().find(|(known, _)| *known == name).map(|&(_, role)| role)
    }

    /// A stage for it on which nothing has happened so far.
    pub fn stage<'a>(
        &self,
        family: Family,
        hold: &'a Hold,
        publish: &'a mut (dyn FnMut(Truth) -> Result<()> + 'a),
    ) -> Stage<'a> {
        let roles = self.roles.iter().map(|(name, _)| *name).collect();
        let script = Script { id: self.id(family), roles, hold: self.hold, lossy: self.lossy };
        Stage::new(script, family, hold, publish)
    }

    /// Plays it and publishes its truth.
    pub fn play(
        &self,
        family: Family,
        hold: &Hold,
        publish: &mut dyn FnMut(Truth) -> Result<()>,
    ) -> Result<()> {
        let _netns = if self.netns { Some(Netns::enter()?) } else { None };
        let mut stage = self.stage(family, hold, publish);
        match (self.drive)(&mut stage).and_then(|()| stage.finish()) {
            Err(error) => stage.skip(error.downcast::<Unsupported>()?.0),
            Ok(()) => Ok(()),
        }
    }
}
