//! Encryption in offers and answers: policy, profiles, `a=crypto` (RFC 4568) and `a=fingerprint` (RFC 5763).

use sidetone_codecs::{pcma, pcmu};
use sidetone_hal::rng::Rng;
use sidetone_media::Direction::{RecvOnly, SendOnly, SendRecv};
use sidetone_media::sdp::{LocalMedia, Negotiator, SdpError};
use sidetone_media::srtp::{Sdes, SrtpPolicy, Suite};

const KEY: &str = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
const KEY_32: &str = "a=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Zj";
const F8: &str = "a=crypto:3 F8_128_HMAC_SHA1_80 inline:NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Zj";

fn phone(seed: u64, policy: SrtpPolicy) -> Negotiator {
    let local = LocalMedia::new([192, 0, 2, seed as u8].into(), 4000, [&pcmu::SPEC, &pcma::SPEC]);
    Negotiator::new(local, seed).with_srtp(policy, Some(Sdes::new(Suite::USUAL, Rng::from_u64(seed))))
}

fn offer(proto: &str, lines: &[&str]) -> String {
    let lines = lines.join("\r\n");
    format!(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 6000 {proto} 0\r\n{lines}\r\n"
    )
}

fn lines<'a>(text: &'a [u8], start: &str) -> Vec<&'a str> {
    core::str::from_utf8(text).unwrap().lines().filter(|line| line.starts_with(start)).collect()
}

/// What each policy makes of what each peer may offer: the profile of the answer and whether it has a key, or the
/// Warning of the refusal.
#[test]
fn policy_and_profile() {
    use SrtpPolicy::{Compulsory, Off, Optional};
    let plain = |proto| Ok((proto, false));
    let secure = |proto| Ok((proto, true));
    let keys: &[&str] = &[KEY, KEY_32, F8];
    let (f8, none): (&[&str], &[&str]) = (&[F8], &[]);
    let table = [
        (Off, "RTP/AVP", none, plain("RTP/AVP")),
        (Off, "RTP/AVPF", keys, plain("RTP/AVPF")),
        (Off, "RTP/SAVP", keys, Err(302)),
        (Off, "UDP/TLS/RTP/SAVPF", none, Err(302)),
        (Optional, "RTP/AVP", none, plain("RTP/AVP")),
        (Optional, "RTP/AVP", keys, secure("RTP/AVP")),
        (Optional, "RTP/AVP", f8, plain("RTP/AVP")),
        (Optional, "RTP/SAVP", keys, secure("RTP/SAVP")),
        (Optional, "RTP/SAVPF", keys, secure("RTP/SAVPF")),
        (Optional, "RTP/SAVP", f8, Err(399)),
        (Optional, "RTP/SAVP", none, Err(399)),
        (Optional, "UDP/TLS/RTP/SAVP", none, Err(302)),
        (Compulsory, "RTP/SAVP", keys, secure("RTP/SAVP")),
        (Compulsory, "RTP/AVP", keys, secure("RTP/AVP")),
        (Compulsory, "RTP/AVP", none, Err(302)),
        (Compulsory, "RTP/AVP", f8, Err(302)),
        (Compulsory, "RTP/SAVP", f8, Err(399)),
        (Compulsory, "RTP/FOO", keys, Err(302)),
    ];
    for (policy, proto, with, expected) in table {
        let answered = phone(1, policy).answer(offer(proto, with).as_bytes(), SendRecv);
        let case = format!("{policy:?} {proto} {with:?}");
        match (answered, expected) {
            (Ok((text, agreed)), Ok((proto, encrypted))) => {
                assert_eq!(lines(&text, "m="), [format!("m=audio 4000 {proto} 0")], "{case}");
                assert_eq!(agreed.srtp.is_some(), encrypted, "{case}");
                let crypto = lines(&text, "a=crypto:");
                assert_eq!(crypto.len(), usize::from(encrypted), "{case}");
                // The chosen line's tag and suite, with a key of our own.
                assert!(crypto.iter().all(|line| line.starts_with(&KEY[..40]) && *line != KEY), "{case}");
            }
            (Err(error), Err(warning)) => {
                assert_eq!((error.status(), error.warning()), (488, warning), "{case}: {error}");
            }
            (answered, _) => panic!("{case}: {:?}", answered.map(|(_, agreed)| agreed)),
        }
    }
}

#[test]
fn a_refusal_says_which_line_is_wrong_and_has_no_key_in_it() {
    let error = phone(1, SrtpPolicy::Compulsory)
        .answer(offer("RTP/SAVP", &[F8]).as_bytes(), SendRecv)
        .unwrap_err()
        .to_string();
    assert!(error.contains("a=crypto:3") && error.contains("F8_128_HMAC_SHA1_80"), "{error}");
    assert!(!error.contains("NzB4d1BIN"), "{error}");
}

