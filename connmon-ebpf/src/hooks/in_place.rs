//! Reads packets in place. A call of bpf_skb_load_bytes() costs more than all that the programs read of most packets.

use aya_ebpf::bindings::__sk_buff;

/// A pointer to the `T` at a fixed offset of a packet. `None` if the packet is shorter, or that part of it lies in another page
/// (skb_headlen(), include/linux/skbuff.h); the IP and transport headers seldom do. `T` has no value that is invalid, and its alignment does
/// not matter to the processors that run Linux with BPF's just-in-time compilers.
#[inline(always)]
pub fn in_place<T>(skb: *mut __sk_buff, offset: usize) -> Option<*const T> {
    // SAFETY: fields of the context; the verifier checks the access.
    let (data, end) = unsafe {
        (
            core::ptr::read_volatile(&raw const (*skb).data),
            core::ptr::read_volatile(&raw const (*skb).data_end),
        )
    };
    let at = data as usize + offset;
    // The verifier wants to see this comparison.
    if at + size_of::<T>() > end as usize { None } else { Some(at as *const T) }
}

/// The byte at a fixed offset of a packet, under the conditions of [`in_place`].
#[inline(always)]
pub fn byte(skb: *mut __sk_buff, offset: usize) -> Option<u8> {
    // SAFETY: within the packet, as the verifier checks.
    in_place::<u8>(skb, offset).map(|byte| unsafe { core::ptr::read_volatile(byte) })
}
