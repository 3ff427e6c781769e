//! The programs of each backend, and the places where they are attached.

/// The ways of attaching a program.
#[derive(Clone, Copy)]
pub(super) enum AttachPoint {
    TpBtf,
    FEntry,
    FExit,
    KProbe,
    SockAddr,
    /// As `SockAddr`, but before programs of the cgroups below: where the kernel has no such order, there is no such program.
    SockAddrFirst,
    /// The same, but where the kernel has no such order it is there all the same, behind them.
    SockAddrEarly,
    Sock,
    Egress,
    Ingress,
    Iter,
    /// User space runs it.
    Nowhere,
}

/// One program: its name in the object, where it goes, and whether the kernel may lack that place.
#[derive(Clone, Copy)]
pub(super) struct Probe(
    pub(super) &'static str,
    pub(super) AttachPoint,
    pub(super) &'static str,
    pub(super) bool,
);

/// Programs that softirqs reach as well as processes: they need a second copy everywhere, see `copies` in the kernel side.
pub(super) const NESTED: [&str; 2] = ["inet_sock_set_state", "tcp_destroy_sock"];

const fn needed(program: &'static str, place: AttachPoint, target: &'static str) -> Probe {
    Probe(program, place, target, true)
}

/// Left out where the kernel has no such function: older page-wise sending, or no IPv6.
const fn if_there(program: &'static str, place: AttachPoint, target: &'static str) -> Probe {
    Probe(program, place, target, false)
}

pub(super) const COMMON: &[Probe] = &[
    needed("sched_process_fork", AttachPoint::TpBtf, "sched_process_fork"),
    needed("sched_process_exec", AttachPoint::TpBtf, "sched_process_exec"),
    needed("sched_process_exit", AttachPoint::TpBtf, "sched_process_exit"),
    needed("cgroup_attach_task", AttachPoint::TpBtf, "cgroup_attach_task"),
    needed("cgroup_mkdir", AttachPoint::TpBtf, "cgroup_mkdir"),
    needed("tcp_destroy_sock", AttachPoint::TpBtf, "tcp_destroy_sock"),
    needed("inet_sock_set_state", AttachPoint::TpBtf, "inet_sock_set_state"),
    needed("tcp_rcv_space_adjust", AttachPoint::TpBtf, "tcp_rcv_space_adjust"),
    needed("snapshot", AttachPoint::Iter, "task_file"),
    needed("processes", AttachPoint::Iter, "task"),
    needed("ends", AttachPoint::Nowhere, ""),
];

/// A socket is made, where there is a hierarchy of cgroups.
pub(super) const BIRTH: Probe = if_there("cgroup_sock_create", AttachPoint::Sock, "sock_create");

/// The wire plane.
pub(super) const WIRE: &[Probe] = &[
    needed("wire_egress", AttachPoint::Egress, "egress"),
    needed("wire_ingress", AttachPoint::Ingress, "ingress"),
];

pub(super) const FENTRY: &[Probe] = &[
    needed("fexit_tcp_sendmsg", AttachPoint::FExit, "tcp_sendmsg"),
    if_there("fexit_tcp_sendpage", AttachPoint::FExit, "tcp_sendpage"),
    needed("fexit_tcp_v4_connect", AttachPoint::FExit, "tcp_v4_connect"),
    needed("fentry_tcp_v4_connect", AttachPoint::FEntry, "tcp_v4_connect"),
    if_there("fexit_tcp_v6_connect", AttachPoint::FExit, "tcp_v6_connect"),
    if_there("fentry_tcp_v6_connect", AttachPoint::FEntry, "tcp_v6_connect"),
    needed("fexit_inet_csk_accept", AttachPoint::FExit, "inet_csk_accept"),
    needed("fentry_udp_destroy_sock", AttachPoint::FEntry, "udp_destroy_sock"),
    if_there("fentry_udpv6_destroy_sock", AttachPoint::FEntry, "udpv6_destroy_sock"),
    needed("fentry_skb_consume_udp", AttachPoint::FEntry, "skb_consume_udp"),
    needed("fexit_udp_sendmsg", AttachPoint::FExit, "udp_sendmsg"),
    if_there("fexit_udpv6_sendmsg", AttachPoint::FExit, "udpv6_sendmsg"),
    if_there("fentry_tcp_v4_pre_connect", AttachPoint::FEntry, "tcp_v4_pre_connect"),
    if_there("fentry_tcp_v6_pre_connect", AttachPoint::FEntry, "tcp_v6_pre_connect"),
    if_there("fentry_udp_pre_connect", AttachPoint::FEntry, "udp_pre_connect"),
    if_there("fentry_udpv6_pre_connect", AttachPoint::FEntry, "udpv6_pre_connect"),
    if_there("fexit_sock_addr", AttachPoint::FExit, "__cgroup_bpf_run_filter_sock_addr"),
    if_there("fentry_sock_addr", AttachPoint::FEntry, "__cgroup_bpf_run_filter_sock_addr"),
    if_there("fexit_raw_sendmsg", AttachPoint::FExit, "raw_sendmsg"),
    if_there("fexit_rawv6_sendmsg", AttachPoint::FExit, "rawv6_sendmsg"),
    if_there("fexit_ping_v4_sendmsg", AttachPoint::FExit, "ping_v4_sendmsg"),
    if_there("fexit_ping_v6_sendmsg", AttachPoint::FExit, "ping_v6_sendmsg"),
    if_there("fexit_mptcp_sendmsg", AttachPoint::FExit, "mptcp_sendmsg"),
    if_there("fexit_packet_sendmsg", AttachPoint::FExit, "packet_sendmsg"),
    if_there("fexit_tcp_bpf_sendmsg", AttachPoint::FExit, "tcp_bpf_sendmsg"),
    if_there("fexit_tcp_bpf_sendpage", AttachPoint::FExit, "tcp_bpf_sendpage"),
    if_there("fexit_tcp_bpf_recvmsg", AttachPoint::FExit, "tcp_bpf_recvmsg"),
    if_there("fexit_tcp_bpf_recvmsg_parser", AttachPoint::FExit, "tcp_bpf_recvmsg_parser"),
    if_there("fexit_raw_recvmsg", AttachPoint::FExit, "raw_recvmsg"),
    if_there("fexit_rawv6_recvmsg", AttachPoint::FExit, "rawv6_recvmsg"),
    if_there("fexit_ping_recvmsg", AttachPoint::FExit, "ping_recvmsg"),
    if_there("fexit_mptcp_recvmsg", AttachPoint::FExit, "mptcp_recvmsg"),
    if_there("fexit_packet_recvmsg", AttachPoint::FExit, "packet_recvmsg"),
    if_there("fentry_skb_free_datagram", AttachPoint::FEntry, "skb_free_datagram"),
    if_there("fentry_packet_release", AttachPoint::FEntry, "packet_release"),
    needed("fentry_inet_release", AttachPoint::FEntry, "inet_release"),
];

