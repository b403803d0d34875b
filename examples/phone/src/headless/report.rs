//! The line that is printed for a call.

use super::Outcome;
use serde::Serialize;
use sidetone_media::StreamStats;
use sidetone_sip_core::StatusCode;
use sidetone_sip_ua::{EndCause, EndedBy};

/// One call, as it went. Its fields are the JSON's.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Report {
    /// Counted from 1.
    pub(super) call: u32,
    /// `out` or `in`.
    pub(super) direction: &'static str,
    /// The other side's address.
    pub(super) peer: String,
    pub(super) established: bool,
    pub(super) codec: Option<&'static str>,
    pub(super) packets_sent: u64,
    pub(super) packets_received: u64,
    pub(super) lost: u64,
    pub(super) late: u64,
    pub(super) dropped: u64,
    pub(super) jitter_ms: f64,
    pub(super) round_trip_ms: Option<f64>,
    pub(super) concealed_ms: u64,
    /// Mean opinion score of what was heard, 1 to 5, by the E-model (ITU-T G.107).
    pub(super) mos: Option<f64>,
    /// The suite that speech was encrypted with.
    pub(super) srtp: Option<String>,
    pub(super) duration_s: f64,
    pub(super) cause: Cause,
    pub(super) dtmf_sent: String,
    pub(super) dtmf_received: String,
    /// How often our hold took effect.
    pub(super) holds: u32,
    /// How often the other side held us.
    pub(super) remote_holds: u32,
    /// Whether the other side of a call had us make this one.
    pub(super) referred: bool,
    /// Whether a rule of the settings refused the call or sent it elsewhere.
    pub(super) refused: bool,
    /// Transfers that we asked for, with the status that each came to: 200 when it got through.
    pub(super) transfers: Vec<Transfer>,
    /// Those who were called into a conference with this call.
    pub(super) conference: Vec<String>,
    /// What was asked for and did not work.
    pub(super) errors: Vec<String>,
}

/// A transfer.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Transfer {
    /// `blind` or `attended`.
    pub(super) kind: &'static str,
    pub(super) to: String,
    /// `null` when no status was told.
    pub(super) status: Option<u16>,
}

/// Why a call ended.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Cause {
    /// `local`, `remote`, `network` or `timeout`.
    pub(super) by: &'static str,
    pub(super) status: Option<u16>,
    pub(super) reason: String,
}

impl Report {
    pub(super) fn new(call: u32, direction: &'static str) -> Self {
        let cause = Cause { by: "local", ..Cause::default() };
        Self { call, direction, cause, ..Self::default() }
    }

    pub(super) fn count(&mut self, stats: &StreamStats) {
        let milliseconds = |time: core::time::Duration| (time.as_secs_f64() * 1e5).round() / 100.0;
        self.codec = Some(stats.codec.name);
        self.packets_sent = stats.packets_sent;
        self.packets_received = stats.packets_received;
        self.lost = stats.packets_lost;
        self.late = stats.packets_late;
        self.dropped = stats.packets_dropped;
        self.jitter_ms = milliseconds(stats.jitter);
        self.round_trip_ms = stats.round_trip.map(milliseconds);
        let heard = stats.packets_received > 0;
        self.mos = heard.then(|| (f64::from(stats.mos()) * 100.0).round() / 100.0);
        self.srtp = stats.srtp.map(|suite| suite.to_string());
        self.concealed_ms = u64::try_from(stats.concealed.as_millis()).unwrap_or(u64::MAX);
    }

    /// Whether the call was up and ended because one of the two sides wanted it, or was refused as the settings say.
    pub(super) fn outcome(&self) -> Outcome {
        let in_order = self.established && matches!(self.cause.by, "local" | "remote");
        if in_order || self.refused { Outcome::Done } else { Outcome::CallFailed }
    }
}

impl Cause {
    pub(super) fn network(error: &impl ToString) -> Self {
        Self { by: "network", status: None, reason: error.to_string() }
    }
}

impl From<&EndCause> for Cause {
    fn from(cause: &EndCause) -> Self {
        let by = match cause.by {
            EndedBy::Local => "local",
            EndedBy::Remote => "remote",
            EndedBy::Timeout => "timeout",
            _ => "network",
        };
        Self { by, status: cause.status.map(StatusCode::code), reason: cause.reason.clone() }
    }
}
