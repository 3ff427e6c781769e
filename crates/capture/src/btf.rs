//! A reader for the kernel's type information (BTF), as far as field offsets and prototypes need it.
//!
//! Format: Documentation/bpf/btf.rst in the kernel tree. Rust emits no relocations against kernel types, so the
//! offsets are looked up here and handed to the programs as constants.

use std::collections::HashMap;
use std::fmt;

const MAGIC: u16 = 0xeb9f;

/// Kinds of types, include/uapi/linux/btf.h.
mod kind {
    pub const INT: u32 = 1;
    pub const PTR: u32 = 2;
    pub const ARRAY: u32 = 3;
    pub const STRUCT: u32 = 4;
    pub const UNION: u32 = 5;
    pub const ENUM: u32 = 6;
    pub const TYPEDEF: u32 = 8;
    pub const VOLATILE: u32 = 9;
    pub const CONST: u32 = 10;
    pub const RESTRICT: u32 = 11;
    pub const FUNC: u32 = 12;
    pub const FUNC_PROTO: u32 = 13;
    pub const VAR: u32 = 14;
    pub const DATASEC: u32 = 15;
    pub const DECL_TAG: u32 = 17;
    pub const TYPE_TAG: u32 = 18;
    pub const ENUM64: u32 = 19;
}

/// Why type information could not be used.
#[derive(Debug, thiserror::Error)]
pub enum BtfError {
    /// There is no `/sys/kernel/btf/vmlinux`.
    #[error("this kernel has no type information ({0}); it must be built with CONFIG_DEBUG_INFO_BTF")]
    Missing(std::io::Error),
    /// The data does not follow the format.
    #[error("the kernel's type information is damaged at byte {0}")]
    Damaged(usize),
    /// A struct or a field of it is not there.
    #[error("this kernel's type information has no field {1} in struct {0}")]
    NoField(String, String),
    /// A field lies elsewhere than the programs expect.
    #[error("field {1} of struct {0} is at an unexpected place in this kernel")]
    Place(String, String),
    /// A field is of another kind than the programs expect.
    #[error("field {field} of struct {name} is {found} in this kernel, but connmon expects {expected}")]
    Kind {
        /// The struct.
        name: String,
        /// The field.
        field: String,
        /// The type or size of the field in this kernel.
        found: Kind,
        /// The type or size that the programs expect.
        expected: Kind,
    },
    /// A field has another size than the programs expect.
    #[error(
        "field {field} of struct {name} has {found} bytes in this kernel, but connmon expects {expected}"
    )]
    Size {
        /// The struct.
        name: String,
        /// The field.
        field: String,
        /// Its size in this kernel.
        found: u32,
        /// The type or size that the programs expect.
        expected: u32,
    },
}

/// Parsed type information.
pub struct Btf {
    data: Vec<u8>,
    types: Vec<usize>,
    strings: usize,
    names: HashMap<(u32, Vec<u8>), Vec<u32>>,
}

/// The position of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Bytes from the start of the struct.
    pub offset: u32,
    /// Its size in bytes.
    pub size: u32,
    /// The type of the field.
    pub kind: Kind,
}

/// A member of a struct: its type, where it begins, and whether it is a bit-field.
#[derive(Clone, Copy)]
struct Member {
    id: u32,
    bits: u32,
    is_bits: bool,
}

/// The type of a field, resolved through typedefs and qualifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An integer or an enumeration.
    Number,
    /// A pointer.
    Pointer,
    /// An array.
    Array,
    /// A struct or a union.
    Struct,
    /// Bits of a word, which have no offset in bytes; or a function.
    Other,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Number => "a number",
            Self::Pointer => "a pointer",
            Self::Array => "an array",
            Self::Struct => "a struct",
            Self::Other => "something else",
        })
    }
}

impl Btf {
    /// Reads the running kernel's.
    ///
    /// # Errors
    /// The kernel has none, or it is damaged.
    pub fn of_kernel() -> Result<Self, BtfError> {
        let data = std::fs::read("/sys/kernel/btf/vmlinux").map_err(BtfError::Missing)?;
        Self::parse(data)
    }

