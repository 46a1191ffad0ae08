//! Outputs of the dataloader module's cells.

use subject::{Batch, TensorDataset, collate, pad_image, parse_idx};
use tinytorch::dataloader as subject;
use tinytorch::outputs::{Outputs, Seeded};
use tinytorch::random::Rng;
use tinytorch::tensor::Tensor;

/// The functions, by their tests.
pub const ALL: &[Seeded] = &[
    ("test_unit_dataset_new", test_unit_dataset_new),
    ("test_unit_dataset_sample", test_unit_dataset_sample),
    ("test_unit_collate", test_unit_collate),
    ("test_unit_dataset_gather", test_unit_dataset_gather),
    ("test_unit_pad_image", test_unit_pad_image),
    ("test_unit_parse_idx", test_unit_parse_idx),
];

fn tensors(rng: &mut Rng, count: usize) -> (Tensor, Tensor) {
    (Tensor::randn(&[count, 2, 3], rng), Tensor::randn(&[count], rng))
}

fn pair(out: &mut Outputs, (inputs, targets): &Batch) {
    out.array("inputs", inputs.array());
    out.array("targets", targets.array());
}

fn test_unit_dataset_new(rng: &mut Rng, out: &mut Outputs) {
    let count = 2 + rng.below(4);
    for more in [0, 1] {
        let (inputs, targets) = (tensors(rng, count).0, tensors(rng, count + more).1);
        let dataset = TensorDataset::new(inputs, targets);
        out.number("is taken", u8::from(dataset.is_ok()));
        let all: Vec<usize> = (0..count).collect();
        let whole = dataset.and_then(|dataset| dataset.gather(&all));
        whole.iter().for_each(|batch| pair(out, batch));
    }
    for (inputs, targets) in [(&[2, 3][..], &[4][..]), (&[], &[]), (&[3], &[]), (&[], &[3])] {
        let dataset = TensorDataset::new(Tensor::zeros(inputs), Tensor::zeros(targets));
        out.number("is taken", u8::from(dataset.is_ok()));
    }
}

fn test_unit_dataset_sample(rng: &mut Rng, out: &mut Outputs) {
    let (inputs, targets) = tensors(rng, 5);
    let Ok(dataset) = TensorDataset::new(inputs, targets) else { return };
    for index in [rng.below(5), 4, 5] {
        let sample = dataset.sample(index);
        sample.iter().for_each(|sample| pair(out, sample));
        let kind = sample.err().map(|error| error.kind);
        out.text("refused", &format!("{kind:?}"));
    }
}

fn test_unit_collate(rng: &mut Rng, out: &mut Outputs) {
    let mut samples: Vec<_> =
        (0..3).map(|_| (Tensor::randn(&[2, 3], rng), Tensor::scalar(rng.normal()))).collect();
    collate(&samples).iter().for_each(|batch| pair(out, batch));
    samples.push((Tensor::randn(&[3, 2], rng), Tensor::scalar(0.0)));
    out.number("other shapes", u8::from(collate(&samples).is_ok()));
    samples.pop();
    samples.push((Tensor::randn(&[2, 3], rng), Tensor::zeros(&[1])));
    for samples in [&samples[..], &[]] {
        let batch = collate(samples);
        out.number("is taken", u8::from(batch.is_ok()));
    }
}

fn test_unit_dataset_gather(rng: &mut Rng, out: &mut Outputs) {
    let (inputs, targets) = tensors(rng, 6);
    let Ok(dataset) = TensorDataset::new(inputs, targets) else { return };
    let indices: Vec<usize> = (0..5).map(|_| rng.below(6)).collect();
    dataset.gather(&indices).iter().for_each(|batch| pair(out, batch));
    for indices in [&[6, 0, 1][..], &[0, 6, 1], &[0, 1, 6], &[]] {
        let batch = dataset.gather(indices);
        out.number("is taken", u8::from(batch.is_ok()));
    }
}

fn test_unit_pad_image(rng: &mut Rng, out: &mut Outputs) {
    let image = Tensor::randn(&[2, 3, 4], rng);
    for padding in [0, 1 + rng.below(3)] {
        pad_image(&image, padding).iter().for_each(|it| out.array("padded", it.array()));
    }
    for shape in [&[3, 4][..], &[4], &[], &[1, 2, 3, 4]] {
        let padded = pad_image(&Tensor::randn(shape, rng), 1);
        out.number("is taken", u8::from(padded.is_ok()));
        padded.iter().for_each(|it| out.array("padded", it.array()));
    }
}

fn test_unit_parse_idx(rng: &mut Rng, out: &mut Outputs) {
    let [rows, columns] = [(); 2].map(|()| 1 + rng.below(4) as u8);
    let mut bytes = vec![0, 0, 8, 2, 0, 0, 0, rows, 0, 0, 0, columns];
    bytes.extend((0..rows * columns).map(|_| rng.below(256) as u8));
    parsed(out, &bytes);
    // One byte of the magic number is wrong.
    for index in 0..3 {
        let mut wrong = bytes.clone();
        wrong[index] += 1;
        parsed(out, &wrong);
    }
    // Sizes whose product does not fit, and a file that is cut off anywhere, or too long.
    let huge = [0, 0, 8, 3, 0x80, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 4];
    parsed(out, &huge);
    for length in [0, 3, 4, 11, 12, bytes.len() - 1] {
        parsed(out, &bytes[..length]);
    }
    parsed(out, &[&bytes[..], &[7]].concat());
}

fn parsed(out: &mut Outputs, bytes: &[u8]) {
    let parsed = parse_idx("a.idx", bytes);
    out.number("is taken", u8::from(parsed.is_ok()));
    if let Ok(idx) = parsed {
        out.counts("shape", idx.shape);
        out.numbers("values", idx.values);
    }
}
