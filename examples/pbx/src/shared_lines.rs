//! The shared lines of the site: which call is on which appearance, and with which telephone.
//!
//! A line is a number that rings at all its members; each of its calls has an appearance, which the proxy gives to a call
//! that comes in, and a member's telephone takes for one that goes out. What happens to the calls the proxy tells.

use crate::dialogs::{DialogState, Direction, UserDialog};
use hashbrown::HashMap;
use sidetone_hal::time::{Duration, Instant};
use sidetone_sip_core::header::{Contact, From};
use sidetone_sip_core::{Headers, Target, Uri};
use sidetone_sip_ua::feature::shared_line::{AppearanceState, AppearanceTable, Taken};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Shared lines at most. With their appearances this bounds the calls that are kept.
pub const MAX_SHARED_LINES: usize = 1000;
/// How long an appearance is seized at most.
const LONGEST_SEIZURE: Duration = Duration::from_secs(60);

/// The lines, and the calls that are on them. What happens to a call is O(1) in the lines and calls; to take a held one is
/// O(n) in the calls on lines, and the next deadline O(n) in the lines.
#[derive(Default)]
pub(crate) struct SharedLines {
    lines: HashMap<Arc<str>, Line>,
    /// By Call-ID; a call from one line to another is here twice.
    calls: HashMap<String, Vec<LineCall>>,
    changed: BTreeSet<Arc<str>>,
    /// What the telephones have seized that have not called yet, the oldest first: not all say in the INVITE where it
    /// belongs. At most as many as there are appearances.
    seized: HashMap<String, Vec<(Arc<str>, u16)>>,
}

struct Line {
    members: Arc<[String]>,
    table: AppearanceTable,
    /// The calls of the appearances, by their number.
    dialogs: BTreeMap<u16, LineDialog>,
    /// The members with telephones whose line is a bridged one.
    bridged: BTreeSet<String>,
}

/// The dialog of a call on a shared line, as the end that shares the line has it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LineDialog {
    /// Its Call-ID.
    pub call_id: String,
    /// Whether that end calls, or is called.
    pub side: Direction,
    /// The tags of that end and of the other; not before the call is answered.
    pub tags: Option<(String, String)>,
}

/// A call on a line.
#[derive(Clone, Debug)]
pub(crate) struct LineCall {
    pub(crate) line: Arc<str>,
    pub(crate) index: u16,
    from_tag: String,
    /// Whether somebody who shares the line calls, or is called.
    pub(crate) side: Direction,
    /// The telephone that has it.
    holder: String,
    /// It asks for the held call of the appearance.
    takes: bool,
    /// Both ends, once it is answered.
    ends: Option<Ends>,
}

/// Both ends of an answered call on a line.
#[derive(Clone, Debug)]
pub(crate) struct Ends {
    /// The one that shares the line.
    pub(crate) near: CallEnd,
    pub(crate) far: CallEnd,
}

/// An end of a call.
#[derive(Clone, Debug)]
pub(crate) struct CallEnd {
    pub(crate) tag: String,
    /// A user or an extension.
    pub(crate) user: String,
    /// Where its requests go, and how it is reached.
    pub(crate) telephone: Option<(Uri, Target)>,
    /// It takes an INVITE in the place of its call (RFC 3891).
    pub(crate) replaces: bool,
}

/// A shared line as its subscribers are told of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LineState {
    /// Its number.
    pub number: Arc<str>,
    /// Who shares it: users.
    pub members: Arc<[String]>,
    /// What each of its appearances is used for.
    pub table: AppearanceTable,
    /// The calls of its appearances, by their number.
    pub dialogs: BTreeMap<u16, LineDialog>,
}

/// What names a telephone: its account, and where it is reached.
pub(crate) fn device(headers: &Headers) -> String {
    let user = headers.get::<From>().and_then(Result::ok);
    let user = user.and_then(|from| from.uri.user().map(|user| user.into_owned())).unwrap_or_default();
    device_of(&user, headers)
}

/// The same when the account is known otherwise.
pub(crate) fn device_of(user: &str, headers: &Headers) -> String {
    match headers.get::<Contact>() {
        Some(Ok(Contact::Addr(address))) => {
            format!("{user} {}:{}", address.uri.host_str(), address.uri.port().unwrap_or(5060))
        }
        _ => user.into(),
    }
}

