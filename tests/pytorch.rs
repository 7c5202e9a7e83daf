//! The weights file in PyTorch, through the documented scripts.

mod common;

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use vae_gpu::{Dataset, Images, Preset, Table};

/// Writes `images` as an IDX file (LeCun's format, magic 0x803).
fn write_idx(path: &Path, images: &Images) {
    let words = [0x803, images.len(), images.shape.height, images.shape.width];
    let mut bytes: Vec<u8> = words.iter().flat_map(|w| (*w as u32).to_be_bytes()).collect();
    bytes.extend(&images.pixels);
    std::fs::write(path, bytes).unwrap();
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
    let test_file = data.join("t10k-images-idx3-ubyte");
    let split =
        |table: &Table, count| table.images().unwrap().select(&(0..count).collect::<Vec<_>>());
    write_idx(&data.join("train-images-idx3-ubyte"), &split(&digits.train, 2000));
    write_idx(&test_file, &split(&digits.test.unwrap(), 301));

    // Those for grey images that nothing corrupts, whose noise PyTorch does not have.
    let grey = Preset::ALL.into_iter().filter(|preset| preset.shape().channels == 1);
    let clean = grey.filter(|preset| preset.config().model.corruption.is_none());
    let presets = clean.map(|preset| (preset.name(), "--preset", preset.name().into()));
    let pairs = folder.path().join("pairs.toml");
    std::fs::write(&pairs, PAIRS).unwrap();
    for (name, flag, source) in presets.chain([("pairs", "--config", pairs.into_os_string())]) {
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
        let theirs = run(Command::new(&python).arg(script).arg(model).arg(&test_file));
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
