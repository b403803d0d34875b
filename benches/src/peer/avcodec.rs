//! FFmpeg's libavcodec (Debian package `libavcodec59`): G.723.1, encoding at 6.3 kbit/s and decoding; iLBC,
//! decoding.
//!
//! Without the headers, a few fields of its structures are reached by their offsets. These hold for the major
//! versions below, whose binary interface is frozen; another version is passed over.

use super::open;
use core::ffi::{CStr, c_char, c_int, c_uint, c_void};
use core::ptr::{NonNull, null_mut};
use libloading::Library;
use std::sync::OnceLock;

/// FFmpeg 5.
const CODEC_MAJOR: c_uint = 59;
/// Samples in a frame of G.723.1, and the most in one of any codec here.
const FRAME: usize = 240;
/// Octets in the longest frame of any codec here.
const MOST_OCTETS: usize = 50;
/// `AV_SAMPLE_FMT_S16`.
const S16: c_int = 1;

/// `AVPacket`, up to what is used here.
#[repr(C)]
struct Packet {
    buf: *mut c_void,
    pts: i64,
    dts: i64,
    data: *mut u8,
    size: c_int,
}

/// `AVFrame`, up to what is used here.
#[repr(C)]
struct Frame {
    data: [*mut u8; 8],
    linesize: [c_int; 8],
    extended_data: *mut *mut u8,
    width: c_int,
    height: c_int,
    nb_samples: c_int,
}

/// `AVCodecParameters`, up to what is used here.
#[repr(C)]
struct Parameters {
    codec_type: c_int,
    codec_id: c_int,
    codec_tag: u32,
    extradata: *mut u8,
    extradata_size: c_int,
    format: c_int,
}

/// `AVCodec`, up to what is used here.
#[repr(C)]
struct Codec {
    name: *const c_char,
    long_name: *const c_char,
    media_type: c_int,
    id: c_int,
}

type Context = c_void;

/// The functions that are used. The libraries stay open for as long as the process lives.
struct Api {
    find_encoder: unsafe extern "C" fn(*const c_char) -> *const Codec,
    find_decoder: unsafe extern "C" fn(*const c_char) -> *const Codec,
    alloc_context: unsafe extern "C" fn(*const Codec) -> *mut Context,
    free_context: unsafe extern "C" fn(*mut *mut Context),
    alloc_parameters: unsafe extern "C" fn() -> *mut Parameters,
    free_parameters: unsafe extern "C" fn(*mut *mut Parameters),
    use_parameters: unsafe extern "C" fn(*mut Context, *const Parameters) -> c_int,
    open2: unsafe extern "C" fn(*mut Context, *const Codec, *mut *mut c_void) -> c_int,
    alloc_packet: unsafe extern "C" fn() -> *mut Packet,
    free_packet: unsafe extern "C" fn(*mut *mut Packet),
    unref_packet: unsafe extern "C" fn(*mut Packet),
    make_room: unsafe extern "C" fn(*mut Packet, c_int) -> c_int,
    send_packet: unsafe extern "C" fn(*mut Context, *const Packet) -> c_int,
    receive_frame: unsafe extern "C" fn(*mut Context, *mut Frame) -> c_int,
    send_frame: unsafe extern "C" fn(*mut Context, *const Frame) -> c_int,
    receive_packet: unsafe extern "C" fn(*mut Context, *mut Packet) -> c_int,
    alloc_frame: unsafe extern "C" fn() -> *mut Frame,
    free_frame: unsafe extern "C" fn(*mut *mut Frame),
    make_writable: unsafe extern "C" fn(*mut Frame) -> c_int,
    set: unsafe extern "C" fn(*mut c_void, *const c_char, *const c_char, c_int) -> c_int,
    _codec: Library,
    _util: Library,
}

