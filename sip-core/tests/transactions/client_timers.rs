//! The timers of client transactions (RFC 3261 table 4, RFC 6026), over UDP and over TCP, to the millisecond.

use super::run;
use sidetone_sip_core::Protocol::{Tcp, Udp};

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
