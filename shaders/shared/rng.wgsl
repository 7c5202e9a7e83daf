// Threefry-4x32-20 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): a pure
// function of counter and key, with additions, rotations and exclusive ors only.

// A key is the two halves of the seed, zero, and the stream: see ops::Stream.

fn rotate(x: vec2<u32>, by: vec2<u32>) -> vec2<u32> {
    return (x << by) | (x >> (32u - by));
}

// Mixes words (0, 1) and (2, 3).
fn mix_straight(x: vec4<u32>, by: vec2<u32>) -> vec4<u32> {
    let sum = x.xz + x.yw;
    let turned = rotate(x.yw, by) ^ sum;
    return vec4(sum.x, turned.x, sum.y, turned.y);
}

// Mixes words (0, 3) and (2, 1).
fn mix_crossed(x: vec4<u32>, by: vec2<u32>) -> vec4<u32> {
    let sum = x.xz + x.wy;
    let turned = rotate(x.wy, by) ^ sum;
    return vec4(sum.x, turned.y, sum.y, turned.x);
}

fn threefry(counter: vec4<u32>, key: vec4<u32>) -> vec4<u32> {
    // The five words of the key schedule, turned by one at each injection.
    var head = key;
    var last = 0x1BD11BDAu ^ key.x ^ key.y ^ key.z ^ key.w;
    var x = counter + head;
    for (var injection = 1u; injection <= 5u; injection++) {
        if (injection & 1u) == 1u {
            x = mix_straight(x, vec2(10u, 26u));
            x = mix_crossed(x, vec2(11u, 21u));
            x = mix_straight(x, vec2(13u, 27u));
            x = mix_crossed(x, vec2(23u, 5u));
        } else {
            x = mix_straight(x, vec2(6u, 20u));
            x = mix_crossed(x, vec2(17u, 11u));
            x = mix_straight(x, vec2(25u, 10u));
            x = mix_crossed(x, vec2(18u, 20u));
        }
        let first = head.x;
        head = vec4(head.yzw, last);
        last = first;
        x += head + vec4(0u, 0u, 0u, injection);
    }
    return x;
}

// Cosine and sine of 2 pi u for u in [0, 1], to six digits on every adapter: the built-in ones have
// three correct digits on some.
fn turn(u: f32) -> vec2<f32> {
    let quarter = round(4.0 * u);
    let t = 6.2831853 * (u - 0.25 * quarter);
    let s = t * t;
    let cosine = 1.0 - s * (1.0 / 2.0 - s * (1.0 / 24.0 - s * (1.0 / 720.0 - s / 40320.0)));
    let sine = t * (1.0 - s * (1.0 / 6.0 - s * (1.0 / 120.0 - s * (1.0 / 5040.0 - s / 362880.0))));
    let turned = select(vec2(cosine, sine), vec2(-sine, cosine), (u32(quarter) & 1u) == 1u);
    return select(turned, -turned, (u32(quarter) & 2u) == 2u);
}

// Four standard normals from four random words (Box and Muller 1958).
fn normals(words: vec4<u32>) -> vec4<f32> {
    // In (0, 1]: half a unit above zero, so that the logarithm is finite. The outer max holds for
    // adapters whose log(1) is not quite zero.
    let u = vec4<f32>(words) * 0x1p-32f + 0x1p-33f;
    let radius = sqrt(max(-2.0 * log(u.xz), vec2(0.0)));
    return vec4(radius.x * turn(u.y), radius.y * turn(u.w));
}
