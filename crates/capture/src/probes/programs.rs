//! Which programs each backend consists of, and where they go.

/// How a program gets its place.
#[derive(Clone, Copy)]
pub(super) enum Place {
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
}

/// One program: its name in the object, where it goes, and whether the kernel may lack that place.
#[derive(Clone, Copy)]
pub(super) struct Probe(pub(super) &'static str, pub(super) Place, pub(super) &'static str, pub(super) bool);

/// Programs that softirqs reach as well as processes: they need a second copy everywhere, see `copies` in the kernel side.
pub(super) const NESTED: [&str; 2] = ["inet_sock_set_state", "tcp_destroy_sock"];

const fn needed(program: &'static str, place: Place, target: &'static str) -> Probe {
    Probe(program, place, target, true)
}

/// Left out where the kernel has no such function: older page-wise sending, or no IPv6.
const fn if_there(program: &'static str, place: Place, target: &'static str) -> Probe {
    Probe(program, place, target, false)
}

pub(super) const COMMON: &[Probe] = &[
    needed("sched_process_fork", Place::TpBtf, "sched_process_fork"),
    needed("sched_process_exec", Place::TpBtf, "sched_process_exec"),
    needed("sched_process_exit", Place::TpBtf, "sched_process_exit"),
    needed("cgroup_attach_task", Place::TpBtf, "cgroup_attach_task"),
    needed("cgroup_mkdir", Place::TpBtf, "cgroup_mkdir"),
    needed("tcp_destroy_sock", Place::TpBtf, "tcp_destroy_sock"),
    needed("inet_sock_set_state", Place::TpBtf, "inet_sock_set_state"),
    needed("tcp_rcv_space_adjust", Place::TpBtf, "tcp_rcv_space_adjust"),
    needed("snapshot", Place::Iter, "task_file"),
    needed("processes", Place::Iter, "task"),
    needed("ends", Place::Iter, "bpf_map_elem"),
];

/// A socket is made, where there is a hierarchy of cgroups.
pub(super) const BIRTH: Probe = if_there("cgroup_sock_create", Place::Sock, "sock_create");

/// The wire plane.
pub(super) const WIRE: &[Probe] =
    &[needed("wire_egress", Place::Egress, "egress"), needed("wire_ingress", Place::Ingress, "ingress")];

pub(super) const FENTRY: &[Probe] = &[
    needed("fexit_tcp_sendmsg", Place::FExit, "tcp_sendmsg"),
    if_there("fexit_tcp_sendpage", Place::FExit, "tcp_sendpage"),
    needed("fexit_tcp_v4_connect", Place::FExit, "tcp_v4_connect"),
    needed("fentry_tcp_v4_connect", Place::FEntry, "tcp_v4_connect"),
    if_there("fexit_tcp_v6_connect", Place::FExit, "tcp_v6_connect"),
    if_there("fentry_tcp_v6_connect", Place::FEntry, "tcp_v6_connect"),
    needed("fexit_inet_csk_accept", Place::FExit, "inet_csk_accept"),
    needed("fentry_udp_destroy_sock", Place::FEntry, "udp_destroy_sock"),
    if_there("fentry_udpv6_destroy_sock", Place::FEntry, "udpv6_destroy_sock"),
    needed("fentry_skb_consume_udp", Place::FEntry, "skb_consume_udp"),
    needed("fexit_udp_sendmsg", Place::FExit, "udp_sendmsg"),
    if_there("fexit_udpv6_sendmsg", Place::FExit, "udpv6_sendmsg"),
    if_there("fentry_tcp_v4_pre_connect", Place::FEntry, "tcp_v4_pre_connect"),
    if_there("fentry_tcp_v6_pre_connect", Place::FEntry, "tcp_v6_pre_connect"),
    if_there("fentry_udp_pre_connect", Place::FEntry, "udp_pre_connect"),
    if_there("fentry_udpv6_pre_connect", Place::FEntry, "udpv6_pre_connect"),
    if_there("fexit_sock_addr", Place::FExit, "__cgroup_bpf_run_filter_sock_addr"),
    if_there("fentry_sock_addr", Place::FEntry, "__cgroup_bpf_run_filter_sock_addr"),
    if_there("fexit_raw_sendmsg", Place::FExit, "raw_sendmsg"),
    if_there("fexit_rawv6_sendmsg", Place::FExit, "rawv6_sendmsg"),
    if_there("fexit_ping_v4_sendmsg", Place::FExit, "ping_v4_sendmsg"),
    if_there("fexit_ping_v6_sendmsg", Place::FExit, "ping_v6_sendmsg"),
    if_there("fexit_mptcp_sendmsg", Place::FExit, "mptcp_sendmsg"),
    if_there("fexit_packet_sendmsg", Place::FExit, "packet_sendmsg"),
    if_there("fexit_tcp_bpf_sendmsg", Place::FExit, "tcp_bpf_sendmsg"),
    if_there("fexit_tcp_bpf_sendpage", Place::FExit, "tcp_bpf_sendpage"),
    if_there("fexit_tcp_bpf_recvmsg", Place::FExit, "tcp_bpf_recvmsg"),
    if_there("fexit_tcp_bpf_recvmsg_parser", Place::FExit, "tcp_bpf_recvmsg_parser"),
    if_there("fexit_raw_recvmsg", Place::FExit, "raw_recvmsg"),
    if_there("fexit_rawv6_recvmsg", Place::FExit, "rawv6_recvmsg"),
    if_there("fexit_ping_recvmsg", Place::FExit, "ping_recvmsg"),
    if_there("fexit_mptcp_recvmsg", Place::FExit, "mptcp_recvmsg"),
    if_there("fexit_packet_recvmsg", Place::FExit, "packet_recvmsg"),
    if_there("fentry_skb_free_datagram", Place::FEntry, "skb_free_datagram"),
    if_there("fentry_packet_release", Place::FEntry, "packet_release"),
    needed("fentry_inet_release", Place::FEntry, "inet_release"),
];