impl Api {
    fn get() -> Option<&'static Self> {
        static API: OnceLock<Option<Api>> = OnceLock::new();
        API.get_or_init(Self::load).as_ref()
    }

    fn load() -> Option<Self> {
        let codec = open(&["libavcodec.so.59"], "libavcodec59")?;
        let util = open(&["libavutil.so.57"], "libavutil57")?;
        // SAFETY: names and signatures are those of FFmpeg 5, <libavcodec/avcodec.h> and <libavutil/*.h>.
        unsafe {
            let version = *codec.get::<unsafe extern "C" fn() -> c_uint>(b"avcodec_version\0").ok()?;
            if version() >> 16 != CODEC_MAJOR {
                return None;
            }
            Some(Self {
                find_encoder: *codec.get(b"avcodec_find_encoder_by_name\0").ok()?,
                find_decoder: *codec.get(b"avcodec_find_decoder_by_name\0").ok()?,
                alloc_context: *codec.get(b"avcodec_alloc_context3\0").ok()?,
                free_context: *codec.get(b"avcodec_free_context\0").ok()?,
                alloc_parameters: *codec.get(b"avcodec_parameters_alloc\0").ok()?,
                free_parameters: *codec.get(b"avcodec_parameters_free\0").ok()?,
                use_parameters: *codec.get(b"avcodec_parameters_to_context\0").ok()?,
                open2: *codec.get(b"avcodec_open2\0").ok()?,
                alloc_packet: *codec.get(b"av_packet_alloc\0").ok()?,
                free_packet: *codec.get(b"av_packet_free\0").ok()?,
                unref_packet: *codec.get(b"av_packet_unref\0").ok()?,
                make_room: *codec.get(b"av_new_packet\0").ok()?,
                send_packet: *codec.get(b"avcodec_send_packet\0").ok()?,
                receive_frame: *codec.get(b"avcodec_receive_frame\0").ok()?,
                send_frame: *codec.get(b"avcodec_send_frame\0").ok()?,
                receive_packet: *codec.get(b"avcodec_receive_packet\0").ok()?,
                alloc_frame: *util.get(b"av_frame_alloc\0").ok()?,
                free_frame: *util.get(b"av_frame_free\0").ok()?,
                make_writable: *util.get(b"av_frame_make_writable\0").ok()?,
                set: *util.get(b"av_opt_set\0").ok()?,
                _codec: codec,
                _util: util,
            })
        }
    }
}

/// An open codec, with the packet and the frame that go through it.
struct Session {
    api: &'static Api,
    context: NonNull<Context>,
    packet: NonNull<Packet>,
    frame: NonNull<Frame>,
}

/// What a codec is opened with.
struct Options {
    name: &'static CStr,
    bit_rate: &'static CStr,
}

const G7231: Options = Options { name: c"g723_1", bit_rate: c"6300" };
const ILBC_20_MS: Options = Options { name: c"ilbc", bit_rate: c"15200" };
const ILBC_30_MS: Options = Options { name: c"ilbc", bit_rate: c"13333" };

impl Session {
    fn encoder(options: &Options) -> Option<Self> {
        let api = Api::get()?;
        // SAFETY: the name ends with a zero.
        Self::new(api, unsafe { (api.find_encoder)(options.name.as_ptr()) }, options)
    }

    /// A decoder, whose packet has room for the longest frame.
    fn decoder(options: &Options) -> Option<Self> {
        let api = Api::get()?;
        // SAFETY: the name ends with a zero.
        let session = Self::new(api, unsafe { (api.find_decoder)(options.name.as_ptr()) }, options)?;
        // SAFETY: the packet is alive and empty.
        let made = unsafe { (api.make_room)(session.packet.as_ptr(), MOST_OCTETS as c_int) };
        (made >= 0).then_some(session)
    }

    fn new(api: &'static Api, codec: *const Codec, options: &Options) -> Option<Self> {
        if codec.is_null() {
            return None;
        }
        // SAFETY: the allocators have no preconditions; `codec` is one that the library gave.
        let (context, packet, frame) =
            unsafe { ((api.alloc_context)(codec), (api.alloc_packet)(), (api.alloc_frame)()) };
        let (context, packet, frame) = (NonNull::new(context)?, NonNull::new(packet)?, NonNull::new(frame)?);
        let session = Self { api, context, packet, frame };
        session.set_up(codec, options)?;
        Some(session)
    }

    /// Mono 16-bit samples at 8 kHz.
    fn set_up(&self, codec: *const Codec, options: &Options) -> Option<()> {
        let api = self.api;
        // SAFETY: context and codec are alive; the parameters are freed once, behind their last use; the options
        // are copied.
        unsafe {
            let mut parameters = NonNull::new((api.alloc_parameters)())?.as_ptr();
            (*parameters).codec_type = (*codec).media_type;
            (*parameters).codec_id = (*codec).id;
            (*parameters).format = S16;
            let used = (api.use_parameters)(self.context.as_ptr(), parameters);
            (api.free_parameters)(&raw mut parameters);
            let mut failed = used < 0;
            for (name, value) in
                [(c"ar", c"8000"), (c"ch_layout", c"mono"), (c"b", options.bit_rate), (c"threads", c"1")]
            {
                failed |= (api.set)(self.context.as_ptr(), name.as_ptr(), value.as_ptr(), 0) < 0;
            }
            failed |= (api.open2)(self.context.as_ptr(), codec, null_mut()) < 0;
            (!failed).then_some(())
        }
    }

