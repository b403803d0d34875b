//! The hook switch under the handset.

/// Where the handset is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HookState {
    /// In its cradle.
    #[default]
    OnHook,
    /// Lifted.
    OffHook,
}

/// A board's hook switch. Changes come as [`crate::Event::Hook`], already debounced; this reads the state at
/// start.
pub trait HookSwitch {
    /// Where the handset is now.
    fn state(&self) -> HookState;
}
