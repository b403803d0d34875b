//! libopus (Debian package `libopus0`), one channel.

use super::{Free, Instance, State, functions};
use core::ffi::c_int;

type Encode = unsafe extern "C" fn(*mut State, *const i16, c_int, *mut u8, i32) -> i32;
type Decode = unsafe extern "C" fn(*mut State, *const u8, i32, *mut i16, c_int, c_int) -> c_int;

const APPLICATION_VOIP: c_int = 2048;
const SET_BITRATE: c_int = 4002;
const SET_COMPLEXITY: c_int = 4010;

functions! {
    /// libopus 1.3, `opus/opus.h`.
    Api from ["libopus.so.0", "libopus.so"], "libopus0";
    create_encoder: unsafe extern "C" fn(i32, c_int, c_int, *mut c_int) -> *mut State = "opus_encoder_create",
    control: unsafe extern "C" fn(*mut State, c_int, ...) -> c_int = "opus_encoder_ctl",
    encode: Encode = "opus_encode",
    destroy_encoder: Free<()> = "opus_encoder_destroy",
    create_decoder: unsafe extern "C" fn(i32, c_int, *mut c_int) -> *mut State = "opus_decoder_create",
    decode: Decode = "opus_decode",
    destroy_decoder: Free<()> = "opus_decoder_destroy",
}

/// libopus's encoder, for speech.
pub struct Encoder(Instance<Encode>);

impl Encoder {
    /// An encoder at this sample rate.
    #[must_use]
    pub fn new(sample_rate: i32, bit_rate: i32, complexity: i32) -> Option<Self> {
        let api = Api::get()?;
        let mut error = 0;
        // SAFETY: `error` outlives the call; other arguments are plain numbers, which libopus checks.
        let state = unsafe { (api.create_encoder)(sample_rate, 1, APPLICATION_VOIP, &raw mut error) };
        let mut encoder = Instance::new(state, api.encode, api.destroy_encoder)?;
        for (request, value) in [(SET_BITRATE, bit_rate), (SET_COMPLEXITY, complexity)] {
            // SAFETY: the state is alive; both requests take one 32-bit number.
            let result = unsafe { (api.control)(encoder.state(), request, value) };
            assert_eq!(result, 0, "libopus refused {request} = {value}");
        }
        Some(Self(encoder))
    }

    /// Encodes a frame; returns the octets.
    pub fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> usize {
        let (samples, room) = (pcm.len() as c_int, out.len() as i32);
        // SAFETY: the state is alive and ours alone; the lengths are those of the slices, of one channel.
        let octets = unsafe { (self.0.work)(self.0.state(), pcm.as_ptr(), samples, out.as_mut_ptr(), room) };
        usize::try_from(octets).expect("libopus encodes")
    }
}

/// libopus's decoder.
pub struct Decoder(Instance<Decode>);

impl Decoder {
    /// A decoder to one channel at this sample rate.
    #[must_use]
    pub fn new(sample_rate: i32) -> Option<Self> {
        let api = Api::get()?;
        let mut error = 0;
        // SAFETY: `error` outlives the call.
        let state = unsafe { (api.create_decoder)(sample_rate, 1, &raw mut error) };
        Instance::new(state, api.decode, api.destroy_decoder).map(Self)
    }

    /// Decodes a packet; returns the samples.
    pub fn decode(&mut self, packet: &[u8], pcm: &mut [i16]) -> usize {
        let (octets, room) = (packet.len() as i32, pcm.len() as c_int);
        // SAFETY: the state is alive and ours alone; the lengths are those of the slices, of one channel.
        let samples =
            unsafe { (self.0.work)(self.0.state(), packet.as_ptr(), octets, pcm.as_mut_ptr(), room, 0) };
        usize::try_from(samples).expect("libopus decodes")
    }
}
