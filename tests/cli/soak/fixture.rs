//! What the tasks share: datasets, runs as they should be, and the program with a limit of time.

use std::io::Read;
use std::process::Child;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::report::Verdict;
use super::*;

/// The longest that a program may take for what is done in a second.
const PATIENCE: Duration = Duration::from_secs(120);
/// The longest error message.
const LONGEST: usize = 500;

/// Every file of a folder with its bytes, without what tells the time.
pub type Files = BTreeMap<OsString, Vec<u8>>;

/// Datasets `idx`, `gz`, `png` and `jpg`, configurations `tiny.toml` and `plain.toml` (which has no
/// samples), and runs.
pub struct Fixture {
    place: Place,
    /// Two epochs of `tiny.toml`, and six.
    pub whole: Files,
    pub long: Files,
    /// Two epochs of `plain.toml`.
    pub plain: Files,
    /// What `evaluate --json` prints of `whole`.
    pub losses: String,
}

/// How a program ended.
pub struct Ended {
    pub ran: Ran,
    /// The signal that ended it.
    pub signal: Option<i32>,
    hung: bool,
}

impl Fixture {
    pub fn new() -> Self {
        let place = Place::new();
        place.write("gz/train-images-idx3-ubyte.gz", gz(&idx(64, 8, 8)));
        place.write("gz/t10k-images-idx3-ubyte.gz", gz(&idx(32, 8, 8)));
        for (i, pixels) in idx(24, 8, 8)[16..].chunks(64).enumerate() {
            use libjpeg_turbo_rs::{PixelFormat, Subsampling, compress};
            let image = image::GrayImage::from_raw(8, 8, pixels.to_vec()).unwrap();
            let mut bytes = std::io::Cursor::new(Vec::new());
            image.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
            place.write(&format!("png/{i:02}.png"), bytes.into_inner());
            let grey = (PixelFormat::Grayscale, Subsampling::S444);
            let jpeg = compress(pixels, 8, 8, grey.0, 90, grey.1).unwrap();
            place.write(&format!("jpg/{i:02}.jpg"), jpeg);
        }
        place.write("plain.toml", TINY.replace("latent = 2", "latent = 2\nvariational = false"));
        let train = |out: &str, more: &[&str]| {
            place.train(&format!("runs/{out}"), more);
        };
        train("whole", &[]);
        train("old", &["--seed", "7"]);
        train("begun", &["--epochs", "1"]);
        train("part", &["--max-steps", "3"]);
        train("long", &["--epochs", "6"]);
        for data in ["gz", "png", "jpg"] {
            train(&format!("{data}-begun"), &["--data", data, "--epochs", "1"]);
            train(&format!("{data}-whole"), &["--data", data]);
        }
        place.ok(&["train", "--config", "plain.toml", "--out", "runs/plain"]);
        let files = |run: &str| files(&place.path(format!("runs/{run}"))).expect("a run");
        let (whole, long, plain) = (files("whole"), files("long"), files("plain"));
        let losses = place.ok(&["evaluate", "runs/whole", "--json"]);
        // What is tuned and compiled on the way to a run.
        let tuned = ["train", "--config", "tiny.toml", "--out", "runs/tuned", "--tune", "quick"];
        let ended = wait(start_with_cache(&place, "cache", &[], &tuned.map(String::from)));
        assert!(ended.succeeded(), "{}", ended.ran.stderr);
        // Pixels that are streamed from a file.
        let packed = ["train", "--config", "tiny.toml", "--data", "gz", "--out", "runs/packed"];
        let args = packed.iter().chain(&["--memory", "1KB"]).map(|word| word.to_string());
        let ended = wait(start_with_cache(&place, "packed", &[], &args.collect::<Vec<_>>()));
        assert!(ended.succeeded(), "{}", ended.ran.stderr);
        Self { place, whole, long, plain, losses }
    }

    /// The path of a file or folder of this fixture.
    pub fn path(&self, name: &str) -> String {
        self.place.path(name).to_str().unwrap().into()
    }

    /// The files of the run called `name`.
    pub fn run(&self, name: &str) -> Files {
        files(&self.place.path(format!("runs/{name}"))).expect("a run")
    }

    /// An empty folder, with a copy of `run` in it as `the-run` if there is one.
    pub fn folder(&self, run: Option<&str>) -> Place {
        let folder = Place(tempfile::tempdir().unwrap());
        if let Some(run) = run {
            self.copy(&format!("runs/{run}"), &folder, "the-run");
        }
        folder
    }

