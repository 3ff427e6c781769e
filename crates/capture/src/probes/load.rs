//! Loading programs: the kernel's verifier takes most of a start, and works on as many at a time as there are processors.

use std::collections::HashMap;
use std::sync::Mutex;
use std::thread;

use aya::programs::{
    BtfTracePoint, CgroupSkb, CgroupSock, CgroupSockAddr, FEntry, FExit, Iter, KProbe, Program, ProgramError,
    RawTracePoint,
};
use aya::{Btf, Ebpf};

use super::Planned;
use super::programs::AttachPoint;

/// Threads at most: beyond, there is nothing left for the last ones to do.
const THREADS: usize = 8;

/// Loads all of these; why those were refused that were, by their names.
pub(super) fn all(ebpf: &mut Ebpf, planned: &[Planned], types: &Btf) -> HashMap<String, ProgramError> {
    let mut programs: HashMap<&str, &mut Program> = ebpf.programs_mut().collect();
    let (mut failed, mut found) = (HashMap::new(), Vec::new());
    for one in planned {
        match programs.remove(one.name.as_str()) {
            Some(program) => found.push((one, program)),
            None => drop(failed.insert(one.name.clone(), ProgramError::NotLoaded)),
        }
    }
    let threads = thread::available_parallelism().map_or(1, usize::from).min(THREADS).min(found.len());
    let (left, refused) = (Mutex::new(found.into_iter()), Mutex::new(failed));
    let work = || {
        while let Some((one, program)) = left.lock().ok().and_then(|mut left| left.next()) {
            if let (Err(error), Ok(mut refused)) = (load(program, one, types), refused.lock()) {
                refused.insert(one.name.clone(), error);
            }
        }
    };
    thread::scope(|scope| {
        (1..threads).for_each(|_| drop(scope.spawn(work)));
        work();
    });
    refused.into_inner().unwrap_or_default()
}

fn load(
    program: &mut Program,
    Planned { place, target, .. }: &Planned,
    types: &Btf,
) -> Result<(), ProgramError> {
    match place {
        AttachPoint::TpBtf => <&mut BtfTracePoint>::try_from(program)?.load(target, types),
        AttachPoint::FEntry => <&mut FEntry>::try_from(program)?.load(target, types),
        AttachPoint::FExit => <&mut FExit>::try_from(program)?.load(target, types),
        AttachPoint::KProbe => <&mut KProbe>::try_from(program)?.load(),
        AttachPoint::SockAddr | AttachPoint::SockAddrFirst | AttachPoint::SockAddrEarly => {
            <&mut CgroupSockAddr>::try_from(program)?.load()
        }
        AttachPoint::Egress | AttachPoint::Ingress => <&mut CgroupSkb>::try_from(program)?.load(),
        AttachPoint::Iter => <&mut Iter>::try_from(program)?.load(target, types),
        AttachPoint::Nowhere => <&mut RawTracePoint>::try_from(program)?.load(),
        AttachPoint::Sock => <&mut CgroupSock>::try_from(program)?.load(),
    }
}
