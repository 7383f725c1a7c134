//! A list's bits as they travel: Roaring's portable format, container by container. A container has
//! 2¹⁶ bits, as a chunk has, so that each becomes the other without a step between.
//!
//! ```text
//! cookie u32 = 12346 │ n u32 │ n × (chunk u16 │ bits less one u16) │ n × (offset u32) │ n × container
//! container   up to 4,096 bits: the place of each, u16, ascending;  more: a bit for each place, 8 KiB
//! ```
//!
//! Numbers are little-endian. What is read is checked to be what would be written: chunks ascend, no
//! container is empty, counts and offsets are right. Containers of runs are unknown here.

use crate::bytes::Reader;

pub(super) const WORDS: usize = 1_024;
pub(super) const CHUNK_BITS: u32 = 65_536;

/// What a bitmap without run containers begins with.
const COOKIE: u32 = 12_346;
/// With more bits than these, a container has one for each place.
const FEW_MAX: u32 = 4_096;

/// A chunk's bits where they travel: at least one, and as many as was claimed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Container<'a> {
    /// The places of those that are set, ascending.
    Few(&'a [[u8; 2]]),
    /// Words of 64 places.
    Many(&'a [[u8; 8]]),
}

impl<'a> Container<'a> {
    fn take(from: &mut Reader<'a>, bits: u32) -> Option<Self> {
        if bits <= FEW_MAX {
            let (few, _) = from.take(bits as usize * 2)?.as_chunks();
            let ascends =
                |pair: &[[u8; 2]; 2]| u16::from_le_bytes(pair[0]) < u16::from_le_bytes(pair[1]);
            few.array_windows().all(ascends).then_some(Self::Few(few))
        } else {
            let (many, _) = from.take(WORDS * 8)?.as_chunks();
            let found: u32 = many.iter().map(|word| u64::from_le_bytes(*word).count_ones()).sum();
            (found == bits).then_some(Self::Many(many))
        }
    }
}

/// Reads a list's bits, of at most so many chunks, and hands over each container when it has been
/// checked. Nothing, sooner or later, if they are malformed or `each` will not go on.
pub(super) fn read<'a>(
    bytes: &'a [u8],
    chunks_max: usize,
    mut each: impl FnMut(usize, Container<'a>) -> Option<()>,
) -> Option<()> {
    let from = &mut Reader::new(bytes);
    let chunks = u32_of(from)? == COOKIE;
    let chunks =
        chunks.then_some(u32_of(from)? as usize).filter(|n| (1..=chunks_max).contains(n))?;
    let (heads, offsets) = (from.take(chunks * 4)?, &mut Reader::new(from.take(chunks * 4)?));
    let (heads, _) = heads.as_chunks::<2>();
    let (heads, _) = heads.as_chunks::<2>();
    let (whole, mut before) = (bytes.len(), None);
    for [chunk, less_one] in heads {
        let chunk = usize::from(u16::from_le_bytes(*chunk));
        let ascends = before.replace(chunk).is_none_or(|before| before < chunk);
        if !ascends || chunk >= chunks_max || u32_of(offsets)? as usize != whole - from.left() {
            return None;
        }
        each(chunk, Container::take(from, u32::from(u16::from_le_bytes(*less_one)) + 1)?)?;
    }
    from.is_at_end().then_some(())
}

/// How many containers there are, in bytes that have been checked.
pub(super) fn containers(bytes: &[u8]) -> usize {
    let count = bytes.get(4..).and_then(|count| u32_of(&mut Reader::new(count)));
    count.unwrap_or_default() as usize
}

/// Writes a list's bits: the chunks in order, with their numbers. Nothing if there is no bit.
pub(super) fn write(chunks: impl IntoIterator<Item = (u16, [u64; WORDS])>) -> Option<Vec<u8>> {
    let (mut heads, mut starts, mut containers) = (Vec::new(), Vec::new(), Vec::new());
    for (chunk, words) in chunks {
        let bits: u32 = words.iter().map(|word| word.count_ones()).sum();
        let Some(less_one) = bits.checked_sub(1) else { continue };
        let less_one = u16::try_from(less_one).expect("a chunk has 2^16 places");
        heads.extend([chunk.to_le_bytes(), less_one.to_le_bytes()].concat());
        starts.push(containers.len());
        if bits <= FEW_MAX {
            containers.extend(places(&words).flat_map(u16::to_le_bytes));
        } else {
            containers.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        }
    }
    let before = 8 + 8 * starts.len();
    let number = |number: usize| u32::try_from(number).expect("16 chunks of 8 KiB are small");
    let mut out = Vec::with_capacity(before + containers.len());
    out.extend(COOKIE.to_le_bytes());
    out.extend(number(starts.len()).to_le_bytes());
    out.extend(heads);
    out.extend(starts.iter().flat_map(|start| number(before + start).to_le_bytes()));
    out.extend(containers);
    (!starts.is_empty()).then_some(out)
}

/// The places of the bits that are set.
fn places(words: &[u64; WORDS]) -> impl Iterator<Item = u16> {
    (0..=u16::MAX).step_by(64).zip(words).flat_map(|(start, word)| {
        let less = |rest: &u64| Some(rest & (rest - 1)).filter(|rest| *rest != 0);
        let rests = std::iter::successors(Some(*word).filter(|word| *word != 0), less);
        rests.map(move |rest| {
            start + u16::try_from(rest.trailing_zeros()).expect("one of 64 places")
        })
    })
}

fn u32_of(from: &mut Reader<'_>) -> Option<u32> {
    from.array().map(u32::from_le_bytes)
}
