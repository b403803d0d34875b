//! STUN and keep-alives with programs that others wrote: coturn as STUN server over UDP and TCP, Kamailio answering
//! double CRLF, STUN and OPTIONS on its SIP port.

use crate::programs::{KAMAILIO, Needs, Outcome, Program, Stage, free_port, trial};
use crate::support::{address, request};
use core::net::SocketAddr;
use libtest_mimic::{Failed, Trial};
use sidetone_hal::time::Duration;
use sidetone_sip_core::driver::{self, DriverConfig, Io, IoEvent};
use sidetone_sip_core::nat::stun::{Client, ClientConfig, ClientError, ClientEvent, Credentials, Deframer};
use sidetone_sip_core::nat::{
    Discovery, DiscoveryError, DiscoveryEvent, DiscoveryInput, KeepAlive, KeepAliveEvent, KeepAliveInput,
    KeepAliveKind, KeepAliveMachine, KeepAliveTerms, PublicAddress, StunServer,
};
use sidetone_sip_core::{
    Endpoint, EndpointConfig, Event, FlowId, Instant, Method, Protocol, Rng, Secret, Source, StatusCode,
    Target, Transmit,
};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const COTURN: Needs = ("turnserver", "coturn");
const BOUND: Duration = Duration::from_secs(60);

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("datagrams_that_say_nothing_arrive", &[], empty_datagrams),
        trial("coturn_says_our_address_over_udp", &[COTURN], coturn_over_udp),
        trial("coturn_says_our_address_over_tcp", &[COTURN], coturn_over_tcp),
        trial("coturn_wants_long_term_credentials", &[COTURN], coturn_with_credentials),
        trial("kamailio_answers_double_crlf", &[KAMAILIO], kamailio_pongs),
        trial("kamailio_answers_stun_on_its_sip_port", &[KAMAILIO], kamailio_stun),
        trial("kamailio_answers_options", &[KAMAILIO], kamailio_options),
    ]
}

async fn bounded<T>(what: &str, future: impl Future<Output = T>) -> Result<T, Failed> {
    tokio::time::timeout(BOUND, future).await.map_err(|_| format!("{what} did not come").into())
}

/// A STUN server with further options, and its address.
async fn coturn(stage: &Stage, options: &[&str]) -> Result<(Program, SocketAddr), Failed> {
    let port = free_port();
    let (text, database, pid) = (port.to_string(), stage.path("turndb"), stage.path("pid"));
    let mut arguments = vec!["-n", "--listening-ip", "127.0.0.1", "--listening-port", &text];
    arguments.extend(["--no-tls", "--no-dtls", "--no-cli", "--log-file", "stdout", "--stun-only"]);
    arguments.extend(["--userdb", database.to_str().unwrap(), "--pidfile", pid.to_str().unwrap()]);
    arguments.extend(options);
    let mut program = stage.start("coturn", "turnserver", &arguments);
    program.listens(port).await?;
    Ok((program, SocketAddr::from(([127, 0, 0, 1], port))))
}

/// A SIP server that answers OPTIONS, and its address.
async fn kamailio(stage: &Stage) -> Result<(Program, SocketAddr), Failed> {
    let port = free_port();
    let config = format!(
        "#!KAMAILIO\ndebug=2\nlog_stderror=yes\nchildren=1\ntcp_children=1\nauto_aliases=no\n\
         listen=udp:127.0.0.1:{port}\nlisten=tcp:127.0.0.1:{port}\ntcp_crlf_ping=yes\n\
         loadmodule \"pv.so\"\nloadmodule \"sl.so\"\nloadmodule \"stun.so\"\n\
         request_route {{\n  if (method==\"OPTIONS\" && $rU==\"busy\") sl_send_reply(\"503\", \"Busy\");\n\
         \x20 else sl_send_reply(\"200\", \"OK\");\n}}\n"
    );
    let file = stage.write("kamailio.cfg", config);
    let (folder, pid) = (stage.path(""), stage.path("pid"));
    let (folder, pid) = (folder.to_str().unwrap(), pid.to_str().unwrap());
    let arguments = ["-f", &file, "-DD", "-E", "-m", "32", "-M", "4", "-Y", folder, "-w", folder, "-P", pid];
    let mut program = stage.start("kamailio", "kamailio", &arguments);
    program.listens(port).await?;
    Ok((program, SocketAddr::from(([127, 0, 0, 1], port))))
}

