//! The program as a user runs it: every command, and every way to get one wrong.

mod bench;
mod cache;
#[path = "../common/mod.rs"]
mod common;
mod conditional;
mod configuration;
mod datasets;
mod disk;
mod generate;
mod info;
mod large;
mod limits;
mod locks;
mod models;
mod odd;
mod paths;
mod resume;
mod runs;
mod saving;
mod signals;
mod soak;
mod train;
mod tune;
mod usage;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;

use common::skip;

/// What training leaves in a run folder, sorted.
const RUN_FILES: [&str; 7] = [
    "checkpoint.safetensors",
    "config.toml",
    "loss.svg",
    "metrics.jsonl",
    "model.safetensors",
    "reconstructions.png",
    "samples.png",
];

/// A model that trains in no time, on the dataset of the current folder.
const TINY: &str = "[model]\nlatent = 2\nencoder = [{ linear = 16 }, \"relu\"]\n\
                    decoder = [{ linear = 16 }, \"relu\", { linear = \"image\" }]\n\n\
                    [train]\nepochs = 2\nbatch_size = 16\n\n[data]\npath = \"idx\"\n";

/// A folder for a test to work in, with `tiny.toml` and a dataset `idx` of 64 and 32 images of 8x8.
struct Place(TempDir);

/// What a command printed and how it ended.
struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        place.write("tiny.toml", TINY);
        place.write("idx/train-images-idx3-ubyte", idx(64, 8, 8));
        place.write("idx/t10k-images-idx3-ubyte", idx(32, 8, 8));
        place
    }

    fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    fn text(&self, name: &str) -> String {
        String::from_utf8(self.read(name)).unwrap()
    }

    /// Changes some text of a file.
    fn edit(&self, name: &str, from: &str, to: &str) {
        let text = self.text(name);
        assert!(text.contains(from), "{from:?} is not in {name}: {text}");
        self.write(name, text.replace(from, to));
    }

    fn copy_run(&self, from: &str, to: &str) {
        for file in RUN_FILES {
            self.write(&format!("{to}/{file}"), self.read(&format!("{from}/{file}")));
        }
    }

    /// Every file under the folder with its bytes, and every folder.
    fn everything(&self) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
        walkdir::WalkDir::new(self.0.path())
            .into_iter()
            .map(|entry| entry.unwrap().into_path())
            .map(|path| (path.clone(), path.is_file().then(|| fs::read(&path).unwrap())))
            .collect()
    }

    /// The program, to be run in this folder.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vae-gpu"));
        command.args(args);
        self.prepare(&mut command);
        command
    }

    /// Puts `command` in this folder and keeps its environment from adding to what it prints.
    fn prepare(&self, command: &mut Command) {
        command
            .current_dir(self.0.path())
            .env("NODEVICE_SELECT", "1")
            .env("XDG_RUNTIME_DIR", std::env::temp_dir())
            // Mesa keeps compiled shaders there: in a home, if there is one, and complains if not.
            .env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"))
            .env_remove("VAE_GPU_CACHE")
            // What is found depends on what else the machine does: for tests/cli/tune.rs alone.
            .env("VAE_GPU_TUNE", "off")
            .env_remove("RUST_LOG")
            .stdin(Stdio::null());
    }

    fn run(&self, args: &[&str]) -> Ran {
        Ran::from(self.command(args).output().unwrap())
    }

    /// Runs a command while calls of the system go as `injected` says, in strace's words; none where
    /// programs cannot be traced, which is said.
    fn run_injected(&self, injected: &str, args: &[&str]) -> Option<Ran> {
        if !soak::can_trace() {
            skip("no strace, or no right to trace");
            return None;
        }
        let calls = injected.split(':').next().unwrap();
        let mut command = Command::new("strace");
        command.args(["-o", "/dev/null", "-e", &format!("trace={calls}")]);
        command.args(["-e", &format!("inject={injected}"), env!("CARGO_BIN_EXE_vae-gpu")]);
        command.args(args);
        self.prepare(&mut command);
        Some(Ran::from(command.output().unwrap()))
    }

    /// Runs a command that must succeed and keep silent on standard error; returns its output.
    #[track_caller]
    fn ok(&self, args: &[&str]) -> String {
        let Ran { code, stdout, stderr } = self.run(args);
        assert_eq!(code, Some(0), "{args:?}: {stderr}");
        assert_eq!(stderr, "", "{args:?}");
        stdout
    }

    /// Trains the tiny model, which must succeed.
    #[track_caller]
    fn train(&self, out: &str, more: &[&str]) -> String {
        let args = ["train", "--config", "tiny.toml", "--out", out];
        self.ok(&[&args, more].concat())
    }

    /// Runs a command that must fail with `code` and one line that holds all `parts`, and must
    /// change no file.
    #[track_caller]
    fn fails(&self, args: &[&str], code: i32, parts: &[&str]) {
        let before = self.everything();
        self.run(args).failed(code, parts);
        let after = self.everything();
        let names = |files: &BTreeMap<PathBuf, _>| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&before), names(&after), "{args:?} left something behind");
        assert!(before == after, "{args:?} changed a file");
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("what it prints is UTF-8");
        // What the machine's own GPU has to be told about is nothing to the tests.
        let is_note = |line: &&str| line.starts_with("note: this runs on the CPU");
        let stderr = text(output.stderr);
        let stderr = stderr.split_inclusive('\n').filter(|line| !is_note(line)).collect();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr }
    }
}

