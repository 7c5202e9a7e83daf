//! Recorded dispatches: resolved once, replayed many times.

use std::sync::Arc;

use super::kernel::BindingKind;
use super::{Gpu, Kernel, Tensor};

/// A list of dispatches with pipelines, bind groups and grids resolved. Replaying it allocates
/// nothing and looks nothing up.
pub struct Plan {
    gpu: Gpu,
    dispatches: Vec<Dispatch>,
}

struct Dispatch {
    label: String,
    kernel: Arc<Kernel>,
    bind_group: wgpu::BindGroup,
    grid: [u32; 3],
}

impl Plan {
    /// An empty plan.
    pub fn new(gpu: &Gpu) -> Self {
        Self { gpu: gpu.clone(), dispatches: Vec::new() }
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
    /// `flat_group`: they wrap into y past the adapter's limit on x.
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
        let size = kernel.workgroup_size.expect("a workgroup size that no override sets");
        let groups = elements.div_ceil(size[0] as usize);
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
        let mut entries = Vec::new();
        let mut bound: Vec<(&Tensor, bool)> = Vec::new();
        for binding in &kernel.bindings {
            let resource = match binding.kind {
                BindingKind::Uniform(size) => {
                    assert_eq!(size as usize, size_of::<P>(), "{label}: size of Params");
                    uniform.as_entire_binding()
                }
                BindingKind::Storage { written } => {
                    let tensor = find(&binding.name);
                    bound.push((tensor, written));
                    tensor.binding()
                }
            };
            entries.push(wgpu::BindGroupEntry { binding: binding.index, resource });
        }
        assert_eq!(bound.len(), tensors.len(), "{label}: a tensor is bound to no variable");
        for (i, (a, a_written)) in bound.iter().enumerate() {
            for (b, b_written) in &bound[..i] {
                let clash = match (a_written, b_written) {
                    (true, true) => a.overlaps(b),
                    (false, false) => false,
                    // wgpu tracks whole buffers.
                    _ => a.buffer() == b.buffer(),
                };
                assert!(!clash, "{label}: memory that is written is bound twice");
            }
        }
        let bind_group = self.gpu.device().create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(&label),
            layout: &kernel.pipeline.get_bind_group_layout(0),
            entries: &entries,
        });
        if grid.iter().all(|&n| n > 0) {
            self.dispatches.push(Dispatch { label, kernel, bind_group, grid });
        }
    }

    /// Replays every dispatch into `pass`.
    pub fn encode(&self, pass: &mut wgpu::ComputePass) {
        for dispatch in &self.dispatches {
            let [x, y, z] = dispatch.grid;
            pass.set_pipeline(&dispatch.kernel.pipeline);
            pass.set_bind_group(0, &dispatch.bind_group, &[]);
            pass.dispatch_workgroups(x, y, z);
        }
    }

    /// Submits the plan once; returns without waiting.
    pub fn run(&self) -> wgpu::SubmissionIndex {
        self.gpu.submit(|pass| self.encode(pass))
    }
}
