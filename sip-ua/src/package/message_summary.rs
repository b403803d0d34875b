//! The package `message-summary` (RFC 3842): messages that wait.
//!
//! ```
//! use sidetone_sip_ua::package::message_summary::{MessageClass, MessageSummary};
//! let body = b"Messages-Waiting: yes\r\nMessage-Account: sip:*97@pbx.example.com\r\nVoice-Message: 2/8 (0/2)\r\n";
//! let summary = MessageSummary::parse(body).unwrap();
//! assert_eq!(summary.count(MessageClass::Voice).map(|count| count.new), Some(2));
//! assert!(summary.voice_waits(true));
//! assert_eq!(summary.write().as_bytes(), body);
//! ```

use super::PackageError;
use super::xml::loose_text;
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write as _};
use sidetone_sip_core::header::ContentType;

/// The name of the package, as Event has it.
pub const EVENT: &str = "message-summary";
/// The type of its body.
pub const CONTENT_TYPE: ContentType = ContentType::from_static("application", "simple-message-summary");
/// Classes of a summary at most: RFC 3458 has seven; further ones are not kept.
pub const MAX_CLASSES: usize = 16;
/// Messages at most whose headers are kept: more than a mailbox shows at once.
pub const MAX_MESSAGES: usize = 50;
/// Headers of one message at most that are kept.
pub const MAX_MESSAGE_HEADERS: usize = 32;

/// The state of a mailbox (RFC 3842 §5.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageSummary {
    /// `Messages-Waiting`. When a server leaves it out, whether any count has new messages.
    pub waiting: bool,
    /// `Message-Account`: the URI at which the messages are, as written.
    pub account: Option<String>,
    /// How many messages there are of each class that is named, in order; no class twice.
    pub counts: Vec<(MessageClass, MessageCount)>,
    /// Headers of single messages, if they are told: names and values.
    pub messages: Vec<Vec<(String, String)>>,
}

/// What kind of messages (RFC 3458 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageClass {
    /// `Voice-Message`
    Voice,
    /// `Video-Message`
    Video,
    /// `Fax-Message`
    Fax,
    /// `Pager-Message`
    Pager,
    /// `Multimedia-Message`
    Multimedia,
    /// `Text-Message`
    Text,
    /// `None`: messages of no class.
    None,
}

/// How many messages of a class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct MessageCount {
    /// Not yet heard.
    pub new: u32,
    /// Heard.
    pub old: u32,
    /// Urgent ones: of the new and of the old. `None` when it is not said.
    pub urgent: Option<(u32, u32)>,
}

impl MessageClass {
    const ALL: [(Self, &'static str); 7] = [
        (Self::Voice, "Voice-Message"),
        (Self::Video, "Video-Message"),
        (Self::Fax, "Fax-Message"),
        (Self::Pager, "Pager-Message"),
        (Self::Multimedia, "Multimedia-Message"),
        (Self::Text, "Text-Message"),
        (Self::None, "None"),
    ];

    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(class, _)| *class == self).map_or("None", |(_, name)| name)
    }

    fn read(name: &str) -> Option<Self> {
        // Drafts of the RFC, and the servers that were built by them, had `Voicemail`.
        if name.eq_ignore_ascii_case("Voicemail") {
            return Some(Self::Voice);
        }
        Self::ALL.iter().find(|(_, known)| known.eq_ignore_ascii_case(name)).map(|(class, _)| *class)
    }
}

impl MessageCount {
    /// New and old messages.
    #[must_use]
    pub const fn new(new: u32, old: u32) -> Self {
        Self { new, old, urgent: None }
    }

    /// The same with how many of the new and of the old ones are urgent.
    #[must_use]
    pub const fn with_urgent(mut self, new: u32, old: u32) -> Self {
        self.urgent = Some((new, old));
        self
    }

    /// `2/8 (0/2)`, `2/8`; also `2` alone, as some servers send, for new ones.
    fn read(text: &str) -> Option<Self> {
        let (counts, urgent) = match text.split_once('(') {
            Some((counts, urgent)) => (counts, Some(urgent.trim().strip_suffix(')')?)),
            None => (text, None),
        };
        let (new, old) = pair(counts)?;
        let urgent = match urgent {
            Some(urgent) => Some(pair(urgent)?),
            None => None,
        };
        Some(Self { new, old, urgent })
    }
}

