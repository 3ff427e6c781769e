// @ts-check
// What can be asked, as in filter/. Generated: BLESS=1 cargo test -p connmon-filter the_page_knows_the_same_fields

export const PROTOS = ["tcp","udp","icmp","icmp6","mptcp","sctp","udplite","packet","raw"];
export const DIRECTIONS = ["out","in","unknown"];
export const ENDS = ["fin","rst","timeout","abort","refused","unreachable","error","closed","idle","recording-ended","unseen","open"];
// What is shown escaped, as by `display_safe`.
export const UNSAFE = /[\u{0}-\u{1f}\u{7f}-\u{9f}\u{ad}-\u{ad}\u{34f}-\u{34f}\u{61c}-\u{61c}\u{115f}-\u{1160}\u{17b4}-\u{17b5}\u{180b}-\u{180f}\u{200b}-\u{200f}\u{2028}-\u{202e}\u{2060}-\u{206f}\u{3164}-\u{3164}\u{fdd0}-\u{fdef}\u{feff}-\u{feff}\u{ffa0}-\u{ffa0}\u{fff0}-\u{fffb}\u{fffe}-\u{ffff}\u{1bca0}-\u{1bca3}\u{1d173}-\u{1d17a}\u{1fffe}-\u{1ffff}\u{2fffe}-\u{2ffff}\u{3fffe}-\u{3ffff}\u{4fffe}-\u{4ffff}\u{5fffe}-\u{5ffff}\u{6fffe}-\u{6ffff}\u{7fffe}-\u{7ffff}\u{8fffe}-\u{8ffff}\u{9fffe}-\u{9ffff}\u{afffe}-\u{affff}\u{bfffe}-\u{bffff}\u{cfffe}-\u{cffff}\u{dfffe}-\u{e00ff}\u{e01f0}-\u{e0fff}\u{efffe}-\u{effff}\u{ffffe}-\u{fffff}\u{10fffe}-\u{10ffff}]/gu;

/** @type {readonly import("./fields.js").Entry[]} */
export const ENTRIES = [
  {"about":"process: its name, or the file name of its executable","free":true,"kind":"text","name":"proc","shape":"part"},
  {"about":"path of the executable","free":true,"kind":"text","name":"exe","shape":"part"},
  {"about":"command line","free":true,"kind":"text","name":"cmd","shape":"part"},
  {"about":"process number","kind":"number","most":4294967295,"name":"pid","unit":"plain"},
  {"about":"user: name or number","free":true,"kind":"text","name":"user","shape":"whole"},
  {"about":"systemd unit","free":true,"kind":"text","name":"unit","shape":"part"},
  {"about":"container: name, id, image, runtime, or runtime:name such as docker:web","free":true,"kind":"text","name":"container","shape":"part"},
  {"about":"SHA-256 of the executable","free":true,"kind":"text","name":"hash","shape":"part"},
  {"about":"country in which the remote address is registered: code or name","free":false,"kind":"text","name":"country","shape":"whole"},
  {"about":"number of the remote network, such as AS15169","kind":"number","most":4294967295,"name":"asn","unit":"asn"},
  {"about":"organisation that runs the remote network","free":true,"kind":"text","name":"org","shape":"part"},
  {"about":"city of the remote address, as estimated by a geo database","free":true,"kind":"text","name":"city","shape":"part"},
  {"about":"name of the remote address, or a parent domain","free":true,"kind":"text","name":"host","shape":"domain"},
  {"about":"remote address","kind":"network","name":"ip"},
  {"about":"network of the remote address, such as 8.8.8.0/24","kind":"network","name":"net"},
  {"about":"port of the service: the remote one of outbound connections, the local one of inbound ones","kind":"number","most":65535,"name":"port","unit":"port"},
  {"about":"observed protocol, else the usual name of that port, such as https","free":true,"kind":"text","name":"service","shape":"whole"},
  {"about":"protocol","free":false,"kind":"text","name":"proto","shape":"whole","words":["tcp","udp","icmp","icmp6","mptcp","sctp","udplite","packet","raw"]},
  {"about":"direction: out, in or unknown","free":false,"kind":"text","name":"dir","shape":"whole","words":["out","in","unknown"]},
  {"about":"how it ended, or open","free":false,"kind":"text","name":"end","shape":"whole","words":["fin","rst","timeout","abort","refused","unreachable","error","closed","idle","recording-ended","unseen","open"]},
  {"about":"application bytes sent and received","kind":"number","name":"bytes","unit":"bytes"},
  {"about":"application bytes sent","kind":"number","name":"tx","unit":"bytes"},
  {"about":"application bytes received","kind":"number","name":"rx","unit":"bytes"},
  {"about":"duration, so far if it is open","kind":"number","name":"dur","unit":"time"},
  {"about":"open at this time or later","kind":"since","name":"since"},
  {"about":"opened before this time","kind":"until","name":"until"},
  {"about":"label of a rule","free":true,"kind":"text","name":"label","shape":"part"},
  {"about":"a matched indicator, or the list it is on","free":false,"kind":"text","name":"ioc","shape":"part"},
  {"about":"address that the process asked for, where a BPF program led the connection elsewhere","column":"asked","group":"asked","kind":"network","name":"asked"},
  {"about":"port that the process asked for there","column":"askedPort","group":"asked","kind":"number","most":65535,"name":"asked_port","unit":"port"},
];
