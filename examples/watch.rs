//! Watches an extension, as the lamp of a key does, and the mailbox of the account:
//! `cargo run -p sidetone-examples --example watch -- sip:user:password@host 202`
use sidetone_sip_ua::{AccountConfig, UserAgent};
use std::env::args;

#[tokio::main]
async fn main() -> Result<(), Box<dyn core::error::Error>> {
    let [account, extension] =
        args().skip(1).collect::<Vec<_>>().try_into().map_err(|_| "usage: watch ACCOUNT EXTENSION")?;
    let agent = UserAgent::builder().build().await?;
    let account = agent.add_account(AccountConfig::parse(&account)?).await?;
    account.registered().await?;
    let mut lamp = account.watch(&extension).await?;
    let mut mailbox = account.watch_mailbox().await?;
    loop {
        tokio::select! {
            Some(state) = lamp.changed() => println!("{extension}: {state:?}"),
            Some(summary) = mailbox.changed() => println!("messages: {summary:?}"),
            else => return Ok(()),
        }
    }
}
