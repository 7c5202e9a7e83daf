//! Recorded dispatches: resolved once, replayed many times.

use std::sync::{Arc, OnceLock};

use super::kernel::BindingKind;
use super::tensor::{Workspace, padded};
use super::{Choices, Gpu, Kernel, Tensor};
use crate::error::Result;

/// A list of dispatches with pipelines, bind groups and grids resolved. Replaying it allocates
/// nothing and looks nothing up.
pub struct Plan {
    gpu: Gpu,
    choices: Arc<Choices>,
    workspace: Arc<Workspace>,
    dispatches: Vec<Dispatch>,
    /// Of the dispatches, made when the workspace is.
    bind_groups: OnceLock<Vec<wgpu::BindGroup>>,
}

struct Dispatch {
    label: String,
    kernel: Arc<Kernel>,
    uniform: wgpu::Buffer,
    /// By binding index.
    tensors: Vec<(u32, Tensor)>,
    grid: [u32; 3],
}

impl Plan {
    /// An empty plan that takes every kernel's default variant.
    pub fn new(gpu: &Gpu) -> Self {
        Self::with_choices(gpu, &Arc::default())
    }

    /// An empty plan whose kernels take the variants that `choices` name.
    pub fn with_choices(gpu: &Gpu, choices: &Arc<Choices>) -> Self {
        Self {
            gpu: gpu.clone(),
            choices: choices.clone(),
            workspace: Workspace::new(gpu.device()),
            dispatches: Vec::new(),
            bind_groups: OnceLock::new(),
        }
    }

    /// Which variants kernels are to take.
    pub fn choices(&self) -> &Choices {
        &self.choices
    }

    /// A tensor of the plan's own, zero at first, with rows padded to multiples of four elements.
    pub fn matrix(&self, shape: &[usize]) -> Tensor {
        self.workspace.tensor(shape, padded(shape[1..].iter().product()))
    }

    /// A tensor of the plan's own, zero at first.
    pub fn vector(&self, elements: usize) -> Tensor {
        self.workspace.tensor(&[elements], 1)
    }

    /// Everything that [`Plan::matrix`] and [`Plan::vector`] gave out, as one tensor; call it after
    /// the last of them.
    pub fn workspace(&self) -> Tensor {
        self.workspace.whole()
    }

    /// Makes the plan's memory and bind groups, which the first replay would do otherwise.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Gpu`] where `what` does not fit the adapter, with the `remedy`.
    pub fn prepare(&self, what: &str, remedy: &str) -> Result<()> {
        let bytes = 4 * self.workspace().extent() as u64;
        let bound = self.dispatches.iter().flat_map(|dispatch| &dispatch.tensors);
        let largest = bound.map(|(_, tensor)| 4 * tensor.extent() as u64).max().unwrap_or(0);
        self.gpu.check_fits(what, bytes, largest, remedy)?;
        self.bind_groups();
        Ok(())
    }

    fn bind_groups(&self) -> &[wgpu::BindGroup] {
        self.bind_groups.get_or_init(|| self.dispatches.iter().map(|d| self.bind(d)).collect())
    }