#[test]
fn two_phones_agree_on_keys_by_their_policies() {
    use SrtpPolicy::{Compulsory, Off, Optional};
    for (one, other, proto, expected) in [
        (Off, Off, "RTP/AVP", Some(false)),
        (Off, Optional, "RTP/AVP", Some(false)),
        (Off, Compulsory, "RTP/AVP", None),
        (Optional, Off, "RTP/AVP", Some(false)),
        (Optional, Optional, "RTP/AVP", Some(true)),
        (Optional, Compulsory, "RTP/AVP", Some(true)),
        (Compulsory, Off, "RTP/SAVP", None),
        (Compulsory, Optional, "RTP/SAVP", Some(true)),
        (Compulsory, Compulsory, "RTP/SAVP", Some(true)),
    ] {
        let (mut alice, mut bob) = (phone(1, one), phone(2, other));
        let offer = alice.offer(SendRecv);
        assert!(lines(&offer, "m=")[0].contains(proto), "{one:?}");
        assert_eq!(lines(&offer, "a=crypto:").len(), if one == Off { 0 } else { 2 });
        match (bob.answer(&offer, SendRecv), expected) {
            (Ok((answer, theirs)), Some(encrypted)) => {
                let ours = alice.accept_answer(&answer).unwrap();
                assert_eq!((ours.srtp.is_some(), theirs.srtp.is_some()), (encrypted, encrypted));
                if let (Some(ours), Some(theirs)) = (ours.srtp, theirs.srtp) {
                    assert!(ours.send == theirs.receive && ours.receive == theirs.send);
                    assert!(ours.send != ours.receive);
                }
            }
            (Err(error), None) => assert_eq!(error.status(), 488),
            (answered, _) => panic!("{one:?} {other:?}: {}", answered.is_ok()),
        }
    }
}

#[test]
fn hold_keeps_the_keys_and_the_version_and_rekeying_changes_both() {
    let (mut alice, mut bob) = (phone(1, SrtpPolicy::Compulsory), phone(2, SrtpPolicy::Optional));
    let mut exchange = |alice: &mut Negotiator, direction| {
        let offer = alice.offer(direction);
        let (answer, _) = bob.answer(&offer, SendRecv).unwrap();
        alice.accept_answer(&answer).unwrap()
    };
    let first = exchange(&mut alice, SendRecv);
    let held = exchange(&mut alice, SendOnly);
    assert_eq!(held.srtp, first.srtp);
    assert_eq!(alice.offer(SendOnly), alice.offer(SendOnly));
    alice.rekey();
    let renewed = exchange(&mut alice, SendOnly);
    assert_ne!(renewed.srtp, first.srtp);
    assert_eq!(exchange(&mut alice, SendRecv).srtp, renewed.srtp);
}

#[test]
fn an_answer_whose_key_is_wrong_is_no_call_in_the_clear() {
    for policy in [SrtpPolicy::Optional, SrtpPolicy::Compulsory] {
        let mut alice = phone(1, policy);
        let mine = alice.offer(SendRecv);
        let proto = if policy == SrtpPolicy::Optional { "RTP/AVP" } else { "RTP/SAVP" };
        for wrong in [F8, "a=crypto:7 AES_CM_128_HMAC_SHA1_80 inline:short", &KEY.replace(":1 ", ":9 ")] {
            let error = alice.accept_answer(offer(proto, &[wrong]).as_bytes()).unwrap_err();
            assert!(matches!(error, SdpError::Security(_)), "{error}");
        }
        let plain = alice.accept_answer(offer("RTP/AVP", &[]).as_bytes());
        assert_eq!(plain.is_ok(), policy == SrtpPolicy::Optional);
        if plain.is_err() {
            assert!(alice.accept_answer(offer("RTP/SAVP", &[KEY]).as_bytes()).unwrap().srtp.is_some());
        }
        assert!(!mine.is_empty());
    }
}

/// What phones do that offer both profiles in two lines: the first that will do is taken, the other refused.
#[test]
fn of_two_profiles_the_first_that_will_do_is_taken() {
    let both = format!("{}m=audio 6000 RTP/AVP 0\r\n", offer("RTP/SAVP", &[KEY]));
    for (policy, media) in [
        (SrtpPolicy::Optional, ["m=audio 4000 RTP/SAVP 0", "m=audio 0 RTP/AVP 0"]),
        (SrtpPolicy::Compulsory, ["m=audio 4000 RTP/SAVP 0", "m=audio 0 RTP/AVP 0"]),
        (SrtpPolicy::Off, ["m=audio 0 RTP/SAVP 0", "m=audio 4000 RTP/AVP 0"]),
    ] {
        let (text, agreed) = phone(1, policy).answer(both.as_bytes(), SendRecv).unwrap();
        assert_eq!(lines(&text, "m="), media);
        assert_eq!(agreed.srtp.is_some(), policy != SrtpPolicy::Off);
        let (_, held) =
            phone(1, policy).answer(both.replace("s=-", "s=-\r\na=sendonly").as_bytes(), SendRecv).unwrap();
        assert_eq!(held.direction, RecvOnly);
    }
}

