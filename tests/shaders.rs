//! Every entry point, with every set of constants the host gives it, is valid WGSL, without optional
//! capabilities but for the products of subgroups, keeps within the limits that WebGPU guarantees and
//! translates for every backend. Needs no adapter.

mod common;

use std::collections::HashSet;
use std::io::Write;
use std::process::{Command, Stdio};

use naga::back::{glsl, hlsl, msl, spv};
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{AddressSpace, Module, ShaderStage};
use vae_gpu::gpu::{AdapterReport, Backend, Shader};
use vae_gpu::ops::matmul::{self, Variant};
use vae_gpu::ops::{SHADERS, activation, likelihood, limits};

/// As the library runs them: no checks.
const UNCHECKED: BoundsCheckPolicies = BoundsCheckPolicies {
    index: BoundsCheckPolicy::Unchecked,
    buffer: BoundsCheckPolicy::Unchecked,
    image_load: BoundsCheckPolicy::Unchecked,
    binding_array: BoundsCheckPolicy::Unchecked,
};

/// One entry point of a shader with its constants set.
struct Text {
    label: String,
    entry: String,
    module: Module,
    info: ModuleInfo,
    /// Whether it is of subgroups.
    lanes: bool,
}

impl Text {
    fn new(shader: &Shader, entry: &str, constants: &[(&str, u32)], lanes: bool) -> Self {
        let label = format!("{}.{entry} {constants:?}", shader.name);
        let text = shader.text(constants);
        let module = naga::front::wgsl::parse_str(&text)
            .unwrap_or_else(|e| panic!("{label}: {}", e.emit_to_string(&text)));
        let capabilities = if lanes { Capabilities::SUBGROUP } else { Capabilities::empty() };
        let info = Validator::new(ValidationFlags::all(), capabilities)
            .validate(&module)
            .unwrap_or_else(|e| panic!("{label}: {}", e.emit_to_string(&text)));
        Self { label, entry: entry.into(), module, info, lanes }
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
        "tiled 8x8 1x1 8 4",
        "tiled 16x16 2x2 8 1",
        "tiled 4x8 2x1 4 2",
    ];
    words.map(|words| words.parse().unwrap()).into_iter().chain(defaults()).collect()
}

