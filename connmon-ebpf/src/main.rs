//! The kernel side of connmon: thin entry points in `hooks`, the accounting that they share in `ledger`, what they read from kernel
//! structs in `sock` and `task`, and the maps that several files use in `maps`.
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

mod blind;
mod calls;
mod hooks;
mod ledger;
mod maps;
mod nat;
mod probe_log;
mod redundant;
mod requested;
mod ring;
mod sock;
mod task;

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // Programs are verified to end, so nothing here is ever reached.
    loop {}
}