impl Ran {
    /// Asserts that it ended with `code` and one line that holds all `parts`.
    #[track_caller]
    fn failed(&self, code: i32, parts: &[&str]) {
        let Self { stdout, stderr, .. } = self;
        assert_eq!(self.code, Some(code), "{stderr}");
        assert!(stderr.starts_with("error: ") && stderr.ends_with('\n'), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert_eq!(stdout, "", "{stderr}");
        for part in parts {
            assert!(stderr.contains(part), "{part:?} is not in: {stderr}");
        }
    }
}

/// An IDX file of `count` images, each with noise about a ramp of its own.
fn idx(count: u32, width: u32, height: u32) -> Vec<u8> {
    let mut bytes = idx_header(count, width, height);
    let mut word = 1u32;
    for i in 0..count * width * height {
        word = word.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        bytes.push((word >> 25) as u8 + (i / (width * height) % 8 * 16) as u8);
    }
    bytes
}

fn idx_header(count: u32, width: u32, height: u32) -> Vec<u8> {
    [0x803, count, height, width].iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A grey PNG whose values rise from `value`.
fn png(width: u32, height: u32, value: u8) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let ramp = |x: u32, y: u32| image::Luma([value.wrapping_add((16 * x + y) as u8)]);
    let image = image::GrayImage::from_fn(width, height, ramp);
    image.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// Width and height of the PNG file at `path`.
fn png_size(path: impl AsRef<Path>) -> (u32, u32) {
    image::image_dimensions(path).unwrap()
}

/// What the default adapter says of itself; none where there is no adapter.
fn adapter() -> &'static Option<serde_json::Value> {
    static ADAPTER: OnceLock<Option<serde_json::Value>> = OnceLock::new();
    ADAPTER.get_or_init(|| {
        let ran = Place::new().run(&["devices", "--json"]);
        let found = (ran.code == Some(0)).then(|| serde_json::from_str(&ran.stdout).unwrap());
        let required = std::env::var_os("VAE_GPU_REQUIRE_ADAPTER").is_some();
        assert!(found.is_some() || !required, "VAE_GPU_REQUIRE_ADAPTER is set: {}", ran.stderr);
        found.map(|all: serde_json::Value| all[0].clone())
    })
}

/// A place to train in; none, which is said past the capture of libtest, where there is no adapter.
fn place_with_adapter() -> Option<Place> {
    let place = adapter().as_ref().map(|_| Place::new());
    if place.is_none() {
        skip("no adapter");
    }
    place
}

/// Names of the files in a folder, sorted.
fn names(folder: impl AsRef<Path>) -> Vec<OsString> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}
