// A fresh permutation of the dataset for each epoch: a keyed Feistel network on the smallest even
// number of bits that holds every index, applied until the result is an index (cycle walking: Black
// and Rogaway 2002).
#import shared/index
#import shared/rng
#import shared/state

struct Params {
    count: u32,
    half_bits: u32,
    seed_low: u32,
    seed_high: u32,
    stream: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> state: State;
@group(0) @binding(2) var<storage, read_write> order: array<u32>;

// murmur3's finalizer: every bit of x reaches every bit of the result.
fn scramble(word: u32) -> u32 {
    var x = word;
    x = (x ^ (x >> 16u)) * 0x85EBCA6Bu;
    x = (x ^ (x >> 13u)) * 0xC2B2AE35u;
    return x ^ (x >> 16u);
}

// Eight rounds of a Feistel network with the round keys in `low` and `high`.
fn feistel(index: u32, low: vec4<u32>, high: vec4<u32>) -> u32 {
    let mask = (1u << params.half_bits) - 1u;
    var halves = vec2(index >> params.half_bits, index & mask);
    for (var round = 0u; round < 8u; round++) {
        let key = select(high[round & 3u], low[round & 3u], round < 4u);
        halves = vec2(halves.y, halves.x ^ (scramble(halves.y ^ key) & mask));
    }
    return (halves.x << params.half_bits) | halves.y;
}

@compute @workgroup_size(64)
fn permutation(invocation: Invocation) {
    let i = element(invocation);
    if i >= params.count {
        return;
    }
    let key = vec4(params.seed_low, params.seed_high, 0u, params.stream);
    let low = threefry(vec4(0u, state.epoch, 0u, 0u), key);
    let high = threefry(vec4(1u, state.epoch, 0u, 0u), key);
    var to = feistel(i, low, high);
    while to >= params.count { // ends: i itself lies on the cycle
        to = feistel(to, low, high);
    }
    order[i] = to;
}
