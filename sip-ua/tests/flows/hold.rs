//! Flow 4: hold.

use crate::stage::Stage;

pub const HOLD: &str = "
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
    F14 proxy -> B: ACK";

#[test]
fn flow_4_a_call_is_held() {
    let mut stage = Stage::new();
    let (out, _) = stage.talk("A", "B");
    stage.redirect_media("A", out, "holds B", "sendonly", "B");
    stage.compare("flow_04", "Flow 4: call hold", HOLD, &[("A", out)]);
}