    fn parse(data: Vec<u8>) -> Result<Self, BtfError> {
        let mut btf = Self { data, types: vec![0], strings: 0, names: HashMap::new() };
        if btf.data.len() < 24 || u16::from_le_bytes([btf.data[0], btf.data[1]]) != MAGIC {
            return Err(BtfError::Damaged(0));
        }
        let header = btf.word(4)? as usize;
        let mut at = header + btf.word(8)? as usize;
        let end = at + btf.word(12)? as usize;
        btf.strings = header + btf.word(16)? as usize;
        while at < end {
            let id = btf.types.len() as u32;
            btf.types.push(at);
            let info = btf.word(at + 4)?;
            let (kind, vlen) = ((info >> 24) & 0x1f, (info & 0xffff) as usize);
            if matches!(kind, kind::STRUCT | kind::FUNC) {
                let name = btf.string(btf.word(at)?)?.to_vec();
                btf.names.entry((kind, name)).or_default().push(id);
            }
            at += 12
                + match kind {
                    kind::INT | kind::VAR | kind::DECL_TAG => 4,
                    kind::ARRAY => 12,
                    kind::STRUCT | kind::UNION | kind::DATASEC | kind::ENUM64 => 12 * vlen,
                    kind::ENUM | kind::FUNC_PROTO => 8 * vlen,
                    _ => 0,
                };
        }
        Ok(btf)
    }

    fn word(&self, at: usize) -> Result<u32, BtfError> {
        let bytes = self.data.get(at..at + 4).ok_or(BtfError::Damaged(at))?;
        // The slice has four bytes.
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn string(&self, offset: u32) -> Result<&[u8], BtfError> {
        let at = self.strings + offset as usize;
        let rest = self.data.get(at..).ok_or(BtfError::Damaged(at))?;
        Ok(rest.split(|&byte| byte == 0).next().unwrap_or_default())
    }

    fn at(&self, id: u32) -> Result<(usize, u32, u32), BtfError> {
        let at = *self.types.get(id as usize).ok_or(BtfError::Damaged(id as usize))?;
        let info = self.word(at + 4)?;
        Ok((at, (info >> 24) & 0x1f, info & 0xffff))
    }

    /// Size in bytes of a type, through typedefs and qualifiers.
    fn size(&self, id: u32) -> Result<u32, BtfError> {
        let (at, kind, _) = self.at(id)?;
        match kind {
            kind::PTR => Ok(8),
            kind::ARRAY => Ok(self.size(self.word(at + 12)?)?.saturating_mul(self.word(at + 20)?)),
            kind::TYPEDEF | kind::VOLATILE | kind::CONST | kind::RESTRICT | kind::TYPE_TAG => {
                self.size(self.word(at + 8)?)
            }
            _ => self.word(at + 8),
        }
    }

    /// The kind of a type.
    fn kind(&self, id: u32) -> Result<Kind, BtfError> {
        let (at, kind, _) = self.at(self.resolve(id)?)?;
        Ok(match kind {
            // Fewer bits than its bytes have: a bit-field, as older compilers write them.
            kind::INT if self.word(at + 12)? & 0xff != 8 * self.word(at + 8)? => Kind::Other,
            kind::INT | kind::ENUM | kind::ENUM64 => Kind::Number,
            kind::PTR => Kind::Pointer,
            kind::ARRAY => Kind::Array,
            kind::STRUCT | kind::UNION => Kind::Struct,
            _ => Kind::Other,
        })
    }

    fn resolve(&self, mut id: u32) -> Result<u32, BtfError> {
        loop {
            let (at, kind, _) = self.at(id)?;
            match kind {
                kind::TYPEDEF | kind::VOLATILE | kind::CONST | kind::RESTRICT | kind::TYPE_TAG => {
                    id = self.word(at + 8)?;
                }
                _ => return Ok(id),
            }
        }
    }

    /// Finds a member by name, also inside anonymous structs and unions.
    fn member(&self, id: u32, name: &[u8]) -> Result<Option<Member>, BtfError> {
        let (at, kind, vlen) = self.at(id)?;
        if kind != kind::STRUCT && kind != kind::UNION {
            return Ok(None);
        }
        let bitfields = self.word(at + 4)? >> 31 == 1;
        for n in 0..vlen as usize {
            let member = at + 12 + 12 * n;
            let member_name = self.string(self.word(member)?)?;
            let member_type = self.word(member + 4)?;
            let raw = self.word(member + 8)?;
            let (bits, width) = if bitfields { (raw & 0x00ff_ffff, raw >> 24) } else { (raw, 0) };
            if member_name == name {
                return Ok(Some(Member { id: member_type, bits, is_bits: width != 0 || bits % 8 != 0 }));
            }
            if member_name.is_empty()
                && let Some(inner) = self.member(self.resolve(member_type)?, name)?
            {
                return Ok(Some(Member { bits: bits + inner.bits, ..inner }));
            }
        }
        Ok(None)
    }

    /// Where `path` (members joined by dots) lies in `struct name`. Type names can occur twice: the first struct
    /// that has the field counts.
    ///
    /// # Errors
    /// Names the struct and the field that is missing.
    pub fn field(&self, name: &str, path: &str) -> Result<Field, BtfError> {
        let missing = || BtfError::NoField(name.into(), path.into());
        let candidates = self.names.get(&(kind::STRUCT, name.as_bytes().to_vec())).ok_or_else(missing)?;
        'candidates: for &candidate in candidates {
            let mut at = Member { id: candidate, bits: 0, is_bits: false };
            for part in path.split('.') {
                match self.member(self.resolve(at.id)?, part.as_bytes())? {
                    Some(inner) => at = Member { bits: at.bits + inner.bits, ..inner },
                    None => continue 'candidates,
                }
            }
            let kind = if at.is_bits { Kind::Other } else { self.kind(at.id)? };
            return Ok(Field { offset: at.bits / 8, size: self.size(at.id)?, kind });
        }
        Err(missing())
    }

