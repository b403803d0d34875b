//! Why a call was diverted: Diversion (RFC 5806) and History-Info (RFC 7044), read and written.