impl SharedLines {
    /// False when there are too many lines.
    pub(crate) fn add(&mut self, number: &str, members: Vec<String>, appearances: u16) -> bool {
        if self.lines.len() >= MAX_SHARED_LINES && !self.lines.contains_key(number) {
            return false;
        }
        let number: Arc<str> = number.into();
        let line = Line {
            members: members.into(),
            table: AppearanceTable::new(appearances),
            dialogs: BTreeMap::new(),
            bridged: BTreeSet::new(),
        };
        self.changed.insert(Arc::clone(&number));
        self.lines.insert(number, line);
        true
    }

    pub(crate) fn table(&self, number: &str) -> Option<&AppearanceTable> {
        self.lines.get(number).map(|line| &line.table)
    }

    pub(crate) fn is_line(&self, number: &str) -> bool {
        self.lines.contains_key(number)
    }

    /// Whether a user shares a line: a member, or who has the line's number as the account's name.
    pub(crate) fn shares(&self, number: &str, user: &str) -> bool {
        self.lines.get(number).is_some_and(|line| line.members.iter().any(|member| member == user))
    }

    /// A line that changed, as it is now.
    pub(crate) fn poll_change(&mut self) -> Option<LineState> {
        let number = self.changed.pop_first()?;
        let line = self.lines.get(&number)?;
        let (members, table) = (Arc::clone(&line.members), line.table.clone());
        Some(LineState { number, members, table, dialogs: line.dialogs.clone() })
    }

    /// A member's telephone is about to dial.
    pub(crate) fn seize(
        &mut self,
        now: Instant,
        number: &str,
        index: Option<u16>,
        holder: &str,
        lasts: Duration,
    ) -> Result<u16, Taken> {
        let lasts = lasts.min(LONGEST_SEIZURE);
        let seized = self.with(number, |table| table.seize(now, index, holder, lasts));
        if let (Some(Ok(index)), Some((line, _))) = (seized, self.lines.get_key_value(number)) {
            let line = Arc::clone(line);
            self.forget_seized(Some(holder));
            let seized = self.seized.entry(holder.into()).or_default();
            if !seized.iter().any(|(known, own)| *known == line && *own == index) {
                seized.push((line, index));
            }
        }
        seized.unwrap_or(Err(Taken::NoSuch))
    }

    /// The appearance that a telephone has seized and has not called on yet: of several the oldest, as whoever has a dial
    /// tone dials before he takes the next.
    pub(crate) fn seized_by(&self, holder: &str) -> Option<(&str, u16)> {
        let holds = |(line, index): &&(Arc<str>, u16)| {
            self.lines.get(line).is_some_and(|line| line.table.is_seized_by(*index, holder))
        };
        let (line, index) = self.seized.get(holder)?.iter().find(holds)?;
        Some((line, *index))
    }

    /// Forgets what was seized, by this telephone or by all, and is not any more.
    fn forget_seized(&mut self, holder: Option<&str>) {
        let lines = &self.lines;
        let left = |holder: &str, seized: &mut Vec<(Arc<str>, u16)>| {
            seized.retain(|(line, index)| {
                lines.get(line).is_some_and(|line| line.table.is_seized_by(*index, holder))
            });
            !seized.is_empty()
        };
        match holder {
            Some(holder) => {
                if self.seized.get_mut(holder).is_some_and(|seized| !left(holder, seized)) {
                    self.seized.remove(holder);
                }
            }
            None => self.seized.retain(|holder, seized| left(holder, seized)),
        }
    }

    /// A telephone of this member has the line as a bridged one.
    pub(crate) fn note_bridged(&mut self, number: &str, user: &str) {
        if let Some(line) = self.lines.get_mut(number)
            && line.members.iter().any(|member| member == user)
        {
            line.bridged.insert(user.into());
        }
    }

    /// Whether it is so.
    pub(crate) fn is_bridged(&self, number: &str, user: &str) -> bool {
        self.lines.get(number).is_some_and(|line| line.bridged.contains(user))
    }

    /// The telephone that holds a call wants nobody else to take it.
    pub(crate) fn keep(&mut self, number: &str, index: u16, holder: &str) {
        self.with(number, |table| {
            if table.holder(index) == Some(holder) && table.state(index) == AppearanceState::Held {
                table.hold(index, AppearanceState::HeldPrivate);
            }
        });
    }

