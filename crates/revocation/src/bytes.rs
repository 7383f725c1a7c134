//! Reading and writing numbers and short texts in the crate's own formats. Numbers are big-endian.
//!
//! Every step of the reader is checked against what is left, so that a length which lies can
//! neither panic nor make anybody allocate more than the input has.

use nt_token::Place;

/// What is left of the bytes to be read.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether nothing is left.
    pub(crate) const fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    /// How many bytes are left.
    pub(crate) const fn left(&self) -> usize {
        self.0.len()
    }

    /// All that is left.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    /// The next bytes.
    pub(crate) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    /// The next bytes, of a length that the format fixes.
    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    /// A byte.
    pub(crate) fn byte(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    /// A number of 16 bits.
    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// A number of 32 bits.
    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// A number of 64 bits.
    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// A number of 64 bits with a sign.
    pub(crate) fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_be_bytes)
    }

    /// Bytes behind a length of one byte.
    pub(crate) fn short(&mut self) -> Option<&'a [u8]> {
        let length = self.byte()?;
        self.take(length.into())
    }

    /// Bytes behind a length of four bytes.
    pub(crate) fn long(&mut self) -> Option<&'a [u8]> {
        let length = self.u32()?;
        self.take(usize::try_from(length).ok()?)
    }

    /// A place in the set.
    pub(crate) fn place(&mut self) -> Option<Place> {
        let place = Place { list: self.u32()?, idx: self.u32()? };
        (place.idx < Place::LIST_MAX).then_some(place)
    }
}

/// Bytes as text.
pub(crate) fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// Writes a place in the set.
pub(crate) fn put_place(out: &mut Vec<u8>, place: Place) {
    out.extend(place.list.to_be_bytes());
    out.extend(place.idx.to_be_bytes());
}

/// Writes a text of at most 255 bytes behind its length; identifiers are shorter by their parsers.
pub(crate) fn put_short(out: &mut Vec<u8>, text: &[u8]) {
    out.push(u8::try_from(text.len()).expect("identifiers have at most 128 bytes"));
    out.extend(text);
}

/// Writes a length or a count.
pub(crate) fn put_length(out: &mut Vec<u8>, length: usize) {
    out.extend(u32::try_from(length).expect("nothing here comes near 4 GiB").to_be_bytes());
}
