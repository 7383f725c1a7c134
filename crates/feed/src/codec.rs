//! How messages become bytes: as `tonic-prost` writes them, with buffers that are as large as what is
//! mostly said.
//!
//! tonic reserves a buffer for each direction of each stream. Its 8 KiB would be a third of what a follower
//! costs an authority, for messages of a hundred bytes; a larger one grows its buffer.

use std::marker::PhantomData;

use prost::Message;
use tonic::codec::{BufferSettings, Codec};
use tonic_prost::{ProstCodec, ProstDecoder, ProstEncoder};

/// A revocation, a grant, or an acknowledgement, several times over.
const BUFFER: usize = 512;
/// So much is handed to the connection at once.
const AT_ONCE: usize = 32 << 10;

/// Named in `build.rs`, for both ends.
pub(crate) struct FeedCodec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for FeedCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for FeedCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = ProstDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::raw_encoder(BufferSettings::new(BUFFER, AT_ONCE))
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstCodec::<T, U>::raw_decoder(BufferSettings::new(BUFFER, AT_ONCE))
    }
}
