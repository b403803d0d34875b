//! iLBC: libilbc (WebRTC's fixed-point codec as a library; not in Debian) and the decoder of FFmpeg (Debian
//! package `libavcodec59`; fixed-point, without the enhancer).

use super::open;
use core::ffi::{CStr, c_char, c_int, c_void};
use core::marker::PhantomData;
use core::ptr::{NonNull, null, null_mut};
use libloading::Library;
use std::sync::OnceLock;

type State = c_void;
type Create = unsafe extern "C" fn(*mut *mut State) -> i16;
type Init = unsafe extern "C" fn(*mut State, i16) -> i16;
type Free = unsafe extern "C" fn(*mut State) -> i16;
type Encode = unsafe extern "C" fn(*mut State, *const i16, usize, *mut u8) -> c_int;
type Decode = unsafe extern "C" fn(*mut State, *const u8, usize, *mut i16, *mut i16) -> c_int;

/// What libilbc has for one direction.
#[derive(Clone, Copy)]
struct Direction<Work> {
    create: Create,
    init: Init,
    work: Work,
    free: Free,
}

struct LibIlbc {
    encoder: Direction<Encode>,
    decoder: Direction<Decode>,
    _library: Library,
}

impl LibIlbc {
    fn get() -> Option<&'static Self> {
        static API: OnceLock<Option<LibIlbc>> = OnceLock::new();
        API.get_or_init(Self::load).as_ref()
    }

    fn load() -> Option<Self> {
        let library = open(&["libilbc.so.3"], "none: https://github.com/TimothyGu/libilbc")?;
        // SAFETY: names and signatures are those of libilbc 3.0, <ilbc.h>.
        unsafe {
            Some(Self {
                encoder: Direction {
                    create: *library.get(b"WebRtcIlbcfix_EncoderCreate\0").ok()?,
                    init: *library.get(b"WebRtcIlbcfix_EncoderInit\0").ok()?,
                    work: *library.get(b"WebRtcIlbcfix_Encode\0").ok()?,
                    free: *library.get(b"WebRtcIlbcfix_EncoderFree\0").ok()?,
                },
                decoder: Direction {
                    create: *library.get(b"WebRtcIlbcfix_DecoderCreate\0").ok()?,
                    init: *library.get(b"WebRtcIlbcfix_DecoderInit\0").ok()?,
                    work: *library.get(b"WebRtcIlbcfix_Decode\0").ok()?,
                    free: *library.get(b"WebRtcIlbcfix_DecoderFree\0").ok()?,
                },
                _library: library,
            })
        }
    }
}

/// An instance in one direction.
struct Instance<Work> {
    state: NonNull<State>,
    work: Work,
    free: Free,
    /// An instance belongs to one thread at a time.
    _not_sync: PhantomData<*mut ()>,
}

impl<Work: Copy> Instance<Work> {
    fn new(direction: Direction<Work>, millis: u8) -> Option<Self> {
        let mut state = null_mut();
        // SAFETY: the function writes the pointer that it is given a place for.
        unsafe { (direction.create)(&mut state) };
        let instance = Self {
            state: NonNull::new(state)?,
            work: direction.work,
            free: direction.free,
            _not_sync: PhantomData,
        };
        // SAFETY: the instance was created just now.
        let done = unsafe { (direction.init)(instance.state.as_ptr(), i16::from(millis)) };
        (done >= 0).then_some(instance)
    }
}

impl<Work> Drop for Instance<Work> {
    fn drop(&mut self) {
        // SAFETY: the instance came from the `create` function that belongs to this `free`; it ends here.
        unsafe { (self.free)(self.state.as_ptr()) };
    }
}

/// libilbc's encoder.
pub struct Encoder(Instance<Encode>);

impl Encoder {
    /// For frames of 20 or 30 ms.
    #[must_use]
    pub fn new(millis: u8) -> Option<Self> {
        Instance::new(LibIlbc::get()?.encoder, millis).map(Self)
    }

    /// Encodes one frame; returns the octets.
    pub fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> usize {
        assert!(out.len() >= 50 && pcm.len() <= 240, "one frame and room for it");
        // SAFETY: the instance is alive and ours alone; a frame takes at most 50 octets.
        let octets =
            unsafe { (self.0.work)(self.0.state.as_ptr(), pcm.as_ptr(), pcm.len(), out.as_mut_ptr()) };
        octets as usize
    }
}

/// libilbc's decoder, with its enhancer.
pub struct Decoder(Instance<Decode>);

impl Decoder {
    /// For frames of 20 or 30 ms.
    #[must_use]
    pub fn new(millis: u8) -> Option<Self> {
        Instance::new(LibIlbc::get()?.decoder, millis).map(Self)
    }

    /// Decodes one frame; returns the samples.
    pub fn decode(&mut self, octets: &[u8], pcm: &mut [i16]) -> usize {
        assert!(pcm.len() >= 240 && octets.len() <= 50, "one frame and room for it");
        let mut kind = 0;
        // SAFETY: the instance is alive and ours alone; a frame has at most 240 samples.
        let samples = unsafe {
            (self.0.work)(self.0.state.as_ptr(), octets.as_ptr(), octets.len(), pcm.as_mut_ptr(), &mut kind)
        };
        samples as usize
    }
}

/// The beginning of `AVPacket`, the same since FFmpeg 2.
#[repr(C)]
struct Packet {
    _buffer: *mut c_void,
    _pts: i64,
    _dts: i64,
    data: *mut u8,
    size: c_int,
}

