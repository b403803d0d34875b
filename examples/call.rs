//! Calls somebody, plays a tone for five seconds, and records what is heard:
//! `cargo run -p sidetone-examples --example call -- sip:user:password@host '*43' heard.wav`
use core::time::Duration;
use sidetone_examples::ToneRecorder;
use sidetone_media::tone::ToneSet;
use sidetone_sip_ua::{AccountConfig, CallEvent, UserAgent};
use std::env::args;

#[tokio::main]
async fn main() -> Result<(), Box<dyn core::error::Error>> {
    let [account, to, file] =
        args().skip(1).collect::<Vec<_>>().try_into().map_err(|_| "usage: call ACCOUNT TO FILE")?;
    let agent = UserAgent::builder().build().await?;
    let account = agent.add_account(AccountConfig::parse(&account)?).await?;
    account.registered().await?;
    let mut call = account.call(&to, ToneRecorder::create(ToneSet::ITU.dial, &file)?).await?;
    while let Some(event) = call.next_event().await {
        println!("{event:?}");
        if event == CallEvent::Established {
            let (call, talk) = (call.handle(), tokio::time::sleep(Duration::from_secs(5)));
            tokio::spawn(
                async move { (talk.await, println!("{:?}", call.stats().await), call.hangup().await) },
            );
        }
    }
    agent.shutdown().await;
    Ok(())
}
