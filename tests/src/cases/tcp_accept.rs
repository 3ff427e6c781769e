//! Ways to become the owner of an inbound connection.

use anyhow::{Context, Result};

use super::tcp_basic::serve;
use crate::stage::{Case, Stage, Worker};
use crate::sys::stream::{read, write};
use crate::truth::End;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::pair(
            "tcp-accept-addr",
            "accept asks for the address",
            |w| {
                let listener = w.listen()?;
                serve(w, &listener, 3)
            },
            |w| {
                for n in 0..3 {
                    let mut conn = w.connect()?;
                    conn.ask(100 + n, 200 + n)?;
                    conn.close(End::Fin);
                }
                Ok(())
            },
        ),
        Case::pair("tcp-accept-no-addr", "accept4 with NULL", unasked_server, unasked_client).drive(unasked),
        Case::pair("tcp-preforked", "four forked workers accept on one listener", preforked, |w| {
            for n in 0..20 {
                let mut conn = w.connect()?;
                conn.ask(1000 + n, 10 + n)?;
                conn.close(End::Fin);
            }
            Ok(())
        }),
    ]
}

/// The client says where it calls from; the server must not ask the kernel.
fn unasked(stage: &mut Stage<'_>) -> Result<()> {
    let server = stage.start("server", &[])?;
    let at = stage.ready(server)?;
    let client = stage.start("client", &at)?;
    for _ in 0..3 {
        let caller = stage.note(client)?;
        stage.tell(server, &caller)?;
    }
    Ok(())
}

fn unasked_server(w: &mut Worker) -> Result<()> {
    let listener = w.listen()?;
    for n in 0..3 {
        let caller = w.hear()?.parse()?;
        let mut conn = w.accept_unasked(&listener, caller)?;
        match n {
            0 => conn.serve()?,
            1 => conn.tx(write, 500)?, // speaks first
            _ => {}                    // never says a word
        }
        conn.rx_fin()?;
        conn.close(End::Fin);
    }
    Ok(())
}

fn unasked_client(w: &mut Worker) -> Result<()> {
    for n in 0..3 {
        let mut conn = w.connect()?;
        let local = conn.tally.get().local.context("not connected")?;
        w.note(local)?;
        match n {
            0 => conn.ask(100, 100)?,
            1 => conn.rx(read, 500)?,
            _ => {}
        }
        conn.close(End::Fin);
    }
    Ok(())
}

fn preforked(w: &mut Worker) -> Result<()> {
    let listener = w.listen_at(std::net::SocketAddr::new(w.family.loopback(), 0))?;
    let workers =
        (0..4).map(|_| w.fork("worker", |child| serve(child, &listener, 5))).collect::<Result<Vec<_>>>()?;
    w.ready(&[listener.local])?;
    workers.into_iter().try_for_each(|worker| w.join(worker))
}
