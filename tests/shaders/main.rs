//! Every entry point, with every set of constants the host gives it, is valid WGSL (without optional
//! capabilities, but for the products by subgroups), keeps within the limits that WebGPU guarantees
//! and translates for every backend. Needs no adapter.

#[path = "../common/mod.rs"]
mod common;
mod texts;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use naga::back::{glsl, hlsl, msl, spv};
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use naga::{AddressSpace, ShaderStage};
use texts::{Text, report, texts};
use vae_gpu::gpu::AdapterReport;
use vae_gpu::ops::matmul::{self, Variant};

/// As the library runs them: no checks.
const UNCHECKED: BoundsCheckPolicies = BoundsCheckPolicies {
    index: BoundsCheckPolicy::Unchecked,
    buffer: BoundsCheckPolicy::Unchecked,
    image_load: BoundsCheckPolicy::Unchecked,
    binding_array: BoundsCheckPolicy::Unchecked,
};

/// Bytes of workgroup memory.
fn workgroup_bytes(Text { module, info, index, .. }: &Text) -> u32 {
    let used = module.global_variables.iter().filter(|(handle, variable)| {
        variable.space == AddressSpace::WorkGroup
            && !info.get_entry_point(*index)[*handle].is_empty()
    });
    let size = |ty| -> u32 { module.types[ty].inner.size(module.to_ctx()) };
    used.map(|(_, variable)| size(variable.ty).next_multiple_of(16)).sum()
}

/// The paths below `folder` of all WGSL files.
fn files(folder: &Path) -> BTreeSet<String> {
    let entries = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
    let below = |path: PathBuf| match path.is_dir() {
        true => files(&path).into_iter().collect(),
        false => vec![path.to_str().unwrap().into()],
    };
    entries.flat_map(below).collect()
}

/// Every text is parsed and validated where it is made, and a file that is in none would never be.
#[test]
fn every_file_is_in_a_text_and_those_with_entry_points_begin_one() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/");
    let files = files(Path::new(&format!("{root}shaders")));
    let names: BTreeSet<_> = files.iter().map(|file| &file[root.len()..]).collect();
    let (mut used, mut entries) = (BTreeSet::new(), BTreeSet::new());
    let texts = texts();
    for Text { text, .. } in &texts {
        let parts = text.lines().filter_map(|line| line.strip_prefix("// "));
        let parts: Vec<_> = parts.filter(|part| names.contains(part)).collect();
        entries.extend(parts.last().copied());
        used.extend(parts);
    }
    assert_eq!(names, used, "files (left) and those in a text (right)");
    let has_entry = |file: &String| std::fs::read_to_string(file).unwrap().contains("@compute");
    let with: BTreeSet<_> = files.iter().filter(|file| has_entry(file)).collect();
    let with: BTreeSet<_> = with.into_iter().map(|file| &file[root.len()..]).collect();
    assert_eq!(with, entries, "files with entry points (left) and those that end a text (right)");
}

/// Imports that no constant asks for are not in any text.
#[test]
fn every_import_exists() {
    let shaders = Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders");
    for file in files(&shaders) {
        let source = std::fs::read_to_string(&file).unwrap();
        let imports = source.lines().filter_map(|line| line.trim_start().strip_prefix("#import "));
        for path in imports.map(|rest| rest.split(' ').next().unwrap()) {
            for variant in ["lanes", "registers", "tiled"] {
                let path = path.replace("VARIANT", variant);
                assert!(shaders.join(format!("{path}.wgsl")).is_file(), "{file}: {path}");
            }
        }
    }
}

/// What tests/browser checks is what the adapter gets.
#[test]
fn a_text_for_browsers_differs_by_directives_alone() {
    let is_directive = |line: &&str| line.starts_with("enable") || line.starts_with("diagnostic(");
    let is_comment = |line: &&str| line.starts_with("//");
    for Text { label, text, browser_text, lanes, .. } in texts() {
        let lines = text.lines().filter(|line| !is_comment(line));
        let browser_lines = || browser_text.lines().filter(|line| !is_comment(line));
        assert!(lines.eq(browser_lines().filter(|line| !is_directive(line))), "{label}");
        assert_eq!(browser_lines().any(|line| is_directive(&line)), lanes, "{label}");
    }
}

/// What fits an adapter is decided before there is a text to look at.
#[test]
fn a_variant_that_fits_has_no_more_workgroup_memory_than_the_adapter() {
    let bytes = |variant| {
        let (shader, constants) = matmul::shader("matmul.forward", variant);
        let own = [("ACTIVATION", 0)];
        let text = Text::new(&shader, "forward", &[&constants, &own[..]].concat(), false);
        workgroup_bytes(&text)
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
    for text in texts() {
        let workgroup = workgroup_bytes(&text);
        let Text { label, index, module, info, memory, .. } = text;
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
        assert!(workgroup <= memory, "{label}: {workgroup} bytes of workgroup memory");
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
    for Text { label, entry, module, info, lanes, .. } in texts() {
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