/// An adapter of WebGPU's default limits.
fn report(kind: &'static str, subgroups: bool, subgroup_sizes: [u32; 2]) -> AdapterReport {
    let limits = wgpu::Limits::default();
    AdapterReport {
        index: 0,
        name: String::new(),
        driver: String::new(),
        backend: Backend::Vulkan,
        kind,
        max_buffer_bytes: limits.max_buffer_size,
        max_binding_bytes: limits.max_storage_buffer_binding_size,
        max_workgroup_bytes: limits.max_compute_workgroup_storage_size,
        max_workgroup_invocations: limits.max_compute_invocations_per_workgroup,
        max_storage_buffers: limits.max_storage_buffers_per_shader_stage,
        subgroup_sizes,
        subgroups,
        f16: false,
        timestamps: false,
        pipeline_cache: false,
    }
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

/// The constants that the ops give to the products of an entry point, besides those of the variant:
/// every value of each.
fn constants(entry: &str) -> Vec<Vec<(&'static str, u32)>> {
    let activations = 0..=activation::NAMES.len() as u32;
    let activations = activations.map(|kind| ("ACTIVATION", kind));
    match entry {
        "forward" | "backward_input" => activations.map(|constant| vec![constant]).collect(),
        "forward_loss" => activations
            .flat_map(|a| {
                (0..likelihood::NAMES.len() as u32).map(move |l| vec![a, ("LIKELIHOOD", l)])
            })
            .collect(),
        "backward_weight" | "backward_weight_adam" => vec![vec![("TASKS", 16)]],
        _ => vec![vec![]],
    }
}

/// Every entry point; the products in every variant, and with every set of constants in one.
fn texts() -> Vec<Text> {
    let mut texts = Vec::new();
    for shader in SHADERS {
        let sets = match shader.name {
            "limits" => limits::QUADS.map(|quads| vec![("QUADS", quads as u32)]).to_vec(),
            _ => vec![vec![]],
        };
        for set in sets {
            let module = naga::front::wgsl::parse_str(&shader.text(&set)).unwrap();
            let entries = module.entry_points.iter().map(|entry| &entry.name);
            texts.extend(entries.map(|entry| Text::new(shader, entry, &set, false)));
        }
    }
    let mut product = |entry, variant, own: &[(&'static str, u32)]| {
        let (shader, constants) = matmul::shader(entry, variant);
        let lanes = matches!(variant, Variant::Lanes { .. });
        texts.push(Text::new(&shader, entry, &[&constants, own].concat(), lanes));
    };
    for entry in matmul::forms() {
        let sets = constants(entry);
        variants().into_iter().for_each(|variant| product(entry, variant, &sets[0]));
        let small = "registers 8 1x1".parse().unwrap();
        sets.iter().for_each(|set| product(entry, small, set));
    }
    texts
}

/// Bytes of workgroup memory that an entry point uses.
fn workgroup_bytes(module: &Module, info: &ModuleInfo, index: usize) -> u32 {
    let used = module.global_variables.iter().filter(|(handle, variable)| {
        variable.space == AddressSpace::WorkGroup
            && !info.get_entry_point(index)[*handle].is_empty()
    });
    let size = |ty| -> u32 { module.types[ty].inner.size(module.to_ctx()) };
    used.map(|(_, variable)| size(variable.ty).next_multiple_of(16)).sum()
}

/// What fits an adapter is decided before there is a text to look at.
#[test]
fn a_variant_that_fits_has_no_more_workgroup_memory_than_the_adapter() {
    let bytes = |variant| {
        let (shader, constants) = matmul::shader("forward_loss", variant);
        let own = [("ACTIVATION", 0), ("LIKELIHOOD", 0)];
        let text = Text::new(&shader, "forward_loss", &[&constants, &own[..]].concat(), false);
        workgroup_bytes(&text.module, &text.info, 0)
    };
    let [one_or_two, depths] = [[1, 2], [4, 16]];
    let tiles = one_or_two.into_iter().flat_map(|r| one_or_two.map(|c| (r, c)));
    let shapes = tiles.flat_map(|t| depths.map(|d| (t, d))).flat_map(|s| [1, 2, 4].map(|n| (s, n)));
    for (((rows, columns), depth), slices) in shapes {
        for (down, across) in [(4, 8), (8, 8), (16, 4)] {
            let variant = Variant::Tiled { down, across, rows, columns, depth, slices };
            let bytes = bytes(variant);
            let of = |max_workgroup_bytes| AdapterReport {
                max_workgroup_bytes,
                ..report("discrete", false, [0, 0])
            };
            assert!(!variant.fits(&of(bytes - 1)), "{variant} takes {bytes} bytes");
            assert!(variant.fits(&of(bytes + 256)), "{variant} takes {bytes} bytes");
        }
    }
}

#[test]
fn every_text_keeps_within_the_default_limits() {
    let limits = wgpu::Limits::default();
    for Text { label, entry, module, info, .. } in texts() {
        let index = module.entry_points.iter().position(|e| e.name == entry).unwrap();
        let entry = &module.entry_points[index];
        let [x, y, z] = entry.workgroup_size;
        assert!(entry.workgroup_size_overrides.is_none(), "{label}: size of workgroup unknown");
        assert!(x <= limits.max_compute_workgroup_size_x, "{label}: {x} invocations along x");
        assert!(y <= limits.max_compute_workgroup_size_y, "{label}: {y} invocations along y");
        assert!(z <= limits.max_compute_workgroup_size_z, "{label}: {z} invocations along z");
        assert!(x * y * z <= limits.max_compute_invocations_per_workgroup, "{label}: {x}·{y}·{z}");

        let (mut storage, mut uniform) = (0, 0);
        for (handle, variable) in module.global_variables.iter() {
            if info.get_entry_point(index)[handle].is_empty() {
                continue;
            }
            let size = module.types[variable.ty].inner.size(module.to_ctx());
            match variable.space {
                AddressSpace::Storage { .. } => storage += 1,
                AddressSpace::WorkGroup => {}
                AddressSpace::Uniform => {
                    uniform += 1;
                    let largest = limits.max_uniform_buffer_binding_size;
                    assert!(u64::from(size) <= largest, "{label}: a uniform of {size} bytes");
                }
                space => assert_eq!(space, AddressSpace::Private, "{label}: {:?}", variable.name),
            }
            let binding = variable.binding.as_ref();
            assert!(binding.is_none_or(|b| b.group == 0), "{label}: only group 0 is bound");
        }
        let largest = limits.max_storage_buffers_per_shader_stage;
        assert!(storage <= largest, "{label}: {storage} storage buffers");
        assert!(storage > 0, "{label}: no storage buffers");
        let largest = limits.max_uniform_buffers_per_shader_stage;
        assert!(uniform <= largest, "{label}: {uniform} uniform buffers");
        let (largest, workgroup) =
            (limits.max_compute_workgroup_storage_size, workgroup_bytes(&module, &info, index));
        assert!(workgroup <= largest, "{label}: {workgroup} bytes of workgroup memory");
    }
}

#[test]
fn every_text_translates_to_spirv() {
    let validating = spirv_val(&[]).is_ok();
    if !validating {
        common::skip("no spirv-val: the SPIR-V is written but not validated");
    }
    for Text { label, entry, module, info, .. } in texts() {
        let options = spv::Options {
            lang_version: (1, 3),
            bounds_check_policies: UNCHECKED,
            zero_initialize_workgroup_memory: spv::ZeroInitializeWorkgroupMemoryMode::None,
            force_loop_bounding: false,
            ..Default::default()
        };
        let pipeline =
            spv::PipelineOptions { shader_stage: ShaderStage::Compute, entry_point: entry };
        let words = spv::write_vec(&module, &info, &options, Some(&pipeline))
            .unwrap_or_else(|e| panic!("{label}: {e}"));
        if validating {
            let complaints = spirv_val(bytemuck::cast_slice(&words)).unwrap();
            assert!(complaints.is_empty(), "{label}: {complaints}");
        }
    }
}

/// What `spirv-val` says against `module`; fails if it cannot be run.
fn spirv_val(module: &[u8]) -> std::io::Result<String> {
    let mut child = Command::new("spirv-val")
        .args(["--target-env", "vulkan1.1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    child.stdin.take().unwrap().write_all(module)?;
    let output = child.wait_with_output()?;
    if output.status.success() {
        return Ok(String::new());
    }
    let said = [output.stdout, output.stderr].concat();
    Ok(format!("spirv-val: {} {}", output.status, String::from_utf8_lossy(&said)))
}

#[test]
fn every_text_translates_to_msl() {
    for Text { label, entry, module, info, .. } in texts() {
        let options = msl::Options {
            lang_version: (2, 0),
            bounds_check_policies: UNCHECKED,
            zero_initialize_workgroup_memory: false,
            force_loop_bounding: false,
            ..Default::default()
        };
        let pipeline = msl::PipelineOptions {
            entry_point: Some((ShaderStage::Compute, entry)),
            ..Default::default()
        };
        let (text, translated) = msl::write_string(&module, &info, &options, &pipeline)
            .unwrap_or_else(|e| panic!("{label}: {e}"));
        let name = translated.entry_point_names[0].as_ref();
        let name = name.unwrap_or_else(|e| panic!("{label}: {e}"));
        assert!(text.contains(&format!("kernel void {name}(")), "{label}:\n{text}");
    }
}

#[test]
fn every_text_translates_to_hlsl() {
    for Text { label, entry, module, info, lanes } in texts() {
        // Subgroups came with 6.0.
        let models = [hlsl::ShaderModel::V5_1, hlsl::ShaderModel::V6_0];
        for shader_model in models.into_iter().skip(usize::from(lanes)) {
            let options = hlsl::Options {
                shader_model,
                zero_initialize_workgroup_memory: false,
                restrict_indexing: false,
                force_loop_bounding: false,
                ..Default::default()
            };
            let pipeline =
                hlsl::PipelineOptions { entry_point: Some((ShaderStage::Compute, entry.clone())) };
            let mut text = String::new();
            let translated = hlsl::Writer::new(&mut text, &options, &pipeline)
                .write(&module, &info, None)
                .unwrap_or_else(|e| panic!("{label}: {e}"));
            let name = translated.entry_point_names[0].as_ref();
            let name = name.unwrap_or_else(|e| panic!("{label}: {e}"));
            assert!(text.contains(&format!("void {name}(")), "{label}:\n{text}");
        }
    }
}

/// OpenGL can express all of them, those of subgroups by an extension that naga asks for.
#[test]
fn every_text_translates_to_glsl() {
    for Text { label, entry, module, info, .. } in texts() {
        for version in [glsl::Version::new_gles(310), glsl::Version::Desktop(430)] {
            let options = glsl::Options {
                version,
                zero_initialize_workgroup_memory: false,
                ..Default::default()
            };
            let pipeline = glsl::PipelineOptions {
                shader_stage: ShaderStage::Compute,
                entry_point: entry.clone(),
                multiview: None,
            };
            let mut text = String::new();
            glsl::Writer::new(&mut text, &module, &info, &options, &pipeline, UNCHECKED)
                .and_then(|mut writer| writer.write())
                .unwrap_or_else(|e| panic!("{label}, {version}: {e}"));
            assert!(text.contains("void main()"), "{label}, {version}:\n{text}");
        }
    }
}
