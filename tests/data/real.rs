//! Real datasets, where they are at hand.

use super::*;

#[test]
fn real_mnist_is_read() {
    let Some(path) = common::real_data("mnist") else { return };
    let data = Dataset::open(path).unwrap();
    let test = data.test.as_ref().unwrap();
    assert_eq!((data.name.as_str(), data.shape().unwrap()), ("mnist", shape(28, 28, 1)));
    assert_eq!((data.train.len(), test.len()), (60_000, 10_000));
    let (names, digits) = labels(&data.train).unwrap();
    assert_eq!(
        (names.join(""), &digits[..8]),
        ("0123456789".into(), &[5, 0, 4, 1, 9, 2, 1, 3][..])
    );
    let (names, digits) = labels(test).unwrap();
    assert_eq!(
        (names.join(""), &digits[..8]),
        ("0123456789".into(), &[7, 2, 1, 0, 4, 1, 4, 9][..])
    );
    // The well-known mean brightness of MNIST: 0.1307.
    let sum: u64 = train(&data).pixels.iter().map(|&v| u64::from(v)).sum();
    let mean = sum as f64 / train(&data).pixels.len() as f64 / 255.0;
    assert!((mean - 0.1307).abs() < 1e-4, "{mean}");
}

#[test]
fn real_cifar_is_read() {
    let Some(path) = common::real_data("cifar10-jpeg") else { return };
    let data = Dataset::open(path).unwrap();
    let test = data.test.as_ref().unwrap();
    assert_eq!(data.shape().unwrap(), shape(32, 32, 3));
    assert_eq!((data.train.len(), test.len()), (5_000, 1_000));
    for (split, each) in [(&data.train, 500), (test, 100)] {
        let (names, indices) = labels(split).unwrap();
        assert_eq!((names.len(), names[0], names[9]), (10, "airplane", "truck"));
        assert!(indices.is_sorted(), "in the order of the folders");
        for class in 0..10 {
            assert_eq!(indices.iter().filter(|&&index| index == class).count(), each);
        }
    }
    // The known channel means of CIFAR-10: 0.491, 0.482, 0.447.
    for (channel, known) in [0.491, 0.482, 0.447].into_iter().enumerate() {
        let planes = train(&data).pixels.chunks(1024).skip(channel).step_by(3);
        let sum: u64 = planes.flatten().map(|&v| u64::from(v)).sum();
        let mean = sum as f64 / (5_000.0 * 1024.0 * 255.0);
        assert!((mean - known).abs() < 0.02, "channel {channel}: {mean}");
    }
}
