//! Field offsets of the running kernel, each checked for its size and its kind.

use connmon_ebpf::Offsets;

use super::btf::{Btf, BtfError, Kind};

/// Resolves every offset that the programs use.
///
/// # Errors
/// Names struct and field of the first one that is missing, or is of another size or kind.
pub fn resolve(btf: &Btf) -> Result<Offsets, BtfError> {
    let field = |name: &str, path: &str, size: Option<u32>, expected: Kind| {
        let field = btf.field(name, path)?;
        let (name, path) = (name.to_owned(), path.to_owned());
        match size {
            _ if field.kind != expected => {
                Err(BtfError::Kind { name, field: path, found: field.kind, expected })
            }
            Some(expected) if field.size != expected => {
                Err(BtfError::Size { name, field: path, found: field.size, expected })
            }
            _ => Ok(field.offset),
        }
    };
    let number = |name: &str, path: &str, size| field(name, path, Some(size), Kind::Number);
    let pointer = |name: &str, path: &str| field(name, path, Some(8), Kind::Pointer);
    let array = |name: &str, path: &str, size| field(name, path, Some(size), Kind::Array);
    // What is wrapped in a struct of its own, such as `kuid_t`.
    let wrapped = |name: &str, path: &str, size| field(name, path, Some(size), Kind::Struct);
    // A struct in a struct, whose own size does not matter.
    let inside = |name: &str, path: &str| field(name, path, None, Kind::Struct);
    // A field that has been moved: the first of the places that this kernel has.
    let one_of = |name: &str, paths: [(&str, u32); 3]| {
        let [first, rest @ ..] = paths.map(|(path, size)| number(name, path, size));
        rest.into_iter().fold(first, Result::or)
    };
    // The beginning of a socket is read at once.
    let begin = btf.field("sock_common", "skc_daddr")?.offset;
    for (name, offset) in [("skc_dport", 12), ("skc_num", 14)] {
        if number("sock_common", name, 2)? != begin + offset {
            return Err(BtfError::Place("sock_common".into(), name.into()));
        }
    }
    // Connection tracking may be a module, which then has a description of its own; the kernel's has these structs all the same
    // where its own code looks into them.
    let tracking = || {
        let tuples = btf.field("nf_conn", "tuplehash")?;
        let tuple = wrapped("nf_conntrack_tuple_hash", "tuple", 40)?;
        let packet = number("sk_buff", "_nfct", 8)?;
        let status = number("nf_conn", "status", 8)?;
        Ok::<_, BtfError>((packet, status, tuples.offset + tuple, tuples.size / 2))
    };
    let (skb_nfct, ct_status, ct_tuples, ct_direction) = tracking().unwrap_or((0, 0, u32::MAX, 0));
    Ok(Offsets {
        skc_daddr: number("sock_common", "skc_daddr", 4)?,
        skc_rcv_saddr: number("sock_common", "skc_rcv_saddr", 4)?,
        skc_dport: number("sock_common", "skc_dport", 2)?,
        skc_family: number("sock_common", "skc_family", 2)?,
        skc_state: number("sock_common", "skc_state", 1)?,
        skc_v6_daddr: wrapped("sock_common", "skc_v6_daddr", 16)?,
        skc_v6_rcv_saddr: wrapped("sock_common", "skc_v6_rcv_saddr", 16)?,
        skc_refcnt: wrapped("sock_common", "skc_refcnt", 4)?,
        skc_net: pointer("sock_common", "skc_net.net")?,
        skc_flags: number("sock_common", "skc_flags", 8)?,
        net_inum: number("net", "ns.inum", 4)?,
        inet_sport: number("inet_sock", "inet_sport", 2)?,
        cork_v4_daddr: number("inet_sock", "cork.fl.u.ip4.daddr", 4)?,
        cork_v4_dport: number("inet_sock", "cork.fl.u.ip4.uli.ports.dport", 2)?,
        cork_v6_daddr: wrapped("inet_sock", "cork.fl.u.ip6.daddr", 16)?,
        cork_v6_dport: number("inet_sock", "cork.fl.u.ip6.uli.ports.dport", 2)?,
        sk_socket: pointer("sock", "sk_socket")?,
        // Behind `socket_alloc.socket`, with which it begins (SOCK_INODE(), include/net/sock.h).
        socket_inode: inside("socket_alloc", "vfs_inode")?,
        sk_protocol: number("sock", "sk_protocol", 2)?,
        sk_uid: wrapped("sock", "sk_uid", 4)?,
        sk_type: number("sock", "sk_type", 2)?,
        icsk_ulp_ops: pointer("inet_connection_sock", "icsk_ulp_ops")?,
        sk_user_data: pointer("sock", "sk_user_data")?,
        psock_sk: pointer("sk_psock", "sk").unwrap_or(u32::MAX),
        sk_err: number("sock", "sk_err", 4)?,
        bytes_received: number("tcp_sock", "bytes_received", 8)?,
        bytes_sent: number("tcp_sock", "bytes_sent", 8)?,
        bytes_retrans: number("tcp_sock", "bytes_retrans", 8)?,
        rcv_nxt: number("tcp_sock", "rcv_nxt", 4)?,
        copied_seq: number("tcp_sock", "copied_seq", 4)?,
        total_retrans: number("tcp_sock", "total_retrans", 4)?,
        srtt_us: number("tcp_sock", "srtt_us", 4)?,
        snd_una: number("tcp_sock", "snd_una", 4)?,
        write_seq: number("tcp_sock", "write_seq", 4)?,
        skb_head: pointer("sk_buff", "head")?,
        skb_network_header: number("sk_buff", "network_header", 2)?,
        skb_transport_header: number("sk_buff", "transport_header", 2)?,
        skb_protocol: number("sk_buff", "protocol", 2)?,
        skb_nfct,
        ct_status,
        ct_tuples,
        ct_direction,
        msg_name: pointer("msghdr", "msg_name")?,
        group_leader: pointer("task_struct", "group_leader")?,
        real_parent: pointer("task_struct", "real_parent")?,
        task_tgid: number("task_struct", "tgid", 4)?,
        task_pid: number("task_struct", "pid", 4)?,
        start_boottime: number("task_struct", "start_boottime", 8)?,
        task_flags: number("task_struct", "flags", 4)?,
        task_signal: pointer("task_struct", "signal")?,
        task_mm: pointer("task_struct", "mm")?,
        real_cred: pointer("task_struct", "real_cred")?,
        task_comm: array("task_struct", "comm", 16)?,
        signal_live: wrapped("signal_struct", "live", 4)?,
        task_cgroups: pointer("task_struct", "cgroups")?,
        task_sessionid: number("task_struct", "sessionid", 4).unwrap_or(u32::MAX),
        task_fs: pointer("task_struct", "fs")?,
        fs_pwd: inside("fs_struct", "pwd")?,
        dfl_cgrp: pointer("css_set", "dfl_cgrp")?,
        cgroup_kn: pointer("cgroup", "kn")?,
        cgroup_root: pointer("cgroup", "root")?,
        hierarchy_id: number("cgroup_root", "hierarchy_id", 4)?,
        kernfs_id: number("kernfs_node", "id", 8)?,
        cred_uid: wrapped("cred", "uid", 4)?,
        cred_euid: wrapped("cred", "euid", 4)?,
        arg_start: number("mm_struct", "arg_start", 8)?,
        arg_end: number("mm_struct", "arg_end", 8)?,
        binprm_file: pointer("linux_binprm", "file")?,
        file_path: inside("file", "f_path")?,
        file_inode: pointer("file", "f_inode")?,
        file_private_data: pointer("file", "private_data")?,
        inode_mode: number("inode", "i_mode", 2)?,
        inode_ino: number("inode", "i_ino", 8)?,
        inode_nlink: number("inode", "i_nlink", 4)?,
        // A `struct timespec64` before Linux 6.11, under two names.
        inode_ctime_s: one_of("inode", [("i_ctime_sec", 8), ("__i_ctime.tv_sec", 8), ("i_ctime.tv_sec", 8)])?,
        inode_ctime_ns: one_of(
            "inode",
            [("i_ctime_nsec", 4), ("__i_ctime.tv_nsec", 8), ("i_ctime.tv_nsec", 8)],
        )?,
        inode_sb: pointer("inode", "i_sb")?,
        sb_dev: number("super_block", "s_dev", 4)?,
        path_mnt: pointer("path", "mnt")?,
        path_dentry: pointer("path", "dentry")?,
        dentry_parent: pointer("dentry", "d_parent")?,
        dentry_name: pointer("dentry", "d_name.name")?,
        mnt_root: pointer("vfsmount", "mnt_root")?,
        mount_mnt: inside("mount", "mnt")?,
        mount_parent: pointer("mount", "mnt_parent")?,
        mount_mountpoint: pointer("mount", "mnt_mountpoint")?,
        socket_sk: pointer("socket", "sk")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_offset_exists_in_the_running_kernel() {
        match Btf::of_kernel() {
            Ok(btf) => {
                let offsets = resolve(&btf).unwrap();
                assert_ne!(offsets.copied_seq, offsets.rcv_nxt);
            }
            Err(BtfError::Missing(error)) => println!("skipped: this kernel has no BTF ({error})"),
            Err(error) => panic!("{error}"),
        }
    }
}
