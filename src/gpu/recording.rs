//! Recorded dispatches, which are plain data until they are compiled for an adapter.

use std::sync::Arc;

use serde::Serialize;

use super::kernel::BindingKind;
use super::params;
use super::tensor::padded;
use super::workspace::Workspace;
use super::{AdapterReport, Buffer, Choices, Gpu, Kernel, Plan, Tensor};
use crate::error::{Load, Result};

/// A list of dispatches and the memory that they work in. It needs only the report of its adapter,
/// not the adapter itself; [`Recording::compile`] makes the [`Plan`] that runs.
pub struct Recording {
    adapter: AdapterReport,
    choices: Arc<Choices>,
    workspace: Arc<Workspace>,
    dispatches: Vec<Dispatch>,
}

/// A kernel with its parameters, its bindings and the number of workgroups that run.
pub struct Dispatch {
    /// Layer, shader and entry point, such as `encoder.0.matmul.forward`.
    pub label: String,
    /// The entry point, with its WGSL.
    pub kernel: Arc<Kernel>,
    /// Bytes of the shader's uniform `params`.
    pub params: Vec<u8>,
    /// The parts of buffers that are bound, in the order of the shader's declarations.
    pub bindings: Vec<Slice>,
    /// Workgroups along x, y and z.
    pub grid: [u32; 3],
}

/// A part of a buffer that is bound to a variable of a shader.
pub struct Slice {
    /// The variable's name.
    pub name: String,
    /// The variable's `@binding`.
    pub index: u32,
    /// The buffer that holds the part.
    pub buffer: Buffer,
    /// Elements of 4 bytes in the buffer before the part.
    pub offset: usize,
    /// Elements of 4 bytes in the part.
    pub elements: usize,
    /// Whether the kernel may write it.
    pub writable: bool,
}

impl Recording {
    /// An empty recording for an adapter, in which every kernel takes its default variant.
    pub fn new(adapter: &AdapterReport) -> Self {
        Self::with_choices(adapter, &Arc::default())
    }

    /// An empty recording whose kernels take the variants that `choices` name.
    pub fn with_choices(adapter: &AdapterReport, choices: &Arc<Choices>) -> Self {
        Self {
            adapter: adapter.clone(),
            choices: choices.clone(),
            workspace: Workspace::new(),
            dispatches: Vec::new(),
        }
    }

    /// The adapter for which it is recorded.
    pub fn adapter(&self) -> &AdapterReport {
        &self.adapter
    }

    /// The variants that its kernels take.
    pub fn choices(&self) -> &Choices {
        &self.choices
    }

    /// The dispatches in order.
    pub fn dispatches(&self) -> &[Dispatch] {
        &self.dispatches
    }

