//! What passes between the telephone and its user agent: signals in, commands out; and the sounds it makes.

use super::hot_desk::Secret;
use super::{CallRef, Ended, LineTold, Member, Peer, Quality, RecordOrder, RecordingOver, TransferProgress};
use core::time::Duration;
use sidetone_hal::keypad::Key;
use sidetone_media::page::PageAddress;
use sidetone_sip_core::StatusCode;
use sidetone_sip_ua::feature::auto_answer::IntercomForm;
use sidetone_sip_ua::feature::hook_flash::FlashKind;
use sidetone_sip_ua::feature::outbox::TextId;
use sidetone_sip_ua::package::blf::{BlfState, Pickup};
use sidetone_sip_ua::package::charge::AdviceOfCharge;
use sidetone_sip_ua::package::feature_sync::{FeatureEvent, FeatureRequest, HotelingEvent, SetHoteling};
use sidetone_sip_ua::{JoinOrder, RemoteIdentity};

/// How an account stands, as far as the screen is concerned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Registration {
    /// It is not asked to register, or took its registration back.
    #[default]
    Off,
    /// On its way.
    Registering,
    /// Calls reach us.
    Registered,
    /// Refused or unreachable; in words.
    Failed(String),
}

/// What the user agent reports.
#[derive(Clone, Debug, PartialEq)]
pub enum Signal {
    /// An account's registration changed.
    Registration {
        /// Which account, counted from 0.
        account: usize,
        /// To what.
        state: Registration,
    },
    /// Whether the way to an account's server is encrypted, and the server who it says.
    Secure {
        /// Which account, counted from 0.
        account: usize,
        /// Whether.
        secure: bool,
    },
    /// An outgoing call rings at the other side.
    Ringing {
        /// Which call.
        call: CallRef,
        /// Whether the other side sends sound already, so that ours keeps quiet.
        early_media: bool,
    },
    /// The call is up.
    Established {
        /// Which call.
        call: CallRef,
    },
    /// The codec in use, once it is known.
    Codec {
        /// Which call.
        call: CallRef,
        /// Its name, such as `PCMU`.
        name: &'static str,
        /// Whether speech is encrypted.
        encrypted: bool,
    },
    /// How a call sounded, told before its end.
    Quality {
        /// Which call.
        call: CallRef,
        /// What was measured.
        quality: Quality,
    },
    /// Our hold is in force.
    Held(CallRef),
    /// Our hold is over, or could not be put in force.
    Resumed(CallRef),
    /// The other side holds us.
    RemoteHold(CallRef),
    /// The other side takes us back.
    RemoteResume(CallRef),
    /// The other side pressed a key.
    Dtmf {
        /// Which call.
        call: CallRef,
        /// The key.
        digit: char,
    },
    /// The other side is somebody else now, or the network tells who it is.
    Peer {
        /// Which call.
        call: CallRef,
        /// Who.
        peer: Peer,
    },
    /// A message of the call says who the other side is.
    Identity {
        /// Which call.
        call: CallRef,
        /// Who.
        identity: Box<RemoteIdentity>,
    },
    /// The other side sends a call of ours elsewhere, and the settings have the person asked. [`Command::Follow`] is what comes of a
    /// yes.
    Redirected {
        /// Which call.
        call: CallRef,
        /// Where to: the first of the new targets.
        to: Peer,
    },
    /// What is heard of a transfer that we asked for.
    Transfer {
        /// The call that is transferred.
        call: CallRef,
        /// What.
        progress: TransferProgress,
    },
    /// The extension that a key watches is so now.
    Extension {
        /// Which key.
        key: Key,
        /// How it is.
        state: Box<BlfState>,
    },
    /// The server was asked to record a call, or to stop.
    Recorded {
        /// Which call.
        call: CallRef,
        /// Whether it took that.
        taken: bool,
    },
    /// What a call costs, as its server tells (advice of charge).
    Charge {
        /// Which call.
        call: CallRef,
        /// What it told.
        advice: Box<AdviceOfCharge>,
    },
    /// An account's server tells how a feature stands that it keeps (`as-feature-event`); `None`: it tells no more, and the
    /// telephone's own settings count.
    Features {
        /// Which account, counted from 0.
        account: usize,
        /// What it told.
        event: Option<Box<FeatureEvent>>,
    },
    /// An account's server tells who uses the telephone as guest, or wants a password of who does; `None`: it tells no more.
    Guest {
        /// Which account, counted from 0.
        account: usize,
        /// What it told.
        event: Option<Box<HotelingEvent>>,
    },
    /// A recording of the telephone's own has ended.
    RecordingOver(RecordingOver),
    /// The names of the recordings, the newest first; `None`: the storage cannot be read.
    Recordings(Option<Vec<String>>),
    /// What [`Command::PlayRecording`] plays is over, or cannot be played.
    RecordingPlayed,
    /// The list of extensions that an account's server keeps is so now.
    Members {
        /// Whose, counted from 0.
        account: usize,
        /// Its members, in the order of the server.
        members: Vec<Member>,
    },
    /// Whoever is waited for is so now.
    Awaited {
        /// Who.
        number: String,
        /// How they are.
        state: Box<BlfState>,
    },
    /// Messages wait in the voice mail, or do not.
    Messages {
        /// Whose, counted from 0.
        account: usize,
        /// Whether.
        waiting: bool,
        /// How many are new, where that is told.
        new: u32,
    },
    /// A text came.
    Text {
        /// The account that it came to, counted from 0.
        account: usize,
        /// Who wrote it.
        from: String,
        /// What.
        text: String,
    },
    /// What became of a text of ours.
    TextAnswered {
        /// Which.
        id: TextId,
        /// The final status; 408 stands for silence, 503 for what could not be sent.
        status: StatusCode,
        /// When it may be sent again, where the server says so.
        retry_after: Option<Duration>,
    },
    /// The person wrote a text, elsewhere than on the phone's keys.
    WriteText {
        /// On which account, counted from 0.
        account: usize,
        /// To whom: a number or an address.
        to: String,
        /// What.
        text: String,
    },
    /// The network told where the phone's settings are (plug and play).
    Profile {
        /// Where.
        url: String,
    },
    /// Texts that wait to be sent are not kept over a restart, or of those that were not all read.
    TextsNotKept,
    /// Who uses the telephone could not be kept: it stays without an account.
    NotKept,
    /// A server wants this call answered, or taken back (event package `talk`).
    ClickToTalk(CallRef),
    /// A server wants this call held (`hold`).
    ClickToHold(CallRef),
    /// A server wants the settings read again (`check-sync`).
    Resync {
        /// With a restart.
        reboot: bool,
    },
    /// The focus of a conference told who is in it, as the screen names them.
    People {
        /// Our call with it.
        call: CallRef,
        /// Who.
        people: Vec<String>,
    },
    /// What comes of somebody who was to be brought into a conference of the server.
    BroughtIn {
        /// Our call with them.
        call: CallRef,
        /// What.
        progress: TransferProgress,
    },
    /// The calls could not be joined, in words.
    NotJoined(String),
    /// The call is over.
    Ended {
        /// Which call.
        call: CallRef,
        /// Why.
        cause: Ended,
    },
    /// Something is heard of a shared line.
    Line {
        /// Which, by its place in [`shared_lines`](super::shared_lines).
        line: usize,
        /// What.
        told: Box<LineTold>,
    },
    /// A multicast page plays, under this title; `None`: none does any more.
    Page(Option<String>),
}

