//! The phone with Kamailio as registrar and proxy, and baresip at the other end of the call.
//!
//! Both sides play a tone of their own and record what they hear; the recordings decide.

use crate::peers::baresip::{AMR, Baresip, Codecs, G711, Microphone, OPUS};
use crate::peers::kamailio::Kamailio;
use crate::peers::phone::{Phone, expect};
use crate::peers::pki::Pki;
use crate::peers::sound::{Analysis, LONG, Scene, read_wav, wait_for_scene, wait_for_stretch, write_tone};
use crate::peers::{BARESIP, KAMAILIO, KAMAILIO_TLS, Needs, Outcome, SOON, Stage, free_port, trial};
use core::time::Duration;
use libtest_mimic::Trial;

/// What the phone's microphone hears. No whole number of cycles fits a packet, so that a lost one shows.
const PHONE_HZ: f64 = 435.0;
const BARESIP_HZ: f64 = 1005.0;
/// What each must hear of the other, in seconds.
const HEARD: f64 = 5.5;

pub(crate) fn trials() -> Vec<Trial> {
    const BOTH: &[Needs] = &[KAMAILIO, BARESIP];
    vec![
        trial("phone_registers_at_kamailio", &[KAMAILIO], phone_registers),
        trial("phone_with_a_wrong_password_exits_3", &[KAMAILIO], wrong_password),
        trial("phones_register_and_call_with_sha_256", &[KAMAILIO], phones_call_with_sha_256),
        trial("phone_calls_baresip", BOTH, phone_calls_baresip),
        trial("phone_calls_baresip_over_tcp", BOTH, phone_calls_baresip_over_tcp),
        trial("phone_calls_baresip_over_tls", &[KAMAILIO_TLS, BARESIP], phone_calls_baresip_over_tls),
        trial("phone_and_baresip_speak_amr", BOTH, |stage| call_with(AMR, "AMR;octet-align=1", stage)),
        trial("phone_and_baresip_speak_opus", BOTH, |stage| call_with(OPUS, "opus", stage)),
        trial("baresip_calls_phone_and_hangs_up", BOTH, baresip_calls_phone),
        trial("dtmf_passes_both_ways_with_baresip", BOTH, dtmf_both_ways),
        trial("dtmf_goes_to_baresip_in_info", BOTH, dtmf_in_info),
        trial("phone_holds_and_resumes_baresip", BOTH, phone_holds),
        trial("baresip_holds_and_resumes_phone", BOTH, baresip_holds),
    ]
}

fn account(server: &Kamailio) -> String {
    format!("--account sip:alice:alice-secret@127.0.0.1:{}", server.port)
}

fn phone_registers(stage: &Stage) -> Outcome {
    let server = Kamailio::start(stage)?;
    for transport in ["udp", "tcp"] {
        let arguments = format!(
            "{} --transport {transport} --local-port {} --headless register",
            account(&server),
            free_port()
        );
        Phone::start(stage, &format!("phone-{transport}"), &arguments)?.expect_exit(0, SOON)?;
    }
    Ok(())
}

fn wrong_password(stage: &Stage) -> Outcome {
    let server = Kamailio::start(stage)?;
    let arguments = format!(
        "--account sip:alice:guess@127.0.0.1:{} --local-port {} --headless register",
        server.port,
        free_port()
    );
    Phone::start(stage, "phone", &arguments)?.expect_exit(3, SOON).map(|_| ())
}

/// The challenge and its check are Kamailio's. The phones are both ours: baresip 1.0 knows MD5 only.
fn phones_call_with_sha_256(stage: &Stage) -> Outcome {
    let server = Kamailio::start_with_digest(stage, "SHA-256")?;
    let challenged = server.challenge("alice")?;
    if !challenged.contains("algorithm=SHA-256") || challenged.contains("algorithm=MD5") {
        return Err(format!("not a challenge with SHA-256: {challenged}").into());
    }
    let wrong = format!("sip:alice:guess@127.0.0.1:{}", server.port);
    let register = format!("--account {wrong} --local-port {} --headless register", free_port());
    Phone::start(stage, "guesser", &register)?.expect_exit(3, SOON)?;

    let mut bob = Phone::start(
        stage,
        "bob",
        &format!(
            "--account sip:bob:bob-secret@127.0.0.1:{} --local-port {} --headless answer --count 1",
            server.port,
            free_port()
        ),
    )?;
    server.wait_until_known("bob")?;
    let arguments = format!(
        "{} --local-port {} --headless call sip:bob@127.0.0.1:{} --for 1s",
        account(&server),
        free_port(),
        server.port
    );
    let call = Phone::start(stage, "alice", &arguments)?.finish_call(SOON)?;
    expect(&call, "/cause/by", "local")?;
    bob.finish_call(SOON).map(|_| ())
}

fn phone_calls_baresip(stage: &Stage) -> Outcome {
    call_and_compare(G711, "PCMU", "udp", stage)
}

fn phone_calls_baresip_over_tcp(stage: &Stage) -> Outcome {
    call_and_compare(G711, "PCMU", "tcp", stage)
}

