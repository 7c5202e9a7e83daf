const LANES: u32 = 64u;

var<workgroup> partial: array<f32, LANES>;

// The sum of every lane's value, in an order that never changes; all LANES lanes must call it.
fn workgroup_sum(lane: u32, value: f32) -> f32 {
    workgroupBarrier(); // a former sum may still be being read
    partial[lane] = value;
    for (var width = LANES / 2u; width > 0u; width /= 2u) {
        workgroupBarrier();
        if lane < width {
            partial[lane] += partial[lane + width];
        }
    }
    workgroupBarrier();
    return partial[0];
}