/// What the firmware wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Call a number or an address.
    Call {
        /// The new call's name in signals to come.
        call: CallRef,
        /// On which account, counted from 0.
        account: usize,
        /// What was dialled.
        number: String,
    },
    /// The same on an appearance of a shared line, which the INVITE names: one that was seized, or, with the line's own
    /// number, one whose held call is taken.
    CallOnLine {
        /// The new call's name in signals to come.
        call: CallRef,
        /// On which account, counted from 0.
        account: usize,
        /// What was dialled.
        number: String,
        /// Which line.
        line: usize,
        /// Which of its appearances, from 1.
        index: u16,
    },
    /// Seize an appearance of a shared line before it is dialled on (`line-seize`).
    SeizeLine {
        /// Which line.
        line: usize,
        /// Which of its appearances, from 1.
        index: u16,
    },
    /// Nobody dials on it: end that subscription, if there is one.
    ReleaseLine {
        /// Which line.
        line: usize,
        /// Which of its appearances, from 1.
        index: u16,
    },
    /// Comes before [`Command::Hold`] and [`Command::Resume`] of a call on a shared line: what its re-INVITE says of it.
    MarkHold {
        /// Which call.
        call: CallRef,
        /// On which line.
        line: usize,
        /// On which of its appearances, from 1.
        index: u16,
        /// Held for ourselves, or so that everybody may take it; `None` when it is taken back.
        private: Option<bool>,
    },
    /// Take the call.
    Answer(CallRef),
    /// Refuse the call: busy here.
    Reject(CallRef),
    /// End the call, or give up calling.
    HangUp(CallRef),
    /// Put it on hold.
    Hold(CallRef),
    /// Take it back.
    Resume(CallRef),
    /// Send a key press.
    Dtmf {
        /// Over which call.
        call: CallRef,
        /// The key.
        digit: char,
    },
    /// Ask the other side to call a number: a blind transfer. Hang up when that has succeeded.
    Transfer {
        /// Whom to ask.
        call: CallRef,
        /// What was dialled.
        number: String,
    },
    /// Ask the other side to take the place of another call of ours: an attended transfer. Hang up both when that has
    /// succeeded.
    TransferTo {
        /// Whom to ask.
        call: CallRef,
        /// The call whose place is taken.
        to: CallRef,
    },
    /// Have the other side of a call join the conference of the server, and hang up once it is there.
    BringIn {
        /// The call.
        call: CallRef,
        /// Our call with the conference.
        focus: CallRef,
        /// Who is asked.
        order: JoinOrder,
    },
    /// Have a conference of the server, with which there is no call, take a call over; the call ends once it is there.
    SendToRoom {
        /// The call.
        call: CallRef,
        /// On which account the conference is asked, counted from 0.
        account: usize,
        /// The conference: a number or an address.
        room: String,
    },
    /// Let a call go where the other side sends it.
    Follow(CallRef),
    /// Give up a call of ours that rings, which comes from elsewhere next: who rings has missed nothing.
    Withdraw(CallRef),
    /// Call somebody whose telephone is to answer at once.
    Intercom {
        /// The new call's name in signals to come.
        call: CallRef,
        /// On which account, counted from 0.
        account: usize,
        /// What was dialled.
        number: String,
        /// How the call says that.
        form: IntercomForm,
    },
    /// Send what is spoken into this call to a multicast address, until it is hung up or held.
    Page {
        /// Its name in signals to come.
        call: CallRef,
        /// Where.
        address: PageAddress,
    },
    /// Watch this number, and tell how it is by [`Signal::Awaited`]; in place of another one that was waited for.
    Await {
        /// By which account, counted from 0.
        account: usize,
        /// Whom.
        number: String,
    },
    /// Watch it no more.
    AwaitNoMore,
    /// Take a call that rings elsewhere.
    PickUp {
        /// The new call's name in signals to come.
        call: CallRef,
        /// On which account, counted from 0.
        account: usize,
        /// What takes it.
        pickup: Pickup,
    },
    /// Read the settings again, and restart if that is wanted. No call is left.
    Reload {
        /// Whether to restart.
        reboot: bool,
    },
    /// Join these calls, or those of them that are not joined yet.
    Join(Vec<CallRef>),
    /// Part the calls that are joined.
    Split,
    /// Take every account's registration back, and forget the accounts: another person takes the telephone over.
    ClearAccounts,
    /// Give the telephone to this user, and begin anew.
    SignIn {
        /// Whose it is now.
        user: String,
        /// The password of the account.
        password: Secret,
    },
    /// Send a text.
    SendText {
        /// Its name in the signal to come.
        id: TextId,
        /// On which account, counted from 0.
        account: usize,
        /// To whom.
        to: String,
        /// What.
        text: String,
    },
    /// Record a call to the telephone's storage, or stop.
    RecordHere {
        /// Which call.
        call: CallRef,
        /// What.
        order: RecordOrder,
    },
    /// Say which recordings there are ([`Signal::Recordings`]).
    ListRecordings,
    /// Play a recording of that list over the loudspeaker, from its beginning; `None` ends that.
    PlayRecording(Option<String>),
    /// Ask an account's server for a guest, or for none any more: SUBSCRIBE with a document.
    AskGuest {
        /// Which account, counted from 0.
        account: usize,
        /// The document.
        request: Box<SetHoteling>,
    },
    /// Ask the server to record a call, or to stop: INFO with the header `Record`.
    Record {
        /// Which call.
        call: CallRef,
        /// Whether.
        on: bool,
    },
    /// Tell the server of a hook flash, by INFO.
    Flash {
        /// In which call.
        call: CallRef,
        /// In which form.
        kind: FlashKind,
    },
    /// Ask an account's server for another state of a feature that it keeps.
    AskServer {
        /// Which account, counted from 0.
        account: usize,
        /// What for.
        request: Box<FeatureRequest>,
    },
    /// Stop the page that plays.
    DismissPage,
}

/// A sound that the phone makes by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sound {
    /// Ready for a number.
    DialTone,
    /// The same while messages wait.
    StutterDialTone,
    /// The same while there is another call.
    RecallDialTone,
    /// The other side rings.
    Ringback,
    /// The other side is busy.
    Busy,
    /// The call failed, or ended while the handset is still up.
    Congestion,
    /// Somebody calls: the ringer.
    Ring,
    /// The same with the melody of this number, from 1.
    Melody(u8),
    /// The same in a cadence that the server chose, 1 to 5.
    Bellcore(u8),
    /// A call is about to answer itself.
    Warning,
    /// Somebody calls while we talk.
    CallWaiting,
    /// A call is on hold, and waits for long.
    HoldTone,
    /// The call on the screen is on hold.
    Held,
}

impl Sound {
    /// Whether it is one of the ringer's.
    #[must_use]
    pub const fn is_ring(self) -> bool {
        matches!(self, Self::Ring | Self::Melody(_) | Self::Bellcore(_))
    }
}
