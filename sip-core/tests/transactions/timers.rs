//! Every timer of RFC 3261 table 4 and RFC 6026, over UDP and over TCP, to the millisecond.

use crate::support;
use crate::support::Bench;
use sidetone_sip_core::Protocol::{Tcp, Udp};

fn run(protocol: sidetone_sip_core::Protocol, script: &str) {
    Bench::new(protocol).run(script);
}

#[test]
fn timers_a_and_b_repeat_an_invite_and_give_up_after_32_seconds() {
    run(
        Udp,
        "0      do request INVITE
         0      send INVITE
         500    send INVITE
         1500   send INVITE
         3500   send INVITE
         7500   send INVITE
         15500  send INVITE
         31500  send INVITE
         32000  event failed timeout
         32000  event terminated
         99000  end",
    );
}

#[test]
fn timer_a_is_not_used_over_tcp_and_b_is() {
    run(
        Tcp,
        "0      do request INVITE
         0      send INVITE
         32000  event failed timeout
         32000  event terminated
         99000  end",
    );
}

#[test]
fn a_provisional_response_stops_timers_a_and_b() {
    for protocol in [Udp, Tcp] {
        run(
            protocol,
            "0      do request INVITE
             0      send INVITE
             400    recv 100
             400    event response 100
             450    recv 180
             450    event response 180
             300000 recv 183
             300000 event response 183",
        );
    }
}

#[test]
fn timer_d_waits_32_seconds_and_acknowledges_each_repeat() {
    run(
        Udp,
        "0      do request INVITE
         0      send INVITE
         100    recv 486
         100    send ACK
         100    event response 486
         600    recv 486
         600    send ACK
         4600   recv 486
         4600   send ACK
         5000   recv 180
         5000   recv 200
         32099  recv 486
         32099  send ACK
         32100  event terminated
         32200  recv 486
         32200  event stray 486
         99000  end",
    );
}

#[test]
fn timer_d_is_zero_over_tcp() {
    run(
        Tcp,
        "0      do request INVITE
         0      send INVITE
         100    recv 486
         100    send ACK
         100    event response 486
         100    event terminated
         99000  end",
    );
}

#[test]
fn timer_m_passes_each_2xx_for_32_seconds_on_every_transport() {
    for protocol in [Udp, Tcp] {
        run(
            protocol,
            "0      do request INVITE
             0      send INVITE
             100    recv 180
             100    event response 180
             200    recv 200
             200    event response 200
             700    recv 200
             700    event response 200
             800    recv 180
             900    recv 486
             1000   do late-cancel
             32199  recv 200
             32199  event response 200
             32200  event terminated
             32300  recv 200
             32300  event stray 200
             99000  end",
        );
    }
}

#[test]
fn timers_e_and_f_repeat_a_request_and_give_up_after_32_seconds() {
    run(
        Udp,
        "0      do request OPTIONS
         0      send OPTIONS
         500    send OPTIONS
         1500   send OPTIONS
         3500   send OPTIONS
         7500   send OPTIONS
         11500  send OPTIONS
         15500  send OPTIONS
         19500  send OPTIONS
         23500  send OPTIONS
         27500  send OPTIONS
         31500  send OPTIONS
         32000  event failed timeout
         32000  event terminated
         99000  end",
    );
}

#[test]
fn timer_e_runs_every_t2_after_a_provisional_response() {
    run(
        Udp,
        "0      do request REGISTER
         0      send REGISTER
         400    recv 100
         400    event response 100
         500    send REGISTER
         4500   send REGISTER
         8500   send REGISTER
         12500  send REGISTER
         16500  send REGISTER
         20500  send REGISTER
         24500  send REGISTER
         28500  send REGISTER
         32000  event failed timeout
         32000  event terminated
         99000  end",
    );
}

#[test]
fn timer_e_is_not_used_over_tcp_and_f_is() {
    run(
        Tcp,
        "0      do request REGISTER
         0      send REGISTER
         400    recv 100
         400    event response 100
         32000  event failed timeout
         32000  event terminated
         99000  end",
    );
}

#[test]
fn timer_k_absorbs_repeated_responses_for_5_seconds() {
    run(
        Udp,
        "0      do request BYE
         0      send BYE
         100    recv 200
         100    event response 200
         600    recv 200
         5099   recv 200
         5100   event terminated
         99000  end",
    );
}

#[test]
fn timer_k_is_zero_over_tcp() {
    run(
        Tcp,
        "0      do request BYE
         0      send BYE
         100    recv 200
         100    event response 200
         100    event terminated
         99000  end",
    );
}

#[test]
fn an_invite_server_sends_100_after_200_ms_of_silence() {
    for protocol in [Udp, Tcp] {
        run(
            protocol,
            "1000   recv INVITE
             1000   event request INVITE
             1199   recv INVITE
             1200   send 100
             1500   recv INVITE
             1500   send 100
             2000   do respond 180
             2000   send 180
             2500   recv INVITE
             2500   send 180",
        );
        run(
            protocol,
            "0      recv INVITE
             0      event request INVITE
             100    do respond 180
             100    send 180
             9000   recv INVITE
             9000   send 180",
        );
    }
}

