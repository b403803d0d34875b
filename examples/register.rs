//! Registers an account, says for how long, and takes it back:
//! `cargo run -p sidetone-examples --example register -- sip:user:password@host`
use sidetone_sip_ua::{AccountConfig, UserAgent};

#[tokio::main]
async fn main() -> Result<(), Box<dyn core::error::Error>> {
    let text = std::env::args().nth(1).ok_or("usage: register sip:user:password@host")?;
    let agent = UserAgent::builder().build().await?;
    let account = agent.add_account(AccountConfig::parse(&text)?).await?;
    let expires = account.registered().await?;
    println!("{} is registered for {} s", account.aor(), expires.as_secs());
    account.unregister().await?;
    println!("and no longer is");
    agent.shutdown().await;
    Ok(())
}
