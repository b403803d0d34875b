//! The dialogs of each user, as the proxy sees them pass: what a notifier of the dialog package (RFC 4235) tells.
//!
//! A call has one row for its caller and one for each user or extension that it was sent to, however many telephones
//! that user has: a lamp shows a line, not a fork. A row begins as trying, becomes early with the first 18x that has
//! a tag, and confirmed with the 2xx; the rows of those who were called and did not answer end then. A row ends by the
//! BYE that passes here, by the session timer of RFC 4028 when the call has one and no refresh passes, or after
//! [`CallConfig::longest_call`](crate::CallConfig::longest_call): a telephone whose power failed says no BYE.

use hashbrown::HashMap;
use sidetone_hal::time::{Duration, Instant};
use sidetone_sip_core::{NameAddr, Uri};
use std::collections::{BTreeSet, VecDeque};

/// Rows of one user at a time; further ones are not watched. A conference room has one for each caller.
pub const MAX_DIALOGS_PER_USER: usize = 64;
/// Rows of all users at a time; further ones are not watched. About half a kilobyte each.
pub const MAX_DIALOGS: usize = 50_000;
/// Changes kept for an owner that does not take them; older ones give way.
const MAX_CHANGES: usize = 10_000;
/// How much later than the session timer says a dialog counts as over: the BYE of RFC 4028 §10 comes before.
const SESSION_GRACE: Duration = Duration::from_secs(60);

/// Names a row for as long as the process runs: what the `id` of a dialog-info document is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DialogId(pub u64);

/// Who began a dialog, seen from the user (RFC 4235 §4.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The user calls.
    Initiator,
    /// The user is called.
    Recipient,
}

/// Where a dialog stands (RFC 4235 §3.7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DialogState {
    /// The INVITE is on its way.
    Trying,
    /// It rings, or something is played before the answer.
    Early,
    /// Answered.
    Confirmed,
    /// Over.
    Terminated(DialogEnd),
}

/// Why a dialog is over (the `event` of RFC 4235 §4.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DialogEnd {
    /// The caller gave up, or somebody else has the call.
    Cancelled,
    /// Refused with this status.
    Rejected(u16),
    /// A BYE.
    HungUp,
    /// Neither a BYE nor a refresh came.
    TimedOut,
}

/// One dialog of one user.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct UserDialog {
    /// Its name here.
    pub id: DialogId,
    /// Whose it is: a user or an extension.
    pub user: String,
    /// Whether the user calls or is called.
    pub direction: Direction,
    /// Where it stands.
    pub state: DialogState,
    /// The call's Call-ID.
    pub call_id: String,
    /// The tag of the user's end; none before a called telephone has said one.
    pub local_tag: Option<String>,
    /// The tag of the other end; none before a called telephone has said one.
    pub remote_tag: Option<String>,
    /// The other side: the From of a call that comes in, the To of one that goes out. Without tag.
    pub remote: NameAddr,
    /// When the call began.
    pub since: Instant,
}

/// What a call's rows have in common.
pub(crate) struct NewCall<'a> {
    pub(crate) call_id: &'a str,
    pub(crate) from_tag: &'a str,
    pub(crate) caller: &'a str,
    pub(crate) from: &'a NameAddr,
    pub(crate) to: &'a NameAddr,
    /// The response context.
    pub(crate) context: u64,
}

struct Row {
    dialog: UserDialog,
    /// The caller's tag: with the Call-ID it names the call.
    from_tag: String,
    context: u64,
    deadline: Instant,
    /// Of the session timer, once one was agreed on.
    interval: Option<Duration>,
}

/// The rows, with what changed since somebody looked.
///
/// To begin, change or end a row is O(log n) in all rows, and linear in the rows of its call and of its user, which are
/// few.
pub struct DialogTable {
    rows: HashMap<u64, Row>,
    by_call: HashMap<String, Vec<u64>>,
    by_user: HashMap<String, Vec<u64>>,
    deadlines: BTreeSet<(Instant, u64)>,
    next: u64,
    longest: Duration,
    changes: VecDeque<UserDialog>,
}

impl DialogTable {
    pub(crate) fn new(longest: Duration) -> Self {
        Self {
            rows: HashMap::new(),
            by_call: HashMap::new(),
            by_user: HashMap::new(),
            deadlines: BTreeSet::new(),
            next: 1,
            longest,
            changes: VecDeque::new(),
        }
    }

