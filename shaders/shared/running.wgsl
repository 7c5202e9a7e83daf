// A sum over the steps of an epoch in two parts: the recent one is moved to the older one from time to time.
// A single one would lose the digits of what a step adds once there are millions of steps.
struct Parts { older: f32, recent: f32 }

// The steps from one move to the next.
const MOVE_EVERY: u32 = 1024u;

// The sum with what step `step` adds.
fn with_step(sum: Parts, step: u32, added: f32) -> Parts {
    if step % MOVE_EVERY == 0u {
        return Parts(sum.older + sum.recent, added);
    }
    return Parts(sum.older, sum.recent + added);
}
