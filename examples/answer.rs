//! Answers whoever calls, with a tone, until they hang up; records them:
//! `cargo run -p sidetone-examples --example answer -- sip:user:password@host heard.wav`
use sidetone_examples::ToneRecorder;
use sidetone_media::tone::ToneSet;
use sidetone_sip_ua::{AccountConfig, UserAgent, UserAgentEvent};
use std::env::args;

#[tokio::main]
async fn main() -> Result<(), Box<dyn core::error::Error>> {
    let [account, file] =
        args().skip(1).collect::<Vec<_>>().try_into().map_err(|_| "usage: answer ACCOUNT FILE")?;
    let mut agent = UserAgent::builder().build().await?;
    agent.add_account(AccountConfig::parse(&account)?).await?.registered().await?;
    while let Some(event) = agent.next_event().await {
        if let UserAgentEvent::Incoming(incoming) = event {
            println!("{} calls", incoming.from());
            incoming.ring().await?;
            let mut call = incoming.answer(ToneRecorder::create(ToneSet::ITU.dial, &file)?).await?;
            while let Some(event) = call.next_event().await {
                println!("{event:?}");
            }
        }
    }
    Ok(())
}
