//! What a call sounded like, as numbers: how losses lie (RFC 3611 §4.7.2), the E-model (ITU-T G.107), and the report
//! that is sent about it after the call (RFC 6035).

mod burst;
mod emodel;
mod impairment;
mod report;
mod vq;
mod vq_read;
#[cfg(test)]
mod vq_tests;

pub use burst::{BurstMeter, Bursts, MINIMUM_GAP};
pub use emodel::{Connection, mos};
pub use impairment::{Impairment, Provenance};
pub use report::{CallQuality, QualityReport};
pub use vq::{
    Alert, AlertType, DialogId, Endpoint, Metrics, Severity, VqDescription, VqReport, VqReportError,
    VqReportKind, VqTime,
};
