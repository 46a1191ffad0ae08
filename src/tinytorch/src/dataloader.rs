// ---
// jupyter:
//   jupytext:
//     text_representation:
//       extension: .rs
//       format_name: percent
//       format_version: '1.3'
//   kernelspec:
//     display_name: Rust
//     language: rust
//     name: rust
// ---

// %% nbgrader={"grade": false, "grade_id": "dataloader-header", "locked": true, "schema_version": 3, "solution": false, "task": false}
//! Module 08, DataLoader: from files to shuffled batches.
//!
//! Input: arrays in memory, the embedded digits, MNIST IDX files, CIFAR-10 binary files. Output:
//! batches `(inputs (B, ...), targets (B, ...))` as tensors, with class numbers as `f32`. Data from
//! outside is validated; what is wrong is reported as a [`DataError`] that says what, where and how
//! to fix it. Not here: the loop that trains on the batches (module 07).

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use tinytorch::ndarray::{ArrayD, Axis, IxDyn, Slice};
use tinytorch::random::Rng;
use tinytorch::report::{Axis as ChartAxis, Chart, ChartKind, Column, Origin, Reporter};
use tinytorch::report::{Series, Table, Value};
use tinytorch::tensor::Tensor;
use tinytorch::testing::{Ratio, compare, time};

// %% [markdown] nbgrader={"grade": false, "grade_id": "dataloader-intro", "locked": true, "schema_version": 3, "solution": false, "task": false}
// # 🎯 DataLoader
//
// A data loader turns files into batches. You write its parts from the bottom up: a dataset, collation,
// shuffling, the epoch iterator, augmentation, readers for three file formats, and a thread that
// prefetches. What the outside world gets wrong, your code reports as an error; it does not panic.

// %% nbgrader={"grade": false, "grade_id": "dataloader-errors", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// What is wrong with the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// Tensors that do not pair up, that cannot share a batch, or that are not images.
    Shape,
    /// There is no sample with this index.
    Index,
    /// An unusable batch size, probability, crop size or dataset.
    Setting,
    /// The file could not be opened or unpacked.
    Unreadable,
    /// The file has another format.
    WrongMagic,
    /// The file has fewer or more bytes than its format requires.
    WrongSize,
    /// A class number that does not exist.
    Label,
}

/// An error in data. `DataError::new(kind, message)` makes one; for a file of the wrong length there
/// is `DataError::wrong_size(file, expected, found)`.
#[derive(Debug, Clone)]
pub struct DataError {
    /// What is wrong, for programs.
    pub kind: Problem,
    /// What is wrong, where, and how to fix it, for people.
    pub message: String,
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "dataloader-dataset", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## A dataset
//
// A dataset answers two questions: how many samples are there, and what is sample `i`?

// %% nbgrader={"grade": false, "grade_id": "dataloader-dataset-types", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// One input and its target.
pub type Sample = (Tensor, Tensor);

/// A minibatch: inputs and their targets, stacked along a new first axis.
pub type Batch = (Tensor, Tensor);

/// An indexed collection of samples: PyTorch's map-style dataset. Threads may share it.
pub trait Dataset: Send + Sync {
    /// How many samples there are.
    fn len(&self) -> usize;

    /// Sample `index`, or [`Problem::Index`].
    fn get(&self, index: usize) -> Result<Sample, DataError>;

