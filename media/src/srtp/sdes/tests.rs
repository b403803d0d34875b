use super::super::Mki;
use super::*;
use proptest::prelude::*;
use sidetone_hal::rng::Rng;

const KEY: &str = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";

fn sdes(suites: &[Suite], seed: u64) -> Sdes {
    Sdes::new(suites.iter().copied(), Rng::from_u64(seed))
}

fn texts(lines: &[String]) -> impl Iterator<Item = &str> {
    lines.iter().map(String::as_str)
}

fn fit(ours: &SrtpKeys, theirs: &SrtpKeys) -> bool {
    ours.send == theirs.receive && ours.receive == theirs.send
}

#[test]
fn lines_of_rfc_4568() {
    // §4.1 and §10 of the RFC.
    let line =
        CryptoLine::parse(&format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:4 FEC_ORDER=FEC_SRTP"));
    assert_eq!(
        line.unwrap_err().to_string(),
        "a=crypto:1: forward error correction (FEC_ORDER, FEC_KEY) is not supported"
    );
    let line = CryptoLine::parse(&format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:32")).unwrap();
    assert_eq!((line.tag, line.key.lifetime()), (1, 1 << 20));
    assert_eq!(line.key.mki(), Mki::new(1, 32));
    let line = CryptoLine::parse(
        "1 AES_CM_128_HMAC_SHA1_32 inline:NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Zj|2^20|1:32",
    );
    assert_eq!(line.unwrap().key.suite(), Suite::AES_CM_128_HMAC_SHA1_32);
    let two = "2 AES_CM_128_HMAC_SHA1_80 inline:MTIzNDU2Nzg5QUJDREUwMTIzNDU2Nzg5QUJjZGVm|2^20|1:4;inline:QUJjZGVmMTIzNDU2Nzg5QUJDREUwMTIzNDU2Nzg5|2^20|2:4";
    assert_eq!(CryptoLine::parse(two), Err(SdesError::Unsupported { tag: 2, what: "several master keys" }));
}

#[test]
fn lifetime_and_mki_stand_alone_or_together() {
    for (tail, lifetime, mki) in [
        ("", MAX, None),
        ("|2^48", MAX, None),
        ("|1000", 1000, None),
        ("|7:1", MAX, Mki::new(7, 1)),
        ("|2^31|258:2", 1 << 31, Mki::new(258, 2)),
    ] {
        let line = CryptoLine::parse(&format!("9 AES_CM_128_HMAC_SHA1_80 inline:{KEY}{tail}")).unwrap();
        assert_eq!((line.key.lifetime(), line.key.mki()), (lifetime, mki), "{tail}");
        assert_eq!(CryptoLine::parse(&line.to_value()), Ok(line));
    }
}

const MAX: u64 = super::super::MAX_RTP_LIFETIME;

#[test]
fn what_cannot_be_used_says_why_and_shows_no_key() {
    for (line, why) in [
        ("", "a=crypto: no tag of 1-9 digits"),
        ("x AES_CM_128_HMAC_SHA1_80 inline:KEY", "a=crypto: no tag of 1-9 digits"),
        ("1234567890 AES_CM_128_HMAC_SHA1_80 inline:KEY", "a=crypto: no tag of 1-9 digits"),
        ("1", "a=crypto:1: no crypto suite"),
        ("1 AES_CM_128_HMAC_SHA1_80", "a=crypto:1: no key"),
        ("1 AES_CM_128_HMAC_SHA1_80 KEY", "a=crypto:1: no key method"),
        ("1 AES_CM_128_HMAC_SHA1_80 uri:KEY", "a=crypto:1: a key method other than inline is not supported"),
        ("1 AES_CM_128_HMAC_SHA1_80 inline:!", "a=crypto:1: the key is no base64"),
        ("1 AES_CM_128_HMAC_SHA1_80 inline:AAAA", "a=crypto:1: key and salt have not the suite's length"),
        ("1 AES_256_CM_HMAC_SHA1_80 inline:KEY", "a=crypto:1: key and salt have not the suite's length"),
        (
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY|2^49",
            "a=crypto:1: the lifetime is no number of packets up to 2^48",
        ),
        (
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY|0",
            "a=crypto:1: the lifetime is no number of packets up to 2^48",
        ),
        ("1 AES_CM_128_HMAC_SHA1_80 inline:KEY|1:0", "a=crypto:1: the MKI is no value:length that fits"),
        ("1 AES_CM_128_HMAC_SHA1_80 inline:KEY|1:129", "a=crypto:1: the MKI is no value:length that fits"),
        ("1 AES_CM_128_HMAC_SHA1_80 inline:KEY|256:1", "a=crypto:1: the MKI is no value:length that fits"),
        (
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY|9|1:1|2",
            "a=crypto:1: more than a lifetime and an MKI behind the key",
        ),
        (
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY KDR=3",
            "a=crypto:1: a key derivation rate (KDR) is not supported",
        ),
        ("1 AES_CM_128_HMAC_SHA1_80 inline:KEY WSH=63", "a=crypto:1: WSH is no number of at least 64"),
        (
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY UNENCRYPTED_SRTP",
            "a=crypto:1: UNENCRYPTED_SRTP: the speech would be in the clear is not supported",
        ),
        (
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY UNENCRYPTED_SRTCP",
            "a=crypto:1: UNENCRYPTED_SRTCP: the reports would be in the clear is not supported",
        ),
        (
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY UNAUTHENTICATED_SRTP",
            "a=crypto:1: UNAUTHENTICATED_SRTP: anyone could change the speech is not supported",
        ),
        (
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY new=1",
            "a=crypto:1: a session parameter that must be understood and is not is not supported",
        ),
        (
            "3 F8_128_HMAC_SHA1_80 inline:KEY",
            "a=crypto:3: suite F8_128_HMAC_SHA1_80 is not supported: the f8 mode is made for UMTS bearers with bit \
             errors, counter mode is what every peer has too",
        ),
        ("1 NULL_HMAC_SHA1_80 inline:KEY", "a=crypto:1: suite NULL_HMAC_SHA1_80 is not supported"),
    ] {
        let error = CryptoLine::parse(&line.replace("KEY", KEY)).unwrap_err();
        assert_eq!(error.to_string(), why);
    }
    let long = format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} -x={}", "y".repeat(600));
    assert_eq!(CryptoLine::parse(&long).unwrap_err().to_string(), "a=crypto: longer than 512 octets");
    for harmless in ["KDR=0", "WSH=128", "-anything=at-all", "-x"] {
        assert!(CryptoLine::parse(&format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} {harmless}")).is_ok());
    }
    let shown =
        format!("{:?}", CryptoLine::parse(&format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}")).unwrap());
    assert!(
        !shown.contains("wD") && !shown.contains("119") && shown.contains("AES_CM_128_HMAC_SHA1_80"),
        "{shown}"
    );
}

/// YLC-297, YLC-298: three lines with a key of their own, the third F8; one comes back, with the tag and suite chosen.
#[test]
fn the_offer_of_a_cp860_is_answered_with_its_first_line() {
    let offer = [
        format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"),
        "2 AES_CM_128_HMAC_SHA1_32 inline:NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Zj".to_owned(),
        "3 F8_128_HMAC_SHA1_80 inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR".to_owned(),
    ];
    let mut phone = sdes(&Suite::USUAL, 1);
    let (answer, keys) = phone.answer(texts(&offer)).unwrap();
    assert!(answer.starts_with("1 AES_CM_128_HMAC_SHA1_80 inline:") && !answer.contains(KEY), "{answer}");
    assert_eq!(keys.receive, CryptoLine::parse(&offer[0]).unwrap().key);
    assert_eq!(keys.send, CryptoLine::parse(&answer).unwrap().key);
    let error = sdes(&Suite::USUAL, 1).answer(texts(&offer[2..])).unwrap_err().to_string();
    assert!(
        error.starts_with("no usable a=crypto line (a=crypto:3: suite F8_128_HMAC_SHA1_80 is not"),
        "{error}"
    );
    let error = sdes(&Suite::USUAL, 1).answer([]).unwrap_err().to_string();
    assert_eq!(error, "no usable a=crypto line (there is none)");
}

#[test]
fn two_sides_agree_whatever_they_have_in_common() {
    let mut alice = sdes(&Suite::ALL, 1);
    for (suite, tag) in Suite::ALL.into_iter().zip(1..) {
        let mut bob = sdes(&[suite, Suite::NULL_HMAC_SHA1_80], 2);
        let offer = alice.offer();
        assert_eq!(offer.len(), 8);
        let (answer, at_bob) = bob.answer(texts(&offer)).unwrap();
        assert!(answer.starts_with(&format!("{tag} {suite} ")), "{answer}");
        let at_alice = alice.accept([answer.as_str()]).unwrap();
        assert!(fit(&at_alice, &at_bob) && at_alice.send != at_alice.receive);
        alice = sdes(&Suite::ALL, 1);
    }
}

#[test]
fn a_re_offer_changes_nothing_unless_it_is_asked_for() {
    let (mut alice, mut bob) = (sdes(&Suite::USUAL, 1), sdes(&[Suite::AES_CM_128_HMAC_SHA1_32], 2));
    let (answer, at_bob) = bob.answer(texts(&alice.offer())).unwrap();
    let at_alice = alice.accept([answer.as_str()]).unwrap();
    // From either side: the same keys, and the suite in use is offered first.
    let offer = alice.offer();
    assert!(offer[0].contains("_32 "), "{offer:?}");
    assert_eq!(offer, alice.offer());
    let (answer, again) = bob.answer(texts(&offer)).unwrap();
    assert_eq!(again, at_bob);
    assert_eq!(alice.accept([answer.as_str()]).unwrap(), at_alice);
    let (answer, again) = alice.answer(texts(&bob.offer())).unwrap();
    assert_eq!(again, at_alice);
    assert_eq!(bob.accept([answer.as_str()]).unwrap(), at_bob);

    // New keys: both sides' change. If the offer is refused, nothing has.
    alice.rekey();
    let refused = alice.offer();
    alice.rollback();
    assert_eq!(alice.agreed(), Some(&at_alice));
    let offer = alice.offer();
    assert_ne!(offer[0], refused[0]);
    let (answer, new_at_bob) = bob.answer(texts(&offer)).unwrap();
    let new_at_alice = alice.accept([answer.as_str()]).unwrap();
    assert!(fit(&new_at_alice, &new_at_bob));
    assert!(new_at_bob.send != at_bob.send && new_at_bob.receive != at_bob.receive);
    // And only once.
    assert_eq!(alice.offer(), offer);
}

#[test]
fn an_answer_must_fit_and_may_come_again_from_another_branch() {
    let mut alice = sdes(&Suite::USUAL, 1);
    assert_eq!(alice.accept([]), Err(SdesError::NoOffer));
    let offer = alice.offer();
    let at = |seed| sdes(&Suite::USUAL, seed).answer(texts(&offer)).unwrap();
    let ((first, at_first), (second, at_second)) = (at(2), at(3));
    assert!(fit(&alice.accept([first.as_str()]).unwrap(), &at_first));
    assert!(fit(&alice.accept([second.as_str()]).unwrap(), &at_second));
    let wrong = first.replacen('1', "2", 1);
    let error = alice.accept([wrong.as_str()]).unwrap_err();
    assert_eq!(error, SdesError::NotOffered { tag: 2, suite: Suite::AES_CM_128_HMAC_SHA1_80 });
    assert_eq!(alice.agreed().map(|keys| &keys.receive), Some(&at_second.send));
}

proptest! {
    #[test]
    fn no_line_panics(line in ".{0,200}", tail in "[0-9A-Za-z+/=|:^; _-]{0,120}") {
        let _ = CryptoLine::parse(&line);
        let _ = CryptoLine::parse(&format!("1 AES_CM_128_HMAC_SHA1_80 inline:{tail}"));
        let _ = CryptoLine::parse(&format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|{tail}"));
        let _ = CryptoLine::parse(&format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} {tail}"));
    }

    #[test]
    fn what_is_written_is_read(seed: u64, tag in 0_u32..=999_999_999, suite in 0_usize..8, life in 1_u64..=MAX, mki: Option<(u64, u8)>) {
        let mki = mki.and_then(|(value, length)| Mki::new(value, length.into()));
        let key = MasterKey::random(Suite::ALL[suite], &mut Rng::from_u64(seed)).with_lifetime(life).with_mki(mki);
        let line = CryptoLine { tag, key };
        prop_assert_eq!(CryptoLine::parse(&line.to_value()), Ok(line));
    }
}