    fn bind(&self, dispatch: &Dispatch) -> wgpu::BindGroup {
        let Dispatch { label, kernel, uniform, tensors, .. } = dispatch;
        let resource = |index: u32| {
            let tensor = tensors.iter().find(|(i, _)| *i == index);
            tensor.map_or_else(|| uniform.as_entire_binding(), |(_, tensor)| tensor.binding())
        };
        let entry = |b: &super::kernel::Binding| wgpu::BindGroupEntry {
            binding: b.index,
            resource: resource(b.index),
        };
        self.gpu.device().create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(label),
            layout: &kernel.pipeline.get_bind_group_layout(0),
            entries: &kernel.bindings.iter().map(entry).collect::<Vec<_>>(),
        })
    }

    /// The adapter it is recorded for.
    pub fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// Labels of the dispatches in order, as in `encoder.0.matmul.forward`.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.dispatches.iter().map(|d| d.label.as_str())
    }

    /// Appends a dispatch of `groups` workgroups in all, for kernels that find their place with
    /// `group_number`: they wrap into y past the adapter's limit on x.
    pub fn record_flat<P: bytemuck::NoUninit>(
        &mut self,
        kernel: Arc<Kernel>,
        label: &str,
        params: &P,
        tensors: &[(&str, &Tensor)],
        groups: usize,
    ) {
        let limit = self.gpu.device().limits().max_compute_workgroups_per_dimension as usize;
        let rows = groups.div_ceil(limit);
        let columns = groups.div_ceil(rows.max(1));
        self.record(kernel, label, params, tensors, [columns as u32, rows as u32, 1]);
    }

    /// Appends a dispatch with one invocation for each of `elements`, as [`Plan::record_flat`].
    pub fn record_elements<P: bytemuck::NoUninit>(
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

    /// Appends a dispatch of `grid` workgroups. `params` fills the shader's uniform `params`, each
    /// other variable is bound to the tensor of its name.
    ///
    /// Panics on a tensor that is missing or one too many, on a `params` of the wrong size and on
    /// memory that is both read and written: bugs of the caller, found at recording.
    pub fn record<P: bytemuck::NoUninit>(
        &mut self,
        kernel: Arc<Kernel>,
        label: &str,
        params: &P,
        tensors: &[(&str, &Tensor)],
        grid: [u32; 3],
    ) {
        let label = format!("{label}.{}", kernel.name);
        // Not mapped at creation, which panics once the adapter is lost.
        let uniform = self.gpu.device().create_buffer(&wgpu::BufferDescriptor {
            label: Some(&label),
            size: size_of::<P>() as u64,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        self.gpu.queue().write_buffer(&uniform, 0, bytemuck::bytes_of(params));
        let find = |name: &str| {
            let found = tensors.iter().find(|(n, _)| *n == name);
            found.unwrap_or_else(|| panic!("{label}: nothing is bound to `{name}`")).1
        };
        let mut bound: Vec<(u32, &Tensor, bool)> = Vec::new();
        for binding in &kernel.bindings {
            match binding.kind {
                BindingKind::Uniform(size) => {
                    assert_eq!(size as usize, size_of::<P>(), "{label}: size of Params");
                }
                BindingKind::Storage { writable } => {
                    bound.push((binding.index, find(&binding.name), writable));
                }
            }
        }
        assert_eq!(bound.len(), tensors.len(), "{label}: a tensor is bound to no variable");
        for (i, (_, a, a_writable)) in bound.iter().enumerate() {
            for (_, b, b_writable) in &bound[..i] {
                let clash = match (a_writable, b_writable) {
                    (true, true) => a.overlaps(b),
                    (false, false) => false,
                    // wgpu tracks whole buffers: kernels declare as writable what may share one
                    // with their results.
                    _ => a.shares_buffer(b),
                };
                assert!(!clash, "{label}: memory that is written is bound twice");
            }
        }
        let tensors = bound.into_iter().map(|(index, tensor, _)| (index, tensor.clone())).collect();
        if grid.iter().all(|&n| n > 0) {
            self.dispatches.push(Dispatch { label, kernel, uniform, tensors, grid });
        }
    }

    /// Replays every dispatch into `pass`.
    pub fn encode(&self, pass: &mut wgpu::ComputePass) {
        for (dispatch, bind_group) in self.dispatches.iter().zip(self.bind_groups()) {
            let [x, y, z] = dispatch.grid;
            pass.set_pipeline(&dispatch.kernel.pipeline);
            pass.set_bind_group(0, bind_group, &[]);
            pass.dispatch_workgroups(x, y, z);
        }
    }

    /// Submits the plan once; returns without waiting.
    pub fn run(&self) -> wgpu::SubmissionIndex {
        self.gpu.submit(|pass| self.encode(pass))
    }
}
