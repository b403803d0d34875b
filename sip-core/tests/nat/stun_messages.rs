//! STUN messages: the published vectors to the bit, what is refused, how a stream is cut; and no bytes panic.

use crate::stun::{FLOW, ID_1, PASSWORD, SERVER, asking, hex, id, long_term, short_term};
use crate::support::address;
use core::net::SocketAddr;
use proptest::prelude::*;
use sidetone_sip_core::nat::stun::{
    AttributeType, BuildError, Builder, Class, Client, Deframer, IntegrityError, Key, Message, Method,
    PasswordAlgorithm, Server, StunError, TransactionId, is_stun, user_hash,
};
use sidetone_sip_core::{Instant, Rng};

const KATAKANA: &str = "\u{30de}\u{30c8}\u{30ea}\u{30c3}\u{30af}\u{30b9}";
const ID_2: &str = "2112a442 78ad3433c6ad72c029da412e";

/// RFC 5769 §2.1.
fn sample_request() -> Vec<u8> {
    hex("00010058 2112a442 b7e7a701bc34d686fa87dfae
         80220010 5354554e20746573 7420636c69656e74
         00240004 6e0001ff
         80290008 932ff9b151263b36
         00060009 6576746a3a68367659202020
         00080014 9aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2
         80280004 e57a3bcf")
}

/// RFC 5769 §2.2.
fn sample_ipv4_response() -> Vec<u8> {
    hex("0101003c 2112a442 b7e7a701bc34d686fa87dfae
         8022000b 7465737420766563746f7220
         00200008 0001a147e112a643
         00080014 2b91f599fd9e90c38c7489f92af9ba53f06be7d7
         80280004 c07d4c96")
}

/// RFC 5769 §2.3.
fn sample_ipv6_response() -> Vec<u8> {
    hex("01010048 2112a442 b7e7a701bc34d686fa87dfae
         8022000b 7465737420766563746f7220
         00200014 0002a1470113a9faa5d3f179bc25f4b5bed2b9d9
         00080014 a382954e4be67bf11784c97c8292c275bfe3ed41
         80280004 c8fb0b4c")
}

/// RFC 5769 §2.4.
fn sample_long_term() -> Vec<u8> {
    hex("00010060 2112a442 78ad3433c6ad72c029da412e
         00060012 e3839ee38388e383aae38383e382afe382b90000
         0015001c 662f2f3439396b3935346436 4f4c33346f4c39465354767936347341
         0014000b 6578616d706c652e6f726700
         00080014 f67024656dd64a3e02b8e0712e85c9a28ca89666")
}

/// RFC 8489 appendix B.1 as its erratum 6268 corrects it.
fn sample_user_hash() -> Vec<u8> {
    hex("00010090 2112a442 78ad3433c6ad72c029da412e
         001e0020 4a3cf38fef6992bda952c6780417da0f24819415569e60b205c46e41407f1704
         00150029 6f624d61744a6f73324141414366 2f2f3439396b3935346436 4f4c33346f4c3946535476793634734100 0000
         0014000b 6578616d706c652e6f726700
         001d0004 00020000
         001c0020 b5c7bf005b6c52a21c51c5e892f819241362 96cb927c43149309278cc6518e65")
}

#[test]
fn rfc_5769_2_1_is_read_and_written_to_the_bit() {
    let bytes = sample_request();
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(
        (message.class(), message.method(), message.id()),
        (Class::Request, Method::BINDING, id(ID_1))
    );
    assert_eq!(message.software(), Some("STUN test client"));
    assert_eq!(message.username(), Some("evtj:h6vY"));
    assert!(message.has_fingerprint());
    // PRIORITY is ICE's: a Binding server without ICE has to refuse it.
    assert_eq!(message.not_understood().collect::<Vec<_>>(), [AttributeType(0x0024)]);
    let key = Key::short_term(PASSWORD);
    assert_eq!(message.verify(&key), Ok(()));
    assert_eq!(message.verify(&Key::short_term("other")), Err(IntegrityError::Wrong));
    let written = Builder::new(Class::Request, Method::BINDING, id(ID_1))
        .padding(b' ')
        .software("STUN test client")
        .attribute(AttributeType(0x0024), &[0x6e, 0, 1, 0xff])
        .attribute(AttributeType(0x8029), &hex("932ff9b151263b36"))
        .username("evtj:h6vY")
        .integrity(&key)
        .fingerprint()
        .finish();
    assert_eq!(written, Ok(bytes));
}

#[test]
fn rfc_5769_2_2_and_2_3_are_read_and_written_to_the_bit() {
    let table = [
        (sample_ipv4_response(), "192.0.2.1:32853"),
        (sample_ipv6_response(), "[2001:db8:1234:5678:11:2233:4455:6677]:32853"),
    ];
    for (bytes, mapped) in table {
        let message = Message::parse(&bytes).unwrap();
        assert_eq!(message.class(), Class::Success);
        assert_eq!(message.mapped_address(), Some(address(mapped)));
        assert_eq!(message.software(), Some("test vector"));
        let key = Key::short_term(PASSWORD);
        assert_eq!(message.verify(&key), Ok(()));
        let written = Builder::new(Class::Success, Method::BINDING, id(ID_1))
            .padding(b' ')
            .software("test vector")
            .xor_address(AttributeType::XOR_MAPPED_ADDRESS, address(mapped))
            .integrity(&key)
            .fingerprint()
            .finish();
        assert_eq!(written, Ok(bytes));
    }
}

#[test]
fn rfc_5769_2_4_is_read_and_written_to_the_bit() {
    let bytes = sample_long_term();
    let message = Message::parse(&bytes).unwrap();
    assert_eq!((message.username(), message.realm()), (Some(KATAKANA), Some("example.org")));
    assert_eq!(message.nonce(), Some("f//499k954d6OL34oL9FSTvy64sA"));
    // The password after preparation, as the RFC gives it.
    let key = Key::long_term(KATAKANA, "example.org", "TheMatrIX", PasswordAlgorithm::Md5);
    assert_eq!(message.verify(&key), Ok(()));
    let written = Builder::new(Class::Request, Method::BINDING, id(ID_2))
        .username(KATAKANA)
        .nonce("f//499k954d6OL34oL9FSTvy64sA")
        .realm("example.org")
        .integrity(&key)
        .finish();
    assert_eq!(written, Ok(bytes));
}

#[test]
fn rfc_8489_b_1_is_read_and_written_to_the_bit() {
    let bytes = sample_user_hash();
    let message = Message::parse(&bytes).unwrap();
    let hash = user_hash(KATAKANA, "example.org");
    assert_eq!(message.user_hash(), Some(&hash));
    assert_eq!(message.password_algorithm(), Some(PasswordAlgorithm::Sha256));
    let key = Key::long_term(KATAKANA, "example.org", "TheMatrIX", PasswordAlgorithm::Sha256);
    assert_eq!(message.verify(&key), Ok(()));
    let written = Builder::new(Class::Request, Method::BINDING, id(ID_2))
        .user_hash(&hash)
        .nonce("obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA")
        .realm("example.org")
        .password_algorithm(PasswordAlgorithm::Sha256)
        .integrity_sha256(&key)
        .finish();
    assert_eq!(written, Ok(bytes));
}

#[test]
fn one_changed_bit_anywhere_in_a_vector_is_noticed() {
    let bytes = sample_ipv4_response();
    // The type of FINGERPRINT is what nothing covers: with another one, the message has none, and is signed all the same.
    let fingerprint = (bytes.len() - 8) * 8;
    for bit in (0..bytes.len() * 8).filter(|bit| !(fingerprint..fingerprint + 16).contains(bit)) {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        // A longer length swallows the fingerprint, and the signature with it.
        let verdict = Message::parse(&changed).map(|message| message.verify(&Key::short_term(PASSWORD)));
        assert!(!matches!(verdict, Ok(Ok(()))), "bit {bit}");
    }
    // Without the fingerprint, the signature notices.
    let bytes = sample_long_term();
    let key = Key::long_term(KATAKANA, "example.org", "TheMatrIX", PasswordAlgorithm::Md5);
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let verdict = Message::parse(&changed).map(|message| message.verify(&key));
        assert!(!matches!(verdict, Ok(Ok(()))), "bit {bit}");
    }
}

#[test]
fn what_is_no_stun_is_refused_with_its_place() {
    let table = [
        ("", StunError::Short(0)),
        ("0001000021 12a442", StunError::Short(8)),
        ("40010000 2112a442 000000000000000000000000", StunError::NotStun),
        ("00010004 2112a442 000000000000000000000000", StunError::Length { field: 4, found: 0 }),
        ("00010002 2112a442 000000000000000000000000 0000", StunError::Length { field: 2, found: 2 }),
        ("00010004 2112a442 000000000000000000000000 80220001", StunError::Attribute { at: 20 }),
        (
            "00010008 2112a442 000000000000000000000000 80220004 8022",
            StunError::Length { field: 8, found: 6 },
        ),
        ("00010008 2112a442 000000000000000000000000 80220008 00000000", StunError::Attribute { at: 20 }),
        ("00010008 2112a442 000000000000000000000000 80280004 00000000", StunError::Fingerprint),
        ("0001000c 2112a442 000000000000000000000000 80280008 0000000000000000", StunError::Fingerprint),
    ];
    for (text, error) in table {
        assert_eq!(Message::parse(&hex(text)).unwrap_err(), error, "{text}");
    }
}

#[test]
fn every_class_and_method_has_its_bits() {
    for class in [Class::Request, Class::Indication, Class::Success, Class::Error] {
        for method in [0, 1, 3, 0x0f, 0x10, 0x7f, 0x80, 0x555, 0xaaa, 0xfff] {
            let bytes = Builder::new(class, Method(method), id(ID_1)).finish().unwrap();
            let message = Message::parse(&bytes).unwrap();
            assert_eq!((message.class(), message.method()), (class, Method(method)));
        }
    }
    let kind = |class| Builder::new(class, Method::BINDING, id(ID_1)).finish().unwrap()[..2].to_vec();
    assert_eq!(kind(Class::Request), [0x00, 0x01]);
    assert_eq!(kind(Class::Indication), [0x00, 0x11]);
    assert_eq!(kind(Class::Success), [0x01, 0x01]);
    assert_eq!(kind(Class::Error), [0x01, 0x11]);
}

#[test]
fn stun_is_told_from_sip_and_from_keep_alives() {
    let request = Builder::new(Class::Request, Method::BINDING, id(ID_1)).finish().unwrap();
    let classic = TransactionId::classic(&mut Rng::from_u64(1));
    let classic = Builder::new(Class::Request, Method::BINDING, classic).finish().unwrap();
    assert!(is_stun(&request) && is_stun(&classic) && is_stun(&sample_ipv6_response()));
    let sip: [&[u8]; 8] = [
        b"",
        b"\r\n\r\n",
        b"\r\n\r\nOPTIONS sip:a SIP/2.0\r\n\r\n",
        b"OPTIONS sip:a SIP/2.0\r\n\r\n",
        b"SIP/2.0 200 OK\r\nVia: x\r\n\r\n",
        b"\0\0\0\0",
        // DTLS and RTP (RFC 7983).
        &[20; 40],
        &[0x80; 40],
    ];
    for bytes in sip {
        assert!(!is_stun(bytes), "{bytes:?}");
    }
}

#[test]
fn after_the_signature_nothing_counts_that_is_not_signed() {
    let key = Key::short_term("pw");
    let bytes = Builder::new(Class::Success, Method::BINDING, id(ID_1))
        .software("first")
        .integrity(&key)
        .address(AttributeType::MAPPED_ADDRESS, address("203.0.113.66:6666"))
        .attribute(AttributeType(0x7777), &[])
        .finish()
        .unwrap();
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(message.verify(&key), Ok(()));
    assert_eq!(message.software(), Some("first"));
    assert_eq!(message.mapped_address(), None);
    assert_eq!(message.not_understood().count(), 0);
}

#[test]
fn a_cut_sha_256_signature_is_taken_down_to_16_octets() {
    let key = Key::short_term("pw");
    let bytes =
        Builder::new(Class::Success, Method::BINDING, id(ID_1)).integrity_sha256(&key).finish().unwrap();
    let long = Message::parse(&bytes).unwrap();
    assert_eq!(long.verify(&key), Ok(()));
    // The length field is signed as if the attribute were cut already, so a cut by somebody else is wrong.
    let cut = |length: u8| {
        let mut cut = bytes[..24 + usize::from(length)].to_vec();
        (cut[3], cut[23]) = (length + 4, length);
        cut
    };
    assert_eq!(Message::parse(&cut(16)).unwrap().verify(&key), Err(IntegrityError::Wrong));
    assert_eq!(Message::parse(&cut(12)).unwrap().verify(&key), Err(IntegrityError::Wrong));
}

#[test]
fn values_beyond_their_limits_are_not_written() {
    let builder = || Builder::new(Class::Request, Method::BINDING, id(ID_1));
    let long = "x".repeat(764);
    let found = builder().software(&long).finish();
    let kind = AttributeType::SOFTWARE;
    assert_eq!(found, Err(BuildError::Value { kind, found: 764, limit: 763 }));
    assert!(builder().username(&long[..509]).finish().is_err());
    assert!(builder().username(&long[..508]).finish().is_ok());
    let mut huge = builder();
    for _ in 0..100 {
        huge = huge.software(&long[..763]);
    }
    assert_eq!(huge.finish(), Err(BuildError::Message));
}

#[test]
fn a_debug_print_shows_no_secret() {
    let key = Key::short_term("hidden");
    let bytes = Builder::new(Class::Request, Method::BINDING, id(ID_1)).username("hidden").finish().unwrap();
    let client = Client::new(short_term("hidden", "hidden"), Rng::from_u64(1));
    let text =
        format!("{key:?} {:?} {client:?} {:?}", Message::parse(&bytes).unwrap(), short_term("u", "hidden"));
    assert!(!text.contains("hidden"), "{text}");
}

#[test]
fn a_stream_is_cut_into_messages_wherever_it_is_cut() {
    let messages = [sample_request(), sample_ipv4_response(), sample_user_hash()];
    let stream = messages.concat();
    for size in 1..stream.len() {
        let mut deframer = Deframer::new(2048);
        let mut found = Vec::new();
        for chunk in stream.chunks(size) {
            deframer.push(chunk);
            while let Some(message) = deframer.next().unwrap() {
                found.push(message.to_vec());
            }
        }
        assert_eq!(found, messages);
    }
    let mut deframer = Deframer::new(100);
    deframer.push(&sample_request());
    assert_eq!(deframer.next(), Err(StunError::TooLong { found: 108, limit: 100 }));
    deframer.push(&sample_request());
    assert_eq!(deframer.next(), Err(StunError::TooLong { found: 108, limit: 100 }));
    let mut deframer = Deframer::new(100);
    deframer.push(b"OPTIONS");
    assert_eq!(deframer.next(), Err(StunError::NotStun));
}

/// Everything that can be asked of a message.
fn look_at(message: &Message<'_>) {
    let key = Key::short_term("pw");
    let _ = (message.mapped_address(), message.alternate_server(), message.error_code(), message.username());
    let _ = (message.realm(), message.nonce(), message.software(), message.user_hash());
    let _ = (message.password_algorithm(), message.preferred_algorithm(), message.has_fingerprint());
    let _ = (message.not_understood().count(), message.unknown_attributes().count(), message.verify(&key));
    let _ = (format!("{message:?}"), Server::new().answer(message, address("192.0.2.1:1")));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(message) = Message::parse(&bytes) {
            look_at(&message);
        }
        let mut deframer = Deframer::new(100);
        deframer.push(&bytes);
        while let Ok(Some(_)) = deframer.next() {}
        let (mut client, _) = asking(long_term("a", "b"));
        client.handle_input(Instant::ZERO, FLOW, address(SERVER), &bytes);
    }

    #[test]
    fn changed_vectors_do_not_panic(
        which in 0..5_usize,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let vectors =
            [sample_request(), sample_ipv4_response(), sample_ipv6_response(), sample_long_term(), sample_user_hash()];
        let mut bytes = vectors[which].clone();
        // Without FINGERPRINT, so that more than the checksum is tried.
        if bytes[bytes.len() - 8..].starts_with(&[0x80, 0x28]) {
            bytes.truncate(bytes.len() - 8);
            bytes[3] -= 8;
        }
        for (place, octet) in changes {
            let place = place.index(bytes.len());
            bytes[place] = octet;
        }
        if let Ok(message) = Message::parse(&bytes) {
            look_at(&message);
        }
    }

    #[test]
    fn written_addresses_are_read(ip in any::<u128>(), port in any::<u16>(), v4 in any::<bool>(), seed in any::<u64>()) {
        let ip: core::net::IpAddr =
            if v4 { core::net::Ipv4Addr::from(ip as u32).into() } else { core::net::Ipv6Addr::from(ip).into() };
        let address = SocketAddr::new(ip.to_canonical(), port);
        let id = TransactionId::new(&mut Rng::from_u64(seed));
        for kind in [AttributeType::XOR_MAPPED_ADDRESS, AttributeType::MAPPED_ADDRESS] {
            let builder = Builder::new(Class::Success, Method::BINDING, id);
            let bytes = if kind == AttributeType::MAPPED_ADDRESS {
                builder.address(kind, address)
            } else {
                builder.xor_address(kind, address)
            };
            let bytes = bytes.finish().unwrap();
            prop_assert_eq!(Message::parse(&bytes).unwrap().mapped_address(), Some(address));
        }
    }
}
