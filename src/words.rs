//! Words that messages are made of.

/// The likeness of two names, from 0 to 1, from which one may be meant by the other.
const LIKE: f64 = 0.75;

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
    // Jaro's measure does not see two letters of three that were swapped.
    let slip = a.len() > 2 && strsim::damerau_levenshtein(&a, &b) == 1;
    strsim::jaro(&a, &b).max(if slip { 0.9 } else { 0.0 })
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

/// `message` on one line that can be read: long values, and the middle of a long message, left out.
pub fn readable(message: &str) -> String {
    let words = in_one_line(message);
    let words = words
        .split(' ')
        .map(|word| cut(word, if word.contains(['/', '\\']) { LONGEST_PATH } else { LONGEST }));
    cut(&words.collect::<Vec<_>>().join(" "), LONGEST_MESSAGE)
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
        let known = ["mlp", "mlp-deep", "conv", "conv-rgb", "residual", "vulkan", "denoising"];
        for (name, meant) in [
            ("mpl", "mlp"),
            ("MLP", "mlp"),
            ("convrgb", "conv-rgb"),
            ("resnet", ""),
            ("cuda", ""),
            ("denoise", "denoising"),
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
