// @ts-check
// What the data of a page means, as in report/payload. Generated: BLESS=1 cargo test -p connmon-render the_page_knows_the_same_columns

/** What the bits of `flags` say. */
export const FLAGS = {"asked":32,"failed":16,"kernel":4,"preexisting":1,"subflow":2,"wire":8};
/**
 * @typedef {object} FactColumns facts that some rows have
 * @property {ArrayLike<number>} kernelTx payload bytes that the kernel sent once, without SYN and FIN
 * @property {ArrayLike<number>} kernelRx payload bytes that the kernel received in order, without the peer's FIN
 * @property {ArrayLike<number>} retransmits retransmitted segments
 * @property {ArrayLike<number>} retransmitted retransmitted payload bytes
 * @property {ArrayLike<number>} rtt smoothed round-trip time at the end; 0 where it was not measured
 * @property {ArrayLike<number>} wireTx bytes of packets sent, from the IP header on
 * @property {ArrayLike<number>} wireRx bytes of packets received, from the IP header on
 * @property {ArrayLike<number>} wireTxPackets packets sent
 * @property {ArrayLike<number>} wireRxPackets packets received
 * @property {ArrayLike<number>} asked address that the process asked for, where a BPF program led the connection elsewhere; a place in `locals`
 * @property {ArrayLike<number>} askedPort port that the process asked for there
 */

/** The figures among them: the flag of the rows that have it, and what it counts. @type {Record<FactFigure, {group: keyof typeof FLAGS, unit: "bytes" | "microseconds" | "packets" | "port" | "segments"}>} */
export const FACT_FIGURES = {"askedPort":{"group":"asked","unit":"port"},"kernelRx":{"group":"kernel","unit":"bytes"},"kernelTx":{"group":"kernel","unit":"bytes"},"retransmits":{"group":"kernel","unit":"segments"},"retransmitted":{"group":"kernel","unit":"bytes"},"rtt":{"group":"kernel","unit":"microseconds"},"wireRx":{"group":"wire","unit":"bytes"},"wireRxPackets":{"group":"wire","unit":"packets"},"wireTx":{"group":"wire","unit":"bytes"},"wireTxPackets":{"group":"wire","unit":"packets"}};
/** @typedef {"kernelTx" | "kernelRx" | "retransmits" | "retransmitted" | "rtt" | "wireTx" | "wireRx" | "wireTxPackets" | "wireRxPackets" | "askedPort"} FactFigure */
/** Columns of addresses that some rows have, places in `locals`. */
export const FACT_ADDRESSES = ["asked"];
/** Bytes of headers of a packet, as they mostly are: the writer takes them off. */
export const HEADERS = 52;
/** Why a connection ended, in words. */
export const END_WORDS = ["closed normally","reset by the remote host","timed out","aborted by this host","refused","unreachable","local error","socket closed","ended by a pause","still open at the end of the recording","end not seen","still open"];
/** Which port is that of the service, by the direction. */
export const SERVICE_PORT = ["remote","local","lower"];
/** The directions, for people. */
export const DIRECTION_WORDS = ["outbound","inbound","unknown"];
/** The directions, as arrows from this host's end. */
export const ARROWS = ["→","←","–"];
/** Kinds of addresses, for people. */
export const KINDS = new Map([["public","Public"],["private","Private network"],["loopback","This host (loopback)"],["link-local","Link-local"],["cgnat","Carrier-grade NAT"],["multicast","Multicast"],["broadcast","Broadcast"],["documentation","Documentation range"],["benchmarking","Benchmarking range"],["unspecified","Unspecified"],["reserved","Reserved range"]]);
/** Where a name comes from, for people. */
export const SOURCES = new Map([["sni","TLS handshake (SNI)"],["quic","QUIC handshake (SNI)"],["http","HTTP Host header"],["dns","DNS answer"],["sni_outer","TLS handshake, outside ECH"],["quic_outer","QUIC handshake, outside ECH"],["hosts","hosts file"],["rdns","reverse DNS by the recorder"],["proxied","target behind this proxy"]]);
/** What is remarked of a row, by the flag that says it. */
export const REMARKS = {"asked":"which a BPF program led to the remote","preexisting":"open before the recording began","subflow":"a subflow of an MPTCP connection, which has the application bytes"};
/** What is said of a round-trip time of 0. */
export const NOT_MEASURED = "not measured";
