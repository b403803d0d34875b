//! libsrtp: SRTP with AES in counter mode and in Galois counter mode (Debian package `libsrtp2-1`, over NSS).

use super::{Free, Instance, State, functions};
use core::ffi::{c_int, c_ulong};
use core::ptr::{null, null_mut};

/// `srtp_crypto_policy_t`.
#[repr(C)]
#[derive(Clone, Copy)]
struct CryptoPolicy {
    cipher_type: u32,
    cipher_key_len: c_int,
    auth_type: u32,
    auth_key_len: c_int,
    auth_tag_len: c_int,
    sec_serv: c_int,
}

/// `srtp_policy_t`.
#[repr(C)]
struct Policy {
    ssrc_type: c_int,
    ssrc: u32,
    rtp: CryptoPolicy,
    rtcp: CryptoPolicy,
    key: *const u8,
    keys: *const State,
    num_master_keys: c_ulong,
    deprecated_ekt: *const State,
    window_size: c_ulong,
    allow_repeat_tx: c_int,
    enc_xtn_hdr: *const c_int,
    enc_xtn_hdr_count: c_int,
    next: *const State,
}

type Set = unsafe extern "C" fn(*mut CryptoPolicy);
type Work = unsafe extern "C" fn(*mut State, *mut u8, *mut c_int) -> c_int;

functions! {
    /// libsrtp 2.5, `srtp2/srtp.h`.
    Api from ["libsrtp2.so.1", "libsrtp2.so"], "libsrtp2-1";
    init: unsafe extern "C" fn() -> c_int = "srtp_init",
    create: unsafe extern "C" fn(*mut *mut State, *const Policy) -> c_int = "srtp_create",
    dealloc: Free<c_int> = "srtp_dealloc",
    protect: Work = "srtp_protect",
    unprotect: Work = "srtp_unprotect",
    aes_cm_128_hmac_sha1_80: Set = "srtp_crypto_policy_set_rtp_default",
    aes_cm_256_hmac_sha1_80: Set = "srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80",
    aes_gcm_128: Set = "srtp_crypto_policy_set_aes_gcm_128_16_auth",
    aes_gcm_256: Set = "srtp_crypto_policy_set_aes_gcm_256_16_auth",
}

/// Protects or opens RTP in place, as libsrtp does.
pub struct Session(Instance<Work, c_int>);

impl Session {
    /// What protects. `suite` is the name in SDP; `key` is master key and salt. None if the suite is not one of the
    /// four that are measured.
    #[must_use]
    pub fn outbound(suite: &str, key: &[u8]) -> Option<Self> {
        // ssrc_any_outbound
        Self::new(suite, key, 3, Api::get()?.protect)
    }

    /// What opens.
    #[must_use]
    pub fn inbound(suite: &str, key: &[u8]) -> Option<Self> {
        // ssrc_any_inbound
        Self::new(suite, key, 2, Api::get()?.unprotect)
    }

    fn new(suite: &str, key: &[u8], ssrc_type: c_int, work: Work) -> Option<Self> {
        static ONCE: std::sync::Once = std::sync::Once::new();
        let api = Api::get()?;
        // SAFETY: it has no preconditions, and is called once.
        ONCE.call_once(|| assert_eq!(unsafe { (api.init)() }, 0, "srtp_init"));
        let (set, octets) = match suite {
            "AES_CM_128_HMAC_SHA1_80" => (api.aes_cm_128_hmac_sha1_80, 30),
            "AES_256_CM_HMAC_SHA1_80" => (api.aes_cm_256_hmac_sha1_80, 46),
            "AEAD_AES_128_GCM" => (api.aes_gcm_128, 28),
            "AEAD_AES_256_GCM" => (api.aes_gcm_256, 44),
            _ => return None,
        };
        assert_eq!(key.len(), octets, "key and salt of {suite}");
        let mut crypto = CryptoPolicy {
            cipher_type: 0,
            cipher_key_len: 0,
            auth_type: 0,
            auth_key_len: 0,
            auth_tag_len: 0,
            sec_serv: 0,
        };
        // SAFETY: the function fills in the structure.
        unsafe { set(&mut crypto) };
        let policy = Policy {
            ssrc_type,
            ssrc: 0,
            rtp: crypto,
            rtcp: crypto,
            key: key.as_ptr(),
            keys: null(),
            num_master_keys: 0,
            deprecated_ekt: null(),
            window_size: 128,
            allow_repeat_tx: 0,
            enc_xtn_hdr: null(),
            enc_xtn_hdr_count: 0,
            next: null(),
        };
        let mut state = null_mut();
        // SAFETY: the policy is as the header has it, and its key as long as the suite wants; both are only read.
        let status = unsafe { (api.create)(&mut state, &policy) };
        assert_eq!(status, 0, "srtp_create for {suite}");
        Instance::new(state, work, api.dealloc).map(Self)
    }

    /// Works on the packet in the first `length` octets of `buffer`; returns its octets afterwards.
    ///
    /// # Panics
    /// The packet is refused, or `buffer` has no room for libsrtp's trailer of up to 160 octets.
    pub fn pass(&mut self, buffer: &mut [u8], length: usize) -> usize {
        assert!(buffer.len() >= length + 160, "room for the trailer");
        let mut length = length as c_int;
        // SAFETY: the state is alive and ours alone; the assertion above bounds what is written.
        let status = unsafe { (self.0.work)(self.0.state(), buffer.as_mut_ptr(), &mut length) };
        assert_eq!(status, 0, "libsrtp refused the packet");
        length as usize
    }
}
