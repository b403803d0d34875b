//! Why a call ended, in words: Reason (RFC 3326), Q.850 and SIP causes.
