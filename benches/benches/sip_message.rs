//! One INVITE with SDP of about 1 kB: parsing it as far as a proxy looks, and writing it, beside two peers.

#![allow(clippy::expect_used, reason = "a benchmark stops on what should not happen")]

use bytes::Bytes;
use core::hint::black_box;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn parse(criterion: &mut Criterion) {
    let invite = sidetone_benches::invite();
    let datagram = Bytes::from(invite.clone());
    let mut group = criterion.benchmark_group("parse INVITE");
    group.throughput(Throughput::Bytes(invite.len() as u64));
    group.bench_function("sidetone", |b| b.iter(|| sidetone::parse(black_box(&datagram))));
    group.bench_function("rsip", |b| b.iter(|| rsip_peer::parse(black_box(&invite))));
    group.bench_function("rsipstack", |b| b.iter(|| rsipstack_peer::parse(black_box(&invite))));
    group.finish();

    let mut group = criterion.benchmark_group("parse INVITE and read Via, From, To, Call-ID, CSeq, Contact");
    group.throughput(Throughput::Bytes(invite.len() as u64));
    group.bench_function("sidetone", |b| b.iter(|| sidetone::read(&sidetone::parse(black_box(&datagram)))));
    group.bench_function("rsip", |b| b.iter(|| rsip_peer::read(&rsip_peer::parse(black_box(&invite)))));
    group.bench_function("rsipstack", |b| {
        b.iter(|| rsipstack_peer::read(&rsipstack_peer::parse(black_box(&invite))));
    });
    group.finish();
}

fn emit(criterion: &mut Criterion) {
    let invite = sidetone_benches::invite();
    let ours = sidetone::parse(&Bytes::from(invite.clone()));
    let rsip = rsip_peer::parse(&invite);
    let rsipstack = rsipstack_peer::parse(&invite);
    let mut group = criterion.benchmark_group("emit INVITE");
    group.throughput(Throughput::Bytes(invite.len() as u64));
    group.bench_function("sidetone", |b| b.iter(|| black_box(&ours).to_bytes()));
    group.bench_function("rsip", |b| b.iter(|| rsip_peer::emit(black_box(&rsip))));
    group.bench_function("rsipstack", |b| b.iter(|| black_box(&rsipstack).to_bytes()));
    group.finish();
}

criterion_group!(benches, parse, emit);
criterion_main!(benches);

mod sidetone {
    use bytes::Bytes;
    use core::hint::black_box;
    use sidetone_sip_core::header::{CSeq, CallId, Contact, From, To, Via};
    use sidetone_sip_core::{Limits, Message};

    pub(crate) fn parse(datagram: &Bytes) -> Message {
        Message::parse(datagram.clone(), &Limits::default()).expect("a valid INVITE")
    }

    pub(crate) fn read(message: &Message) {
        let headers = message.headers();
        black_box(headers.require::<Via>().expect("a Via"));
        black_box(headers.require::<From>().expect("a From"));
        black_box(headers.require::<To>().expect("a To"));
        black_box(headers.require::<CallId>().expect("a Call-ID"));
        black_box(headers.require::<CSeq>().expect("a CSeq"));
        black_box(headers.require::<Contact>().expect("a Contact"));
    }
}

mod rsip_peer {
    use core::hint::black_box;
    use rsip::SipMessage;
    use rsip::prelude::{HeadersExt as _, ToTypedHeader as _};

    pub(crate) fn parse(bytes: &[u8]) -> SipMessage {
        SipMessage::try_from(bytes).expect("a valid INVITE")
    }

    /// Its `Display`: the conversion to bytes would take a clone first.
    pub(crate) fn emit(message: &SipMessage) -> Vec<u8> {
        message.to_string().into_bytes()
    }

    pub(crate) fn read(message: &SipMessage) {
        black_box(message.via_header().and_then(|header| header.typed()).expect("a Via"));
        black_box(message.from_header().and_then(|header| header.typed()).expect("a From"));
        black_box(message.to_header().and_then(|header| header.typed()).expect("a To"));
        black_box(message.call_id_header().expect("a Call-ID"));
        black_box(message.cseq_header().and_then(|header| header.typed()).expect("a CSeq"));
        black_box(message.contact_header().and_then(|header| header.typed()).expect("a Contact"));
    }
}

mod rsipstack_peer {
    use core::hint::black_box;
    use rsipstack::sip::prelude::{HeadersExt as _, ToTypedHeader as _};
    use rsipstack::sip::{SipMessage, parser::parse_message};

    pub(crate) fn parse(bytes: &[u8]) -> SipMessage {
        parse_message(bytes).expect("a valid INVITE")
    }

    pub(crate) fn read(message: &SipMessage) {
        black_box(message.via_header().and_then(|header| header.typed()).expect("a Via"));
        black_box(message.from_header().and_then(|header| header.typed()).expect("a From"));
        black_box(message.to_header().and_then(|header| header.typed()).expect("a To"));
        black_box(message.call_id_header().expect("a Call-ID"));
        black_box(message.cseq_header().and_then(|header| header.typed()).expect("a CSeq"));
        black_box(message.contact_header().and_then(|header| header.typed()).expect("a Contact"));
    }
}
