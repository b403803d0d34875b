//! `blf` and `mwi`: what others tell, one line of JSON for each change.

use super::{Outcome, Run, stopped};
use crate::config::Mailbox;
use crate::desk::watching;
use crate::firmware::Signal;
use core::time::Duration;
use serde::Serialize;
use sidetone_hal::keypad::Key;
use sidetone_sip_ua::Account;
use sidetone_sip_ua::package::blf::{BlfState, Unknown};
use tokio::sync::mpsc;

/// How long the voice mail is asked to tell what waits, before it is asked again.
const LASTS: Duration = Duration::from_secs(3600);
const QUEUE: usize = 16;

/// The line for a state of an extension.
#[derive(Serialize)]
struct BlfReport<'a> {
    extension: &'a str,
    /// `idle`, `ringing`, `busy`, `held`, `parked`, `dnd`, `offline` or `unknown`.
    state: &'static str,
    /// With whom it is.
    peer: Option<String>,
    /// The status that refused to tell.
    status: Option<u16>,
}

/// The line for what waits.
#[derive(Serialize)]
struct MwiReport {
    account: String,
    waiting: bool,
    new: u32,
}

impl<O: FnMut(String)> Run<O> {
    /// Prints the states of an extension. Well done if there was one.
    pub(super) async fn blf(
        &mut self,
        account: Option<&Account>,
        extension: &str,
        length: Option<Duration>,
    ) -> Outcome {
        let Some(account) = account else { return no_account() };
        let (reports, signals) = mpsc::channel(QUEUE);
        let told = |state| Signal::Extension { key: Key::Line(1), state };
        tokio::spawn(watching::extension(account.clone(), extension.to_owned(), false, None, told, reports));
        self.tell(signals, length, |signal| {
            let Signal::Extension { state, .. } = signal else { return None };
            let (name, status) = name_of(&state);
            let peer = state.peer().map(|peer| peer.label().into_owned());
            serde_json::to_string(&BlfReport { extension, state: name, peer, status }).ok()
        })
        .await
    }

    /// Prints what waits in the voice mail. Well done if the server told.
    pub(super) async fn mwi(&mut self, account: Option<&Account>, length: Option<Duration>) -> Outcome {
        let Some(account) = account else { return no_account() };
        let (reports, signals) = mpsc::channel(QUEUE);
        let aor = account.aor().to_string();
        tokio::spawn(watching::messages(account.clone(), 0, LASTS, Mailbox::default(), reports));
        self.tell(signals, length, |signal| {
            let Signal::Messages { waiting, new, .. } = signal else { return None };
            serde_json::to_string(&MwiReport { account: aor.clone(), waiting, new }).ok()
        })
        .await
    }

    async fn tell(
        &mut self,
        mut signals: mpsc::Receiver<Signal>,
        length: Option<Duration>,
        line: impl Fn(Signal) -> Option<String>,
    ) -> Outcome {
        let mut outcome = Outcome::CallFailed;
        let mut stop = self.stop.clone();
        let end = async {
            match length {
                Some(length) => tokio::time::sleep(length).await,
                None => core::future::pending().await,
            }
        };
        tokio::pin!(end);
        loop {
            tokio::select! {
                signal = signals.recv() => match signal {
                    Some(signal) => if let Some(line) = line(signal) {
                        outcome = Outcome::Done;
                        (self.out)(line);
                    },
                    None => return outcome,
                },
                () = &mut end => return outcome,
                _ = stopped(&mut stop) => return outcome,
            }
        }
    }
}

pub(super) fn no_account() -> Outcome {
    eprintln!("sidetone-phone: an account is wanted: --account sip:user:password@host");
    Outcome::Usage
}

const fn name_of(state: &BlfState) -> (&'static str, Option<u16>) {
    let name = match state {
        BlfState::Unknown(Unknown::Refused(status)) => return ("unknown", Some(*status)),
        BlfState::Offline => "offline",
        BlfState::Idle => "idle",
        BlfState::DoNotDisturb => "dnd",
        BlfState::Held(_) => "held",
        BlfState::Busy(_) => "busy",
        BlfState::Parked(_) => "parked",
        BlfState::Ringing(_) => "ringing",
        _ => "unknown",
    };
    (name, None)
}
