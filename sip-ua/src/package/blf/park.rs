//! Calls parked on an extension, as BroadWorks tells of them.

use crate::package::dialog_info::Identity;
use crate::package::{PackageError, xml};
use alloc::string::String;
use sidetone_sip_core::header::ContentType;

/// `application/x-broadworks-callpark-info+xml`: whether a call is parked on an extension, and who waits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallPark {
    /// Who waits; `None` when nobody does.
    pub parked: Option<Identity>,
}

impl CallPark {
    /// `application/x-broadworks-callpark-info+xml`
    pub const CONTENT_TYPE: ContentType =
        ContentType::from_static("application", "x-broadworks-callpark-info+xml");

    /// Reads a body. Somebody who waits without a name is somebody.
    ///
    /// # Errors
    /// It is no UTF-8, no well-formed XML, or no `<x-broadworks-callpark-info>`.
    pub fn read(body: &[u8]) -> Result<Self, PackageError> {
        let document = xml::parse(xml::utf8(body)?, "x-broadworks-callpark-info")?;
        let parked =
            xml::child(document.root_element(), "callpark").and_then(|park| xml::child(park, "parked"));
        let who = |node| {
            let identity = xml::child(node, "identity").and_then(Identity::read);
            identity.unwrap_or_else(|| Identity::new(String::new()))
        };
        Ok(Self { parked: parked.map(who) })
    }

    /// The body as it is sent.
    #[must_use]
    pub fn write(&self) -> String {
        let mut out = xml::Writer::new();
        out.open("x-broadworks-callpark-info").attr("xmlns", "http://schema.broadsoft.com/callpark");
        out.open("callpark");
        if let Some(who) = &self.parked {
            out.open("parked");
            who.write("identity", &mut out);
        }
        out.finish()
    }
}
