use super::*;
use core::time::Duration;
use proptest::prelude::*;
use sidetone_codecs::pcmu;

/// The report of RFC 6035 §4.7.3 (message F13).
const CALL_TERM: &str = concat!(
    "VQSessionReport: CallTerm\r\n",
    "CallID: 6dg37f1890463\r\n",
    "LocalID: Alice <sip:alice@example.org>\r\n",
    "RemoteID: Bill <sip:bill@example.net>\r\n",
    "OrigID: Alice <sip:alice@example.org>\r\n",
    "LocalGroup: example-phone-55671\r\n",
    "RemoteGroup: example-gateway-09871\r\n",
    "LocalAddr: IP=192.0.2.100 PORT=5000 SSRC=1a3b5c7d\r\n",
    "LocalMAC: 00:00:5e:00:53:01\r\n",
    "RemoteAddr:IP=198.51.100.150 PORT=5002 SSRC=0x2468abcd\r\n",
    "RemoteMAC: 00:00:5e:00:53:02\r\n",
    "LocalMetrics:\r\n",
    "Timestamps:START=2004-10-10T18:23:43Z STOP=2004-10-01T18:26:02Z\r\n",
    "SessionDesc:PT=18 PD=G729 SR=8000 FD=20 FO=20 FPP=2 PPS=50\r\n",
    "                FMTP=\"annexb=no\" PLC=3 SSUP=on\r\n",
    "JitterBuffer:JBA=3 JBR=2 JBN=40 JBM=80 JBX=120\r\n",
    "PacketLoss:NLR=5.0 JDR=2.0\r\n",
    "BurstGapLoss:BLD=0 BD=0 GLD=2.0 GD=500 GMIN=16\r\n",
    "Delay:RTD=200 ESD=140 SOWD=200 IAJ=2 MAJ=10\r\n",
    "Signal:SL=-21 NL=-50 RERL=55\r\n",
    "QualityEst:RLQ=90 RCQ=85 EXTRI=90 MOSLQ=4.2 MOSCQ=4.3\r\n",
    "  QoEEstAlg=P.564\r\n",
    "RemoteMetrics:\r\n",
    "Timestamps:START=2004-10-10T18:23:43Z STOP=2004-10-01T18:26:02Z\r\n",
    "SessionDesc:PT=18 PD=G729 SR=8000 FD=20 FO=20 FPP=2 PPS=50\r\n",
    "                FMTP=\"annexb=no\" PLC=3 SSUP=on\r\n",
    "JitterBuffer:JBA=3 JBR=2 JBN=40 JBM=80 JBX=120\r\n",
    "PacketLoss:NLR=5.0 JDR=2.0\r\n",
    "BurstGapLoss:BLD=0 BD=0 GLD=2.0 GD=500 GMIN=16\r\n",
    "Delay:RTD=200 ESD=140 SOWD=200 IAJ=2 MAJ=10\r\n",
    "Signal:SL=-21 NL=-45 RERL=55\r\n",
    "QualityEst:RLQ=90 RCQ=85 MOSLQ=4.3 MOSCQ=4.2 QoEEstAlg=P.564\r\n",
    "DialogID:1890463548@alice.example.org;to-tag=8472761;\r\n",
    "   from-tag=9123dh311\r\n",
);

