//! WebSocket with programs that others wrote: Kamailio as the server of our client, over `ws` and `wss`, and Chromium as
//! the client of our server.

use crate::certificates::Authority;
use crate::party::Party;
use crate::programs::{CHROMIUM, KAMAILIO, Outcome, Stage, free_port, trial};
use crate::server::Server;
use crate::support::{address, request};
use libtest_mimic::Trial;
use sidetone_sip_core::driver::{CaSet, DriverConfig, TlsConfig, WebSocketConfig};
use sidetone_sip_core::header::Contact;
use sidetone_sip_core::{FlowError, Method, Protocol, Request, Target};
use std::sync::Arc;

const DOMAIN: &str = "biloxi.example";

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("our_client_registers_with_kamailio", &[KAMAILIO], kamailio),
        trial("chromium_asks_our_server", &[CHROMIUM], |stage| chromium(stage, Protocol::Ws)),
        trial("chromium_asks_our_server_securely", &[CHROMIUM], |stage| chromium(stage, Protocol::Wss)),
    ]
}

async fn kamailio(stage: Arc<Stage>) -> Outcome {
    let authority = Authority::new("the authority");
    let leaf = authority.issue(&[DOMAIN]);
    let (certificate, key) =
        (stage.write("c.pem", &leaf.pem), stage.write("c.key", leaf.key.serialize_pem()));
    let (plain, secure) = (free_port(), free_port());
    // What RFC 7118's server must do, as Kamailio's manual of the websocket module shows it.
    let config = format!(
        "#!KAMAILIO\ndebug=2\nlog_stderror=yes\nchildren=1\ntcp_children=1\nauto_aliases=no\nenable_tls=yes\n\
         tcp_accept_no_cl=yes\nlisten=tcp:127.0.0.1:{plain}\nlisten=tls:127.0.0.1:{secure}\n\
         loadmodule \"kex.so\"\nloadmodule \"tm.so\"\nloadmodule \"sl.so\"\nloadmodule \"pv.so\"\nloadmodule \"textops.so\"\n\
         loadmodule \"usrloc.so\"\nloadmodule \"registrar.so\"\nloadmodule \"tls.so\"\nloadmodule \"xhttp.so\"\n\
         loadmodule \"websocket.so\"\nloadmodule \"nathelper.so\"\n\
         modparam(\"tls\", \"tls_method\", \"TLSv1.2+\")\n\
         modparam(\"tls\", \"certificate\", \"{certificate}\")\nmodparam(\"tls\", \"private_key\", \"{key}\")\n\
         request_route {{\n\
           force_rport();\n\
           if (is_method(\"REGISTER\") && (proto == WS || proto == WSS)) {{ save(\"location\"); exit; }}\n\
           sl_send_reply(\"403\", \"Only by WebSocket\");\n\
         }}\n\
         event_route[xhttp:request] {{\n\
           set_reply_close();\n set_reply_no_connect();\n\
           if ($hdr(Upgrade) =~ \"websocket\" && $hdr(Connection) =~ \"Upgrade\" && $rm =~ \"GET\") {{\n\
             if (ws_handle_handshake()) exit;\n\
           }}\n\
           xhttp_reply(\"404\", \"Not Found\", \"\", \"\");\n\
         }}\n"
    );
    let config = stage.write("kamailio.cfg", config);
    let run = stage.path("run");
    std::fs::create_dir_all(&run)?;
    let (run, pid) = (run.to_str().unwrap().to_owned(), stage.path("pid").to_str().unwrap().to_owned());
    let arguments = ["-f", &config, "-DD", "-E", "-m", "64", "-M", "8", "-Y", &run, "-w", &run, "-P", &pid];
    let mut kamailio = stage.start("kamailio", "kamailio", &arguments);
    kamailio.listens(plain).await?;
    kamailio.listens(secure).await?;

    let tls = TlsConfig::new().ca_set(CaSet::Own).trust(authority.certificates());
    let mut alice = Party::new(&DriverConfig::new().tls_config(tls));
    for (protocol, port) in [(Protocol::Ws, plain), (Protocol::Wss, secure)] {
        let target = Target::new(protocol, format!("127.0.0.1:{port}").parse()?).with_domain(DOMAIN);
        for round in 0..3 {
            let mut register = Request::new(Method::REGISTER, format!("sip:{DOMAIN}").parse()?);
            register.headers = request(&Method::REGISTER, &format!("{port}.{round}@b")).headers;
            let contact =
                format!("sip:alice@df7jal23ls0d.invalid;transport={}", protocol.as_str().to_lowercase());
            register.headers.push(&Contact::new(contact.parse()?));
            let (response, source) = alice.ask(register, &target).await.unwrap();
            assert_eq!((response.status.code(), source.protocol), (200, protocol));
            let contact: Contact = response.headers.require()?;
            assert_eq!(contact.uri().unwrap().host_str(), "df7jal23ls0d.invalid");
        }
    }
    let web_server = Target::new(Protocol::Ws, format!("127.0.0.1:{secure}").parse()?);
    let answer = alice.ask(request(&Method::OPTIONS, "x@b"), &web_server).await;
    assert!(answer.is_err_and(|reason| reason != FlowError::TimedOut), "no WebSocket where TLS is");
    Ok(())
}

