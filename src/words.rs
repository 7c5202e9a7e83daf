//! Words that messages are made of.

/// The likeness of two names, from 0 to 1, from which one may be meant by the other.
const LIKE: f64 = 0.8;

/// `; did you mean …?` for the name among `known` that is most like `name`, if one is; otherwise nothing.
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let all = known.into_iter().map(|known| (likeness(name, known), known));
    match all.max_by(|a, b| a.0.total_cmp(&b.0)) {
        Some((likeness, known)) if likeness >= LIKE => format!("; did you mean `{known}`?"),
        _ => String::new(),
    }
}

/// The likeness of two names in any case, from 0 to 1.
fn likeness(a: &str, b: &str) -> f64 {
    let [a, b] = [a.to_lowercase(), b.to_lowercase()];
    // The measure of Jaro and Winkler does not see two letters of three that were swapped.
    let slip = a.len() > 2 && strsim::damerau_levenshtein(&a, &b) == 1;
    strsim::jaro_winkler(&a, &b).max(if slip { 0.9 } else { 0.0 })
}

/// A number with the name of what is counted: `1 image`, `2 images`.
pub fn counted(count: impl TryInto<u64> + std::fmt::Display + Copy, thing: &str) -> String {
    let ending = match count.try_into() {
        Ok(1) => "",
        _ if thing.ends_with('s') => "es",
        _ => "s",
    };
    format!("{count} {thing}{ending}")
}

/// Most characters of a value that a message repeats.
const LONGEST: usize = 80;
/// Most characters of a path, and of what else has no space, in a message.
const LONGEST_PATH: usize = 400;
/// Most characters of a message.
const LONGEST_MESSAGE: usize = 2000;

/// `value` as messages repeat it: on one line, and where it is long only its beginning and its end.
pub fn shortened(value: &str) -> String {
    cut(&in_one_line(value), LONGEST)
}

/// The same for a longer text, of which at most `most` characters are wanted.
pub fn shortened_to(text: &str, most: usize) -> String {
    cut(&in_one_line(&text.replace('\n', " ")), most)
}

