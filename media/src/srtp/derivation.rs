//! Session keys from a master key (RFC 3711 §4.3, RFC 6188 §3, RFC 7714 §11), with a key derivation rate of zero.

use super::MasterKey;
use super::aes::CounterMode;
use zeroize::Zeroizing;

/// What a session key is for (RFC 3711 §4.3.1, §4.3.2).
#[derive(Clone, Copy, Debug)]
pub(super) enum Label {
    RtpEncryption = 0,
    RtpAuthentication = 1,
    RtpSalt = 2,
    RtcpEncryption = 3,
    RtcpAuthentication = 4,
    RtcpSalt = 5,
}

/// Makes `N` octets of session key.
pub(super) fn derive<const N: usize>(master: &MasterKey, label: Label) -> Zeroizing<[u8; N]> {
    let mut key = Zeroizing::new([0; N]);
    // The salt stands above a counter of 16 bits; the 96 bits of the AEAD suites' are filled up on the right.
    let mut start = [0; 16];
    start.iter_mut().zip(master.salt()).for_each(|(octet, salt)| *octet = *salt);
    let start = u128::from_be_bytes(start) ^ ((label as u128) << 64);
    // A master key has a length that the cipher takes.
    if let Some(cipher) = CounterMode::new(master.key()) {
        cipher.apply(start, &mut *key);
    }
    key
}

#[cfg(test)]
mod tests {
    use super::super::Suite;
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> =
            text.bytes().filter_map(|d| (d as char).to_digit(16)).map(|d| d as u8).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    #[test]
    fn rfc_3711_b3() {
        let (key, salt) = (hex("E1F97A0D3E018BE0D64FA32C06DE4139"), hex("0EC675AD498AFEEBB6960B3AABE6"));
        let master = MasterKey::new(Suite::AES_CM_128_HMAC_SHA1_80, &key, &salt).unwrap();
        assert_eq!(derive::<16>(&master, Label::RtpEncryption)[..], hex("C61E7A93744F39EE10734AFE3FF7A087"));
        assert_eq!(derive::<14>(&master, Label::RtpSalt)[..], hex("30CBBC08863D8C85D49DB34A9AE1"));
        assert_eq!(
            derive::<94>(&master, Label::RtpAuthentication)[..],
            hex("CEBE321F6FF7716B6FD4AB49AF256A15 6D38BAA48F0A0ACF3C34E2359E6CDBCE
                 E049646C43D9327AD175578EF7227098 6371C10C9A369AC2F94A8C5FBCDDDC25
                 6D6E919A48B610EF17C2041E47403576 6B68642C59BBFC2F34DB60DBDFB2")
        );
    }

    #[test]
    fn rfc_6188_7_2_and_7_4() {
        let key = hex("f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6");
        let master =
            MasterKey::new(Suite::AES_256_CM_HMAC_SHA1_80, &key, &hex("3b04803de51ee7c96423ab5b78d2"))
                .unwrap();
        assert_eq!(
            derive::<32>(&master, Label::RtpEncryption)[..],
            hex("5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4")
        );
        assert_eq!(derive::<14>(&master, Label::RtpSalt)[..], hex("fa31791685ca444a9e07c6c64e93"));
        assert_eq!(
            derive::<20>(&master, Label::RtpAuthentication)[..],
            hex("fd9c32d39ed5fbb5a9dc96b30818454d1313dc05")
        );
        let key = hex("73edc66c4fa15776fb57f9505c1713655 0ffda71f3e8e5f1");
        let master =
            MasterKey::new(Suite::AES_192_CM_HMAC_SHA1_80, &key, &hex("c8522f3acd4ce86d5add78edbb11"))
                .unwrap();
        assert_eq!(
            derive::<24>(&master, Label::RtpEncryption)[..],
            hex("31874736a8f1143870c26e4857d8a5b2c4a354407faadabb")
        );
        assert_eq!(derive::<14>(&master, Label::RtpSalt)[..], hex("2372b82d639b6d8503a47adc0a6c"));
        assert_eq!(
            derive::<20>(&master, Label::RtpAuthentication)[..],
            hex("355b10973cd95b9eacf4061c7e1a7151e7cfbfcb")
        );
    }
}
