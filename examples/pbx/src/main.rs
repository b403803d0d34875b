//! The PBX as a program: `sidetone-pbx --help`.

use clap::{Parser, ValueEnum};
use core::net::{Ipv4Addr, SocketAddr};
use sidetone_pbx::{
    FolderMailboxes, Music, OrbitConfig, Pbx, PbxBuilder, PbxEvent, PlugAndPlay, Prompt, RingGroup,
    RoomConfig, Service, VoicemailConfig,
};
use sidetone_sip_core::driver::{
    CaSet, Certificates, ClientAuth, Identity, TlsConfig, TlsError, TlsVersion, WebSocketConfig,
};
use sidetone_sip_core::trace::{Direction, TapMessage};
use sidetone_sip_core::{Algorithm, DigestConfig};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

/// A SIP registrar and proxy with what a small office dials.
///
/// Accounts register and call each other; *43 plays back what it hears, *44 plays a prompt, 600 answers with a
/// tone, 601 rings and is not answered. 800 is a conference room, 701 to 709 are park orbits, *45 plays music; *72NUMBER
/// and *73 forward calls, *78 and *79 keep them off, *8NUMBER takes a call that rings elsewhere.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// Listen for SIP over UDP here; several times for several addresses [default: 127.0.0.1:5060, if no other
    /// address]
    #[arg(long, value_name = "IP:PORT")]
    udp: Vec<SocketAddr>,
    /// Listen for SIP over TCP here
    #[arg(long, value_name = "IP:PORT")]
    tcp: Vec<SocketAddr>,
    /// Listen for SIP over TLS here; takes --cert and --key
    #[arg(long, value_name = "IP:PORT", requires = "cert")]
    tls: Vec<SocketAddr>,
    /// Listen for SIP over WebSocket here
    #[arg(long, value_name = "IP:PORT")]
    ws: Vec<SocketAddr>,
    /// Listen for SIP over secure WebSocket here; takes --cert and --key
    #[arg(long, value_name = "IP:PORT", requires = "cert")]
    wss: Vec<SocketAddr>,
    /// The certificate for --tls and --wss with its issuers, PEM or DER; read again at SIGHUP
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// Its private key, PEM or DER, not encrypted; read again at SIGHUP
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// Only devices with a certificate of one of these CAs are let in over TLS
    #[arg(long, value_name = "FILE", requires = "cert")]
    client_ca: Option<PathBuf>,
    /// The oldest version of TLS: 1.2 or 1.3
    #[arg(long, value_name = "VERSION", default_value = "1.2")]
    tls_min: TlsVersion,
    /// The path of WebSocket; any without it
    #[arg(long, value_name = "PATH")]
    ws_path: Option<String>,
    /// A web page's origin that may connect by WebSocket; any without it
    #[arg(long, value_name = "ORIGIN")]
    ws_origin: Vec<String>,
    /// An account. The password is seen by whoever lists the processes of this machine; see --users
    #[arg(long, value_name = "NAME:PASSWORD", value_parser = parse_account)]
    user: Vec<(String, String)>,
    /// A file with an account a line, as NAME:PASSWORD; empty lines and lines that begin with # do not count
    #[arg(long, value_name = "FILE")]
    users: Vec<PathBuf>,
    /// A domain that this server answers for besides its own addresses
    #[arg(long, value_name = "NAME")]
    domain: Vec<String>,
    /// The realm of the digest challenges
    #[arg(long, default_value = "sidetone")]
    realm: String,
    /// What the challenges offer; some older clients know MD5 only and stumble over more
    #[arg(long, value_name = "WHICH", default_value = "both")]
    digest: Digest,
    /// What *44 plays: a WAV file, 16-bit PCM, 8000 samples a second
    #[arg(long, value_name = "FILE.WAV")]
    prompt: Option<PathBuf>,
    /// A further extension: echo, tone (of 440 Hz), ring, room (a conference), park (an orbit), music (on hold), confirm
    /// (what feature codes are answered with), or a WAV file to play
    #[arg(long, value_name = "NUMBER=SERVICE", value_parser = parse_extension)]
    extension: Vec<(String, Service)>,
    /// Calls that nobody answers leave a message at *98, kept as WAV files in this directory; *97 plays them
    #[arg(long, value_name = "DIRECTORY")]
    voicemail: Option<PathBuf>,
    /// A number that rings at all of these users
    #[arg(long, value_name = "NUMBER=USER,...", value_parser = parse_list)]
    group: Vec<(String, Vec<String>)>,
    /// A queue of a call centre: a number that rings at those of these users who are agents and take calls
    #[arg(long, value_name = "NUMBER=USER,...", value_parser = parse_list)]
    queue: Vec<(String, Vec<String>)>,
    /// Users who take each other's calls with *9
    #[arg(long, value_name = "USER,...", value_parser = parse_users)]
    pickup: Vec<Users>,
    /// A list of users and extensions whose lamps a telephone subscribes to at once
    #[arg(long, value_name = "NAME=USER,...", value_parser = parse_list)]
    blf_list: Vec<(String, Vec<String>)>,
    /// A number with four calls at a time that these users share: dialled on, held and taken at each of their telephones
    #[arg(long, value_name = "NUMBER=USER,...", value_parser = parse_list)]
    shared_line: Vec<(String, Vec<String>)>,
    /// Tell telephones out of the box, which ask the group 224.0.1.75, that their settings are here; {mac}, {vendor}, {model} and
    /// {version} stand for the telephone's own
    #[arg(long, value_name = "URL")]
    pnp: Option<String>,
    /// The interface whose telephones are told, by its address; without it the system's routes choose
    #[arg(long, value_name = "IP", requires = "pnp")]
    pnp_interface: Option<Ipv4Addr>,
    /// Show every SIP message: one line each, or with `=full` the whole text; secrets are masked
    #[arg(long, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "line")]
    trace: Option<Trace>,
}

