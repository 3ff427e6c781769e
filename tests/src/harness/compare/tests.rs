//! The comparison must fail for every kind of fault.

use super::*;
use crate::harness::record::parse;

const TRUTH: &str = r#"{"case":"c","started":"2026-01-02T03:04:05.1Z","ended":"2026-01-02T03:04:06.1Z","processes":[
 {"pid":10,"start_ticks":1,"ppid":2,"exe":"/bin/a","cmdline":["a","x"],"uid":7,"role":"client","connections":[
  {"proto":"tcp","family":4,"direction":"out","local":{"ip":"127.0.0.1","port":4000},"remote":{"ip":"127.0.0.1","port":80},
   "tx_bytes":100,"rx_bytes":50,"tx_calls":1,"rx_calls":1,"end":"fin","open":false,"owner":true}]},
 {"pid":11,"start_ticks":2,"ppid":10,"exe":"/bin/a","cmdline":["a","x"],"uid":7,"role":"child","connections":[
  {"proto":"tcp","family":4,"direction":"out","local":{"ip":"127.0.0.1","port":4000},"remote":{"ip":"127.0.0.1","port":80},
   "tx_bytes":5,"rx_bytes":0,"tx_calls":1,"rx_calls":0,"end":"fin","open":false,"owner":false}]}]}"#;

const RECORD: &str = r#"{"id":1,"proto":"tcp","family":4,"direction":"out","local":{"ip":"127.0.0.1","port":4000},"remote":{"ip":"127.0.0.1","port":80},"opened":"2026-01-02T03:04:05.5Z","closed":"2026-01-02T03:04:05.6Z","end":"fin","preexisting":false,"process":{"pid":10,"start":"x","comm":"a","exe":"/bin/a","cmdline":"a x","uid":7,"user":"u","ppid":2},"traffic":[{"pid":10,"start":"x","exe":"/bin/a","tx_bytes":100,"rx_bytes":50,"tx_calls":1,"rx_calls":1},{"pid":11,"start":"x","exe":"/bin/a","tx_bytes":5,"rx_bytes":0,"tx_calls":1,"rx_calls":0}],"tx_bytes":105,"rx_bytes":50,"kernel":{"tx_bytes":105,"rx_bytes":50,"retransmits":0},"geo":null}"#;

/// The faults that are found when the record reads `records`.
fn faults(records: &[String]) -> Vec<String> {
    let truth = serde_json::from_str(TRUTH).unwrap();
    let records = parse(records.join("\n").as_bytes()).unwrap();
    compare(&[truth], &records).remove("c").unwrap()
}

/// The only fault when one text in the record is replaced.
fn fault(from: &str, to: &str) -> String {
    assert!(RECORD.contains(from), "{from}");
    let faults = faults(&[RECORD.replacen(from, to, 1)]);
    assert!(!faults.is_empty(), "{from} -> {to} was not noticed");
    faults.join("; ")
}

#[test]
fn an_exact_record_is_right() {
    assert_eq!(faults(&[RECORD.to_owned()]), [""; 0]);
}

#[test]
fn a_missing_record_is_noticed() {
    assert!(faults(&[])[0].starts_with("missing"));
    // another connection is no substitute
    assert!(fault("\"port\":80", "\"port\":81").contains("missing"));
    assert!(fault("\"port\":4000", "\"port\":4001").contains("missing"));
}

#[test]
fn an_invented_record_is_noticed() {
    let twice = faults(&[RECORD.to_owned(), RECORD.to_owned()]);
    assert_eq!(twice.len(), 1);
    assert!(twice[0].starts_with("invented"));
    // by PID, although the ports are nobody's
    let elsewhere = RECORD.replace("\"port\":80", "\"port\":9").replace("\"port\":4000", "\"port\":9");
    assert!(faults(&[RECORD.to_owned(), elsewhere])[0].starts_with("invented"));
    // by port, although the PIDs are nobody's
    let others = RECORD.replace("\"pid\":1", "\"pid\":99");
    assert!(faults(&[RECORD.to_owned(), others.clone()])[0].starts_with("invented"));
    // one of the ports is enough when the record knows neither the other nor any process
    let nobodys = |remote: &str| {
        let elsewhere = others.replace("\"port\":80", remote);
        let mut nobody: serde_json::Value = serde_json::from_str(&elsewhere).unwrap();
        nobody["process"] = serde_json::Value::Null;
        [elsewhere, nobody.to_string()].map(|record| faults(&[RECORD.to_owned(), record]))
    };
    assert_eq!(nobodys("\"port\":9"), [[""; 0], [""; 0]]);
    let [known, unknown] = nobodys("\"port\":0");
    assert_eq!(known, [""; 0]);
    assert!(unknown[0].starts_with("invented"));
    // but not when these ports belonged to others, at another time
    let later = others.replace("03:04:05", "05:06:07");
    assert_eq!(faults(&[RECORD.to_owned(), later]), [""; 0]);
}

