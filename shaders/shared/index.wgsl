// Grids of more workgroups than x can hold wrap into y: see Plan::record_flat.
fn flat_group(group: vec3<u32>, groups: vec3<u32>) -> u32 {
    return group.x + group.y * groups.x;
}
