// @ts-check
// Cells of CSV, as in export/csv. Generated: BLESS=1 cargo test -p connmon-render the_page_writes_the_same_cells

/** Where a spreadsheet would begin a formula. */
export const FORMULA = /(^|;)(\s*)(?=[\u{3d}\u{2b}\u{2d}\u{40}\u{ff1d}\u{ff0b}\u{ff0d}\u{ff20}])/gu;
/** What has to be quoted. */
export const QUOTED = /[\u{2c}\u{22}\u{27}\u{3b}\u{9}]|^ /u;
/** @typedef {"id" | "proto" | "direction" | "local_ip" | "local_port" | "remote_ip" | "remote_port" | "opened" | "closed" | "end" | "preexisting" | "exact" | "pid" | "start" | "comm" | "exe" | "cmdline" | "uid" | "user" | "ppid" | "euid" | "exe_state" | "sha256" | "cwd" | "unit" | "container" | "pod" | "tx_bytes" | "rx_bytes" | "kernel_tx_bytes" | "kernel_rx_bytes" | "retransmits" | "retransmitted_bytes" | "rtt_us" | "wire_tx_bytes" | "wire_rx_bytes" | "wire_tx_packets" | "wire_rx_packets" | "country" | "city" | "region" | "latitude" | "longitude" | "asn" | "org" | "geo_source" | "service" | "observed" | "names" | "community_id" | "label" | "ioc" | "within_tx_bytes" | "within_rx_bytes" | "watched_until" | "asked_ip" | "asked_port" | "netns" | "findings"} CsvColumn a column of an export */
