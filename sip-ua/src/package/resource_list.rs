//! Lists of resources (RFC 4662): one subscription for many, their states in a multipart body.
