//! Kamailio as registrar and proxy, with `fixtures/kamailio.cfg`: a user's password is `<name>-secret`.

use super::pki::Pki;
use super::process::Process;
use super::{SOON, Stage, find_program, free_port};
use core::time::Duration;
use libtest_mimic::Failed;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Empty tables of Debian's package `kamailio`.
const TABLES: &str = "/usr/share/kamailio/dbtext/kamailio";

pub(crate) struct Kamailio {
    pub(crate) port: u16,
    /// The port for TLS, if it was started with a certificate.
    pub(crate) tls_port: Option<u16>,
    process: Process,
}

impl Kamailio {
    pub(crate) fn start(stage: &Stage) -> Result<Self, Failed> {
        Self::launch(stage, None, |_| Vec::new())
    }

    /// Sends subscriptions to `message-summary`, whosever, to the user `mailbox`.
    pub(crate) fn start_with_mailbox(stage: &Stage) -> Result<Self, Failed> {
        Self::launch(stage, None, |_| vec!["MAILBOX".to_owned()])
    }

    /// Follows a 302 by itself, in a failure route.
    pub(crate) fn start_following(stage: &Stage) -> Result<Self, Failed> {
        Self::launch(stage, None, |_| vec!["FOLLOW".to_owned()])
    }

    /// Is a presence server, too: of what is published, and of the calls that it proxies.
    pub(crate) fn start_presence(stage: &Stage) -> Result<Self, Failed> {
        let tables = tables(stage)?;
        Self::launch(stage, None, |port| presence(&tables, port))
    }

    /// Is a resource list server (RFC 4662), too: `owner` may subscribe to the list `list`, of the package `dialog`.
    pub(crate) fn start_lists(
        stage: &Stage,
        owner: &str,
        list: &str,
        members: &[&str],
    ) -> Result<Self, Failed> {
        let tables = tables(stage)?;
        let mut written = Ok(());
        let started = Self::launch(stage, None, |port| {
            written = write_list(&tables, port, owner, list, members);
            let mut defines = presence(&tables, port);
            defines.push(format!("RLS_ADDRESS=\"sip:rls@127.0.0.1:{port}\""));
            defines
        });
        written?;
        started
    }

    /// Refuses calls with session timers under 120 s, by its module `sst`.
    pub(crate) fn start_with_session_timer(stage: &Stage) -> Result<Self, Failed> {
        Self::launch(stage, None, |_| vec!["SESSION_TIMER".to_owned()])
    }

    /// Challenges with one algorithm of RFC 7616, `MD5` or `SHA-256`.
    pub(crate) fn start_with_digest(stage: &Stage, algorithm: &str) -> Result<Self, Failed> {
        Self::launch(stage, None, |_| vec![format!("DIGEST_ALGORITHM=\"{algorithm}\"")])
    }

    /// Listens for TLS, too.
    pub(crate) fn start_tls(stage: &Stage, pki: &Pki) -> Result<Self, Failed> {
        Self::launch(stage, Some(pki), |_| Vec::new())
    }