/// A SIP endpoint on loopback.
struct Ua {
    endpoint: Endpoint,
    io: Io,
}

impl Ua {
    fn new() -> Self {
        let mut endpoint = Endpoint::new(EndpointConfig::new(driver::seed()));
        let mut io = Io::bind(&DriverConfig::new().udp(address("127.0.0.1:0"))).unwrap();
        io.attach(&mut endpoint);
        Self { endpoint, io }
    }

    /// Waits until something comes, or this time. False when the time has come.
    async fn turn(&mut self, at: Option<Instant>) -> bool {
        let own = self.endpoint.poll_timeout().map(|(at, _)| at);
        let deadline = [own, at].into_iter().flatten().min();
        match self.io.next(&mut self.endpoint, deadline).await {
            IoEvent::Input(input) => self.endpoint.handle_input(self.io.now(), input),
            IoEvent::Timeout => self.endpoint.handle_timeout(self.io.now()),
        }
        at.is_none_or(|at| at > self.io.now())
    }

    fn flow(&self) -> (FlowId, SocketAddr) {
        self.endpoint.datagram_flow(None).unwrap()
    }

    /// Finds out our public address, over the SIP socket.
    async fn discover(&mut self, config: PublicAddress) -> Result<SocketAddr, DiscoveryError> {
        let mut discovery = Discovery::new(config, Rng::from_u64(7));
        let (flow, local) = self.flow();
        discovery.start(self.io.now(), flow, local);
        loop {
            let now = self.io.now();
            if let Some(transmit) = discovery.poll_transmit() {
                self.endpoint.send_bytes(now, transmit).unwrap();
            } else if let Some(event) = discovery.poll_event() {
                match event {
                    DiscoveryEvent::Resolve { server, host, port } => {
                        let addresses = self.io.resolve(&host, port).await.unwrap();
                        let addresses = &addresses[..];
                        discovery.handle_input(now, DiscoveryInput::Resolved { server, addresses });
                    }
                    DiscoveryEvent::AddressChanged { after, .. } => return Ok(after),
                    DiscoveryEvent::Failed(error) => return Err(error),
                    other => panic!("{other:?}"),
                }
            } else if let Some(event) = self.endpoint.poll_event() {
                if let Event::Stun { flow, source, payload } = event {
                    let input = DiscoveryInput::Stun { flow, source, payload: &payload };
                    assert!(discovery.handle_input(now, input));
                }
            } else if !self.turn(discovery.poll_timeout()).await {
                discovery.handle_timeout(self.io.now());
            }
        }
    }

    /// Sends OPTIONS, and gives the answer's status and where it came from.
    async fn options(&mut self, target: &Target, user: &str) -> (StatusCode, Source) {
        let mut request = request(&Method::OPTIONS, &format!("{}@us", self.io.now().as_micros()));
        request.uri = format!("sip:{user}@{}", target.address).parse().unwrap();
        self.endpoint.request(self.io.now(), request, target).unwrap();
        loop {
            match self.endpoint.poll_event() {
                Some(Event::Response { response, source, .. }) if response.status.is_final() => {
                    return (response.status, source);
                }
                Some(Event::Failed { cause, .. }) => panic!("{cause}"),
                Some(_) => {}
                None => {
                    self.turn(None).await;
                }
            }
        }
    }

