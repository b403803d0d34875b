//! The panel in headless Chromium: a person clicks keys, sees the screen change, hears, and hangs up.
//!
//! With `SIDETONE_UPDATE_PICTURE` set, the picture of the README is taken anew.

use crate::peers::browser::Browser;
use crate::peers::phone::Phone;
use crate::peers::sound::{rms, share_at, tone, write_wav};
use crate::peers::{CHROMIUM, Outcome, SOON, Stage, trial};
use core::time::Duration;
use libtest_mimic::{Failed, Trial};
use std::path::Path;

/// What the browser's microphone hears.
const MICROPHONE_HZ: f64 = 735.0;
/// The README's picture.
const PICTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/panel.png");
const PICTURE_BYTES: usize = 300_000;
/// What of the screen's text is compared: the first phone's, the second phone's.
const SCREEN: &str = "document.querySelector('#screen-text').textContent";
const SECOND_SCREEN: &str = "document.querySelector('#screen-text-2').textContent";

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("panel_dials_the_echo_test_and_hears_itself", &[CHROMIUM], |stage| block_on(echo_test(stage))),
        trial("panel_rings_the_second_phone", &[CHROMIUM], |stage| block_on(second_phone(stage))),
        trial("readme_picture_is_small_and_whole", &[], |_| picture()),
    ]
}

fn block_on(future: impl Future<Output = Outcome>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(future)
}

/// The demo and a browser that shows it, both phones registered.
async fn demo(stage: &Stage) -> Result<(Phone, Browser), Failed> {
    let mut phone = Phone::start(stage, "demo", "--demo --panel 127.0.0.1:0")?;
    let line = phone.wait_for_line("http://127.0.0.1:", SOON)?;
    let address =
        line.split_whitespace().find(|word| word.starts_with("http://")).unwrap_or_default().to_owned();
    let microphone = stage.path("microphone.wav");
    // The file is played over and over: whole cycles, so that no click is at the seam.
    write_wav(&microphone, 48_000, &tone(MICROPHONE_HZ, 48_000, Duration::from_secs(4)))?;
    let mut browser = Browser::start(stage, &microphone, 1280, 860).await?;
    // The browser's own echo canceller would remove what the test listens for.
    browser.open(&format!("{address}?aec=0")).await?;
    browser.wait_until(&format!("{SCREEN} && {SECOND_SCREEN}")).await?;
    Ok((phone, browser))
}

async fn dial(browser: &mut Browser, number: &str) -> Outcome {
    for digit in number.chars() {
        let name = match digit {
            '*' => "star".to_owned(),
            '#' => "hash".to_owned(),
            digit => format!("digit-{digit}"),
        };
        browser.click(&format!(".main [data-key='{name}']")).await?;
    }
    browser.wait_until(&format!("{SCREEN}.includes('{number}')")).await?;
    browser.click(".main [data-key='send']").await
}

async fn echo_test(stage: &Stage) -> Outcome {
    let (_phone, mut browser) = demo(stage).await?;
    let idle = browser.evaluate(SCREEN).await?;
    dial(&mut browser, "*43").await?;
    let up = format!("{SCREEN}.includes('Talking') && {SCREEN}.includes('*43') && {SCREEN}");
    let talking = browser.wait_until(&up).await?;
    println!("idle: {idle}\ntalking: {talking}");
    browser.forget_frames();
    let share = hear(&mut browser, MICROPHONE_HZ).await?;
    println!("{share:.3} of the energy at the audio WebSocket is at {MICROPHONE_HZ} Hz");

    let png = browser.screenshot().await?;
    if std::env::var_os("SIDETONE_UPDATE_PICTURE").is_some() {
        std::fs::write(PICTURE, &png)?;
    }
    let (width, height, colours) = look_at(&png)?;
    println!("screenshot: {width} x {height}, {} bytes, {colours} colours", png.len());
    if colours < 16 {
        return Err(format!("the page is nearly empty: {colours} colours").into());
    }

    browser.click(".main [data-key='cancel']").await?;
    browser.wait_until(&format!("!{SCREEN}.includes('*43')")).await?;
    match &browser.complaints[..] {
        [] => Ok(()),
        complaints => Err(format!("the page complained: {complaints:?}").into()),
    }
}

