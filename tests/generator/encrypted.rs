//! An encrypted PDF that asks for a password: the standard security handler, version 1, revision 2 (RC4, 40 bits).
//!
//! PDF Reference 1.7, section 3.5. MD5 and RC4 are written out here because nothing but this fixture wants them.

use super::pdf::PdfFile;

/// The password that opens [`encrypted_pdf`].
pub const PASSWORD: &str = "cradle-555";

/// What every password is padded with (PDF Reference 1.7, algorithm 3.2).
const PADDING: [u8; 32] = [
    0x28, 0xbf, 0x4e, 0x5e, 0x4e, 0x75, 0x8a, 0x41, 0x64, 0x00, 0x4e, 0x56, 0xff, 0xfa, 0x01, 0x08, 0x2e, 0x2e, 0x00,
    0xb6, 0xd0, 0x68, 0x3e, 0x80, 0x2f, 0x0c, 0xa9, 0xfe, 0x64, 0x53, 0x69, 0x7a,
];

/// One page of text that nobody reads without [`PASSWORD`].
pub fn encrypted_pdf(text: &str) -> Vec<u8> {
    let padded: Vec<u8> = PASSWORD.bytes().chain(PADDING).take(32).collect();
    let owner = rc4(&md5(&padded)[..5], &padded);
    let permissions: i32 = -4;
    let id = [0x5a_u8; 16];
    let seed = [&padded[..], &owner, &permissions.to_le_bytes(), &id].concat();
    let key = md5(&seed)[..5].to_vec();
    let user = rc4(&key, &PADDING);

    let mut file = PdfFile::default();
    let font = file.add("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>");
    let plain = format!("BT /F0 14 Tf 72 700 Td ({text}) Tj ET");
    // The stream is object 2; its key is the file's with object and generation number (algorithm 3.1).
    let object_key = md5(&[&key[..], &[2, 0, 0, 0, 0]].concat());
    let content = file.add_stream("", &rc4(&object_key[..10], plain.as_bytes()));
    let root = file.tree(&[(format!("/Font << /F0 {font} 0 R >>"), content)]);
    let encrypt = file.add(format!(
        "<< /Filter /Standard /V 1 /R 2 /O <{}> /U <{}> /P {permissions} >>",
        hexadecimal(&owner),
        hexadecimal(&user)
    ));
    let id = hexadecimal(&id);
    file.finish(root, &format!("/Encrypt {encrypt} 0 R /ID [<{id}> <{id}>]"))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |digits, byte| digits + &format!("{byte:02x}"))
}

fn rc4(key: &[u8], data: &[u8]) -> Vec<u8> {
    let mut state: Vec<u8> = (0..=255).collect();
    let mut other = 0_usize;
    for place in 0..256 {
        other = (other + usize::from(state[place]) + usize::from(key[place % key.len()])) % 256;
        state.swap(place, other);
    }
    let (mut place, mut other) = (0_usize, 0_usize);
    data.iter()
        .map(|byte| {
            place = (place + 1) % 256;
            other = (other + usize::from(state[place])) % 256;
            state.swap(place, other);
            byte ^ state[(usize::from(state[place]) + usize::from(state[other])) % 256]
        })
        .collect()
}

/// RFC 1321.
pub fn md5(message: &[u8]) -> [u8; 16] {
    const TURNS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];
    let mut padded = message.to_vec();
    padded.push(0x80);
    while padded.len() % 64 != 56 {
        padded.push(0);
    }
    padded.extend_from_slice(&(message.len() as u64 * 8).to_le_bytes());
    let mut state = [0x6745_2301_u32, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    for block in padded.chunks_exact(64) {
        let words: Vec<u32> =
            block.chunks_exact(4).map(|four| u32::from_le_bytes([four[0], four[1], four[2], four[3]])).collect();
        let [mut a, mut b, mut c, mut d] = state;
        for step in 0..64 {
            let (mix, word) = match step / 16 {
                0 => ((b & c) | (!b & d), step),
                1 => ((d & b) | (!d & c), (5 * step + 1) % 16),
                2 => (b ^ c ^ d, (3 * step + 5) % 16),
                _ => (c ^ (b | !d), (7 * step) % 16),
            };
            let constant = (f64::from(step as u32 + 1).sin().abs() * 4_294_967_296.0) as u32;
            let sum = a.wrapping_add(mix).wrapping_add(constant).wrapping_add(words[word]);
            a = d;
            d = c;
            c = b;
            b = b.wrapping_add(sum.rotate_left(TURNS[step / 16][step % 4]));
        }
        for (total, part) in state.iter_mut().zip([a, b, c, d]) {
            *total = total.wrapping_add(part);
        }
    }
    let mut digest = [0; 16];
    for (four, word) in digest.chunks_exact_mut(4).zip(state) {
        four.copy_from_slice(&word.to_le_bytes());
    }
    digest
}