    /// Keeps a flow alive until so many answers came; what was reported instead of the last one.
    async fn keep_alive(
        &mut self,
        config: KeepAlive,
        to: Source,
        user: &str,
        answers: usize,
    ) -> Option<KeepAliveEvent> {
        let mut machine = KeepAliveMachine::new(config, Rng::from_u64(7));
        machine.start(self.io.now(), to.flow, to.protocol, to.remote, KeepAliveTerms::default());
        let mut count = 0;
        while count < answers {
            let now = self.io.now();
            if let Some(transmit) = machine.poll_transmit() {
                self.endpoint.send_bytes(now, transmit).unwrap();
            } else if let Some(event) = machine.poll_event() {
                let KeepAliveEvent::SendOptions { flow, destination } = event else { return Some(event) };
                let target = Target::new(to.protocol, destination).on(flow);
                let (status, _) = self.options(&target, user).await;
                assert!(machine.handle_input(self.io.now(), KeepAliveInput::Options(Some(status))));
                count += usize::from(status.is_success());
            } else if let Some(event) = self.endpoint.poll_event() {
                let ours = match &event {
                    Event::KeepAlivePong { flow } => {
                        machine.handle_input(now, KeepAliveInput::Pong { flow: *flow })
                    }
                    Event::Stun { flow, source, payload } => {
                        let (flow, source) = (*flow, *source);
                        machine.handle_input(now, KeepAliveInput::Stun { flow, source, payload })
                    }
                    _ => false,
                };
                count += usize::from(ours);
            } else if !self.turn(machine.poll_timeout()).await {
                machine.handle_timeout(self.io.now());
            }
        }
        None
    }
}

fn ask(server: SocketAddr, config: ClientConfig) -> PublicAddress {
    let servers = [StunServer::new("localhost").at_port(server.port())];
    let mut address = PublicAddress::stun(servers, Duration::from_secs(60));
    address.stun = config;
    address
}

async fn empty_datagrams(_: Arc<Stage>) -> Outcome {
    let (mut alice, mut bob) = (Ua::new(), Ua::new());
    let to = bob.flow().1;
    for (count, payload) in [&b""[..], b"\r\n\r\n", &[0; 4]].into_iter().enumerate() {
        let transmit = Transmit { flow: alice.flow().0, destination: to, payload: payload.into() };
        alice.endpoint.send_bytes(alice.io.now(), transmit)?;
        alice.io.flush(&mut alice.endpoint);
        while bob.endpoint.counters().keep_alives <= count as u64 {
            bounded("a keep-alive", bob.turn(None)).await?;
        }
    }
    Ok(())
}

/// Every form of a question.
fn forms() -> Vec<ClientConfig> {
    let (plain, mut marked, mut classic) =
        (ClientConfig::default(), ClientConfig::default(), ClientConfig::default());
    (marked.fingerprint, marked.software) = (true, Some("sidetone".into()));
    classic.classic = true;
    vec![plain, marked, classic]
}

async fn coturn_over_udp(stage: Arc<Stage>) -> Outcome {
    for options in [&[][..], &["--fingerprint"]] {
        let (_program, server) = coturn(&stage, options).await?;
        for config in forms() {
            let mut ua = Ua::new();
            let found = bounded("an address", ua.discover(ask(server, config))).await?;
            assert_eq!(found, Ok(ua.flow().1));
        }
    }
    Ok(())
}

async fn coturn_over_tcp(stage: Arc<Stage>) -> Outcome {
    for options in [&[][..], &["--fingerprint"]] {
        let (_program, server) = coturn(&stage, options).await?;
        // Over a connection, coturn cannot cut what has no cookie.
        for config in forms().into_iter().filter(|config| !config.classic) {
            let mut stream = TcpStream::connect(server).await?;
            let local = stream.local_addr()?;
            let mut client = Client::new(config, Rng::from_u64(7));
            let mut deframer = Deframer::new(2048);
            // Twice over the same connection.
            for _ in 0..2 {
                client.start(Instant::ZERO, FlowId(1), server, true);
                stream.write_all(&client.poll_transmit().unwrap().payload).await?;
                let event = loop {
                    if let Some(event) = client.poll_event() {
                        break event;
                    }
                    let mut buffer = [0; 7];
                    let length = bounded("an answer", stream.read(&mut buffer)).await??;
                    assert_ne!(length, 0, "coturn closed the connection");
                    deframer.push(&buffer[..length]);
                    while let Some(message) = deframer.next()? {
                        assert!(client.handle_input(Instant::ZERO, FlowId(1), server, &message));
                    }
                };
                assert_eq!(event, ClientEvent::Mapped { server, address: local });
            }
        }
    }
    Ok(())
}

