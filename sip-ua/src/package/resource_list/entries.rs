//! What is in a list: `application/resource-lists+xml` (RFC 4826 §3).

use super::{attribute, kept};
use crate::package::{PackageError, xml};
use alloc::string::String;
use alloc::vec::Vec;
use sidetone_sip_core::header::ContentType;

/// Entries of a document at most, over all its lists: as many as a list has resources. What is beyond is left out.
pub const MAX_ENTRIES: usize = super::MAX_RESOURCES;

const NAMESPACE: &str = "urn:ietf:params:xml:ns:resource-lists";

/// Lists of URIs: the members of a subscription to a list, or whom a conference is to call (RFC 5366).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceLists {
    /// In the order of the document; a list within another follows it.
    pub lists: Vec<EntryList>,
}

/// One list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EntryList {
    /// What others refer to it by.
    pub name: Option<String>,
    /// A name to show.
    pub display: Option<String>,
    /// In the order of the document.
    pub entries: Vec<Entry>,
}

/// One member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its URI, as it was sent.
    pub uri: String,
    /// A name to show.
    pub display: Option<String>,
}

impl ResourceLists {
    /// `application/resource-lists+xml`
    pub const CONTENT_TYPE: ContentType = ContentType::from_static("application", "resource-lists+xml");

    /// One list of these URIs, without names.
    #[must_use]
    pub fn of(uris: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let entries = uris.into_iter().map(|uri| Entry { uri: uri.into(), display: None }).collect();
        Self { lists: alloc::vec![EntryList { name: None, display: None, entries }] }
    }

    /// All members of all lists.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.lists.iter().flat_map(|list| &list.entries)
    }

    /// Reads a body. References to entries and lists elsewhere (`entry-ref`, `external`) are passed over: nothing is
    /// fetched, so lists that refer to each other do no harm. Beyond [`MAX_ENTRIES`] nothing is kept.
    ///
    /// # Errors
    /// It is no UTF-8, no well-formed XML, or no `<resource-lists>`.
    pub fn read(body: &[u8]) -> Result<Self, PackageError> {
        let document = xml::parse(xml::utf8(body)?, "resource-lists")?;
        let nodes = document.root_element().descendants();
        let mut left = MAX_ENTRIES;
        let mut lists = Vec::new();
        for node in nodes.filter(|node| node.tag_name().name() == "list").take(MAX_ENTRIES) {
            let entries = xml::children(node, "entry").filter_map(|entry| {
                let display = xml::child_text(entry, "display-name").and_then(kept);
                Some(Entry { uri: attribute(entry, "uri")?, display })
            });
            let entries: Vec<_> = entries.take(left).collect();
            left -= entries.len();
            let display = xml::child_text(node, "display-name").and_then(kept);
            lists.push(EntryList { name: attribute(node, "name"), display, entries });
        }
        Ok(Self { lists })
    }

    /// The body as it is sent.
    #[must_use]
    pub fn write(&self) -> String {
        let mut out = xml::Writer::new();
        out.open("resource-lists").attr("xmlns", NAMESPACE);
        for list in &self.lists {
            out.open("list").maybe_attr("name", list.name.as_ref());
            if let Some(display) = &list.display {
                out.leaf("display-name", display);
            }
            for entry in &list.entries {
                out.open("entry").attr("uri", &entry.uri);
                if let Some(display) = &entry.display {
                    out.leaf("display-name", display);
                }
                out.close();
            }
            out.close();
        }
        out.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::vec;

    #[test]
    fn lists_are_written_and_read_back() {
        let mut lists = ResourceLists::of(["sip:101@pbx.example", "sip:102@pbx.example;a=\"<&>\""]);
        lists.lists.push(EntryList {
            name: Some("front desk".into()),
            display: Some("Front & desk".into()),
            entries: vec![Entry { uri: "tel:+15550100".into(), display: Some("Ada".into()) }],
        });
        assert_eq!(ResourceLists::read(lists.write().as_bytes()).unwrap(), lists);
        assert_eq!(lists.entries().count(), 3);
    }

    #[test]
    fn lists_within_lists_follow_and_references_are_passed_over() {
        let text = "<rl:resource-lists xmlns:rl='urn:ietf:params:xml:ns:resource-lists'>\
            <rl:list name='a'><rl:entry uri='sip:1@x'/><rl:external anchor='http://x/a'/>\
            <rl:entry-ref ref='resource-lists/users/1/index/~~/list'/><rl:entry/>\
            <rl:list name='b'><rl:entry uri='sip:2@x'><rl:display-name>Two</rl:display-name></rl:entry></rl:list>\
            </rl:list></rl:resource-lists>";
        let lists = ResourceLists::read(text.as_bytes()).unwrap();
        let uris: Vec<_> = lists.entries().map(|entry| entry.uri.as_str()).collect();
        assert_eq!(uris, ["sip:1@x", "sip:2@x"]);
        assert_eq!(lists.lists.len(), 2);
    }

    #[test]
    fn more_entries_than_allowed_are_left_out() {
        let list = format!("<list>{}</list>", "<entry uri='sip:1@x'/>".repeat(900));
        let text = format!("<resource-lists>{}</resource-lists>", list.repeat(4));
        let lists = ResourceLists::read(text.as_bytes()).unwrap();
        assert_eq!(lists.entries().count(), MAX_ENTRIES);
    }
}
