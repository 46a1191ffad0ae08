//! Outputs of the training module's cells.

use subject::{
    CosineSchedule, EarlyStopping, Pending, Trainer, check_batch, clip_grad_norm, count_correct,
    three_sets,
};
use tinytorch::autograd::Backward;
use tinytorch::layers::{Dropout, Linear};
use tinytorch::losses::{CrossEntropyLoss, IGNORED, MSELoss};
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

/// Scores of four classes, and class numbers of which some do not count.
fn labelled(rng: &mut Rng, count: usize) -> (Tensor, Tensor) {
    let classes: Vec<f32> = (0..count)
        .map(|index| if index % 2 == 1 { IGNORED } else { rng.below(4) as f32 })
        .collect();
    (Tensor::randn(&[count, 3], rng), Tensor::new(&classes, &[count]))
}

/// A batch in which no target counts.
fn uncounted(rng: &mut Rng) -> (Tensor, Tensor) {
    (Tensor::randn(&[2, 3], rng), Tensor::full(&[2], IGNORED))
}

fn classifier(rng: &mut Rng) -> Trainer {
    Trainer::new(Linear::new(3, 4, rng), SGD::new(0.1), CrossEntropyLoss)
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
    out.number("in order", u8::from(sets.concat().is_sorted()));
}

