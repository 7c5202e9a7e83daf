//! The CPU twin of `shaders/shared/rng.wgsl`, written from the paper's description (Salmon et al.,
//! SC 2011) rather than from the shader.

use rand::RngExt;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use vae_gpu::gpu::Shader;

use crate::check;

/// Rotations of words 1 and 3 in each round, over and over.
const ROTATIONS: [[u32; 2]; 8] =
    [[10, 26], [11, 21], [13, 27], [23, 5], [6, 20], [17, 11], [25, 10], [18, 20]];

/// Threefry-4x32 with 20 rounds.
pub fn threefry(counter: [u32; 4], key: [u32; 4]) -> [u32; 4] {
    let parity = key.iter().fold(0x1BD1_1BDA, |parity, word| parity ^ word);
    let schedule = [key[0], key[1], key[2], key[3], parity];
    let inject = |x: &mut [u32; 4], s: usize| {
        for (i, word) in x.iter_mut().enumerate() {
            *word = word.wrapping_add(schedule[(s + i) % 5]);
        }
        x[3] = x[3].wrapping_add(s as u32);
    };
    let mut x = counter;
    inject(&mut x, 0);
    for round in 0..20 {
        let [first, second] = ROTATIONS[round % 8];
        // Odd rounds pair words (0, 3) and (2, 1), even ones (0, 1) and (2, 3).
        let (a, b) = if round % 2 == 0 { (1, 3) } else { (3, 1) };
        x[0] = x[0].wrapping_add(x[a]);
        x[a] = x[a].rotate_left(first) ^ x[0];
        x[2] = x[2].wrapping_add(x[b]);
        x[b] = x[b].rotate_left(second) ^ x[2];
        if round % 4 == 3 {
            inject(&mut x, round / 4 + 1);
        }
    }
    x
}

/// Counter, key and result, from Random123's `tests/kat_vectors`, lines `threefry4x32 20`.
const KNOWN: [[[u32; 4]; 3]; 3] = [
    [[0; 4], [0; 4], [0x9c6c_a96a, 0xe17e_ae66, 0xfc10_ecd4, 0x5256_a7d8]],
    [[!0; 4], [!0; 4], [0x2a88_1696, 0x5701_2287, 0xf6c7_446e, 0xa16a_6732]],
    [
        [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
        [0xa409_3822, 0x299f_31d0, 0x082e_fa98, 0xec4e_6c89],
        [0x59cd_1dbb, 0xb887_9579, 0x86b5_d00c, 0xac8b_6d84],
    ],
];

/// Runs the shared file's `threefry` alone.
const SHADER: Shader = Shader::from_text(
    "threefry_test",
    "
    #import shared/rng

    @group(0) @binding(0) var<uniform> count: u32;
    @group(0) @binding(1) var<storage, read> draws: array<array<vec4<u32>, 2>>;
    @group(0) @binding(2) var<storage, read_write> words: array<vec4<u32>>;

    @compute @workgroup_size(64)
    fn draw(@builtin(global_invocation_id) at: vec3<u32>) {
        if at.x < count {
            words[at.x] = threefry(draws[at.x][0], draws[at.x][1]);
        }
    }",
);

#[test]
fn twin_has_the_known_answers() {
    for [counter, key, want] in KNOWN {
        assert_eq!(threefry(counter, key), want);
    }
}

#[test]
fn shader_has_the_known_answers_and_equals_its_twin() {
    let Some(gpu) = check::gpu() else { return };
    let mut draws: Vec<[[u32; 4]; 2]> = KNOWN.map(|[counter, key, _]| [counter, key]).to_vec();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    draws.extend((0..5000).map(|_| [rng.random(), rng.random()]));

    let count = draws.len();
    let bound = check::input(gpu, &[count, 8], &draws);
    let words = check::Guarded::roomy(gpu, &[count, 4]);
    check::run(gpu, |recording| {
        let kernel = SHADER.kernel("draw", &[]);
        let tensors = [("draws", &bound), ("words", &words.tensor)];
        recording.record_elements(kernel, "test", &count, &tensors, count);
    });
    let words = words.words(gpu);
    let got: Vec<_> = words.chunks_exact(4).collect();
    for (got, [_, _, want]) in got.iter().zip(KNOWN) {
        assert_eq!(**got, want, "a known answer");
    }
    for (got, [counter, key]) in got.iter().zip(draws) {
        assert_eq!(**got, threefry(counter, key), "counter {counter:x?}, key {key:x?}");
    }
}