/// The first of `names` as messages repeat them, and how many more there are.
pub fn listed(names: &[String]) -> String {
    const SHOWN: usize = 20;
    let first: Vec<_> = names.iter().take(SHOWN).map(|name| shortened(name)).collect();
    match names.len().saturating_sub(SHOWN) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

/// `message` on one line that can be read: long values, and the middle of a long message, left out.
pub fn readable(message: &str) -> String {
    let words = in_one_line(message);
    let words = words
        .split(' ')
        .map(|word| cut(word, if word.contains(['/', '\\']) { LONGEST_PATH } else { LONGEST }));
    cut(&words.collect::<Vec<_>>().join(" "), LONGEST_MESSAGE)
}

/// A reason that a library gave, without the notation of Rust: of `Kind { type: IDAT, … }` what it names,
/// of `BlockLength` its words.
pub fn plain(reason: &str) -> String {
    let mut rest = reason.trim().trim_matches('"');
    let mut text = String::new();
    while let Some((before, inside, after)) = structure(rest) {
        text += before;
        text += inside;
        rest = after;
    }
    text += rest;
    text.split_whitespace().map(in_words).collect::<Vec<_>>().join(" ")
}

/// The first structure in `text`: what is before it, its one member that says most, what is behind it.
fn structure(text: &str) -> Option<(&str, &str, &str)> {
    let (head, body) = text.split_once(" { ")?;
    let (body, after) = body.split_once(" }")?;
    let start = head.rfind(|c: char| !c.is_alphanumeric()).map_or(0, |at| at + 1);
    let is_name = head[start..].starts_with(|c: char| c.is_uppercase());
    let member = |name: &str| {
        let (_, value) = body.split_once(&format!("{name}: "))?;
        Some(match value.strip_prefix('"') {
            Some(quoted) => quoted.split('"').next()?,
            None => value.split([',', ' ']).next()?,
        })
    };
    let says = ["message", "type", "kind"].into_iter().find_map(member);
    is_name.then(|| (&head[..start], says.unwrap_or(&head[start..]), after))
}

/// `word`, or the words of which it is put together as the variants of an enum are. Each of those is a
/// capital and small letters, so that units (MiB) and formats (WebP) stay as they are.
fn in_words(word: &str) -> String {
    let letters: Vec<char> = word.chars().collect();
    let capitals = letters.iter().filter(|c| c.is_uppercase()).count();
    let parts = letters.windows(2).filter(|pair| pair[0].is_uppercase() && pair[1].is_lowercase());
    let is_name = letters.iter().all(|c| c.is_alphabetic()) && letters[0].is_uppercase();
    if !is_name || capitals < 2 || parts.count() < capitals {
        return word.into();
    }
    let split = |c: &char| match c.is_uppercase() {
        true => format!(" {}", c.to_lowercase()),
        false => c.to_string(),
    };
    letters.iter().map(split).collect::<String>().trim_start().into()
}

fn in_one_line(text: &str) -> String {
    let escaped = |c: char| match c.is_control() {
        true => c.escape_default().collect(),
        false => c.to_string(),
    };
    text.chars().map(escaped).collect()
}

/// The beginning and the end of `text` if it is longer than `most` characters.
fn cut(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return text.into();
    }
    let (head, tail) = (most * 2 / 3, most / 4);
    let part = |from, length| text.chars().skip(from).take(length).collect::<String>();
    format!("{}…{}", part(0, head), part(count - tail, tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_in_words() {
        for (reason, words) in [
            ("unexpected end of file", "unexpected end of file"),
            ("\"Bogus Sampling Factor 3\"", "Bogus Sampling Factor 3"),
            ("Corrupt stream. InvalidBlockLength", "Corrupt stream. invalid block length"),
            ("No DC table for component Y", "No DC table for component Y"),
            (
                "CRC error in ChunkType { type: IDAT, critical: true, safe: false } chunk",
                "CRC error in IDAT chunk",
            ),
            (
                "Os { code: 2, kind: NotFound, message: \"No such file or directory\" }",
                "No such file or directory",
            ),
            ("ParseIntError { kind: InvalidDigit }", "invalid digit"),
            ("WebP needs 3 MiB of the KiB left", "WebP needs 3 MiB of the KiB left"),
            ("takes { reshape = [1, 2] } and no more", "takes { reshape = [1, 2] } and no more"),
        ] {
            assert_eq!(plain(reason), words);
        }
    }

    #[test]
    fn a_message_can_be_read_whatever_it_repeats() {
        for same in ["epochs = 0: must be at least 1", "/a/long/way/to/the/run: is no run folder"] {
            assert_eq!(readable(same), same);
        }
        let long = readable(&format!("epochs = {}: must be at least 1", "9".repeat(5000)));
        assert!(
            long.starts_with("epochs = 9999") && long.ends_with("must be at least 1"),
            "{long}"
        );
        assert!(long.contains('…') && long.chars().count() < 140, "{long}");
        assert_eq!(readable("a\nb\t\u{1b}[0m: is none"), "a\\nb\\t\\u{1b}[0m: is none");
        let path = format!("/{}: is no run folder", "deep/".repeat(1000));
        assert!(readable(&path).chars().count() < 450);
        assert!(readable(&"no ".repeat(10_000)).chars().count() <= LONGEST_MESSAGE);
        assert!(shortened(&"no ".repeat(10_000)).chars().count() <= LONGEST);
    }

    #[test]
    fn only_a_like_name_is_offered() {
        let known =
            ["mlp", "mlp-deep", "conv", "conv-rgb", "residual", "vulkan", "denoising", "plan"];
        for (name, meant) in [
            ("mpl", "mlp"),
            ("MLP", "mlp"),
            ("convrgb", "conv-rgb"),
            ("resnet", ""),
            ("cuda", ""),
            ("denoise", "denoising"),
            ("nothing", ""),
            ("learn", ""),
            ("", ""),
        ] {
            let offered = did_you_mean(name, known);
            let expected = match meant {
                "" => String::new(),
                meant => format!("; did you mean `{meant}`?"),
            };
            assert_eq!(offered, expected, "{name}");
        }
    }

    #[test]
    fn one_thing_is_counted_as_one() {
        let said = [(0, "image"), (1, "image"), (2, "image"), (1, "class"), (2, "class")];
        let said = said.map(|(count, thing)| counted(count, thing));
        assert_eq!(said, ["0 images", "1 image", "2 images", "1 class", "2 classes"]);
    }
}