/// The beginning of `AVFrame`, the same since FFmpeg 2.
#[repr(C)]
struct Frame {
    data: [*const i16; 8],
    _line_size: [c_int; 8],
    _extended_data: *mut c_void,
    _width: c_int,
    _height: c_int,
    samples: c_int,
}

/// The functions of libavcodec and libavutil that decoding takes.
struct Ffmpeg {
    find_decoder: unsafe extern "C" fn(*const c_char) -> *const c_void,
    new_context: unsafe extern "C" fn(*const c_void) -> *mut c_void,
    open: unsafe extern "C" fn(*mut c_void, *const c_void, *mut c_void) -> c_int,
    free_context: unsafe extern "C" fn(*mut *mut c_void),
    send: unsafe extern "C" fn(*mut c_void, *const Packet) -> c_int,
    receive: unsafe extern "C" fn(*mut c_void, *mut Frame) -> c_int,
    new_packet: unsafe extern "C" fn() -> *mut Packet,
    grow_packet: unsafe extern "C" fn(*mut Packet, c_int) -> c_int,
    free_packet: unsafe extern "C" fn(*mut *mut Packet),
    new_frame: unsafe extern "C" fn() -> *mut Frame,
    free_frame: unsafe extern "C" fn(*mut *mut Frame),
    set_option: unsafe extern "C" fn(*mut c_void, *const c_char, i64, c_int) -> c_int,
    _libraries: [Library; 2],
}

impl Ffmpeg {
    fn get() -> Option<&'static Self> {
        static API: OnceLock<Option<Ffmpeg>> = OnceLock::new();
        API.get_or_init(Self::load).as_ref()
    }

    fn load() -> Option<Self> {
        let codec = open(&["libavcodec.so.59"], "libavcodec59")?;
        let util = open(&["libavutil.so.57"], "libavutil57")?;
        // SAFETY: names and signatures are those of FFmpeg 5, <libavcodec/avcodec.h> and <libavutil/opt.h>.
        unsafe {
            Some(Self {
                find_decoder: *codec.get(b"avcodec_find_decoder_by_name\0").ok()?,
                new_context: *codec.get(b"avcodec_alloc_context3\0").ok()?,
                open: *codec.get(b"avcodec_open2\0").ok()?,
                free_context: *codec.get(b"avcodec_free_context\0").ok()?,
                send: *codec.get(b"avcodec_send_packet\0").ok()?,
                receive: *codec.get(b"avcodec_receive_frame\0").ok()?,
                new_packet: *codec.get(b"av_packet_alloc\0").ok()?,
                grow_packet: *codec.get(b"av_new_packet\0").ok()?,
                free_packet: *codec.get(b"av_packet_free\0").ok()?,
                new_frame: *util.get(b"av_frame_alloc\0").ok()?,
                free_frame: *util.get(b"av_frame_free\0").ok()?,
                set_option: *util.get(b"av_opt_set_int\0").ok()?,
                _libraries: [codec, util],
            })
        }
    }
}

/// FFmpeg's decoder; it has no enhancer.
pub struct FfmpegDecoder {
    api: &'static Ffmpeg,
    context: *mut c_void,
    packet: *mut Packet,
    frame: *mut Frame,
    octets: usize,
}

impl FfmpegDecoder {
    /// For frames of 20 or 30 ms.
    #[must_use]
    pub fn new(millis: u8) -> Option<Self> {
        const NAME: &CStr = c"ilbc";
        let api = Ffmpeg::get()?;
        let (octets, bit_rate) = if millis == 20 { (38, 15_200) } else { (50, 13_333) };
        // SAFETY: every pointer comes from FFmpeg itself or is null where it may be; null ones are freed as
        // nothing when `decoder` is dropped. The options exist in every codec context.
        unsafe {
            let codec = (api.find_decoder)(NAME.as_ptr());
            let decoder = Self {
                api,
                context: (api.new_context)(codec),
                packet: (api.new_packet)(),
                frame: (api.new_frame)(),
                octets,
            };
            if codec.is_null()
                || decoder.context.is_null()
                || decoder.packet.is_null()
                || decoder.frame.is_null()
                || (api.grow_packet)(decoder.packet, octets as c_int) < 0
            {
                return None;
            }
            for (name, value) in [(c"ar", 8000), (c"ac", 1), (c"b", bit_rate)] {
                (api.set_option)(decoder.context, name.as_ptr(), value, 0);
            }
            ((api.open)(decoder.context, codec, null::<c_void>().cast_mut()) >= 0).then_some(decoder)
        }
    }

    /// Decodes one frame; returns the samples.
    pub fn decode(&mut self, octets: &[u8], pcm: &mut [i16]) -> usize {
        assert!(octets.len() == self.octets, "one frame");
        // SAFETY: packet and frame are alive and ours alone; the packet holds `self.octets` octets, and the
        // frame that comes back as many samples as it says.
        unsafe {
            (*self.packet).data.copy_from_nonoverlapping(octets.as_ptr(), octets.len());
            (*self.packet).size = octets.len() as c_int;
            if (self.api.send)(self.context, self.packet) < 0
                || (self.api.receive)(self.context, self.frame) < 0
            {
                return 0;
            }
            let samples = ((*self.frame).samples as usize).min(pcm.len());
            (*self.frame).data[0].copy_to_nonoverlapping(pcm.as_mut_ptr(), samples);
            samples
        }
    }
}

impl Drop for FfmpegDecoder {
    fn drop(&mut self) {
        // SAFETY: all three came from FFmpeg's own functions and are not used again.
        unsafe {
            (self.api.free_frame)(&mut self.frame);
            (self.api.free_packet)(&mut self.packet);
            (self.api.free_context)(&mut self.context);
        }
    }
}
