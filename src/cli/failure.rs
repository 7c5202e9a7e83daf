//! Errors that end the program, its own and the library's, in words that name the flags.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::Path;

use vae_gpu::error::Load;
use vae_gpu::words::{counted, did_you_mean, shortened};
use vae_gpu::{Error, Note};

use super::shell;

/// The result of a subcommand.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

/// An error that ends the program.
pub enum Failure {
    /// A mistake in the command, in words.
    Usage(String),
    /// An error of the library.
    Library(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Library(error)
    }
}

/// Keys of a configuration, and the flags that set them.
const FLAGS: &[(&str, &str)] = &[
    ("epochs", "--epochs"),
    ("batch_size", "--batch-size"),
    ("learning_rate", "--lr"),
    ("seed", "--seed"),
    ("hold_out", "--hold-out"),
    ("size", "--size"),
    ("channels", "--channels"),
    ("background", "--background"),
    ("white", "--white"),
    ("skip_bad", "--skip-bad"),
];

/// The text of a remark, with the flag that changes what it is about.
pub fn noted(note: &Note) -> String {
    let flag = FLAGS.iter().find(|(key, _)| Some(*key) == note.key);
    flag.map_or_else(|| note.to_string(), |(_, flag)| format!("{note} ({flag})"))
}

impl Failure {
    /// The exit code: 2 for a mistake in the command or in the configuration, otherwise 1.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_)
            | Self::Library(
                Error::Config { .. }
                | Error::Toml { .. }
                | Error::Named { .. }
                | Error::Unknown { .. }
                | Error::Layer { .. }
                | Error::Shape { .. }
                | Error::Column { .. }
                | Error::Input(_)
                | Error::Batch { .. }
                | Error::NoPrior,
            ) => 2,
            Self::Library(_) => 1,
        }
    }

    /// The same about the configuration of the run in the folder `run`: no mistake in the command.
    pub fn of_run(self, run: &Path) -> Self {
        let message = match &self {
            _ if self.exit_code() != 2 => return self,
            Self::Usage(message) => message.clone(),
            Self::Library(error) => error.to_string(),
        };
        let file = run.join("config.toml");
        Error::run(file, format!("is damaged or does not fit its dataset: {message}")).into()
    }

    /// The same about the model in `run`, where it makes what is not finite.
    pub fn of_model(self, run: &Path) -> Self {
        match self {
            Self::Library(error @ Error::NotFinite { .. }) => {
                Error::run(run, error.to_string()).into()
            }
            other => other,
        }
    }

    /// The lines that follow the message: one for each of the first of several bad files.
    pub fn list(&self) -> Vec<String> {
        let Self::Library(Error::BadFiles { folder, files, total, .. }) = self else {
            return Vec::new();
        };
        if *total < 2 {
            return Vec::new();
        }
        let name = |path: &Path| path.strip_prefix(folder).unwrap_or(path).display().to_string();
        let named = files.iter().map(|(path, reason)| format!("{}: {reason}", name(path)));
        let more = (*total > files.len()).then(|| format!("and {} more", total - files.len()));
        named.chain(more).collect()
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Usage(message) => f.write_str(message),
            Self::Library(error) => f.write_str(&worded(error)),
        }
    }
}

/// The message of a library's error, with the flags that mend it.
pub fn worded(error: &Error) -> String {
    match error {
        Error::Config { key, value, message } => match FLAGS.iter().find(|(k, _)| k == key) {
            Some((_, flag)) => format!("{key} ({flag}) = {value}: {message}"),
            None => error.to_string(),
        },
        Error::Named { name, error } => format!("{name}: {}", worded(error)),
        Error::Shape { model, given } => format!(
            "the model takes images of {model} (width x height x channels), and the dataset has \
             {given}: choose another --data, or --size and --channels"
        ),
        Error::Batch { batch_size, dataset, images } => format!(
            "--batch-size {batch_size}: the dataset {dataset} has only {}",
            counted(*images, "training image")
        ),
        Error::MixedSizes { first_size: (width, height), .. } => {
            format!("{error} with --size {width}x{height}")
        }
        Error::BadFiles { total: 1, .. } => format!("{error}, or leave it out with --skip-bad"),
        Error::BadFiles { folder, total, images, .. } => format!(
            "{}: {total} of {images} images cannot be read; replace them, take them out of the folder, or \
             leave them out with --skip-bad:",
            folder.display()
        ),
        Error::Taken { path, is_run: true } => format!(
            "{}: is there already; --resume it, --overwrite it or choose another --out",
            path.display()
        ),
        Error::Taken { path, .. } => {
            format!(
                "{}: is not empty and holds more than a run; choose another --out",
                path.display()
            )
        }
        Error::NoSuchAdapter { wanted, known } => {
            let words = known.iter().flat_map(|name| name.split([' ', '(', ')', ',']));
            let meant = did_you_mean(wanted, words.filter(|word| word.len() > 2));
            let wanted = shortened(wanted);
            format!("--adapter {wanted}: no such adapter; there are: {}{meant}", known.join(", "))
        }
        Error::Io { path, action: "read the dataset", source }
            if source.kind() == ErrorKind::NotFound =>
        {
            format!("{error}{}", to_be_had(path))
        }
        Error::TooLarge { load: Load::Dataset, .. } => format!("{error} (--size)"),
        Error::TooLarge { load: Load::Step, .. } => format!("{error} (--batch-size)"),
        Error::TooLarge { load: Load::Batch, .. } => {
            format!("{error} (batch_size in the run's config.toml)")
        }
        other => other.to_string(),
    }
}

/// Datasets that many ask for by name, and where their IDX files are.
const KNOWN: [(&str, &str, &str); 2] = [
    ("mnist", "MNIST", "https://ossci-datasets.s3.amazonaws.com/mnist"),
    (
        "fashion-mnist",
        "Fashion-MNIST",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
    ),
];

/// The advice on a dataset's folder that is not there: for one of a known name, how to get it.
fn to_be_had(path: &Path) -> String {
    let plain = |name: &OsStr| {
        name.to_string_lossy().to_lowercase().replace(|c: char| !c.is_alphanumeric(), "")
    };
    let name = path.file_name().map(plain).unwrap_or_default();
    let known = KNOWN.iter().find(|(known, ..)| plain(OsStr::new(known)) == name);
    if let Some((_, title, address)) = known {
        // The braces are curl's own, so that every shell leaves them alone.
        return format!(
            "; {title} does not come with the program, get it with: curl --create-dirs --output-dir \
             {} --remote-name-all '{address}/{{train,t10k}}-{{images-idx3,labels-idx1}}-ubyte.gz'",
            shell::quoted(&shell::path(path))
        );
    }
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let beside =
        std::fs::read_dir(folder.unwrap_or(Path::new("."))).into_iter().flatten().flatten();
    let folders = beside.filter(|entry| entry.path().is_dir());
    let names: Vec<_> = folders.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    let others = ["digits", "mnist"].into_iter().filter(|_| folder.is_none());
    let wanted = path.file_name().unwrap_or_default().to_string_lossy();
    did_you_mean(&wanted, names.iter().map(String::as_str).chain(others))
}
