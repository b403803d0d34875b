//! A user takes a telephone over: the accounts of the one before are cleared (DIN-035).

/// Where the change of users is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HotDesk {
    /// Nobody asked.
    #[default]
    Idle,
    /// The telephone asks whether all accounts are to be cleared.
    Asking,
    /// The accounts are gone, and the form for the new user's is open.
    SigningIn,
}

/// What the telephone is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HotDeskAction {
    /// Nothing.
    Nothing,
    /// Ask "Whether to clear all account configurations".
    Ask,
    /// Unregister every account, remove what they are configured with, and open the form for an account.
    ClearAndSignIn,
    /// Close the question or the form.
    Close,
}

impl HotDesk {
    /// The key was pressed. It works on an idle telephone alone: a call would lose its account.
    pub const fn press(&mut self, calls: usize) -> HotDeskAction {
        if calls > 0 || !matches!(self, Self::Idle) {
            return HotDeskAction::Nothing;
        }
        *self = Self::Asking;
        HotDeskAction::Ask
    }

    /// The user answered the question. A call that came meanwhile keeps its account.
    pub const fn answer(&mut self, clear: bool, calls: usize) -> HotDeskAction {
        if !matches!(self, Self::Asking) {
            return HotDeskAction::Nothing;
        }
        if !clear || calls > 0 {
            *self = Self::Idle;
            return HotDeskAction::Close;
        }
        *self = Self::SigningIn;
        HotDeskAction::ClearAndSignIn
    }

    /// The new user has signed in, or has left the form.
    pub const fn done(&mut self) -> HotDeskAction {
        if !matches!(self, Self::SigningIn) {
            return HotDeskAction::Nothing;
        }
        *self = Self::Idle;
        HotDeskAction::Close
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_cleared_after_the_question_and_while_idle_alone() {
        let mut desk = HotDesk::Idle;
        assert_eq!(desk.press(1), HotDeskAction::Nothing, "in a call");
        assert_eq!(desk.press(0), HotDeskAction::Ask);
        assert_eq!(desk.press(0), HotDeskAction::Nothing);
        assert_eq!(desk.answer(false, 0), HotDeskAction::Close);
        assert_eq!(desk.answer(true, 0), HotDeskAction::Nothing, "nobody asked");
        assert_eq!(desk.press(0), HotDeskAction::Ask);
        assert_eq!(desk.answer(true, 1), HotDeskAction::Close, "a call came");
        assert_eq!(desk.press(0), HotDeskAction::Ask);
        assert_eq!(desk.answer(true, 0), HotDeskAction::ClearAndSignIn);
        assert_eq!(desk.done(), HotDeskAction::Close);
        assert_eq!(desk, HotDesk::Idle);
    }
}
