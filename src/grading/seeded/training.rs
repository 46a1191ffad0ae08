//! Outputs of the training module's cells.

use subject::{
    CosineSchedule, EarlyStopping, Pending, Trainer, check_batch, clip_grad_norm, count_correct,
    three_sets,
};
use tinytorch::autograd::Backward;
use tinytorch::layers::Linear;
use tinytorch::losses::{CrossEntropyLoss, MSELoss};
use tinytorch::optimizers::SGD;
use tinytorch::outputs::{Outputs, Seeded};
use tinytorch::random::Rng;
use tinytorch::tensor::Tensor;
use tinytorch::training as subject;

/// The functions, by their tests.
pub const ALL: &[Seeded] = &[
    ("test_unit_three_sets", test_unit_three_sets),
    ("test_unit_cosine_schedule", test_unit_cosine_schedule),
    ("test_unit_clip_grad_norm", test_unit_clip_grad_norm),
    ("test_unit_check_batch", test_unit_check_batch),
    ("test_unit_process_batch", test_unit_process_batch),
    ("test_unit_update", test_unit_update),
    ("test_unit_train_epoch", test_unit_train_epoch),
    ("test_unit_count_correct", test_unit_count_correct),
    ("test_unit_evaluate", test_unit_evaluate),
    ("test_unit_early_stopping", test_unit_early_stopping),
];

fn batch(rng: &mut Rng, count: usize) -> (Tensor, Tensor) {
    (Tensor::randn(&[count, 3], rng), Tensor::randn(&[count, 2], rng))
}

fn trainer(rng: &mut Rng) -> Trainer {
    Trainer::new(Linear::new(3, 2, rng), SGD::new(0.1), MSELoss)
}

fn parameters(out: &mut Outputs, trainer: &Trainer) {
    trainer.model.parameters().iter().for_each(|it| out.array("parameter", it.array()));
}

fn test_unit_three_sets(rng: &mut Rng, out: &mut Outputs) {
    let (count, validation, test) = (20 + rng.below(9), 1 + rng.below(5), 1 + rng.below(5));
    let sets = three_sets(count, validation, test, rng);
    out.counts("sizes", sets.iter().map(Vec::len));
    let mut all = sets.concat();
    all.sort_unstable();
    out.counts("all", all);
}

fn test_unit_cosine_schedule(rng: &mut Rng, out: &mut Outputs) {
    let [max_rate, min_rate] = [rng.uniform() + 1.0, rng.uniform()];
    let schedule = CosineSchedule { max_rate, min_rate, epochs: 2 + rng.below(9) };
    out.numbers("rates", (0..12).map(|epoch| schedule.learning_rate(epoch)));
}

fn test_unit_clip_grad_norm(rng: &mut Rng, out: &mut Outputs) {
    let [a, b] = [(); 2].map(|()| Tensor::randn(&[2, 3], rng).tracked());
    for max_norm in [0.5, 100.0] {
        let mut gradients = (&a * &b + &a).sum().backward();
        out.number("norm", clip_grad_norm(&mut gradients, max_norm));
        let both = [&a, &b].into_iter().filter_map(|leaf| gradients.get(leaf));
        both.for_each(|it| out.array("gradient", it.array()));
    }
}

fn test_unit_check_batch(rng: &mut Rng, out: &mut Outputs) {
    let count = 2 + rng.below(5);
    for (scores, targets) in [(count, count), (count, count + 1), (0, 0)] {
        let (prediction, target) = (Tensor::zeros(&[scores, 3]), Tensor::zeros(&[targets]));
        out.number("is taken", u8::from(check_batch(&prediction, &target).is_ok()));
    }
    out.counts("samples", [count]);
}

fn test_unit_process_batch(rng: &mut Rng, out: &mut Outputs) {
    let (mut trainer, mut pending) = (trainer(rng), Pending::default());
    for count in [2, 3] {
        let (x, y) = batch(rng, count);
        out.numbers("loss", trainer.process_batch(&x, &y, &mut pending));
    }
    out.counts("samples and batches", [pending.samples, pending.batches]);
    let leaves = trainer.model.parameters().into_iter();
    leaves
        .filter_map(|it| pending.gradients.get(it))
        .for_each(|it| out.array("gradient", it.array()));
}

fn test_unit_update(rng: &mut Rng, out: &mut Outputs) {
    let (mut trainer, mut pending) = (trainer(rng), Pending::default());
    for count in [2, 3] {
        let (x, y) = batch(rng, count);
        let taken = trainer.process_batch(&x, &y, &mut pending).is_ok();
        out.number("is taken", u8::from(taken));
    }
    out.numbers("norm", trainer.update(&mut pending));
    parameters(out, &trainer);
}

fn test_unit_train_epoch(rng: &mut Rng, out: &mut Outputs) {
    let mut trainer = trainer(rng);
    let batches = [2, 3, 1].map(|count| batch(rng, count));
    for _ in 0..2 {
        out.numbers("loss", trainer.train_epoch(&batches));
        parameters(out, &trainer);
    }
}

fn test_unit_count_correct(rng: &mut Rng, out: &mut Outputs) {
    let classes: Vec<f32> = (0..8).map(|_| rng.below(3) as f32).collect();
    let scores = Tensor::randn(&[8, 3], rng);
    let correct = count_correct(&scores, &Tensor::new(&classes, &[8]));
    out.counts("correct", [correct.unwrap_or(99)]);
}

fn test_unit_evaluate(rng: &mut Rng, out: &mut Outputs) {
    let mut trainer = Trainer::new(Linear::new(3, 4, rng), SGD::new(0.1), CrossEntropyLoss);
    let batches = [2, 5].map(|count| {
        let classes: Vec<f32> = (0..count).map(|_| rng.below(4) as f32).collect();
        (Tensor::randn(&[count, 3], rng), Tensor::new(&classes, &[count]))
    });
    if let Ok((loss, accuracy)) = trainer.evaluate(&batches) {
        out.number("loss", loss);
        out.numbers("accuracy", accuracy);
    }
}

fn test_unit_early_stopping(rng: &mut Rng, out: &mut Outputs) {
    let patience = 1 + rng.below(4);
    let mut stopping = EarlyStopping { patience, best: f32::INFINITY, waited: 0 };
    for _ in 0..8 {
        out.text("progress", &format!("{:?}", stopping.observe(rng.uniform())));
    }
}
