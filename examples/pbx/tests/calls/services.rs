//! Rooms, orbits, music and messages: what the extensions do with the sound of calls.

use super::*;
use sidetone_pbx::{
    FolderMailboxes, MailboxCounts, MemoryMailboxes, Music, OrbitConfig, RoomConfig, RoomControl,
    VoicemailConfig,
};
use sidetone_sip_ua::{CallRequest, JoinOrder};

/// Music that a test can tell from voices: a sound file with one tone.
fn music(hertz: &'static [f32]) -> Music {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("music-{}.wav", hertz[0]));
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut samples = [0; 8000];
    let parts = Box::leak(Box::new([Part { hertz, millis: 0 }]));
    Generator::new(Tone { parts, once: false }, 8000).fill(&mut samples);
    let mut wav = hound::WavWriter::create(&path, spec).unwrap();
    samples.iter().for_each(|sample| wav.write_sample(*sample).unwrap());
    wav.finalize().unwrap();
    Music::open(&path).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_plays_music_to_who_is_alone_and_lets_two_hear_each_other() {
    let mut config = RoomConfig::default();
    config.music = music(&[1000.0]);
    config.members = 2;
    let mut site = Site::new(|builder| builder.extension("800", Service::Conference(config))).await;
    let (_alices, alice) = site.phone("alice", Protocol::Udp).await;
    let (_bobs, bob) = site.phone("bob", Protocol::Udp).await;
    let (low, mut alices_ear) = voice(LOW);
    let (high, mut bobs_ear) = voice(HIGH);
    let mut first = alice.call("800", low).await.unwrap();
    established(&mut first).await;
    alices_ear.hears(1000.0).await;
    let mut second = bob.call("800", high).await.unwrap();
    established(&mut second).await;
    bobs_ear.hears(700.0).await;
    alices_ear.hears_from_now(1300.0).await;
    let full =
        |event: &PbxEvent| matches!(event, PbxEvent::RoomChanged { members, .. } if members.len() == 2);
    site.event("two members", full).await;

    // The room is full.
    let (third, _) = voice(HIGH);
    let mut refused = bob.call("800", third).await.unwrap();
    assert_eq!(ended(&mut refused).await.status, Some(StatusCode::BUSY_HERE));

    second.hangup().await.unwrap();
    alices_ear.hears_from_now(1000.0).await;
    first.hangup().await.unwrap();
    let empty =
        |event: &PbxEvent| matches!(event, PbxEvent::RoomChanged { members, .. } if members.is_empty());
    site.event("an empty room", empty).await;
}

/// Alice talks to Bob and to the room, and has Bob join it, in both orders of RFC 4579.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_is_brought_into_a_room_by_a_refer_to_him_and_by_one_to_the_room() {
    for order in [JoinOrder::Member, JoinOrder::Focus] {
        let mut site =
            Site::new(|builder| builder.extension("800", Service::Conference(RoomConfig::default()))).await;
        let (_alices, alice) = site.phone("alice", Protocol::Udp).await;
        let (mut bobs, bob) = site.phone("bob", Protocol::Udp).await;
        let (low, _) = voice(LOW);
        let mut first = alice.call("bob", low).await.unwrap();
        let (high, _) = voice(HIGH);
        let answering = incoming(&mut bobs).await;
        let mut at_bob = answering.answer(high).await.unwrap();
        established(&mut first).await;
        let (low, mut alices_ear) = voice(LOW);
        let mut room = alice.call("800", low).await.unwrap();
        established(&mut room).await;
        let (high, mut bobs_ear) = voice(HIGH);
        let (member, focus) = (first.handle(), room.handle());
        let joining = tokio::spawn(async move { member.join_focus(&focus, order).await });
        let joined = match order {
            JoinOrder::Member => {
                let refer = soon("a REFER", async {
                    loop {
                        if let Some(UserAgentEvent::Referred(refer)) = bobs.next_event().await {
                            break refer;
                        }
                    }
                });
                refer.await.accept(high).await.unwrap()
            }
            _ => {
                let fetched = incoming(&mut bobs).await;
                assert_eq!(fetched.replaces(), Some(at_bob.id()));
                assert_eq!(fetched.from().uri.user().as_deref(), Some("800"));
                fetched.answer(high).await.unwrap()
            }
        };
        soon("joined", joining).await.unwrap().unwrap();
        ended(&mut at_bob).await;
        alices_ear.hears_from_now(1300.0).await;
        bobs_ear.hears_from_now(700.0).await;
        assert!(joined.focus().await.unwrap().is_some(), "{order:?}");
        let full =
            |event: &PbxEvent| matches!(event, PbxEvent::RoomChanged { members, .. } if members.len() == 2);
        site.event("two members", full).await;
        drop((bob, joined));
    }
}