pub(super) const KPROBE: &[Probe] = &[
    needed("kprobe_release_sock", Place::KProbe, "release_sock"),
    needed("kprobe_tcp_sendmsg", Place::KProbe, "tcp_sendmsg"),
    if_there("kprobe_tcp_sendpage", Place::KProbe, "tcp_sendpage"),
    needed("kretprobe_tcp_v4_connect", Place::KProbe, "tcp_v4_connect"),
    needed("kprobe_tcp_v4_connect", Place::KProbe, "tcp_v4_connect"),
    if_there("kretprobe_tcp_v6_connect", Place::KProbe, "tcp_v6_connect"),
    if_there("kprobe_tcp_v6_connect", Place::KProbe, "tcp_v6_connect"),
    needed("kretprobe_inet_csk_accept", Place::KProbe, "inet_csk_accept"),
    needed("kprobe_udp_destroy_sock", Place::KProbe, "udp_destroy_sock"),
    if_there("kprobe_udpv6_destroy_sock", Place::KProbe, "udpv6_destroy_sock"),
    needed("kprobe_skb_consume_udp", Place::KProbe, "skb_consume_udp"),
    needed("kretprobe_udp_sendmsg", Place::KProbe, "udp_sendmsg"),
    needed("kprobe_udp_sendmsg", Place::KProbe, "udp_sendmsg"),
    if_there("kretprobe_udpv6_sendmsg", Place::KProbe, "udpv6_sendmsg"),
    if_there("kprobe_udpv6_sendmsg", Place::KProbe, "udpv6_sendmsg"),
    if_there("kprobe_tcp_v4_pre_connect", Place::KProbe, "tcp_v4_pre_connect"),
    if_there("kprobe_tcp_v6_pre_connect", Place::KProbe, "tcp_v6_pre_connect"),
    if_there("kprobe_udp_pre_connect", Place::KProbe, "udp_pre_connect"),
    if_there("kprobe_udpv6_pre_connect", Place::KProbe, "udpv6_pre_connect"),
    if_there("kretprobe_sock_addr", Place::KProbe, "__cgroup_bpf_run_filter_sock_addr"),
    if_there("kprobe_sock_addr", Place::KProbe, "__cgroup_bpf_run_filter_sock_addr"),
    if_there("kretprobe_raw_sendmsg", Place::KProbe, "raw_sendmsg"),
    if_there("kprobe_raw_sendmsg", Place::KProbe, "raw_sendmsg"),
    if_there("kretprobe_rawv6_sendmsg", Place::KProbe, "rawv6_sendmsg"),
    if_there("kprobe_rawv6_sendmsg", Place::KProbe, "rawv6_sendmsg"),
    if_there("kretprobe_ping_v4_sendmsg", Place::KProbe, "ping_v4_sendmsg"),
    if_there("kprobe_ping_v4_sendmsg", Place::KProbe, "ping_v4_sendmsg"),
    if_there("kretprobe_ping_v6_sendmsg", Place::KProbe, "ping_v6_sendmsg"),
    if_there("kprobe_ping_v6_sendmsg", Place::KProbe, "ping_v6_sendmsg"),
    if_there("kretprobe_mptcp_sendmsg", Place::KProbe, "mptcp_sendmsg"),
    if_there("kprobe_mptcp_sendmsg", Place::KProbe, "mptcp_sendmsg"),
    if_there("kretprobe_packet_sendmsg", Place::KProbe, "packet_sendmsg"),
    if_there("kprobe_packet_sendmsg", Place::KProbe, "packet_sendmsg"),
    if_there("kretprobe_tcp_bpf_sendmsg", Place::KProbe, "tcp_bpf_sendmsg"),
    if_there("kprobe_tcp_bpf_sendmsg", Place::KProbe, "tcp_bpf_sendmsg"),
    if_there("kretprobe_tcp_bpf_sendpage", Place::KProbe, "tcp_bpf_sendpage"),
    if_there("kprobe_tcp_bpf_sendpage", Place::KProbe, "tcp_bpf_sendpage"),
    if_there("kretprobe_tcp_bpf_recvmsg", Place::KProbe, "tcp_bpf_recvmsg"),
    if_there("kprobe_tcp_bpf_recvmsg", Place::KProbe, "tcp_bpf_recvmsg"),
    if_there("kretprobe_tcp_bpf_recvmsg_parser", Place::KProbe, "tcp_bpf_recvmsg_parser"),
    if_there("kprobe_tcp_bpf_recvmsg_parser", Place::KProbe, "tcp_bpf_recvmsg_parser"),
    if_there("kretprobe_raw_recvmsg", Place::KProbe, "raw_recvmsg"),
    if_there("kprobe_raw_recvmsg", Place::KProbe, "raw_recvmsg"),
    if_there("kretprobe_rawv6_recvmsg", Place::KProbe, "rawv6_recvmsg"),
    if_there("kprobe_rawv6_recvmsg", Place::KProbe, "rawv6_recvmsg"),
    if_there("kretprobe_ping_recvmsg", Place::KProbe, "ping_recvmsg"),
    if_there("kprobe_ping_recvmsg", Place::KProbe, "ping_recvmsg"),
    if_there("kretprobe_mptcp_recvmsg", Place::KProbe, "mptcp_recvmsg"),
    if_there("kprobe_mptcp_recvmsg", Place::KProbe, "mptcp_recvmsg"),
    if_there("kretprobe_packet_recvmsg", Place::KProbe, "packet_recvmsg"),
    if_there("kprobe_packet_recvmsg", Place::KProbe, "packet_recvmsg"),
    if_there("kprobe_skb_free_datagram", Place::KProbe, "skb_free_datagram"),
    if_there("kprobe_packet_release", Place::KProbe, "packet_release"),
    needed("kprobe_inet_release", Place::KProbe, "inet_release"),
];

