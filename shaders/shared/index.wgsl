// An invocation's position in its dispatch.
struct Invocation {
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
}

// The workgroup's number. Grids of more workgroups than x can hold wrap into y: see
// Recording::record_flat.
fn group_number(invocation: Invocation) -> u32 {
    return invocation.group.x + invocation.group.y * invocation.groups.x;
}

// The invocation's number in a dispatch with workgroups of 64.
fn element(invocation: Invocation) -> u32 {
    return group_number(invocation) * 64u + invocation.lane;
}
