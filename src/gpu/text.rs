//! A preprocessor that makes one WGSL text of several files of `shaders/`.
//!
//! Lines that begin with `#`, indented or not, are directives, behind which anything is a comment:
//!
//! - `#import shared/index` includes `shaders/shared/index.wgsl`. Each file is included once,
//!   before the files that import it. The host replaces `VARIANT` in a path.
//! - `#if NAME` … `#endif` leaves out the lines between, imports too, unless the host sets the
//!   constant `NAME` to a number other than zero; `#if !NAME` leaves them out if it does. `BROWSER`
//!   counts as set in texts for browsers.

use include_dir::{Dir, include_dir};

static FILES: Dir = include_dir!("$CARGO_MANIFEST_DIR/shaders");

/// The host's settings for a text.
pub(super) struct Settings<'a> {
    /// The replacement of `VARIANT` in imports.
    pub variant: &'a str,
    /// The constants, all of them `u32`.
    pub constants: &'a [(&'a str, u32)],
    /// Whether the text is for browsers.
    pub browser: bool,
}

/// A text in the making.
struct Text<'a> {
    settings: &'a Settings<'a>,
    /// Paths of the files already included.
    imported: Vec<String>,
    /// The `enable` and `diagnostic` lines, which WGSL requires before everything else.
    directives: String,
    body: String,
}

/// The constants' declarations, the files that `source` imports, and `source` itself, each file
/// after a comment with its path. Panics on unknown directives and on files that do not exist,
/// which are bugs of the caller.
pub(super) fn complete(name: &str, source: &str, settings: &Settings) -> String {
    let (imported, directives, body) = Default::default();
    let mut text = Text { settings, imported, directives, body };
    text.add(name, source);
    let declare = |(name, value): &(&str, u32)| format!("const {name}: u32 = {value}u;\n");
    let constants: String = settings.constants.iter().map(declare).collect();
    [text.directives, constants, text.body].concat()
}

/// The complete text of the file `shaders/{path}.wgsl`: see [`complete`].
pub(super) fn complete_file(path: &str, settings: &Settings) -> String {
    complete("", &format!("#import {path}"), settings)
}

impl Text<'_> {
    fn import(&mut self, path: String) {
        if !self.imported.contains(&path) {
            let name = format!("{path}.wgsl");
            let source = FILES.get_file(&name).and_then(|file| file.contents_utf8());
            let source = source.unwrap_or_else(|| panic!("there is no shaders/{name}"));
            self.imported.push(path);
            self.add(&format!("shaders/{name}"), source);
        }
    }

    fn add(&mut self, name: &str, source: &str) {
        let mut own = String::new();
        let mut conditions = Vec::new();
        for line in source.lines() {
            let mut words = line.split_whitespace();
            let (first, second) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
            match first {
                "#if" => conditions.push(self.holds(second)),
                "#endif" => assert!(conditions.pop().is_some(), "{name}: #endif without #if"),
                _ if conditions.contains(&false) => {}
                "#import" => self.import(second.replace("VARIANT", self.settings.variant)),
                "enable" => self.directives.extend([line, "\n"]),
                _ if first.starts_with("diagnostic(") => self.directives.extend([line, "\n"]),
                _ => {
                    assert!(!first.starts_with('#'), "{name}: {line}");
                    own.extend([line, "\n"]);
                }
            }
        }
        assert!(conditions.is_empty(), "{name}: #if without #endif");
        if !own.is_empty() {
            self.body += &format!("\n// {name}\n{own}");
        }
    }

    fn holds(&self, condition: &str) -> bool {
        let name = condition.trim_start_matches('!');
        let is_set = |(constant, value): &(&str, u32)| *constant == name && *value != 0;
        let holds = match name {
            "BROWSER" => self.settings.browser,
            _ => self.settings.constants.iter().any(is_set),
        };
        holds != condition.starts_with('!')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings<'a>(constants: &'a [(&'a str, u32)]) -> Settings<'a> {
        Settings { variant: "lanes", constants, browser: false }
    }

    fn names(text: &str) -> Vec<&str> {
        text.lines().filter_map(|line| line.strip_prefix("// shaders/")).collect()
    }

    #[test]
    fn a_file_comes_once_and_before_what_imports_it() {
        let text = complete(
            "own",
            "#import shared/optimizer // and\n#import shared/math\nlast",
            &settings(&[("N", 3)]),
        );
        let files = ["shared/math.wgsl", "shared/schedule.wgsl", "shared/optimizer.wgsl"];
        assert_eq!(names(&text), files);
        assert!(text.starts_with("const N: u32 = 3u;\n\n// shaders/shared/math.wgsl\n"), "{text}");
        assert!(text.ends_with("}\n\n// own\nlast\n"), "{text}");
        assert!(!text.contains('#'), "{text}");
    }

    #[test]
    fn the_host_chooses_the_variant() {
        let text = complete("own", "#import product/VARIANT", &settings(&[]));
        assert_eq!(names(&text).last(), Some(&"product/lanes.wgsl"));
    }

    #[test]
    fn conditions_are_of_constants_and_nest() {
        let source =
            "#if A\na\n  #if !B\nb\n  #endif\n#endif\n#if !A\n#import shared/map\nc\n#endif\n";
        let text =
            |constants: &[_]| complete("own", source, &settings(constants)).replace("// own", "");
        let lines = |constants: &[_]| {
            let text = text(constants);
            let own = text.lines().filter(|line| line.len() == 1);
            own.map(String::from).collect::<String>() + &names(&text).concat()
        };
        assert_eq!(lines(&[("A", 2)]), "ab");
        assert_eq!(lines(&[("A", 2), ("B", 1)]), "a");
        for none in [&[][..], &[("A", 0), ("B", 1)]] {
            assert_eq!(lines(none), "}cshared/map.wgsl");
        }
    }

    #[test]
    fn directives_go_first() {
        let source = "first\n#if BROWSER\nenable subgroups; // why\n#endif\nlast";
        let settings = settings(&[("N", 1)]);
        let without = complete("own", source, &settings);
        assert_eq!(without, "const N: u32 = 1u;\n\n// own\nfirst\nlast\n");
        let with = complete("own", source, &Settings { browser: true, ..settings });
        assert_eq!(with, format!("enable subgroups; // why\n{without}"));
    }

    #[test]
    #[should_panic(expected = "there is no shaders/shared/nothing.wgsl")]
    fn what_does_not_exist_is_not_imported() {
        complete("own", "#import shared/nothing", &settings(&[]));
    }

    #[test]
    #[should_panic(expected = "own: #iff A")]
    fn faulty_lines_are_not_left_in() {
        complete("own", "#iff A", &settings(&[]));
    }
}
