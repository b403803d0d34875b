//! Calls somebody, and once they answer transfers them to somebody else:
//! `cargo run -p sidetone-examples --example transfer -- sip:user:password@host bob carol`
use sidetone_examples::ToneRecorder;
use sidetone_media::tone::ToneSet;
use sidetone_sip_ua::{AccountConfig, CallEvent, UserAgent};
use std::env::args;

#[tokio::main]
async fn main() -> Result<(), Box<dyn core::error::Error>> {
    let [account, first, second] =
        args().skip(1).collect::<Vec<_>>().try_into().map_err(|_| "usage: transfer ACCOUNT TO ONWARD")?;
    let agent = UserAgent::builder().build().await?;
    let account = agent.add_account(AccountConfig::parse(&account)?).await?;
    account.registered().await?;
    let file = std::env::temp_dir().join("sidetone-transfer.wav");
    let mut call = account.call(&first, ToneRecorder::create(ToneSet::ITU.dial, &file)?).await?;
    while let Some(event) = call.next_event().await {
        println!("{event:?}"); // among them how far the transfer is
        if event == CallEvent::Established {
            let (call, second) = (call.handle(), second.clone());
            tokio::spawn(async move { println!("transferred: {:?}", call.transfer(&second).await) });
        }
    }
    agent.shutdown().await;
    Ok(())
}