async fn coturn_with_credentials(stage: Arc<Stage>) -> Outcome {
    let options = ["--secure-stun", "--lt-cred-mech", "--user", "alice:secret", "--realm", "example.org"];
    let (_program, server) = coturn(&stage, &options).await?;
    let with = |password: &str| {
        let mut config = ClientConfig::default();
        let (username, password) = ("alice".into(), Secret::new(password));
        config.credentials = Some(Credentials::LongTerm { username, password });
        config
    };
    let mut ua = Ua::new();
    let found = bounded("an address", ua.discover(ask(server, with("secret")))).await?;
    assert_eq!(found, Ok(ua.flow().1));
    for config in [with("wrong"), ClientConfig::default()] {
        let found = bounded("a refusal", ua.discover(ask(server, config))).await?;
        assert_eq!(found, Err(DiscoveryError::Stun(ClientError::Unauthorized)));
    }
    Ok(())
}

/// As soon as the machine allows.
fn often(kind: KeepAliveKind) -> KeepAlive {
    KeepAlive::of(kind).every(KeepAlive::MIN_INTERVAL)
}

async fn kamailio_pongs(stage: Arc<Stage>) -> Outcome {
    let (_program, server) = kamailio(&stage).await?;
    let mut ua = Ua::new();
    let target = Target::new(Protocol::Tcp, server);
    let (status, source) = bounded("200", ua.options(&target, "any")).await?;
    assert_eq!((status, source.protocol), (StatusCode::OK, Protocol::Tcp));
    let mut config = often(KeepAliveKind::Outbound);
    config.pong_limit = Duration::from_secs(2);
    let event = bounded("three pongs", ua.keep_alive(config, source, "any", 3)).await?;
    assert_eq!(event, None);
    // The connection is the same, and still carries SIP.
    let (status, again) = bounded("200", ua.options(&target, "any")).await?;
    assert_eq!((status, again), (StatusCode::OK, source));
    Ok(())
}

async fn kamailio_stun(stage: Arc<Stage>) -> Outcome {
    let (_program, server) = kamailio(&stage).await?;
    let mut ua = Ua::new();
    let target = Target::new(Protocol::Udp, server);
    let (_, source) = bounded("200", ua.options(&target, "any")).await?;
    let event =
        bounded("three answers", ua.keep_alive(often(KeepAliveKind::Outbound), source, "any", 3)).await?;
    assert_eq!(event, None);
    // And it says the address that SIP is seen from.
    let found = bounded("an address", ua.discover(ask(server, ClientConfig::default()))).await?;
    assert_eq!(found, Ok(ua.flow().1));
    Ok(())
}

async fn kamailio_options(stage: Arc<Stage>) -> Outcome {
    let (_program, server) = kamailio(&stage).await?;
    for protocol in [Protocol::Udp, Protocol::Tcp] {
        let mut ua = Ua::new();
        let target = Target::new(protocol, server);
        let (_, source) = bounded("200", ua.options(&target, "any")).await?;
        let config = often(KeepAliveKind::Options);
        assert_eq!(bounded("answers", ua.keep_alive(config.clone(), source, "any", 3)).await?, None);
        let event = bounded("503", ua.keep_alive(config, source, "busy", 3)).await?;
        let cause = sidetone_sip_core::nat::FlowFailure::OptionsStatus(StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(event, Some(KeepAliveEvent::FlowFailed { flow: source.flow, cause }), "{protocol}");
    }
    Ok(())
}
