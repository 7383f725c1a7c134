//! The bitmaps: one bit for every token that was ever issued, made where something was revoked.
//!
//! A list remembers the last end of the tokens that are revoked in it. When a horizon is behind that,
//! its bits say nothing that the horizon does not say, and they are cleared.

use std::borrow::Cow;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use nt_token::{Place, Timestamp};

use super::portable::{self, CHUNK_BITS, Container, WORDS};

const CHUNKS: usize = (Place::LIST_MAX / CHUNK_BITS) as usize;
const LISTS_A_SEGMENT: u32 = 1_024;
const SEGMENTS: u32 = 1_024;

type Chunk = [AtomicU64; WORDS];
type Segment = [OnceLock<Box<List>>; LISTS_A_SEGMENT as usize];

struct List {
    /// The last end of a token with a bit set; `i64::MIN` where there is none.
    last: AtomicI64,
    chunks: [OnceLock<Box<Chunk>>; CHUNKS],
}

/// A list's bits, as they travel.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ListBits<'a> {
    pub(crate) number: u32,
    /// The last end of a token with a bit set.
    pub(crate) last: Timestamp,
    /// In the portable format.
    pub(crate) bits: Cow<'a, [u8]>,
}

impl ListBits<'_> {
    /// Whether the bits are as they would be written; nothing otherwise.
    pub(crate) fn check(&self) -> Option<()> {
        portable::read(&self.bits, CHUNKS, |_, _| Some(()))
    }
}

/// All lists' bits. Readers are wait-free; bits are cleared only behind a horizon.
pub(super) struct Bitmaps {
    directory: Box<[OnceLock<Box<Segment>>]>,
}

impl Bitmaps {
    /// Lists are numbered from 0 to one below this.
    pub(super) const LISTS_MAX: u32 = SEGMENTS * LISTS_A_SEGMENT;

    pub(super) fn new() -> Self {
        Self { directory: (0..SEGMENTS).map(|_| OnceLock::new()).collect() }
    }

    pub(super) fn contains(&self, place: Place) -> bool {
        let Some(word) = self.find(place) else { return false };
        word.load(Ordering::Acquire) & bit(place.idx) != 0
    }

    /// The word of a place, if anything near it was ever revoked.
    fn find(&self, place: Place) -> Option<&AtomicU64> {
        let segment = self.directory.get((place.list / LISTS_A_SEGMENT) as usize)?.get()?;
        let list = segment.get((place.list % LISTS_A_SEGMENT) as usize)?.get()?;
        list.chunks.get((place.idx / CHUNK_BITS) as usize)?.get()?.get(word_of(place.idx))
    }

    /// Sets the bit of the place of a token that ends then; nothing if there is no such place.
    pub(super) fn mark(&self, place: Place, exp: Timestamp) -> Option<()> {
        let list = self.list(place.list)?;
        list.last.fetch_max(exp.unix(), Ordering::Relaxed);
        let chunk = list.chunks.get((place.idx / CHUNK_BITS) as usize)?;
        let chunk = chunk.get_or_init(|| boxed(AtomicU64::default));
        chunk.get(word_of(place.idx))?.fetch_or(bit(place.idx), Ordering::Release);
        Some(())
    }

    /// Sets all bits that a list has elsewhere, chunk by chunk; nothing if there is no such list or
    /// it is malformed, and then some of its bits may have been set.
    pub(super) fn unite(&self, other: &ListBits<'_>) -> Option<()> {
        let list = self.list(other.number)?;
        list.last.fetch_max(other.last.unix(), Ordering::Relaxed);
        portable::read(&other.bits, CHUNKS, |at, container| {
            let (here, theirs) = (list.chunks.get(at)?, chunk_of(container)?);
            // Given back where there is a chunk already.
            if let Err(theirs) = here.set(theirs) {
                let words = here.get()?.iter().zip(theirs.map(AtomicU64::into_inner));
                words.filter(|(_, bits)| *bits != 0).for_each(|(word, bits)| {
                    word.fetch_or(bits, Ordering::Release);
                });
            }
            Some(())
        })
    }

    fn list(&self, list: u32) -> Option<&List> {
        let segment = self.directory.get((list / LISTS_A_SEGMENT) as usize)?;
        let segment = segment.get_or_init(|| boxed(OnceLock::new));
        let list = segment.get((list % LISTS_A_SEGMENT) as usize)?;
        Some(list.get_or_init(|| Box::new(List::new())))
    }

    /// Clears the lists whose revoked tokens all end at this time or before it. Readers must have been
    /// told of the horizon before: one that sees a cleared bit then sees the horizon too. What is
    /// allocated stays so.
    pub(super) fn forget(&self, through: Timestamp) {
        for (_, list) in self.made().filter(|(_, list)| list.is_behind(through)) {
            for chunk in list.chunks.iter().filter_map(OnceLock::get) {
                chunk.iter().for_each(|word| word.store(0, Ordering::Release));
            }
            list.last.store(i64::MIN, Ordering::Relaxed);
        }
    }

