//! Text as editors and shells write it.

use std::io::ErrorKind;
use std::path::Path;

use encoding_rs::{Encoding, WINDOWS_1252};

use super::is_inherited;
use crate::error::{Error, Result};
use crate::files;

/// The text of the file at `path`, or of a pipe that the program was started with.
///
/// # Errors
///
/// [`Error::Io`] when it cannot be read, or is in an encoding that is not taken.
pub(crate) fn read(path: &Path) -> Result<String> {
    // Such a pipe is read once and is small, where other files are read in parts or twice.
    let is_pipe = is_inherited(path) && files::is_pipe(path);
    let bytes = if is_pipe { std::fs::read(path) } else { files::read(path) };
    let text = bytes.and_then(|bytes| {
        decoded(&bytes).map_err(|message| std::io::Error::new(ErrorKind::InvalidData, message))
    });
    text.map_err(Error::io("read", path))
}

/// The text in `bytes`: UTF-8, or UTF-16 with a byte-order mark, as PowerShell's `>` writes it. Otherwise what
/// it is and what to do about it.
fn decoded(bytes: &[u8]) -> std::result::Result<String, String> {
    if bytes.starts_with(&[0xff, 0xfe, 0, 0]) || bytes.starts_with(&[0, 0, 0xfe, 0xff]) {
        return Err("it is UTF-32; save it as UTF-8".into());
    }
    if let Some((encoding, length)) = Encoding::for_bom(bytes) {
        let text = encoding.decode_without_bom_handling_and_without_replacement(&bytes[length..]);
        let name = encoding.name();
        let damaged = || format!("it begins as {name} and is damaged; save it again, as UTF-8");
        return text.map(Into::into).ok_or_else(damaged);
    }
    if bytes.contains(&0) {
        let message = "it is no text, or UTF-16 without a byte-order mark; save it as UTF-8";
        return Err(message.into());
    }
    std::str::from_utf8(bytes).map(String::from).map_err(|e| {
        let before = &bytes[..e.valid_up_to()];
        let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
        let byte = bytes[e.valid_up_to()];
        let one = [byte];
        let meant = WINDOWS_1252.decode_without_bom_handling(&one).0;
        format!(
            "line {line} is not UTF-8: its byte 0x{byte:02x} would be {meant} in Latin-1 or Windows-1252; \
             save it as UTF-8"
        )
    })
}

/// Characters that word processors and web pages put in place of others, what they are, what to write, and
/// whether they can be seen.
const TYPOGRAPHIC: [(&str, &str, &str, bool); 7] = [
    ("“”„‟«»″", "a typographic quote", "\"", true),
    ("‘’‚‛′", "a typographic quote", "'", true),
    ("–—‒−‐‑", "a typographic dash", "-", true),
    ("，、", "a wide comma", ",", true),
    ("＝", "a wide equals sign", "=", true),
    (SPACES, "a space that is no plain one", "a plain space", false),
    (INVISIBLE, "an invisible character", "nothing", false),
];
const SPACES: &str = "\u{a0}\u{202f}\u{2007}\u{2009}\u{3000}";
const INVISIBLE: &str = "\u{200b}\u{200c}\u{200d}\u{2060}\u{feff}\u{ad}";

/// What to write in place of a character that cannot be seen to be another, if there is one in `line`.
pub(super) fn typographic(line: &str) -> Option<String> {
    line.chars().find_map(|c| {
        let (_, what, instead, visible) = TYPOGRAPHIC.iter().find(|(all, ..)| all.contains(c))?;
        let shown = if *visible { format!(" {c}") } else { String::new() };
        Some(format!("{what}{shown} (U+{:04X}) is in this line: write {instead} for it", c as u32))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str, word: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(word).collect()
    }

    #[test]
    fn marks_tell_the_encoding() {
        let text = "# größe 🦀\nlatent = 2\n";
        let marked = format!("\u{feff}{text}");
        for bytes in [
            text.as_bytes().to_vec(),
            marked.as_bytes().to_vec(),
            utf16(&marked, u16::to_le_bytes),
            utf16(&marked, u16::to_be_bytes),
        ] {
            assert_eq!(decoded(&bytes).as_deref(), Ok(text));
        }
        assert_eq!(decoded(b"").as_deref(), Ok(""));
    }

    #[test]
    fn what_is_no_such_text_is_named() {
        let utf32 = |text: &str| text.chars().flat_map(|c| (c as u32).to_le_bytes()).collect();
        let mut odd = utf16("\u{feff}latent = 2", u16::to_le_bytes);
        odd.pop();
        let cases: [(Vec<u8>, &str); 5] = [
            (utf32("\u{feff}a"), "it is UTF-32; save it as UTF-8"),
            (utf16("a = 1", u16::to_le_bytes), "UTF-16 without a byte-order mark"),
            (odd, "it begins as UTF-16LE and is damaged"),
            (
                b"a = 1\n# caf\xe9\n".to_vec(),
                "line 2 is not UTF-8: its byte 0xe9 would be é in Latin-1",
            ),
            (b"\xef\xbb\xbfa\xff".to_vec(), "it begins as UTF-8 and is damaged"),
        ];
        for (bytes, part) in cases {
            let message = decoded(&bytes).unwrap_err();
            assert!(message.contains(part), "{message}");
        }
    }
}
