//! The bitmaps: one bit for every token that was ever issued, made where something was revoked.
//!
//! A list remembers the last end of the tokens that are revoked in it. When a horizon is behind that,
//! its bits say nothing that the horizon does not say, and they are cleared.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use nt_token::{Place, Timestamp};
use roaring::RoaringBitmap;

const WORDS: usize = 1_024;
const CHUNK_BITS: u32 = 65_536;
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
pub(crate) struct ListBits {
    pub(crate) number: u32,
    /// The last end of a token with a bit set.
    pub(crate) last: Timestamp,
    pub(crate) bits: RoaringBitmap,
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
        set(list, place.idx, bit(place.idx))
    }

    /// Sets all bits that a list has elsewhere, word by word; nothing if there is no such list.
    pub(super) fn unite(&self, other: &ListBits) -> Option<()> {
        let list = self.list(other.number)?;
        list.last.fetch_max(other.last.unix(), Ordering::Relaxed);
        let (mut bits, mut some) = (other.bits.iter(), [0; 512]);
        let (mut at, mut word) = (0, 0);
        loop {
            let some = bits.next_many(&mut some);
            if some.is_empty() {
                break;
            }
            for idx in some {
                if *idx / u64::BITS != at / u64::BITS {
                    set(list, at, word)?;
                    (at, word) = (*idx, 0);
                }
                word |= bit(*idx);
            }
        }
        set(list, at, word)
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

    /// Every list with a bit set, in order.
    pub(super) fn lists(&self) -> Vec<ListBits> {
        let compact = |(number, list): (u32, &List)| {
            let last = Timestamp::from_unix(list.last.load(Ordering::Relaxed));
            ListBits { number, last, bits: compact(list) }
        };
        self.made().map(compact).filter(|list| !list.bits.is_empty()).collect()
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
    pub(super) fn memory_for(lists: &[ListBits]) -> usize {
        let mut segments: Vec<u32> = lists.iter().map(|of| of.number / LISTS_A_SEGMENT).collect();
        segments.dedup();
        let chunks = |bits: &RoaringBitmap| bits.statistics().n_containers as usize;
        let list = |of: &ListBits| {
            size_of::<List>().saturating_add(chunks(&of.bits).saturating_mul(size_of::<Chunk>()))
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

/// Sets bits of the word where `idx` is.
fn set(list: &List, idx: u32, bits: u64) -> Option<()> {
    if bits != 0 {
        let chunk = list.chunks.get((idx / CHUNK_BITS) as usize)?;
        let chunk = chunk.get_or_init(|| boxed(AtomicU64::default));
        chunk.get(word_of(idx))?.fetch_or(bits, Ordering::Release);
    }
    Some(())
}

/// A list's bits in the form that travels.
fn compact(list: &List) -> RoaringBitmap {
    let mut bits = RoaringBitmap::new();
    for (start, chunk) in (0..).step_by(CHUNK_BITS as usize).zip(&list.chunks) {
        let Some(chunk) = chunk.get() else { continue };
        let bytes: Vec<u8> =
            chunk.iter().flat_map(|word| word.load(Ordering::Acquire).to_le_bytes()).collect();
        bits |= RoaringBitmap::from_lsb0_bytes(start, &bytes);
    }
    bits
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
