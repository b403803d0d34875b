//! Event packages: the bodies of NOTIFY, PUBLISH and SUBSCRIBE, read and written, and what they mean taken together.
//!
//! Nothing here sends anything: a package is data, text in and text out. Who subscribes and who notifies is
//! `subscription/`'s.

pub mod blf;
pub mod call_info;
pub mod charge;
pub mod conference_info;
pub mod device;
pub mod dialog_info;
mod error;
pub mod feature_sync;
pub mod message_summary;
pub mod presence;
pub mod quality_report;
pub mod reg_info;
pub mod resource_list;
pub mod sipfrag;
mod version;
mod xml;

pub use error::PackageError;
pub use version::Merge;