    /// The answered call on a line that has these tags, and what its appearance is used for: the first is that of the end
    /// that shares the line.
    pub(crate) fn named(
        &self,
        call_id: &str,
        (near_tag, far_tag): (&str, &str),
    ) -> Option<(&LineCall, &Ends, AppearanceState)> {
        let calls = self.calls.get(call_id)?;
        let tags = |ends: &Ends| ends.near.tag == near_tag && ends.far.tag == far_tag;
        let call = calls.iter().find(|call| call.ends.as_ref().is_some_and(tags))?;
        let state = self.lines.get(&call.line)?.table.state(call.index);
        Some((call, call.ends.as_ref()?, state))
    }

    /// It does not dial after all.
    pub(crate) fn release(&mut self, number: &str, index: u16, holder: &str) {
        self.with(number, |table| table.release(index, holder));
        self.forget_seized(Some(holder));
    }

    /// A call comes in for a line: its appearance, unless all are in use.
    pub(crate) fn incoming(&mut self, number: &str, call: (&str, &str), uri: &str) -> Option<u16> {
        let index = self.with(number, |table| table.alert(Some(uri)))??;
        self.note(number, index, call, Direction::Recipient, "", false);
        Some(index)
    }

    /// A member's telephone calls on an appearance; false when it is not its own.
    pub(crate) fn outgoing(
        &mut self,
        number: &str,
        index: u16,
        call: (&str, &str),
        holder: &str,
        uri: &str,
    ) -> bool {
        let state = AppearanceState::Progressing;
        // One call at a time: what the telephone has there already is not another call's.
        let free = |table: &mut AppearanceTable| {
            let idle = table.state(index) == AppearanceState::Idle || table.is_seized_by(index, holder);
            idle && table.call(index, holder, state, Some(uri))
        };
        let taken = self.with(number, free).unwrap_or(false);
        if taken {
            self.note(number, index, call, Direction::Initiator, holder, false);
        }
        taken
    }

    /// The held call of an appearance, if everybody may take it and nobody else is about to.
    pub(crate) fn retrievable(&self, number: &str, index: u16) -> Option<(&str, &Ends)> {
        let line = self.lines.get(number)?;
        if !matches!(line.table.state(index), AppearanceState::Held | AppearanceState::BridgeHeld) {
            return None;
        }
        let here = |call: &&LineCall| &*call.line == number && call.index == index;
        let all = || self.calls.iter().flat_map(|(id, calls)| calls.iter().map(move |call| (id, call)));
        if all().any(|(_, call)| here(&call) && call.takes) {
            return None;
        }
        let (id, held) = all().find(|(_, call)| here(call) && call.ends.is_some())?;
        Some((id.as_str(), held.ends.as_ref()?))
    }

    /// A telephone asks for the held call.
    pub(crate) fn retrieving(&mut self, number: &str, index: u16, call: (&str, &str), holder: &str) {
        self.note(number, index, call, Direction::Initiator, holder, true);
    }

    /// The calls of a request on lines.
    pub(crate) fn of_call(&self, (call_id, from_tag): (&str, &str)) -> impl Iterator<Item = &LineCall> {
        let calls = self.calls.get(call_id).map_or(&[][..], Vec::as_slice);
        calls.iter().filter(move |call| call.from_tag == from_tag)
    }

    /// A call was answered. `holder` is the telephone that did; the ends are told for each side that may share a line.
    pub(crate) fn answered(
        &mut self,
        (call_id, from_tag): (&str, &str),
        holder: &str,
        ends: impl Fn(Direction) -> Ends,
    ) {
        let Some(calls) = self.calls.get_mut(call_id) else { return };
        let (mut moved, mut dialogs) = (Vec::new(), Vec::new());
        for call in calls.iter_mut().filter(|call| call.from_tag == from_tag && call.ends.is_none()) {
            if call.side == Direction::Recipient {
                call.holder = holder.into();
            }
            let ends = ends(call.side);
            let tags = Some((ends.near.tag.clone(), ends.far.tag.clone()));
            let dialog = LineDialog { call_id: call_id.into(), side: call.side, tags };
            dialogs.push((Arc::clone(&call.line), call.index, dialog));
            call.ends = Some(ends);
            let taken = core::mem::take(&mut call.takes);
            moved.push((Arc::clone(&call.line), call.index, call.holder.clone(), taken));
        }
        for (line, index, dialog) in dialogs {
            self.tell_dialog(&line, index, dialog);
        }
        for (line, index, holder, taken) in moved {
            if taken {
                // What becomes of the call that was held there is nobody's business any more.
                let other = |id: &str| id != call_id;
                for (id, calls) in &mut self.calls {
                    calls.retain(|call| !(other(id) && call.line == line && call.index == index));
                }
                self.calls.retain(|_, calls| !calls.is_empty());
            }
            self.with(&line, |table| {
                // It is idle when the far end hung up in the very moment.
                table.hand_over(index, &holder) || table.call(index, &holder, AppearanceState::Active, None)
            });
        }
    }