    /// The user's dialogs, the oldest first; those that are over are not among them.
    pub fn of_user(&self, user: &str) -> impl Iterator<Item = &UserDialog> {
        let ids = self.by_user.get(user).map_or(&[][..], Vec::as_slice);
        ids.iter().filter_map(|id| self.rows.get(id)).map(|row| &row.dialog)
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether nobody calls.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether one more call of this user would be watched.
    pub(crate) fn has_room(&self, user: &str) -> bool {
        self.rows.len() < MAX_DIALOGS && self.by_user.get(user).map_or(0, Vec::len) < MAX_DIALOGS_PER_USER
    }

    /// A dialog as it is since it changed.
    pub(crate) fn poll_change(&mut self) -> Option<UserDialog> {
        self.changes.pop_front()
    }

    /// The longest ringing dialog of a user who is called, with the context of its INVITE.
    pub(crate) fn ringing(&self, user: &str) -> Option<(&UserDialog, u64)> {
        let ids = self.by_user.get(user)?;
        let mut rows = ids.iter().filter_map(|id| self.rows.get(id));
        let rings = |row: &&Row| {
            row.dialog.direction == Direction::Recipient && row.dialog.state == DialogState::Early
        };
        rows.find(rings).map(|row| (&row.dialog, row.context))
    }

    /// The context of the INVITE that rings at somebody in a dialog with these tags, in whichever order.
    pub(crate) fn early(&self, call_id: &str, (one, other): (&str, &str)) -> Option<u64> {
        let rows = self.by_call.get(call_id)?.iter().filter_map(|id| self.rows.get(id));
        let mut early = rows.filter(|row| {
            let dialog = &row.dialog;
            let tags = (dialog.local_tag.as_deref(), dialog.remote_tag.as_deref());
            dialog.state == DialogState::Early
                && dialog.direction == Direction::Recipient
                && (tags == (Some(one), Some(other)) || tags == (Some(other), Some(one)))
        });
        early.next().map(|row| row.context)
    }

    /// Somebody calls.
    pub(crate) fn begin(&mut self, now: Instant, call: &NewCall<'_>) {
        let remote = without_tag(call.to);
        let tags = (Some(call.from_tag.into()), None);
        self.add(now, call, call.caller, Direction::Initiator, DialogState::Trying, remote, tags);
    }

    /// The call goes to this user now.
    pub(crate) fn offer(&mut self, now: Instant, call: &NewCall<'_>, user: &str) {
        let known = self.ids(call.call_id, call.from_tag).into_iter().any(|id| {
            let dialog = self.rows.get(&id).map(|row| &row.dialog);
            dialog.is_some_and(|dialog| dialog.direction == Direction::Recipient && dialog.user == user)
        });
        if !known {
            let remote = without_tag(call.from);
            let tags = (None, Some(call.from_tag.into()));
            self.add(now, call, user, Direction::Recipient, DialogState::Trying, remote, tags);
        }
    }

    /// A telephone of `user` rings.
    pub(crate) fn ring(&mut self, call_id: &str, from_tag: &str, user: &str, to_tag: &str) {
        for id in self.ids(call_id, from_tag) {
            let Some(row) = self.rows.get_mut(&id) else { continue };
            let dialog = &mut row.dialog;
            let concerned = dialog.direction == Direction::Initiator || dialog.user == user;
            if !concerned || dialog.state != DialogState::Trying {
                continue;
            }
            set_callee_tag(dialog, to_tag);
            dialog.state = DialogState::Early;
            let dialog = dialog.clone();
            self.tell(dialog);
        }
    }

    /// A telephone of `user` answered: whoever else was called is out.
    pub(crate) fn answer(
        &mut self,
        now: Instant,
        (call_id, from_tag): (&str, &str),
        user: &str,
        to_tag: &str,
        interval: Option<Duration>,
    ) {
        for id in self.ids(call_id, from_tag) {
            let Some(row) = self.rows.get_mut(&id) else { continue };
            let dialog = &mut row.dialog;
            if dialog.state == DialogState::Confirmed {
                continue;
            }
            if dialog.direction == Direction::Recipient && dialog.user != user {
                self.end(id, DialogEnd::Cancelled);
                continue;
            }
            set_callee_tag(dialog, to_tag);
            dialog.state = DialogState::Confirmed;
            row.interval = interval;
            let dialog = dialog.clone();
            self.tell(dialog);
            self.extend(now, id);
        }
    }

    /// A telephone of `user` answered a call that another one has answered at the same moment: a dialog of its own for both
    /// of its ends, until the caller hangs one of the two up (RFC 3261 §13.2.2.4).
    pub(crate) fn answer_again(
        &mut self,
        now: Instant,
        call: &NewCall<'_>,
        user: &str,
        to_tag: &str,
        interval: Option<Duration>,
    ) {
        let ends = [
            (call.caller, Direction::Initiator, call.to, (call.from_tag, to_tag)),
            (user, Direction::Recipient, call.from, (to_tag, call.from_tag)),
        ];
        for (user, direction, remote, (local_tag, remote_tag)) in ends {
            let tags = (Some(local_tag.into()), Some(remote_tag.into()));
            let added =
                self.add(now, call, user, direction, DialogState::Confirmed, without_tag(remote), tags);
            if let Some(id) = added {
                if let Some(row) = self.rows.get_mut(&id) {
                    row.interval = interval;
                }
                self.extend(now, id);
            }
        }
    }

    /// `user` does not have the call any more; somebody else may.
    pub(crate) fn leave(&mut self, call_id: &str, from_tag: &str, user: &str, cause: DialogEnd) {
        for id in self.ids(call_id, from_tag) {
            let leaves = self.rows.get(&id).is_some_and(|row| {
                let dialog = &row.dialog;
                dialog.direction == Direction::Recipient
                    && dialog.user == user
                    && dialog.state != DialogState::Confirmed
            });
            if leaves {
                self.end(id, cause);
            }
        }
    }

    /// Nobody has the call.
    pub(crate) fn fail(&mut self, call_id: &str, from_tag: &str, cause: DialogEnd) {
        for id in self.ids(call_id, from_tag) {
            if self.rows.get(&id).is_some_and(|row| row.dialog.state != DialogState::Confirmed) {
                self.end(id, cause);
            }
        }
    }

    /// A BYE of the dialog with these tags, in whichever order.
    pub(crate) fn hang_up(&mut self, call_id: &str, tags: (&str, &str)) {
        for id in self.dialog(call_id, tags) {
            self.end(id, DialogEnd::HungUp);
        }
    }

    /// A request of the dialog was accepted: it is alive, and may have another session timer now.
    pub(crate) fn refresh(
        &mut self,
        now: Instant,
        call_id: &str,
        tags: (&str, &str),
        interval: Option<Duration>,
    ) {
        for id in self.dialog(call_id, tags) {
            if let Some(row) = self.rows.get_mut(&id).filter(|_| interval.is_some()) {
                row.interval = interval;
            }
            self.extend(now, id);
        }
    }

    /// Ends what was not heard of for too long.
    pub(crate) fn expire(&mut self, now: Instant) {
        while let Some((_, id)) = self.deadlines.first().copied().filter(|(at, _)| *at <= now) {
            self.end(id, DialogEnd::TimedOut);
        }
    }

    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one row, each needed once")]
    fn add(
        &mut self,
        now: Instant,
        call: &NewCall<'_>,
        user: &str,
        direction: Direction,
        state: DialogState,
        remote: NameAddr,
        (local_tag, remote_tag): (Option<String>, Option<String>),
    ) -> Option<u64> {
        let of_user = self.by_user.get(user).map_or(0, Vec::len);
        if self.rows.len() >= MAX_DIALOGS || of_user >= MAX_DIALOGS_PER_USER {
            tracing::debug!(user, "a call that is not watched: too many");
            return None;
        }
        let id = self.next;
        self.next += 1;
        let dialog = UserDialog {
            id: DialogId(id),
            user: user.into(),
            direction,
            state,
            call_id: call.call_id.into(),
            local_tag,
            remote_tag,
            remote,
            since: now,
        };
        let deadline = now + self.longest;
        self.by_user.entry(user.into()).or_default().push(id);
        self.by_call.entry(call.call_id.into()).or_default().push(id);
        self.deadlines.insert((deadline, id));
        self.tell(dialog.clone());
        let row =
            Row { dialog, from_tag: call.from_tag.into(), context: call.context, deadline, interval: None };
        self.rows.insert(id, row);
        Some(id)
    }

    /// The rows of a call.
    fn ids(&self, call_id: &str, from_tag: &str) -> Vec<u64> {
        let ids = self.by_call.get(call_id).map_or(&[][..], Vec::as_slice);
        let of_call = |id: &&u64| self.rows.get(*id).is_some_and(|row| row.from_tag == from_tag);
        ids.iter().filter(of_call).copied().collect()
    }

    /// The rows of an answered dialog.
    fn dialog(&self, call_id: &str, (one, other): (&str, &str)) -> Vec<u64> {
        let ids = self.by_call.get(call_id).map_or(&[][..], Vec::as_slice);
        let has = |id: &&u64| {
            let Some(row) = self.rows.get(*id) else { return false };
            let tags = (row.dialog.local_tag.as_deref(), row.dialog.remote_tag.as_deref());
            row.dialog.state == DialogState::Confirmed
                && (tags == (Some(one), Some(other)) || tags == (Some(other), Some(one)))
        };
        ids.iter().filter(has).copied().collect()
    }

    fn extend(&mut self, now: Instant, id: u64) {
        let Some(row) = self.rows.get_mut(&id) else { return };
        self.deadlines.remove(&(row.deadline, id));
        let bound =
            row.interval.map_or(self.longest, |interval| (interval + SESSION_GRACE).min(self.longest));
        row.deadline = now + bound;
        self.deadlines.insert((row.deadline, id));
    }

    fn end(&mut self, id: u64, cause: DialogEnd) {
        let Some(row) = self.rows.remove(&id) else { return };
        self.deadlines.remove(&(row.deadline, id));
        remove(&mut self.by_user, &row.dialog.user, id);
        remove(&mut self.by_call, &row.dialog.call_id, id);
        self.tell(UserDialog { state: DialogState::Terminated(cause), ..row.dialog });
    }

    fn tell(&mut self, dialog: UserDialog) {
        if self.changes.len() >= MAX_CHANGES {
            self.changes.pop_front();
        }
        self.changes.push_back(dialog);
    }
}

fn set_callee_tag(dialog: &mut UserDialog, tag: &str) {
    match dialog.direction {
        Direction::Initiator => dialog.remote_tag = Some(tag.into()),
        Direction::Recipient => dialog.local_tag = Some(tag.into()),
    }
}

fn without_tag(address: &NameAddr) -> NameAddr {
    // With memory of its own: the message is not kept alive for as long as the dialog.
    let uri = Uri::parse(address.uri.as_str()).unwrap_or_else(|_| address.uri.clone());
    let plain = NameAddr::new(uri);
    match &address.display_name {
        Some(name) => plain.with_display_name(&**name),
        None => plain,
    }
}

fn remove(index: &mut HashMap<String, Vec<u64>>, key: &str, id: u64) {
    if let Some(ids) = index.get_mut(key) {
        ids.retain(|other| *other != id);
        if ids.is_empty() {
            index.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn states(table: &mut DialogTable) -> Vec<(String, DialogState)> {
        core::iter::from_fn(|| table.poll_change()).map(|dialog| (dialog.user, dialog.state)).collect()
    }

    fn call<'a>(call_id: &'a str, from: &'a NameAddr, to: &'a NameAddr) -> NewCall<'a> {
        NewCall { call_id, from_tag: "a", caller: "alice", from, to, context: 7 }
    }

    fn addresses() -> (NameAddr, NameAddr) {
        ("Alice <sip:alice@pbx>;tag=a".parse().unwrap(), "<sip:600@pbx>".parse().unwrap())
    }

    #[test]
    fn a_forked_call_rings_at_all_and_is_confirmed_at_one() {
        let mut table = DialogTable::new(HOUR);
        let (from, to) = addresses();
        let (call, now) = (call("c", &from, &to), Instant::from_millis(1000));
        table.begin(now, &call);
        table.offer(now, &call, "bob");
        table.offer(now, &call, "carol");
        table.offer(now, &call, "bob");
        assert_eq!(table.len(), 3);
        table.ring("c", "a", "bob", "b1");
        assert_eq!(table.ringing("bob").unwrap().1, 7);
        assert!(table.ringing("carol").is_none() && table.ringing("alice").is_none());
        states(&mut table);
        table.answer(now, ("c", "a"), "carol", "c1", None);
        let ended = DialogState::Terminated(DialogEnd::Cancelled);
        let expected = [("alice", DialogState::Confirmed), ("bob", ended), ("carol", DialogState::Confirmed)];
        assert_eq!(states(&mut table), expected.map(|(user, state)| (String::from(user), state)));
        let carol = table.of_user("carol").next().unwrap();
        assert_eq!((carol.local_tag.as_deref(), carol.remote_tag.as_deref()), (Some("c1"), Some("a")));
        assert_eq!(carol.remote.to_string(), r#""Alice" <sip:alice@pbx>"#);

        // Another dialog's BYE ends nothing.
        table.hang_up("c", ("a", "b1"));
        assert_eq!(table.len(), 2);
        table.hang_up("c", ("c1", "a"));
        assert!(table.is_empty() && table.by_call.is_empty() && table.by_user.is_empty());
        assert!(table.deadlines.is_empty());
    }

    #[test]
    fn two_who_answer_at_one_moment_have_a_dialog_each_until_one_is_hung_up() {
        let mut table = DialogTable::new(HOUR);
        let (from, to) = addresses();
        let (call, now) = (call("c", &from, &to), Instant::from_millis(1000));
        table.begin(now, &call);
        table.offer(now, &call, "bob");
        table.offer(now, &call, "carol");
        table.answer(now, ("c", "a"), "bob", "b1", None);
        states(&mut table);
        table.answer_again(now, &call, "carol", "c1", Some(Duration::from_secs(90)));
        let confirmed = ["alice", "carol"].map(|user| (String::from(user), DialogState::Confirmed));
        assert_eq!(states(&mut table), confirmed);
        let tags = |table: &DialogTable, user: &str| {
            let tags =
                |dialog: &UserDialog| (dialog.local_tag.clone().unwrap(), dialog.remote_tag.clone().unwrap());
            table.of_user(user).map(tags).collect::<Vec<_>>()
        };
        let pair = |one: &str, other: &str| (one.to_owned(), other.to_owned());
        assert_eq!(tags(&table, "alice"), [pair("a", "b1"), pair("a", "c1")]);
        assert_eq!(tags(&table, "carol"), [pair("c1", "a")]);
        // The caller keeps the one whose 200 passed here last.
        table.hang_up("c", ("a", "b1"));
        assert_eq!((tags(&table, "alice"), tags(&table, "bob")), (vec![pair("a", "c1")], vec![]));
        assert_eq!(table.next_expiry(), Some(now + Duration::from_secs(150)));
        table.hang_up("c", ("c1", "a"));
        assert!(table.is_empty() && table.deadlines.is_empty());
    }

    #[test]
    fn a_lost_bye_ends_with_the_session_timer_or_the_long_bound() {
        let mut table = DialogTable::new(HOUR);
        let (from, to) = addresses();
        let now = Instant::from_millis(0);
        for call_id in ["timed", "untimed"] {
            let call = call(call_id, &from, &to);
            table.begin(now, &call);
            table.offer(now, &call, "bob");
            let interval = (call_id == "timed").then_some(Duration::from_secs(90));
            table.answer(now, (call_id, "a"), "bob", "b", interval);
        }
        let at = |seconds| now + Duration::from_secs(seconds);
        table.expire(at(149));
        assert_eq!(table.len(), 4);
        table.refresh(at(149), "timed", ("b", "a"), None);
        table.expire(at(298));
        assert_eq!(table.len(), 4);
        states(&mut table);
        table.expire(at(299));
        assert_eq!(table.len(), 2);
        assert!(
            states(&mut table)
                .iter()
                .all(|(_, state)| *state == DialogState::Terminated(DialogEnd::TimedOut))
        );
        assert_eq!(table.next_expiry(), Some(at(3600)));
        table.expire(at(3600));
        assert!(table.is_empty());
    }

    #[test]
    fn a_user_has_a_bounded_number_of_rows() {
        let mut table = DialogTable::new(HOUR);
        let (from, to) = addresses();
        for number in 0..2 * MAX_DIALOGS_PER_USER {
            table.begin(Instant::from_millis(0), &call(&format!("c{number}"), &from, &to));
        }
        assert_eq!(table.of_user("alice").count(), MAX_DIALOGS_PER_USER);
    }
}