pub(super) const TRACEPOINT: &[Probe] = &[
    needed("cgroup_sock_release", Place::Sock, "sock_release"),
    needed("cgroup_asked4", Place::SockAddrFirst, "connect4"),
    needed("cgroup_asked6", Place::SockAddrFirst, "connect6"),
    needed("cgroup_named4", Place::SockAddrFirst, "sendmsg4"),
    needed("cgroup_named6", Place::SockAddrFirst, "sendmsg6"),
    needed("cgroup_connect4", Place::SockAddr, "connect4"),
    needed("cgroup_connect6", Place::SockAddr, "connect6"),
    needed("cgroup_getpeername4", Place::SockAddr, "getpeername4"),
    needed("cgroup_getpeername6", Place::SockAddr, "getpeername6"),
    needed("cgroup_sendmsg4", Place::SockAddr, "sendmsg4"),
    needed("cgroup_sendmsg6", Place::SockAddr, "sendmsg6"),
    needed("cgroup_recvmsg4", Place::SockAddrEarly, "recvmsg4"),
    needed("cgroup_recvmsg6", Place::SockAddrEarly, "recvmsg6"),
    needed("consume_skb", Place::TpBtf, "consume_skb"),
    needed("sock_recv_length", Place::TpBtf, "sock_recv_length"),
    needed("sock_send_length", Place::TpBtf, "sock_send_length"),
];
