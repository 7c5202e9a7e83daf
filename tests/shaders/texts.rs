//! The texts that the ops give to the adapter, and adapters to choose variants for.
#![allow(dead_code, reason = "each program takes what it needs")]

use std::collections::HashSet;

use naga::Module;
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use vae_gpu::gpu::{AdapterReport, Shader, Tensor};
use vae_gpu::ops::activation::Activation;
use vae_gpu::ops::density::EXPRESSIONS;
use vae_gpu::ops::expression::{Expression, Formula, Operand};
use vae_gpu::ops::likelihood::Likelihood;
use vae_gpu::ops::matmul::{self, Variant};
use vae_gpu::ops::{SHADERS, limits};

/// One entry point of a shader with its constants set.
pub struct Text {
    pub label: String,
    /// What naga takes.
    pub text: String,
    /// The same as browsers take it.
    pub browser_text: String,
    pub entry: String,
    /// Its place in the module.
    pub index: usize,
    pub module: Module,
    pub info: ModuleInfo,
    /// Whether it is of subgroups.
    pub lanes: bool,
    /// Workgroup memory that it may take.
    pub memory: u32,
}

impl Text {
    pub fn new(shader: &Shader, entry: &str, constants: &[(&str, u32)], lanes: bool) -> Self {
        let label = format!("{}.{entry} {constants:?}", shader.name);
        let text = shader.text(constants);
        let module = naga::front::wgsl::parse_str(&text)
            .unwrap_or_else(|e| panic!("{label}: {}", e.emit_to_string(&text)));
        let capabilities = if lanes { Capabilities::SUBGROUP } else { Capabilities::empty() };
        let info = Validator::new(ValidationFlags::all(), capabilities)
            .validate(&module)
            .unwrap_or_else(|e| panic!("{label}: {}", e.emit_to_string(&text)));
        let index = module.entry_points.iter().position(|e| e.name == entry).expect("an entry");
        let memory = wgpu::Limits::default().max_compute_workgroup_storage_size;
        let browser_text = shader.browser_text(constants);
        let entry = entry.into();
        Self { label, text, browser_text, entry, index, module, info, lanes, memory }
    }
}

/// Variants that tests/ops runs, and all that are an adapter's default.
fn variants() -> HashSet<Variant> {
    let words = [
        "lanes 4 1",
        "lanes 8 2",
        "registers 8 4x2",
        "registers 32 1x1",
        "registers 16 4x1",
        "tiled 8x8 1x1 16 1",
        "tiled 8x8 1x1 16 4",
        "tiled 16x16 2x2 8 1",
        "tiled 4x8 2x1 4 2",
    ];
    words.map(|words| words.parse().unwrap()).into_iter().chain(defaults()).collect()
}

/// An adapter of WebGPU's default limits.
pub fn report(kind: &'static str, subgroups: bool, subgroup_sizes: [u32; 2]) -> AdapterReport {
    AdapterReport { kind, subgroups, subgroup_sizes, ..AdapterReport::webgpu() }
}

fn defaults() -> impl Iterator<Item = Variant> {
    let subgroups =
        [(false, [0, 0]), (true, [4, 4]), (true, [8, 8]), (true, [8, 32]), (true, [32, 32])];
    let kinds = ["discrete", "integrated", "virtual", "other", "software"];
    let adapters =
        kinds.into_iter().flat_map(move |kind| subgroups.map(|s| report(kind, s.0, s.1)));
    let results = [[1, 1], [128, 400], [784, 400], [1024, 1024], [4096, 4096]];
    adapters.flat_map(move |adapter| {
        results.map(|[height, width]| {
            let variant = Variant::default_for(&adapter, height, width);
            assert!(variant.fits(&adapter), "{variant} does not fit {adapter:?}");
            variant
        })
    })
}

