// Conversion between maps (batch · pixels, channels) and features (batch, channels · pixels), which
// are in PyTorch's order: channel, then pixel. Each invocation transposes a block, four pixels of
// four channels.
#import shared/activation
#import shared/index
#import shared/padding

struct Params {
    count: u32,       // blocks
    pixels: u32,      // in a map
    channels: u32,
    feature_row: u32, // elements from row to row
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> map: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> features: array<f32>;
// Pre-activations of the map or the features, read only, and only if there is an activation.
@group(0) @binding(3) var<storage, read_write> map_pre: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> features_pre: array<f32>;

struct Block {
    map: u32,      // index of its first pixel's quad
    map_row: u32,  // quads from pixel to pixel
    features: u32, // index of its first channel's first element
    pixels: u32,   // number of pixels that exist, four at most
    channels: u32, // number of channels that exist, four at most
}

fn block(p: Params, i: u32) -> Block {
    let across = (p.pixels + 3u) / 4u;
    let quads = (p.channels + 3u) / 4u;
    let strip = i / across;
    let image = strip / quads;
    let pixel = (i - strip * across) * 4u;
    let quad = strip - image * quads;
    return Block(
        (image * p.pixels + pixel) * quads + quad,
        quads,
        image * p.feature_row + 4u * quad * p.pixels + pixel,
        min(p.pixels - pixel, 4u),
        min(p.channels - 4u * quad, 4u),
    );
}

// The block's pixels; past the last pixel that one is read again.
fn load_map(b: Block) -> mat4x4<f32> {
    let last = b.pixels - 1u;
    return mat4x4(
        map[b.map],
        map[b.map + min(1u, last) * b.map_row],
        map[b.map + min(2u, last) * b.map_row],
        map[b.map + min(3u, last) * b.map_row],
    );
}

// Indices of four pixels of a channel in the features; past the last pixel or channel those of the
// last.
fn channel(p: Params, b: Block, c: u32) -> vec4<u32> {
    return b.features + min(c, b.channels - 1u) * p.pixels + min(FOUR, vec4(b.pixels - 1u));
}

// Four pixels of a channel, zero past the last channel, which is padding in a map.
fn load_channel(p: Params, b: Block, c: u32) -> vec4<f32> {
    let at = channel(p, b, c);
    let values = vec4(features[at.x], features[at.y], features[at.z], features[at.w]);
    return select(vec4(0.0), values, c < b.channels);
}

fn load_features(p: Params, b: Block) -> mat4x4<f32> {
    return mat4x4(
        load_channel(p, b, 0u),
        load_channel(p, b, 1u),
        load_channel(p, b, 2u),
        load_channel(p, b, 3u),
    );
}

fn store_pixel(b: Block, pixel: u32, value: vec4<f32>) {
    if pixel < b.pixels {
        let at = b.map + pixel * b.map_row;
        var result = value;
        if ACTIVATION < IDENTITY {
            result *= slope_four(map_pre[at]);
        }
        map[at] = result;
    }
}

fn store_channel(p: Params, b: Block, c: u32, value: vec4<f32>) {
    let at = channel(p, b, c);
    let count = select(0u, b.pixels, c < b.channels);
    var result = value;
    if ACTIVATION < IDENTITY {
        result *= slope_four(vec4(
            features_pre[at.x],
            features_pre[at.y],
            features_pre[at.z],
            features_pre[at.w],
        ));
    }
    if count > 0u { features[at.x] = result.x; }
    if count > 1u { features[at.y] = result.y; }
    if count > 2u { features[at.z] = result.z; }
    if count > 3u { features[at.w] = result.w; }
}

// map = features, multiplied by f'(map_pre) if there is an activation, in a backward pass.
@compute @workgroup_size(64)
fn unflatten(invocation: Invocation) {
    let i = element(invocation);
    let p = params;
    if i >= p.count {
        return;
    }
    let b = block(p, i);
    let turned = transpose(load_features(p, b));
    store_pixel(b, 0u, turned[0]);
    store_pixel(b, 1u, turned[1]);
    store_pixel(b, 2u, turned[2]);
    store_pixel(b, 3u, turned[3]);
}

// features = map, multiplied by f'(features_pre) if there is an activation, in a backward pass.
@compute @workgroup_size(64)
fn flatten(invocation: Invocation) {
    let i = element(invocation);
    let p = params;
    if i >= p.count {
        return;
    }
    let b = block(p, i);
    let turned = transpose(load_map(b));
    store_channel(p, b, 0u, turned[0]);
    store_channel(p, b, 1u, turned[1]);
    store_channel(p, b, 2u, turned[2]);
    store_channel(p, b, 3u, turned[3]);
    // Memory is used again: what lies behind the last feature must be zero. An image's last block does it.
    let row = b.features / p.feature_row * p.feature_row;
    let values = p.channels * p.pixels;
    if b.features - row + (b.channels - 1u) * p.pixels + b.pixels == values {
        for (var pad = values; pad < p.feature_row; pad++) {
            features[row + pad] = 0.0;
        }
    }
}
