//! Checkpoints that were changed or belong elsewhere, and the whole way from digits to a model that reads digits. The
//! bytes of a file are tested in `bytes.rs`.
#![expect(clippy::unwrap_used, reason = "a panic is the verdict of a test")]

use proptest::prelude::*;
use tinytorch::activations::ReLU;
use tinytorch::bytes::Fault;
use tinytorch::dataloader::{DataLoader, DigitShape, Prefetcher, digits};
use tinytorch::layers::{Linear, Sequential};
use tinytorch::losses::CrossEntropyLoss;
use tinytorch::optimizers::Adam;
use tinytorch::random::Rng;
use tinytorch::spatial::{BatchNorm2d, cnn_for_digits};
use tinytorch::tensor::Tensor;
use tinytorch::training::{CHECKPOINT, Checkpoint, CosineSchedule, ErrorKind, Trainer, two_moons};

fn trainer(seed: u64) -> Trainer {
    let model = Linear::new(2, 2, &mut Rng::seeded(seed));
    Trainer::new(model, Adam::new(0.1), CrossEntropyLoss)
}

/// A checkpoint with something in every part.
fn checkpoint() -> Checkpoint {
    let batch = two_moons(8, &mut Rng::seeded(1));
    let mut trainer = trainer(1);
    trainer.fit(3, |_| [&batch], std::slice::from_ref(&batch), None).unwrap();
    trainer.checkpoint()
}

#[test]
fn a_checkpoint_reads_back_to_the_last_bit() {
    let saved = checkpoint();
    let bytes = saved.to_bytes();
    let read = Checkpoint::from_bytes("f", &bytes).unwrap();
    assert_eq!(read.to_bytes(), bytes);
    assert_eq!((read.epoch, read.step, &read.history), (3, 3, &saved.history));
}

#[test]
fn a_file_that_is_no_checkpoint_is_refused_by_name_with_its_fault() {
    let mut bytes = checkpoint().to_bytes();
    bytes.pop();
    let error = Checkpoint::from_bytes("run.ckpt", &bytes).err().unwrap();
    assert_eq!(error.kind, ErrorKind::Unreadable(Fault::Truncated));
    assert!(error.message.contains("'run.ckpt' was truncated"), "{error}");
    let error = Checkpoint::from_bytes("run.zip", b"PK\x03\x04").err().unwrap();
    assert_eq!(error.kind, ErrorKind::Unreadable(Fault::Foreign));
    assert!(error.message.contains("'run.zip' is not a checkpoint"), "{error}");
}

#[test]
fn a_failed_save_leaves_the_last_checkpoint_as_it_was() {
    let folder = std::env::temp_dir().join(format!("tinytorch-save-{}", std::process::id()));
    let file = folder.join("model.ckpt");
    let mut trainer = trainer(1);
    trainer.save_checkpoint(&file).unwrap();
    let before = std::fs::read(&file).unwrap();
    let error = trainer.save_checkpoint(&file.join("below-a-file")).unwrap_err();
    assert_eq!(error.kind, ErrorKind::File);
    assert!(error.message.contains("below-a-file"), "{error}");
    assert_eq!(std::fs::read(&file).unwrap(), before);
    trainer.load_checkpoint(&file).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let error = trainer.load_checkpoint(&file).unwrap_err();
    assert_eq!(error.kind, ErrorKind::File, "a file that was removed");
    assert!(error.message.contains("model.ckpt"), "{error}");
}

#[test]
fn a_batch_that_cannot_be_loaded_ends_the_epoch_with_the_error_of_its_source() {
    let mut trainer = trainer(1);
    let batches = [Ok(two_moons(8, &mut Rng::seeded(1))), Err(std::io::Error::other("disk gone"))];
    let error = trainer.train_epoch(batches).unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Data, "disk gone"));
    assert_eq!(trainer.epoch, 0);
}

