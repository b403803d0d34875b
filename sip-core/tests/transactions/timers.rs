//! Timers that the settings give, as those of telephones do.

use crate::support;
use crate::support::Bench;
use sidetone_sip_core::Protocol::Udp;

#[test]
fn timers_set_by_hand_are_kept() {
    let mut config = support::config();
    let milliseconds = core::time::Duration::from_millis;
    config.timers.t1 = milliseconds(250);
    config.timers.t2 = milliseconds(2000);
    config.timers.b = Some(milliseconds(1000));
    config.timers.d = Some(milliseconds(5000));
    config.timers.f = Some(milliseconds(3000));
    config.timers.h = Some(milliseconds(900));
    config.timers.j = Some(milliseconds(5000));
    let run = |script: &str| Bench::with(Udp, config.clone()).run(script);
    run("0      do request INVITE
         0      send INVITE
         250    send INVITE
         750    send INVITE
         1000   event failed timeout
         1000   event terminated
         99000  end");
    run("0      do request INVITE
         0      send INVITE
         100    recv 486
         100    send ACK
         100    event response 486
         5100   event terminated
         99000  end");
    run("0      do request OPTIONS
         0      send OPTIONS
         250    send OPTIONS
         750    send OPTIONS
         1750   send OPTIONS
         3000   event failed timeout
         3000   event terminated
         99000  end");
    run("0      recv INVITE
         0      event request INVITE
         0      do respond 486
         0      send 486
         250    send 486
         750    send 486
         900    event failed timeout
         900    event terminated
         99000  end");
    run("0      recv OPTIONS
         0      event request OPTIONS
         0      do respond 200
         0      send 200
         4999   recv OPTIONS
         4999   send 200
         5000   event terminated
         99000  end");
}