/// Samples a second of the audio WebSocket.
const PANEL_RATE: u32 = 16_000;

/// Listens at the audio WebSocket until one second in a row is the tone; gives the tone's share of the energy.
async fn hear(browser: &mut Browser, hertz: f64) -> Result<f64, Failed> {
    let mut heard: Vec<i16> = Vec::new();
    let mut best = 0.0_f64;
    for _ in 0..3000 {
        let frame = browser.next_frame("/audio/", SOON).await?;
        heard.extend(frame.as_chunks::<2>().0.iter().map(|bytes| i16::from_le_bytes(*bytes)));
        let Some(start) = heard.len().checked_sub(PANEL_RATE as usize) else { continue };
        let second = &heard[start..];
        if rms(second) > 300.0 {
            // A fifth of a second at a time: the phone stretches sound to follow the browser's clock, and a shifted tone is
            // the tone all the same.
            let parts = second.chunks(second.len() / 5);
            best = best.max(parts.map(|part| share_at(part, PANEL_RATE, hertz)).sum::<f64>() / 5.0);
        }
        if best > 0.9 {
            return Ok(best);
        }
    }
    let level = rms(&heard);
    Err(format!("{} samples, level {level:.0}, at most {best:.3} of a second at {hertz} Hz", heard.len())
        .into())
}

async fn second_phone(stage: &Stage) -> Outcome {
    let (_phone, mut browser) = demo(stage).await?;
    let idle = browser.evaluate(SECOND_SCREEN).await?;
    dial(&mut browser, "102").await?;
    // It rings, and says who calls.
    let ringing = browser
        .wait_until(&format!(
            "{SECOND_SCREEN}.includes('101') && {SECOND_SCREEN} !== {idle} && {SECOND_SCREEN}"
        ))
        .await?;
    println!("second phone, idle: {idle}\nringing: {ringing}");
    browser.click(".beside [data-key='send']").await?;
    browser.wait_until(&format!("{SCREEN}.includes('Talking') && {SCREEN}.includes('102')")).await?;
    browser
        .wait_until(&format!("{SECOND_SCREEN}.includes('Talking') && {SECOND_SCREEN}.includes('101')"))
        .await?;
    browser.click(".main [data-key='cancel']").await?;
    browser.wait_until(&format!("!{SCREEN}.includes('102') && !{SECOND_SCREEN}.includes('Talking')")).await?;
    match &browser.complaints[..] {
        [] => Ok(()),
        complaints => Err(format!("the page complained: {complaints:?}").into()),
    }
}

fn picture() -> Outcome {
    let png = std::fs::read(Path::new(PICTURE)).map_err(|error| format!("{PICTURE}: {error}"))?;
    let (width, height, colours) = look_at(&png)?;
    match png.len() <= PICTURE_BYTES && width >= 800 && height >= 400 && colours >= 16 {
        true => Ok(()),
        false => Err(format!("{PICTURE}: {width} x {height}, {} bytes, {colours} colours", png.len()).into()),
    }
}

/// Width, height, and how many colours a PNG has.
fn look_at(png: &[u8]) -> Result<(u32, u32, usize), Failed> {
    let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info()?;
    let mut pixels = vec![0; reader.output_buffer_size().ok_or("too large a picture")?];
    let info = reader.next_frame(&mut pixels)?;
    let size = info.color_type.samples();
    let colours: std::collections::HashSet<_> = pixels[..info.buffer_size()].chunks_exact(size).collect();
    Ok((info.width, info.height, colours.len()))
}
