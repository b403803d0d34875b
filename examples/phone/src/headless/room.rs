//! `room`: a conference of the server is asked, from outside of it, to call people or to put them out (RFC 4579); one line of
//! JSON says what became of each.

use super::{Outcome, Run, watching::no_account};
use serde::Serialize;
use sidetone_sip_ua::{Account, Error};

/// The line for one of those people.
#[derive(Serialize)]
struct RoomReport<'a> {
    room: &'a str,
    who: &'a str,
    done: bool,
    /// The status that refused it; 408 stands for silence.
    status: Option<u16>,
    reason: String,
}

impl<O: FnMut(String)> Run<O> {
    /// Asks for one after the other. Well done if the room did it for all.
    pub(super) async fn room(
        &mut self,
        account: Option<&Account>,
        room: &str,
        people: &[String],
        out: bool,
    ) -> Outcome {
        let Some(account) = account else { return no_account() };
        let mut outcome = Outcome::Done;
        for who in people {
            let asked = match out {
                true => account.put_out(room, who).await,
                false => account.bring_in(room, who).await,
            };
            let (done, status, reason) = match asked {
                Ok(()) => (true, Some(200), String::new()),
                Err(Error::Refused(status)) => (false, Some(status.code()), status.reason().to_owned()),
                Err(error @ Error::Uri(_)) => {
                    eprintln!("sidetone-phone: who, and into which room: {error}");
                    return Outcome::Usage;
                }
                Err(error) => (false, None, error.to_string()),
            };
            self.print(&RoomReport { room, who, done, status, reason });
            if !done {
                outcome = Outcome::CallFailed;
            }
        }
        outcome
    }
}