impl fmt::Display for MessageCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.new, self.old)?;
        self.urgent.map_or(Ok(()), |(new, old)| write!(f, " ({new}/{old})"))
    }
}

impl MessageSummary {
    /// A summary without counts.
    #[must_use]
    pub fn new(waiting: bool) -> Self {
        Self { waiting, ..Self::default() }
    }

    /// The same with the URI at which the messages are.
    #[must_use]
    pub fn with_account(mut self, uri: &str) -> Self {
        self.account = Some(uri.to_owned());
        self
    }

    /// The same with how many messages of a class there are.
    #[must_use]
    pub fn with_count(mut self, class: MessageClass, count: MessageCount) -> Self {
        self.counts.retain(|(other, _)| *other != class);
        self.counts.push((class, count));
        self
    }

    /// How many messages of a class there are; `None` when it is not said.
    #[must_use]
    pub fn count(&self, class: MessageClass) -> Option<MessageCount> {
        self.counts.iter().find(|(other, _)| *other == class).map(|(_, count)| *count)
    }

    /// Whether the lamp for voice messages is to be lit: `Messages-Waiting: yes`, and, if `needs_voice_line`, a
    /// `Voice-Message` line beside it whatever its counts are.
    #[must_use]
    pub fn voice_waits(&self, needs_voice_line: bool) -> bool {
        self.waiting && (!needs_voice_line || self.count(MessageClass::Voice).is_some())
    }

    /// Reads a body. Forgiven are line ends of LF alone, a `Messages-Waiting` that is missing or not first, counts of
    /// one number, an empty line before the counts, and lines that nobody knows. A count that is too large is the
    /// largest.
    ///
    /// # Errors
    /// `Messages-Waiting` is neither `yes` nor `no`, a known class has no counts, or there is neither of both.
    pub fn parse(body: &[u8]) -> Result<Self, PackageError> {
        let text = loose_text(body);
        let mut summary = Self::default();
        let mut waiting = None;
        // An empty line was before: what follows are headers of messages, the first of one.
        let (mut in_messages, mut first) = (false, false);
        for (index, line) in text.lines().enumerate() {
            let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
            let clean: String = line.chars().filter(|c| !c.is_control()).collect();
            let line = clean.trim_end();
            if line.is_empty() {
                (in_messages, first) = (true, true);
                continue;
            }
            let Some((name, value)) = line.split_once(':') else { continue };
            let (name, value) = (name.trim(), value.trim());
            if in_messages && MessageClass::read(name).is_none_or(|_| MessageCount::read(value).is_none()) {
                summary.read_message_header(core::mem::take(&mut first), name, value);
                continue;
            }
            let column =
                line.find(value).and_then(|at| line.get(..at)).map_or(0, |text| text.chars().count());
            let error =
                |what: String| PackageError::new(number, u32::try_from(column + 1).unwrap_or(u32::MAX), what);
            if name.eq_ignore_ascii_case("Messages-Waiting") {
                waiting = Some(match value {
                    yes if yes.eq_ignore_ascii_case("yes") => true,
                    no if no.eq_ignore_ascii_case("no") => false,
                    other => return Err(error(format!("Messages-Waiting is {other:?}, expected yes or no"))),
                });
            } else if name.eq_ignore_ascii_case("Message-Account") {
                let bare = value.strip_prefix('<').and_then(|uri| uri.strip_suffix('>')).unwrap_or(value);
                summary.account = Some(bare.trim().to_owned()).filter(|uri| !uri.is_empty());
            } else if let Some(class) = MessageClass::read(name) {
                let count = MessageCount::read(value).ok_or_else(|| {
                    error(format!("{name} is {value:?}, expected counts as 2/8 or 2/8 (0/2)"))
                })?;
                if summary.counts.len() < MAX_CLASSES {
                    summary = summary.with_count(class, count);
                }
            }
        }
        let any_new =
            || (!summary.counts.is_empty()).then(|| summary.counts.iter().any(|(_, count)| count.new > 0));
        summary.messages.truncate(MAX_MESSAGES);
        summary.waiting = waiting
            .or_else(any_new)
            .ok_or_else(|| PackageError::new(1, 1, "expected Messages-Waiting or a line of counts"))?;
        Ok(summary)
    }

