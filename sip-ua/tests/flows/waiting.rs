//! Flow 5: call waiting. The manual's list of what happens says that C calls B; its steps and figure have C call A, and
//! so has this.

use crate::stage::Stage;
use sidetone_sip_ua::CallState;

pub const WAITING: &str = "
    F1  A -> proxy: INVITE
    F2  proxy -> B: INVITE
    F3  B -> proxy: 180 Ringing (INVITE)
    F4  proxy -> A: 180 Ringing (INVITE)
    F5  B -> proxy: 200 OK (INVITE)
    F6  proxy -> A: 200 OK (INVITE)
    F7  A -> proxy: ACK
    F8  proxy -> B: ACK
    F9  C -> proxy: INVITE
    F10 proxy -> A: INVITE
    F11 A -> proxy: 180 Ringing (INVITE)
    F12 proxy -> C: 180 Ringing (INVITE)
    F13 A -> proxy: INVITE sendonly
    F14 proxy -> B: INVITE sendonly
    F15 B -> proxy: 200 OK (INVITE)
    F16 proxy -> A: 200 OK (INVITE)
    F17 A -> proxy: ACK
    F18 proxy -> B: ACK
    F19 A -> proxy: 200 OK (INVITE)
    F20 proxy -> C: 200 OK (INVITE)
    F21 C -> proxy: ACK
    F22 proxy -> A: ACK";

#[test]
fn flow_5_the_first_call_is_held_before_the_second_is_answered() {
    let mut stage = Stage::new();
    let (first, _) = stage.talk("A", "B");
    let out = stage.call("C", "A");
    let second = stage.ring("A");
    stage.redirect_media("A", first, "holds B", "sendonly", "B");
    stage.pick_up("A", second);
    assert_eq!(stage.state("C", out), Some(CallState::Established));
    stage.compare("flow_05", "Flow 5: call waiting", WAITING, &[("A", first), ("A", second)]);
}
