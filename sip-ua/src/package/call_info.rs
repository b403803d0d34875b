//! The packages `call-info` and `line-seize` (BroadSoft): shared lines by Call-Info headers.