#[test]
fn the_wrong_process_is_noticed() {
    assert!(fault("\"process\":{\"pid\":10", "\"process\":{\"pid\":12").contains("owner"));
    let nobody = r#""process":{"pid":10,"start":"x","comm":"a","exe":"/bin/a","cmdline":"a x","uid":7,"user":"u","ppid":2}"#;
    assert!(fault(nobody, "\"process\":null").contains("owner"));
    assert!(fault("\"traffic\":[{\"pid\":10", "\"traffic\":[{\"pid\":12").contains("traffic"));
    // all bytes are there, but on one process
    let merged = fault("\"pid\":11,\"start\":\"x\"", "\"pid\":10,\"start\":\"x\"");
    assert!(merged.contains("traffic per PID"));
}

#[test]
fn every_wrong_figure_is_noticed() {
    assert!(fault("\"tx_bytes\":100", "\"tx_bytes\":101").contains("traffic"));
    assert!(
        fault("\"tx_bytes\":105,\"rx_bytes\":50,\"kernel\"", "\"tx_bytes\":105,\"rx_bytes\":51,\"kernel\"")
            .contains("tx/rx")
    );
    assert!(fault("\"kernel\":{\"tx_bytes\":105", "\"kernel\":{\"tx_bytes\":106").contains("kernel"));
    assert!(
        fault("\"kernel\":{\"tx_bytes\":105,\"rx_bytes\":50,\"retransmits\":0}", "\"kernel\":null")
            .contains("kernel")
    );
    assert!(fault("\"end\":\"fin\"", "\"end\":\"rst\"").contains("end"));
    assert!(fault("\"end\":\"fin\"", "\"end\":null").contains("end"));
    assert!(fault("\"family\":4", "\"family\":6").contains("family"));
    assert!(fault("\"direction\":\"out\"", "\"direction\":\"in\"").contains("direction"));
    assert!(fault("\"direction\":\"out\"", "\"direction\":\"unknown\"").contains("direction"));
    assert!(fault("\"preexisting\":false", "\"preexisting\":true").contains("preexisting"));
    assert!(fault("\"exe\":\"/bin/a\"", "\"exe\":\"/bin/b\"").contains("exe"));
    assert!(fault("\"exe\":\"/bin/a\"", "\"exe\":null").contains("exe"));
    assert!(fault("\"cmdline\":\"a x\"", "\"cmdline\":\"a y\"").contains("cmdline"));
    assert!(fault("\"uid\":7", "\"uid\":0").contains("uid"));
    assert!(fault("\"ppid\":2", "\"ppid\":3").contains("ppid"));
}

#[test]
fn reused_ports_are_told_apart() {
    let mut truth: Truth = serde_json::from_str(TRUTH).unwrap();
    truth.processes.truncate(1);
    let second = crate::truth::Connection { tx_bytes: 1, ..truth.processes[0].connections[0].clone() };
    truth.processes[0].connections.push(second);
    let record = |n| {
        let one = RECORD.replace(
            "{\"pid\":11,\"start\":\"x\",\"exe\":\"/bin/a\",\"tx_bytes\":5",
            "{\"pid\":11,\"start\":\"x\",\"exe\":\"/bin/a\",\"tx_bytes\":0",
        );
        one.replace("\"tx_bytes\":100", n).replace("\"tx_bytes\":105", n)
    };
    let records =
        parse([record("\"tx_bytes\":1"), record("\"tx_bytes\":100")].join("\n").as_bytes()).unwrap();
    assert_eq!(summary(&compare(&[truth], &records)), None);
}