#[test]
fn the_example_of_the_rfc_is_read_and_written_again() {
    let report: VqReport = CALL_TERM.parse().unwrap();
    assert_eq!(report.kind, VqReportKind::Session { call_term: true });
    assert_eq!(report.call_id, "6dg37f1890463");
    assert_eq!(report.remote_id, "Bill <sip:bill@example.net>");
    let local = report.local_address.unwrap();
    assert_eq!(
        (local.ip.to_string().as_str(), local.port, local.ssrc),
        ("192.0.2.100", Some(5000), Some(0x1a3b_5c7d))
    );
    assert_eq!(report.remote_mac.as_deref(), Some("00:00:5e:00:53:02"));
    let m = &report.local;
    assert_eq!(m.start, Some(VqTime(1_097_432_623)));
    let description = m.description.as_ref().unwrap();
    assert_eq!((description.payload_type, description.name.as_deref()), (Some(18), Some("G729")));
    assert_eq!(
        (description.fmtp.as_deref(), description.silence_suppression),
        (Some("annexb=no"), Some(true))
    );
    assert_eq!((m.buffer_adaptation, m.buffer_absolute_maximum), (Some(3), Some(120)));
    assert_eq!(
        (m.loss_rate, m.discard_rate, m.gap_density, m.minimum_gap),
        (Some(5.0), Some(2.0), Some(2.0), Some(16))
    );
    assert_eq!((m.round_trip_delay, m.one_way_delay, m.mean_absolute_jitter), (Some(200), None, Some(10)));
    assert_eq!((m.signal_level, m.residual_echo_return_loss), (Some(-21), Some(55)));
    assert_eq!((m.r_lq, m.external_r_in, m.mos_lq, m.mos_cq), (Some(90), Some(90), Some(4.2), Some(4.3)));
    assert_eq!(m.algorithm.as_deref(), Some("P.564"));
    let remote = report.remote.as_ref().unwrap();
    assert_eq!((remote.noise_level, remote.external_r_in, remote.mos_cq), (Some(-45), None, Some(4.2)));
    let dialog = report.dialog.as_ref().unwrap();
    assert_eq!(dialog.call_id, "1890463548@alice.example.org");
    assert_eq!((dialog.to_tag.as_deref(), dialog.from_tag.as_deref()), (Some("8472761"), Some("9123dh311")));

    let written = report.to_string();
    assert_eq!(written.parse::<VqReport>().unwrap(), report);
    assert!(written.contains("LocalAddr: IP=192.0.2.100 PORT=5000 SSRC=0x1a3b5c7d\r\n"), "{written}");
    assert!(
        written.contains("QualityEst: RLQ=90 RCQ=85 EXTRI=90 MOSLQ=4.2 MOSCQ=4.3 QoEEstAlg=P.564\r\n"),
        "{written}"
    );
    assert!(written.ends_with(";to-tag=8472761;from-tag=9123dh311\r\n"));
}

#[test]
fn interval_and_alert_reports_are_told_apart() {
    let session =
        "\r\nCallID: 1\r\nLocalID: a\r\nRemoteID: b\r\nOrigID: a\r\nLocalMetrics:\r\nPacketLoss:NLR=9.5\r\n";
    let read = |first: &str| format!("{first}{session}").parse::<VqReport>();
    assert_eq!(read("VQIntervalReport").unwrap().kind, VqReportKind::Interval { call_term: false });
    assert_eq!(read("VQSessionReport").unwrap().kind, VqReportKind::Session { call_term: false });
    let alert = read("VQAlertReport: Type=NLR Severity=Warning Dir=remote").unwrap();
    let expected =
        Alert { figure: AlertType::new("NLR").unwrap(), severity: Severity::Warning, remote: true };
    assert_eq!(alert.kind, VqReportKind::Alert(expected));
    assert_eq!(alert.local.loss_rate, Some(9.5));
    assert_eq!(alert.to_string().lines().next(), Some("VQAlertReport: Type=NLR Severity=Warning Dir=remote"));
    assert_eq!(alert.to_string().parse::<VqReport>().unwrap(), alert);
    for bad in [
        "VQAlertReport: Type=NLR",
        "VQAlertReport: Type=N(L Severity=Clear",
        "VQAlertReport: Type=N Severity=Bad",
    ] {
        assert!(matches!(read(bad), Err(VqReportError::Value { line: 1, .. })), "{bad}");
    }
    assert!(matches!(read("Hello"), Err(VqReportError::Kind(_))));
    assert!(matches!("".parse::<VqReport>(), Err(VqReportError::Kind(_))));
}

