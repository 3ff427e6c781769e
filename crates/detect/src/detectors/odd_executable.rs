//! D4: executables that are where none should be, or are not what they should be.

use connmon_record::AddressKind;
use serde::{Deserialize, Serialize};

use super::per_group::PerPlace;
use super::{Detector, Seen};
use crate::card::Card;
use crate::draft::View;
use crate::finding::{Figure, Severity};
use crate::findings::Findings;
use crate::program::{Gone, Home, Owner, Program, is_build};
use crate::world::{FORGOTTEN, Moved};

pub(crate) static CARD: Card = Card {
    code: "D4",
    name: "odd-executable",
    title: "Odd executables",
    does: "Looks at each executable that uses the network: whether it is in a folder that everybody can write to, in memory only, \
           in a hidden folder of a home folder, deleted while it runs, of no package, or another file than its package has.",
    formula: "Differs from its package's digest: high. In memory only (memfd) or in /dev/shm: high. In /tmp, /var/tmp or /run/user: \
              medium. In a hidden folder of a home folder, but for folders of language and editor installers: medium. In /usr/bin and \
              the like, but of no package: medium. Deleted while it ran: medium; info where packages put files, because an update \
              deletes the old one. AppImages (/tmp/.mount_…) and programs that were just built (go-build, target/debug): info. If it \
              only talks to this host, one step less.",
    innocent: &[
        "installers and self-extracting programs unpack into temporary folders; AppImages are mounted there",
        "programs that were just built, by cargo, go or a test",
        "an update replaced the executable of a program that still runs",
        "container runtimes run themselves from memory (runc, crun)",
    ],
    refuted_by: &[
        "the file's hash is that of the maker",
        "the package manager's log has an update at the time when the executable was deleted",
        "the user knows what was built or unpacked there",
    ],
};

/// The state of the detector.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct OddExecutable {
    programs: PerPlace<Told>,
    /// Programs that something was told of.
    found: Vec<u32>,
}

/// What was told of a program.
#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Told {
    #[default]
    No,
    /// It only talked to this host.
    Here,
    All,
}

impl Detector for OddExecutable {
    fn connection(&mut self, seen: &Seen<'_>, findings: &mut Findings) {
        let told = self.programs.at(seen.place.program);
        if *told == Told::All || !is_of_interest(seen.program()) {
            return;
        }
        let here = AddressKind::of_address(seen.connection.remote.ip) == AddressKind::Loopback;
        let now = if here { Told::Here } else { Told::All };
        if *told == now {
            return;
        }
        if *told == Told::No {
            self.found.push(seen.place.program);
        }
        *told = now;
        tell(seen.view, seen.program(), now, findings);
    }

    /// What goes on is told anew, up to its latest connection.
    fn advance(&mut self, view: View<'_>, findings: &mut Findings) {
        for place in &self.found {
            tell(view, view.world.program(*place), *self.programs.at(*place), findings);
        }
    }

    fn forget(&mut self, moved: &Moved) {
        self.programs.forget(&moved.programs, drop);
        let places = std::mem::take(&mut self.found).into_iter().map(|place| moved.program(place));
        self.found = places.filter(|place| *place != FORGOTTEN).collect();
    }
}

impl OddExecutable {
    /// Whether there are as many programs as its findings name.
    pub(super) fn is_sound(&self, programs: usize) -> bool {
        self.found.iter().all(|place| (*place as usize) < programs)
    }
}

fn tell(view: View<'_>, program: &Program, told: Told, findings: &mut Findings) {
    let Some((why, severity, score)) = oddity(program) else { return };
    let here = told == Told::Here;
    let mut finding = view.about_program(&CARD, "", program);
    let (path, _) = finding.subject.words();
    finding.what = format!("{path} is {why}, and uses the network").into();
    finding.severity = Severity::above_info(severity as i32 - i32::from(here));
    finding.score = score;
    finding.connections = program.connections;
    (finding.first, finding.last) = (program.first, program.last);
    if here {
        finding.context.push("it only talks to this host".into());
    }
    finding.figures = vec![Figure::text("reason", why), Figure::text("path", program.path.clone())];
    findings.put(finding);
}

/// Whether there can be anything to tell: the cheap half of [`oddity`].
fn is_of_interest(program: &Program) -> bool {
    !program.kernel
        && (program.state != Gone::No
            || !matches!(program.home, Home::System | Home::Local | Home::User | Home::Unknown)
            || matches!(program.owner, Owner::Nobody | Owner::Altered(_)))
}

/// Why a program is odd, how much, and what it scores within that.
fn oddity(program: &Program) -> Option<(&'static str, Severity, f64)> {
    use Severity::{High, Info, Medium};
    let path = program.path.raw();
    let found = match (program.state, program.home, &program.owner) {
        (_, _, Owner::Altered(_)) => ("not the file that its package has", High, 1.0),
        (Gone::Memory, ..) if is_runtime(program.comm.raw()) => {
            ("in memory only, as container runtimes are", Info, 0.3)
        }
        (Gone::Memory, ..) => ("in memory only", High, 0.9),
        (_, Home::SharedMemory, _) => ("in shared memory", High, 0.9),
        (_, Home::Temporary, _) if is_build(path) => {
            ("an AppImage, or a program that was just built", Info, 0.2)
        }
        (Gone::Deleted, Home::Temporary, _) => ("in a folder for temporary files, and deleted", Medium, 0.9),
        (_, Home::Temporary, _) => ("in a folder for temporary files", Medium, 0.7),
        (_, Home::Hidden, _) => ("in a hidden folder", Medium, 0.6),
        (Gone::Deleted, Home::System | Home::Local, _) => ("deleted, as an update does", Info, 0.4),
        (Gone::Deleted, ..) => ("deleted", Medium, 0.6),
        (_, Home::System, Owner::Nobody) => ("in a folder of packages, but belongs to none", Medium, 0.5),
        _ => return None,
    };
    Some(found)
}

/// Container runtimes copy themselves into memory before they run (CVE-2019-5736).
fn is_runtime(comm: &str) -> bool {
    comm.starts_with("runc") || ["crun", "youki"].contains(&comm)
}
