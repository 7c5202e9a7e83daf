//! The weights file in PyTorch, through the documented scripts.

mod common;

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use vae_gpu::config::ModelConfig;
use vae_gpu::{Column, Dataset, Images, Preset, Table};

/// Writes the first `count` images of `table` and their labels as IDX files (LeCun's format, magic 0x803
/// and 0x801).
fn write_idx(folder: &Path, split: &str, table: &Table, count: usize) {
    let write = |name: &str, words: &[usize], values: &[u8]| {
        let words = words.iter().flat_map(|word| (*word as u32).to_be_bytes());
        let bytes: Vec<u8> = words.chain(values.iter().copied()).collect();
        std::fs::write(folder.join(format!("{split}-{name}-ubyte")), bytes).unwrap();
    };
    let Images { shape, pixels } = table.images().unwrap().select(&(0..count).collect::<Vec<_>>());
    write("images-idx3", &[0x803, count, shape.height, shape.width], &pixels);
    let Some(Column::Classes { indices, .. }) = table.column(Table::LABEL) else {
        panic!("labels")
    };
    let labels: Vec<u8> = indices[..count].iter().map(|label| *label as u8).collect();
    write("labels-idx1", &[0x801, count], &labels);
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
    output
}

/// A model with windows that are not the same down and across.
const PAIRS: &str = r#"
[model]
latent = 4
encoder = [
    { conv2d = 4, kernel = [3, 5], stride = [1, 2], padding = [1, 2] },
    "relu",
    { max_pool2d = [2, 1] },
    { avg_pool2d = [1, 3], stride = [1, 2], padding = [0, 1] },
    "flatten",
]
decoder = [
    { linear = 392 },
    { reshape = [4, 14, 7] },
    { upsample = [1, 2] },
    { conv_transpose2d = "image", kernel = [4, 3], stride = 2, padding = 1, output_padding = [0, 1] },
]
"#;

/// A convolutional model whose classes are embedded, trained by a bound of several samples.
const EMBEDDED: &str = r#"
[model]
latent = 4
condition = { column = "label", embedding = 3 }
samples = 2
bound = "iwae"
encoder = [{ conv2d = 4, kernel = 4, stride = 2, padding = 1 }, "relu", "flatten"]
decoder = [
    { linear = 196 },
    { reshape = [1, 14, 14] },
    { conv_transpose2d = "image", kernel = 4, stride = 2, padding = 1 },
]
"#;

/// A model whose classes come beside the pixels as they are, before any layer.
const FLAT: &str = r#"
[model]
latent = 4
condition = "label"
encoder = ["flatten", { linear = 16 }, "relu"]
decoder = [{ linear = "image" }]
"#;

#[test]
fn pytorch_computes_the_loss_that_evaluate_prints() {
    let python = std::env::var("VAE_GPU_PYTHON").unwrap_or("python3".into());
    let imports = Command::new(&python).args(["-c", "import numpy, safetensors, torch"]).output();
    if !imports.is_ok_and(|output| output.status.success()) {
        let what = "has no torch, numpy and safetensors (VAE_GPU_PYTHON names another)";
        common::skip(format_args!("{python} {what}"));
        return;
    }
    if common::gpu().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (data, out) = (folder.path().join("data"), folder.path().join("run"));
    std::fs::create_dir(&data).unwrap();
    let digits = Dataset::digits();
    let test_files = ["images-idx3", "labels-idx1"].map(|n| data.join(format!("t10k-{n}-ubyte")));
    write_idx(&data, "train", &digits.train, 2000);
    write_idx(&data, "t10k", &digits.test.unwrap(), 301);

    // Those for grey images that nothing corrupts and nobody binarises, by draws that PyTorch does not have.
    let grey = Preset::ALL.into_iter().filter(|preset| preset.shape().channels == 1);
    let is_clean = |config: ModelConfig| config.corruption.is_none() && config.binarize.is_none();
    let clean = grey.filter(|preset| is_clean(preset.config().model));
    let presets = clean.map(|preset| (preset.name(), "--preset", preset.name().into()));
    let files = [("pairs", PAIRS), ("embedded", EMBEDDED), ("flat", FLAT)];
    let files = files.map(|(name, text)| {
        let file = folder.path().join(name).with_extension("toml");
        std::fs::write(&file, text).unwrap();
        (name, "--config", file.into_os_string())
    });
    for (name, flag, source) in presets.chain(files) {
        let program = || Command::new(env!("CARGO_BIN_EXE_vae-gpu"));
        run(program()
            .args(["train", "--overwrite", "--max-steps", "40", "--data"])
            .arg(&data)
            .arg("--out")
            .arg(&out)
            .arg(flag)
            .arg(source));
        let ours = run(program().arg("evaluate").arg(&out).args(["--mean", "--json"]));
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/evaluate_in_pytorch.py");
        let model = out.join("model.safetensors");
        let theirs = run(Command::new(&python).arg(script).arg(model).args(&test_files));
        if name == "mlp" {
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/load_in_pytorch.py");
            run(Command::new(&python).arg(script).current_dir(&out));
        }
        let [ours, theirs] =
            [ours, theirs].map(|output| serde_json::from_slice::<Value>(&output.stdout).unwrap());
        for key in ["recon", "kl"] {
            let [ours, theirs] = [&ours, &theirs].map(|losses| losses[key].as_f64().unwrap());
            // Without a posterior there is no divergence.
            let error = if ours == theirs { 0.0 } else { (ours / theirs - 1.0).abs() };
            assert!(error < 1e-4, "{name}: {key} is {ours} here and {theirs} in PyTorch");
        }
    }
}
