//! pjmedia: the conference bridge of pjproject (no Debian package: `./configure --enable-shared`, and its `lib` folders
//! in `LD_LIBRARY_PATH`).

use super::functions;
use core::ffi::{c_char, c_int, c_uint, c_void};
use core::ptr::null_mut;

type Opaque = *mut c_void;
type Status = c_int;
type Get = unsafe extern "C" fn(Opaque, *mut Frame) -> Status;

/// `PJMEDIA_CONF_NO_DEVICE`: no sound card, the caller is the clock.
const NO_DEVICE: c_uint = 2;
/// More than a `pj_caching_pool` takes.
const CACHING_POOL: usize = 8192;

/// `pjmedia_frame`.
#[repr(C)]
struct Frame {
    kind: c_int,
    buffer: *mut c_void,
    size: usize,
    timestamp: u64,
    bit_info: u32,
}

functions! {
    /// pjproject 2.16, `pj/pool.h`, `pjmedia/conference.h`, `pjmedia/mem_port.h`, `pjmedia/port.h`.
    Api from ["libpjmedia.so.2", "libpjmedia.so"], "none; build pjproject with --enable-shared";
    init: unsafe extern "C" fn() -> Status = "pj_init",
    set_log_level: unsafe extern "C" fn(c_int) = "pj_log_set_level",
    caching_pool_init: unsafe extern "C" fn(Opaque, *const c_void, usize) = "pj_caching_pool_init",
    pool_create: unsafe extern "C" fn(Opaque, *const c_char, usize, usize, Opaque) -> Opaque = "pj_pool_create",
    conf_create: unsafe extern "C" fn(
        Opaque, c_uint, c_uint, c_uint, c_uint, c_uint, c_uint, *mut Opaque
    ) -> Status = "pjmedia_conf_create",
    conf_destroy: unsafe extern "C" fn(Opaque) -> Status = "pjmedia_conf_destroy",
    conf_get_master_port: unsafe extern "C" fn(Opaque) -> Opaque = "pjmedia_conf_get_master_port",
    conf_add_port: unsafe extern "C" fn(Opaque, Opaque, Opaque, *const c_void, *mut c_uint) -> Status
        = "pjmedia_conf_add_port",
    conf_connect_port: unsafe extern "C" fn(Opaque, c_uint, c_uint, c_int) -> Status
        = "pjmedia_conf_connect_port",
    mem_player_create: unsafe extern "C" fn(
        Opaque, *const c_void, usize, c_uint, c_uint, c_uint, c_uint, c_uint, *mut Opaque
    ) -> Status = "pjmedia_mem_player_create",
    port_get_frame: Get = "pjmedia_port_get_frame",
}

/// A conference at 8 kHz and 20 ms whose legs play recordings in a loop.
pub struct Bridge {
    api: &'static Api,
    conference: Opaque,
    master: Opaque,
    /// What the library keeps pointers into: the pool's factory, and the recordings.
    _factory: Box<[u64]>,
    _recordings: Vec<Vec<i16>>,
    frame: Vec<i16>,
}

impl Bridge {
    /// One leg for each recording; the first `speakers` are connected to all other legs.
    #[must_use]
    pub fn new(recordings: Vec<Vec<i16>>, speakers: usize) -> Option<Self> {
        let api = Api::get()?;
        let mut factory = vec![0_u64; CACHING_POOL / 8].into_boxed_slice();
        let legs = recordings.len();
        // SAFETY: arguments are those of the headers; the factory and the recordings live as long as the bridge, and
        // every pointer that is used was made by the call before and is not null.
        unsafe {
            if (api.init)() != 0 {
                return None;
            }
            (api.set_log_level)(1);
            let pools: Opaque = factory.as_mut_ptr().cast();
            (api.caching_pool_init)(pools, core::ptr::null(), 0);
            let pool = (api.pool_create)(pools, c"bench".as_ptr(), 65_536, 65_536, null_mut());
            let mut conference = null_mut();
            let slots = legs as c_uint + 1;
            if pool.is_null()
                || (api.conf_create)(pool, slots, 8000, 1, 160, 16, NO_DEVICE, &raw mut conference) != 0
            {
                return None;
            }
            let mut ports = Vec::new();
            for recording in &recordings {
                let (mut player, mut slot) = (null_mut(), 0);
                let (data, octets) = (recording.as_ptr().cast(), recording.len() * 2);
                let made = (api.mem_player_create)(pool, data, octets, 8000, 1, 160, 16, 0, &raw mut player)
                    == 0
                    && (api.conf_add_port)(conference, pool, player, core::ptr::null(), &raw mut slot) == 0;
                if !made {
                    return None;
                }
                ports.push(slot);
            }
            for from in ports.iter().take(speakers) {
                for to in ports.iter().filter(|to| *to != from) {
                    if (api.conf_connect_port)(conference, *from, *to, 0) != 0 {
                        return None;
                    }
                }
            }
            let master = (api.conf_get_master_port)(conference);
            let frame = vec![0; 160];
            Some(Self { api, conference, master, _factory: factory, _recordings: recordings, frame })
        }
    }

    /// 20 ms of all legs.
    pub fn mix(&mut self) {
        let mut frame =
            Frame { kind: 1, buffer: self.frame.as_mut_ptr().cast(), size: 320, timestamp: 0, bit_info: 0 };
        // SAFETY: the port is alive, and the frame has room for its 160 samples.
        let status = unsafe { (self.api.port_get_frame)(self.master, &raw mut frame) };
        assert_eq!(status, 0, "pjmedia");
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        // SAFETY: the conference is alive and is not used again. Its pool is left to the process.
        unsafe { (self.api.conf_destroy)(self.conference) };
    }
}