    /// Labels of the dispatches in order, such as `encoder.0.matmul.forward`.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.dispatches.iter().map(|dispatch| dispatch.label.as_str())
    }

    /// A tensor in the recording's workspace, uninitialized, with rows padded to multiples of four
    /// elements. Its memory is given out again once the last clone of it is dropped.
    pub fn matrix(&self, shape: &[usize]) -> Tensor {
        Tensor::in_workspace(&self.workspace, shape, padded(shape[1..].iter().product()))
    }

    /// A tensor of one dimension in the recording's workspace: see [`Recording::matrix`].
    pub fn vector(&self, elements: usize) -> Tensor {
        Tensor::in_workspace(&self.workspace, &[elements], 1)
    }

    /// A tensor in the recording's workspace of the shape and layout of `tensor`.
    pub fn like(&self, tensor: &Tensor) -> Tensor {
        Tensor::in_workspace(&self.workspace, tensor.shape(), tensor.stride())
    }

    /// Bytes of the workspace, in which the tensors of [`Recording::matrix`] and
    /// [`Recording::vector`] lie: it is as large as those in use at once require.
    pub fn workspace_bytes(&self) -> u64 {
        4 * self.workspace.elements() as u64
    }

    /// Bytes of the parameters of all dispatches, which lie in one buffer.
    pub fn params_bytes(&self) -> u64 {
        let last = self.params_places().last();
        last.map_or(0, |(at, dispatch)| at + dispatch.params.len() as u64)
    }

    /// Each dispatch with the offset in bytes of its parameters in their common buffer.
    pub(super) fn params_places(&self) -> impl Iterator<Item = (u64, &Dispatch)> {
        const STEP: u64 = 4 * Tensor::ALIGNMENT as u64;
        self.dispatches.iter().scan(0, |end, dispatch| {
            let at = *end;
            *end = (at + dispatch.params.len() as u64).next_multiple_of(STEP);
            Some((at, dispatch))
        })
    }

    /// Every buffer that is bound, once, in the order of its first use. Fixes the workspace's size.
    pub fn buffers(&self) -> Vec<&Buffer> {
        self.workspace.finish();
        let mut buffers: Vec<&Buffer> = Vec::new();
        for slice in self.dispatches.iter().flat_map(|dispatch| &dispatch.bindings) {
            if !buffers.contains(&&slice.buffer) {
                buffers.push(&slice.buffer);
            }
        }
        buffers
    }

    /// Fails unless the workspace and everything that is bound fit the adapter's limits.
    ///
    /// # Errors
    ///
    /// [`crate::Error::TooLarge`] naming `load` and the limit.
    pub fn check_fits(&self, load: Load) -> Result<()> {
        let slices = self.dispatches.iter().flat_map(|dispatch| &dispatch.bindings);
        let largest = slices.map(|slice| 4 * slice.elements as u64).max().unwrap_or(0);
        let buffers = self.buffers().into_iter().map(Buffer::bytes).max().unwrap_or(0);
        self.adapter.check_fits(load, buffers, largest)
    }

    /// Compiles the recording for `gpu`: makes the pipelines, the memory and the bind groups.
    pub fn compile(&self, gpu: &Gpu) -> Plan {
        self.workspace.finish();
        Plan::new(gpu, self)
    }

    /// Parts of the workspace that were freed: the number of dispatches recorded until then, which
    /// may read the part while later ones may not, its offset and its elements.
    pub(super) fn freed(&self) -> Vec<(usize, usize, usize)> {
        self.workspace.freed()
    }

    /// The buffer of the workspace.
    pub(super) fn workspace(&self) -> &Buffer {
        &self.workspace.buffer
    }

    /// Appends a dispatch of at least `groups` workgroups, for kernels that number their workgroups
    /// with `group_number`: those past the adapter's limit on x wrap into y.
    pub fn record_flat<P: Serialize>(
        &mut self,
        kernel: Arc<Kernel>,
        label: &str,
        params: &P,
        tensors: &[(&str, &Tensor)],
        groups: usize,
    ) {
        let limit = self.adapter.max_workgroups as usize;
        let rows = groups.div_ceil(limit);
        let columns = groups.div_ceil(rows.max(1));
        self.record(kernel, label, params, tensors, [columns as u32, rows as u32, 1]);
    }

    /// Appends a dispatch with one invocation for each of `elements`, in workgroups that
    /// [`Recording::record_flat`] numbers.
    pub fn record_elements<P: Serialize>(
        &mut self,
        kernel: Arc<Kernel>,
        label: &str,
        params: &P,
        tensors: &[(&str, &Tensor)],
        elements: usize,
    ) {
        let groups = elements.div_ceil(kernel.workgroup_size[0] as usize);
        self.record_flat(kernel, label, params, tensors, groups);
    }

    /// Appends a dispatch of `grid` workgroups; none if `grid` has a zero. `params` fills the
    /// shader's uniform `params` by the names of its members; each other variable is bound to the
    /// tensor of its name.
    ///
    /// Panics on a tensor or a member that is missing or one too many, on a number that is not of
    /// its member's type and on memory that is both read and written: bugs of the caller, found at
    /// recording.
    pub fn record<P: Serialize>(
        &mut self,
        kernel: Arc<Kernel>,
        label: &str,
        params: &P,
        tensors: &[(&str, &Tensor)],
        grid: [u32; 3],
    ) {
        let label = format!("{label}.{}", kernel.name());
        let find = |name: &str| {
            let found = tensors.iter().find(|(n, _)| *n == name);
            found.unwrap_or_else(|| panic!("{label}: nothing is bound to `{name}`")).1
        };
        let mut bytes = Vec::new();
        let mut bound: Vec<(&Tensor, Slice)> = Vec::new();
        for binding in &kernel.bindings {
            match binding.kind {
                BindingKind::Uniform(ty) => {
                    let path = format!("{label}: {}", binding.name);
                    bytes = params::bytes(&kernel.module.naga, ty, params, &path);
                }
                BindingKind::Storage { writable } => {
                    let tensor = find(&binding.name);
                    let slice = Slice {
                        name: binding.name.clone(),
                        index: binding.index,
                        buffer: tensor.buffer().clone(),
                        offset: tensor.offset(),
                        elements: padded(tensor.extent()),
                        writable,
                    };
                    bound.push((tensor, slice));
                }
            }
        }
        assert_eq!(bound.len(), tensors.len(), "{label}: a tensor is bound to no variable");
        for (i, (a, slice)) in bound.iter().enumerate() {
            for (b, other) in &bound[..i] {
                let clash = match (slice.writable, other.writable) {
                    (true, true) => a.overlaps(b),
                    (false, false) => false,
                    // wgpu tracks whole buffers: kernels declare as writable inputs that may share
                    // one with their results.
                    _ => a.shares_buffer(b),
                };
                assert!(!clash, "{label}: memory that is written is bound twice");
            }
        }
        if grid.iter().all(|&n| n > 0) {
            let bindings = bound.into_iter().map(|(_, slice)| slice).collect();
            self.dispatches.push(Dispatch { label, kernel, params: bytes, bindings, grid });
            self.workspace.count_dispatch();
        }
    }
}
