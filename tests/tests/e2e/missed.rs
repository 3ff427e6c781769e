//! Ends, or beginnings, that no hook sees: a hidden option makes programs miss those of some sockets, as the kernel does when it
//! skips them. The next socket gets the address of the one whose end was missed, and must not get its entry: each connection is
//! right to the byte or says that it is not exact, and none has more than it moved.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use connmon_tests::harness::programs::{export, in_vm};
use connmon_tests::harness::record::Record;
use connmon_tests::harness::recorder::Recorder;
use connmon_tests::storm::edges::{ConnectionKey, Load, Made, NETWORK};

/// The step to TCP_CLOSE, the end of the socket, or both.
pub fn ends() -> Result<()> {
    right_or_labelled("1", "its end was not seen")
}

/// The step to SYN_SENT or ESTABLISHED, accept(), or both.
pub fn beginnings() -> Result<()> {
    right_or_labelled("2", "")
}

/// Both.
pub fn both() -> Result<()> {
    right_or_labelled("3", "its beginning was not seen")
}

fn right_or_labelled(blind: &str, label: &str) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let db = folder.path().join("missed.db");
    let recorder = Recorder::start(&db, &["--blind", blind])?;
    let from = Instant::now();
    let load = Load::start(Duration::from_micros(if in_vm() { 5000 } else { 500 }))?;
    std::thread::sleep(Duration::from_millis(if in_vm() { 3000 } else { 1000 }));
    let made = load.stop()?;
    let to = Instant::now();
    recorder.stop()?;
    let records = export(&db)?;
    let ours = |record: &&Record| NETWORK.contains(&record.local.ip) || NETWORK.contains(&record.remote.ip);
    let mut problems = Vec::new();
    let (mut exact, mut labelled) = (0, 0);
    for record in records.iter().filter(ours) {
        let Some(truth) = made.get(&ConnectionKey::from_record(record)) else {
            // One whose beginning was missed may have gone before anything told its port.
            if record.exact || record.local.port != 0 {
                problems.push(format!("invented: {record}"));
            }
            continue;
        };
        let is_equal = (record.tx_bytes, record.rx_bytes) == (truth.tx, truth.rx);
        match record.exact {
            _ if truth.again => {}
            true if is_equal => exact += 1,
            true => problems
                .push(format!("exact, and wrong: {}/{} bytes is the truth of {record}", truth.tx, truth.rx)),
            false if record.tx_bytes > truth.tx || record.rx_bytes > truth.rx => {
                problems.push(format!("more than {}/{} bytes, the truth of {record}", truth.tx, truth.rx))
            }
            false => labelled += usize::from(record.inexact_reason.as_deref().unwrap_or("").contains(label)),
        }
    }
    let mut found: HashMap<ConnectionKey, Vec<&Record>> = HashMap::new();
    for record in records.iter().filter(ours) {
        found.entry(ConnectionKey::from_record(record)).or_default().push(record);
    }
    let inside = |truth: &Made| from <= truth.begun && truth.ended <= to && !truth.again;
    for (key, _) in made.iter().filter(|(_, truth)| inside(truth)) {
        match found.get(key).map_or(&[][..], Vec::as_slice) {
            [] => problems.push(format!("missing: {key:?}")),
            [_] => {}
            several if several.iter().all(|record| !record.exact) => {}
            [first, .., last] => problems.push(format!("several, and one of them exact: {first}; {last}")),
        }
    }
    println!("missed: {} ends of connections, {exact} exact, {labelled} labelled", made.len());
    ensure!(
        problems.is_empty(),
        "{} problems, such as\n{}",
        problems.len(),
        problems.iter().take(20).cloned().collect::<Vec<_>>().join("\n")
    );
    ensure!(exact > 0 && labelled > 0, "{exact} are exact, {labelled} are not: this says nothing");
    Ok(())
}