fn test_unit_cosine_schedule(rng: &mut Rng, out: &mut Outputs) {
    let [max_rate, min_rate] = [rng.uniform() + 1.0, rng.uniform()];
    let schedule = CosineSchedule { max_rate, min_rate, epochs: 4 + rng.below(9) };
    out.numbers("rates", (0..18).map(|epoch| schedule.learning_rate(epoch)));
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
    for shape in [&[count, 3][..], &[count, 1], &[3, count]] {
        let fits = check_batch(&Tensor::zeros(&[count, 3]), &Tensor::zeros(shape));
        out.number("is taken", u8::from(fits.is_ok()));
    }
    // Two columns would be broadcast.
    let fits = check_batch(&Tensor::zeros(&[count, 1]), &Tensor::zeros(&[count]));
    out.number("is taken", u8::from(fits.is_ok()));
    for label in [2.0, 3.0, -1.0, 0.5, f32::NAN, IGNORED] {
        let mut labels = vec![0.0; count];
        labels[rng.below(count)] = label;
        let fits = check_batch(&Tensor::zeros(&[count, 3]), &Tensor::new(&labels, &[count]));
        out.number("is taken", u8::from(fits.is_ok()));
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
    pending_gradients(out, &trainer, &pending);
    let (mut trainer, mut pending) = (classifier(rng), Pending::default());
    let wrong = (Tensor::randn(&[2, 3], rng), Tensor::full(&[2], 4.0));
    let endless = (Tensor::full(&[2, 3], f32::INFINITY), Tensor::zeros(&[2]));
    for (x, y) in [labelled(rng, 5), uncounted(rng), wrong, endless] {
        let loss = trainer.process_batch(&x, &y, &mut pending);
        out.number("is taken", u8::from(loss.is_ok()));
        out.numbers("loss", loss);
        out.counts("samples and batches", [pending.samples, pending.batches]);
    }
    pending_gradients(out, &trainer, &pending);
}

fn pending_gradients(out: &mut Outputs, trainer: &Trainer, pending: &Pending) {
    let leaves = trainer.model.parameters().into_iter();
    leaves
        .filter_map(|it| pending.gradients.get(it))
        .for_each(|it| out.array("gradient", it.array()));
}

fn test_unit_update(rng: &mut Rng, out: &mut Outputs) {
    for max_norm in [f32::INFINITY, 0.1] {
        let (mut trainer, mut pending) = (trainer(rng).with_clipping(max_norm), Pending::default());
        for count in [2, 3] {
            let (x, y) = batch(rng, count);
            let taken = trainer.process_batch(&x, &y, &mut pending).is_ok();
            out.number("is taken", u8::from(taken));
        }
        out.numbers("norm", trainer.update(&mut pending));
        parameters(out, &trainer);
        out.counts("left", [pending.samples, pending.batches, pending.gradients.len()]);
    }
    let (mut trainer, mut pending) = (trainer(rng), Pending::default());
    let (x, y) = batch(rng, 2);
    let taken = trainer.process_batch(&x, &y, &mut pending).is_ok();
    pending.gradients.scale(f32::INFINITY);
    out.numbers("is taken", [taken, trainer.update(&mut pending).is_ok()].map(u8::from));
}

fn test_unit_train_epoch(rng: &mut Rng, out: &mut Outputs) {
    let mut trainer = trainer(rng);
    let batches = [2, 3, 1].map(|count| batch(rng, count));
    for _ in 0..2 {
        out.numbers("loss", trainer.train_epoch(&batches));
        parameters(out, &trainer);
    }
    let schedule = CosineSchedule { max_rate: 0.5, min_rate: 0.0, epochs: 3 };
    let mut trainer = classifier(rng).with_accumulation(2).with_schedule(schedule);
    let batches = [labelled(rng, 5), labelled(rng, 2), labelled(rng, 3)];
    trainer.set_training(false);
    for _ in 0..2 {
        out.numbers("loss", trainer.train_epoch(&batches));
        parameters(out, &trainer);
        out.number("trains", u8::from(trainer.is_training()));
        out.counts("steps", [trainer.step]);
    }
}

fn test_unit_count_correct(rng: &mut Rng, out: &mut Outputs) {
    let classes: Vec<f32> = (0..8).map(|_| rng.below(3) as f32).collect();
    let scores = Tensor::randn(&[8, 3], rng);
    let correct = count_correct(&scores, &Tensor::new(&classes, &[8]));
    out.counts("correct", [correct.unwrap_or(99)]);
    let answers: Vec<f32> = (0..8).map(|_| rng.below(2) as f32).collect();
    let [chances, prices] = [(); 2].map(|()| Tensor::rand(&[8, 1], rng));
    for target in [Tensor::new(&answers, &[8, 1]), prices] {
        let correct = count_correct(&chances, &target);
        out.counts("correct", [correct.unwrap_or(99)]);
    }
}

fn test_unit_evaluate(rng: &mut Rng, out: &mut Outputs) {
    let mut trainer = classifier(rng);
    let batches = [labelled(rng, 2), labelled(rng, 5), uncounted(rng)];
    for training in [true, false] {
        trainer.set_training(training);
        evaluation(out, &mut trainer, &batches);
    }
    // Evaluation switches dropout off, and back on after an error too.
    let Ok(dropout) = Dropout::new(0.9, rng.fork()) else { return };
    let mut trainer = Trainer::new(dropout, SGD::new(0.1), MSELoss);
    let (x, y) = (Tensor::randn(&[4, 3], rng), Tensor::randn(&[4, 3], rng));
    evaluation(out, &mut trainer, &[(x.clone(), y)]);
    evaluation(out, &mut trainer, &[(x, Tensor::zeros(&[2]))]);
}

fn evaluation(out: &mut Outputs, trainer: &mut Trainer, batches: &[(Tensor, Tensor)]) {
    let result = trainer.evaluate(batches);
    out.number("is taken", u8::from(result.is_ok()));
    if let Ok((loss, accuracy)) = result {
        out.number("loss", loss);
        out.numbers("accuracy", accuracy);
    }
    out.number("trains", u8::from(trainer.is_training()));
}

fn test_unit_early_stopping(rng: &mut Rng, out: &mut Outputs) {
    for patience in 1..5 {
        let mut stopping = EarlyStopping { patience, best: f32::INFINITY, waited: 0 };
        // Of few values: some losses are equal.
        for _ in 0..8 {
            out.text("progress", &format!("{:?}", stopping.observe(rng.below(4) as f32)));
        }
    }
}
