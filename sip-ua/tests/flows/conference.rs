//! Flow 11: a conference of three that A mixes. What the wire shows of it is two calls; the mixing itself is tested in
//! `tests/conference.rs`.

use crate::stage::Stage;

pub const CONFERENCE: &str = "
    F1  A -> proxy: INVITE
    F2  proxy -> B: INVITE
    F3  B -> proxy: 180 Ringing (INVITE)
    F4  proxy -> A: 180 Ringing (INVITE)
    F5  B -> proxy: 200 OK (INVITE)
    F6  proxy -> A: 200 OK (INVITE)
    F7  A -> proxy: ACK
    F8  proxy -> B: ACK
    F9  A -> proxy: INVITE sendonly
    F10 proxy -> B: INVITE sendonly
    F11 B -> proxy: 200 OK (INVITE)
    F12 proxy -> A: 200 OK (INVITE)
    F13 A -> proxy: ACK
    F14 proxy -> B: ACK
    F15 A -> proxy: INVITE
    F16 proxy -> C: INVITE
    F17 C -> proxy: 180 Ringing (INVITE)
    F18 proxy -> A: 180 Ringing (INVITE)
    F19 C -> proxy: 200 OK (INVITE)
    F20 proxy -> A: 200 OK (INVITE)
    F21 A -> proxy: ACK
    F22 proxy -> C: ACK
    +   A -> proxy: INVITE sendrecv         // The manual stops here, with B on hold; B has to be taken back to be heard.
    +   proxy -> B: INVITE sendrecv
    +   B -> proxy: 200 OK (INVITE)
    +   proxy -> A: 200 OK (INVITE)
    +   A -> proxy: ACK
    +   proxy -> B: ACK";

#[test]
fn flow_11_three_in_a_conference() {
    let mut stage = Stage::new();
    let (a_b, _) = stage.talk("A", "B");
    stage.redirect_media("A", a_b, "holds B", "sendonly", "B");
    let (a_c, _) = stage.talk("A", "C");
    stage.redirect_media("A", a_b, "joins B and C", "sendrecv", "B");
    stage.compare(
        "flow_11",
        "Flow 11: three-way conference with local mixing",
        CONFERENCE,
        &[("A", a_b), ("A", a_c)],
    );
}