/// A page that sends OPTIONS, and then what it was answered in a MESSAGE.
const PAGE: &str = r#"<!doctype html><script>
const request = (method, body) => [
  `${method} sip:bob@biloxi.example SIP/2.0`,
  `Via: SIP/2.0/PROTOCOL df7jal23ls0d.invalid;branch=z9hG4bK${method}`,
  "Max-Forwards: 70", "From: <sip:alice@biloxi.example>;tag=chromium", "To: <sip:bob@biloxi.example>",
  `Call-ID: ${method}@df7jal23ls0d.invalid`, `CSeq: 1 ${method}`, "Content-Type: text/plain",
  `Content-Length: ${body.length}`, "", body].join("\r\n");
const socket = new WebSocket("URL", "sip");
socket.onopen = () => socket.send(request("OPTIONS", ""));
socket.onmessage = message => {
  if (message.data.includes("OPTIONS")) {
    socket.send(request("MESSAGE", `${typeof message.data} ${socket.protocol} ${message.data.split("\r\n")[0]}`));
  }
};
</script>"#;

async fn chromium(stage: Arc<Stage>, protocol: Protocol) -> Outcome {
    // Chromium trusts no CA of ours without a certificate database, so it is told not to look.
    let leaf = Authority::new("the authority").issue(&["127.0.0.1"]);
    // Pages out of files have no origin.
    let config = DriverConfig::new()
        .ws(address("127.0.0.1:0"))
        .wss(address("127.0.0.1:0"))
        .tls_config(TlsConfig::new().server(leaf.identity()))
        .websocket(WebSocketConfig::new().path("/sip").origin("file://").origin("null"));
    let mut server = Server::start(&config);
    let scheme = protocol.as_str().to_lowercase();
    let url = format!("{scheme}://{}/sip", server.address(protocol));
    let page = PAGE.replace("URL", &url).replace("PROTOCOL", protocol.as_str());
    let page = format!("file://{}", stage.write("page.html", page));
    let profile = format!("--user-data-dir={}", stage.path("profile").display());
    let browser = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
    let rest =
        ["--ignore-certificate-errors", "--no-first-run", "--remote-debugging-port=0", &profile, &page];
    let _chromium = stage.start("chromium", "chromium", &[&browser[..], &rest].concat());
    let asked = server.next().await;
    assert_eq!((asked.request.method.clone(), asked.source.protocol), (Method::OPTIONS, protocol));
    assert_eq!(asked.session.is_some(), protocol == Protocol::Wss);
    let told = server.next().await;
    assert_eq!(told.source.flow, asked.source.flow);
    assert_eq!(told.request.body, "string sip SIP/2.0 200 OK");
    Ok(())
}
