//! The eleven call flows that a conference phone's manual shows (YLC-211 to YLC-221: 188 messages), each played by real
//! agents and a real proxy in virtual time and compared message by message.
//!
//! A table has a line for each step of the manual, under its number. Where the manual and the RFCs differ, the table has
//! what the RFCs want: a step may stand at another place than its number says, and a line under `+` is a message that
//! the manual leaves out. The comment beside such a line says why.
//!
//! `ladders/` has the pictures; `UPDATE_LADDERS=1 cargo test --test flows` draws them anew.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::std_instead_of_core,
    clippy::alloc_instead_of_core,
    reason = "tests fail by panicking"
)]

mod conference;
mod forward;
mod hold;
mod relay;
mod setup;
mod stage;
mod table;
mod transfer;
mod waiting;

/// Every step of the manual is in some table, once.
#[test]
fn the_tables_have_all_188_steps_of_the_manual() {
    let flows = [
        (setup::SUCCESS, 14),
        (setup::BUSY, 8),
        (setup::NO_ANSWER, 8),
        (hold::HOLD, 14),
        (waiting::WAITING, 22),
        (transfer::BLIND, 24),
        (transfer::ATTENDED, 30),
        (forward::ALWAYS, 14),
        (forward::BUSY, 16),
        (forward::NO_ANSWER, 16),
        (conference::CONFERENCE, 22),
    ];
    let mut all = 0;
    for (table, count) in flows {
        let mut numbers: Vec<u32> = table::read(table)
            .iter()
            .filter_map(|step| step.number.strip_prefix('F')?.parse().ok())
            .collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=count).collect::<Vec<_>>(), "{table}");
        all += numbers.len();
    }
    assert_eq!(all, 188);
}
