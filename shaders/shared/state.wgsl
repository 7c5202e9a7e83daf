// Counters of a training or evaluation loop that stay on the GPU between steps: see ops::State.
struct State {
    step: u32,          // steps taken since the beginning
    epoch: u32,         // epochs finished
    row: u32,           // images of this epoch already used
    images: u32,        // images in an epoch
}
