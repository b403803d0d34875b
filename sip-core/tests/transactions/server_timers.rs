//! The timers of server transactions (RFC 3261 table 4, RFC 4320, RFC 6026), over UDP and over TCP, to the millisecond.

use super::run;
use sidetone_sip_core::Protocol::{Tcp, Udp};

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
fn an_ack_of_nothing_is_passed_and_never_answered() {
    run(
        Udp,
        "0      recv ACK
         0      event ack
         1000   end",
    );
}