    /// Number of parameters of a kernel function; `None` if there is no such function.
    pub fn parameters(&self, function: &str) -> Option<u32> {
        let &id = self.names.get(&(kind::FUNC, function.as_bytes().to_vec()))?.first()?;
        let (at, _, _) = self.at(id).ok()?;
        let (_, kind, vlen) = self.at(self.word(at + 8).ok()?).ok()?;
        (kind == kind::FUNC_PROTO).then_some(vlen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_type_information_is_refused() {
        assert!(matches!(Btf::parse(vec![0; 10]), Err(BtfError::Damaged(0))));
        let mut data = vec![0x9f, 0xeb, 1, 0];
        for word in [24_u32, 0, 400, 400, 4] {
            data.extend(word.to_le_bytes());
        }
        assert!(Btf::parse(data).is_err());
    }

    #[test]
    fn the_running_kernel_is_understood() {
        let btf = match Btf::of_kernel() {
            Ok(btf) => btf,
            Err(BtfError::Missing(error)) => {
                println!("skipped: this kernel has no BTF ({error})");
                return;
            }
            Err(error) => panic!("{error}"),
        };
        let kind = Kind::Number;
        assert_eq!(btf.field("sock_common", "skc_daddr").unwrap(), Field { offset: 0, size: 4, kind });
        for (name, field, kind) in [
            ("msghdr", "msg_name", Kind::Pointer),
            ("task_struct", "comm", Kind::Array),
            ("cred", "uid", Kind::Struct),
            ("sock_common", "skc_state", Kind::Number),
            ("sk_buff", "pkt_type", Kind::Other),
        ] {
            assert_eq!(btf.field(name, field).unwrap().kind, kind, "{name}.{field}");
        }
        assert_eq!(btf.field("sock", "__sk_common.skc_family").unwrap().size, 2);
        assert_eq!(btf.field("dentry", "d_name.name").unwrap().size, 8);
        assert!(matches!(btf.field("sock", "nonsense"), Err(BtfError::NoField(..))));
        assert_eq!(btf.parameters("tcp_sendmsg"), Some(3));
        assert_eq!(btf.parameters("no_such_function"), None);
    }
}