    fn read_message_header(&mut self, is_first: bool, name: &str, value: &str) {
        if is_first {
            self.messages.push(Vec::new());
        }
        // One more than is kept takes what is beyond, and is dropped at the end.
        self.messages.truncate(MAX_MESSAGES + 1);
        if let Some(message) = self.messages.last_mut()
            && message.len() < MAX_MESSAGE_HEADERS
        {
            message.push((name.to_owned(), value.to_owned()));
        }
    }

    /// The body as it is sent. What would break a line is left out of names and values.
    #[must_use]
    pub fn write(&self) -> String {
        let mut text = String::new();
        let _ = write!(text, "Messages-Waiting: {}\r\n", if self.waiting { "yes" } else { "no" });
        if let Some(account) = self.account.as_ref().filter(|account| !one_line(account).is_empty()) {
            let _ = write!(text, "Message-Account: {}\r\n", one_line(account));
        }
        for (class, count) in &self.counts {
            let _ = write!(text, "{}: {count}\r\n", class.as_str());
        }
        for message in self.messages.iter().filter(|message| !message.is_empty()) {
            text.push_str("\r\n");
            for (name, value) in message {
                let _ = write!(text, "{}: {}\r\n", one_line(name), one_line(value));
            }
        }
        text
    }
}

/// Two numbers around a slash, or one before none.
fn pair(text: &str) -> Option<(u32, u32)> {
    match text.split_once('/') {
        Some((first, second)) => Some((number(first)?, number(second)?)),
        None => Some((number(text)?, 0)),
    }
}

/// Digits, as a number that stays the largest when there are too many.
fn number(text: &str) -> Option<u32> {
    let digits = text.trim();
    let all = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    all.then(|| digits.parse().unwrap_or(u32::MAX))
}