/// The constants that the ops give to a shader, likewise.
fn shader_constants(name: &str) -> Vec<Vec<(&'static str, u32)>> {
    let activations = || constants("matmul.forward");
    let each = |more: &[(&'static str, u32)]| {
        activations().into_iter().map(|own| [&own, more].concat()).collect::<Vec<_>>()
    };
    let window = |[kernel, stride, padding]: [[u32; 2]; 3]| {
        each(&[
            ("KERNEL_DOWN", kernel[0]),
            ("KERNEL_ACROSS", kernel[1]),
            ("STRIDE_DOWN", stride[0]),
            ("STRIDE_ACROSS", stride[1]),
            ("PADDING_DOWN", padding[0]),
            ("PADDING_ACROSS", padding[1]),
        ])
    };
    match name {
        "activate" | "add" | "dropout" | "reshape" => activations(),
        "batch_norm" | "layer_norm" => norms(),
        "gather" => [[0, 0, 0, 0], [1, 0, 1, 1], [0, 1, 0, 1], [1, 2, 0, 0]]
            .map(|[maps, kind, parts, drawn]| {
                let input = [("MAPS", maps), ("CORRUPTION", kind)];
                [&input[..], &[("PARTS", parts), ("BINARIZED", drawn)]].concat()
            })
            .to_vec(),
        "loss" => (0..Likelihood::NUMBERS).flat_map(|kind| each(&[("LIKELIHOOD", kind)])).collect(),
        "limits" => limits::QUADS.map(|quads| vec![("QUADS", quads as u32)]).to_vec(),
        "optimizer" => rules().map(|rule| rule.to_vec()).collect(),
        "sums" => vec![vec![("TASKS", 32)]],
        "sums_step" => rules().map(|rule| [&[("TASKS", 32)], &rule[..]].concat()).collect(),
        "pool" => {
            let square = [[1, 1, 0], [2, 2, 0], [3, 2, 1], [16, 1, 8]];
            let square = square.map(|window| window.map(|side| [side; 2]));
            let windows = square.into_iter().chain([[[3, 2], [1, 3], [0, 1]]]);
            windows.flat_map(window).collect()
        }
        "upsample" => {
            let factors = [[1, 1], [2, 2], [3, 3], [1, 2]];
            let constants = |[down, across]: [u32; 2]| {
                each(&[("FACTOR_DOWN", down), ("FACTOR_ACROSS", across)])
            };
            factors.into_iter().flat_map(constants).collect()
        }
        "pixel_shuffle" => {
            [1, 2, 3].into_iter().flat_map(|factor| each(&[("FACTOR", factor)])).collect()
        }
        _ => vec![vec![]],
    }
}

/// The constants that the ops give to the products of an entry point, besides those of the variant:
/// every value of each.
fn constants(form: &str) -> Vec<Vec<(&'static str, u32)>> {
    match matmul::entry(form) {
        "forward" | "backward_input" => {
            let activations = (0..=Activation::COUNT).map(|kind| ("ACTIVATION", kind));
            let scatters = ["conv.backward_input", "conv_transpose.forward"].contains(&form);
            let phases = scatters.then_some(("PHASES", 16));
            activations.map(|kind| [kind].into_iter().chain(phases).collect()).collect()
        }
        "backward_weight" if form.starts_with("matmul") => vec![vec![("TASKS", 16)]],
        "backward_weight_step" => {
            rules().map(|rule| [&[("TASKS", 16)], &rule[..]].concat()).collect()
        }
        _ => vec![vec![]],
    }
}

/// Every activation, in the workgroups of GPUs and in those of software adapters.
fn norms() -> Vec<Vec<(&'static str, u32)>> {
    let activations = 0..=Activation::COUNT;
    let sets = activations.flat_map(|kind| {
        [8, 256].map(|invocations| vec![("ACTIVATION", kind), ("INVOCATIONS", invocations)])
    });
    sets.collect()
}

/// Constants of every optimizer, Adam's first.
fn rules() -> impl Iterator<Item = [(&'static str, u32); 2]> {
    let kinds = [(3, 0), (4, 0), (2, 0), (1, 0), (1, 1), (0, 0), (0, 1), (0, 2)];
    kinds.into_iter().map(|(kind, momentum)| [("OPTIMIZER", kind), ("MOMENTUM", momentum)])
}

/// What an expression is written as: its value, and the gradients by each operand that has one; with a tensor
/// for each operand, and with one for all, which may be taken together where each has a derivative.
fn written(expression: &Expression) -> Vec<Shader> {
    let count = expression.operands.len();
    let matrix = || Tensor::matrix("operand", &[1, count]);
    let (one, gradient) = (matrix(), Operand::all(&matrix()));
    let formula = |tensors: Vec<Tensor>| {
        let operands = tensors.iter().enumerate();
        let operands = operands.map(|(i, tensor)| Operand::columns(tensor, i..i + 1)).collect();
        let numbers = vec![1.0; expression.numbers.len()];
        Formula { expression: *expression, numbers, operands }
    };
    let apart = formula((0..count).map(|_| matrix()).collect());
    let together = formula(vec![one.clone(); count]);
    let mut shaders = vec![apart.shader(None), together.shader(None)];
    let slopes = expression.slopes.iter().zip(&apart.operands);
    let slopes = slopes.filter(|(slope, _)| !slope.is_empty());
    shaders.extend(slopes.map(|(_, of)| apart.shader(Some((&gradient, &of.tensor)))));
    if expression.slopes.iter().all(|slope| !slope.is_empty()) {
        shaders.push(together.shader(Some((&gradient, &one))));
    }
    shaders
}

/// Every entry point; the products in every variant, and with every set of constants in one.
pub fn texts() -> Vec<Text> {
    let mut texts = Vec::new();
    let mut all = |shader: &Shader, set: &[(&str, u32)]| {
        let module = naga::front::wgsl::parse_str(&shader.text(set)).unwrap();
        let entries = module.entry_points.iter().map(|entry| &entry.name);
        texts.extend(entries.map(|entry| Text::new(shader, entry, set, false)));
    };
    for shader in SHADERS {
        shader_constants(&shader.name).iter().for_each(|set| all(shader, set));
    }
    for expression in EXPRESSIONS {
        written(expression).iter().for_each(|shader| all(shader, expression.constants));
    }
    let mut product = |form, variant, own: &[(&'static str, u32)]| {
        let (shader, constants) = matmul::shader(form, variant);
        let entry = matmul::entry(form);
        let lanes = matches!(variant, Variant::Lanes { .. });
        let text = Text::new(&shader, entry, &[&constants, own].concat(), lanes);
        // One that is for larger adapters alone must know that it is.
        let portable = lanes || variant.fits(&report("discrete", false, [0, 0]));
        texts.push(Text { memory: if portable { text.memory } else { 32 << 10 }, ..text });
    };
    for form in matmul::forms() {
        let sets = constants(form);
        variants().into_iter().for_each(|variant| product(form, variant, &sets[0]));
        let small = "registers 8 1x1".parse().unwrap();
        sets.iter().for_each(|set| product(form, small, set));
    }
    texts
}