    /// `defines` are `NAME=value` for the configuration, made for the server's port.
    fn launch(
        stage: &Stage,
        pki: Option<&Pki>,
        defines: impl FnOnce(u16) -> Vec<String>,
    ) -> Result<Self, Failed> {
        let port = free_port();
        let tls_port = pki.map(|_| free_port());
        let folder = stage.folder("kamailio");
        let mut command = Command::new(find_program("kamailio").ok_or("kamailio is not installed")?);
        command
            .args(["-f", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/kamailio.cfg")])
            .args(["-DD", "-E", "-m", "32", "-M", "4"])
            .args(["-A", &format!("LISTEN_UDP=udp:127.0.0.1:{port}")])
            .args(["-A", &format!("LISTEN_TCP=tcp:127.0.0.1:{port}")])
            .args(["-Y".as_ref(), folder.as_os_str(), "-w".as_ref(), folder.as_os_str()])
            .args(["-P".as_ref(), folder.join("pid").as_os_str()]);
        if let (Some(Pki { certificate, key, .. }), Some(port)) = (pki, tls_port) {
            command
                .args(["-A", &format!("LISTEN_TLS=tls:127.0.0.1:{port}")])
                .args(["-A", &format!("TLS_CERTIFICATE=\"{certificate}\"")])
                .args(["-A", &format!("TLS_KEY=\"{key}\"")]);
        }
        for define in defines(port) {
            command.args(["-A", &define]);
        }
        let process = Process::spawn(stage, "kamailio", &mut command)?;
        let server = Self { port, tls_port, process };
        server.wait_until_known("")?;
        Ok(server)
    }

    /// What the server answers to a REGISTER without credentials.
    pub(crate) fn challenge(&self, user: &str) -> Result<String, Failed> {
        let mut answer = Err("not asked".to_owned());
        self.process.wait_until("401 to REGISTER", SOON, || {
            answer = ask(self.port, "REGISTER", user).map_err(|error| error.to_string());
            answer.is_ok()
        })?;
        answer.map_err(Failed::from)
    }

    /// Waits until a user is registered; with no name, until the server answers.
    pub(crate) fn wait_until_known(&self, user: &str) -> Result<(), Failed> {
        let what = format!("200 to OPTIONS for {user:?}");
        self.process.wait_until(&what, SOON, || answers(self.port, user).is_ok())
    }
}

/// Its modules check for their tables, though what they keep is in memory.
fn tables(stage: &Stage) -> Result<PathBuf, Failed> {
    let tables = stage.folder("kamailio-tables");
    for entry in std::fs::read_dir(TABLES)? {
        let path = entry?.path();
        if let Some(name) = path.file_name() {
            std::fs::copy(&path, tables.join(name))?;
        }
    }
    Ok(tables)
}

fn presence(tables: &Path, port: u16) -> Vec<String> {
    let database = format!("PRESENCE_DB=\"text://{}\"", tables.display());
    vec![database, format!("PRESENCE_ADDRESS=\"sip:127.0.0.1:{port}\"")]
}

/// The document of RFC 4826 that makes the list, in the table in which an XCAP server would have put it.
fn write_list(tables: &Path, port: u16, owner: &str, list: &str, members: &[&str]) -> std::io::Result<()> {
    // Without a port: its NOTIFY to itself names none, and would not be known again.
    let entry = |member: &&str| format!("<rl:entry uri=\"sip:{member}@127.0.0.1\"/>");
    let entries: String = members.iter().map(entry).collect();
    let document = format!(
        "<?xml version=\"1.0\"?><rls-services xmlns=\"urn:ietf:params:xml:ns:rls-services\" \
         xmlns:rl=\"urn:ietf:params:xml:ns:resource-lists\"><service uri=\"sip:{list}@127.0.0.1:{port}\"><list>{entries}</list>\
         <packages><package>dialog</package></packages></service></rls-services>"
    );
    // Colons part the columns; 8 is the type of the document.
    let row = format!("1:{owner}:127.0.0.1:{}:8:e:0:x:0\n", document.replace(':', "\\:"));
    let columns = "id(int,auto) username(string) domain(string) doc(string) doc_type(int) etag(string) source(int) \
                   doc_uri(string) port(int) \n";
    std::fs::write(tables.join("xcap"), format!("{columns}{row}"))
}

/// Sends OPTIONS for a user to the server: is there a 200 soon?
fn answers(port: u16, user: &str) -> std::io::Result<()> {
    let answer = ask(port, "OPTIONS", user)?;
    match answer.starts_with("SIP/2.0 200") {
        true => Ok(()),
        false => Err(std::io::Error::other(answer)),
    }
}

/// Sends a request without credentials for a user, or for the server itself, and gives the answer, if there is one within
/// two seconds; a port that nobody has is told of at once.
fn ask(port: u16, method: &str, user: &str) -> std::io::Result<String> {
    let socket = UdpSocket::bind(("127.0.0.1", 0))?;
    let local = socket.local_addr()?;
    socket.connect(("127.0.0.1", port))?;
    socket.set_read_timeout(Some(Duration::from_secs(2)))?;
    let uri = if user.is_empty() {
        format!("sip:127.0.0.1:{port}")
    } else {
        format!("sip:{user}@127.0.0.1:{port}")
    };
    let request = format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bKready{}\r\n\
         From: <sip:test@{local}>;tag=ready\r\nTo: <{uri}>\r\nCall-ID: ready@{local}\r\n\
         CSeq: 1 {method}\r\nMax-Forwards: 5\r\nContent-Length: 0\r\n\r\n",
        local.port()
    );
    socket.send(request.as_bytes())?;
    let mut answer = [0; 2048];
    let length = socket.recv(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
}