    /// A change of the session was agreed on that the end with this tag offered: `holds` says whether it wants to hear
    /// nothing.
    pub(crate) fn offered(&mut self, call_id: &str, sender: &str, holds: bool, private: bool) {
        let near = |call: &&LineCall| call.ends.as_ref().is_some_and(|ends| ends.near.tag == sender);
        let calls = self.calls.get(call_id).into_iter().flatten().filter(near);
        let state = match (holds, private) {
            (true, true) => AppearanceState::HeldPrivate,
            (true, false) => AppearanceState::Held,
            (false, _) => AppearanceState::Active,
        };
        for (line, index) in calls.map(|call| (Arc::clone(&call.line), call.index)).collect::<Vec<_>>() {
            self.with(&line, |table| table.hold(index, state));
        }
    }

    /// A dialog of a user changed: with the caller's ends the call.
    pub(crate) fn on_dialog(&mut self, dialog: &UserDialog) {
        if dialog.direction == Direction::Initiator
            && matches!(dialog.state, DialogState::Terminated(_))
            && let Some(from_tag) = dialog.local_tag.as_deref()
        {
            self.ended((&dialog.call_id, from_tag));
        }
    }

    /// A call is over.
    pub(crate) fn ended(&mut self, (call_id, from_tag): (&str, &str)) {
        let Some(calls) = self.calls.get_mut(call_id) else { return };
        let (over, left) = core::mem::take(calls).into_iter().partition(|call| call.from_tag == from_tag);
        *calls = left;
        if calls.is_empty() {
            self.calls.remove(call_id);
        }
        let over: Vec<LineCall> = over;
        for call in over.into_iter().filter(|call| !call.takes) {
            self.with(&call.line, |table| table.end(call.index));
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        let due: Vec<Arc<str>> = self.due(now).map(Arc::clone).collect();
        if due.is_empty() {
            return;
        }
        for number in due {
            self.with(&number, |table| table.handle_timeout(now));
        }
        self.forget_seized(None);
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.lines.values().filter_map(|line| line.table.poll_timeout()).min()
    }

    fn due(&self, now: Instant) -> impl Iterator<Item = &Arc<str>> {
        let due = move |line: &Line| line.table.poll_timeout().is_some_and(|at| at <= now);
        self.lines.iter().filter(move |(_, line)| due(line)).map(|(number, _)| number)
    }

    fn note(
        &mut self,
        number: &str,
        index: u16,
        (call_id, from_tag): (&str, &str),
        side: Direction,
        holder: &str,
        takes: bool,
    ) {
        let Some((line, _)) = self.lines.get_key_value(number) else { return };
        let line = Arc::clone(line);
        if !takes {
            self.tell_dialog(&line, index, LineDialog { call_id: call_id.into(), side, tags: None });
        }
        self.forget_seized(Some(holder));
        let call = LineCall {
            line,
            index,
            from_tag: from_tag.into(),
            side,
            holder: holder.into(),
            takes,
            ends: None,
        };
        self.calls.entry(call_id.into()).or_default().push(call);
    }

    /// A call of a line has another dialog now.
    fn tell_dialog(&mut self, line: &Arc<str>, index: u16, dialog: LineDialog) {
        let Some(known) = self.lines.get_mut(line) else { return };
        if known.table.state(index) != AppearanceState::Idle
            && known.dialogs.insert(index, dialog.clone()) != Some(dialog)
        {
            self.changed.insert(Arc::clone(line));
        }
    }

    fn with<T>(&mut self, number: &str, change: impl FnOnce(&mut AppearanceTable) -> T) -> Option<T> {
        let (name, _) = self.lines.get_key_value(number)?;
        let name = Arc::clone(name);
        let line = self.lines.get_mut(number)?;
        let before = line.table.changes();
        let result = change(&mut line.table);
        if line.table.changes() != before {
            let table = &line.table;
            line.dialogs.retain(|index, _| table.state(*index) != AppearanceState::Idle);
            self.changed.insert(name);
        }
        Some(result)
    }
}