    /// Whether there are no samples.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Several samples as one batch. A dataset that keeps its samples in one block of memory can
    /// do this faster than sample by sample.
    fn get_batch(&self, indices: &[usize]) -> Result<Batch, DataError> {
        let samples: Result<Vec<Sample>, DataError> =
            indices.iter().map(|&i| self.get(i)).collect();
        collate(&samples?)
    }
}

/// A dataset in memory: row `i` of the inputs belongs to row `i` of the targets.
#[derive(Debug, Clone)]
pub struct TensorDataset {
    inputs: Tensor,
    targets: Tensor,
}

// %% nbgrader={"grade": false, "grade_id": "dataset-new", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl TensorDataset {
    /// Pairs inputs `(N, ...)` with targets `(N, ...)`.
    ///
    /// TODO: refuse tensors that do not pair up, otherwise build the dataset.
    ///
    /// APPROACH:
    /// 1. The first entry of a shape is the number of samples. A scalar, shape `[]`, has none.
    /// 2. If an entry is missing, or the two differ, return an error of kind [`Problem::Shape`]
    ///    whose message shows both shapes.
    ///
    /// EXAMPLE: inputs `(3, 2)` with targets `(3)` are three samples; with targets `(4)` an error.
    ///
    /// HINTS: `first` of a slice returns an `Option`, and two `Option`s can be compared. `{:?}`
    /// formats a shape.
    pub fn new(inputs: Tensor, targets: Tensor) -> Result<Self, DataError> {
        // BEGIN SOLUTION
        let (rows, answers) = (inputs.shape().first(), targets.shape().first());
        if rows.is_none() || rows != answers {
            let (x, y) = (inputs.shape(), targets.shape());
            let message = format!(
                "inputs {x:?} and targets {y:?} do not pair up: each input needs one target, so the \
                 first dimensions must be equal"
            );
            return Err(DataError::new(Problem::Shape, message));
        }
        Ok(Self { inputs, targets })
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-dataset-new", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Inputs and targets must pair up.
#[test]
fn test_unit_dataset_new() {
    let dataset = TensorDataset::new(Tensor::zeros(&[3, 2]), Tensor::zeros(&[3])).unwrap();
    assert_eq!(dataset.inputs().shape(), [3, 2]);
    assert_eq!(dataset.targets().shape(), [3]);

    let error = TensorDataset::new(Tensor::zeros(&[3, 2]), Tensor::zeros(&[4])).unwrap_err();
    assert_eq!(error.kind, Problem::Shape);
    assert!(error.message.contains("[3, 2]") && error.message.contains("[4]"), "{error}");
    assert!(TensorDataset::new(Tensor::scalar(1.0), Tensor::scalar(1.0)).is_err(), "no samples");
    assert!(TensorDataset::new(Tensor::zeros(&[1]), Tensor::scalar(1.0)).is_err());
}

// %% nbgrader={"grade": false, "grade_id": "dataset-sample", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl TensorDataset {
    /// Sample `index`: row `index` of the inputs and of the targets, without the first axis.
    ///
    /// TODO: check the index, then select the two rows.
    ///
    /// APPROACH:
    /// 1. An index that is not below the number of samples is an error of kind [`Problem::Index`].
    /// 2. Otherwise select the row from both tensors.
    ///
    /// EXAMPLE: of inputs `[[1, 2], [3, 4]]`, sample 1 has the input `[3, 4]`, shape `(2)`.
    ///
    /// HINTS: `Tensor::select` removes an axis. It panics on a bad index; your caller gets an error
    /// instead, which it can handle.
    pub fn sample(&self, index: usize) -> Result<Sample, DataError> {
        // BEGIN SOLUTION
        let len = self.inputs.shape()[0];
        if index >= len {
            let message = format!(
                "there is no sample {index}: the dataset has {len} samples, counted from 0"
            );
            return Err(DataError::new(Problem::Index, message));
        }
        Ok((self.inputs.select(0, index), self.targets.select(0, index)))
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-dataset-sample", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 One row of each tensor, and an error beyond the last.
#[test]
fn test_unit_dataset_sample() {
    let inputs = Tensor::new(&[1.0, 2.0, 3.0, 4.0], &[2, 2]);
    let dataset = TensorDataset::new(inputs, Tensor::new(&[7.0, 9.0], &[2])).unwrap();
    let (input, target) = dataset.sample(1).unwrap();
    assert_eq!((input.shape(), input.to_vec()), (&[2][..], vec![3.0, 4.0]));
    assert_eq!((target.ndim(), target.item()), (0, 9.0));
    assert_eq!(dataset.sample(2).unwrap_err().kind, Problem::Index);
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "dataloader-batches", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## From samples to batches

// %% nbgrader={"grade": false, "grade_id": "collate", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Collates samples into a batch: stacks inputs of shape `(...)` into `(B, ...)`, targets likewise.
///
/// TODO: check that all shapes agree, then copy the values into one block per field.
///
/// APPROACH:
/// 1. Write one helper that stacks a list of tensors; use it for inputs and for targets.
/// 2. Without a first sample the shape is unknown: an error of kind [`Problem::Shape`].
/// 3. Compare each shape with the first one. If they differ, return [`Problem::Shape`] too; the
///    message gives the position in the batch and both shapes.
/// 4. Append all values to one `Vec`. The shape of the batch is `B`, then the shape of one sample.
///
/// EXAMPLE: inputs `[1, 2]` and `[3, 4]` with targets `0` and `1` give `[[1, 2], [3, 4]]` and `[0,
/// 1]`.
///
/// HINTS: an inner function keeps the two fields alike. Compare shapes, not counts: `(2, 3)` and
/// `(3, 2)` hold the same number of values.
pub fn collate(samples: &[Sample]) -> Result<Batch, DataError> {
    // BEGIN SOLUTION
    fn stack(items: &[&Tensor]) -> Result<Tensor, DataError> {
        let Some(shape) = items.first().map(|item| item.shape()) else {
            let message = "cannot collate an empty list: a batch needs at least one sample";
            return Err(DataError::new(Problem::Shape, message));
        };
        if let Some(position) = items.iter().position(|item| item.shape() != shape) {
            let found = items[position].shape();
            let message = format!(
                "sample {position} of the batch has shape {found:?}, the first has {shape:?}: crop \
                 or pad all samples to the same shape"
            );
            return Err(DataError::new(Problem::Shape, message));
        }
        let values: Vec<f32> = items.iter().flat_map(|item| item.to_vec()).collect();
        Ok(Tensor::new(&values, &[&[items.len()], shape].concat()))
    }
    let inputs: Vec<&Tensor> = samples.iter().map(|(input, _)| input).collect();
    let targets: Vec<&Tensor> = samples.iter().map(|(_, target)| target).collect();
    Ok((stack(&inputs)?, stack(&targets)?))
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-collate", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Samples of one shape are stacked; a sample of another shape is named.
#[test]
fn test_unit_collate() {
    let sample = |a: f32, b: f32, class: f32| (Tensor::new(&[a, b], &[2]), Tensor::scalar(class));
    let (inputs, targets) = collate(&[sample(1.0, 2.0, 0.0), sample(3.0, 4.0, 1.0)]).unwrap();
    assert_eq!((inputs.shape(), inputs.to_vec()), (&[2, 2][..], vec![1.0, 2.0, 3.0, 4.0]));
    assert_eq!((targets.shape(), targets.to_vec()), (&[2][..], vec![0.0, 1.0]));

    let odd = (Tensor::zeros(&[3]), Tensor::scalar(0.0));
    let error = collate(&[sample(1.0, 2.0, 0.0), odd]).unwrap_err();
    assert_eq!(error.kind, Problem::Shape);
    assert!(error.message.contains('1') && error.message.contains('3'), "{error}");
    let pair_target = (Tensor::zeros(&[2]), Tensor::zeros(&[2]));
    let error = collate(&[sample(1.0, 2.0, 0.0), pair_target]).err().map(|error| error.kind);
    assert_eq!(error, Some(Problem::Shape), "targets [] and [2]: their shapes must agree too");
    let error = collate(&[]).err().map(|error| error.kind);
    assert_eq!(error, Some(Problem::Shape), "a batch of no samples has no shape");
    let row = (Tensor::zeros(&[1, 2]), Tensor::scalar(0.0));
    let collated = collate(&[sample(1.0, 2.0, 0.0), row]);
    assert!(
        collated.is_err(),
        "[1, 2] and [2] hold equally many numbers, but are different shapes"
    );
}

// %% nbgrader={"grade": false, "grade_id": "dataset-gather", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl TensorDataset {
    /// The rows `indices` as one batch, in that order: the result of [`collate`], in one copy.
    ///
    /// TODO: check every index, then copy the rows of both tensors.
    ///
    /// APPROACH:
    /// 1. An index that is too large is the error that [`TensorDataset::sample`] returns for it.
    /// 2. Let ndarray select the rows of each tensor's array along axis 0, and wrap them as
    ///    tensors.
    ///
    /// EXAMPLE: rows `[2, 0]` of `[[1], [2], [3]]` are `[[3], [1]]`.
    ///
    /// HINTS: if the largest index is valid, all are. `Tensor::array` gives the array,
    /// `Tensor::from_array` makes a tensor of one.
    pub fn gather(&self, indices: &[usize]) -> Result<Batch, DataError> {
        // BEGIN SOLUTION
        if let Some(&largest) = indices.iter().max() {
            self.sample(largest)?;
        }
        let rows = |tensor: &Tensor| Tensor::from_array(tensor.array().select(Axis(0), indices));
        Ok((rows(&self.inputs), rows(&self.targets)))
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-dataset-gather", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Gathering gives what collating gives.
#[test]
fn test_unit_dataset_gather() {
    let mut rng = Rng::seeded(8);
    let inputs = Tensor::randn(&[5, 2, 3], &mut rng);
    let dataset = TensorDataset::new(inputs, Tensor::randn(&[5], &mut rng)).unwrap();
    let (inputs, targets) = dataset.gather(&[4, 0, 4]).unwrap();
    let samples: Vec<Sample> = [4, 0, 4].iter().map(|&i| dataset.sample(i).unwrap()).collect();
    let (slow_inputs, slow_targets) = collate(&samples).unwrap();
    assert_eq!((inputs.shape(), inputs.to_vec()), (&[3, 2, 3][..], slow_inputs.to_vec()));
    assert_eq!((targets.shape(), targets.to_vec()), (&[3][..], slow_targets.to_vec()));
    for indices in [[5, 1, 0], [1, 5, 0], [0, 1, 5]] {
        let error = dataset.gather(&indices).unwrap_err();
        assert_eq!(error.kind, Problem::Index, "{indices:?}: every index must be checked");
    }
}

// %% nbgrader={"grade": false, "grade_id": "epoch-order", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The random number generator of one epoch: it depends only on the seed and the epoch's number.
///
/// TODO: derive an independent generator for each pair of seed and epoch.
///
/// APPROACH:
/// 1. Start with a generator that is seeded with `seed`.
/// 2. Replace it by its own fork, once for epoch 0, twice for epoch 1, and so on.
///
/// EXAMPLE: `epoch_rng(1, 5)` yields the same numbers today, tomorrow and after a restart.
///
/// HINTS: combining the numbers by arithmetic is shorter, and wrong. With `seed + epoch`, seed 1
/// shuffles epoch 1 as seed 2 shuffles epoch 0.
pub fn epoch_rng(seed: u64, epoch: usize) -> Rng {
    // BEGIN SOLUTION
    (0..=epoch).fold(Rng::seeded(seed), |mut rng, _| rng.fork())
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-epoch-order", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 The same seed and epoch give the same order; another seed or epoch gives another order.
#[test]
fn test_unit_epoch_order() {
    let order = |seed, epoch| {
        let mut order: Vec<usize> = (0..100).collect();
        epoch_rng(seed, epoch).shuffle(&mut order);
        order
    };
    assert_eq!(order(1, 3), order(1, 3));
    assert_ne!(order(1, 3), order(1, 4));
    assert_ne!(order(1, 3), order(2, 3));
    // Every sum, product, exclusive or of small numbers is a small number: would it seed the epoch,
    // the order would be one of these.
    let of_plain_seed = |seed| {
        let mut order: Vec<usize> = (0..100).collect();
        Rng::seeded(seed).shuffle(&mut order);
        order
    };
    let plain: std::collections::HashSet<Vec<usize>> = (0..2000).map(of_plain_seed).collect();
    for (seed, epoch) in [(1, 0), (2, 1), (1, 3), (3, 4), (7, 12)] {
        assert!(
            !plain.contains(&order(seed, epoch)),
            "seed {seed}, epoch {epoch} has the order of `Rng::seeded` of a small number: when seed and \
             epoch are combined by arithmetic, other seeds repeat this order in other epochs"
        );
    }
}

// %% nbgrader={"grade": false, "grade_id": "dataloader-types", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Makes batches from a dataset. It holds settings only: each epoch is an iterator of its own, so an
/// epoch can be repeated, or moved to another thread.
#[derive(Clone)]
pub struct DataLoader {
    dataset: Arc<dyn Dataset>,
    batch_size: usize,
    /// The seed for shuffling, if any.
    shuffle: Option<u64>,
    /// The augmentation and its seed, if any.
    augment: Option<(Arc<dyn Transform>, u64)>,
}

/// The batches of one epoch.
pub struct Epoch {
    dataset: Arc<dyn Dataset>,
    /// All indices of the dataset, in the order of this epoch: what PyTorch calls a sampler.
    order: Vec<usize>,
    batch_size: usize,
    /// Where in `order` the next batch begins.
    position: usize,
    augment: Option<(Arc<dyn Transform>, Rng)>,
}

/// A random change to an input that keeps its label true: data augmentation.
pub trait Transform: Send + Sync {
    /// A changed copy of `image`, shape `(H, W)` or `(C, H, W)`.
    fn apply(&self, image: &Tensor, rng: &mut Rng) -> Result<Tensor, DataError>;
}

// %% nbgrader={"grade": false, "grade_id": "loader-new", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl DataLoader {
    /// A loader without shuffling: batches of `batch_size`; the last one may be smaller.
    ///
    /// TODO: refuse batch size 0 and an empty dataset, otherwise build the loader.
    ///
    /// APPROACH:
    /// 1. Both are errors of kind [`Problem::Setting`]; the messages say `batch size` and `dataset
    ///    is empty`.
    /// 2. Put the dataset into an `Arc`; no shuffling, no augmentation.
    ///
    /// EXAMPLE: 10 samples in batches of 4 are batches of 4, 4 and 2.
    ///
    /// HINTS: with batch size 0 an epoch would yield empty batches forever. Report it here, where
    /// the mistake is made.
    pub fn new(dataset: impl Dataset + 'static, batch_size: usize) -> Result<Self, DataError> {
        // BEGIN SOLUTION
        if batch_size == 0 {
            return Err(DataError::new(Problem::Setting, "the batch size is 0: choose 1 or more"));
        }
        if dataset.is_empty() {
            let message = "the dataset is empty: give the loader at least one sample";
            return Err(DataError::new(Problem::Setting, message));
        }
        Ok(Self { dataset: Arc::new(dataset), batch_size, shuffle: None, augment: None })
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-loader-new", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 A loader that could never yield a batch is refused when it is made.
#[test]
fn test_unit_loader_new() {
    let dataset =
        |n: usize| TensorDataset::new(Tensor::zeros(&[n, 2]), Tensor::zeros(&[n])).unwrap();
    assert!(DataLoader::new(dataset(3), 2).is_ok());
    let message = |n, batch_size| DataLoader::new(dataset(n), batch_size).err().unwrap().message;
    assert!(message(3, 0).contains("batch size"), "{}", message(3, 0));
    assert!(message(0, 2).contains("dataset is empty"), "{}", message(0, 2));
}

// %% nbgrader={"grade": false, "grade_id": "epoch-next", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Iterator for Epoch {
    type Item = Result<Batch, DataError>;

    /// The next batch, or `None` after the last.
    ///
    /// TODO: take the next `batch_size` indices, fewer at the end, and make a batch of those
    /// samples.
    ///
    /// APPROACH:
    /// 1. Take the indices from `position` on, without running past the end. If none are left, the
    ///    epoch is over.
    /// 2. Without augmentation, the dataset makes the batch.
    /// 3. With it, get each sample, transform its input, and [`collate`] the results.
    ///
    /// EXAMPLE: `order` of 5 indices, batch size 2: indices 0..2, 2..4, 4..5 of `order`, then
    /// `None`.
    ///
    /// HINTS: an error is an item of the iterator, not its end. Advance `position` before anything
    /// can fail, or the same bad sample is read forever. `collect` into a `Result` stops at the
    /// first error.
    fn next(&mut self) -> Option<Self::Item> {
        // BEGIN SOLUTION
        let end = (self.position + self.batch_size).min(self.order.len());
        let indices = &self.order[self.position..end];
        if indices.is_empty() {
            return None;
        }
        self.position = end;
        let Some((transform, rng)) = &mut self.augment else {
            return Some(self.dataset.get_batch(indices));
        };
        let changed = |&index: &usize| {
            let (input, target) = self.dataset.get(index)?;
            Ok((transform.apply(&input, rng)?, target))
        };
        let samples: Result<Vec<Sample>, DataError> = indices.iter().map(changed).collect();
        Some(samples.and_then(|samples| collate(&samples)))
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-epoch-next", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Every sample exactly once, full and partial batches, each input with its own target.
#[test]
fn test_unit_epoch_next() {
    let numbers: Vec<f32> = (0..10_u8).map(f32::from).collect();
    let inputs = Tensor::new(&numbers, &[10, 1]);
    let dataset = TensorDataset::new(inputs, Tensor::new(&numbers, &[10])).unwrap();
    let plain = DataLoader::new(dataset, 4).unwrap();
    let targets = |loader: &DataLoader, epoch: usize| -> Vec<Vec<f32>> {
        loader
            .epoch(epoch)
            .map(|batch| {
                let (inputs, targets) = batch.unwrap();
                assert_eq!(inputs.shape(), [targets.numel(), 1]);
                assert_eq!(
                    inputs.to_vec(),
                    targets.to_vec(),
                    "an input has another sample's target"
                );
                targets.to_vec()
            })
            .collect()
    };
    let sizes: Vec<usize> = targets(&plain, 0).iter().map(Vec::len).collect();
    assert_eq!((plain.len(), sizes), (3, vec![4, 4, 2]));
    assert_eq!(targets(&plain, 0).concat(), numbers);

    let shuffled = plain.shuffled(7);
    let (first, second) = (targets(&shuffled, 0).concat(), targets(&shuffled, 1).concat());
    assert_eq!(first, targets(&shuffled, 0).concat(), "the same epoch twice must be the same");
    assert_ne!(first, second, "each epoch must have an order of its own");
    let mut sorted = second;
    sorted.sort_by(f32::total_cmp);
    assert_eq!(sorted, numbers, "each sample must occur exactly once");

    struct Double;
    impl Transform for Double {
        fn apply(&self, image: &Tensor, _: &mut Rng) -> Result<Tensor, DataError> {
            Ok(image * 2.0)
        }
    }
    let doubled = shuffled.clone().augmented(Double, 1);
    let (inputs, targets) = doubled.epoch(0).next().unwrap().unwrap();
    assert_eq!(inputs.to_vec(), (&targets * 2.0).to_vec(), "only the input is transformed");

    /// Replaces the input by a random number.
    struct Noise;
    impl Transform for Noise {
        fn apply(&self, _: &Tensor, rng: &mut Rng) -> Result<Tensor, DataError> {
            Ok(Tensor::new(&[rng.uniform()], &[1]))
        }
    }
    let noise: Vec<f32> =
        shuffled.augmented(Noise, 1).epoch(0).flat_map(|batch| batch.unwrap().0.to_vec()).collect();
    let different: std::collections::HashSet<u32> = noise.iter().map(|x| x.to_bits()).collect();
    assert_eq!(different.len(), 10, "each sample needs random numbers of its own: {noise:?}");

    /// Six samples, of which sample 3 cannot be read.
    struct Damaged;
    impl Dataset for Damaged {
        fn len(&self) -> usize {
            6
        }
        fn get(&self, index: usize) -> Result<Sample, DataError> {
            match index {
                3 => Err(DataError::new(Problem::Unreadable, "sample 3 is damaged")),
                _ => Ok((Tensor::zeros(&[1]), Tensor::scalar(0.0))),
            }
        }
    }
    let damaged = DataLoader::new(Damaged, 2).unwrap();
    for loader in [damaged.clone(), damaged.augmented(Double, 1)] {
        // `take`: an epoch that does not advance past the error would never end.
        let sizes = loader.epoch(0).take(9).map(|batch| batch.ok().map(|(x, _)| x.shape()[0]));
        assert_eq!(
            sizes.collect::<Vec<_>>(),
            [Some(2), None, Some(2)],
            "batch 1 holds a damaged sample: it must be an error (None here), and the batches around \
             it must arrive"
        );
    }
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "dataloader-transforms", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## Augmentation
//
// A cat that is shifted or mirrored is still a cat. A mirrored 2 is not a 2: which transforms preserve
// the label depends on the data.

// %% nbgrader={"grade": false, "grade_id": "dataloader-transform-types", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Mirrors left and right with probability `p`.
#[derive(Debug, Clone)]
pub struct RandomHorizontalFlip {
    p: f32,
}

/// Pads with zeros on all sides, then crops to `size` (height, width) at a random position.
#[derive(Debug, Clone)]
pub struct RandomCrop {
    /// Height and width of the result.
    pub size: (usize, usize),
    /// Rows and columns of zeros on each side.
    pub padding: usize,
}

/// Several transforms, one after the other.
pub struct Compose(pub Vec<Box<dyn Transform>>);

/// The error for a shape that is not an image's.
pub fn not_an_image(shape: &[usize]) -> DataError {
    let message = format!("{shape:?} is not the shape of an image: expected (H, W) or (C, H, W)");
    DataError::new(Problem::Shape, message)
}

// %% nbgrader={"grade": false, "grade_id": "random-flip", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Transform for RandomHorizontalFlip {
    /// TODO: with probability `p`, reverse the last axis; otherwise return the image unchanged.
    ///
    /// APPROACH:
    /// 1. Draw one number from `[0, 1)`; if it is below `p`, flip.
    /// 2. To flip, copy the array and invert its last axis.
    ///
    /// EXAMPLE: `[[1, 2], [3, 4]]` becomes `[[2, 1], [4, 3]]`.
    ///
    /// HINTS: draw even when `p` is 0 or 1, so that later random numbers do not depend on `p`.
    /// ndarray's `invert_axis` only changes the stride: bring the numbers into standard layout
    /// afterwards. A tensor of shape `[]` has no last axis: [`not_an_image`].
    fn apply(&self, image: &Tensor, rng: &mut Rng) -> Result<Tensor, DataError> {
        // BEGIN SOLUTION
        let flip = rng.uniform() < self.p;
        let last = image.ndim().checked_sub(1).ok_or_else(|| not_an_image(&[]))?;
        if !flip {
            return Ok(image.clone());
        }
        let mut mirrored = image.array().to_owned();
        mirrored.invert_axis(Axis(last));
        Ok(Tensor::from_array(mirrored.as_standard_layout().into_owned()))
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-random-flip", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Always, never, and about half of the time.
#[test]
fn test_unit_random_flip() {
    let mut rng = Rng::seeded(1);
    let image = Tensor::new(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[1, 2, 3]);
    let mut flip = |p: f32| RandomHorizontalFlip::new(p).unwrap().apply(&image, &mut rng).unwrap();
    assert_eq!(flip(1.0).to_vec(), [3.0, 2.0, 1.0, 6.0, 5.0, 4.0]);
    assert_eq!(flip(1.0).shape(), [1, 2, 3]);
    assert_eq!(flip(0.0).to_vec(), image.to_vec());
    assert!((0..400).all(|_| flip(0.0).to_vec() == image.to_vec()), "p = 0 never flips");
    let flipped = (0..400).filter(|_| flip(0.5).to_vec() != image.to_vec()).count();
    // 400 fair coins: the standard deviation is 10, so this allows four of them.
    assert!((160..=240).contains(&flipped), "{flipped} of 400 were flipped");
    let rarely = (0..400).filter(|_| flip(0.1).to_vec() != image.to_vec()).count();
    // 400 times 0.1: mean 40, standard deviation 6.
    assert!((16..=64).contains(&rarely), "p = 0.1 flipped {rarely} of 400");
    let next_number = |p: f32| {
        let mut rng = Rng::seeded(1);
        RandomHorizontalFlip::new(p).unwrap().apply(&image, &mut rng).unwrap();
        rng.uniform()
    };
    assert_eq!(next_number(0.0), next_number(0.5), "draw one number, also when p is 0");
    assert_eq!(next_number(1.0), next_number(0.5), "draw one number, also when p is 1");
    let grey = image.reshape(&[2, 3]);
    let flipped = RandomHorizontalFlip::new(1.0).unwrap().apply(&grey, &mut Rng::seeded(1));
    assert_eq!(flipped.unwrap().to_vec(), [3.0, 2.0, 1.0, 6.0, 5.0, 4.0], "an image (H, W)");
    for p in [-0.1, 1.1, f32::NAN] {
        assert!(RandomHorizontalFlip::new(p).is_err(), "{p} is not a probability");
    }
}

// %% nbgrader={"grade": false, "grade_id": "pad-image", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Pads an image `(H, W)` or `(C, H, W)` with `padding` rows and columns of zeros on each side.
///
/// TODO: make a larger image of zeros and copy the image into its middle.
///
/// APPROACH:
/// 1. Any other rank is an error: [`not_an_image`].
/// 2. The last two entries of the shape grow by `2 * padding`.
/// 3. Assign the image to the inner part; the channel axis keeps its full range.
///
/// EXAMPLE: `(1, 8, 8)` with padding 2 becomes `(1, 12, 12)`.
///
/// HINTS: ndarray's `slice_each_axis_mut` asks a closure for the range of each axis. Its argument
/// holds the axis with its index, and the axis's length: that of the larger image.
pub fn pad_image(image: &Tensor, padding: usize) -> Result<Tensor, DataError> {
    // BEGIN SOLUTION
    let rank = image.ndim();
    if rank != 2 && rank != 3 {
        return Err(not_an_image(image.shape()));
    }
    let mut shape = image.shape().to_vec();
    for side in &mut shape[rank - 2..] {
        *side += 2 * padding;
    }
    let mut padded = ArrayD::zeros(IxDyn(&shape));
    let window = |axis: tinytorch::ndarray::AxisDescription| match axis.axis.index() + 2 >= rank {
        true => Slice::from(padding..axis.len - padding),
        false => Slice::from(..),
    };
    padded.slice_each_axis_mut(window).assign(image.array());
    Ok(Tensor::from_array(padded))
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-pad-image", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Zeros around, the image in the middle, each channel by itself.
#[test]
fn test_unit_pad_image() {
    let image = Tensor::new(&[1.0, 2.0], &[1, 2]);
    let padded = pad_image(&image, 1).unwrap();
    assert_eq!(padded.shape(), [3, 4]);
    assert_eq!(padded.to_vec(), [0., 0., 0., 0., 0., 1., 2., 0., 0., 0., 0., 0.]);
    let channels = pad_image(&Tensor::ones(&[3, 8, 8]), 2).unwrap();
    assert_eq!((channels.shape(), channels.sum().item()), (&[3, 12, 12][..], 192.0));
    assert_eq!(pad_image(&image, 0).unwrap().to_vec(), [1.0, 2.0]);
    for shape in [&[64][..], &[2, 3, 8, 8]] {
        let error = pad_image(&Tensor::zeros(shape), 1).err().map(|error| error.kind);
        assert_eq!(error, Some(Problem::Shape), "{shape:?} is not the shape of one image");
    }
}

// %% nbgrader={"grade": false, "grade_id": "random-crop", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Transform for RandomCrop {
    /// TODO: pad, choose a corner at random, crop.
    ///
    /// APPROACH:
    /// 1. [`pad_image`]; the last two entries of the padded shape are height and width.
    /// 2. A `size` larger than that is an error of kind [`Problem::Setting`]; the message gives
    ///    both sizes.
    /// 3. Draw the top row and the left column; every position where the crop fits is equally
    ///    likely.
    /// 4. Slice, with one range per axis; channels keep their full range.
    ///
    /// EXAMPLE: 8x8 with padding 2 and size 8x8: the top row is 0, 1, 2, 3 or 4, and so is the left
    /// column.
    ///
    /// HINTS: the last position that fits counts too. `Rng::below` excludes its bound.
    fn apply(&self, image: &Tensor, rng: &mut Rng) -> Result<Tensor, DataError> {
        // BEGIN SOLUTION
        let padded = pad_image(image, self.padding)?;
        let rank = padded.ndim();
        let (height, width) = (padded.shape()[rank - 2], padded.shape()[rank - 1]);
        let (tall, wide) = self.size;
        if tall > height || wide > width {
            let message = format!(
                "cannot crop an image of {height}x{width} (padding included) to {tall}x{wide}: \
                 choose a smaller size or more padding"
            );
            return Err(DataError::new(Problem::Setting, message));
        }
        let top = rng.below(height - tall + 1);
        let left = rng.below(width - wide + 1);
        let mut ranges = vec![top..top + tall, left..left + wide];
        if rank == 3 {
            ranges.insert(0, 0..padded.shape()[0]);
        }
        Ok(padded.slice(&ranges))
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-random-crop", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Every position is reached, none is outside the image, an exact fit changes nothing.
#[test]
fn test_unit_random_crop() {
    let mut rng = Rng::seeded(3);
    let pixels: Vec<f32> = (0..16_u8).map(f32::from).collect();
    let image = Tensor::new(&pixels, &[1, 4, 4]);
    let crop = RandomCrop { size: (3, 3), padding: 0 };
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..200 {
        let part = crop.apply(&image, &mut rng).unwrap();
        assert_eq!(part.shape(), [1, 3, 3]);
        seen.insert(part.to_vec()[0] as usize);
    }
    // The first pixel shows where the crop began: (0, 0), (0, 1), (1, 0) or (1, 1).
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [0, 1, 4, 5]);
    let whole = RandomCrop { size: (4, 4), padding: 0 };
    assert_eq!(whole.apply(&image, &mut rng).unwrap().to_vec(), pixels);
    // 2x6, padded to 4x8, cropped to 3x2: rows 0 and 1, columns 0 to 6.
    let wide = Tensor::ones(&[2, 6]);
    let crop = RandomCrop { size: (3, 2), padding: 1 };
    let sums: std::collections::BTreeSet<usize> = (0..200)
        .map(|_| {
            let part = crop.apply(&wide, &mut rng).unwrap();
            assert_eq!(part.shape(), [3, 2], "height first, then width");
            part.sum().item() as usize
        })
        .collect();
    assert_eq!(
        sums.into_iter().collect::<Vec<_>>(),
        [2, 4],
        "half or all of the columns are image"
    );
    for size in [(19, 4), (4, 19)] {
        let error = RandomCrop { size, padding: 2 }.apply(&image, &mut rng).err();
        let kind = error.map(|error| error.kind);
        assert_eq!(kind, Some(Problem::Setting), "{size:?} does not fit into 8x8");
    }
    let error = RandomCrop { size: (19, 4), padding: 2 }.apply(&image, &mut rng).unwrap_err();
    assert_eq!(error.kind, Problem::Setting);
    assert!(error.message.contains("19") && error.message.contains('8'), "{error}");
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "dataloader-files", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## Real data
//
// A file from outside may be truncated, damaged, or of another format. Check its length before you trust
// its header, and its header before you trust its content.

// %% nbgrader={"grade": false, "grade_id": "stratified-split", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Splits samples by class: one in `every` is for testing. Returns the indices `(train, test)`,
/// both in ascending order.
///
/// TODO: shuffle the indices of all samples, sort them by class, and deal them out.
///
/// APPROACH:
/// 1. Shuffle the indices with a generator seeded with `seed`, so that chance decides who is
///    chosen.
/// 2. Sort by class with a stable sort: the samples of a class stand together, still shuffled.
/// 3. Positions 0, `every`, `2 * every`, ... are for testing, the others for training.
/// 4. Sort both lists.
///
/// EXAMPLE: 1,797 digits and `every` 5: 360 to test on, 1,437 to train on.
///
/// HINTS: `sort_by_key` is stable, `sort_unstable_by_key` is not.
pub fn stratified_split(classes: &[u8], every: usize, seed: u64) -> (Vec<usize>, Vec<usize>) {
    // BEGIN SOLUTION
    let mut order: Vec<usize> = (0..classes.len()).collect();
    Rng::seeded(seed).shuffle(&mut order);
    order.sort_by_key(|&index| classes[index]);
    let (mut train, mut test) = (Vec::new(), Vec::new());
    for (position, index) in order.into_iter().enumerate() {
        if position.is_multiple_of(every) { test.push(index) } else { train.push(index) }
    }
    train.sort_unstable();
    test.sort_unstable();
    (train, test)
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-stratified-split", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 No sample twice, none lost, each class in both parts in proportion.
#[test]
fn test_unit_stratified_split() {
    // 40 of class 0 and 10 of class 1, mixed.
    let classes: Vec<u8> = (0..50).map(|i| u8::from(i % 5 == 3)).collect();
    let (train, test) = stratified_split(&classes, 5, 1);
    assert_eq!((train.len(), test.len()), (40, 10));
    assert_eq!(test.iter().filter(|&&i| classes[i] == 1).count(), 2, "a fifth of the ten");
    let mut all = [train.clone(), test.clone()].concat();
    all.sort_unstable();
    assert_eq!(all, (0..50).collect::<Vec<_>>());
    assert!(train.is_sorted() && test.is_sorted());
    assert_eq!(stratified_split(&classes, 5, 1), (train, test.clone()));
    assert_ne!(
        stratified_split(&classes, 5, 2).1,
        test,
        "the seed decides which samples are chosen"
    );
}

// %% nbgrader={"grade": false, "grade_id": "dataloader-digit-types", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// The shape in which digits are delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigitShape {
    /// `(N, 64)`: for linear layers.
    Flat,
    /// `(N, 1, 8, 8)`: one channel, for convolutions and augmentation.
    Image,
}

/// A training set and a test set.
#[derive(Debug, Clone)]
pub struct Split {
    /// To learn from.
    pub train: TensorDataset,
    /// To measure what was learned; never used in training.
    pub test: TensorDataset,
}

// %% nbgrader={"grade": false, "grade_id": "digits", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The embedded digits (Alpaydin and Kaynak, UCI 1998, CC BY 4.0): 1,437 to train on and 360 to
/// test on, always the same ones. Inputs from 0 to 1, targets the classes 0 to 9, shape `(N)`.
///
/// TODO: unpack, parse, scale, split.
///
/// APPROACH:
/// 1. [`unpack`] the bytes of `tinytorch::data::DIGITS_CSV_GZ`, read them as text,
///    [`parse_digits`].
/// 2. [`stratified_split`] of the classes: one in 5 for testing, seed 0.
/// 3. Inputs: grey levels / 16, shape `(1797, 64)` or `(1797, 1, 8, 8)`; targets: the classes.
/// 4. One dataset of all samples; [`TensorDataset::gather`] takes the rows of each part.
///
/// EXAMPLE: `digits(DigitShape::Image)?.train.inputs().shape()` is `[1437, 1, 8, 8]`.
///
/// HINTS: `unpack` and `parse_digits` are given, at the end of this file. `String::from_utf8_lossy`
/// turns bytes into text.
pub fn digits(shape: DigitShape) -> Result<Split, DataError> {
    // BEGIN SOLUTION
    let csv = unpack("digits.csv.gz", tinytorch::data::DIGITS_CSV_GZ.to_vec())?;
    let (levels, classes) = parse_digits(&String::from_utf8_lossy(&csv))?;
    let (train, test) = stratified_split(&classes, 5, 0);
    let pixels: Vec<f32> = levels.iter().map(|&level| f32::from(level) / 16.0).collect();
    let targets: Vec<f32> = classes.iter().map(|&class| f32::from(class)).collect();
    let count = classes.len();
    let inputs = match shape {
        DigitShape::Flat => Tensor::new(&pixels, &[count, 64]),
        DigitShape::Image => Tensor::new(&pixels, &[count, 1, 8, 8]),
    };
    let all = TensorDataset::new(inputs, Tensor::new(&targets, &[count]))?;
    let part = |rows: &[usize]| {
        let (inputs, targets) = all.gather(rows)?;
        TensorDataset::new(inputs, targets)
    };
    Ok(Split { train: part(&train)?, test: part(&test)? })
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-digits", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 1,437 and 360 digits, grey levels from 0 to 1, every class in proportion.
#[test]
fn test_unit_digits() {
    let Split { train, test } = digits(DigitShape::Image).unwrap();
    assert_eq!(train.inputs().shape(), [1437, 1, 8, 8]);
    assert_eq!(test.inputs().shape(), [360, 1, 8, 8]);
    assert_eq!((train.targets().shape(), test.targets().shape()), (&[1437][..], &[360][..]));
    let pixels = train.inputs().to_vec();
    assert!(pixels.iter().all(|p| (0.0..=1.0).contains(p)) && pixels.contains(&1.0));
    for class in 0..10_u8 {
        let count = test.targets().to_vec().iter().filter(|&&t| t == f32::from(class)).count();
        assert!((34..=37).contains(&count), "{count} test digits of class {class}");
    }
    let first = [2., 4., 5., 9., 6., 9., 2., 3., 5., 7., 5., 5., 9., 1., 7., 0.];
    assert_eq!(test.targets().to_vec()[..16], first, "another split: one in 5, with seed 0");
    let flat = digits(DigitShape::Flat).unwrap();
    assert_eq!(flat.train.inputs().shape(), [1437, 64]);
    assert_eq!(flat.train.inputs().to_vec(), pixels, "the same digits in both shapes");
}

// %% nbgrader={"grade": false, "grade_id": "dataloader-idx-types", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// The content of an IDX file: an array of bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idx {
    /// The shape, as written in the header.
    pub shape: Vec<usize>,
    /// The bytes, row by row.
    pub values: Vec<u8>,
}

/// Bytes of one CIFAR-10 record: a label, then 1,024 red, 1,024 green and 1,024 blue levels.
pub const CIFAR_RECORD: usize = 1 + 3 * 32 * 32;

// %% nbgrader={"grade": false, "grade_id": "parse-idx", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Parses the IDX format of MNIST: the magic number `0 0 8 R`, then `R` sizes of four bytes each,
/// most significant byte first, then one byte per value. `file` is the name for messages.
///
/// TODO: check the magic number, read the sizes, check the length, return shape and values.
///
/// APPROACH:
/// 1. Fewer than 4 bytes is `DataError::wrong_size`. Other than `0 0 8` is [`Problem::WrongMagic`].
/// 2. The header has `4 + 4 * R` bytes; fewer is `wrong_size` again.
/// 3. The sizes are big-endian `u32`s.
/// 4. The number of values is the product of the sizes; fewer or more bytes is `wrong_size`.
///
/// EXAMPLE: `0 0 8 1  0 0 0 2  7 9` is the shape `[2]` with the values 7 and 9.
///
/// HINTS: `get` of a range is `None` where indexing would panic. A hostile header can hold sizes
/// whose product overflows: a saturating product is a number of bytes that no file has.
pub fn parse_idx(file: &str, bytes: &[u8]) -> Result<Idx, DataError> {
    // BEGIN SOLUTION
    let wrong_size = |expected: u64| DataError::wrong_size(file, expected, bytes.len() as u64);
    let Some(&[zero, nil, kind, rank]) = bytes.first_chunk::<4>() else {
        return Err(wrong_size(4));
    };
    if [zero, nil, kind] != [0, 0, 8] {
        let message = format!(
            "'{file}' begins with {:02x?}; an IDX file of bytes begins with [00, 00, 08]: is this the \
             right file?",
            &bytes[..4]
        );
        return Err(DataError::new(Problem::WrongMagic, message));
    }
    let header = 4 + 4 * usize::from(rank);
    let sizes = bytes.get(4..header).ok_or_else(|| wrong_size(header as u64))?;
    let shape: Vec<u32> = sizes
        .chunks_exact(4)
        .map(|size| u32::from_be_bytes([size[0], size[1], size[2], size[3]]))
        .collect();
    let count = shape.iter().fold(1_u64, |product, &size| product.saturating_mul(size.into()));
    let values = &bytes[header..];
    if values.len() as u64 != count {
        return Err(wrong_size(count.saturating_add(header as u64)));
    }
    let shape = shape.into_iter().map(|size| size as usize).collect();
    Ok(Idx { shape, values: values.to_vec() })
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-parse-idx", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 A valid file is parsed; a truncated, long, foreign or lying one is refused by name.
#[test]
fn test_unit_parse_idx() {
    let right = [0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6];
    let idx = parse_idx("a", &right).unwrap();
    assert_eq!(idx, Idx { shape: vec![2, 3], values: vec![1, 2, 3, 4, 5, 6] });

    let wrong_size = |bytes: &[u8], expected: u64| {
        let error = parse_idx("a.idx", bytes).unwrap_err();
        assert_eq!(error.kind, Problem::WrongSize);
        for part in ["a.idx", &format!("{expected} bytes"), &format!("{} found", bytes.len())] {
            assert!(error.message.contains(part), "{part} is missing: {error}");
        }
    };
    wrong_size(&[], 4);
    wrong_size(&right[..9], 12); // cut within the header
    wrong_size(&right[..17], 18); // cut within the values
    wrong_size(&[&right[..], &[0]].concat(), 18); // one byte too many
    wrong_size(&[&[0, 0, 8, 3][..], &[255; 12], &[1]].concat(), u64::MAX); // sizes that overflow
    let foreign = parse_idx("a.png", &[0x89, b'P', b'N', b'G', 1, 2]).unwrap_err();
    assert_eq!(foreign.kind, Problem::WrongMagic);
    for (at, byte, what) in [(0, 1, "first zero"), (1, 1, "second zero"), (2, 13, "type, 8")] {
        let mut almost = right;
        almost[at] = byte;
        let kind = parse_idx("a", &almost).err().map(|error| error.kind);
        assert_eq!(kind, Some(Problem::WrongMagic), "byte {at} of the magic number is the {what}");
    }
    assert!(foreign.message.contains("a.png"), "{foreign}");
}

// %% nbgrader={"grade": false, "grade_id": "class-numbers", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Labels as class numbers for a loss: each must be below `classes`.
///
/// TODO: refuse the first label that is too large, otherwise convert all labels to `f32`.
///
/// APPROACH:
/// 1. Look for the first label that is not below `classes`, and remember its position.
/// 2. Such a label is an error of kind [`Problem::Label`]; the message gives the file, the
///    position, the label and the number of classes.
///
/// EXAMPLE: labels `[0, 9]` of 10 classes are `[0.0, 9.0]`; label 10 is an error.
///
/// HINTS: `position` of an iterator finds the first item that meets a condition.
pub fn class_numbers(file: &str, labels: &[u8], classes: usize) -> Result<Vec<f32>, DataError> {
    // BEGIN SOLUTION
    if let Some(index) = labels.iter().position(|&label| usize::from(label) >= classes) {
        let message = format!(
            "'{file}': sample {index} has label {}, but {classes} classes are numbered from 0: is this \
             the right file, and the right number of classes?",
            labels[index]
        );
        return Err(DataError::new(Problem::Label, message));
    }
    Ok(labels.iter().map(|&label| f32::from(label)).collect())
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-class-numbers", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 The first label that does not exist is named.
#[test]
fn test_unit_class_numbers() {
    assert_eq!(class_numbers("l", &[0, 9, 3], 10).unwrap(), [0.0, 9.0, 3.0]);
    let error = class_numbers("labels.idx", &[0, 9, 3, 25, 31], 10).unwrap_err();
    assert_eq!(error.kind, Problem::Label);
    for part in ["labels.idx", "3", "25", "10"] {
        assert!(error.message.contains(part), "{part} is missing: {error}");
    }
}

// %% nbgrader={"grade": false, "grade_id": "parse-cifar10", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Parses the records of a CIFAR-10 binary file: `(pixels from 0 to 1, class numbers)`.
///
/// TODO: check the length, then take the records apart.
///
/// APPROACH:
/// 1. There is no magic number. The length must be a positive multiple of [`CIFAR_RECORD`];
///    otherwise `DataError::wrong_size`, with the next multiple as the expected length.
/// 2. Byte 0 of each record is the label; the rest are pixels, channel by channel, as tensors want
///    them.
/// 3. [`class_numbers`] checks the labels: 10 classes.
///
/// EXAMPLE: a file of 30,730,000 bytes holds 10,000 pictures.
///
/// HINTS: `chunks_exact` walks over the records, `div_ceil` rounds a quotient up. An empty file is
/// expected to hold one record.
pub fn parse_cifar10(file: &str, bytes: &[u8]) -> Result<(Vec<f32>, Vec<f32>), DataError> {
    // BEGIN SOLUTION
    let expected = bytes.len().div_ceil(CIFAR_RECORD).max(1) * CIFAR_RECORD;
    if bytes.len() != expected {
        return Err(DataError::wrong_size(file, expected as u64, bytes.len() as u64));
    }
    let records = bytes.chunks_exact(CIFAR_RECORD);
    let labels: Vec<u8> = records.clone().map(|record| record[0]).collect();
    let targets = class_numbers(file, &labels, 10)?;
    let pixels = records.flat_map(|record| &record[1..]).map(|&level| f32::from(level) / 255.0);
    Ok((pixels.collect(), targets))
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-parse-cifar10", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Label first, then pixels; a wrong length and an eleventh class are refused.
#[test]
fn test_unit_parse_cifar10() {
    let mut bytes = vec![0_u8; 2 * CIFAR_RECORD];
    (bytes[0], bytes[1], bytes[CIFAR_RECORD], bytes[2 * CIFAR_RECORD - 1]) = (3, 255, 9, 51);
    let (pixels, targets) = parse_cifar10("c", &bytes).unwrap();
    assert_eq!((pixels.len(), targets), (2 * 3072, vec![3.0, 9.0]));
    assert_eq!((pixels[0], pixels[3072], pixels[6143]), (1.0, 0.0, 0.2));
    bytes[1 + 1024] = 102;
    let (pixels, _) = parse_cifar10("c", &bytes).unwrap();
    let place = pixels.iter().position(|&level| level == 0.4);
    assert_eq!(
        place,
        Some(1024),
        "1,024 red levels come before the first green one, as in the file"
    );
    for (length, next) in [(6000, "6146 bytes"), (0, "3073 bytes")] {
        let error = parse_cifar10("c", &bytes[..length]).unwrap_err();
        assert_eq!(error.kind, Problem::WrongSize);
        assert!(error.message.contains(next), "{error}");
    }
    bytes[CIFAR_RECORD] = 10;
    assert_eq!(parse_cifar10("c", &bytes).unwrap_err().kind, Problem::Label);
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "dataloader-prefetching", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## Prefetching: loading during computation

// %% nbgrader={"grade": false, "grade_id": "dataloader-prefetch-types", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Runs an iterator on a thread of its own, a few items ahead of the consumer. Dropping it stops the
/// thread. If the iterator panics, so does the call that asks for the next item.
pub struct Prefetcher<T> {
    receiver: Option<Receiver<T>>,
    worker: Option<JoinHandle<()>>,
}

// %% nbgrader={"grade": false, "grade_id": "prefetch", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl<T: Send + 'static> Prefetcher<T> {
    /// Starts a thread that takes items from `source` and buffers at most `capacity` of them.
    ///
    /// TODO: a bounded channel, and a thread that sends every item into it.
    ///
    /// APPROACH:
    /// 1. Make a bounded channel with room for `capacity` items: `send` waits while it is full.
    /// 2. Spawn a thread that owns `source` and the sender, and sends item after item.
    /// 3. When `send` fails, the receiver is gone: stop.
    /// 4. Keep the receiver and the thread's handle.
    ///
    /// EXAMPLE: `Prefetcher::new(loader.epoch(0), 2)` yields the batches of `loader.epoch(0)`.
    ///
    /// HINTS: with an unbounded channel, a loader faster than training would put the whole dataset
    /// into memory. The bounded channel of the standard library is `sync_channel`.
    pub fn new(source: impl Iterator<Item = T> + Send + 'static, capacity: usize) -> Self {
        // BEGIN SOLUTION
        let (sender, receiver) = sync_channel(capacity);
        let worker = std::thread::spawn(move || {
            for item in source {
                if sender.send(item).is_err() {
                    break;
                }
            }
        });
        Self { receiver: Some(receiver), worker: Some(worker) }
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-prefetch", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 The same items in the same order, a bounded buffer, and a thread that ends with its owner.
#[test]
fn test_unit_prefetch() {
    use std::time::Duration;
    let all: Vec<usize> = Prefetcher::new(0..100, 3).collect();
    assert_eq!(all, (0..100).collect::<Vec<_>>());

    // Each item reports when it is made.
    let (report, made) = std::sync::mpsc::channel();
    let endless = (0_usize..).inspect(move |_| report.send(()).unwrap());
    let made_within = |time| made.recv_timeout(Duration::from_millis(time)).is_ok();
    let mut prefetcher = Prefetcher::new(endless, 3);
    let ahead = (0..4).take_while(|_| made_within(5_000)).count();
    assert_eq!(ahead, 4, "three items are buffered and the fourth is waiting to be sent");
    // A bounded source is blocked now and reports nothing; an unbounded one reports its fifth item.
    assert!(!made_within(100), "the buffer holds 3 items, but a fifth one was made");
    assert_eq!(prefetcher.next(), Some(0));
    assert!(made_within(5_000), "an item was taken: there is room for another one");
    drop(prefetcher);
    assert!(
        made.recv().is_err(),
        "the thread must end with the prefetcher, and its source with it"
    );
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "dataloader-measure", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## 📊 Measure

// %% nbgrader={"grade": false, "grade_id": "analyze-loader-throughput", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Seconds per epoch as samples per second: the slow quartile is the low end.
fn per_second(samples: usize, timing: tinytorch::testing::Timing) -> Value {
    let rate = |seconds: f64| samples as f64 / seconds;
    let (low, high) = (rate(timing.high), rate(timing.low));
    Value::Spread { median: rate(timing.median), low, high }
}

/// 📊 Samples per second over batch size, in file order and shuffled.
///
/// Purpose: see what a larger batch saves, and what shuffling costs.
/// Measured: the time to load one epoch of the 1,437 training digits, median of 7 epochs.
/// Key insight: each batch has a fixed cost, so larger batches are cheaper per sample until only
/// copying is left; shuffling moves indices, not pictures, and costs little.
/// Production context: loaders shuffle a list of indices even for a hundred million samples.
pub fn analyze_loader_throughput(out: &mut Reporter) {
    let Ok(Split { train, .. }) = digits(DigitShape::Flat) else {
        return out.insight("The digits could not be read: finish `digits` first.");
    };
    let samples = train.len();
    let (mut rows, mut ordered, mut shuffled) = (vec![], vec![], vec![]);
    for batch_size in [1, 4, 16, 64, 256, 1024] {
        let Ok(loader) = DataLoader::new(train.clone(), batch_size) else { continue };
        let mixed = loader.clone().shuffled(1);
        let load = |loader: &DataLoader| loader.epoch(0).filter_map(Result::ok).count();
        let both = compare(7, || load(&mixed), || load(&loader));
        let (at_random, in_order) = (both.first, both.second);
        ordered.push((batch_size as f64, samples as f64 / in_order.median));
        shuffled.push((batch_size as f64, samples as f64 / at_random.median));
        rows.push(vec![
            batch_size.into(),
            per_second(samples, in_order),
            per_second(samples, at_random),
            Value::Float(both.ratio.median),
        ]);
    }
    let gain = ordered.last().map_or(1.0, |last| last.1) / ordered.first().map_or(1.0, |p| p.1);
    out.table(Table {
        title: "Loading 1,437 digits".into(),
        columns: vec![
            Column::plain("batch size"),
            Column::with_unit("in order", "samples/s"),
            Column::with_unit("shuffled", "samples/s"),
            Column::with_unit("shuffled / in order, time", "x"),
        ],
        rows,
        origin: Origin::Measured,
    });
    out.chart(Chart {
        title: "Samples per second over batch size".into(),
        kind: ChartKind::Line,
        x: ChartAxis::log("batch size", ""),
        y: ChartAxis::log("throughput", "samples/s"),
        series: vec![Series::new("in order", ordered), Series::new("shuffled", shuffled)],
        origin: Origin::Measured,
    });
    out.measured("batch of 1,024 over batch of 1", gain, "x");
    out.insight(format!(
        "With batches of 1,024, {gain:.1} times as many samples were loaded per second as with batches \
         of 1. Each batch makes two new tensors, whatever their size: a fixed cost that a large batch \
         divides among many samples."
    ));
}

// %% nbgrader={"grade": false, "grade_id": "analyze-collation", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 A batch built sample by sample against one gathered in a single copy.
///
/// Purpose: find where the time of a batch goes.
/// Measured: seconds for one batch of 64 by `collate` and by `gather`, over the size of a sample.
/// Key insight: `collate` makes 128 small tensors and copies every value twice; for small samples
/// that overhead costs far more than the data.
/// Production context: loaders pass whole lists of indices to a dataset that can use them.
pub fn analyze_collation(out: &mut Reporter) {
    let mut rng = Rng::seeded(4);
    let (mut rows, mut one_by_one, mut at_once) = (vec![], vec![], vec![]);
    let mut smallest: Option<Ratio> = None;
    for values in [16, 64, 784, 3072] {
        let inputs = Tensor::rand(&[512, values], &mut rng);
        let Ok(dataset) = TensorDataset::new(inputs, Tensor::zeros(&[512])) else { continue };
        let indices: Vec<usize> = (0..64).map(|_| rng.below(512)).collect();
        let collated = || {
            let samples: Result<Vec<_>, _> = indices.iter().map(|&i| dataset.sample(i)).collect();
            samples.and_then(|samples| collate(&samples))
        };
        let both = compare(31, collated, || dataset.gather(&indices));
        let (slow, fast) = (both.first, both.second);
        smallest.get_or_insert(both.ratio);
        let bytes = values * 4;
        one_by_one.push((bytes as f64, slow.median));
        at_once.push((bytes as f64, fast.median));
        let ratio = Value::Float(both.ratio.median);
        rows.push(vec![bytes.into(), slow.into(), fast.into(), ratio]);
    }
    out.table(Table {
        title: "One batch of 64 samples".into(),
        columns: vec![
            Column::with_unit("sample", "B"),
            Column::with_unit("sample by sample", "s"),
            Column::with_unit("gathered", "s"),
            Column::with_unit("ratio", "x"),
        ],
        rows,
        origin: Origin::Measured,
    });
    out.chart(Chart {
        title: "Time for one batch over the size of a sample".into(),
        kind: ChartKind::Line,
        x: ChartAxis::log("sample", "B"),
        y: ChartAxis::log("batch of 64", "s"),
        series: vec![Series::new("sample by sample", one_by_one), Series::new("gathered", at_once)],
        origin: Origin::Measured,
    });
    if let Some(ratio) = smallest {
        out.insight(format!(
            "{} That is for the smallest samples, where most of the work is overhead: 128 small tensors, \
             each with its own shape, history and reference count.",
            ratio.took("Collating sample by sample", "gathering")
        ));
    }
}

// %% nbgrader={"grade": false, "grade_id": "analyze-prefetch", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 Loading and computing in turn, against prefetching on a second thread.
///
/// Purpose: see how much of the loading time a prefetcher hides.
/// Measured: seconds for 20 batches of augmented digits: loading alone, computing alone, both in
/// turn, and both at the same time.
/// Key insight: in turn the two times add up; at the same time the longer one remains, if a second
/// core is free.
/// Production context: while a training job waits for data, expensive hardware is idle.
pub fn analyze_prefetch(out: &mut Reporter) {
    let Ok(Split { train, .. }) = digits(DigitShape::Image) else {
        return out.insight("The digits could not be read: finish `digits` first.");
    };
    let crop = RandomCrop { size: (8, 8), padding: 2 };
    let Ok(loader) = DataLoader::new(train, 64).map(|loader| loader.shuffled(1).augmented(crop, 2))
    else {
        return out.insight("There is no loader to measure: finish `loader-new` first.");
    };
    let weights = Tensor::randn(&[64, 256], &mut Rng::seeded(9));
    let compute = |inputs: &Tensor| {
        let mut signal = inputs.reshape(&[-1, 64]);
        for _ in 0..3 {
            signal = signal.matmul(&weights).matmul(&weights.t());
        }
        signal.sum().item()
    };
    let batches = || loader.epoch(0).filter_map(Result::ok).take(20);
    let Some((sample, _)) = batches().next() else { return };
    let load = time(15, || batches().count());
    let work = time(15, || (0..20).map(|_| compute(&sample)).sum::<f32>());
    let in_turn = || batches().map(|(inputs, _)| compute(&inputs)).sum::<f32>();
    let both = compare(15, in_turn, || {
        let source = loader.epoch(0).filter_map(Result::ok).take(20);
        Prefetcher::new(source, 2).map(|(inputs, _)| compute(&inputs)).sum::<f32>()
    });
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let row = |name: &str, timing: tinytorch::testing::Timing| vec![name.into(), timing.into()];
    out.table(Table {
        title: "20 batches of 64 augmented digits".into(),
        columns: vec![Column::plain("what"), Column::with_unit("time", "s")],
        rows: vec![
            row("loading alone", load),
            row("computing alone", work),
            row("in turn", both.first),
            row("prefetching", both.second),
        ],
        origin: Origin::Measured,
    });
    out.measured("in turn / prefetching", both.ratio.median, "x");
    out.metric(tinytorch::report::Metric {
        name: "the most that prefetching can gain".into(),
        value: (load.median + work.median) / load.median.max(work.median),
        unit: "x".into(),
        target: None,
        origin: Origin::Computed("(loading + computing) / the longer of the two".into()),
    });
    out.insight(format!(
        "In turn, the times of loading and computing add up; with a thread that prefetches, the longer one \
         remains, if one of the {cores} cores is free for it. Measured: {}",
        both.ratio.took("loading in turn", "prefetching")
    ));
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "dataloader-module-test", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## 🧪 Module test

// %% nbgrader={"grade": true, "grade_id": "test-dataloader-module", "locked": true, "points": 20, "schema_version": 3, "solution": false, "task": false}
/// 🧪 Shuffled digits train a network of the earlier modules; prefetching changes nothing.
#[test]
fn test_module() {
    use tinytorch::activations::ReLU;
    use tinytorch::layers::{Linear, Sequential};
    use tinytorch::losses::CrossEntropyLoss;
    use tinytorch::optimizers::Adam;
    use tinytorch::training::Trainer;

    // Augmented and prefetched batches are the same as those drawn without a second thread.
    let images = digits(DigitShape::Image).unwrap();
    let augment = Compose(vec![
        Box::new(RandomCrop { size: (8, 8), padding: 1 }),
        Box::new(RandomHorizontalFlip::new(0.5).unwrap()),
    ]);
    let loader = DataLoader::new(images.train, 100).unwrap().shuffled(1).augmented(augment, 2);
    let prefetched = Prefetcher::new(loader.epoch(3), 2);
    let mut samples = 0;
    for (one, other) in loader.epoch(3).zip(prefetched) {
        let ((inputs, targets), (same_inputs, same_targets)) = (one.unwrap(), other.unwrap());
        assert_eq!(&inputs.shape()[1..], [1, 8, 8]);
        assert_eq!(inputs.to_vec(), same_inputs.to_vec());
        assert_eq!(targets.to_vec(), same_targets.to_vec());
        samples += targets.numel();
    }
    assert_eq!(samples, 1437);

    // Digits that were not in the training set are recognised.
    let flat = digits(DigitShape::Flat).unwrap();
    let train = DataLoader::new(flat.train, 32).unwrap().shuffled(1);
    let test = DataLoader::new(flat.test, 360).unwrap();
    let mut rng = Rng::seeded(1);
    let model = Sequential::new(vec![
        Box::new(Linear::new(64, 32, &mut rng)),
        Box::new(ReLU),
        Box::new(Linear::new(32, 10, &mut rng)),
    ]);
    let mut trainer = Trainer::new(model, Adam::new(0.01), CrossEntropyLoss);
    for epoch in 0..5 {
        trainer.train_epoch(train.epoch(epoch)).unwrap();
    }
    let (_, accuracy) = trainer.evaluate(test.epoch(0)).unwrap();
    let accuracy = accuracy.unwrap_or(0.0);
    assert!(accuracy >= 0.9, "test accuracy {accuracy} after 5 epochs, expected at least 0.9");
}

// %% nbgrader={"grade": false, "grade_id": "dataloader-errors-impl", "locked": true, "schema_version": 3, "solution": false, "task": false}
impl DataError {
    /// An error of this kind.
    pub fn new(kind: Problem, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// A file that should have `expected` bytes and has `found`.
    pub fn wrong_size(file: &str, expected: u64, found: u64) -> Self {
        let what = if found < expected { "is truncated" } else { "is too long" };
        let message = format!(
            "'{file}' {what}: {expected} bytes expected, {found} found; copy or download it again"
        );
        Self::new(Problem::WrongSize, message)
    }
}

impl std::error::Error for DataError {}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

// %% nbgrader={"grade": false, "grade_id": "dataloader-dataset-impl", "locked": true, "schema_version": 3, "solution": false, "task": false}
impl TensorDataset {
    /// All inputs, shape `(N, ...)`.
    pub fn inputs(&self) -> &Tensor {
        &self.inputs
    }

    /// All targets, shape `(N, ...)`.
    pub fn targets(&self) -> &Tensor {
        &self.targets
    }
}

impl Dataset for TensorDataset {
    fn len(&self) -> usize {
        self.inputs.shape()[0]
    }

    fn get(&self, index: usize) -> Result<Sample, DataError> {
        self.sample(index)
    }

    fn get_batch(&self, indices: &[usize]) -> Result<Batch, DataError> {
        self.gather(indices)
    }
}

// %% nbgrader={"grade": false, "grade_id": "dataloader-loader-impl", "locked": true, "schema_version": 3, "solution": false, "task": false}
impl DataLoader {
    /// Shuffles every epoch; the seed and the epoch's number determine the order.
    #[must_use]
    pub fn shuffled(self, seed: u64) -> Self {
        Self { shuffle: Some(seed), ..self }
    }

    /// Applies `transform` to every input; the seed and the epoch determine its random numbers.
    #[must_use]
    pub fn augmented(self, transform: impl Transform + 'static, seed: u64) -> Self {
        Self { augment: Some((Arc::new(transform), seed)), ..self }
    }

    /// How many batches an epoch has: samples / batch size, rounded up.
    #[expect(
        clippy::len_without_is_empty,
        reason = "a loader is never empty: `new` refuses an empty dataset"
    )]
    pub fn len(&self) -> usize {
        self.dataset.len().div_ceil(self.batch_size)
    }

    /// The batches of epoch `number`. Every sample occurs exactly once.
    pub fn epoch(&self, number: usize) -> Epoch {
        let mut order: Vec<usize> = (0..self.dataset.len()).collect();
        if let Some(seed) = self.shuffle {
            epoch_rng(seed, number).shuffle(&mut order);
        }
        let augment = self
            .augment
            .as_ref()
            .map(|(transform, seed)| (Arc::clone(transform), epoch_rng(*seed, number)));
        let dataset = Arc::clone(&self.dataset);
        Epoch { dataset, order, batch_size: self.batch_size, position: 0, augment }
    }
}

// %% nbgrader={"grade": false, "grade_id": "dataloader-transform-impl", "locked": true, "schema_version": 3, "solution": false, "task": false}
impl RandomHorizontalFlip {
    /// Flips with probability `p`, from 0 to 1.
    pub fn new(p: f32) -> Result<Self, DataError> {
        if (0.0..=1.0).contains(&p) {
            return Ok(Self { p });
        }
        let message = format!("{p} is not a probability: choose one from 0 to 1");
        Err(DataError::new(Problem::Setting, message))
    }
}

impl Transform for Compose {
    fn apply(&self, image: &Tensor, rng: &mut Rng) -> Result<Tensor, DataError> {
        self.0.iter().try_fold(image.clone(), |image, transform| transform.apply(&image, rng))
    }
}

// %% nbgrader={"grade": false, "grade_id": "dataloader-file-helpers", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// The most bytes that a compressed file may unpack to. MNIST's largest file has 47 MB; a hostile
/// kilobyte can unpack to gigabytes.
const UNPACKED_LIMIT: u64 = 1 << 30;

fn unreadable(file: &str) -> impl FnOnce(std::io::Error) -> DataError + '_ {
    move |error| DataError::new(Problem::Unreadable, format!("cannot read '{file}': {error}"))
}

/// Unpacks gzip, recognised by its first two bytes; other bytes are returned unchanged.
pub fn unpack(file: &str, bytes: Vec<u8>) -> Result<Vec<u8>, DataError> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    let mut plain = Vec::new();
    tinytorch::flate2::read::MultiGzDecoder::new(bytes.as_slice())
        .take(UNPACKED_LIMIT + 1)
        .read_to_end(&mut plain)
        .map_err(unreadable(file))?;
    let found = plain.len() as u64;
    if found > UNPACKED_LIMIT {
        return Err(DataError::wrong_size(file, UNPACKED_LIMIT, found));
    }
    Ok(plain)
}

/// A file's name, for messages, and its bytes, unpacked if necessary.
fn read(path: &Path) -> Result<(String, Vec<u8>), DataError> {
    let file = path.display().to_string();
    let bytes = std::fs::read(path).map_err(unreadable(&file))?;
    let plain = unpack(&file, bytes)?;
    Ok((file, plain))
}

/// Parses lines of 64 grey levels 0..=16 and a class: `(levels, classes)`, unscaled.
pub fn parse_digits(csv: &str) -> Result<(Vec<u8>, Vec<u8>), DataError> {
    let (mut pixels, mut classes) = (Vec::new(), Vec::new());
    for (index, line) in csv.lines().enumerate() {
        let bad = || {
            let expected = "64 grey levels 0..=16 and a class 0..=9, separated by commas";
            DataError::new(Problem::Shape, format!("line {}: expected {expected}", index + 1))
        };
        let row: Result<Vec<u8>, _> = line.split(',').map(str::parse).collect();
        let row = row.map_err(|_| bad())?;
        let Some((&class, levels)) = row.split_last() else { return Err(bad()) };
        if levels.len() != 64 || class > 9 || levels.iter().any(|&level| level > 16) {
            return Err(bad());
        }
        pixels.extend_from_slice(levels);
        classes.push(class);
    }
    Ok((pixels, classes))
}

// %% nbgrader={"grade": false, "grade_id": "dataloader-mnist", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Loads MNIST, or a dataset in its format, from two IDX files, gzipped or plain: inputs
/// `(N, 1, H, W)` from 0 to 1, targets `(N)`, each below `classes`.
pub fn load_idx(images: &Path, labels: &Path, classes: usize) -> Result<TensorDataset, DataError> {
    let (image_file, image_bytes) = read(images)?;
    let (label_file, label_bytes) = read(labels)?;
    let image_idx = parse_idx(&image_file, &image_bytes)?;
    let label_idx = parse_idx(&label_file, &label_bytes)?;
    let wrong_rank = |file: &str, what: &str, shape: &[usize]| {
        let message =
            format!("'{file}' holds an array of shape {shape:?}, not {what}: files swapped?");
        DataError::new(Problem::WrongMagic, message)
    };
    let &[count, height, width] = image_idx.shape.as_slice() else {
        return Err(wrong_rank(&image_file, "images (N, H, W)", &image_idx.shape));
    };
    let &[answers] = label_idx.shape.as_slice() else {
        return Err(wrong_rank(&label_file, "labels (N)", &label_idx.shape));
    };
    if image_idx.values.is_empty() {
        let message =
            format!("'{image_file}' holds no pixels: its header says {:?}", image_idx.shape);
        return Err(DataError::new(Problem::Setting, message));
    }
    if count != answers {
        let message = format!(
            "'{image_file}' holds {count} images, '{label_file}' {answers} labels: do they belong \
             together?"
        );
        return Err(DataError::new(Problem::Shape, message));
    }
    let pixels: Vec<f32> = image_idx.values.iter().map(|&level| f32::from(level) / 255.0).collect();
    let targets = class_numbers(&label_file, &label_idx.values, classes)?;
    TensorDataset::new(
        Tensor::new(&pixels, &[count, 1, height, width]),
        Tensor::new(&targets, &[count]),
    )
}

// %% nbgrader={"grade": false, "grade_id": "dataloader-cifar", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Loads CIFAR-10 from its binary files (`data_batch_1.bin` ...), gzipped or plain, in the given
/// order: inputs `(N, 3, 32, 32)` from 0 to 1, targets `(N)`.
pub fn load_cifar10(files: &[PathBuf]) -> Result<TensorDataset, DataError> {
    let (mut pixels, mut targets) = (Vec::new(), Vec::new());
    for path in files {
        let (file, bytes) = read(path)?;
        let (more_pixels, more_targets) = parse_cifar10(&file, &bytes)?;
        pixels.extend(more_pixels);
        targets.extend(more_targets);
    }
    let count = targets.len();
    TensorDataset::new(Tensor::new(&pixels, &[count, 3, 32, 32]), Tensor::new(&targets, &[count]))
}

// %% nbgrader={"grade": false, "grade_id": "dataloader-prefetch-impl", "locked": true, "schema_version": 3, "solution": false, "task": false}
impl<T> Iterator for Prefetcher<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        if let Ok(item) = self.receiver.as_ref()?.recv() {
            return Some(item);
        }
        // The worker has ended. If it panicked, that must not look like the end of the data.
        if let Some(Err(panic)) = self.worker.take().map(JoinHandle::join) {
            std::panic::resume_unwind(panic);
        }
        None
    }
}

impl<T> Drop for Prefetcher<T> {
    fn drop(&mut self) {
        // Without a receiver, the worker's next `send` fails and its loop ends.
        self.receiver = None;
        if let Some(worker) = self.worker.take() {
            // If the worker panicked, its items are not wanted any more, so the panic is ignored.
            let _ = worker.join();
        }
    }
}

// %% nbgrader={"grade": false, "grade_id": "dataloader-main", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Runs every analysis and prints its figures as lines of JSON.
pub fn main() {
    let mut out = Reporter::stdout();
    analyze_loader_throughput(&mut out);
    analyze_collation(&mut out);
    analyze_prefetch(&mut out);
}

// %% nbgrader={"grade": false, "grade_id": "dataloader-own", "locked": false, "schema_version": 3, "solution": false, "task": false}
// Yours: helper functions and tests of your own go here. The tutor runs each `#[test]` function of this cell and
// shows it as yours; it is never graded.
