//! How deep the stack of the kernel side gets. Kernels before Linux 6.13 refuse a program whose chain of calls has more than 512
//! bytes of stack, or more than eight frames (check_max_stack_depth(), kernel/bpf/verifier.c); a build notices nothing of it, and
//! the kernel of whoever builds may be a newer one. So it is counted here as the verifier does, which takes the deepest access of
//! each function.

use std::collections::HashMap;

use anyhow::{Context, Result, bail, ensure};
use object::read::elf::ElfFile64;
use object::{Object, ObjectSection, ObjectSymbol, RelocationTarget, SectionIndex, SymbolKind};

/// `MAX_BPF_STACK`, include/linux/filter.h.
const MAX_BYTES: u32 = 512;
/// `MAX_CALL_FRAMES`, include/linux/bpf_verifier.h.
const MAX_FRAMES: usize = 8;
/// What each frame is rounded up to; since Linux 6.8 it is less.
const ROUNDED_TO: u32 = 32;
/// Bytes of an instruction; some take two.
const SIZE: usize = 8;
/// The register that holds the frame's end.
const FRAME: u8 = 10;

/// An instruction, `struct bpf_insn` (include/uapi/linux/bpf.h).
#[derive(Clone, Copy)]
struct Instruction {
    opcode: u8,
    target: u8,
    source: u8,
    offset: i16,
    number: i32,
}

impl Instruction {
    fn read(bytes: &[u8]) -> Option<Self> {
        let &[opcode, registers, o0, o1, n0, n1, n2, n3] = bytes else { return None };
        Some(Self {
            opcode,
            target: registers & 15,
            source: registers >> 4,
            offset: i16::from_le_bytes([o0, o1]),
            number: i32::from_le_bytes([n0, n1, n2, n3]),
        })
    }

    /// Whether it refers to another function: a call, or a load of its address for a helper that calls it.
    fn is_reference(self) -> bool {
        const CALL: u8 = 0x85;
        const PSEUDO_CALL: u8 = 1;
        const PSEUDO_FUNC: u8 = 4;
        (self.opcode, self.source) == (CALL, PSEUDO_CALL)
            || (self.opcode, self.source) == (LOAD_WIDE, PSEUDO_FUNC)
    }
}

/// The instruction that takes two places.
const LOAD_WIDE: u8 = 0x18;

fn instructions(code: &[u8]) -> impl Iterator<Item = (usize, Instruction)> {
    let mut wide = false;
    code.chunks_exact(SIZE).enumerate().filter_map(move |(at, bytes)| {
        let one = Instruction::read(bytes)?;
        let is_second = std::mem::take(&mut wide);
        wide = !is_second && one.opcode == LOAD_WIDE;
        (!is_second).then_some((at, one))
    })
}

/// Bytes of stack that a function uses: its deepest access by way of the frame's end, or of a register that was made from it.
fn frame(code: &[u8]) -> u32 {
    let mut deepest = 0;
    // Where each register points to in the frame, as far as it does.
    let mut places: [Option<i64>; 16] = [None; 16];
    places[usize::from(FRAME)] = Some(0);
    for (_, one) in instructions(code) {
        let (target, source) = (usize::from(one.target), usize::from(one.source));
        // include/uapi/linux/bpf_common.h: classes, and of arithmetic the operations with a number (K) or a register (X).
        let place = match (one.opcode & 7, one.opcode) {
            (1, _) => {
                note(&mut deepest, places[source], one.offset);
                places[target] = None;
                continue;
            }
            (2 | 3, _) => {
                note(&mut deepest, places[target], one.offset);
                continue;
            }
            (_, 0xbf) => places[source],
            (_, 0x07) => places[target].map(|at| at + i64::from(one.number)),
            (0 | 4 | 7, _) => None,
            (5, 0x85) => {
                // A call leaves these undefined.
                places[..6].fill(None);
                continue;
            }
            _ => continue,
        };
        if one.target == FRAME {
            continue;
        }
        places[target] = place;
        note(&mut deepest, place, 0);
    }
    u32::try_from(deepest).unwrap_or(u32::MAX)
}

