//! Counts what parsing, reading and writing the INVITE of the `sip_message` benchmark allocates, beside its peers.
//!
//! ```sh
//! cargo run --release -p sidetone-benches --example sip_allocations
//! ```

#![allow(clippy::expect_used, reason = "a measurement stops on what should not happen")]

use bytes::Bytes;
use core::hint::black_box;
use sidetone_sip_core::header::{CSeq, CallId, Contact, From, To, Via};
use sidetone_sip_core::{Limits, Message};

fn main() {
    let invite = sidetone_benches::invite();
    println!("INVITE of {} bytes: allocations, bytes", invite.len());
    let count = |what: &str, work: &mut dyn FnMut()| {
        let counted = allocation_counter::measure(work);
        println!("{what:44} {:4} {:6}", counted.count_total, counted.bytes_total);
    };
    // The datagram as a driver hands it over: its own buffer, which the first share of it makes shared.
    let datagram = Bytes::from(invite.clone());
    let parse =
        |datagram: &Bytes| Message::parse(datagram.clone(), &Limits::default()).expect("a valid INVITE");
    count("sidetone, parse", &mut || drop(black_box(parse(&datagram))));
    let datagram = Bytes::from(invite.clone());
    count("sidetone, parse and read six headers", &mut || {
        let message = parse(&datagram);
        let headers = message.headers();
        black_box(headers.require::<Via>().expect("a Via"));
        black_box(headers.require::<From>().expect("a From"));
        black_box(headers.require::<To>().expect("a To"));
        black_box(headers.require::<CallId>().expect("a Call-ID"));
        black_box(headers.require::<CSeq>().expect("a CSeq"));
        black_box(headers.require::<Contact>().expect("a Contact"));
    });
    let message = parse(&datagram);
    count("sidetone, emit", &mut || drop(black_box(message.to_bytes())));

    let rsip = || rsip::SipMessage::try_from(&invite[..]).expect("a valid INVITE");
    count("rsip, parse", &mut || drop(black_box(rsip())));
    let message = rsip();
    count("rsip, emit", &mut || drop(black_box(message.to_string().into_bytes())));
    let rsipstack = || rsipstack::sip::parser::parse_message(&invite).expect("a valid INVITE");
    count("rsipstack, parse", &mut || drop(black_box(rsipstack())));
    let message = rsipstack();
    count("rsipstack, emit", &mut || drop(black_box(message.to_bytes())));
}
