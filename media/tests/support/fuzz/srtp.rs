//! Datagrams at the ports of an encrypted stream, and `a=crypto` lines: nothing that was not protected with the key is
//! taken, and what is protected comes out as it went in.

use sidetone_hal::rng::Rng;
use sidetone_media::srtp::{CryptoLine, Inbound, MasterKey, Mki, Outbound, Sdes, SrtpConfig, Suite};

pub fn run(data: &[u8]) {
    let Some((choice, datagram)) = data.split_first() else { return };
    let suite = Suite::ALL[usize::from(choice & 7)];
    let mki = Mki::new(1, usize::from(choice >> 4)).filter(|_| choice & 8 != 0);
    let key = MasterKey::random(suite, &mut Rng::from_u64(1)).with_mki(mki);
    let config = SrtpConfig::default();
    let (mut out, mut into) = (Outbound::new(&key, &config), Inbound::new(&key, &config));
    assert!(into.unprotect_rtp(&mut datagram.to_vec()).is_err());
    assert!(into.unprotect_rtcp(&mut datagram.to_vec()).is_err());

    let room = [datagram, &[0; 192]].concat();
    let mut buffer = room.clone();
    if let Ok(length) = out.protect_rtp(&mut buffer, datagram.len()) {
        let opened = into.unprotect_rtp(&mut buffer[..length]).unwrap();
        assert_eq!(buffer[..opened], *datagram);
    }
    let mut buffer = room;
    if let Ok(length) = out.protect_rtcp(&mut buffer, datagram.len()) {
        let opened = into.unprotect_rtcp(&mut buffer[..length]).unwrap();
        assert_eq!(buffer[..opened], *datagram);
    }

    if let Ok(text) = core::str::from_utf8(datagram) {
        if let Ok(line) = CryptoLine::parse(text) {
            assert_eq!(CryptoLine::parse(&line.to_value()), Ok(line));
        }
        let mut sdes = Sdes::new(Suite::ALL, Rng::from_u64(2));
        if let Ok((answer, keys)) = sdes.answer(text.lines()) {
            assert_eq!(CryptoLine::parse(&answer).map(|line| line.key), Ok(keys.send));
        }
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let line = "1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20|1:4 WSH=128";
    let rtp =
        [&[0x91, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 9, 0xbe, 0xde, 0, 1, 1, 1, 1, 1][..], &[7; 40]];
    let rtcp = [0x80, 201, 0, 1, 0, 0, 0, 2, 0x81, 203, 0, 1, 0, 0, 0, 2];
    let with = |choice: u8, octets: &[u8]| [&[choice], octets].concat();
    (0..8)
        .map(|suite| with(suite, &rtp.concat()))
        .chain((0..8).map(|suite| with(0x48 | suite, &rtcp)))
        .chain([with(0, line.as_bytes())])
        .collect()
}
