//! Every entry point, with every set of constants the host gives it, is valid WGSL without optional
//! capabilities, keeps within the limits that WebGPU guarantees and translates for every backend.
//! Needs no adapter.

mod common;

use std::io::Write;
use std::process::{Command, Stdio};

use naga::back::{PipelineConstants, glsl, hlsl, msl, pipeline_constants::process_overrides, spv};
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{AddressSpace, Module, ShaderStage};
use vae_gpu::gpu::Shader;
use vae_gpu::ops::{SHADERS, activation, likelihood, limits, matmul};

/// As the library runs them: no checks.
const UNCHECKED: BoundsCheckPolicies = BoundsCheckPolicies {
    index: BoundsCheckPolicy::Unchecked,
    buffer: BoundsCheckPolicy::Unchecked,
    image_load: BoundsCheckPolicy::Unchecked,
    binding_array: BoundsCheckPolicy::Unchecked,
};

/// One entry point of a shader with its constants set.
struct Variant {
    label: String,
    entry: String,
    module: Module,
    info: ModuleInfo,
}

fn validator() -> Validator {
    Validator::new(ValidationFlags::all(), Capabilities::empty())
}

fn parse(shader: &Shader) -> (Module, ModuleInfo) {
    let Shader { name, source } = shader;
    let module = naga::front::wgsl::parse_str(source)
        .unwrap_or_else(|e| panic!("{name}: {}", e.emit_to_string(source)));
    let info = validator()
        .validate(&module)
        .unwrap_or_else(|e| panic!("{name}: {}", e.emit_to_string(source)));
    (module, info)
}

/// The sets of constants that the ops give to the kernels of a shader.
fn constants(shader: &str) -> Vec<Vec<(&'static str, f64)>> {
    let kinds = |count: usize| (0..count).map(|kind| vec![("KIND", kind as f64)]).collect();
    match shader {
        "activation" => kinds(activation::NAMES.len()),
        "limits" => limits::QUADS.map(|quads| vec![("QUADS", quads as f64)]).to_vec(),
        "likelihood" => kinds(likelihood::NAMES.len()),
        "matmul" => {
            let sets = |tiling: matmul::Tiling| [false, true].map(|v| tiling.constants(v).to_vec());
            [matmul::SOFTWARE, matmul::GPU].into_iter().flat_map(sets).collect()
        }
        _ => vec![vec![]],
    }
}

fn variants() -> Vec<Variant> {
    let mut variants = Vec::new();
    for shader in SHADERS {
        let (module, info) = parse(shader);
        for set in constants(shader.name) {
            let values: PipelineConstants = set.iter().map(|&(n, v)| (n.to_string(), v)).collect();
            for entry in module.entry_points.iter().map(|entry| entry.name.clone()) {
                let label = format!("{}.{entry} {set:?}", shader.name);
                let stage = Some((ShaderStage::Compute, entry.as_str()));
                let (module, _) = process_overrides(&module, &info, stage, &values)
                    .unwrap_or_else(|e| panic!("{label}: {e}"));
                let module = module.into_owned();
                let info = validator().validate(&module).unwrap_or_else(|e| panic!("{label}: {e}"));
                variants.push(Variant { label, entry, module, info });
            }
        }
    }
    variants
}

#[test]
fn every_constant_of_a_shader_is_set_by_its_op() {
    for shader in SHADERS {
        let (module, _) = parse(shader);
        let mut declared: Vec<_> =
            module.overrides.iter().filter_map(|(_, o)| o.name.as_deref()).collect();
        declared.sort_unstable();
        for set in constants(shader.name) {
            let mut given: Vec<_> = set.iter().map(|(name, _)| *name).collect();
            given.sort_unstable();
            assert_eq!(declared, given, "{}", shader.name);
        }
    }
}

#[test]
fn every_variant_keeps_within_the_default_limits() {
    let limits = wgpu::Limits::default();
    for Variant { label, module, info, .. } in variants() {
        let [entry] = &module.entry_points[..] else { panic!("{label}: one entry point expected") };
        let [x, y, z] = entry.workgroup_size;
        assert!(entry.workgroup_size_overrides.is_none(), "{label}: size of workgroup unknown");
        assert!(x <= limits.max_compute_workgroup_size_x, "{label}: {x} invocations along x");
        assert!(y <= limits.max_compute_workgroup_size_y, "{label}: {y} invocations along y");
        assert!(z <= limits.max_compute_workgroup_size_z, "{label}: {z} invocations along z");
        assert!(x * y * z <= limits.max_compute_invocations_per_workgroup, "{label}: {x}·{y}·{z}");

        let (mut storage, mut uniform, mut workgroup) = (0, 0, 0);
        for (handle, variable) in module.global_variables.iter() {
            if info.get_entry_point(0)[handle].is_empty() {
                continue;
            }
            let size = module.types[variable.ty].inner.size(module.to_ctx());
            match variable.space {
                AddressSpace::Storage { .. } => storage += 1,
                AddressSpace::WorkGroup => workgroup += size.next_multiple_of(16),
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
        let largest = limits.max_compute_workgroup_storage_size;
        assert!(workgroup <= largest, "{label}: {workgroup} bytes of workgroup memory");
    }
}

#[test]
fn every_variant_translates_to_spirv() {
    let validating = spirv_val(&[]).is_ok();
    if !validating {
        common::skip("no spirv-val: the SPIR-V is written but not validated");
    }
    for Variant { label, entry, module, info } in variants() {
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
fn every_variant_translates_to_msl() {
    for Variant { label, entry, module, info } in variants() {
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
fn every_variant_translates_to_hlsl() {
    for Variant { label, entry, module, info } in variants() {
        for shader_model in [hlsl::ShaderModel::V5_1, hlsl::ShaderModel::V6_0] {
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

/// OpenGL can express all of them.
#[test]
fn every_variant_translates_to_glsl() {
    for Variant { label, entry, module, info } in variants() {
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