/// Alice is in no call: the room calls Bob and Alice because she asks it to, and puts Bob out when she is in it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_obeys_a_refer_from_outside_of_any_call() {
    let mut site =
        Site::new(|builder| builder.extension("800", Service::Conference(RoomConfig::default()))).await;
    let (mut alices, alice) = site.phone("alice", Protocol::Udp).await;
    let (mut bobs, bob) = site.phone("bob", Protocol::Udp).await;
    let mut calls = Vec::new();
    for (agent, name, tone) in [(&mut bobs, "bob", HIGH), (&mut alices, "alice", LOW)] {
        let account = alice.clone();
        let bringing = tokio::spawn(async move { account.bring_in("800", name).await });
        let call = incoming(agent).await;
        assert_eq!(call.from().uri.user().as_deref(), Some("800"));
        let (port, ear) = voice(tone);
        calls.push((call.answer(port).await.unwrap(), ear));
        soon("the last word of the room", bringing).await.unwrap().unwrap();
    }
    let (mut at_alice, mut alices_ear) = calls.pop().unwrap();
    let (mut at_bob, mut bobs_ear) = calls.pop().unwrap();
    alices_ear.hears_from_now(1300.0).await;
    bobs_ear.hears_from_now(700.0).await;
    let of = |count: usize| move |event: &PbxEvent| matches!(event, PbxEvent::RoomChanged { members, .. } if members.len() == count);
    site.event("two members", of(2)).await;
    soon("Bob is put out", alice.put_out("800", "bob")).await.unwrap();
    ended(&mut at_bob).await;
    site.event("Alice alone", of(1)).await;
    // Who is not there cannot be put out, nor can who is not there put out.
    let refused = |result| match result {
        Err(sidetone_sip_ua::Error::Refused(status)) => status,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(soon("404", alice.put_out("800", "bob")).await), StatusCode::NOT_FOUND);
    assert_eq!(refused(soon("403", bob.put_out("800", "alice")).await), StatusCode::FORBIDDEN);
    assert_eq!(refused(soon("403", alice.bring_in("600", "bob")).await), StatusCode::FORBIDDEN);
    // By her own call with it.
    let room = at_alice.handle();
    soon("Alice puts herself out", room.put_out("alice")).await.unwrap();
    ended(&mut at_alice).await;
    site.event("nobody", of(0)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_obeys_those_alone_that_its_settings_name() {
    let room = |control| {
        let mut config = RoomConfig::default();
        config.control = control;
        Service::Conference(config)
    };
    let rooms = [("801", RoomControl::Nobody), ("802", RoomControl::Members)];
    let site = Site::new(|builder| {
        rooms.into_iter().fold(builder, |builder, (number, control)| builder.extension(number, room(control)))
    })
    .await;
    let (_alices, alice) = site.phone("alice", Protocol::Udp).await;
    let (mut bobs, _bob) = site.phone("bob", Protocol::Udp).await;
    for (number, control) in rooms {
        let outside = soon("403", alice.bring_in(number, "bob")).await;
        assert!(
            matches!(outside, Err(sidetone_sip_ua::Error::Refused(StatusCode::FORBIDDEN))),
            "{outside:?}"
        );
        let (low, _ear) = voice(LOW);
        let mut call = alice.call(number, low).await.unwrap();
        established(&mut call).await;
        let handle = call.handle();
        let bringing = tokio::spawn(async move { handle.bring_in("bob").await });
        if control == RoomControl::Members {
            let (high, mut bobs_ear) = voice(HIGH);
            let _at_bob = incoming(&mut bobs).await.answer(high).await.unwrap();
            soon("the last word of the room", bringing).await.unwrap().unwrap();
            bobs_ear.hears_from_now(700.0).await;
        } else {
            let inside = soon("403", bringing).await.unwrap();
            assert!(
                matches!(inside, Err(sidetone_sip_ua::Error::Refused(StatusCode::FORBIDDEN))),
                "{inside:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parked_call_hears_music_until_somebody_dials_the_orbit() {
    let mut config = OrbitConfig::default();
    config.music = music(&[900.0]);
    let mut site = Site::new(|builder| builder.extension("701", Service::Park(config))).await;
    let (_alices, alice) = site.phone("alice", Protocol::Udp).await;
    let (_bobs, bob) = site.phone("bob", Protocol::Udp).await;
    let mut lamps = site.pbx.dialogs();
    let (low, mut alices_ear) = voice(LOW);
    let (high, mut bobs_ear) = voice(HIGH);
    let mut parked = alice.call("701", low).await.unwrap();
    established(&mut parked).await;
    alices_ear.hears(900.0).await;
    // The lamp of the orbit.
    soon("the orbit's lamp", async {
        while !lamps.next().await.is_some_and(|dialog| {
            dialog.user == "701" && dialog.state == sidetone_pbx::DialogState::Confirmed
        }) {}
    })
    .await;
    let mut taking = bob.call("701", high).await.unwrap();
    established(&mut taking).await;
    bobs_ear.hears(700.0).await;
    alices_ear.hears_from_now(1300.0).await;
    site.event("the orbit free", |event| matches!(event, PbxEvent::Unparked { orbit } if orbit == "701"))
        .await;
    // Who hangs up ends both.
    taking.hangup().await.unwrap();
    assert_eq!(ended(&mut parked).await.by, EndedBy::Remote);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parked_call_that_nobody_takes_comes_back_to_who_parked_it() {
    let mut config = OrbitConfig::default();
    config.time_out = Duration::from_millis(300);
    let site = Site::new(|builder| builder.extension("701", Service::Park(config))).await;
    let (_alices, alice) = site.phone("alice", Protocol::Udp).await;
    let (mut bobs, bob) = site.phone("bob", Protocol::Udp).await;
    let (low, mut alices_ear) = voice(LOW);
    let (high, mut bobs_ear) = voice(HIGH);
    let to = format!("sip:701@{}", site.pbx.udp_addrs()[0]).parse().unwrap();
    let mut headers = sidetone_sip_core::Headers::new();
    headers.push(&sidetone_sip_core::header::ReferredBy::new(bob.aor().clone()));
    let mut parked = alice.call_with(CallRequest::new(to).with_headers(headers), low).await.unwrap();
    established(&mut parked).await;
    let back = incoming(&mut bobs).await;
    let _call = back.answer(high).await.unwrap();
    bobs_ear.hears(700.0).await;
    alices_ear.hears_from_now(1300.0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_left_heard_and_deleted() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("voicemail");
    std::fs::remove_dir_all(&folder).ok();
    let store = FolderMailboxes::open(&folder).unwrap();
    let config = VoicemailConfig::default();
    let mut site = Site::new(|builder| builder.voicemail("*98", "*97", config, store)).await;
    let (_alices, alice) = site.phone("alice", Protocol::Udp).await;
    // Bob has no telephone: the call is diverted.
    let (low, mut alices_ear) = voice(LOW);
    let mut call = alice.call("bob", low).await.unwrap();
    established(&mut call).await;
    alices_ear.hears(1000.0).await;
    alices_ear.hears_silence().await;
    call.hangup().await.unwrap();
    let waiting = |event: &PbxEvent| {
        *event == PbxEvent::MailboxChanged { mailbox: "bob".into(), counts: MailboxCounts { new: 1, old: 0 } }
    };
    site.event("a message", waiting).await;
    assert_eq!(site.pbx.mailboxes().messages("bob")[0].from, "alice");

    let (_bobs, bob) = site.phone("bob", Protocol::Udp).await;
    let (high, mut bobs_ear) = voice(HIGH);
    let mut call = bob.call("*97", high).await.unwrap();
    established(&mut call).await;
    bobs_ear.hears(700.0).await;
    call.send_dtmf("#").await.unwrap();
    assert_eq!(ended(&mut call).await.by, EndedBy::Remote);
    assert_eq!(site.pbx.mailboxes().counts("bob"), MailboxCounts { new: 0, old: 1 });

    let (high, mut bobs_ear) = voice(HIGH);
    let mut call = bob.call("*97", high).await.unwrap();
    established(&mut call).await;
    bobs_ear.hears(700.0).await;
    call.send_dtmf("3").await.unwrap();
    assert_eq!(ended(&mut call).await.by, EndedBy::Remote);
    assert_eq!(site.pbx.mailboxes().counts("bob"), MailboxCounts::default());
    assert_eq!(std::fs::read_dir(folder.join("bob")).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_hangs_up_at_the_tone_leaves_no_message() {
    let config = VoicemailConfig::default();
    let site = Site::new(|builder| builder.voicemail("*98", "*97", config, MemoryMailboxes::new())).await;
    let (_alices, alice) = site.phone("alice", Protocol::Udp).await;
    let (low, mut ear) = voice(LOW);
    let mut call = alice.call("bob", low).await.unwrap();
    established(&mut call).await;
    ear.hears(1000.0).await;
    call.hangup().await.unwrap();
    ended(&mut call).await;
    // The number that takes messages knows nobody when it is dialled.
    let (low, _) = voice(LOW);
    let mut call = alice.call("*98", low).await.unwrap();
    assert_eq!(ended(&mut call).await.status, Some(StatusCode::NOT_FOUND));
    assert_eq!(site.pbx.mailboxes().counts("bob"), MailboxCounts::default());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_is_confirmed_and_music_plays_until_one_hangs_up() {
    let site = Site::new(|builder| {
        builder
            .extension("*70", Service::Confirmation)
            .extension("*45", Service::MusicOnHold(music(&[1100.0])))
    })
    .await;
    let (_alices, alice) = site.phone("alice", Protocol::Udp).await;
    let (low, _) = voice(LOW);
    let mut call = alice.call("*78", low).await.unwrap();
    established(&mut call).await;
    assert_eq!(ended(&mut call).await.by, EndedBy::Remote);
    assert!(site.pbx.features("alice").await.do_not_disturb);
    let mut features = site.pbx.features("alice").await;
    features.do_not_disturb = false;
    assert!(site.pbx.set_features("alice", features).await);
    let (low, mut ear) = voice(LOW);
    let mut call = alice.call("*45", low).await.unwrap();
    established(&mut call).await;
    ear.hears(1100.0).await;
}

pub(crate) async fn incoming(agent: &mut UserAgent) -> sidetone_sip_ua::IncomingCall {
    soon("an incoming call", async {
        loop {
            match agent.next_event().await {
                Some(UserAgentEvent::Incoming(incoming)) => return incoming,
                Some(_) => {}
                None => panic!("no more events"),
            }
        }
    })
    .await
}