    /// Copies the folder `from`, which has no others in it.
    pub fn copy(&self, from: &str, into: &Place, name: &str) {
        fs::create_dir_all(into.path(name)).unwrap();
        for file in names(self.place.path(from)) {
            let to = into.path(name).join(&file);
            fs::copy(self.place.path(from).join(&file), to).unwrap();
        }
    }

    /// The command that trains the model of `config` into `the-run`.
    pub fn train(&self, config: &str, more: &[&str]) -> Vec<String> {
        let (config, data) = (self.path(config), self.path("idx"));
        let args = ["train", "--config", &config, "--data", &data, "--out", "the-run"];
        args.iter().chain(more).map(|arg| arg.to_string()).collect()
    }
}

/// The files of a run; none where the folder is missing or holds no metrics.
pub fn files(folder: &Path) -> Option<Files> {
    let read = |name: OsString| {
        let bytes = fs::read(folder.join(&name)).ok()?;
        Some((name, bytes))
    };
    let listed = fs::read_dir(folder).ok()?.map(|entry| entry.ok().map(|entry| entry.file_name()));
    let mut files = listed.map(|name| read(name?)).collect::<Option<Files>>()?;
    let metrics = files.get_mut(&OsString::from("metrics.jsonl"))?;
    let mut lines = Vec::new();
    for line in std::str::from_utf8(metrics).ok()?.lines() {
        let mut line: Value = serde_json::from_str(line).ok()?;
        let line_of = line.as_object_mut()?;
        line_of.remove("seconds");
        line_of.remove("images_per_second");
        lines.push(line.to_string());
    }
    *metrics = lines.join("\n").into_bytes();
    Some(files)
}

/// What differs between two runs, by the files' names.
pub fn difference(should: &Files, is: Option<&Files>) -> Option<String> {
    let Some(is) = is else { return Some("no run is there".into()) };
    let all: std::collections::BTreeSet<_> = should.keys().chain(is.keys()).collect();
    let differ: Vec<_> =
        all.into_iter().filter(|name| should.get(*name) != is.get(*name)).collect();
    (!differ.is_empty()).then(|| format!("{differ:?} differ"))
}

/// Starts the program, by `tracer` if there is one; what it prints is kept. Without a cache of pipelines,
/// it does the same each time.
pub fn start(place: &Place, tracer: &[String], args: &[String]) -> Child {
    start_with_cache(place, "", tracer, args)
}

/// The same with a cache.
pub fn start_with_cache(place: &Place, cache: &str, tracer: &[String], args: &[String]) -> Child {
    let own = env!("CARGO_BIN_EXE_vae-gpu").to_string();
    let words: Vec<&String> = tracer.iter().chain([&own]).chain(args).collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    place.prepare(&mut command);
    command.env("VAE_GPU_CACHE", cache);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits for a program to end, or ends it after a long time.
pub fn wait(mut child: Child) -> Ended {
    fn reader(from: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<String> {
        let mut from = from.unwrap();
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = from.read_to_end(&mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        })
    }
    let (stdout, stderr) = (reader(child.stdout.take()), reader(child.stderr.take()));
    let start = Instant::now();
    let mut hung = false;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if start.elapsed() > PATIENCE && !hung {
            hung = true;
            child.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    #[cfg(unix)]
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    #[cfg(not(unix))]
    let signal = None;
    let (stdout, stderr) = (stdout.join().unwrap(), stderr.join().unwrap());
    Ended { ran: Ran { code: status.code(), stdout, stderr }, signal, hung }
}

/// Runs the program in `place`, to its end.
pub fn run(place: &Place, args: &[impl ToString]) -> Ended {
    let args: Vec<String> = args.iter().map(|arg| arg.to_string()).collect();
    wait(start(place, &[], &args))
}

impl Ended {
    pub fn succeeded(&self) -> bool {
        self.ran.code == Some(0)
    }

    /// The fault in how it ended, if nobody killed it: success, and an error in a line that can be read,
    /// have none.
    pub fn fault(&self) -> Option<Verdict> {
        let Ran { code, stderr, .. } = &self.ran;
        let shown: String = stderr.chars().take(300).collect();
        if self.hung {
            return Some(Verdict::Hang(shown));
        }
        match code {
            Some(0) if !stderr.contains("panicked") => None,
            Some(1 | 2) if !stderr.contains("panicked") => {
                let error = stderr.lines().last().unwrap_or_default();
                let is_told = error.starts_with("error: ") && error.len() < LONGEST;
                (!is_told).then(|| Verdict::Panic(format!("no message that can be read: {shown}")))
            }
            code => Some(Verdict::Panic(format!("ended by {code:?}, {:?}: {shown}", self.signal))),
        }
    }
}