pub(super) const KPROBE: &[Probe] = &[
    needed("kprobe_release_sock", AttachPoint::KProbe, "release_sock"),
    needed("kprobe_tcp_sendmsg", AttachPoint::KProbe, "tcp_sendmsg"),
    if_there("kprobe_tcp_sendpage", AttachPoint::KProbe, "tcp_sendpage"),
    needed("kretprobe_tcp_v4_connect", AttachPoint::KProbe, "tcp_v4_connect"),
    needed("kprobe_tcp_v4_connect", AttachPoint::KProbe, "tcp_v4_connect"),
    if_there("kretprobe_tcp_v6_connect", AttachPoint::KProbe, "tcp_v6_connect"),
    if_there("kprobe_tcp_v6_connect", AttachPoint::KProbe, "tcp_v6_connect"),
    needed("kretprobe_inet_csk_accept", AttachPoint::KProbe, "inet_csk_accept"),
    needed("kprobe_udp_destroy_sock", AttachPoint::KProbe, "udp_destroy_sock"),
    if_there("kprobe_udpv6_destroy_sock", AttachPoint::KProbe, "udpv6_destroy_sock"),
    needed("kprobe_skb_consume_udp", AttachPoint::KProbe, "skb_consume_udp"),
    needed("kretprobe_udp_sendmsg", AttachPoint::KProbe, "udp_sendmsg"),
    needed("kprobe_udp_sendmsg", AttachPoint::KProbe, "udp_sendmsg"),
    if_there("kretprobe_udpv6_sendmsg", AttachPoint::KProbe, "udpv6_sendmsg"),
    if_there("kprobe_udpv6_sendmsg", AttachPoint::KProbe, "udpv6_sendmsg"),
    if_there("kprobe_tcp_v4_pre_connect", AttachPoint::KProbe, "tcp_v4_pre_connect"),
    if_there("kprobe_tcp_v6_pre_connect", AttachPoint::KProbe, "tcp_v6_pre_connect"),
    if_there("kprobe_udp_pre_connect", AttachPoint::KProbe, "udp_pre_connect"),
    if_there("kprobe_udpv6_pre_connect", AttachPoint::KProbe, "udpv6_pre_connect"),
    if_there("kretprobe_sock_addr", AttachPoint::KProbe, "__cgroup_bpf_run_filter_sock_addr"),
    if_there("kprobe_sock_addr", AttachPoint::KProbe, "__cgroup_bpf_run_filter_sock_addr"),
    if_there("kretprobe_raw_sendmsg", AttachPoint::KProbe, "raw_sendmsg"),
    if_there("kprobe_raw_sendmsg", AttachPoint::KProbe, "raw_sendmsg"),
    if_there("kretprobe_rawv6_sendmsg", AttachPoint::KProbe, "rawv6_sendmsg"),
    if_there("kprobe_rawv6_sendmsg", AttachPoint::KProbe, "rawv6_sendmsg"),
    if_there("kretprobe_ping_v4_sendmsg", AttachPoint::KProbe, "ping_v4_sendmsg"),
    if_there("kprobe_ping_v4_sendmsg", AttachPoint::KProbe, "ping_v4_sendmsg"),
    if_there("kretprobe_ping_v6_sendmsg", AttachPoint::KProbe, "ping_v6_sendmsg"),
    if_there("kprobe_ping_v6_sendmsg", AttachPoint::KProbe, "ping_v6_sendmsg"),
    if_there("kretprobe_mptcp_sendmsg", AttachPoint::KProbe, "mptcp_sendmsg"),
    if_there("kprobe_mptcp_sendmsg", AttachPoint::KProbe, "mptcp_sendmsg"),
    if_there("kretprobe_packet_sendmsg", AttachPoint::KProbe, "packet_sendmsg"),
    if_there("kprobe_packet_sendmsg", AttachPoint::KProbe, "packet_sendmsg"),
    if_there("kretprobe_tcp_bpf_sendmsg", AttachPoint::KProbe, "tcp_bpf_sendmsg"),
    if_there("kprobe_tcp_bpf_sendmsg", AttachPoint::KProbe, "tcp_bpf_sendmsg"),
    if_there("kretprobe_tcp_bpf_sendpage", AttachPoint::KProbe, "tcp_bpf_sendpage"),
    if_there("kprobe_tcp_bpf_sendpage", AttachPoint::KProbe, "tcp_bpf_sendpage"),
    if_there("kretprobe_tcp_bpf_recvmsg", AttachPoint::KProbe, "tcp_bpf_recvmsg"),
    if_there("kprobe_tcp_bpf_recvmsg", AttachPoint::KProbe, "tcp_bpf_recvmsg"),
    if_there("kretprobe_tcp_bpf_recvmsg_parser", AttachPoint::KProbe, "tcp_bpf_recvmsg_parser"),
    if_there("kprobe_tcp_bpf_recvmsg_parser", AttachPoint::KProbe, "tcp_bpf_recvmsg_parser"),
    if_there("kretprobe_raw_recvmsg", AttachPoint::KProbe, "raw_recvmsg"),
    if_there("kprobe_raw_recvmsg", AttachPoint::KProbe, "raw_recvmsg"),
    if_there("kretprobe_rawv6_recvmsg", AttachPoint::KProbe, "rawv6_recvmsg"),
    if_there("kprobe_rawv6_recvmsg", AttachPoint::KProbe, "rawv6_recvmsg"),
    if_there("kretprobe_ping_recvmsg", AttachPoint::KProbe, "ping_recvmsg"),
    if_there("kprobe_ping_recvmsg", AttachPoint::KProbe, "ping_recvmsg"),
    if_there("kretprobe_mptcp_recvmsg", AttachPoint::KProbe, "mptcp_recvmsg"),
    if_there("kprobe_mptcp_recvmsg", AttachPoint::KProbe, "mptcp_recvmsg"),
    if_there("kretprobe_packet_recvmsg", AttachPoint::KProbe, "packet_recvmsg"),
    if_there("kprobe_packet_recvmsg", AttachPoint::KProbe, "packet_recvmsg"),
    if_there("kprobe_skb_free_datagram", AttachPoint::KProbe, "skb_free_datagram"),
    if_there("kprobe_packet_release", AttachPoint::KProbe, "packet_release"),
    needed("kprobe_inet_release", AttachPoint::KProbe, "inet_release"),
];

