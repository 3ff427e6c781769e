//! TLS in the kernel: what the calls move is the truth, what goes over the wire is more.

use std::os::fd::AsFd;
use std::time::Duration;

use anyhow::Result;

use super::tcp_basic::accept_one;
use crate::stage::{Case, Conn, Worker, needs};
use crate::sys::socket::set_option;
use crate::sys::stream::{read, recv, send, sendmsg, write};
use crate::truth::End;

pub(super) fn cases() -> Vec<Case> {
    // `lossy`: the kernel's totals have the headers of the TLS records as well
    vec![Case::pair("tcp-tls", "TLS in the kernel, both sides", tls_server, tls_client).lossy()]
}

// include/uapi/linux/tls.h, tcp.h, socket.h
const TCP_ULP: i32 = 31;
const SOL_TLS: i32 = 282;
const TLS_TX: i32 = 1;
const TLS_RX: i32 = 2;

/// `struct tls12_crypto_info_aes_gcm_128`
#[repr(C)]
struct Keys {
    version: u16,
    cipher: u16,
    iv: [u8; 8],
    key: [u8; 16],
    salt: [u8; 4],
    sequence: [u8; 8],
}

/// TLS 1.2 with keys that both sides know from the start.
const KEYS: Keys =
    Keys { version: 0x0303, cipher: 51, iv: [1; 8], key: [2; 16], salt: [3; 4], sequence: [0; 8] };

/// Where something is missing, the other side is given time to find that out as well, on a connection that still stands.
fn secure(conn: &Conn) -> Result<()> {
    let secured = switch_on(conn);
    if secured.is_err() {
        std::thread::sleep(Duration::from_secs(1));
    }
    secured
}

fn switch_on(conn: &Conn) -> Result<()> {
    let fd = conn.as_fd();
    needs("TLS", &[libc::ENOENT, libc::ENOPROTOOPT], set_option(fd, libc::IPPROTO_TCP, TCP_ULP, b"tls"))?;
    for way in [TLS_TX, TLS_RX] {
        needs("AES-GCM for TLS", &[libc::ENOENT], set_option(fd, SOL_TLS, way, &KEYS))?;
    }
    Ok(())
}

fn tls_server(w: &mut Worker) -> Result<()> {
    let mut conn = accept_one(w)?;
    secure(&conn)?;
    conn.tx(write, 1)?; // from now on the client may send
    conn.rx(read, 100)?;
    conn.rx(recv, 50_000)?;
    conn.tx(send, 20_000)?;
    conn.rx_fin()?;
    conn.close(End::Fin);
    Ok(())
}

fn tls_client(w: &mut Worker) -> Result<()> {
    let mut conn = w.connect()?;
    secure(&conn)?;
    conn.rx(read, 1)?;
    conn.tx(write, 100)?;
    conn.tx(sendmsg, 50_000)?;
    conn.rx(recv, 20_000)?;
    conn.close(End::Fin);
    Ok(())
}
