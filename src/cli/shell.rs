//! Commands as they can be pasted into a shell.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// This program as it was started, followed by `args`, each quoted where a shell wants it.
pub fn command<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> String {
    let mut line = quoted(&program());
    for arg in args {
        line.push(' ');
        line.push_str(&quoted(arg.as_ref()));
    }
    line
}

/// The name or path by which the program can be started again from this folder.
fn program() -> OsString {
    let started = std::env::args_os().next().unwrap_or_default();
    let is_name = Path::new(&started).components().count() < 2;
    let found = |folder: PathBuf| {
        let name = format!("{}{}", started.display(), std::env::consts::EXE_SUFFIX);
        folder.join(&started).is_file() || folder.join(name).is_file()
    };
    let on_path = || {
        let folders = std::env::var_os("PATH").unwrap_or_default();
        !started.is_empty() && std::env::split_paths(&folders).any(found)
    };
    match is_name && !on_path() {
        true => std::env::current_exe().map_or("vae-gpu".into(), PathBuf::into_os_string),
        false => started,
    }
}

/// A path as an argument of a command: one that begins with a hyphen would be taken for a flag.
pub fn path(path: &Path) -> OsString {
    match path.as_os_str().as_encoded_bytes().starts_with(b"-") {
        true => Path::new(".").join(path).into(),
        false => path.into(),
    }
}

/// An argument, quoted for a shell if necessary. Bytes that are no characters to be printed stand as
/// `$'\xe9'`, which bash, zsh and ksh take.
#[cfg(not(windows))]
pub fn quoted(argument: &OsStr) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+:@%,=".contains(c);
    match argument.to_str() {
        Some("") => "''".into(),
        Some(text) if text.chars().all(plain) && !text.starts_with('=') => text.into(),
        Some(text) if !text.chars().any(char::is_control) => {
            format!("'{}'", text.replace('\'', r"'\''"))
        }
        _ => escaped(argument.as_encoded_bytes()),
    }
}

#[cfg(not(windows))]
fn escaped(bytes: &[u8]) -> String {
    let mut text = String::from("$'");
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\'' | '\\' => text.extend(['\\', c]),
                c if c.is_control() => {
                    let bytes = c.to_string().into_bytes();
                    text.extend(bytes.iter().map(|byte| format!("\\x{byte:02x}")));
                }
                c => text.push(c),
            }
        }
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    text + "'"
}

/// An argument, quoted as both `cmd` and PowerShell take it if necessary.
#[cfg(windows)]
pub fn quoted(argument: &OsStr) -> String {
    let text = argument.to_string_lossy();
    let plain = |c: char| c.is_alphanumeric() || r"\/._-+:".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text.into() } else { format!("\"{text}\"") }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::ffi::OsStrExt;
    use std::process::Command;

    use super::*;

    /// A shell makes the argument again of the quoted text.
    #[test]
    fn a_shell_reads_back_what_was_quoted() {
        if Command::new("bash").arg("-c").arg("true").output().is_err() {
            eprintln!("SKIPPED: there is no bash");
            return;
        }
        for argument in [
            &b"runs/mlp-digits"[..],
            b"",
            b"my runs",
            b"it's",
            b"a\"b$HOME`id`!*?",
            b"~/x",
            b"d\xe9j\xe0",
            b"\xe9a'b\\",
            b"line\nbreak\x1b[0m",
            "größe".as_bytes(),
            b"#no;comment&|<>",
            b"=x",
        ] {
            let argument = OsStr::from_bytes(argument);
            let quoted = quoted(argument);
            let script = format!("printf %s {quoted}");
            let output = Command::new("bash").arg("-c").arg(script).output().unwrap();
            assert_eq!(OsStr::from_bytes(&output.stdout), argument, "{quoted}");
        }
        assert_eq!(quoted(OsStr::new("runs/mlp")), "runs/mlp");
        assert_eq!(path(Path::new("-x")), "./-x");
    }
}