#[test]
fn nothing_that_is_shown_has_a_key_in_it() {
    let (mut alice, mut bob) = (phone(1, SrtpPolicy::Compulsory), phone(2, SrtpPolicy::Compulsory));
    let offer = alice.offer(SendRecv);
    let (answer, agreed) = bob.answer(&offer, SendRecv).unwrap();
    let shown = format!("{alice:?} {bob:?} {agreed:?}");
    for text in [&offer, &answer] {
        for line in lines(text, "a=crypto:") {
            let key = line.split("inline:").nth(1).unwrap();
            assert!(!shown.contains(key) && !shown.contains("inline"), "{shown}");
        }
    }
}

const FINGERPRINT: &str =
    "sha-256 6B:8B:F0:65:5F:78:E2:51:3B:AC:6F:F3:3F:46:1B:35:DC:B8:5F:64:1A:24:C2:43:F0:A1:58:D0:A1:2C:19:08";

fn dtls_phone(seed: u64, policy: SrtpPolicy) -> Negotiator {
    let mut local = LocalMedia::new([192, 0, 2, seed as u8].into(), 4000, [&pcmu::SPEC]);
    local.fingerprint = Some(FINGERPRINT.into());
    local.rtcp_mux = true;
    Negotiator::new(local, seed).with_srtp(policy, None)
}

fn both_ways(seed: u64, policy: SrtpPolicy) -> Negotiator {
    let sdes = Sdes::new(Suite::USUAL.iter().copied(), Rng::from_u64(seed));
    dtls_phone(seed, policy).with_srtp(policy, Some(sdes))
}

#[test]
fn keys_by_dtls() {
    let (mut alice, mut bob) = (dtls_phone(1, SrtpPolicy::Compulsory), dtls_phone(2, SrtpPolicy::Optional));
    let offer_text = alice.offer(SendRecv);
    assert_eq!(lines(&offer_text, "m=audio 4000 UDP/TLS/RTP/SAVP ").len(), 1);
    assert_eq!(lines(&offer_text, "a=setup:"), ["a=setup:actpass"]);
    let (answer, theirs) = bob.answer(&offer_text, SendRecv).unwrap();
    assert_eq!(lines(&answer, "a=setup:"), ["a=setup:active"]);
    assert_eq!(lines(&answer, "a=fingerprint:"), [format!("a=fingerprint:{FINGERPRINT}")]);
    let ours = alice.accept_answer(&answer).unwrap();
    let (ours, theirs) = (ours.dtls.unwrap(), theirs.dtls.unwrap());
    assert_eq!((ours.active, theirs.active), (false, true));
    assert_eq!(ours.fingerprints, [FINGERPRINT]);
    // The roles stay, whoever offers.
    let again = bob.offer(SendOnly);
    let (answer, _) = alice.answer(&again, SendRecv).unwrap();
    assert_eq!(lines(&answer, "a=setup:"), ["a=setup:passive"]);
    assert!(bob.accept_answer(&answer).unwrap().dtls.unwrap().active);

    // At session level, as some gateways write; and without a fingerprint there is nothing to trust.
    let session = offer("UDP/TLS/RTP/SAVPF", &[])
        .replace("s=-", &format!("s=-\r\na=setup:active\r\na=fingerprint:{FINGERPRINT}"))
        + "a=rtcp-mux\r\n";
    let (answer, agreed) = dtls_phone(3, SrtpPolicy::Optional).answer(session.as_bytes(), SendRecv).unwrap();
    assert_eq!(lines(&answer, "m="), ["m=audio 4000 UDP/TLS/RTP/SAVPF 0"]);
    assert!(!agreed.dtls.unwrap().active);
    let bare = offer("UDP/TLS/RTP/SAVPF", &[]);
    let error = dtls_phone(3, SrtpPolicy::Optional).answer(bare.as_bytes(), SendRecv).unwrap_err();
    assert_eq!((error.status(), error.warning()), (488, 399));
}

