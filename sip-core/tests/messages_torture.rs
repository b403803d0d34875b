//! The torture messages of RFC 4475 and RFC 5118, when the folder with them is there.
//!
//! Judged is what a message says by itself: what a registrar, proxy or user agent does with it belongs to them.

use bytes::Bytes;
use sidetone_sip_core::header::{
    Accept, Allow, Authorization, Contact, ContentType, Date, Expires, Header, MaxForwards, RecordRoute,
    Require, RetryAfter, Route, Supported, Via, Warning,
};
use sidetone_sip_core::{Deframer, Frame, Headers, Limits, Message, ParseError, ParseErrorKind, Scheme, Uri};
use std::path::PathBuf;

fn folder() -> Option<PathBuf> {
    let vectors = std::env::var_os("SIDETONE_VECTORS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors"),
        PathBuf::from,
    );
    Some(vectors.join("sip-torture")).filter(|folder| folder.join("index.tsv").is_file())
}

fn parse(data: &[u8]) -> Result<Message, ParseError> {
    Message::parse(Bytes::copy_from_slice(data), &Limits::default())
}

/// Every header that we know by type follows its grammar.
fn check_all(headers: &Headers) -> Result<(), ParseError> {
    fn every<H: Header>(headers: &Headers) -> Result<(), ParseError> {
        headers.all::<H>().try_for_each(|value| value.map(drop))
    }
    every::<Via>(headers)?;
    every::<Contact>(headers)?;
    every::<Route>(headers)?;
    every::<RecordRoute>(headers)?;
    every::<MaxForwards>(headers)?;
    every::<ContentType>(headers)?;
    every::<Accept>(headers)?;
    every::<Allow>(headers)?;
    every::<Supported>(headers)?;
    every::<Require>(headers)?;
    every::<Expires>(headers)?;
    every::<Date>(headers)?;
    every::<RetryAfter>(headers)?;
    every::<Warning>(headers)?;
    match headers.get::<Authorization>() {
        // An unknown scheme is no error of the message: it counts as no credentials.
        Some(Err(error)) if error.kind != ParseErrorKind::AuthScheme => Err(error),
        _ => Ok(()),
    }
}

/// The first thing wrong with a message.
fn judge(data: &[u8]) -> Result<Message, ParseError> {
    let message = parse(data)?;
    message.validate()?;
    check_all(message.headers())?;
    Ok(message)
}

/// Those that are refused for what the message itself says, by `valid-syntax-but-reject` files; the others
/// parse, and the layer above refuses them.
const REFUSED: [&str; 3] = ["insuf.dat", "multi01.dat", "mcl01.dat"];