#[test]
fn a_restored_batch_norm_judges_as_the_saved_one() {
    let model = |seed| {
        let mut rng = Rng::seeded(seed);
        let mut model = cnn_for_digits(&mut rng);
        model.layers_mut().insert(1, Box::new(BatchNorm2d::new(8)));
        Trainer::new(model, Adam::new(0.01), CrossEntropyLoss)
    };
    let split = digits(DigitShape::Image).unwrap();
    let train = DataLoader::new(split.train, 64).unwrap();
    let test = DataLoader::new(split.test, 360).unwrap();
    let mut trained = model(1);
    trained.train_epoch(train.epoch(0).take(5)).unwrap();
    let mut restored = model(2);
    restored.restore(trained.checkpoint()).unwrap();
    assert_eq!(restored.evaluate(test.epoch(0)).unwrap(), trained.evaluate(test.epoch(0)).unwrap());
}

/// Trains as the lesson does and returns the share of held-out digits recognised.
fn digits_accuracy(seed: u64) -> f32 {
    let split = digits(DigitShape::Flat).unwrap();
    let train = DataLoader::new(split.train, 32).unwrap().shuffled(seed);
    let test = DataLoader::new(split.test, 360).unwrap();
    let mut rng = Rng::seeded(seed);
    let model = Sequential::new(vec![
        Box::new(Linear::new(64, 32, &mut rng)),
        Box::new(ReLU),
        Box::new(Linear::new(32, 10, &mut rng)),
    ]);
    let schedule = CosineSchedule { max_rate: 0.01, min_rate: 0.0005, epochs: 20 };
    let mut trainer =
        Trainer::new(model, Adam::new(0.01), CrossEntropyLoss).with_schedule(schedule);
    trainer.fit(20, |epoch| Prefetcher::new(train.epoch(epoch), 2), &[], None).unwrap();
    trainer.evaluate(test.epoch(0)).unwrap().1.unwrap()
}

#[test]
fn a_small_network_reads_digits_it_has_never_seen() {
    let mut accuracies: Vec<f32> = (1..=5).map(digits_accuracy).collect();
    accuracies.sort_by(f32::total_cmp);
    assert!(accuracies[2] >= 0.95, "the median of five seeds: {accuracies:?}");
}

proptest! {
    #[test]
    fn a_changed_payload_is_refused_or_restored_but_never_panics(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let bytes = checkpoint().to_bytes();
        let mut payload = CHECKPOINT.open("f", &bytes).unwrap().to_vec();
        for (place, value) in changes {
            let place = place.index(payload.len());
            payload[place] = value;
        }
        if let Ok(changed) = Checkpoint::from_bytes("f", &CHECKPOINT.seal(&payload)) {
            let mut trainer = trainer(2);
            if trainer.restore(changed).is_ok() {
                let _ = trainer.train_epoch([two_moons(8, &mut Rng::seeded(2))]);
            }
        }
    }
}

#[test]
fn the_parts_of_a_trainer_can_be_chosen_at_run_time() {
    use tinytorch::layers::Layer;
    use tinytorch::losses::{Loss, MSELoss};
    use tinytorch::optimizers::{Optimizer, SGD};
    for is_adam in [true, false] {
        let optimizer: Box<dyn Optimizer> =
            if is_adam { Box::new(Adam::new(0.1)) } else { Box::new(SGD::new(0.1)) };
        let model: Box<dyn Layer> = Box::new(Linear::new(1, 1, &mut Rng::seeded(0)));
        let loss: Box<dyn Loss> = Box::new(MSELoss);
        let mut trainer = Trainer::from_boxes(model, optimizer, loss);
        let batch = (Tensor::ones(&[4, 1]), Tensor::full(&[4, 1], 3.0));
        let first = trainer.train_epoch([&batch]).unwrap();
        assert!(trainer.train_epoch([&batch]).unwrap() < first, "it learns");
    }
}
