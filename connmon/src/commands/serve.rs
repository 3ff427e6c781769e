//! `connmon serve`

use std::io::Write;
use std::path::Path;

use tokio::signal::unix::{SignalKind, signal};

use super::{CommandError, Outcome, stdout};
use crate::cli::{self, DEFAULT_DB};
use crate::config::location;
use connmon_live::web::{Server, Settings, Token};
use connmon_live::{attach, socket_of};
use connmon_system::memory;

/// Serves the page of a recording that goes on.
///
/// # Errors
/// There is no recording, or nobody can listen there.
pub fn run(args: cli::Serve) -> Result<Outcome, CommandError> {
    // Before there is a second thread.
    memory::share_one_heap();
    let home = args.location.as_deref().map(location).transpose()?;
    let token = match &args.token {
        Some(path) => Token::of_file(path),
        None => Token::random(),
    }?;
    let tls = args.tls_cert.zip(args.tls_key);
    let server = Server::bind(Settings { listen: args.listen, hosts: args.hosts, token, tls, home })?;
    let socket = args.socket.unwrap_or_else(|| socket_of(&args.db, Path::new(DEFAULT_DB)));
    let updates = attach::connect(&socket)?;
    let mut out = stdout();
    writeln!(out, "{}", server.url())?;
    out.flush()?;
    drop(out);
    server.run(updates, move || attach::connect(&socket).ok(), stopped())?;
    Ok(Outcome::Done)
}

/// Ends when somebody wants it to.
async fn stopped() {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