/// The phone speaks TLS with Kamailio, which it knows by its certificate; Kamailio speaks UDP with baresip.
fn phone_calls_baresip_over_tls(stage: &Stage) -> Outcome {
    let pki = Pki::new(stage, &["127.0.0.1"])?;
    let server = Kamailio::start_tls(stage, &pki)?;
    let port = server.tls_port.unwrap_or_default();
    let account = format!("--account sip:alice:alice-secret@127.0.0.1:{port} --transport tls");
    // Nobody told this one whom to trust.
    let register = format!("{account} --local-port {} --headless register", free_port());
    Phone::start(stage, "stranger", &register)?.expect_exit(3, SOON)?;
    let account = format!("{account} --authority {}", pki.authority);
    call_and_compare_at(&server, &account, port, G711, "PCMU", stage)
}

/// The phone offers one codec. (G.726 is not among them: baresip 1.0 packs it the other way round than RFC 3551.)
fn call_with(codecs: Codecs, choice: &str, stage: &Stage) -> Outcome {
    call_and_compare(codecs, choice, "udp", stage)
}

fn call_and_compare(codecs: Codecs, choice: &str, transport: &str, stage: &Stage) -> Outcome {
    let server = Kamailio::start(stage)?;
    let account = format!("{} --transport {transport}", account(&server));
    call_and_compare_at(&server, &account, server.port, codecs, choice, stage)
}

fn call_and_compare_at(
    server: &Kamailio,
    account: &str,
    port: u16,
    codecs: Codecs,
    choice: &str,
    stage: &Stage,
) -> Outcome {
    let mut bob = Baresip::start_with(codecs, stage, "bob", server.port, &Microphone::Tone(BARESIP_HZ))?;
    let (play, record) = (stage.path("play.wav"), stage.path("heard-by-phone.wav"));
    write_tone(&play, PHONE_HZ, LONG)?;
    let arguments = format!(
        "{account} --codecs {choice} --local-port {} --headless call sip:bob@127.0.0.1:{port} --play {} --record {}",
        free_port(),
        play.display(),
        record.display()
    );
    let mut phone = Phone::start(stage, "phone", &arguments)?;
    bob.wait_for("CALL_ESTABLISHED", SOON)?;
    wait_for_stretch("heard by the phone", &record, BARESIP_HZ, HEARD)?;
    bob.wait_for_stretch(PHONE_HZ, HEARD)?;
    phone.interrupt();
    let call = phone.finish_call(SOON)?;
    bob.wait_for("CALL_CLOSED", SOON)?;
    let codec = choice.split(';').next().unwrap_or_default();
    expect(&call, "/codec", codec)?;
    expect(&call, "/cause/by", "local")?;

    Analysis::new(&read_wav(&record)?, BARESIP_HZ).expect_stretch("heard by the phone", BARESIP_HZ, HEARD)?;
    let recording = bob.recording()?;
    bob.quit()?;
    Analysis::new(&read_wav(&recording)?, PHONE_HZ).expect_stretch("heard by baresip", PHONE_HZ, HEARD)
}

fn baresip_calls_phone(stage: &Stage) -> Outcome {
    let server = Kamailio::start(stage)?;
    let (play, record) = (stage.path("play.wav"), stage.path("heard-by-phone.wav"));
    write_tone(&play, PHONE_HZ, LONG)?;
    let mut phone =
        answering_phone(stage, &server, &format!("--play {} --record {}", play.display(), record.display()))?;
    let mut bob = Baresip::start(stage, "bob", server.port, &Microphone::Tone(BARESIP_HZ))?;
    bob.dial(&format!("sip:alice@127.0.0.1:{}", server.port))?;
    bob.wait_for("CALL_RINGING", SOON)?;
    bob.wait_for("CALL_ESTABLISHED", SOON)?;
    wait_for_stretch("heard by the phone", &record, BARESIP_HZ, HEARD)?;
    bob.wait_for_stretch(PHONE_HZ, HEARD)?;
    bob.command("hangup", "")?;
    bob.wait_for("CALL_CLOSED", SOON)?;
    let call = phone.finish_call(SOON)?;
    expect(&call, "/cause/by", "remote")?;

    Analysis::new(&read_wav(&record)?, BARESIP_HZ).expect_stretch("heard by the phone", BARESIP_HZ, HEARD)?;
    let recording = bob.recording()?;
    bob.quit()?;
    Analysis::new(&read_wav(&recording)?, PHONE_HZ).expect_stretch("heard by baresip", PHONE_HZ, HEARD)
}

/// A phone registered as alice that takes one call.
fn answering_phone(stage: &Stage, server: &Kamailio, more: &str) -> Result<Phone, libtest_mimic::Failed> {
    let arguments = format!(
        "{} --local-port {} --headless answer --count 1 --ring-for 1s {more}",
        account(server),
        free_port()
    );
    let phone = Phone::start(stage, "phone", &arguments)?;
    server.wait_until_known("alice")?;
    Ok(phone)
}

