//! Workloads: the systemd unit, container and pod of a process, from the path of its cgroup.

use serde::{Deserialize, Serialize};

use super::untrusted::exact;
use super::{Untrusted, from_bytes};

/// The workload to which a process belongs, from the path of its cgroup.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workload {
    /// The systemd unit, such as `ssh.service`.
    #[serde(serialize_with = "exact")]
    pub unit: Option<Untrusted>,
    /// The systemd slice that it is in, without systemd's escapes.
    #[serde(serialize_with = "exact")]
    pub slice: Option<Untrusted>,
    /// The container.
    pub container: Option<Container>,
    /// Uid of the Kubernetes pod.
    #[serde(serialize_with = "exact")]
    pub pod: Option<Untrusted>,
}

/// A container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// `docker`, `podman`, `containerd`, `cri-o`, `lxc` or `nspawn`.
    #[serde(serialize_with = "exact")]
    pub runtime: Untrusted,
    /// The runtime's id of it, mostly 64 hexadecimal digits.
    #[serde(serialize_with = "exact")]
    pub id: Untrusted,
    /// Its name, where the runtime's files tell.
    #[serde(serialize_with = "exact")]
    pub name: Option<Untrusted>,
    /// The image that it was made from, where the runtime's files tell.
    #[serde(serialize_with = "exact")]
    pub image: Option<Untrusted>,
}

impl Container {
    /// The short name of the workload: `docker:web`, or the beginning of its id if it has no name.
    pub fn title(&self) -> Untrusted {
        let id = self.id.raw();
        let short = id.get(..12).unwrap_or(id);
        format!("{}:{}", self.runtime.raw(), self.name.as_ref().map_or(short, Untrusted::raw)).into()
    }
}

impl Workload {
    /// Reads a cgroup's path, as systemd and the container runtimes name them.
    ///
    /// Units: systemd.unit(5), systemd.slice(5). Containers: Docker and Podman make `docker-ID.scope`, `libpod-ID.scope` or
    /// `/docker/ID`; the Kubernetes runtimes `cri-containerd-ID.scope`, `crio-ID.scope` or `kubepods/…/podUID/ID`; LXC
    /// `lxc.payload.NAME`; systemd-nspawn `machine-NAME.scope`.
    pub fn of_cgroup(path: &str) -> Self {
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let ends = |suffixes: &[&str]| {
            let found = parts.iter().rev().find(|part| suffixes.iter().any(|suffix| part.ends_with(suffix)));
            found.map(|part| (*part).to_owned())
        };
        let slice = ends(&[".slice"]).map(|slice| unescaped(&slice).into());
        Self {
            unit: ends(&[".service", ".scope", ".socket", ".mount", ".swap"]).map(Into::into),
            container: parts.iter().enumerate().rev().find_map(|(at, part)| container(&parts[..at], part)),
            pod: parts.iter().rev().find_map(|part| pod(part)).map(Into::into),
            slice,
        }
    }
}

/// The container that a part of a path names; `above` are the parts before it.
fn container(above: &[&str], part: &str) -> Option<Container> {
    let named = |runtime: &str, id: &str| {
        Some(Container { runtime: runtime.into(), id: id.into(), ..Container::default() })
    };
    let stem = part.strip_suffix(".scope").unwrap_or(part);
    // `kubepods-burstable-pod….slice:cri-containerd:ID`, where containerd does not use systemd.
    let stem = stem.rsplit(':').next().unwrap_or(stem);
    for (prefix, runtime) in [
        ("docker-", "docker"),
        ("libpod-", "podman"),
        ("cri-containerd-", "containerd"),
        ("nerdctl-", "containerd"),
        ("crio-", "cri-o"),
    ] {
        // `libpod-conmon-ID` watches over the container from outside.
        if let Some(id) = stem.strip_prefix(prefix).filter(|id| is_id(id)) {
            return named(runtime, id);
        }
    }
    if let Some(name) = stem.strip_prefix("lxc.payload.") {
        return named("lxc", name);
    }
    if let Some(name) = stem.strip_prefix("machine-").filter(|_| stem != part) {
        return machine(&unescaped(name)).and_then(|(runtime, name)| named(runtime, name));
    }
    if !is_id(stem) {
        return (above.last() == Some(&"lxc")).then(|| named("lxc", stem)).flatten();
    }
    let runtime = match above.last() {
        Some(&"docker") => "docker",
        Some(&"libpod_parent") => "podman",
        _ if above.iter().any(|part| part.starts_with("kubepods")) || part.contains(":cri-containerd:") => {
            "containerd"
        }
        _ => return None,
    };
    named(runtime, stem)
}

/// The container that a machine of systemd-machined is, and its name. libvirt calls its machines DRIVER-NUMBER-NAME
/// (virDomainDriverGenerateMachineName(), src/hypervisor/domain_driver.c), and only its driver for LXC makes containers.
fn machine(name: &str) -> Option<(&'static str, &str)> {
    let mut parts = name.splitn(3, '-');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(driver), Some(number), Some(rest)) if number.parse::<u32>().is_ok() => match driver {
            "lxc" => Some(("lxc", rest)),
            "qemu" | "xen" | "ch" | "bhyve" | "vz" | "test" => None,
            _ => Some(("nspawn", name)),
        },
        _ => Some(("nspawn", name)),
    }
}

