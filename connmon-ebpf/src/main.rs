//! The kernel side of connmon: thin entry points in `hooks`, the accounting they share in `account` and `attempt`, what
//! they read from kernel structs in `sock` and `task`, and every map in `maps`.
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

mod account;
mod attempt;
mod calls;
mod hooks;
mod identity;
mod maps;
mod nat;
mod pool;
mod probe_log;
mod quota;
mod redundant;
mod requested;
mod ring;
mod shares;
mod sock;
mod task;
mod template;

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // Programs are verified to end, so nothing here is ever reached.
    loop {}
}