/// A text without what ends a line, and without spaces around it, which no reader would keep.
fn one_line(text: &str) -> String {
    let line: String = text.chars().filter(|c| !c.is_control()).collect();
    line.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> MessageSummary {
        MessageSummary::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn the_example_of_the_rfc_is_read_and_written_as_it_is() {
        let text = "Messages-Waiting: yes\r\nMessage-Account: sip:alice@vmail.example.com\r\n\
            Voice-Message: 4/8 (1/2)\r\nFax-Message: 0/1\r\n\r\n\
            To: <alice@atlanta.example.com>\r\nFrom: <bob@biloxi.example.com>\r\nSubject: carpool tomorrow?\r\n\r\n\
            To: <alice@example.com>\r\nSubject: HELP! at home ill, present for me please\r\n";
        let summary = read(text);
        assert_eq!(summary.account.as_deref(), Some("sip:alice@vmail.example.com"));
        assert_eq!(summary.count(MessageClass::Voice), Some(MessageCount::new(4, 8).with_urgent(1, 2)));
        assert_eq!(summary.count(MessageClass::Fax), Some(MessageCount::new(0, 1)));
        assert_eq!(summary.count(MessageClass::Video), None);
        assert_eq!(summary.messages.len(), 2);
        assert_eq!(summary.messages[0][2], ("Subject".into(), "carpool tomorrow?".into()));
        assert_eq!(summary.messages[1].len(), 2);
        assert_eq!(summary.write(), text);
    }

    /// PAB-107: `VOICE_MESSAGE_AVAILABLE`.
    #[test]
    fn the_voice_line_may_be_needed_for_the_lamp() {
        let bare = read("Messages-Waiting: yes\r\n");
        assert!(bare.voice_waits(false) && !bare.voice_waits(true));
        let fax = read("Messages-Waiting: yes\r\nFax-Message: 1/0\r\n");
        assert!(fax.voice_waits(false) && !fax.voice_waits(true));
        let voice = read("Messages-Waiting: yes\r\nVoice-Message: 0/0\r\n");
        assert!(voice.voice_waits(false) && voice.voice_waits(true));
        let none = read("Messages-Waiting: no\r\nVoice-Message: 0/3 (0/0)\r\n");
        assert!(!none.voice_waits(false) && !none.voice_waits(true));
    }

    #[test]
    fn deployed_forms_are_read() {
        // Captured: what Kamailio 5.6.3 (`presence_mwi`) sent on.
        let kamailio = read(
            "Messages-Waiting: yes\r\nMessage-Account: sip:voicemail@127.0.0.1\r\nVoice-Message: 2/8 (0/2)\r\n",
        );
        assert_eq!(kamailio.count(MessageClass::Voice), Some(MessageCount::new(2, 8).with_urgent(0, 2)));
        assert_eq!(kamailio.account.as_deref(), Some("sip:voicemail@127.0.0.1"));
        // In the form of Asterisk, by its source and not captured: LF alone.
        let asterisk =
            read("Messages-Waiting: yes\nMessage-Account: sip:asterisk@10.0.0.1\nVoice-Message: 1/0 (0/0)\n");
        assert_eq!(asterisk.count(MessageClass::Voice), Some(MessageCount::new(1, 0).with_urgent(0, 0)));
        assert_eq!(
            read("messages-waiting : YES\r\nvoice-message:3\r\n").counts[0].1,
            MessageCount::new(3, 0)
        );
        assert_eq!(read("Voice-Message: 2 / 8 ( 0 / 2 )\r\n").counts[0].1.urgent, Some((0, 2)));
        assert!(read("Voicemail: 1/0\r\n").waiting);
        assert!(!read("Voice-Message: 0/9\r\n").waiting);
        let apart = read("Messages-Waiting: yes\r\n\r\n\r\nVoice-Message: 1/0\r\nSubject: a\r\nTo: b\r\n");
        assert_eq!((apart.counts.len(), apart.messages.len()), (1, 1));
        assert_eq!(apart.messages[0].len(), 2);
        assert!(read("\r\nX-Server: this\r\nnothing\r\nMessages-Waiting: yes\r\n").waiting);
        assert_eq!(
            read("Messages-Waiting: no\r\nMessage-Account: <sip:1@a>\r\n").account.as_deref(),
            Some("sip:1@a")
        );
        assert_eq!(read("Messages-Waiting: no\r\nMessage-Account:\r\n").account, None);
    }

    #[test]
    fn errors_say_where_and_what() {
        let error = |text: &str| MessageSummary::parse(text.as_bytes()).unwrap_err();
        let said = error("Messages-Waiting: maybe\r\n");
        assert_eq!((said.line, said.column), (1, 19));
        assert!(said.what.contains("expected yes or no"), "{said}");
        let said = error("Messages-Waiting: yes\r\nVoice-Message: many\r\n");
        assert_eq!((said.line, said.column), (2, 16));
        for wrong in
            ["", "\0\0", "Subject: x", "Voice-Message: 1/x", "Voice-Message: -1/0", "Fax-Message: 1/0 (1"]
        {
            error(wrong);
        }
    }

    #[test]
    fn growth_is_bounded_and_huge_counts_are_the_largest() {
        assert_eq!(read("Voice-Message: 99999999999999999999/1").counts[0].1.new, u32::MAX);
        let mut text = String::from("Messages-Waiting: yes\r\n");
        (0..1000).for_each(|_| text.push_str("Voice-Message: 1/1\r\n"));
        (0..1000).for_each(|_| {
            text.push_str("\r\n");
            (0..100).for_each(|_| text.push_str("A: b\r\n"));
        });
        let summary = read(&text);
        assert_eq!(summary.counts.len(), 1);
        assert_eq!(summary.messages.len(), MAX_MESSAGES);
        assert!(summary.messages.iter().all(|message| message.len() == MAX_MESSAGE_HEADERS));
    }

    #[test]
    fn nothing_breaks_out_of_a_line() {
        let summary = MessageSummary::new(true).with_account("sip:a@b\r\nVoice-Message: 9/9");
        assert_eq!(read(&summary.write()).counts, []);
    }
}