/// The text behind a part of a unit's name, in which systemd writes `\xNN` for what may not stand there (systemd.unit(5), "String
/// Escaping for Inclusion in Unit Names").
fn unescaped(part: &str) -> String {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        let code = behind.strip_prefix(b"x").and_then(|hex| std::str::from_utf8(hex.get(..2)?).ok());
        match code.filter(|_| first == b'\\').and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &behind[3..];
            }
            None => {
                bytes.push(first);
                rest = behind;
            }
        }
    }
    from_bytes(&bytes)
}

/// 64 hexadecimal digits.
fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// `podUID`, `kubepods-burstable-podUID.slice`; systemd cannot have dashes in it, so there they are underscores.
fn pod(part: &str) -> Option<String> {
    let stem = part.split(':').next()?;
    let stem = stem.strip_suffix(".slice").unwrap_or(stem);
    let uid = stem.rsplit_once("pod").filter(|(before, _)| before.is_empty() || before.ends_with('-'))?.1;
    let uid = uid.replace('_', "-");
    let plain = uid.replace('-', "");
    (plain.len() == 32 && plain.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(uid)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn container_of(path: &str) -> Option<(String, String)> {
        Workload::of_cgroup(&path.replace("ID", ID))
            .container
            .map(|it| (it.runtime.into_raw(), it.id.raw().replace(ID, "ID")))
    }

    #[test]
    fn units_and_slices() {
        for (path, unit, slice) in [
            ("/system.slice/ssh.service", Some("ssh.service"), Some("system.slice")),
            ("/user.slice/user-1000.slice/session-3.scope", Some("session-3.scope"), Some("user-1000.slice")),
            (
                "/user.slice/user-1000.slice/user@1000.service/app.slice/app-foot.scope",
                Some("app-foot.scope"),
                Some("app.slice"),
            ),
            ("/system.slice/ssh.service/child", Some("ssh.service"), Some("system.slice")),
            (
                r"/system.slice/system-serial\x2dgetty.slice/serial-getty@ttyS0.service",
                Some("serial-getty@ttyS0.service"),
                Some("system-serial-getty.slice"),
            ),
            (r"/odd\x2.slice", None, Some(r"odd\x2.slice")),
            ("/", None, None),
            ("", None, None),
        ] {
            let place = Workload::of_cgroup(path);
            assert_eq!(
                (place.unit.as_ref().map(Untrusted::raw), place.slice.as_ref().map(Untrusted::raw)),
                (unit, slice),
                "{path}"
            );
            assert_eq!((place.container, place.pod), (None, None), "{path}");
        }
    }

    #[test]
    fn containers_of_each_runtime() {
        for (path, runtime, id) in [
            ("/system.slice/docker-ID.scope", "docker", "ID"),
            ("/docker/ID", "docker", "ID"),
            ("/docker/ID/init.scope", "docker", "ID"),
            ("/machine.slice/libpod-ID.scope/container", "podman", "ID"),
            ("/kubepods.slice/kubepods-besteffort.slice/x.slice/cri-containerd-ID.scope", "containerd", "ID"),
            ("/kubepods/burstable/pod00000000-1111-2222-3333-444444444444/ID", "containerd", "ID"),
            ("/kubepods.slice/x.slice/crio-ID.scope", "cri-o", "ID"),
            ("/system.slice/kubepods-pod0.slice:cri-containerd:ID", "containerd", "ID"),
            ("/lxc.payload.web/system.slice/ssh.service", "lxc", "web"),
            ("/lxc/web", "lxc", "web"),
            ("/machine.slice/machine-deb.scope/payload", "nspawn", "deb"),
            (r"/machine.slice/machine-web\x2d1.scope/payload", "nspawn", "web-1"),
            (r"/machine.slice/machine-a\x2d1\x2db.scope", "nspawn", "a-1-b"),
            (r"/machine.slice/machine-lxc\x2d7\x2dweb\x2dvm.scope/libvirt", "lxc", "web-vm"),
        ] {
            assert_eq!(container_of(path), Some((runtime.to_owned(), id.to_owned())), "{path}");
        }
        for path in [
            "/machine.slice/libpod-conmon-ID.scope",
            "/a/ID",
            "/system.slice/docker.service",
            "/docker/x",
            r"/machine.slice/machine-qemu\x2d1\x2dwebvm.scope/libvirt/emulator",
            "/machine.slice/machine-qemu-12-deb.scope",
            "/machine-room/x",
        ] {
            assert_eq!(container_of(path), None, "{path}");
        }
    }

    #[test]
    fn pods_with_dashes_and_underscores() {
        let uid = "12345678-9abc-def0-1234-56789abcdef0";
        let slice = format!("/kubepods.slice/kubepods-burstable-pod{}.slice/x", uid.replace('-', "_"));
        for path in [format!("/kubepods/besteffort/pod{uid}/x"), slice] {
            assert_eq!(Workload::of_cgroup(&path).pod.as_ref().map(Untrusted::raw), Some(uid), "{path}");
        }
        assert_eq!(Workload::of_cgroup("/system.slice/podman.service").pod, None);
    }
}