    /// Decodes a frame; returns how many samples it gave, 0 if none.
    fn decode(&mut self, octets: &[u8], pcm: &mut [i16]) -> usize {
        assert!(octets.len() <= MOST_OCTETS, "one frame");
        let api = self.api;
        // SAFETY: all three are alive and ours alone; `decoder` made room for the octets, and the frame that comes
        // back has as many samples of 16 bits as it says.
        unsafe {
            let packet = self.packet.as_ptr();
            (*packet).data.copy_from_nonoverlapping(octets.as_ptr(), octets.len());
            (*packet).size = octets.len() as c_int;
            let (context, frame) = (self.context.as_ptr(), self.frame.as_ptr());
            if (api.send_packet)(context, packet) < 0 || (api.receive_frame)(context, frame) < 0 {
                return 0;
            }
            let samples = ((*frame).nb_samples as usize).min(pcm.len());
            (*frame).data[0].cast::<i16>().copy_to_nonoverlapping(pcm.as_mut_ptr(), samples);
            samples
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let (mut context, mut packet, mut frame) =
            (self.context.as_ptr(), self.packet.as_ptr(), self.frame.as_ptr());
        // SAFETY: each was allocated by the function that belongs to its `free`, and is not used again.
        unsafe {
            (self.api.free_context)(&raw mut context);
            (self.api.free_packet)(&raw mut packet);
            (self.api.free_frame)(&raw mut frame);
        }
    }
}

/// The G.723.1 decoder, with postfilter.
pub struct G7231Decoder(Session);

impl G7231Decoder {
    /// A new decoder.
    #[must_use]
    pub fn new() -> Option<Self> {
        Session::decoder(&G7231).map(Self)
    }

    /// Decodes a frame of 24, 20 or 4 octets; returns the samples.
    pub fn decode(&mut self, octets: &[u8], pcm: &mut [i16; FRAME]) -> usize {
        self.0.decode(octets, pcm)
    }
}

/// The iLBC decoder, in fixed point; it has no enhancer.
pub struct IlbcDecoder(Session);

impl IlbcDecoder {
    /// For frames of 20 or 30 ms.
    #[must_use]
    pub fn new(millis: u8) -> Option<Self> {
        Session::decoder(if millis == 20 { &ILBC_20_MS } else { &ILBC_30_MS }).map(Self)
    }

    /// Decodes one frame of 38 or 50 octets; returns the samples.
    pub fn decode(&mut self, octets: &[u8], pcm: &mut [i16]) -> usize {
        self.0.decode(octets, pcm)
    }
}

/// The G.723.1 encoder, 6.3 kbit/s. It has no other rate.
pub struct G7231Encoder {
    session: Session,
    /// Whose frame the samples go into.
    frame: G7231Decoder,
}

impl G7231Encoder {
    /// A new encoder.
    #[must_use]
    pub fn new() -> Option<Self> {
        let session = Session::encoder(&G7231)?;
        // A decoded frame has everything that a frame needs, whatever else is in the structure.
        let mut frame = G7231Decoder::new()?;
        (frame.decode(&[0; 24], &mut [0; FRAME]) == FRAME).then_some(Self { session, frame })
    }

    /// Encodes a frame; returns the octets.
    pub fn encode(&mut self, pcm: &[i16; FRAME], out: &mut [u8; 24]) -> usize {
        let api = self.session.api;
        let (context, packet) = (self.session.context.as_ptr(), self.session.packet.as_ptr());
        let frame = self.frame.0.frame.as_ptr();
        // SAFETY: all are alive and ours alone, the frame holds `FRAME` samples as long as it lives, and the
        // packet's data are as many octets as it says until it is given back.
        unsafe {
            if (api.make_writable)(frame) < 0 {
                return 0;
            }
            (*frame).data[0].cast::<i16>().copy_from_nonoverlapping(pcm.as_ptr(), FRAME);
            if (api.send_frame)(context, frame) < 0 || (api.receive_packet)(context, packet) < 0 {
                return 0;
            }
            let octets = core::slice::from_raw_parts((*packet).data, (*packet).size as usize);
            let fits = octets.len().min(out.len());
            out[..fits].copy_from_slice(&octets[..fits]);
            (api.unref_packet)(packet);
            fits
        }
    }
}