#[test]
fn errors_say_where_and_what() {
    let error = "VQSessionReport\r\nLocalMetrics:\r\nPacketLoss: NLR=101".parse::<VqReport>().unwrap_err();
    assert_eq!(error.to_string(), "line 3: NLR is \"101\", expected 0 to 100");
    let error = "VQSessionReport\r\n\r\nnonsense".parse::<VqReport>().unwrap_err();
    assert_eq!(error, VqReportError::Line { line: 3, text: "nonsense".into() });
    let error = "VQSessionReport\nLocalAddr: IP=x".parse::<VqReport>().unwrap_err();
    assert!(matches!(error, VqReportError::Value { line: 2, expected: "an address", .. }));
    assert!(matches!("x".repeat(20_000).parse::<VqReport>(), Err(VqReportError::TooLong { .. })));
}

#[test]
fn the_report_of_a_call_says_what_was_measured_and_no_text_breaks_a_line() {
    let mut quality = CallQuality::new(&pcmu::SPEC);
    quality.loss = 0.021;
    quality.round_trip = Some(Duration::from_millis(48));
    let quality = quality.rate();
    let mut report = VqReport::call_term("abc@192.0.2.1", &QualityReport::new(quality, Some(quality)));
    report.local_id = "Mallory\r\nRemoteID: <sip:x@y>".into();
    let written = report.to_string();
    assert!(written.contains("LocalID: MalloryRemoteID: <sip:x@y>\r\n"), "{written}");
    assert!(written.contains("PacketLoss: NLR=2.1 JDR=0.0\r\n") && written.contains("RTD=48"), "{written}");
    assert!(written.contains("SessionDesc: PT=0 PD=PCMU SR=8000 PPS=50 PLC=3\r\n"), "{written}");
    let read: VqReport = written.parse().unwrap();
    assert_eq!(read.remote.unwrap().r_lq, Some(quality.r_lq.round() as u8));
}

#[test]
fn times_are_those_of_the_calendar() {
    for (seconds, text) in [
        (0, "1970-01-01T00:00:00Z"),
        (951_827_696, "2000-02-29T12:34:56Z"),
        (1_097_432_623, "2004-10-10T18:23:43Z"),
        (4_107_542_400, "2100-03-01T00:00:00Z"),
    ] {
        assert_eq!(VqTime(seconds).to_string(), text);
        assert_eq!(text.parse(), Ok(VqTime(seconds)));
    }
    assert_eq!("2004-10-10T20:23:43.5+02:00".parse(), Ok(VqTime(1_097_432_623)));
    for bad in
        ["", "2004-10-10", "2004-13-10T00:00:00Z", "1969-12-31T23:59:59Z", "2004-10-10T18:23:43", "x-y-zT::Z"]
    {
        assert_eq!(bad.parse::<VqTime>(), Err(()), "{bad}");
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in "(VQSessionReport|VQAlertReport: Type=A Severity=Clear)\r\n([A-Za-z]{1,13}: ?([A-Z]{2,5}=[-0-9.\"a-z:]{0,12} ){0,4}\r?\n ?){0,8}") {
        if let Ok(report) = text.parse::<VqReport>() {
            let _ = report.to_string();
        }
    }

    #[test]
    fn every_time_survives(seconds in 0_u64..250_000_000_000) {
        prop_assert_eq!(VqTime(seconds).to_string().parse::<VqTime>(), Ok(VqTime(seconds)));
    }

    #[test]
    fn a_cut_or_changed_report_never_panics(at in 0_usize..1700, with in "[ -~\r\n]{0,6}") {
        let mut text = CALL_TERM.to_owned();
        let at = at.min(text.len());
        text.replace_range(at..(at + 3).min(text.len()), &with);
        if let Ok(report) = text.parse::<VqReport>() {
            let again = report.to_string();
            prop_assert!(again.parse::<VqReport>().is_ok(), "{}", again);
        }
    }
}
