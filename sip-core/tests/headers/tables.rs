//! What Yealink's tables name is there: methods (YLC-087 to 100), headers (YLC-101 to 136), status codes
//! (YLC-137 to 185); and what the registry of IANA has besides.

use sidetone_sip_core::header::typed_names;
use sidetone_sip_core::{HeaderName, Method, StatusCode};

/// YLC-087 to YLC-100.
const METHODS: [&str; 14] = [
    "REGISTER",
    "INVITE",
    "ACK",
    "CANCEL",
    "BYE",
    "OPTIONS",
    "SUBSCRIBE",
    "NOTIFY",
    "REFER",
    "PRACK",
    "INFO",
    "MESSAGE",
    "UPDATE",
    "PUBLISH",
];

/// YLC-101 to YLC-136, and those that the catalogue's line after them says the list forgot.
const HEADERS: [&str; 51] = [
    "Accept",
    "Alert-Info",
    "Allow",
    "Allow-Events",
    "Authorization",
    "Call-ID",
    "Call-Info",
    "Contact",
    "Content-Length",
    "Content-Type",
    "CSeq",
    "Diversion",
    "Event",
    "Expires",
    "From",
    "Max-Forwards",
    "Min-SE",
    "P-Asserted-Identity",
    "P-Preferred-Identity",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "RAck",
    "Record-Route",
    "Refer-To",
    "Referred-By",
    "Remote-Party-ID",
    "Replaces",
    "Require",
    "Route",
    "RSeq",
    "Session-Expires",
    "Subscription-State",
    "Supported",
    "To",
    "User-Agent",
    "Via",
    "WWW-Authenticate",
    "Privacy",
    "Reason",
    "History-Info",
    "Path",
    "Service-Route",
    "P-Early-Media",
    "SIP-ETag",
    "SIP-If-Match",
    "Retry-After",
    "Warning",
    "Unsupported",
    "Accept-Encoding",
    "Accept-Language",
    "Content-Disposition",
];

/// YLC-137 to YLC-185, with the phrase of the registry where the manual has its own (500, 504).
const CODES: [(u16, &str); 49] = [
    (100, "Trying"),
    (180, "Ringing"),
    (181, "Call Is Being Forwarded"),
    (183, "Session Progress"),
    (200, "OK"),
    (202, "Accepted"),
    (300, "Multiple Choices"),
    (301, "Moved Permanently"),
    (302, "Moved Temporarily"),
    (400, "Bad Request"),
    (401, "Unauthorized"),
    (402, "Payment Required"),
    (403, "Forbidden"),
    (404, "Not Found"),
    (405, "Method Not Allowed"),
    (406, "Not Acceptable"),
    (407, "Proxy Authentication Required"),
    (408, "Request Timeout"),
    (409, "Conflict"),
    (410, "Gone"),
    (411, "Length Required"),
    (413, "Request Entity Too Large"),
    (414, "Request-URI Too Long"),
    (415, "Unsupported Media Type"),
    (416, "Unsupported URI Scheme"),
    (420, "Bad Extension"),
    (421, "Extension Required"),
    (423, "Interval Too Brief"),
    (480, "Temporarily Unavailable"),
    (481, "Call/Transaction Does Not Exist"),
    (482, "Loop Detected"),
    (483, "Too Many Hops"),
    (484, "Address Incomplete"),
    (485, "Ambiguous"),
    (486, "Busy Here"),
    (487, "Request Terminated"),
    (488, "Not Acceptable Here"),
    (491, "Request Pending"),
    (493, "Undecipherable"),
    (500, "Server Internal Error"),
    (501, "Not Implemented"),
    (502, "Bad Gateway"),
    (503, "Service Unavailable"),
    (504, "Server Time-out"),
    (505, "Version Not Supported"),
    (600, "Busy Everywhere"),
    (603, "Decline"),
    (604, "Does Not Exist Anywhere"),
    (606, "Not Acceptable"),
];

/// What the registry has and Yealink's table has not.
const MORE_CODES: [(u16, &str); 34] = [
    (182, "Queued"),
    (199, "Early Dialog Terminated"),
    (204, "No Notification"),
    (305, "Use Proxy"),
    (380, "Alternative Service"),
    (412, "Conditional Request Failed"),
    (417, "Unknown Resource-Priority"),
    (422, "Session Interval Too Small"),
    (424, "Bad Location Information"),
    (425, "Bad Alert Message"),
    (428, "Use Identity Header"),
    (429, "Provide Referrer Identity"),
    (430, "Flow Failed"),
    (433, "Anonymity Disallowed"),
    (436, "Bad Identity Info"),
    (437, "Unsupported Credential"),
    (438, "Invalid Identity Header"),
    (439, "First Hop Lacks Outbound Support"),
    (440, "Max-Breadth Exceeded"),
    (469, "Bad Info Package"),
    (470, "Consent Needed"),
    (489, "Bad Event"),
    (494, "Security Agreement Required"),
    (513, "Message Too Large"),
    (555, "Push Notification Service Not Supported"),
    (580, "Precondition Failure"),
    (607, "Unwanted"),
    (608, "Rejected"),
    // The names of the classes, for codes that nobody has registered.
    (110, "Provisional"),
    (299, "Success"),
    (399, "Redirection"),
    (499, "Request Failure"),
    (599, "Server Failure"),
    (699, "Global Failure"),
];

#[test]
fn methods_are_known() {
    let known = [
        Method::REGISTER,
        Method::INVITE,
        Method::ACK,
        Method::CANCEL,
        Method::BYE,
        Method::OPTIONS,
        Method::SUBSCRIBE,
        Method::NOTIFY,
        Method::REFER,
        Method::PRACK,
        Method::INFO,
        Method::MESSAGE,
        Method::UPDATE,
        Method::PUBLISH,
    ];
    for (name, method) in METHODS.into_iter().zip(known) {
        assert_eq!(name.parse(), Ok(method.clone()));
        assert_eq!(method.as_str(), name);
        // Methods have a case (RFC 3261 §7.1).
        assert_ne!(name.to_ascii_lowercase().parse(), Ok(method));
    }
}

#[test]
fn headers_are_typed() {
    for header in HEADERS {
        let name: HeaderName = header.parse().unwrap();
        assert_eq!(name.as_str(), header);
        assert!(typed_names().any(|typed| typed == name), "{header}");
    }
    assert!(typed_names().count() >= 100, "{}", typed_names().count());
}

#[test]
fn codes_have_their_phrases() {
    for (code, phrase) in CODES.into_iter().chain(MORE_CODES) {
        assert_eq!(StatusCode::new(code).map(StatusCode::reason), Some(phrase), "{code}");
    }
    let known = (100..700).filter_map(StatusCode::new).filter(|status| {
        !["Provisional", "Success", "Redirection", "Request Failure", "Server Failure", "Global Failure"]
            .contains(&status.reason())
    });
    assert_eq!(
        known.count(),
        CODES.len() + MORE_CODES.len() - 6,
        "each registered code is in one of the tables"
    );
}
