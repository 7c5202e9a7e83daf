//! Entry points of shaders and their bindings, read from the WGSL itself. No adapter is needed.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use naga::valid::{Capabilities, ValidationFlags, Validator};

use super::text::{self, Settings};

/// One WGSL text: a file of `shaders/` and its imports, which `gpu/text.rs` resolves. Constants
/// that the host sets, all of type `u32`, are used but not declared in it.
#[derive(Clone, Debug)]
pub struct Shader {
    /// The op's name, such as `matmul`; a kernel's name is `{op}.{entry point}`.
    pub name: Cow<'static, str>,
    source: Source,
    variant: &'static str,
}

#[derive(Clone, Debug)]
enum Source {
    /// `shaders/{path}.wgsl`.
    File(&'static str),
    Text(Cow<'static, str>),
}

impl Shader {
    /// The shader `shaders/{name}.wgsl`.
    pub const fn new(name: &'static str) -> Self {
        Self { name: Cow::Borrowed(name), source: Source::File(name), variant: "" }
    }

    /// The shader `shaders/{path}.wgsl`, with the file `variant` wherever an import says `VARIANT`.
    pub const fn with_variant(
        name: &'static str,
        path: &'static str,
        variant: &'static str,
    ) -> Self {
        Self { name: Cow::Borrowed(name), source: Source::File(path), variant }
    }

    /// A shader with the WGSL `text`, which may import files of `shaders/`.
    pub const fn from_text(name: &'static str, text: &'static str) -> Self {
        let (name, text) = (Cow::Borrowed(name), Cow::Borrowed(text));
        Self { name, source: Source::Text(text), variant: "" }
    }

    /// A shader like [`Shader::from_text`]'s, whose text is written while recording.
    pub fn generated(name: String, text: String) -> Self {
        Self { name: name.into(), source: Source::Text(text.into()), variant: "" }
    }

    /// The complete WGSL text with `constants` declared, as naga takes it.
    pub fn text(&self, constants: &[(&str, u32)]) -> String {
        self.complete(constants, false)
    }

    /// The complete WGSL text for browsers: like [`Shader::text`], with directives that they
    /// require and naga does not know.
    pub fn browser_text(&self, constants: &[(&str, u32)]) -> String {
        self.complete(constants, true)
    }

    fn complete(&self, constants: &[(&str, u32)], browser: bool) -> String {
        let settings = Settings { variant: self.variant, constants, browser };
        match &self.source {
            Source::File(path) => text::complete_file(path, &settings),
            Source::Text(source) => text::complete(&self.name, source, &settings),
        }
    }

    /// The entry point `entry` with `constants` set. Panics on faulty WGSL and where there is no
    /// such entry point, which are bugs of the caller.
    pub fn kernel(&self, entry: &str, constants: &[(&str, u32)]) -> Arc<Kernel> {
        let text = self.text(constants);
        // A faulty text panics below, and leaves the others as they were.
        let mut modules = MODULES.lock().unwrap_or_else(PoisonError::into_inner);
        let module = match modules.get(&text) {
            Some(module) => module.clone(),
            None => {
                let module = Arc::new(Module::parse(&self.name, text.clone()));
                modules.insert(text, module.clone());
                module
            }
        };
        drop(modules);
        Arc::new(Kernel::new(module, entry))
    }
}

/// Every text parsed so far: the plans of a step for a full batch and for a smaller one share most.
static MODULES: LazyLock<Mutex<HashMap<String, Arc<Module>>>> = LazyLock::new(Mutex::default);

/// A [`Shader`] with its constants set, parsed and validated.
pub(super) struct Module {
    /// Different for every module of a process.
    pub id: u64,
    pub shader: String,
    pub text: String,
    pub naga: naga::Module,
    info: naga::valid::ModuleInfo,
}

/// A global variable of a shader to which a buffer is to be bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Binding {
    pub name: String,
    pub index: u32,
    pub kind: BindingKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BindingKind {
    /// The parameters, of the type `Params` or whatever the shader calls it.
    Uniform(naga::Handle<naga::Type>),
    /// A storage buffer, and whether the kernel may write it.
    Storage { writable: bool },
}

/// An entry point of a shader with its constants set.
pub struct Kernel {
    pub(super) module: Arc<Module>,
    /// The name of the entry point.
    pub entry: String,
    pub(super) bindings: Vec<Binding>,
    /// Invocations in a workgroup along x, y and z.
    pub workgroup_size: [u32; 3],
}

impl Module {
    fn parse(shader: &str, text: String) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let naga = naga::front::wgsl::parse_str(&text)
            .unwrap_or_else(|e| panic!("shader {shader}: {}", e.emit_to_string(&text)));
        let info = Validator::new(ValidationFlags::all(), Capabilities::all())
            .validate(&naga)
            .unwrap_or_else(|e| panic!("shader {shader}: {}", e.emit_to_string(&text)));
        Self { id: NEXT.fetch_add(1, Relaxed), shader: shader.into(), text, naga, info }
    }
}

impl Kernel {
    fn new(module: Arc<Module>, entry: &str) -> Self {
        let index = module.naga.entry_points.iter().position(|e| e.name == entry);
        let index =
            index.unwrap_or_else(|| panic!("{}.{entry}: no such entry point", module.shader));
        Self {
            bindings: bindings(&module.naga, module.info.get_entry_point(index)),
            workgroup_size: module.naga.entry_points[index].workgroup_size,
            entry: entry.into(),
            module,
        }
    }

    /// Shader and entry point, as in `matmul.forward`.
    pub fn name(&self) -> String {
        format!("{}.{}", self.module.shader, self.entry)
    }

    /// The complete WGSL text.
    pub fn text(&self) -> &str {
        &self.module.text
    }

    /// The `@binding` of its uniform, if it has one.
    pub(super) fn uniform(&self) -> Option<u32> {
        let uniform = |b: &&Binding| matches!(b.kind, BindingKind::Uniform(_));
        self.bindings.iter().find(uniform).map(|binding| binding.index)
    }
}

/// The resources that an entry point uses, by the names the WGSL gives them.
fn bindings(module: &naga::Module, info: &naga::valid::FunctionInfo) -> Vec<Binding> {
    let mut bindings = Vec::new();
    for (handle, variable) in module.global_variables.iter() {
        let usage = info[handle];
        let (Some(binding), false) = (&variable.binding, usage.is_empty()) else { continue };
        let kind = match variable.space {
            naga::AddressSpace::Uniform => BindingKind::Uniform(variable.ty),
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