#[test]
fn verdicts_agree_with_the_index() {
    let Some(folder) = folder() else {
        println!("no torture messages here");
        return;
    };
    let index = std::fs::read_to_string(folder.join("index.tsv")).unwrap();
    let (mut agree, mut wrong) = (0, Vec::new());
    for row in index.lines().skip(1) {
        let mut columns = row.split('\t');
        let (file, _, verdict) = (columns.next().unwrap(), columns.next().unwrap(), columns.next().unwrap());
        let data = std::fs::read(folder.join(file)).unwrap();
        let name = file.rsplit('/').next().unwrap();
        let judged = judge(&data);
        let accept = match verdict {
            "valid" => true,
            "invalid" => false,
            "valid-syntax-but-reject" => !REFUSED.contains(&name),
            other => panic!("{file}: {other}"),
        };
        let status = if name == "badvers.dat" { 505 } else { 400 };
        let right = match &judged {
            Ok(_) => accept,
            Err(error) => !accept && error.status().code() == status,
        };
        if right {
            agree += 1;
        } else {
            wrong.push(format!(
                "{file} ({verdict}): {:?}",
                judged.map(drop).map_err(|error| error.to_string())
            ));
        }
    }
    println!("{agree} of {} torture messages judged as the index says", agree + wrong.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(agree, 61);
}

#[test]
fn what_the_rfcs_say_about_single_messages() {
    let Some(folder) = folder() else { return };
    let message = |name: &str| judge(&std::fs::read(folder.join(name)).unwrap()).unwrap();
    let request = |name: &str| match message(name) {
        Message::Request(request) => request,
        other => panic!("{other:?}"),
    };
    let wsinv = request("rfc4475/wsinv.dat");
    let essentials = wsinv.essentials().unwrap();
    assert_eq!((essentials.to.tag(), essentials.from.tag()), (Some("1918181833n"), Some("98asjd8")));
    assert_eq!(essentials.from.display_name.as_deref(), Some("J Rosenberg \\\""));
    assert_eq!((essentials.cseq.seq, wsinv.headers.count::<Via>()), (9, 3));
    assert_eq!(wsinv.headers.require::<Contact>().unwrap().q(), Some(330));
    assert_eq!(wsinv.body.len(), 150);

    let intmeth = request("rfc4475/intmeth.dat").essentials().unwrap();
    assert_eq!(intmeth.to.display_name.as_deref(), Some("BEL:\u{7} NUL:\0 DEL:\u{7f}"));

    let esc = request("rfc4475/esc01.dat");
    assert_eq!(esc.uri.user().as_deref(), Some("sips:user@example.com"));
    assert_eq!(esc.headers.require::<Contact>().unwrap().uri().unwrap().user().as_deref(), Some("caller"));

    let users: Vec<Uri> = request("rfc4475/escnull.dat")
        .headers
        .all::<Contact>()
        .map(|contact| contact.unwrap().uri().unwrap().clone())
        .collect();
    assert_eq!(users.iter().map(|uri| uri.user().unwrap().into_owned()).collect::<Vec<_>>(), ["\0", "\0\0"]);
    assert_ne!(users[0], users[1]);

    assert_eq!(request("rfc4475/dblreq.dat").body.len(), 0);
    let mut deframer = Deframer::new(Limits::default());
    deframer.push(&std::fs::read(folder.join("rfc4475/dblreq.dat")).unwrap());
    let mut methods = Vec::new();
    // What follows the second body in the file is no message.
    while let Ok(Some(frame)) = deframer.next() {
        if let Frame::Message(bytes) = frame
            && let Message::Request(request) = parse(&bytes).unwrap()
        {
            methods.push(request.method.to_string());
        }
    }
    assert_eq!(methods, ["REGISTER", "INVITE"]);

    assert_eq!(request("rfc4475/semiuri.dat").uri.user().as_deref(), Some("user;par=u@example.net"));
    assert_eq!(request("rfc4475/longreq.dat").headers.count::<Via>(), 34);
    assert_eq!(request("rfc4475/unkscm.dat").uri.scheme(), Scheme::Other("nobodyKnowsThisScheme"));
    assert_eq!(message("rfc4475/bcast.dat").headers().count::<Via>(), 2);
    let contact = |name: &str| request(name).headers.require::<Contact>().unwrap();
    assert_eq!(contact("rfc4475/cparam01.dat").uri().unwrap().params().count(), 0);
    assert_eq!(contact("rfc4475/cparam02.dat").uri().unwrap().params().count(), 1);
    assert!(contact("rfc4475/regescrt.dat").uri().unwrap().headers().is_some());
    assert_eq!(request("rfc5118/port-ambiguous.dat").uri.port(), None);
    assert_eq!(request("rfc5118/port-unambiguous.dat").uri.port(), Some(5070));
    for name in ["rfc5118/via-received-param-with-delim.dat", "rfc5118/via-received-param-no-delim.dat"] {
        assert_eq!(request(name).essentials().unwrap().via.received(), "2001:db8::9:255".parse().ok());
    }
    assert_eq!(
        request("rfc5118/ipv4-mapped-ipv6.dat").essentials().unwrap().via.host.ip(),
        "::ffff:192.0.2.10".parse().ok()
    );
}
