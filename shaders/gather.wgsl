// The input of a step: the batch's pixels from the packed dataset as floats in [0, 1], corrupted
// for denoising models, and standard normal noise. Both kinds of noise are pure functions of seed,
// stream, step and index.
#import shared/index
#import shared/rng
#import shared/state

struct Params {
    rows: u32,      // images in the batch
    channels: u32,
    places: u32,    // pixels in an image
    row_quads: u32, // of x
    words: u32,     // of images
    noise: u32,     // elements of epsilon to fill
    seed_low: u32,
    seed_high: u32,
    stream: u32,
    corruption: u32, // stream of the corruption's draws
    binarized: u32,  // BINARIZED: stream of the draws of black and white
    spread: f32,     // standard deviation of the noise that is added to a value
    masked: f32,     // probability of a value to be set to 0
    mask: u32,       // of positions in order, where it is a ring of a power of two
    first: u32,      // the first image that images holds
    count: u32,      // PARTS: images that it holds
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> state: State;
@group(0) @binding(2) var<storage, read> images: array<u32>;         // (count, channels, places) bytes, four a word
@group(0) @binding(3) var<storage, read> order: array<u32>;          // (images of the dataset), or a ring
@group(0) @binding(4) var<storage, read_write> x: array<vec4<f32>>;  // MAPS: (rows · places, channels), padded; else (rows, channels · places), padded
@group(0) @binding(5) var<storage, read_write> epsilon: array<f32>;

// Four bytes from byte `at` on.
fn four_bytes(at: u32, words: u32) -> vec4<u32> {
    let low = images[at / 4u];
    let high = images[min(at / 4u + 1u, words - 1u)];
    let shift = 8u * (at % 4u);
    let word = select((low >> shift) | (high << (32u - shift)), low, shift == 0u);
    return (vec4(word) >> vec4(0u, 8u, 16u, 24u)) & vec4(255u);
}

// The bytes of quad number `i` of x, which is in row b of the batch, where `image` is; sets `within` to
// those that are not padding.
fn bytes_of(p: Params, image: u32, b: u32, i: u32, within: ptr<function, vec4<bool>>) -> vec4<u32> {
    let columns = p.channels * p.places;
    if MAPS == 0u {
        let column = 4u * (i - b * p.row_quads);
        *within = vec4(column) + vec4(0u, 1u, 2u, 3u) < vec4(columns);
        return four_bytes(image * columns + column, p.words);
    }
    let first = image * columns + i - b * p.places;
    *within = vec4(0u, 1u, 2u, 3u) < vec4(p.channels);
    var bytes: vec4<u32>;
    for (var c = 0u; c < p.channels; c++) {
        let at = first + c * p.places;
        bytes[c] = (images[at / 4u] >> (8u * (at % 4u))) & 255u;
    }
    return bytes;
}

// Black or white in place of the pixels of quad number `i` of x, which is in row b of the batch: white with the
// probability that is a pixel's value. A draw is for the value's place in the image (channel, row, column),
// so that maps and features have the same.
fn drawn(p: Params, step: u32, b: u32, i: u32, pixels: vec4<f32>) -> vec4<f32> {
    let key = vec4(p.seed_low, p.seed_high, 0u, p.binarized);
    var words: vec4<u32>;
    if MAPS == 0u {
        words = threefry(vec4(i - b * p.row_quads, b, step, 0u), key);
    } else {
        for (var c = 0u; c < p.channels; c++) {
            let at = c * p.places + i - b * p.places;
            words[c] = threefry(vec4(at / 4u, b, step, 0u), key)[at % 4u];
        }
    }
    return select(vec4(0.0), vec4(1.0), vec4<f32>(words >> vec4(8u)) / 16777216.0 < pixels);
}

// One invocation for four pixels, or for four elements of the noise.
@compute @workgroup_size(64)
fn batch(invocation: Invocation) {
    let i = element(invocation);
    // Read before any branch: there, software adapters read a uniform once for all lanes.
    let p = params;
    let row = state.row;
    let step = state.step;
    let row_quads = select(p.row_quads, p.places, MAPS == 1u);
    let quads = p.rows * row_quads;
    if i < quads {
        let b = i / row_quads;
        let image = order[(row + b) & p.mask] - p.first;
        // Another dispatch has the image: its part of the dataset lies in another buffer.
        if PARTS == 1u && image >= p.count {
            return;
        }
        var within: vec4<bool>;
        var pixels = vec4<f32>(bytes_of(p, image, b, i, &within)) / 255.0;
        if BINARIZED == 1u {
            pixels = drawn(p, step, b, i, pixels);
        }
        if CORRUPTION == 1u {
            let draw = threefry(vec4(i, step, 0u, 0u), vec4(p.seed_low, p.seed_high, 0u, p.corruption));
            // Clamped to the range of pixels.
            pixels = clamp(pixels + p.spread * normals(draw), vec4(0.0), vec4(1.0));
        }
        if CORRUPTION == 2u {
            let draw = threefry(vec4(i, step, 0u, 0u), vec4(p.seed_low, p.seed_high, 0u, p.corruption));
            pixels = select(pixels, vec4(0.0), vec4<f32>(draw >> vec4(8u)) / 16777216.0 < vec4(p.masked));
        }
        x[i] = select(vec4(0.0), pixels, within);
        return;
    }
    let first = 4u * (i - quads);
    if first < p.noise {
        let key = vec4(p.seed_low, p.seed_high, 0u, p.stream);
        let values = normals(threefry(vec4(i - quads, step, 0u, 0u), key));
        for (var j = 0u; j < 4u && first + j < p.noise; j++) {
            epsilon[first + j] = values[j];
        }
    }
}
