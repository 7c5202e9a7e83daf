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

#[cfg(test)]
mod tests {
    use super::*;

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
