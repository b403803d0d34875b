//! Session descriptions: whatever comes is answered, or refused with a status; what we say is SDP that we take.

use sidetone_codecs::{CodecChoice, pcma, pcmu};
use sidetone_hal::rng::Rng;
use sidetone_media::Direction;
use sidetone_media::sdp::{LocalMedia, Negotiator, RtcpXr, SdpError};
use sidetone_media::srtp::{Sdes, SrtpPolicy, Suite};

pub fn seeds() -> Vec<Vec<u8>> {
    let start = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n";
    [
        "m=audio 6000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\n",
        "m=audio 6000 RTP/AVP 121 8 13\r\na=rtpmap:121 red/8000/1\r\na=fmtp:121 8/8\r\na=rtcp-mux\r\na=sendonly\r\n",
        "m=audio 6000 RTP/SAVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 \
         inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4\r\na=rtcp:7000 IN IP4 192.0.2.8\r\n",
        "m=audio 6000 UDP/TLS/RTP/SAVPF 0\r\na=fingerprint:sha-256 6B:8B\r\na=setup:actpass\r\na=maxptime:60\r\n",
        "b=AS:64\r\na=inactive\r\nm=video 9 RTP/AVP 31\r\nm=audio 0 RTP/AVP 0\r\nm=audio 6000/2 RTP/AVPF 100\r\n\
         c=IN IP6 2001:db8::1\r\na=rtpmap:100 PCMU/8000\r\na=altc:1 IP4 192.0.2.9 6000\r\n\
         a=rtcp-xr:rcvr-rtt=all:10 stat-summary=loss,TTL voip-metrics\r\nb=RS:800\r\n",
    ]
    .iter()
    .map(|lines| format!("{start}{lines}").into_bytes())
    .collect()
}

fn negotiator(policy: SrtpPolicy) -> Negotiator {
    let codecs: [CodecChoice; 2] = [(&pcmu::SPEC).into(), (&pcma::SPEC).into()];
    let mut local = LocalMedia::new([192, 0, 2, 1].into(), 4000, codecs);
    (local.rtcp_mux, local.comfort_noise, local.redundancy) = (true, true, 2);
    local.rtcp_xr = RtcpXr::parse("rcvr-rtt=all voip-metrics");
    local.alternative = Some([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into());
    local.fingerprint = Some("sha-256 00:11".into());
    Negotiator::new(local, 1).with_srtp(policy, Some(Sdes::new(Suite::ALL, Rng::from_u64(1))))
}

fn media_lines(text: &[u8]) -> usize {
    text.split(|octet| *octet == b'\n').filter(|line| line.starts_with(b"m=")).count()
}

/// As an offer, as an answer, and as an offer in the middle of a session.
pub fn run(data: &[u8]) {
    for policy in [SrtpPolicy::Off, SrtpPolicy::Optional, SrtpPolicy::Compulsory] {
        let mut ours = negotiator(policy);
        match ours.answer(data, Direction::SendRecv) {
            Ok((text, agreed)) => {
                assert_eq!(ours.current(), Some(&agreed));
                assert!(!agreed.receive.is_empty() && agreed.ptime >= 10);
                assert!(policy != SrtpPolicy::Compulsory || agreed.srtp.is_some() || agreed.dtls.is_some());
                // The same offer again changes nothing, and an offer of ours has as many lines as the session.
                let again = ours.answer(data, Direction::SendRecv).map(|(text, _)| text);
                assert_eq!(again.as_deref(), Ok(&*text));
                let offer = ours.offer(Direction::SendRecv);
                assert_eq!(media_lines(&offer), media_lines(&text));
                // What we say, one like us takes.
                let taken = negotiator(policy).answer(&offer, Direction::SendRecv);
                let is_taken =
                    taken.as_ref().map(|(answer, _)| media_lines(answer)) == Ok(media_lines(&offer));
                assert!(is_taken, "{:?}\n{}", taken.err(), String::from_utf8_lossy(&offer));
            }
            Err(error) => check(&error),
        }
        let mut ours = negotiator(policy);
        ours.offer(Direction::SendOnly);
        match ours.accept_answer(data) {
            Ok(agreed) => assert!(!agreed.receive.is_empty() && !ours.is_offer_pending()),
            Err(error) => {
                check(&error);
                assert!(ours.is_offer_pending() && ours.current().is_none());
            }
        }
        ours.rollback();
        if let Err(error) = ours.answer(data, Direction::RecvOnly) {
            check(&error);
        }
    }
}

fn check(error: &SdpError) {
    assert!(matches!((error.status(), error.warning()), (400 | 488, 300..=399)), "{error}");
}