#[test]
fn timers_g_and_h_repeat_a_response_and_give_up_after_32_seconds() {
    run(
        Udp,
        "0      recv INVITE
         0      event request INVITE
         0      do respond 486
         0      send 486
         500    send 486
         700    recv INVITE
         700    send 486
         1500   send 486
         3500   send 486
         7500   send 486
         11500  send 486
         15500  send 486
         19500  send 486
         23500  send 486
         27500  send 486
         31500  send 486
         32000  event failed timeout
         32000  event terminated
         99000  end",
    );
}

#[test]
fn timer_g_is_not_used_over_tcp_and_h_is() {
    run(
        Tcp,
        "0      recv INVITE
         0      event request INVITE
         0      do respond 486
         0      send 486
         32000  event failed timeout
         32000  event terminated
         99000  end",
    );
}

#[test]
fn timer_i_absorbs_repeated_acks_for_5_seconds() {
    run(
        Udp,
        "0      recv INVITE
         0      event request INVITE
         0      do respond 603
         0      send 603
         500    send 603
         600    recv ACK
         700    recv ACK
         800    recv INVITE
         900    do refuse 200
         5599   recv ACK
         5600   event terminated
         99000  end",
    );
}

#[test]
fn timer_i_is_zero_over_tcp() {
    run(
        Tcp,
        "0      recv INVITE
         0      event request INVITE
         0      do respond 603
         0      send 603
         600    recv ACK
         600    event terminated
         99000  end",
    );
}

#[test]
fn timer_j_repeats_the_final_response_for_32_seconds() {
    run(
        Udp,
        "0      recv OPTIONS
         0      event request OPTIONS
         50     recv OPTIONS
         1000   do respond 200
         1000   send 200
         1100   do refuse 200
         1500   recv OPTIONS
         1500   send 200
         32999  recv OPTIONS
         32999  send 200
         33000  event terminated
         99000  end",
    );
}

#[test]
fn timer_j_is_zero_over_tcp() {
    run(
        Tcp,
        "0      recv OPTIONS
         0      event request OPTIONS
         1000   do respond 200
         1000   send 200
         1000   event terminated
         99000  end",
    );
}

#[test]
fn timer_l_absorbs_invites_and_passes_acks_for_32_seconds() {
    for protocol in [Udp, Tcp] {
        run(
            protocol,
            "0      recv INVITE
             0      event request INVITE
             100    do respond 200
             100    send 200
             200    recv INVITE
             600    do respond 200
             600    send 200
             700    recv ACK
             700    event ack
             701    recv ACK2
             701    event ack
             800    do refuse 486
             900    do refuse 180
             32099  recv INVITE
             32100  event terminated
             99000  end",
        );
    }
}

#[test]
fn a_non_invite_answer_that_can_only_be_late_is_not_sent() {
    for protocol in [Udp, Tcp] {
        // RFC 4320 §4.1, §4.2.
        run(
            protocol,
            "0      recv MESSAGE
             0      event request MESSAGE
             10     do refuse 180
             20     do respond 408
             20     event terminated
             99000  end",
        );
        run(
            protocol,
            "0      recv MESSAGE
             0      event request MESSAGE
             3500   send 100
             32000  event terminated
             32001  do refuse 200
             99000  end",
        );
    }
}

#[test]
fn a_non_invite_server_sends_100_when_timer_e_has_grown_to_t2() {
    // RFC 4320 §4.1: over UDP not earlier, even when the user asks for it.
    run(
        Udp,
        "0      recv OPTIONS
         0      event request OPTIONS
         100    do respond 100
         500    recv OPTIONS
         1500   recv OPTIONS
         3500   send 100
         3501   recv OPTIONS
         3501   send 100
         4000   do respond 100
         4000   send 100
         5000   do respond 200
         5000   send 200
         37000  event terminated
         99000  end",
    );
    run(
        Tcp,
        "0      recv OPTIONS
         0      event request OPTIONS
         3500   send 100
         5000   do respond 200
         5000   send 200
         5000   event terminated
         99000  end",
    );
    run(
        Tcp,
        "0      recv OPTIONS
         0      event request OPTIONS
         100    do respond 100
         100    send 100
         32000  event terminated
         99000  end",
    );
}

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

#[test]
fn an_ack_of_nothing_is_passed_and_never_answered() {
    run(
        Udp,
        "0      recv ACK
         0      event ack
         1000   end",
    );
}

#[test]
fn a_broken_connection_ends_client_transactions_that_wait() {
    run(
        Tcp,
        "0      do request INVITE
         0      send INVITE
         100    recv 180
         100    event response 180
         200    do break
         200    event failed transport: connection reset
         200    event terminated
         99000  end",
    );
    run(
        Tcp,
        "0      do request INVITE
         0      send INVITE
         100    recv 200
         100    event response 200
         200    do break
         32100  event terminated
         99000  end",
    );
}
