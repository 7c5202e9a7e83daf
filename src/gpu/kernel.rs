//! Shader modules and compute pipelines, their bindings read from the WGSL itself.

use naga::valid::{Capabilities, ValidationFlags, Validator};

use std::borrow::Cow;

/// One WGSL source: the text of `shaders/NAME.wgsl` behind the shared files it uses. Constants that
/// the host sets, all of type `u32`, are used but not declared in it.
pub struct Shader {
    /// The file's stem, and the op's name.
    pub name: &'static str,
    /// The WGSL text.
    pub source: Cow<'static, str>,
}

impl Shader {
    /// The complete WGSL text with `constants` declared.
    pub fn text(&self, constants: &[(&str, u32)]) -> String {
        let declare = |(name, value): &(&str, u32)| format!("const {name}: u32 = {value}u;\n");
        constants.iter().map(declare).collect::<String>() + &self.source
    }
}

/// A parsed and uploaded [`Shader`].
pub(super) struct Module {
    shader: &'static str,
    naga: naga::Module,
    info: naga::valid::ModuleInfo,
    module: wgpu::ShaderModule,
}

/// What a shader's global variable asks to be bound to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Binding {
    pub name: String,
    pub index: u32,
    pub kind: BindingKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BindingKind {
    /// The `Params` struct, with its size in bytes.
    Uniform(u32),
    /// A storage buffer, and whether the kernel may write it.
    Storage { writable: bool },
}

/// A compute pipeline and what it binds.
pub struct Kernel {
    pub(super) name: String,
    pub(super) pipeline: wgpu::ComputePipeline,
    pub(super) bindings: Vec<Binding>,
    /// Invocations in a workgroup along x, y and z.
    pub workgroup_size: [u32; 3],
}

impl Module {
    /// Parses and validates `text`; panics on faulty WGSL, which is a bug of this crate.
    pub(super) fn new(device: &wgpu::Device, name: &'static str, text: &str) -> Self {
        let naga = naga::front::wgsl::parse_str(text)
            .unwrap_or_else(|e| panic!("shader {name}: {}", e.emit_to_string(text)));
        let info = Validator::new(ValidationFlags::all(), Capabilities::all())
            .validate(&naga)
            .unwrap_or_else(|e| panic!("shader {name}: {}", e.emit_to_string(text)));
        let descriptor = wgpu::ShaderModuleDescriptor {
            label: Some(name),
            source: wgpu::ShaderSource::Naga(std::borrow::Cow::Owned(naga.clone())),
        };
        // SAFETY: the kernels bound their own indices and loops; tests/ops checks each at sizes
        // that do not fill its workgroups.
        let module = unsafe {
            device.create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked())
        };
        Self { shader: name, naga, info, module }
    }
}

impl Kernel {
    /// Compiles `entry` of `module`; panics if there is none, which is a bug of this crate.
    pub(super) fn new(
        device: &wgpu::Device,
        module: &Module,
        entry: &str,
        cache: Option<&wgpu::PipelineCache>,
    ) -> Self {
        let name = format!("{}.{entry}", module.shader);
        let index = module
            .naga
            .entry_points
            .iter()
            .position(|e| e.name == entry)
            .unwrap_or_else(|| panic!("{name}: no such entry point"));
        let point = &module.naga.entry_points[index];
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(&name),
            layout: None,
            module: &module.module,
            entry_point: Some(entry),
            compilation_options: wgpu::PipelineCompilationOptions {
                zero_initialize_workgroup_memory: false,
                ..Default::default()
            },
            cache,
        });
        Self {
            pipeline,
            bindings: bindings(&module.naga, module.info.get_entry_point(index)),
            workgroup_size: point.workgroup_size,
            name,
        }
    }
}

/// The resources that an entry point uses, by the names the WGSL gives them.
fn bindings(module: &naga::Module, info: &naga::valid::FunctionInfo) -> Vec<Binding> {
    let mut bindings = Vec::new();
    for (handle, variable) in module.global_variables.iter() {
        let usage = info[handle];
        let (Some(binding), false) = (&variable.binding, usage.is_empty()) else { continue };
        let kind = match variable.space {
            naga::AddressSpace::Uniform => {
                let size = module.types[variable.ty].inner.size(module.to_ctx());
                BindingKind::Uniform(size)
            }
            naga::AddressSpace::Storage { access } => {
                BindingKind::Storage { writable: access.contains(naga::StorageAccess::STORE) }
            }
            space => panic!("{:?}: bound in {space:?}", variable.name),
        };
        let name = variable.name.clone().unwrap_or_default();
        bindings.push(Binding { name, index: binding.binding, kind });
    }
    bindings
}
