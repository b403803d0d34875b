//! The torture messages of RFC 4475 and RFC 5118, when the folder with them is there.
//!
//! Judged is what a message says by itself: what a registrar, proxy or user agent does with it belongs to them.

use bytes::Bytes;
use sidetone_sip_core::header::{
    Accept, Allow, Authorization, Contact, ContentType, Date, Expires, Header, MaxForwards, RecordRoute,
    Require, RetryAfter, Route, Supported, Via, Warning,
};
use sidetone_sip_core::{
    Deframer, Frame, Headers, Leniency, Limits, Message, ParseError, ParseErrorKind, Scheme, Uri,
};
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

#[allow(dead_code, unreachable_pub, reason = "its main is not called here")]
#[path = "../../examples/inspect.rs"]
mod inspect;

/// What a server answers by the message alone, where it does: in any mode, or where only some do.
const ANSWERS: [(&str, &str); 30] = [
    ("intmeth.dat", "501"),
    ("esc02.dat", "501"),
    ("badinv01.dat", "400"),
    ("clerr.dat", "400"),
    ("ncl.dat", "400"),
    ("scalar02.dat", "400"),
    ("quotbal.dat", "400"),
    ("ltgtruri.dat", "400"),
    ("lwsruri.dat", "400"),
    ("lwsstart.dat", "400"),
    ("trws.dat", "400"),
    ("escruri.dat", "400"),
    ("baddate.dat", "400"),
    ("regbadct.dat", "400"),
    ("badaspec.dat", "400"),
    ("baddn.dat", "400"),
    ("badvers.dat", "505"),
    ("mismatch01.dat", "400"),
    ("mismatch02.dat", "400"),
    ("badbranch.dat", "400"),
    ("insuf.dat", "400"),
    ("unkscm.dat", "416"),
    ("novelsc.dat", "416"),
    ("bext01.dat", "420"),
    ("invut.dat", "415"),
    ("multi01.dat", "400"),
    ("mcl01.dat", "400"),
    ("sdp01.dat", "406"),
    ("ipv6-bad.dat", "400"),
    ("ipv6-bug-abnf-3-colons.dat", "400"),
];

/// Answered only when nothing is forgiven: the Date is ignored, the Contact is nothing to a user agent, the branch and
/// what RFC 2543 lacked are forgiven.
const STRICT_ONLY: [&str; 3] = ["baddate.dat", "regbadct.dat", "badbranch.dat"];

/// Of those that are invalid, what a lenient element may take, as the index or the RFC says.
const LENIENT: [&str; 8] = [
    "ltgtruri.dat",
    "lwsstart.dat",
    "trws.dat",
    "escruri.dat",
    "regbadct.dat",
    "badaspec.dat",
    "baddn.dat",
    "clerr.dat",
];

/// Valid, and yet of RFC 2543 (no branch) or RFC 4474 (an Identity without a PASSporT's place).
const OLD: [&str; 3] = ["longreq.dat", "inv2543.dat", "mpart01.dat"];

/// Runs the tool over every file: its verdict is the index's, its answer the RFC's, in each mode.
#[test]
fn the_tool_says_what_the_index_says() {
    let Some(folder) = folder() else { return };
    let index = std::fs::read_to_string(folder.join("index.tsv")).unwrap();
    let mut wrong = Vec::new();
    let mut files = 0;
    for row in index.lines().skip(1) {
        let mut columns = row.split('\t');
        let (file, _, verdict) = (columns.next().unwrap(), columns.next().unwrap(), columns.next().unwrap());
        let name = file.rsplit('/').next().unwrap();
        let data = std::fs::read(folder.join(file)).unwrap();
        files += 1;
        let valid = verdict != "invalid" && !REFUSED.contains(&name);
        let answer = ANSWERS.iter().find(|(file, _)| *file == name).map_or("none", |(_, answer)| answer);
        let modes = [
            ("default", Leniency::DEFAULT, valid, if STRICT_ONLY.contains(&name) { "none" } else { answer }),
            ("strict", Leniency::STRICT, valid && !OLD.contains(&name) && name != "badbranch.dat", answer),
            ("lenient", Leniency::LENIENT, valid || LENIENT.contains(&name), answer),
        ];
        for (mode, leniency, valid, answer) in modes {
            let report = inspect::inspect(&data, leniency);
            let mut lines = report.text.lines();
            let (first, second) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
            let said = second.strip_prefix("answer: ").unwrap_or_default();
            let at = first.rsplit_once(", at byte ").and_then(|(_, at)| at.parse::<usize>().ok());
            let form = if report.ok {
                first == "ok"
            } else {
                first.starts_with("invalid: ") && at.is_some_and(|at| at <= data.len())
            };
            // What is forgiven is not answered; what is refused for its age is answered 400.
            let expected = match mode {
                // Its topmost Via has only empty parameters; what is wrong beyond it nobody needs.
                "lenient" if name == "badinv01.dat" => "none",
                "lenient" if LENIENT.contains(&name) || STRICT_ONLY.contains(&name) => "none",
                "strict" if OLD.contains(&name) => "400",
                _ => answer,
            };
            if report.ok != valid || !form || !said.starts_with(expected) {
                wrong.push(format!("{name}, {mode}: {first} | {second}, expected {valid}, {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(files, 61);
}

#[test]
fn the_tool_shows_the_structure() {
    let Some(folder) = folder() else { return };
    let report =
        inspect::inspect(&std::fs::read(folder.join("rfc4475/wsinv.dat")).unwrap(), Leniency::DEFAULT);
    for expected in [
        "request INVITE sip:vivekg@chair-dnrc.example.com;unknownparam",
        r#"    read as "J Rosenberg \\\"" <sip:jdrosen@example.com>;tag=98asjd8"#,
        "NewFangledHeader: newfangled value continued newfangled value",
        "    no type",
        "body of 150 bytes",
    ] {
        assert!(report.text.contains(expected), "{expected} in {}", report.text);
    }
    let report =
        inspect::inspect(&std::fs::read(folder.join("rfc4475/mpart01.dat")).unwrap(), Leniency::DEFAULT);
    assert!(report.text.contains("    part of ") && report.text.contains("text/plain"), "{}", report.text);
}