fn note(deepest: &mut i64, place: Option<i64>, offset: i16) {
    if let Some(at) = place {
        *deepest = (*deepest).max(-(at + i64::from(offset)));
    }
}

/// A function, with the places of those that it calls in the list of all.
struct Function {
    name: String,
    bytes: u32,
    calls: Vec<usize>,
}

/// A chain of calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    /// Bytes of stack, as the verifier counts them.
    pub bytes: u32,
    /// Its functions with the bytes of each, from the first on.
    pub frames: Vec<(String, u32)>,
}

impl std::fmt::Display for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes in {} frames:", self.bytes, self.frames.len())?;
        self.frames.iter().try_for_each(|(name, bytes)| write!(f, " {name} ({bytes})"))
    }
}

/// The chain of a BPF object that uses most bytes.
///
/// # Errors
/// One is longer than kernels allow, or the object cannot be read.
pub fn check(object: &[u8]) -> Result<Chain> {
    let functions = functions(object)?;
    ensure!(!functions.is_empty(), "the eBPF object has no functions");
    judge(&functions)
}

fn judge(functions: &[Function]) -> Result<Chain> {
    let mut known = vec![None; functions.len()];
    let mut deepest = Chain::default();
    for at in 0..functions.len() {
        longest(functions, at, &mut Vec::new(), &mut known)?;
    }
    for found in known.into_iter().flatten() {
        let Longest { bytes, frames } = found;
        if frames.frames.len() > MAX_FRAMES {
            bail!("more than {MAX_FRAMES} frames of stack, which no kernel takes: {frames}");
        }
        if bytes.bytes > deepest.bytes {
            deepest = bytes;
        }
    }
    ensure!(
        deepest.bytes <= MAX_BYTES,
        "more than {MAX_BYTES} bytes of stack, which kernels before Linux 6.13 refuse: {deepest}"
    );
    Ok(deepest)
}

/// What begins with a function and uses most.
#[derive(Clone, Default)]
struct Longest {
    bytes: Chain,
    frames: Chain,
}

fn longest(
    all: &[Function],
    at: usize,
    above: &mut Vec<usize>,
    known: &mut [Option<Longest>],
) -> Result<Longest> {
    if let Some(found) = &known[at] {
        return Ok(found.clone());
    }
    let function = &all[at];
    ensure!(!above.contains(&at), "{} calls itself", function.name);
    above.push(at);
    let mut most = Longest::default();
    for &called in &function.calls {
        let below = longest(all, called, above, known)?;
        if below.bytes.bytes > most.bytes.bytes {
            most.bytes = below.bytes;
        }
        if below.frames.frames.len() > most.frames.frames.len() {
            most.frames = below.frames;
        }
    }
    above.pop();
    for chain in [&mut most.bytes, &mut most.frames] {
        chain.bytes += function.bytes;
        chain.frames.insert(0, (function.name.clone(), function.bytes));
    }
    known[at] = Some(most.clone());
    Ok(most)
}

/// All functions of an object, with what they call.
fn functions(object: &[u8]) -> Result<Vec<Function>> {
    let elf = ElfFile64::<object::LittleEndian>::parse(object).context("the eBPF object")?;
    let mut places = HashMap::new();
    let mut found = Vec::new();
    for symbol in elf.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0) {
        let Some(section) = symbol.section_index() else { continue };
        // Several names may stand for the same code.
        places.entry((section, symbol.address())).or_insert_with(|| {
            found.push((symbol.name().unwrap_or("?").to_owned(), section, symbol.address(), symbol.size()));
            found.len() - 1
        });
    }
    found.iter().map(|of| function(&elf, &places, of)).collect()
}

