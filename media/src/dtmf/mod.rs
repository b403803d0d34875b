//! Digits: as telephone events (RFC 4733), as tones in the speech (ITU-T Q.23, Q.24), and in SIP INFO, both ways; and
//! which of these a call takes.

mod detect;
mod event;
mod inband;
mod info;
mod mode;
mod receive;
mod send;
mod suppress;
#[cfg(test)]
mod tests;

pub use detect::{Detected, Detector, DetectorConfig};
pub use event::{Event, FLASH, PAYLOAD, digit_of, event_of};
pub use inband::{InbandConfig, InbandSender, dtmf_tone};
pub use info::{InfoEvent, InfoKind};
pub use mode::{DtmfCall, DtmfMode, DtmfPaths};
pub use receive::{Digit, DtmfReceiver, HeardEvent};
pub use send::{DtmfSendConfig, DtmfSender, EventPacket};
pub use suppress::Suppressor;
