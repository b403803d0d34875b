//! Reads one SIP message and says what is in it.
//!
//! ```sh
//! cargo run -p sidetone-sip-core --example inspect < message
//! cargo run -p sidetone-sip-core --example inspect -- --lenient message.sip
//! ```
//!
//! The first line is the verdict: `ok`, or `invalid: what, at byte n`, counted from 0 in the whole message; the exit status
//! is 0 or 1. What follows is what an element would answer by the message alone, and the structure as far as it can be read:
//! start line, each header with what its type makes of it, body parts.

use bytes::Bytes;
use core::fmt::Write as _;
use sidetone_sip_core::header::{ContentType, HeaderName, check_typed_value};
use sidetone_sip_core::{
    Capabilities, HeaderValue, Leniency, Limits, Message, ParseError, ParseErrorKind, ReadOptions, Request,
    Response, rejection,
};
use std::io::Read as _;
use std::process::ExitCode;

/// What is said about one message.
pub struct Report {
    /// Whether it is all right.
    pub ok: bool,
    /// The text, verdict first.
    pub text: String,
}

fn main() -> ExitCode {
    let mut leniency = Leniency::DEFAULT;
    let mut file = None;
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--strict" => leniency = Leniency::STRICT,
            "--lenient" => leniency = Leniency::LENIENT,
            "--help" | "-h" => {
                println!("inspect [--strict | --lenient] [FILE]   (standard input without FILE)");
                return ExitCode::SUCCESS;
            }
            unknown if unknown.starts_with('-') => {
                eprintln!("{unknown} is none of --strict and --lenient");
                return ExitCode::from(2);
            }
            name => file = Some(name.to_owned()),
        }
    }
    let mut data = Vec::new();
    let read = match &file {
        Some(name) => std::fs::File::open(name).and_then(|mut file| file.read_to_end(&mut data)),
        None => std::io::stdin().lock().read_to_end(&mut data),
    };
    if let Err(error) = read {
        eprintln!("{}: {error}", file.as_deref().unwrap_or("standard input"));
        return ExitCode::from(2);
    }
    let report = inspect(&data, leniency);
    print!("{}", report.text);
    if report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Says what there is to say about a datagram.
pub fn inspect(data: &[u8], leniency: Leniency) -> Report {
    let datagram = Bytes::copy_from_slice(data);
    let options = ReadOptions::new(Limits::default(), leniency);
    let message = match Message::parse_with(datagram.clone(), &options) {
        Ok(message) => message,
        Err(error) => {
            let mut text = format!("invalid: {}, at byte {}\n", what(&error), error.at);
            let answer = rejection(&datagram, &error, &options.limits);
            text.push_str(&answer_line(answer.as_ref(), "nobody to answer"));
            return Report { ok: false, text };
        }
    };
    let fault = fault(&message, data);
    let mut text = match &fault {
        None => "ok\n".to_owned(),
        Some((error, at)) => format!("invalid: {}, at byte {at}\n", what(error)),
    };
    match &message {
        Message::Request(request) => request_answer(&mut text, request),
        Message::Response(response) => response_answer(&mut text, response),
    }
    structure(&mut text, &message, &options.limits);
    Report { ok: fault.is_none(), text }
}

/// The error without its place, which is given in the whole message.
fn what(error: &ParseError) -> String {
    match error.place {
        "" => error.kind.to_string(),
        place => format!("{place}: {}", error.kind),
    }
}

/// The first thing wrong with what every message has, or else with any header that has a type; and where.
fn fault(message: &Message, data: &[u8]) -> Option<(ParseError, usize)> {
    if let Err(error) = message.essentials() {
        return Some((error, place(message, &error, data)));
    }
    let headers = message.headers();
    headers.iter().enumerate().find_map(|(line, (name, value))| {
        let owned = Bytes::copy_from_slice(value);
        let value_read = HeaderValue::whole(&owned).with_leniency(&headers.leniency());
        let error = check_typed_value(&name, value_read)?.err()?;
        // An unknown scheme is no error of the message: it counts as no credentials.
        let fault = (error.kind != ParseErrorKind::AuthScheme).then_some(error)?;
        let at = headers.position_of(value).map_or_else(|| line_start(data, line), |begin| begin + fault.at);
        Some((fault, at))
    })
}