#[derive(Clone)]
struct Users(Vec<String>);

#[derive(Clone, Copy, ValueEnum)]
enum Digest {
    Both,
    Md5,
    Sha256,
    #[value(name = "sha512-256")]
    Sha512_256,
}

#[derive(Clone, Copy, ValueEnum)]
enum Trace {
    Line,
    Full,
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(tracing::Level::WARN).init();
    match run(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sidetone-pbx: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<(), Box<dyn core::error::Error>> {
    let mut accounts = options.user;
    for path in &options.users {
        accounts.extend(read_accounts(path)?);
    }
    if accounts.is_empty() {
        return Err("no account: give --user NAME:PASSWORD or --users FILE".into());
    }
    let mut digest = DigestConfig::default();
    match options.digest {
        Digest::Both => {}
        Digest::Md5 => digest.algorithms = vec![Algorithm::Md5],
        Digest::Sha256 => digest.algorithms = vec![Algorithm::Sha256],
        Digest::Sha512_256 => digest.algorithms = vec![Algorithm::Sha512_256],
    }
    let mut builder = Pbx::builder().realm(options.realm).digest(digest);
    builder = options.udp.into_iter().fold(builder, PbxBuilder::udp);
    builder = options.tcp.into_iter().fold(builder, PbxBuilder::tcp);
    builder = options.tls.iter().copied().fold(builder, PbxBuilder::tls);
    builder = options.ws.into_iter().fold(builder, PbxBuilder::ws);
    builder = options.wss.iter().copied().fold(builder, PbxBuilder::wss);
    let files = options.cert.zip(options.key).map(|(cert, key)| TlsFiles {
        cert,
        key,
        client_ca: options.client_ca,
        min_version: options.tls_min,
    });
    if let Some(files) = &files {
        builder = builder.tls_config(files.read()?);
    }
    let mut websocket = WebSocketConfig::new();
    websocket.path = options.ws_path;
    websocket.origins = options.ws_origin;
    builder = builder.websocket(websocket);
    builder = options.domain.into_iter().fold(builder, PbxBuilder::domain);
    builder = accounts.iter().fold(builder, |builder, (name, password)| builder.user(name, password));
    if let Some(path) = options.prompt {
        builder = builder.extension("*44", Service::Prompt(Prompt::open(path)?));
    }
    builder = builder
        .extension("*45", Service::MusicOnHold(Music::melody()))
        .extension("*70", Service::Confirmation)
        .extension("800", Service::Conference(RoomConfig::default()));
    for orbit in 701..=709 {
        builder = builder.extension(orbit.to_string(), Service::Park(OrbitConfig::default()));
    }
    if let Some(directory) = options.voicemail {
        let store = FolderMailboxes::open(directory)?;
        builder = builder.voicemail("*98", "*97", VoicemailConfig::default(), store);
    }
    for (number, members) in options.queue {
        builder = builder.ring_group(number, RingGroup::queue(members));
    }
    for (number, members) in options.group {
        builder = builder.ring_group(number, RingGroup::new(members));
    }
    for Users(members) in options.pickup {
        builder = builder.pickup_group(members);
    }
    for (name, members) in options.blf_list {
        builder = builder.blf_list(name, members);
    }
    for (number, members) in options.shared_line {
        builder = builder.shared_line(number, members, 4);
    }
    for (number, service) in options.extension {
        builder = builder.extension(number, service);
    }
    if let Some(url) = options.pnp {
        let mut config = PlugAndPlay::new(url);
        config.interface = options.pnp_interface;
        builder = builder.plug_and_play(config);
    }
    if let Some(how) = options.trace {
        builder = builder.trace(move |message: &TapMessage<'_>| trace(how, message));
    }
    let pbx = builder.start().await?;
    let names: Vec<&str> = accounts.iter().map(|(name, _)| name.as_str()).collect();
    say(format_args!("{pbx}; accounts: {}; extensions: {}", names.join(", "), pbx.extensions().join(", ")));

    let mut events = pbx.events();
    let mut hang_ups = hang_ups()?;
    loop {
        tokio::select! {
            () = hang_ups.next() => {
                // A certificate that is being replaced must not end the service.
                let reload = |files: &TlsFiles| files.read().and_then(|config| pbx.reload_tls(&config));
                match files.as_ref().map(reload) {
                    Some(Ok(())) => say(format_args!("the certificate was read again")),
                    Some(Err(error)) => eprintln!("sidetone-pbx: the certificate stays as it is: {error}"),
                    None => {}
                }
            }
            stop = stopped() => {
                stop?;
                break;
            }
            event = events.next() => match event {
                Some(event) => say(format_args!("{}", line(&event))),
                None => break,
            },
        }
    }
    pbx.shutdown().await;
    Ok(())
}

/// Where the certificate is.
struct TlsFiles {
    cert: PathBuf,
    key: PathBuf,
    client_ca: Option<PathBuf>,
    min_version: TlsVersion,
}

impl TlsFiles {
    fn read(&self) -> Result<TlsConfig, TlsError> {
        // The PBX connects to devices only by what they registered, so it trusts nobody else.
        let config = TlsConfig::new().ca_set(CaSet::Own).min_version(self.min_version);
        let config = config.server(Identity::read(&self.cert, &self.key)?);
        Ok(match &self.client_ca {
            Some(path) => config.client_auth(ClientAuth::Required, Certificates::read(path)?),
            None => config,
        })
    }
}

/// SIGHUP, as services take it: read the files again.
struct HangUps {
    #[cfg(unix)]
    signals: tokio::signal::unix::Signal,
}

fn hang_ups() -> std::io::Result<HangUps> {
    Ok(HangUps {
        #[cfg(unix)]
        signals: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())?,
    })
}

impl HangUps {
    async fn next(&mut self) {
        #[cfg(unix)]
        if self.signals.recv().await.is_some() {
            return;
        }
        core::future::pending().await
    }
}

/// SIGINT, or SIGTERM as from a service manager.
async fn stopped() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            outcome = tokio::signal::ctrl_c() => outcome,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}

fn line(event: &PbxEvent) -> String {
    match event {
        PbxEvent::Registered { user, contact, remote, expires } => {
            format!("registered {user}: {contact} from {remote} for {expires} s")
        }
        PbxEvent::Provisioned { mac, vendor, model, url } => {
            format!("telephone {mac} ({vendor} {model}) is told: {url}")
        }
        PbxEvent::Unregistered { user, contact, expired } => {
            format!("unregistered {user}: {contact}{}", if *expired { " (expired)" } else { "" })
        }
        PbxEvent::CallStarted { call_id, from, to, branches } => {
            format!("call {call_id}: {from} calls {to} ({branches} contacts)")
        }
        PbxEvent::CallAnswered { call_id } => format!("call {call_id}: answered"),
        PbxEvent::CallEnded { call_id, status: Some(status) } => {
            format!("call {call_id}: ended, {} {}", status.code(), status.reason())
        }
        PbxEvent::CallEnded { call_id, status: None } => format!("call {call_id}: hung up"),
        PbxEvent::Refused { from, to, status, remote } => {
            format!("refused {from} at {remote}, for {to}: {} {}", status.code(), status.reason())
        }
        PbxEvent::CallDiverted { call_id, from, to, reason } => {
            format!("call {call_id}: from {from} on to {to} ({reason})")
        }
        PbxEvent::CallPickedUp { call_id, from, by } => format!("call {call_id}: {by} takes it from {from}"),
        PbxEvent::RoomChanged { room, members } => format!("room {room}: {}", members.join(", ")),
        PbxEvent::Parked { orbit, caller } => format!("orbit {orbit}: {caller} waits"),
        PbxEvent::Unparked { orbit } => format!("orbit {orbit}: free"),
        PbxEvent::MessageLeft { mailbox, from } => format!("mailbox {mailbox}: a message from {from}"),
        PbxEvent::MailboxChanged { mailbox, counts } => {
            format!("mailbox {mailbox}: {} new, {} old", counts.new, counts.old)
        }
        PbxEvent::FeaturesChanged { user, features } => {
            let to = |target: &Option<String>| target.clone().unwrap_or_else(|| "-".into());
            let (always, busy) = (to(&features.forward_always), to(&features.forward_busy));
            let no_answer = to(&features.forward_no_answer);
            let quiet = if features.do_not_disturb { ", do not disturb" } else { "" };
            format!("settings of {user}: forward all {always}, busy {busy}, no answer {no_answer}{quiet}")
        }
        _ => format!("{event:?}"),
    }
}

/// A closed standard output is no reason to stop serving.
fn say(line: core::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn trace(how: Trace, message: &TapMessage<'_>) {
    let arrow = match message.direction {
        Direction::Sent => "->",
        Direction::Received => "<-",
    };
    let head = format!("{} {arrow} {} {} {}", message.now, message.protocol, message.remote, message.label());
    let body = match how {
        Trace::Line => String::new(),
        Trace::Full => message.redacted(),
    };
    let _ = writeln!(std::io::stderr(), "{head}{}{body}", if body.is_empty() { "" } else { "\n" });
}

fn parse_account(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((name, password)) if !name.is_empty() && !password.is_empty() => {
            Ok((name.into(), password.into()))
        }
        _ => Err("expected NAME:PASSWORD".into()),
    }
}

fn parse_extension(text: &str) -> Result<(String, Service), String> {
    let Some((number, service)) = text.split_once('=').filter(|(number, _)| !number.is_empty()) else {
        return Err("expected NUMBER=SERVICE".into());
    };
    let service = match service {
        "echo" => Service::Echo,
        "ring" => Service::Ring,
        "tone" => Service::HUM,
        "room" => Service::Conference(RoomConfig::default()),
        "park" => Service::Park(OrbitConfig::default()),
        "music" => Service::MusicOnHold(Music::melody()),
        "confirm" => Service::Confirmation,
        path => Service::Prompt(Prompt::open(path).map_err(|error| error.to_string())?),
    };
    Ok((number.into(), service))
}

fn parse_users(text: &str) -> Result<Users, String> {
    let users: Vec<String> =
        text.split(',').map(str::trim).filter(|user| !user.is_empty()).map(Into::into).collect();
    if users.is_empty() { Err("expected USER,...".into()) } else { Ok(Users(users)) }
}

fn parse_list(text: &str) -> Result<(String, Vec<String>), String> {
    let (name, users) =
        text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or("expected NAME=USER,...")?;
    Ok((name.into(), parse_users(users)?.0))
}

/// The error names the file and the line, not what is in it.
fn read_accounts(path: &PathBuf) -> Result<Vec<(String, String)>, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let lines = text.lines().map(str::trim).enumerate();
    let accounts = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    accounts
        .map(|(at, line)| {
            parse_account(line).map_err(|error| format!("{}, line {}: {error}", path.display(), at + 1))
        })
        .collect()
}
