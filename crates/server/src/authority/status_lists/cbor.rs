//! Writing CBOR (RFC 8949), as far as a CWT needs it, and deterministically (section 4.2.1): every
//! length in its shortest form, and maps by the order of their keys' bytes.

/// A data item.
#[derive(Debug, Clone)]
pub(super) enum Cbor {
    Int(i64),
    Bytes(Vec<u8>),
    Text(String),
    Array(Vec<Self>),
    Map(Vec<(Self, Self)>),
    Tagged(u64, Box<Self>),
}

impl Cbor {
    pub(super) fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    pub(super) fn bytes(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.to_vec())
    }

    pub(super) fn map<const N: usize>(pairs: [(Self, Self); N]) -> Self {
        Self::Map(pairs.into())
    }

    pub(super) fn encoded(&self) -> Vec<u8> {
        let mut output = Vec::new();
        self.write(&mut output);
        output
    }

    fn write(&self, output: &mut Vec<u8>) {
        match self {
            // -1 is written as 0, -2 as 1, and so on: the complement.
            Self::Int(number) if *number < 0 => head(1, (!number).cast_unsigned(), output),
            Self::Int(number) => head(0, number.cast_unsigned(), output),
            Self::Bytes(bytes) => {
                head(2, bytes.len() as u64, output);
                output.extend_from_slice(bytes);
            }
            Self::Text(text) => {
                head(3, text.len() as u64, output);
                output.extend_from_slice(text.as_bytes());
            }
            Self::Array(items) => {
                head(4, items.len() as u64, output);
                for item in items {
                    item.write(output);
                }
            }
            Self::Map(pairs) => {
                head(5, pairs.len() as u64, output);
                let mut pairs: Vec<_> =
                    pairs.iter().map(|(key, value)| (key.encoded(), value.encoded())).collect();
                pairs.sort_unstable();
                for (key, value) in pairs {
                    output.extend(key.into_iter().chain(value));
                }
            }
            Self::Tagged(tag, item) => {
                head(6, *tag, output);
                item.write(output);
            }
        }
    }
}

/// What an item begins with: its major type, and a number in its shortest form.
fn head(major: u8, number: u64, output: &mut Vec<u8>) {
    let bytes = number.to_be_bytes();
    let (short, more): (u8, &[u8]) = match number {
        0..=0x17 => (bytes[7], &[]),
        0x18..=0xff => (24, &bytes[7..]),
        0x100..=0xffff => (25, &bytes[6..]),
        0x1_0000..=0xffff_ffff => (26, &bytes[4..]),
        _ => (27, &bytes),
    };
    output.push(major << 5 | short);
    output.extend_from_slice(more);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(item: &Cbor) -> String {
        item.encoded().iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
    }

    /// RFC 8949, appendix A.
    #[test]
    fn items_are_written_as_the_rfc_writes_them() {
        for (number, expected) in [
            (0, "00"),
            (23, "17"),
            (24, "1818"),
            (100, "1864"),
            (1_000, "1903e8"),
            (1_000_000, "1a000f4240"),
            (1_000_000_000_000, "1b000000e8d4a51000"),
            (-1, "20"),
            (-100, "3863"),
            (-1_000, "3903e7"),
        ] {
            assert_eq!(hex(&Cbor::Int(number)), expected);
        }
        assert_eq!(hex(&Cbor::bytes(&[1, 2, 3, 4])), "4401020304");
        assert_eq!(hex(&Cbor::text("IETF")), "6449455446");
        let list = |items: &[i64]| Cbor::Array(items.iter().copied().map(Cbor::Int).collect());
        assert_eq!(hex(&list(&[1, 2, 3])), "83010203");
        assert_eq!(hex(&Cbor::Tagged(1, Cbor::Int(1_363_896_240).into())), "c11a514b67b0");
    }

    #[test]
    fn a_map_is_in_the_order_of_its_keys_bytes_whatever_it_was_made_in() {
        let pairs = [(Cbor::text("b"), list()), (Cbor::Int(-1), list()), (Cbor::Int(10), list())];
        assert_eq!(hex(&Cbor::map(pairs)), "a30a802080616280");
    }

    fn list() -> Cbor {
        Cbor::Array(Vec::new())
    }
}