/// Where an error of [`Message::essentials`] is in the message.
fn place(message: &Message, error: &ParseError, data: &[u8]) -> usize {
    let find = |byte: u8| data.iter().position(|at| *at == byte).unwrap_or_default();
    if error.place == "Request-URI" {
        return find(b'?');
    }
    let headers = message.headers();
    let name = error.place.parse::<HeaderName>();
    let mut lines = headers.iter().enumerate().filter(|(_, (key, _))| name.as_ref() == Ok(key));
    let line = match error.kind {
        // Where it could have been.
        ParseErrorKind::Missing => return data.len() - message.body().len().min(data.len()),
        ParseErrorKind::Duplicate => lines.nth(1),
        _ => lines.next(),
    };
    line.map_or(0, |(line, (_, value))| {
        headers.position_of(value).map_or_else(|| line_start(data, line), |begin| begin + error.at)
    })
}

/// Where header line number `line` begins: for a folded one, whose value stands nowhere in one piece.
fn line_start(data: &[u8], line: usize) -> usize {
    let begin = data.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or_default();
    let ends = data.iter().enumerate().skip(begin).filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    ends.filter(|at| !matches!(data.get(*at), Some(b' ' | b'\t'))).nth(line).unwrap_or_default()
}

fn request_answer(text: &mut String, request: &Request) {
    match request.check(&Capabilities::default()) {
        Ok(_) => text.push_str("answer: none\n"),
        Err(refusal) => {
            let response = refusal.response(request, Some("inspect"));
            // Without a Via there is nobody to answer.
            let response = response.filter(|response| response.headers.contains(&HeaderName::VIA));
            text.push_str(&answer_line(
                response.as_ref(),
                "an ACK has no answer, and without a Via there is nobody",
            ));
            for (name, value) in refusal.headers.iter() {
                let _ = writeln!(text, "  {name}: {}", shown(value));
            }
        }
    }
}

fn response_answer(text: &mut String, response: &Response) {
    let _ = match response.check() {
        Ok(_) => writeln!(text, "answer: none"),
        Err(error) => writeln!(text, "answer: none (dropped: {})", what(&error)),
    };
}

fn answer_line(response: Option<&Response>, why_none: &str) -> String {
    match response {
        Some(response) => format!("answer: {} {}\n", response.status, response.reason),
        None => format!("answer: none ({why_none})\n"),
    }
}

/// Text as it is, control characters escaped; what is not UTF-8 byte by byte.
fn shown(bytes: &[u8]) -> String {
    let Ok(text) = core::str::from_utf8(bytes) else { return bytes.escape_ascii().to_string() };
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && c != '\t' {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

fn structure(text: &mut String, message: &Message, limits: &Limits) {
    let _ = match message {
        Message::Request(request) => writeln!(text, "\nrequest {} {}", request.method, request.uri),
        Message::Response(response) => writeln!(text, "\nresponse {} {}", response.status, response.reason),
    };
    let headers = message.headers();
    for (name, value) in headers.iter() {
        let _ = writeln!(text, "{name}: {}", shown(value));
        let owned = Bytes::copy_from_slice(value);
        let value = HeaderValue::whole(&owned).with_leniency(&headers.leniency());
        let _ = match check_typed_value(&name, value) {
            None => writeln!(text, "    no type"),
            Some(Ok(read)) => writeln!(text, "    read as {}", shown(&read)),
            Some(Err(error)) => writeln!(text, "    not read: byte {}: {}", error.at, error.kind),
        };
    }
    let content = match message {
        Message::Request(request) => request.content(),
        Message::Response(response) => response.content(),
    };
    let _ = writeln!(text, "\nbody of {} bytes", message.body().len());
    parts(text, &content, limits, 1);
}

fn parts(text: &mut String, part: &sidetone_sip_core::Part, limits: &Limits, depth: usize) {
    let indent = "    ".repeat(depth);
    match part.multipart(limits) {
        Ok(Some(several)) => {
            for part in &several.parts {
                let kind = part.headers.get::<ContentType>();
                let kind =
                    kind.and_then(Result::ok).map_or_else(|| "no type".to_owned(), |kind| kind.to_string());
                let _ = writeln!(text, "{indent}part of {} bytes, {kind}", part.body.len());
                parts(text, part, limits, depth + 1);
            }
        }
        Ok(None) => {
            for line in part.body.split_inclusive(|byte| *byte == b'\n').take(64) {
                let _ = writeln!(text, "{indent}{}", shown(line.trim_ascii_end()));
            }
        }
        Err(error) => {
            let _ = writeln!(text, "{indent}not read: {error}");
        }
    }
}
