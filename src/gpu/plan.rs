//! A recording that is ready to run.

use std::sync::Arc;

use super::recording::Dispatch;
use super::{Buffer, Gpu, Recording, Tensor};

/// A list of dispatches with pipelines, bind groups and grids resolved. Replaying it allocates
/// nothing and looks nothing up.
pub struct Plan {
    gpu: Gpu,
    steps: Vec<Step>,
    /// The buffers that the bind groups refer to, held so that their memory is not freed.
    _buffers: Vec<Buffer>,
    /// See [`Plan::poison`].
    poison: Option<Poison>,
}

struct Step {
    label: String,
    pipeline: Arc<wgpu::ComputePipeline>,
    bind_group: wgpu::BindGroup,
    grid: [u32; 3],
}

/// The fill of workspace memory that no dispatch may read, by which tests find stale reads.
struct Poison {
    source: wgpu::Buffer,
    workspace: wgpu::Buffer,
    /// Parts to fill: the number of dispatches before, the offset in bytes, and the bytes.
    parts: Vec<(usize, u64, u64)>,
}

/// The word of the fill: NaN as a float, and far out of range as an index.
const POISON: u32 = 0x7FC0_DEAD;

impl Plan {
    pub(super) fn new(gpu: &Gpu, recording: &Recording) -> Self {
        let params = gpu.params_buffer(recording.params_bytes());
        let mut bytes = Vec::new();
        for (at, dispatch) in recording.params_places() {
            bytes.resize(at as usize, 0);
            bytes.extend_from_slice(&dispatch.params);
        }
        if let Some(params) = &params {
            gpu.queue().write_buffer(params, 0, &bytes);
        }
        let steps = recording.params_places().map(|(at, dispatch)| {
            let pipeline = gpu.pipeline(&dispatch.kernel);
            let bind_group = bind(gpu, dispatch, &pipeline, params.as_ref(), at);
            Step { label: dispatch.label.clone(), pipeline, bind_group, grid: dispatch.grid }
        });
        let steps = steps.collect();
        let buffers = recording.buffers().into_iter().cloned().collect();
        Self { gpu: gpu.clone(), steps, _buffers: buffers, poison: None }
    }

    /// Makes every later [`Plan::run`] fill the workspace of `recording`, from which the plan was
    /// compiled, with NaN: all of it before the first dispatch, except for `inputs`, which the host
    /// writes, and each part again once it is freed. Tests find reads of stale memory with it.
    pub fn poison(&mut self, recording: &Recording, inputs: &[&Tensor]) {
        let workspace = recording.workspace();
        let elements = workspace.elements();
        let source = Tensor::new(&self.gpu, "poison", &[elements], &vec![POISON; elements]);
        let mut stale = vec![true; elements];
        for input in inputs {
            stale[input.offset()..input.offset() + input.extent()].fill(false);
        }
        let mut parts = Vec::new();
        let mut at = 0;
        for run in stale.chunk_by(|a, b| a == b) {
            if run[0] {
                parts.push((0, 4 * at as u64, 4 * run.len() as u64));
            }
            at += run.len();
        }
        let freed = recording.freed().into_iter();
        parts.extend(freed.map(|(n, offset, len)| (n, 4 * offset as u64, 4 * len as u64)));
        let [source, workspace] = [source.buffer(), workspace].map(|b| self.gpu.buffer(b));
        self.poison = Some(Poison { source, workspace, parts });
    }

    /// The adapter on which it runs.
    pub fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// Labels of the dispatches in order, such as `encoder.0.matmul.forward`.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().map(|step| step.label.as_str())
    }

    /// Encodes every dispatch into `pass`.
    pub fn encode(&self, pass: &mut wgpu::ComputePass) {
        self.steps.iter().for_each(|step| step.encode(pass));
    }

    /// Submits the plan once; returns without waiting.
    pub fn run(&self) -> wgpu::SubmissionIndex {
        let Some(Poison { source, workspace, parts }) = &self.poison else {
            return self.gpu.submit(|pass| self.encode(pass));
        };
        let mut encoder = self.gpu.device().create_command_encoder(&Default::default());
        for (n, step) in self.steps.iter().enumerate() {
            for (_, at, bytes) in parts.iter().filter(|part| part.0 == n) {
                encoder.copy_buffer_to_buffer(source, 0, workspace, *at, *bytes);
            }
            step.encode(&mut encoder.begin_compute_pass(&Default::default()));
        }
        self.gpu.submit_encoder(encoder)
    }
}

impl Step {
    fn encode(&self, pass: &mut wgpu::ComputePass) {
        let [x, y, z] = self.grid;
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.bind_group, &[]);
        pass.dispatch_workgroups(x, y, z);
    }
}

fn bind(
    gpu: &Gpu,
    dispatch: &Dispatch,
    pipeline: &wgpu::ComputePipeline,
    params: Option<&wgpu::Buffer>,
    at: u64,
) -> wgpu::BindGroup {
    let resource = |buffer, offset, bytes| {
        let size = wgpu::BufferSize::new(bytes);
        wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset, size })
    };
    let buffers: Vec<_> = dispatch.bindings.iter().map(|slice| gpu.buffer(&slice.buffer)).collect();
    let slices = dispatch.bindings.iter().zip(&buffers).map(|(slice, buffer)| {
        let part = resource(buffer, 4 * slice.offset as u64, 4 * slice.elements as u64);
        wgpu::BindGroupEntry { binding: slice.index, resource: part }
    });
    let uniform = dispatch.kernel.uniform().zip(params).map(|(binding, params)| {
        let part = resource(params, at, dispatch.params.len() as u64);
        wgpu::BindGroupEntry { binding, resource: part }
    });
    gpu.device().create_bind_group(&wgpu::BindGroupDescriptor {
        label: Some(&dispatch.label),
        layout: &pipeline.get_bind_group_layout(0),
        entries: &uniform.into_iter().chain(slices).collect::<Vec<_>>(),
    })
}
