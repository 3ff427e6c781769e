//! Which fields of kernel structs the programs read.

macro_rules! offsets {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Byte offsets of kernel struct fields, resolved from the running kernel's BTF by user space and
        /// written into the object's read-only data before it is loaded.
        #[repr(C)]
        #[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Offsets { $($(#[$doc])* pub $name: u32,)* }
    };
}

offsets! {
    /// sock_common.skc_daddr
    skc_daddr,
    /// sock_common.skc_rcv_saddr
    skc_rcv_saddr,
    /// sock_common.skc_dport
    skc_dport,
    /// sock_common.skc_family
    skc_family,
    /// sock_common.skc_state
    skc_state,
    /// sock_common.skc_v6_daddr
    skc_v6_daddr,
    /// sock_common.skc_v6_rcv_saddr
    skc_v6_rcv_saddr,
    /// sock_common.skc_refcnt
    skc_refcnt,
    /// sock_common.skc_net (a pointer)
    skc_net,
    /// sock_common.skc_flags
    skc_flags,
    /// net.ns.inum
    net_inum,
    /// inet_sock.inet_sport
    inet_sport,
    /// inet_sock.cork.fl.u.ip4.daddr
    cork_v4_daddr,
    /// inet_sock.cork.fl.u.ip4.uli.ports.dport
    cork_v4_dport,
    /// inet_sock.cork.fl.u.ip6.daddr
    cork_v6_daddr,
    /// inet_sock.cork.fl.u.ip6.uli.ports.dport
    cork_v6_dport,
    /// sock.sk_socket
    sk_socket,
    /// socket_alloc.vfs_inode
    socket_inode,
    /// sock.sk_protocol
    sk_protocol,
    /// sock.sk_uid
    sk_uid,
    /// sock.sk_type
    sk_type,
    /// inet_connection_sock.icsk_ulp_ops
    icsk_ulp_ops,
    /// sock.sk_user_data
    sk_user_data,
    /// sk_psock.sk; `u32::MAX` where the kernel has no sockmaps
    psock_sk,
    /// sock.sk_err
    sk_err,
    /// tcp_sock.bytes_received
    bytes_received,
    /// tcp_sock.bytes_sent
    bytes_sent,
    /// tcp_sock.bytes_retrans
    bytes_retrans,
    /// tcp_sock.rcv_nxt
    rcv_nxt,
    /// tcp_sock.copied_seq
    copied_seq,
    /// tcp_sock.total_retrans
    total_retrans,
    /// tcp_sock.srtt_us
    srtt_us,
    /// tcp_sock.snd_una
    snd_una,
    /// tcp_sock.write_seq
    write_seq,
    /// sk_buff.head
    skb_head,
    /// sk_buff.network_header
    skb_network_header,
    /// sk_buff.transport_header
    skb_transport_header,
    /// sk_buff.protocol
    skb_protocol,
    /// sk_buff._nfct
    skb_nfct,
    /// nf_conn.status
    ct_status,
    /// nf_conn.tuplehash[0].tuple; `u32::MAX` where the kernel's BTF does not describe connection tracking
    ct_tuples,
    /// Bytes from nf_conn.tuplehash[0].tuple to nf_conn.tuplehash[1].tuple
    ct_direction,
    /// msghdr.msg_name
    msg_name,
    /// task_struct.group_leader
    group_leader,
    /// task_struct.real_parent
    real_parent,
    /// task_struct.tgid
    task_tgid,
    /// task_struct.pid
    task_pid,
    /// task_struct.start_boottime
    start_boottime,
    /// task_struct.flags
    task_flags,
    /// task_struct.signal
    task_signal,
    /// task_struct.mm
    task_mm,
    /// task_struct.real_cred
    real_cred,
    /// task_struct.comm
    task_comm,
    /// signal_struct.live
    signal_live,
    /// task_struct.cgroups
    task_cgroups,
    /// task_struct.sessionid; `u32::MAX` where the kernel has none
    task_sessionid,
    /// task_struct.fs
    task_fs,
    /// fs_struct.pwd
    fs_pwd,
    /// css_set.dfl_cgrp
    dfl_cgrp,
    /// cgroup.kn
    cgroup_kn,
    /// cgroup.root
    cgroup_root,
    /// cgroup_root.hierarchy_id
    hierarchy_id,
    /// kernfs_node.id
    kernfs_id,
    /// cred.uid
    cred_uid,
    /// cred.euid
    cred_euid,
    /// mm_struct.arg_start
    arg_start,
    /// mm_struct.arg_end
    arg_end,
    /// linux_binprm.file
    binprm_file,
    /// file.f_path
    file_path,
    /// file.f_inode
    file_inode,
    /// file.private_data
    file_private_data,
    /// inode.i_mode
    inode_mode,
    /// inode.i_ino
    inode_ino,
    /// inode.i_nlink
    inode_nlink,
    /// The seconds of inode.i_ctime
    inode_ctime_s,
    /// Its nanoseconds, of which the topmost bit is none
    inode_ctime_ns,
    /// inode.i_sb
    inode_sb,
    /// super_block.s_dev
    sb_dev,
    /// path.mnt
    path_mnt,
    /// path.dentry
    path_dentry,
    /// dentry.d_parent
    dentry_parent,
    /// dentry.d_name.name
    dentry_name,
    /// vfsmount.mnt_root
    mnt_root,
    /// mount.mnt
    mount_mnt,
    /// mount.mnt_parent
    mount_parent,
    /// mount.mnt_mountpoint
    mount_mountpoint,
    /// socket.sk
    socket_sk,
}
