//! Processes that change who they are, or are taken for another.

use std::time::Duration;

use anyhow::{Result, bail};

use super::tcp_basic::{accept_one, drain, serve};
use crate::stage::{Case, Stage, Unsupported, Worker};
use crate::sys::process::{set_next_pid, set_user};
use crate::sys::stream::write;
use crate::truth::End;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::pair(
            "tcp-setuid",
            "the user changes while the connection is open",
            |w| drain(&mut accept_one(w)?),
            setuid,
        ),
        Case::pair("pid-reused", "two processes, one after the other, with the same PID", twice, client)
            .drive(same_pid),
    ]
}

/// The connection belongs to the user who opened it.
fn setuid(w: &mut Worker) -> Result<()> {
    let mut conn = w.connect()?;
    conn.tx(write, 100)?;
    set_user(65_534)?;
    conn.tx(write, 2000)?;
    set_user(0)?;
    conn.tx(write, 30)?;
    conn.close(End::Fin);
    Ok(())
}

/// Others may take the PID first; then it is tried again.
const TRIES: usize = 500;

fn same_pid(stage: &mut Stage<'_>) -> Result<()> {
    let server = stage.start("server", &[])?;
    let at = stage.ready(server)?;
    let first = stage.start("client", &[at[0].clone(), "100".into()])?;
    stage.tell(first, "go")?;
    let pid = stage.pid(first);
    stage.end(first)?;
    // a truth tells processes apart by the clock tick of their start
    std::thread::sleep(Duration::from_millis(30));
    for _ in 0..TRIES {
        match set_next_pid(pid) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                bail!(Unsupported("this kernel's next PID cannot be chosen (CHECKPOINT_RESTORE)".into()))
            }
            set => set?,
        }
        let second = stage.start("client", &[at[0].clone(), "200".into()])?;
        let same = stage.pid(second) == pid;
        stage.tell(second, if same { "go" } else { "stay" })?;
        if same {
            return Ok(());
        }
        stage.end(second)?;
    }
    bail!("PID {pid} was never to be had again")
}

fn twice(w: &mut Worker) -> Result<()> {
    let listener = w.listen()?;
    serve(w, &listener, 2)
}

fn client(w: &mut Worker) -> Result<()> {
    if w.hear()? == "go" {
        let mut conn = w.connect()?;
        conn.ask(w.arg(1)?, 50)?;
        conn.close(End::Fin);
    }
    Ok(())
}