fn function(
    elf: &ElfFile64<'_, object::LittleEndian>,
    places: &HashMap<(SectionIndex, u64), usize>,
    (name, index, address, size): &(String, SectionIndex, u64, u64),
) -> Result<Function> {
    let section = elf.section_by_index(*index)?;
    let code = section.data_range(*address, *size)?.with_context(|| format!("{name} has no code"))?;
    let relocations: HashMap<u64, _> =
        section.relocations().filter(|(at, _)| (*address..address + size).contains(at)).collect();
    let mut calls = Vec::new();
    for (at, one) in instructions(code).filter(|(_, one)| one.is_reference()) {
        let at = address + (at * SIZE) as u64;
        // The number counts instructions from the next one on.
        let away = (i64::from(one.number) + 1) * SIZE as i64;
        let to = match relocations.get(&at).map(object::Relocation::target) {
            Some(RelocationTarget::Symbol(symbol)) => {
                let symbol = elf.symbol_by_index(symbol)?;
                let section =
                    symbol.section_index().with_context(|| format!("{name} calls what is not there"))?;
                (section, symbol.address().wrapping_add_signed(away))
            }
            _ => (*index, at.wrapping_add_signed(away)),
        };
        calls.push(*places.get(&to).with_context(|| format!("{name} calls no function at {to:?}"))?);
    }
    let bytes = frame(code).max(1).next_multiple_of(ROUNDED_TO);
    Ok(Function { name: name.clone(), bytes, calls })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An instruction's bytes.
    fn code(of: &[(u8, u8, u8, i16, i32)]) -> Vec<u8> {
        let bytes = |&(opcode, target, source, offset, number): &(u8, u8, u8, i16, i32)| {
            let [o0, o1] = i16::to_le_bytes(offset);
            let [n0, n1, n2, n3] = i32::to_le_bytes(number);
            [opcode, source << 4 | target, o0, o1, n0, n1, n2, n3]
        };
        of.iter().flat_map(bytes).collect()
    }

    const EXIT: (u8, u8, u8, i16, i32) = (0x95, 0, 0, 0, 0);

    #[test]
    fn a_frame_is_as_deep_as_what_is_reached_in_it() {
        let deep = |of: &[_]| frame(&code(of));
        assert_eq!(deep(&[EXIT]), 0);
        // *(u64 *)(r10 - 8) = r1; r1 = *(u32 *)(r10 - 24); *(u8 *)(r10 - 3) = 7
        assert_eq!(deep(&[(0x7b, 10, 1, -8, 0), (0x61, 1, 10, -24, 0), (0x72, 10, 0, -3, 7), EXIT]), 24);
        // r2 = r10; r2 += -96; a helper is called with it
        assert_eq!(deep(&[(0xbf, 2, 10, 0, 0), (0x07, 2, 0, 0, -96), (0x85, 0, 0, 0, 1), EXIT]), 96);
        // r6 = r10; r6 += -40; r7 = r6; *(u64 *)(r7 - 16) = r1
        let copied =
            [(0xbf, 6, 10, 0, 0), (0x07, 6, 0, 0, -40), (0xbf, 7, 6, 0, 0), (0x7b, 7, 1, -16, 0), EXIT];
        assert_eq!(deep(&copied), 56);
        // r2 = r10; a call; r2 is another value then, and so is what is loaded into a register
        assert_eq!(deep(&[(0xbf, 2, 10, 0, 0), (0x85, 0, 0, 0, 1), (0x7b, 2, 1, -80, 0), EXIT]), 0);
        assert_eq!(deep(&[(0xbf, 6, 10, 0, 0), (0x79, 6, 1, 0, 0), (0x7b, 6, 1, -80, 0), EXIT]), 0);
        // The second half of a wide load is no instruction.
        assert_eq!(deep(&[(0x18, 1, 0, 0, 0), (0x7b, 10, 1, -64, 0), EXIT]), 0);
    }

    fn function(name: &str, bytes: u32, calls: &[usize]) -> Function {
        Function { name: name.into(), bytes, calls: calls.to_vec() }
    }

    /// An object as compilers make them: two functions in `.text`, of which one calls the other by a number, and a program in a section
    /// of its own that calls the first by a relocation.
    fn object_with(of_program: i32) -> Result<Vec<u8>> {
        use object::write::{Object, Relocation, StandardSection, Symbol, SymbolSection};
        use object::{
            Architecture, BinaryFormat, Endianness, RelocationFlags, SectionKind, SymbolFlags, SymbolScope,
        };
        let mut elf = Object::new(BinaryFormat::Elf, Architecture::Bpf, Endianness::Little);
        let text = elf.section_id(StandardSection::Text);
        let near = code(&[(0x85, 0, 1, 0, 1), EXIT, (0x7b, 10, 1, -200, 0), EXIT]);
        elf.append_section_data(text, &near, 8);
        let program = elf.add_section(Vec::new(), b"fentry/f".to_vec(), SectionKind::Text);
        let far = code(&[(0xbf, 2, 10, 0, 0), (0x07, 2, 0, 0, of_program), (0x85, 0, 1, 0, -1), EXIT]);
        elf.append_section_data(program, &far, 8);
        let mut add = |name: &str, value, size, section| {
            elf.add_symbol(Symbol {
                name: name.as_bytes().to_vec(),
                value,
                size,
                kind: SymbolKind::Text,
                scope: SymbolScope::Linkage,
                weak: false,
                section: SymbolSection::Section(section),
                flags: SymbolFlags::None,
            })
        };
        let called = add("called", 0, 16, text);
        add("leaf", 16, 16, text);
        add("program", 0, 32, program);
        // R_BPF_64_32
        let flags = RelocationFlags::Elf { r_type: object::elf::R_BPF_64_32 };
        elf.add_relocation(program, Relocation { offset: 16, symbol: called, addend: 0, flags })?;
        Ok(elf.write()?)
    }

    #[test]
    fn calls_are_followed_by_number_and_by_relocation() -> Result<()> {
        let found = check(&object_with(-200)?)?;
        assert_eq!(found.to_string(), "480 bytes in 3 frames: program (224) called (32) leaf (224)");
        assert_eq!(check(&object_with(-256)?)?.bytes, 512);
        let error = check(&object_with(-257)?).expect_err("too deep").to_string();
        assert!(error.contains("544 bytes in 3 frames: program (288)"), "{error}");
        assert!(check(b"no object").is_err());
        Ok(())
    }

    #[test]
    fn there_are_eight_frames_at_most() {
        let linked = |of: usize| -> Vec<Function> {
            (1..=of)
                .map(|next| function("f", 32, if next == of { &[] } else { std::slice::from_ref(&next) }))
                .collect()
        };
        assert_eq!(judge(&linked(8)).expect("as many as there may be").bytes, 256);
        let error = judge(&linked(9)).expect_err("one more").to_string();
        assert!(error.starts_with("more than 8 frames"), "{error}");
    }

    fn longest_of(all: &[Function]) -> Result<Longest> {
        longest(all, 0, &mut Vec::new(), &mut vec![None; all.len()])
    }

    #[test]
    fn the_longest_chain_is_the_one_with_most_bytes() -> Result<()> {
        let all = [
            function("hook", 64, &[1, 2]),
            function("shallow", 32, &[3]),
            function("deep", 160, &[]),
            function("leaf", 32, &[]),
        ];
        let found = longest_of(&all)?;
        let names = |chain: &Chain| chain.frames.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        assert_eq!((found.bytes.bytes, names(&found.bytes)), (224, vec!["hook".to_owned(), "deep".into()]));
        assert_eq!(names(&found.frames), ["hook", "shallow", "leaf"]);
        assert!(longest_of(&[function("round", 32, &[0])]).is_err());
        Ok(())
    }
}