    /// Whether [`Self::forget`] would clear anything.
    pub(super) fn would_forget(&self, through: Timestamp) -> bool {
        self.made().any(|(_, list)| list.is_behind(through))
    }

    /// Adds a list's bits to some of its beginning, the lowest of each byte first.
    pub(super) fn add_to(&self, list: u32, bits: &mut [u8]) {
        let segment = self.directory.get((list / LISTS_A_SEGMENT) as usize);
        let segment = segment.and_then(OnceLock::get);
        let list = segment.and_then(|segment| segment[(list % LISTS_A_SEGMENT) as usize].get());
        let Some(list) = list else { return };
        for (chunk, bits) in list.chunks.iter().zip(bits.chunks_mut(WORDS * size_of::<u64>())) {
            let Some(chunk) = chunk.get() else { continue };
            for (word, bits) in chunk.iter().zip(bits.chunks_mut(size_of::<u64>())) {
                let word = word.load(Ordering::Acquire).to_le_bytes();
                bits.iter_mut().zip(word).for_each(|(byte, more)| *byte |= more);
            }
        }
    }

    /// Every list with a bit set, in order.
    pub(super) fn lists(&self) -> Vec<ListBits<'static>> {
        let compact = |(number, list): (u32, &List)| {
            let last = Timestamp::from_unix(list.last.load(Ordering::Relaxed));
            Some(ListBits { number, last, bits: compact(list)?.into() })
        };
        self.made().filter_map(compact).collect()
    }

    /// Bytes that are allocated for bits and for finding them.
    pub(super) fn memory(&self) -> usize {
        let segments = self.directory.iter().filter(|segment| segment.get().is_some()).count();
        let chunks = |list: &List| list.chunks.iter().filter(|chunk| chunk.get().is_some()).count();
        let lists = |(_, list): (u32, &List)| size_of::<List>() + chunks(list) * size_of::<Chunk>();
        size_of_val(&*self.directory)
            + segments * size_of::<Segment>()
            + self.made().map(lists).sum::<usize>()
    }

    /// At most this much would be allocated for these lists.
    pub(super) fn memory_for(lists: &[ListBits<'_>]) -> usize {
        let mut segments: Vec<u32> = lists.iter().map(|of| of.number / LISTS_A_SEGMENT).collect();
        segments.dedup();
        let list = |of: &ListBits<'_>| {
            let chunks = portable::containers(&of.bits).saturating_mul(size_of::<Chunk>());
            size_of::<List>().saturating_add(chunks)
        };
        let lists = lists.iter().map(list).fold(0, usize::saturating_add);
        lists.saturating_add(segments.len() * size_of::<Segment>())
    }

    fn made(&self) -> impl Iterator<Item = (u32, &List)> {
        let segments = (0_u32..).zip(&self.directory);
        segments.filter_map(|(at, segment)| Some((at, segment.get()?))).flat_map(|(at, segment)| {
            let lists = (at * LISTS_A_SEGMENT..).zip(&**segment);
            lists.filter_map(|(number, list)| Some((number, &**list.get()?)))
        })
    }
}

impl List {
    fn new() -> Self {
        let chunks = std::array::from_fn(|_| OnceLock::new());
        Self { last: AtomicI64::new(i64::MIN), chunks }
    }

    fn is_behind(&self, through: Timestamp) -> bool {
        let last = self.last.load(Ordering::Relaxed);
        last != i64::MIN && last <= through.unix()
    }
}

/// A chunk with the bits of a container, which nobody sees yet.
fn chunk_of(container: Container<'_>) -> Option<Box<Chunk>> {
    match container {
        Container::Few(places) => {
            let mut chunk: Box<Chunk> = boxed(AtomicU64::default);
            for place in places {
                let idx = u16::from_le_bytes(*place).into();
                *chunk.get_mut(word_of(idx))?.get_mut() |= bit(idx);
            }
            Some(chunk)
        }
        Container::Many(words) => {
            let words = words.iter().map(|word| AtomicU64::new(u64::from_le_bytes(*word)));
            words.collect::<Box<[_]>>().try_into().ok()
        }
    }
}

/// A list's bits in the form that travels, if it has any.
fn compact(list: &List) -> Option<Vec<u8>> {
    let chunks = (0..).zip(&list.chunks).filter_map(|(at, chunk)| Some((at, chunk.get()?)));
    portable::write(
        chunks.map(|(at, chunk)| {
            (at, std::array::from_fn(|word| chunk[word].load(Ordering::Acquire)))
        }),
    )
}

const fn word_of(idx: u32) -> usize {
    (idx % CHUNK_BITS / u64::BITS) as usize
}

const fn bit(idx: u32) -> u64 {
    1 << (idx % u64::BITS)
}

/// An array on the heap without passing over the stack.
fn boxed<T, const N: usize>(make: impl FnMut() -> T) -> Box<[T; N]> {
    let items: Box<[T]> = std::iter::repeat_with(make).take(N).collect();
    items.try_into().unwrap_or_else(|_| unreachable!("exactly N items were taken"))
}