#[test]
fn dtls_on_a_port_that_rtcp_does_not_share_is_refused_with_a_reason() {
    let text = String::from_utf8(dtls_phone(1, SrtpPolicy::Compulsory).offer(SendRecv)).unwrap();
    let apart = text.replace("a=rtcp-mux\r\n", "");
    let error = dtls_phone(2, SrtpPolicy::Optional).answer(apart.as_bytes(), SendRecv).unwrap_err();
    assert_eq!(
        (error.status(), error.to_string().as_str()),
        (488, "media security: keys by DTLS need a=rtcp-mux")
    );
    // Our own offer cannot be answered so either.
    let mut alice = dtls_phone(1, SrtpPolicy::Compulsory);
    let offer = alice.offer(SendRecv);
    let (answer, _) = dtls_phone(2, SrtpPolicy::Optional).answer(&offer, SendRecv).unwrap();
    let apart = String::from_utf8(answer).unwrap().replace("a=rtcp-mux\r\n", "");
    assert!(alice.accept_answer(apart.as_bytes()).is_err());
}

/// RFC 8643: `RTP/AVP` with all that encryption needs.
#[test]
fn optional_keys_by_dtls() {
    let mut alice = both_ways(1, SrtpPolicy::Optional);
    let offer = alice.offer(SendRecv);
    assert_eq!(lines(&offer, "m=audio 4000 RTP/AVP ").len(), 1);
    assert_eq!((lines(&offer, "a=crypto:").len(), lines(&offer, "a=setup:").len()), (2, 1));
    // Who has both takes DTLS; it stays so in later offers of either.
    let mut bob = both_ways(2, SrtpPolicy::Optional);
    let (answer, agreed) = bob.answer(&offer, SendRecv).unwrap();
    assert_eq!((lines(&answer, "a=setup:"), lines(&answer, "a=crypto:").len()), (vec!["a=setup:active"], 0));
    assert!(agreed.dtls.is_some() && agreed.srtp.is_none());
    let ours = alice.accept_answer(&answer).unwrap();
    assert!(!ours.dtls.as_ref().unwrap().active && ours.srtp.is_none() && ours.rtcp_mux);
    let again = alice.offer(SendOnly);
    assert_eq!((lines(&again, "a=crypto:").len(), lines(&again, "a=fingerprint:").len()), (0, 1));
    let (answer, agreed) = bob.answer(&again, SendRecv).unwrap();
    assert!(agreed.dtls.is_some_and(|dtls| dtls.active));
    assert_eq!(alice.accept_answer(&answer).unwrap().dtls, ours.dtls);

    // Who has only the other way takes that, and keeps it.
    let mut carol = phone(3, SrtpPolicy::Optional);
    let mut alice = both_ways(1, SrtpPolicy::Optional);
    let (answer, _) = carol.answer(&alice.offer(SendRecv), SendRecv).unwrap();
    let ours = alice.accept_answer(&answer).unwrap();
    assert!(ours.srtp.is_some() && ours.dtls.is_none());
    let again = alice.offer(SendRecv);
    assert_eq!((lines(&again, "a=crypto:").len(), lines(&again, "a=fingerprint:").len()), (2, 0));

    // Who has none of it speaks in the clear; unless that is not to be.
    let mut dave = phone(4, SrtpPolicy::Off);
    let mut alice = both_ways(1, SrtpPolicy::Optional);
    let (answer, _) = dave.answer(&alice.offer(SendRecv), SendRecv).unwrap();
    let ours = alice.accept_answer(&answer).unwrap();
    assert!(ours.srtp.is_none() && ours.dtls.is_none());
    let error = dtls_phone(5, SrtpPolicy::Compulsory).answer(&dave.offer(SendRecv), SendRecv).unwrap_err();
    assert_eq!(error.status(), 488);
    assert!(error.to_string().ends_with("expected UDP/TLS/RTP/SAVP or UDP/TLS/RTP/SAVPF"), "{error}");
}

#[test]
fn with_both_ways_and_encryption_compulsory_one_of_them_is_offered() {
    let offer = both_ways(1, SrtpPolicy::Compulsory).offer(SendRecv);
    assert_eq!(lines(&offer, "m=audio 4000 RTP/SAVP ").len(), 1);
    let offer = both_ways(1, SrtpPolicy::Compulsory).with_dtls_first(true).offer(SendRecv);
    assert_eq!(lines(&offer, "m=audio 4000 UDP/TLS/RTP/SAVP ").len(), 1);
    assert_eq!(lines(&offer, "a=crypto:").len(), 0);
    // Either is taken.
    for proto in ["RTP/SAVP", "UDP/TLS/RTP/SAVP"] {
        let mut caller = both_ways(1, SrtpPolicy::Compulsory).with_dtls_first(proto.starts_with("UDP"));
        let mut called = both_ways(2, SrtpPolicy::Compulsory).with_dtls_first(true);
        let (answer, agreed) = called.answer(&caller.offer(SendRecv), SendRecv).unwrap();
        assert_eq!(agreed.dtls.is_some(), proto.starts_with("UDP"));
        assert!(caller.accept_answer(&answer).is_ok());
    }
}