pub(super) const TRACEPOINT: &[Probe] = &[
    needed("cgroup_sock_release", AttachPoint::Sock, "sock_release"),
    needed("cgroup_asked4", AttachPoint::SockAddrFirst, "connect4"),
    needed("cgroup_asked6", AttachPoint::SockAddrFirst, "connect6"),
    needed("cgroup_named4", AttachPoint::SockAddrFirst, "sendmsg4"),
    needed("cgroup_named6", AttachPoint::SockAddrFirst, "sendmsg6"),
    needed("cgroup_connect4", AttachPoint::SockAddr, "connect4"),
    needed("cgroup_connect6", AttachPoint::SockAddr, "connect6"),
    needed("cgroup_getpeername4", AttachPoint::SockAddr, "getpeername4"),
    needed("cgroup_getpeername6", AttachPoint::SockAddr, "getpeername6"),
    needed("cgroup_sendmsg4", AttachPoint::SockAddr, "sendmsg4"),
    needed("cgroup_sendmsg6", AttachPoint::SockAddr, "sendmsg6"),
    needed("cgroup_recvmsg4", AttachPoint::SockAddrEarly, "recvmsg4"),
    needed("cgroup_recvmsg6", AttachPoint::SockAddrEarly, "recvmsg6"),
    needed("consume_skb", AttachPoint::TpBtf, "consume_skb"),
    needed("sock_recv_length", AttachPoint::TpBtf, "sock_recv_length"),
    needed("sock_send_length", AttachPoint::TpBtf, "sock_send_length"),
];