fn dtmf_both_ways(stage: &Stage) -> Outcome {
    let server = Kamailio::start(stage)?;
    let mut bob = Baresip::start(stage, "bob", server.port, &Microphone::Tone(BARESIP_HZ))?;
    let arguments = format!(
        "{} --local-port {} --headless call sip:bob@127.0.0.1:{} --dtmf 1590*#",
        account(&server),
        free_port(),
        server.port
    );
    let mut phone = Phone::start(stage, "phone", &arguments)?;
    bob.wait_for("CALL_ESTABLISHED", SOON)?;
    bob.expect_digits("1590*#", SOON)?;
    for digit in ["4", "2", "2", "#"] {
        bob.command("sndcode", digit)?;
        // baresip plays one digit at a time, for about 200 ms, and says nothing when it has; a person's fingers are slower.
        bob.listen(Duration::from_secs(1))?;
    }
    bob.command("hangup", "")?;
    let call = phone.finish_call(SOON)?;
    expect(&call, "/dtmf_received", "422#")
}

/// With a Kamailio between, whose record-route the INFO follows.
fn dtmf_in_info(stage: &Stage) -> Outcome {
    let server = Kamailio::start(stage)?;
    let mut bob = Baresip::start(stage, "bob", server.port, &Microphone::Tone(BARESIP_HZ))?;
    let settings = stage.path("phone.conf");
    let lines = format!(
        "account.1.aor = sip:alice@127.0.0.1:{}\naccount.1.password = alice-secret\naccount.1.dtmf = info\n",
        server.port
    );
    std::fs::write(&settings, lines)?;
    let arguments = format!(
        "--local-port {} --config {} --headless call sip:bob@127.0.0.1:{} --dtmf 1590*#A",
        free_port(),
        settings.display(),
        server.port
    );
    let mut phone = Phone::start(stage, "phone", &arguments)?;
    bob.wait_for("CALL_ESTABLISHED", SOON)?;
    bob.expect_digits("1590*#A", SOON)?;
    bob.wait_for_line("INFO sip:bob", SOON)?;
    bob.command("hangup", "")?;
    let call = phone.finish_call(SOON)?;
    expect(&call, "/dtmf_sent", "1590*#A")
}

/// What the held side hears is not recorded here: baresip 1.0 stops its recording at a hold. Two phones of ours
/// show that in `two_phones`.
fn phone_holds(stage: &Stage) -> Outcome {
    let server = Kamailio::start(stage)?;
    let mut bob = Baresip::start(stage, "bob", server.port, &Microphone::Tone(BARESIP_HZ))?;
    let record = stage.path("heard-by-phone.wav");
    let arguments = format!(
        "{} --local-port {} --headless call sip:bob@127.0.0.1:{} --record {} --hold 3s:3s",
        account(&server),
        free_port(),
        server.port,
        record.display()
    );
    let mut phone = Phone::start(stage, "phone", &arguments)?;
    bob.wait_for("CALL_ESTABLISHED", SOON)?;
    wait_for_scene("heard by the phone", &record, BARESIP_HZ, Scene::Again)?;
    phone.interrupt();
    let call = phone.finish_call(SOON)?;
    expect(&call, "/holds", 1)?;
    let heard = Analysis::new(&read_wav(&record)?, BARESIP_HZ);
    heard.expect_hold("heard by the phone", 2.0)?;
    match (heard.strongest - BARESIP_HZ).abs() <= 5.0 && heard.heard() > 4.0 {
        true => Ok(()),
        false => Err(format!("{} Hz for {} s", heard.strongest, heard.heard()).into()),
    }
}

fn baresip_holds(stage: &Stage) -> Outcome {
    let server = Kamailio::start(stage)?;
    let record = stage.path("heard-by-phone.wav");
    let mut phone = answering_phone(stage, &server, &format!("--record {}", record.display()))?;
    let mut bob = Baresip::start(stage, "bob", server.port, &Microphone::Tone(BARESIP_HZ))?;
    bob.dial(&format!("sip:alice@127.0.0.1:{}", server.port))?;
    bob.wait_for("CALL_ESTABLISHED", SOON)?;
    let recorded = |scene| wait_for_scene("heard by the phone", &record, BARESIP_HZ, scene);
    recorded(Scene::Tone)?;
    // What it has said of the call up to now is not what is waited for below.
    bob.listen(Duration::ZERO)?;
    bob.command("hold", "")?;
    // The re-INVITE was answered, and baresip took the answer.
    bob.wait_for("CALL_REMOTE_SDP", SOON)?;
    recorded(Scene::Silence)?;
    bob.command("resume", "")?;
    bob.wait_for("CALL_REMOTE_SDP", SOON)?;
    recorded(Scene::Again)?;
    bob.command("hangup", "")?;
    phone.finish_call(SOON)?;
    let heard = Analysis::new(&read_wav(&record)?, BARESIP_HZ);
    heard.expect_hold("heard by the phone", 2.0)?;
    match (heard.strongest - BARESIP_HZ).abs() <= 5.0 && heard.heard() > 4.0 {
        true => Ok(()),
        false => Err(format!("{} Hz for {} s", heard.strongest, heard.heard()).into()),
    }
}
