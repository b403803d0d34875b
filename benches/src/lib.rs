#![doc = include_str!("../README.md")]

pub mod peer;
pub mod speech;

/// An INVITE with an SDP offer, about 1 kB, as a desk phone behind two proxies sends it.
#[must_use]
pub fn invite() -> Vec<u8> {
    let body = SDP.replace('\n', "\r\n");
    format!("{}Content-Length: {}\n\n", HEAD, body.len())
        .replace('\n', "\r\n")
        .into_bytes()
        .into_iter()
        .chain(body.into_bytes())
        .collect()
}

const HEAD: &str = "\
INVITE sip:bob@biloxi.example.com;user=phone SIP/2.0
Via: SIP/2.0/UDP proxy2.atlanta.example.com:5060;branch=z9hG4bK2d4790.1;rport
Via: SIP/2.0/UDP 192.0.2.101:5060;branch=z9hG4bK74b43d8e;received=192.0.2.101;rport=5060
Max-Forwards: 69
Record-Route: <sip:proxy2.atlanta.example.com;lr>
From: \"Alice Example\" <sip:alice@atlanta.example.com>;tag=9fxced76sl
To: \"Bob\" <sip:bob@biloxi.example.com>
Call-ID: 3848276298220188511@192.0.2.101
CSeq: 314159 INVITE
Contact: \"Alice\" <sip:alice@192.0.2.101:5060;transport=udp>;expires=3600
Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, PRACK, UPDATE, REFER, NOTIFY, MESSAGE
Supported: replaces, timer, 100rel
User-Agent: Sidetone/0.1 (ut670)
Session-Expires: 1800;refresher=uac
Content-Type: application/sdp
";

const SDP: &str = "\
v=0
o=alice 2890844526 2890844526 IN IP4 192.0.2.101
s=-
c=IN IP4 192.0.2.101
t=0 0
m=audio 49172 RTP/AVP 9 0 8 101
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=ptime:20
a=sendrecv
";

#[cfg(test)]
mod tests {
    #[test]
    fn the_invite_is_about_a_kilobyte() {
        let length = super::invite().len();
        assert!((950..1300).contains(&length), "{length} bytes");
    }
}
