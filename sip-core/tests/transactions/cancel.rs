//! CANCEL, both ways (RFC 3261 §9), and requests that are given up without it.

use super::run;
use sidetone_sip_core::Protocol::{Tcp, Udp};

#[test]
fn cancel_waits_for_a_provisional_response() {
    run(
        Udp,
        "0      do request INVITE
         0      send INVITE
         100    do cancel
         110    do cancel
         500    send INVITE
         600    recv 180
         600    send CANCEL
         600    event response 180
         700    recv 200 CANCEL
         800    recv 487 INVITE
         800    send ACK
         800    event response 487
         900    do late-cancel
         32800  event terminated
         99000  end",
    );
}

#[test]
fn cancel_goes_at_once_after_a_provisional_response_and_is_repeated() {
    run(
        Udp,
        "0      do request INVITE
         0      send INVITE
         100    recv 180
         100    event response 180
         1000   do cancel
         1000   send CANCEL
         1500   send CANCEL
         1600   recv 200 CANCEL
         1700   recv 487 INVITE
         1700   send ACK
         1700   event response 487
         33700  event terminated
         99000  end",
    );
}

#[test]
fn a_cancelled_invite_without_answer_ends_after_32_seconds() {
    run(
        Tcp,
        "0      do request INVITE
         0      send INVITE
         100    recv 180
         100    event response 180
         1000   do cancel
         1000   send CANCEL
         1100   recv 200 CANCEL
         33000  event failed timeout
         33000  event terminated
         99000  end",
    );
}

#[test]
fn a_request_that_is_given_up_is_not_sent_again() {
    run(
        Udp,
        "0      do request REGISTER
         0      send REGISTER
         500    send REGISTER
         1500   send REGISTER
         1600   do abandon
         1600   event terminated
         1601   do late-abandon
         2000   recv 200
         2000   event stray 200
         99000  end",
    );
    run(
        Udp,
        "0      do request REGISTER
         0      send REGISTER
         100    recv 100
         100    event response 100
         200    do abandon
         200    event terminated
         99000  end",
    );
    // After its final response it is over anyway, and an INVITE is cancelled.
    run(
        Udp,
        "0      do request REGISTER
         0      send REGISTER
         100    recv 200
         100    event response 200
         200    do late-abandon
         5100   event terminated
         99000  end",
    );
    run(
        Udp,
        "0      do request INVITE
         0      send INVITE
         100    do late-abandon
         200    recv 486
         200    send ACK
         200    event response 486
         32200  event terminated
         99000  end",
    );
}

#[test]
fn a_cancel_that_is_never_answered_reports_nothing_of_its_own() {
    run(
        Tcp,
        "0      do request INVITE
         0      send INVITE
         100    recv 180
         100    event response 180
         1000   do cancel
         1000   send CANCEL
         2000   recv 487 INVITE
         2000   send ACK
         2000   event response 487
         2000   event terminated
         99000  end",
    );
}

#[test]
fn a_2xx_that_crosses_the_cancel_is_passed() {
    run(
        Udp,
        "0      do request INVITE
         0      send INVITE
         100    recv 180
         100    event response 180
         1000   do cancel
         1000   send CANCEL
         1010   recv 200 INVITE
         1010   event response 200
         1100   recv 481 CANCEL
         33010  event terminated
         99000  end",
    );
}

#[test]
fn a_final_response_before_any_provisional_one_leaves_nothing_to_cancel() {
    run(
        Udp,
        "0      do request INVITE
         0      send INVITE
         100    do cancel
         200    recv 200
         200    event response 200
         32200  event terminated
         99000  end",
    );
}

#[test]
fn a_matching_cancel_is_answered_and_raised_once_per_pending_invite() {
    run(
        Udp,
        "0      recv INVITE
         0      event request INVITE
         10     do respond 180
         10     send 180
         100    recv CANCEL
         100    send 200
         100    event cancelled
         # The CANCEL again: the same answer, and nobody is told again.
         150    recv CANCEL
         150    send 200
         200    do respond 487
         200    send 487
         300    recv ACK
         5300   event terminated
         99000  end",
    );
}

#[test]
fn a_cancel_after_the_final_response_is_answered_and_not_raised() {
    run(
        Udp,
        "0      recv INVITE
         0      event request INVITE
         10     do respond 200
         10     send 200
         20     recv CANCEL
         20     send 200
         32010  event terminated
         99000  end",
    );
}

#[test]
fn a_cancel_of_nothing_is_answered_481() {
    for protocol in [Udp, Tcp] {
        run(
            protocol,
            "0      recv CANCEL
             0      send 481
             99000  end",
        );
    }
}
