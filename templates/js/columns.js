// @ts-check
// What the data of a page means, as in report/payload. Generated: BLESS=1 cargo test -p connmon-render the_page_knows_the_same_columns

/** What the bits of `flags` say. */
export const FLAGS = {"asked":32,"failed":16,"kernel":4,"preexisting":1,"subflow":2,"wire":8};
/** Columns of figures that some rows have: what says so is a flag. */
export const FACT_FIGURES = ["kernelTx","kernelRx","retransmits","retransmitted","rtt","wireTx","wireRx","wireTxPackets","wireRxPackets","askedPort"];
/** Columns of addresses that some rows have, places in `locals`. */
export const FACT_ADDRESSES = ["asked"];
/** Bytes of headers of a packet, as they mostly are: the writer takes them off. */
export const HEADERS = 52;
/** Why a connection ended, in words. */
export const END_WORDS = ["closed normally","reset by the remote host","timed out","aborted by this host","refused","unreachable","local error","socket closed","ended by a pause","still open at the end of the recording","end not seen","still open"];
/** Which port is that of the service, by the direction. */
export const SERVICE_PORT = ["remote","local","lower"];
