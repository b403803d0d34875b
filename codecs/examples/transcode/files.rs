//! How coded files are cut into frames.

/// 16-bit little-endian samples.
pub fn samples(file: &[u8]) -> Result<Vec<i16>, String> {
    let (pairs, rest) = file.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(format!("{} octets are not whole 16-bit samples", file.len()));
    }
    Ok(pairs.iter().map(|pair| i16::from_le_bytes(*pair)).collect())
}

/// Samples as a file.
pub fn octets(pcm: &[i16]) -> Vec<u8> {
    pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

/// Frames of one size; the file must hold whole ones.
pub fn fixed(file: &[u8], size: usize) -> Result<Vec<&[u8]>, String> {
    if !file.len().is_multiple_of(size) {
        return Err(format!("{} octets are not whole frames of {size}", file.len()));
    }
    Ok(file.chunks(size).collect())
}

/// Records of a u16 little-endian octet count and that many octets; 0 is a frame that was not sent.
pub fn records(file: &[u8]) -> Result<Vec<&[u8]>, String> {
    split(file, |rest| {
        let (count, _) = rest.split_first_chunk().ok_or("a record begins with two octets")?;
        Ok((2, usize::from(u16::from_le_bytes(*count))))
    })
}

/// One record.
pub fn push_record(file: &mut Vec<u8>, record: &[u8]) -> Result<(), String> {
    let count = u16::try_from(record.len()).map_err(|_| format!("{} octets are no record", record.len()))?;
    file.extend_from_slice(&count.to_le_bytes());
    file.extend_from_slice(record);
    Ok(())
}

/// G.723.1 frames: the low two bits of the first octet say how long each is.
pub fn g7231(file: &[u8]) -> Result<Vec<&[u8]>, String> {
    split(file, |rest| {
        let first = rest.first().ok_or("a frame begins with one octet")?;
        Ok((0, [24, 20, 4, 1][usize::from(first & 3)]))
    })
}

/// An Opus packet and the range coder's state behind it in the encoder.
pub struct OpusPacket<'a> {
    pub payload: &'a [u8],
    pub range: u32,
}

/// Opus packets: u16 little-endian length, payload, u32 little-endian final range of the encoder.
pub fn opus<'a>(file: &'a [u8]) -> Result<Vec<OpusPacket<'a>>, String> {
    let packets = split(file, |rest| {
        let (count, _) = rest.split_first_chunk().ok_or("a packet begins with two octets")?;
        Ok((2, usize::from(u16::from_le_bytes(*count)) + 4))
    })?;
    // The range is in every record that was measured above.
    let packet = |record: &'a [u8]| {
        record
            .split_last_chunk()
            .map(|(payload, range)| OpusPacket { payload, range: u32::from_le_bytes(*range) })
    };
    Ok(packets.into_iter().filter_map(packet).collect())
}

/// Cuts a file; `measure` says how many octets stand before a frame and in it.
fn split(
    file: &[u8],
    measure: impl Fn(&[u8]) -> Result<(usize, usize), String>,
) -> Result<Vec<&[u8]>, String> {
    let mut frames = Vec::new();
    let mut rest = file;
    while !rest.is_empty() {
        let at = file.len() - rest.len();
        let (before, length) = measure(rest).map_err(|error| format!("octet {at}: {error}"))?;
        let whole = before + length;
        let frame = rest.get(before..whole);
        let (Some(frame), Some(next)) = (frame, rest.get(whole..)) else {
            return Err(format!("octet {at}: a frame of {whole} octets, but {} are left", rest.len()));
        };
        frames.push(frame);
        rest = next;
    }
    Ok(frames)
}
