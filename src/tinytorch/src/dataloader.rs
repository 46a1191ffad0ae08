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

pub use tinytorch::data::error::{DataError, Problem, not_an_image};
pub use tinytorch::data::formats::{Idx, parse_digits, unpack};

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use tinytorch::activations::ReLU;
use tinytorch::data::formats::{classes, images_with_labels, read, read_cifar10};
use tinytorch::insights::dataloader::{COMPARED, collation_insight, order_insight};
use tinytorch::insights::dataloader::{overfitting_insight, prefetch_insight, throughput_insight};
use tinytorch::layers::{Linear, Sequential};
use tinytorch::losses::CrossEntropyLoss;
use tinytorch::ndarray::{ArrayD, Axis, AxisDescription, IxDyn, Slice};
use tinytorch::optimizers::Adam;
use tinytorch::random::Rng;
use tinytorch::report::{Axis as ChartAxis, Reporter, Series, Value};
use tinytorch::tensor::Tensor;
use tinytorch::testing::{Timing, compare, quartiles, time};
use tinytorch::training::Trainer;

// %% [markdown] nbgrader={"grade": false, "grade_id": "dataloader-intro", "locked": true, "schema_version": 3, "solution": false, "task": false}
// # 🎯 DataLoader
//
// A data loader turns files into batches. You write its parts from the bottom up: a dataset, collation,
// shuffling, the epoch iterator, augmentation, a fair split, a reader for a file format, and a thread that
// prefetches. What is wrong in data from outside is an error, not a panic: a `DataError` has a `kind`, one
// of the `Problem`s, and a `message`; `DataError::new(kind, message)` makes one.

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

    /// Several samples as one batch. A dataset with all its samples in one block can do this faster.
    fn get_batch(&self, indices: &[usize]) -> Result<Batch, DataError> {
        let samples = indices.iter().map(|&index| self.get(index));
        collate(&samples.collect::<Result<Vec<_>, _>>()?)
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
    /// 2. If an entry is missing, or the two differ, return [`Problem::Shape`], with both shapes in the message.
    ///
    /// EXAMPLE: inputs `(3, 2)` with targets `(3)` are three samples; with targets `(4)` an error.
    ///
    /// HINTS: `first` of a slice returns an `Option`, and two of them can be compared. `{:?}` formats a shape.
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
    use tinytorch::testing::{expect_eq, expect_named, expect_return};

    let (first, scalar) =
        ("only the first sizes must agree", "a scalar has no first axis: an error");
    for (inputs, targets, pairs, idea) in [
        (&[3, 2][..], &[3][..], true, first),
        (&[3, 2], &[3, 5], true, first),
        (&[3, 2], &[4], false, "each input needs one target"),
        (&[3, 2], &[6], false, "compare the first sizes, not the number of values"),
        (&[], &[], false, scalar),
        (&[1], &[], false, scalar),
    ] {
        let input = format!("inputs {inputs:?} and targets {targets:?}");
        let pair = || TensorDataset::new(Tensor::zeros(inputs), Tensor::zeros(targets));
        let made = expect_return(&input, pair, idea).map(|made| made.inputs().shape().to_vec());
        let wanted = if pairs { Ok(inputs.to_vec()) } else { Err(Problem::Shape) };
        expect_eq(input, made.map_err(|error| error.kind), wanted, idea);
    }
    let error = TensorDataset::new(Tensor::zeros(&[3, 2]), Tensor::zeros(&[4])).unwrap_err();
    expect_named(&error.message, &["[3, 2]", "[4]"], "the message must show both shapes");
}

// %% nbgrader={"grade": false, "grade_id": "dataset-sample", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl TensorDataset {
    /// Sample `index`: row `index` of the inputs and of the targets, without the first axis.
    ///
    /// TODO: check the index, then select the two rows.
    ///
    /// APPROACH: an index that is not below the number of samples is [`Problem::Index`]. Otherwise select
    /// the row from both tensors.
    ///
    /// EXAMPLE: of inputs `[[1, 2], [3, 4]]`, sample 1 has the input `[3, 4]`, shape `(2)`.
    ///
    /// HINTS: `Tensor::select` removes an axis. It panics on a bad index; your caller gets an error instead.
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
    use tinytorch::testing::{expect_eq, expect_refused};

    let inputs = Tensor::new(&[1.0, 2.0, 3.0, 4.0], &[2, 2]);
    let dataset = TensorDataset::new(inputs, Tensor::new(&[7.0, 9.0], &[2])).unwrap();
    for (index, row, class) in [(0, [1.0, 2.0], 7.0), (1, [3.0, 4.0], 9.0)] {
        let (input, target) = dataset.sample(index).unwrap();
        let of = |part: &str| format!("the {part} of sample {index} of 2");
        let shapes = (input.shape(), target.shape());
        let idea = "a sample is without the first axis: that one counts the samples";
        expect_eq(of("shapes of input and target"), shapes, (&[2][..], &[][..]), idea);
        expect_eq(of("input"), input.to_vec(), row.to_vec(), "row `index` of the inputs");
        expect_eq(of("target"), target.item(), class, "the target of the same row");
    }
    for index in [2, 3] {
        let input = format!("sample {index} of 2");
        let idea = "samples are counted from 0: this is an error, not a panic, and of kind `Index`";
        expect_refused(input, || dataset.sample(index), Problem::Index, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "collate", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Collates samples into a batch: stacks inputs of shape `(...)` into `(B, ...)`, targets likewise.
///
/// TODO: check that all shapes agree, then copy the values into one block per field.
///
/// APPROACH:
/// 1. Write one helper that stacks a list of tensors; use it for inputs and for targets.
/// 2. Without a first sample the shape is unknown: [`Problem::Shape`].
/// 3. A shape that differs from the first is [`Problem::Shape`] too; the message gives its position in the
///    batch, counted from 0, and both shapes.
/// 4. Append all values to one `Vec`. The shape of the batch is `B`, then the shape of one sample.
///
/// EXAMPLE: inputs `[1, 2]` and `[3, 4]` with targets `0` and `1` give `[[1, 2], [3, 4]]` and `[0, 1]`.
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
    use tinytorch::testing::{expect_eq, expect_named, expect_refused};

    let sample = |a: f32, b: f32, class: f32| (Tensor::new(&[a, b], &[2]), Tensor::scalar(class));
    let samples = [sample(1.0, 2.0, 0.0), sample(3.0, 4.0, 1.0), sample(5.0, 6.0, 7.0)];
    let (inputs, targets) = collate(&samples).unwrap();
    let of = |what: &str| format!("the {what} of three samples of shape [2]");
    let idea = "the batch is a new first axis, then comes the shape of one sample";
    expect_eq(of("shapes"), (inputs.shape(), targets.shape()), (&[3, 2][..], &[3][..]), idea);
    let idea = "sample after sample, each with all its values";
    expect_eq(of("inputs"), inputs.to_vec(), vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], idea);
    expect_eq(of("targets"), targets.to_vec(), vec![0.0, 1.0, 7.0], idea);

    let idea = "a batch of no samples has no shape: an error, not a panic";
    expect_refused("an empty list", || collate(&[]), Problem::Shape, idea);
    for (input, target, odd, usual, idea) in [
        (&[3][..], &[][..], "[3]", "[2]", "all inputs must have the shape of the first"),
        (&[1, 2], &[], "[1, 2]", "[2]", "compare shapes, not the number of values"),
        (&[2], &[1], "[1]", "[]", "the shapes of the targets must agree too"),
    ] {
        let mut nine = vec![samples[0].clone(); 9];
        nine[7] = (Tensor::zeros(input), Tensor::zeros(target));
        let what = format!("a sample of shape {odd} among those of {usual}");
        let message = expect_refused(what, || collate(&nine), Problem::Shape, idea);
        let idea = "name the position in the batch, counted from 0, and both shapes";
        expect_named(&message, &["7", odd, usual], idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "dataset-gather", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl TensorDataset {
    /// The rows `indices` as one batch, in that order: the result of [`collate`], in one copy.
    ///
    /// TODO: check every index, then copy the rows of both tensors.
    ///
    /// APPROACH: an index that is too large is the error that [`TensorDataset::sample`] returns for it. Let
    /// ndarray select the rows of each tensor's array along axis 0, and wrap them as tensors.
    ///
    /// EXAMPLE: rows `[2, 0]` of `[[1], [2], [3]]` are `[[3], [1]]`; no rows at all have the shape `(0, 1)`.
    ///
    /// HINTS: if the largest index is valid, all are. `Tensor::array` and `Tensor::from_array` convert.
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
/// 🔬 Gathering gives what collating gives, in one copy.
#[test]
fn test_unit_dataset_gather() {
    use tinytorch::testing::{expect_eq, expect_refused, expect_return};

    let inputs = Tensor::randn(&[5, 2, 1], &mut Rng::seeded(8));
    let targets = Tensor::new(&[0.0, 1.0, 2.0, 3.0, 4.0], &[5]);
    let dataset = TensorDataset::new(inputs, targets).unwrap();
    let samples: Vec<Sample> = [4, 0, 4].iter().map(|&i| dataset.sample(i).unwrap()).collect();
    let of = |(x, y): Batch| (x.shape().to_vec(), x.to_vec(), y.to_vec());
    let (yours, wanted) = (of(dataset.gather(&[4, 0, 4]).unwrap()), of(collate(&samples).unwrap()));
    let idea = "one row for each index, in the order asked for, repeated ones too";
    expect_eq("rows 4, 0, 4: shape, inputs, targets", yours, wanted, idea);
    for indices in [[5, 1, 0], [1, 5, 0], [0, 1, 5]] {
        let (input, idea) = (format!("rows {indices:?} of 5"), "every index must be checked");
        expect_refused(input, || dataset.gather(&indices), Problem::Index, idea);
    }
    let idea = "without indices the batch has no rows: check an index only if there is one";
    let (inputs, _) = expect_return("no rows", || dataset.gather(&[]).unwrap(), idea);
    expect_eq("the shape of no rows", inputs.shape(), &[0, 2, 1], idea);

    // What is computed from a tracked tensor is numbered, so the numbers count how often something was computed. Other
    // tests may compute at the same time: the smallest of some counts is that of `gather`.
    let rows = Tensor::zeros(&[64, 3]).tracked();
    let dataset = TensorDataset::new(rows, Tensor::zeros(&[64])).unwrap();
    let all: Vec<usize> = (0..64).collect();
    let number = || Tensor::scalar(0.0).tracked().id().unwrap();
    let computed = (0..20).map(|_| {
        let before = number();
        dataset.gather(&all).unwrap();
        number() - before
    });
    let few = computed.min().is_some_and(|count| count < 64);
    let idea = "one copy of all rows: no tensor for each of them; one index to check, the largest";
    expect_eq("64 rows: are fewer than 64 tensors made on the way", few, true, idea);
}

// %% nbgrader={"grade": false, "grade_id": "epoch-order", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The random number generator of one epoch: it depends only on the seed and the epoch's number.
///
/// TODO: derive an independent generator for each pair of seed and epoch.
///
/// APPROACH: start with a generator that is seeded with `seed`. Replace it by its own fork, once for epoch
/// 0, twice for epoch 1, and so on.
///
/// EXAMPLE: `epoch_rng(1, 5)` yields the same numbers today, tomorrow and after a restart.
///
/// HINTS: with `seed + epoch`, seed 1 shuffles epoch 1 as seed 2 shuffles epoch 0. To draw `epoch` numbers
/// and continue from there is wrong too: the epochs would draw the same numbers, a place apart.
pub fn epoch_rng(seed: u64, epoch: usize) -> Rng {
    // BEGIN SOLUTION
    (0..=epoch).fold(Rng::seeded(seed), |mut rng, _| rng.fork())
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-epoch-order", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 The same seed and epoch give the same order; another seed or epoch gives another order.
#[test]
fn test_unit_epoch_order() {
    use std::collections::HashSet;
    use tinytorch::testing::{expect_eq, expect_return};

    let order_of = |mut rng: Rng| {
        let mut order: Vec<usize> = (0..100).collect();
        rng.shuffle(&mut order);
        order
    };
    for (seed, epoch, same, idea) in [
        (1, 3, true, "the order depends on seed and epoch only"),
        (1, 4, false, "each epoch needs an order of its own"),
        (2, 3, false, "each seed needs an order of its own"),
    ] {
        let equal = order_of(epoch_rng(1, 3)) == order_of(epoch_rng(seed, epoch));
        let input = format!("seed 1, epoch 3 and seed {seed}, epoch {epoch}: are the orders equal");
        expect_eq(input, equal, same, idea);
    }
    // Every sum, product or exclusive or of small numbers is a small number: would it seed the epoch, the order would
    // be one of these.
    let plain: HashSet<Vec<usize>> = (0..2000).map(|seed| order_of(Rng::seeded(seed))).collect();
    let idea = "fork instead, for epoch 0 too: when seed and epoch are combined by arithmetic, other seeds repeat \
                this order in other epochs";
    for (seed, epoch) in [(1, 0), (2, 1), (1, 3), (3, 4), (7, 12)] {
        let repeated = plain.contains(&order_of(epoch_rng(seed, epoch)));
        let input = format!("seed {seed}, epoch {epoch}: is its order that of a small seed");
        expect_eq(input, repeated, false, idea);
    }
    let numbers = |epoch| -> HashSet<u32> {
        let mut rng = epoch_rng(1, epoch);
        (0..20).map(|_| rng.uniform().to_bits()).collect()
    };
    let shared = numbers(3).intersection(&numbers(4)).count();
    let idea = "fork for each epoch: a generator that only runs on gives the next epoch these numbers, a place later";
    expect_eq("numbers that epochs 3 and 4 share, of 20", shared, 0, idea);
    let idea = "every seed is valid: arithmetic with a large one overflows";
    expect_return("the largest seed", || epoch_rng(u64::MAX, 1), idea);
}

// %% nbgrader={"grade": false, "grade_id": "dataloader-debug", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl TensorDataset {
    /// A copy of the dataset in a random order, for a program that shuffles once, before it trains.
    ///
    /// TODO: find the fault in these lines, which a colleague wrote, and write them correctly. A
    /// network that is trained on the copy reads new digits as a guess would, one in ten right.
    ///
    /// ```text
    /// let (mut rows, mut answers) = (all.clone(), all);
    /// rng.shuffle(&mut rows);
    /// rng.shuffle(&mut answers);
    /// Self::new(self.gather(&rows)?.0, self.gather(&answers)?.1)
    /// ```
    ///
    /// APPROACH: here `all` holds the indices of all samples. Follow one of them: where does its input go,
    /// and where its target? Draw one order, and gather inputs and targets by it.
    ///
    /// EXAMPLE: inputs 1, 2, 3 with targets 10, 20, 30 may become 3, 1, 2 with 30, 10, 20.
    ///
    /// HINTS: no type and no shape is wrong here, so neither the compiler nor a check can find the fault.
    pub fn shuffled_copy(&self, rng: &mut Rng) -> Result<Self, DataError> {
        // BEGIN SOLUTION
        let mut order: Vec<usize> = (0..self.inputs.shape()[0]).collect();
        rng.shuffle(&mut order);
        self.subset(&order)
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-dataloader-debug", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Each sample once, each input with its own target, in a random order.
#[test]
fn test_unit_shuffled_copy() {
    use tinytorch::testing::expect_eq;

    let ten_times = |inputs: &[f32]| -> Vec<f32> { inputs.iter().map(|x| x * 10.0).collect() };
    let inputs: Vec<f32> = (0..50_u8).map(f32::from).collect();
    let targets = Tensor::new(&ten_times(&inputs), &[50]);
    let dataset = TensorDataset::new(Tensor::new(&inputs, &[50]), targets).unwrap();
    let copy = |seed| {
        let copy = dataset.shuffled_copy(&mut Rng::seeded(seed)).unwrap();
        (copy.inputs().to_vec(), copy.targets().to_vec())
    };
    let of = |what: &str| format!("a copy of inputs 0 to 49 with targets 0 to 490: {what}");
    let (mixed, answers) = copy(1);
    let idea = "one order for both: each input keeps its own target";
    expect_eq(of("the targets"), answers, ten_times(&mixed), idea);
    let mut sorted = mixed.clone();
    sorted.sort_by(f32::total_cmp);
    expect_eq(of("the inputs, sorted"), &sorted, &inputs, "each sample exactly once");
    let idea = "the generator decides the order";
    expect_eq(of("are the inputs in their old order"), mixed == inputs, false, idea);
    expect_eq(of("do seeds 1 and 2 give the same order"), mixed == copy(2).0, false, idea);
}

// %% nbgrader={"grade": false, "grade_id": "dataloader-types", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Makes batches from a dataset. It holds settings only: each epoch is an iterator of its own.
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

/// A random change to an input that preserves its label: data augmentation.
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
    /// APPROACH: both are [`Problem::Setting`]. One message contains the word `batch`, the other the word
    /// `empty`. Put the dataset into an `Arc`; no shuffling, no augmentation.
    ///
    /// EXAMPLE: 10 samples in batches of 4 are batches of 4, 4 and 2.
    ///
    /// HINTS: the dataset can say itself whether it `is_empty`.
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
    use tinytorch::testing::{expect_eq, expect_named, expect_refused};

    let loader = |n: usize, batch_size| {
        let dataset = TensorDataset::new(Tensor::zeros(&[n, 2]), Tensor::zeros(&[n])).unwrap();
        DataLoader::new(dataset, batch_size)
    };
    for (n, batch_size, batches) in [(20, 4, 5), (3, 2, 2), (3, 8, 1), (1, 1, 1)] {
        let input = format!("batches of {n} samples, batch size {batch_size}");
        let made = loader(n, batch_size).ok().map(|loader| loader.len());
        expect_eq(input, made, Some(batches), "a loader keeps the batch size that it is given");
    }
    for (n, batch_size, word, idea) in [
        (3, 0, "batch", "batch size 0 must be refused here: its epochs would never end"),
        (0, 2, "empty", "an empty dataset must be refused here: its epochs have no step"),
    ] {
        let input = format!("{n} samples, batch size {batch_size}");
        let message = expect_refused(input, || loader(n, batch_size), Problem::Setting, idea);
        let idea = "each mistake has a message of its own, which names it";
        expect_named(&message.to_lowercase(), &[word], idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "epoch-next", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Iterator for Epoch {
    type Item = Result<Batch, DataError>;

    /// The next batch, or `None` after the last.
    ///
    /// TODO: take the next `batch_size` indices, fewer at the end, and make a batch of those samples.
    ///
    /// APPROACH:
    /// 1. Take the indices from `position` on, without running past the end. None left: the epoch is over.
    /// 2. Without augmentation, the dataset makes the batch. With it, get each sample, transform its
    ///    input, and [`collate`] the results.
    ///
    /// EXAMPLE: `order` of 5 indices, batch size 2: indices 0..2, 2..4, 4..5 of `order`, then `None`.
    ///
    /// HINTS: an error is an item of the iterator, not its end. Advance `position` before anything can fail,
    /// or the same bad sample is read forever. `collect` into a `Result` stops at the first error.
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
    use std::collections::HashSet;
    use tinytorch::testing::{expect_call, expect_eq};

    struct Change(fn(&Tensor, &mut Rng) -> Tensor);
    impl Transform for Change {
        fn apply(&self, image: &Tensor, rng: &mut Rng) -> Result<Tensor, DataError> {
            Ok(self.0(image, rng))
        }
    }
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
    let numbers: Vec<f32> = (0..10_u8).map(f32::from).collect();
    let inputs = Tensor::new(&numbers, &[10, 1]);
    let dataset = TensorDataset::new(inputs, Tensor::new(&numbers, &[10])).unwrap();
    let plain = DataLoader::new(dataset, 4).unwrap();
    // All inputs and all targets of an epoch. `take`: one that does not end must not hang the test.
    let values = |loader: &DataLoader, number| {
        let (mut inputs, mut targets) = (vec![], vec![]);
        for (x, y) in loader.epoch(number).take(9).map(Result::unwrap) {
            inputs.extend(x.to_vec());
            targets.extend(y.to_vec());
        }
        (inputs, targets)
    };
    let what = "the sizes of five batches of 4, of 10 samples";
    let idea = "the last batch is smaller, and then the epoch ends, for good";
    let mut epoch = plain.epoch(0);
    let mut size = || epoch.next().map(|batch| batch.unwrap().1.numel());
    expect_call(what, || [0; 5].map(|_| size()), [Some(4), Some(4), Some(2), None, None], idea);
    let idea = "without shuffling `order` is ascending: read the samples in that order";
    expect_eq("targets without shuffling", &values(&plain, 0).1, &numbers, idea);

    let shuffled = plain.shuffled(7);
    let (inputs, targets) = values(&shuffled, 0);
    expect_eq("a shuffled epoch", &inputs, &targets, "each input keeps its own target");
    let mut other = values(&shuffled, 1).1;
    let idea = "read the indices in `order`: each epoch has an order of its own";
    expect_eq("epochs 0 and 1: are they the same", targets == other, false, idea);
    other.sort_by(f32::total_cmp);
    expect_eq("a shuffled epoch, sorted", other, numbers, "each sample exactly once");

    let double = Change(|image, _| image * 2.0);
    let doubled = targets.iter().map(|target| target * 2.0).collect();
    let idea = "the transform changes every input, and no target";
    let yours = values(&shuffled.clone().augmented(double, 1), 0);
    expect_eq("inputs doubled by a transform", yours, (doubled, targets), idea);
    let noise = Change(|_, rng| Tensor::new(&[rng.uniform()], &[1]));
    let (inputs, _) = values(&shuffled.augmented(noise, 1), 0);
    let different: HashSet<u32> = inputs.iter().map(|x| x.to_bits()).collect();
    let idea = "each sample needs random numbers of its own: pass the generator, not a copy";
    expect_eq("different numbers that 10 samples drew", different.len(), 10, idea);

    let damaged = DataLoader::new(Damaged, 2).unwrap();
    let idea = "an error is an item of the iterator (None here), not its end, and the batches after it still arrive";
    for loader in [damaged.clone(), damaged.augmented(Change(|image, _| image.clone()), 1)] {
        let sizes = loader.epoch(0).take(9).map(|batch| batch.ok().map(|(x, _)| x.shape()[0]));
        let (what, wanted) = ("sizes, with a damaged sample in batch 1", [Some(2), None, Some(2)]);
        expect_eq(what, sizes.collect::<Vec<_>>(), wanted.to_vec(), idea);
    }
}

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

// %% nbgrader={"grade": false, "grade_id": "random-flip", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Transform for RandomHorizontalFlip {
    /// TODO: with probability `p`, reverse the last axis; otherwise return the image unchanged.
    ///
    /// APPROACH: draw one number from `[0, 1)`; if it is below `p`, flip: clone the array and invert its
    /// last axis. A tensor of shape `[]` has none: that is the error [`not_an_image`].
    ///
    /// EXAMPLE: `[[1, 2], [3, 4]]` becomes `[[2, 1], [4, 3]]`.
    ///
    /// HINTS: draw even when `p` is 0 or 1, so that later random numbers do not depend on `p`. ndarray's
    /// `invert_axis` negates the stride of the axis: no number is moved, and a clone shares them all.
    fn apply(&self, image: &Tensor, rng: &mut Rng) -> Result<Tensor, DataError> {
        // BEGIN SOLUTION
        let flip = rng.uniform() < self.p;
        let last = image.ndim().checked_sub(1).ok_or_else(|| not_an_image(&[]))?;
        if !flip {
            return Ok(image.clone());
        }
        let mut mirrored = image.array().clone();
        mirrored.invert_axis(Axis(last));
        Ok(Tensor::from_array(mirrored))
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-random-flip", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Always, never, and as often as asked for.
#[test]
fn test_unit_random_flip() {
    use tinytorch::testing::{expect_eq, expect_refused, expect_return};

    let image = Tensor::new(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[1, 2, 3]);
    let flip = |p, image: &Tensor, rng: &mut Rng| RandomHorizontalFlip::new(p)?.apply(image, rng);
    let mut rng = Rng::seeded(1);
    // The standard deviations are 10 and 6: four of them are allowed on each side.
    for (p, allowed) in [(0.0, 0..=0), (0.1, 16..=64), (0.5, 160..=240), (1.0, 400..=400)] {
        let mut changes = || flip(p, &image, &mut rng).unwrap().to_vec() != image.to_vec();
        let flipped = (0..400).filter(|_| changes()).count();
        let input = format!("{flipped} of 400 flipped at p = {p}: is that between {allowed:?}");
        expect_eq(input, allowed.contains(&flipped), true, "flip when the number drawn is below p");
        let (mut used, mut once) = (Rng::seeded(1), Rng::seeded(1));
        let _ = (flip(p, &image, &mut used).unwrap(), once.uniform());
        let input = format!("the next random number after a flip with p = {p}");
        let idea = "draw exactly one number, whatever p is";
        expect_eq(input, used.uniform(), once.uniform(), idea);
    }

    for shape in [&[1, 2, 3][..], &[2, 3]] {
        let input = format!("1 2 3 | 4 5 6 as {shape:?}, p = 1");
        let idea = "reverse the last axis, whatever the rank";
        let always = || flip(1.0, &image.reshape(shape), &mut Rng::seeded(1)).unwrap();
        let flipped = expect_return(&input, always, idea);
        let wanted = (shape, vec![3.0, 2.0, 1.0, 6.0, 5.0, 4.0]);
        expect_eq(input, (flipped.shape(), flipped.to_vec()), wanted, idea);
    }
    let scalar = || flip(1.0, &Tensor::scalar(1.0), &mut Rng::seeded(1));
    let idea = "a scalar has no last axis: an error of kind `Shape`, not a panic";
    expect_refused("a scalar", scalar, Problem::Shape, idea);
}

// %% nbgrader={"grade": false, "grade_id": "pad-image", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Pads an image `(H, W)` or `(C, H, W)` with `padding` rows and columns of zeros on each side.
///
/// TODO: make a larger image of zeros and copy the image into its middle.
///
/// APPROACH:
/// 1. Any other rank is the error [`not_an_image`].
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
    let window = |axis: AxisDescription| match axis.axis.index() + 2 >= rank {
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
    use tinytorch::testing::{expect_close, expect_eq, expect_refused, expect_return};

    for (shape, padding, wanted) in
        [(&[1, 2][..], 1, &[3, 4][..]), (&[1, 2], 0, &[1, 2]), (&[3, 8, 8], 2, &[3, 12, 12])]
    {
        let input = format!("padding {padding} around {shape:?}");
        let idea = "height and width grow by 2 * padding, channels do not";
        let image = Tensor::ones(shape);
        let padded = expect_return(&input, || pad_image(&image, padding).unwrap(), idea);
        expect_eq(&input, padded.shape(), wanted, idea);
        let idea = "all pixels of the image are kept, and the border is 0";
        expect_close(input, &[padded.sum().item()], &[image.sum().item()], 0.0, idea);
    }
    let padded = pad_image(&Tensor::new(&[1.0, 2.0], &[1, 2]), 1).unwrap().to_vec();
    let wanted = [0., 0., 0., 0., 0., 1., 2., 0., 0., 0., 0., 0.];
    expect_close("1 2 with padding 1", &padded, &wanted, 0.0, "the image is in the middle");
    for shape in [&[64][..], &[2, 3, 8, 8]] {
        let (input, idea) = (format!("a tensor {shape:?}"), "only (H, W) and (C, H, W) are images");
        expect_refused(input, || pad_image(&Tensor::zeros(shape), 1), Problem::Shape, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "random-crop", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Transform for RandomCrop {
    /// TODO: pad, choose a corner at random, crop.
    ///
    /// APPROACH:
    /// 1. [`pad_image`]; the last two entries of the padded shape are height and width.
    /// 2. A `size` larger than that is [`Problem::Setting`]; the message gives both sizes.
    /// 3. Draw the top row and the left column; every position where the crop fits is equally likely.
    /// 4. Slice, with one range per axis; channels keep their full range.
    ///
    /// EXAMPLE: 8x8 with padding 2 and size 8x8: the top row is 0, 1, 2, 3 or 4, and so is the left column.
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
    use std::collections::BTreeSet;
    use tinytorch::testing::{expect_eq, expect_named, expect_refused, expect_return};

    type Crops = BTreeSet<(Vec<usize>, Vec<u8>)>;
    let image = Tensor::new(&(0..16_u8).map(f32::from).collect::<Vec<_>>(), &[1, 4, 4]);
    let crops = |what: &str, image: &Tensor, size, padding, idea: &str| -> Crops {
        let (crop, mut rng) = (RandomCrop { size, padding }, Rng::seeded(3));
        let mut part = || {
            let part = crop.apply(image, &mut rng).unwrap();
            (part.shape().to_vec(), part.to_vec().iter().map(|x| *x as u8).collect())
        };
        expect_return(what, || (0..200).map(|_| part()).collect(), idea)
    };
    let idea = "the last position that fits counts too, and each corner is drawn by itself";
    let (what, wanted) = ("4x4 cropped to 4x4", [(vec![1, 4, 4], (0..16).collect())]);
    expect_eq(what, crops(what, &image, (4, 4), 0, idea), wanted.into(), idea);
    // The first pixel shows where the crop began: (0, 0), (0, 1), (1, 0) or (1, 1).
    let what = "first pixels of 4x4 cropped to 3x3";
    let first = crops(what, &image, (3, 3), 0, idea).into_iter().map(|(_, part)| part[0]);
    expect_eq(what, first.collect::<BTreeSet<_>>(), [0, 1, 4, 5].into(), idea);
    let what = "shapes and sums of 2x6 ones, padded to 4x8, cropped to 3x2";
    let (wide, idea) = (Tensor::ones(&[2, 6]), "height first, then width");
    let parts = crops(what, &wide, (3, 2), 1, idea).into_iter();
    let sums = parts.map(|(shape, part)| (shape, part.iter().sum::<u8>())).collect::<BTreeSet<_>>();
    expect_eq(what, sums, [(vec![3, 2], 2), (vec![3, 2], 4)].into(), idea);
    for (tall, wide) in [(19, 4), (4, 19), (9, 8), (8, 9)] {
        let crop = RandomCrop { size: (tall, wide), padding: 2 };
        let input = format!("4x4, padded to 8x8, cropped to {tall}x{wide}");
        let idea = "check that height and width both fit: an error, not a panic";
        let cropped = || crop.apply(&image, &mut Rng::seeded(1));
        let message = expect_refused(input, cropped, Problem::Setting, idea);
        let sizes = [&tall.max(wide).to_string(), "8"];
        expect_named(&message, &sizes, "the message gives both sizes");
    }
}

// %% nbgrader={"grade": false, "grade_id": "stratified-split", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Splits samples by class: one in `every` is for testing. Returns the indices `(train, test)`,
/// both in ascending order.
///
/// TODO: shuffle the indices of all samples, sort them by class, and deal them out.
///
/// APPROACH:
/// 1. Shuffle the indices with a generator seeded with `seed`: chance decides which samples are chosen.
/// 2. Sort by class with a stable sort: the samples of a class stand together, still shuffled.
/// 3. Positions 0, `every`, `2 * every`, ... of that list are for testing, the others for training.
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
    use tinytorch::testing::expect_eq;

    let classes: Vec<u8> = (0..50).map(|i| if i % 5 == 3 { 200 } else { 7 }).collect();
    let of = |what: &str| format!("40 samples of class 7 and 10 of class 200, mixed: {what}");
    let rare = |part: &[usize]| part.iter().filter(|&&index| classes[index] == 200).count();
    for seed in 1..6 {
        let (train, test) = stratified_split(&classes, 5, seed);
        let idea = "one in `every` is for testing, the rest for training";
        expect_eq(of("every 5th, sizes"), (train.len(), test.len()), (40, 10), idea);
        let idea = "sort by class before dealing out: each class is in both parts in proportion";
        expect_eq(of("every 5th, test samples of class 200"), rare(&test), 2, idea);
    }
    let (train, test) = stratified_split(&classes, 3, 1);
    let idea = "positions 0, `every`, 2 * `every` and so on of the whole list, sorted by class, are for testing";
    let yours = (train.len(), test.len(), rare(&test));
    expect_eq(of("every 3rd, sizes and test samples of class 200"), yours, (33, 17, 3), idea);
    let sorted = (train.is_sorted(), test.is_sorted());
    expect_eq(of("are both in order"), sorted, (true, true), "both lists are in ascending order");
    let mut all = [train.clone(), test.clone()].concat();
    all.sort_unstable();
    expect_eq(of("all indices"), all, (0..50).collect(), "no sample twice and none lost");
    let idea = "the same seed gives the same split: results of different days can be compared";
    expect_eq(of("seed 1 twice"), stratified_split(&classes, 3, 1), (train, test.clone()), idea);
    let repeats = stratified_split(&classes, 3, 2).1 == test;
    let idea = "the seed decides which samples are chosen";
    expect_eq(of("do seeds 1 and 2 choose the same"), repeats, false, idea);
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
    /// To measure what was learned, once, at the end.
    pub test: TensorDataset,
}

// %% nbgrader={"grade": false, "grade_id": "digits", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The embedded digits (Alpaydin and Kaynak, UCI 1998, CC BY 4.0): 1,437 to train on and 360 to
/// test on, always the same ones. Inputs from 0 to 1, targets the classes 0 to 9, shape `(N)`.
///
/// TODO: unpack, parse, scale, split.
///
/// APPROACH:
/// 1. [`unpack`] the bytes of `tinytorch::data::DIGITS_CSV_GZ`, read them as text, [`parse_digits`].
/// 2. [`stratified_split`] of the classes: one in 5 for testing, seed 0.
/// 3. Inputs: grey levels / 16, shape `(1797, 64)` or `(1797, 1, 8, 8)`; targets: the classes.
/// 4. One dataset of all samples; [`TensorDataset::subset`] takes the rows of each part.
///
/// EXAMPLE: `digits(DigitShape::Image)?.train.inputs().shape()` is `[1437, 1, 8, 8]`.
///
/// HINTS: `unpack` and `parse_digits` are given; the first argument of `unpack` is a name for messages.
/// `String::from_utf8_lossy` turns bytes into text.
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
    Ok(Split { train: all.subset(&train)?, test: all.subset(&test)? })
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-digits", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 1,437 and 360 digits, grey levels from 0 to 1, every class in proportion.
#[test]
fn test_unit_digits() {
    use tinytorch::testing::{expect_close, expect_eq};

    for (shape, one) in [(DigitShape::Image, &[1, 8, 8][..]), (DigitShape::Flat, &[64])] {
        let Split { train, test } = digits(shape).unwrap();
        let of = |what: &str| format!("{what} of `DigitShape::{shape:?}`");
        let idea = "one in 5 is for testing: 1,437 to train on, 360 to test on";
        expect_eq(of("counts"), (train.len(), test.len()), (1437, 360), idea);
        let shapes = (&train.inputs().shape()[1..], &test.inputs().shape()[1..]);
        let idea = "the shape that was asked for; an image has an axis for its channel, of size 1";
        expect_eq(of("shapes"), shapes, (one, one), idea);
        let largest = [&train, &test].map(|part| part.inputs().max().item());
        let idea = "grey levels are 0 to 16: divide by 16";
        expect_close(of("largest inputs"), &largest, &[1.0; 2], 0.0, idea);
        let first = [2., 4., 5., 9., 6., 9., 2., 3., 5., 7., 5., 5., 9., 1., 7., 0.];
        let idea = "the split is always the same: one in 5, with seed 0";
        expect_close(of("first test classes"), &test.targets().data()[..16], &first, 0.0, idea);
        let sums = [0, 1, 2, 3].map(|row| test.inputs().select(0, row).sum().item() * 16.0);
        let idea = "each target keeps its own 64 grey levels: gather both from the same rows";
        let wanted = [344., 258., 342., 329.];
        expect_close(of("sums of levels, first test digits"), &sums, &wanted, 0.1, idea);
        let total = [train.inputs().sum().item() + test.inputs().sum().item()];
        let idea = "every digit in one of the parts";
        expect_close(of("the sum of all inputs"), &total, &[35_107.375], 0.01, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "parse-idx", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Parses the IDX format of MNIST: the magic number `0 0 8 R`, then `R` sizes of four bytes each,
/// most significant byte first, then one byte per value. `file` is the name for messages.
///
/// TODO: check the magic number, read the sizes, check the length, return `Idx { shape, values }`.
///
/// APPROACH:
/// 1. Fewer than 4 bytes is `DataError::wrong_size(file, expected, found)`. Other than `0 0 8` is
///    [`Problem::WrongMagic`].
/// 2. The header has `4 + 4 * R` bytes; fewer is `wrong_size` again.
/// 3. The number of values is the product of the sizes; fewer or more bytes is `wrong_size`. Both of
///    its numbers count the whole file, header included.
///
/// EXAMPLE: `0 0 8 1  0 0 0 2  7 9` is the shape `[2]` with the values 7 and 9.
///
/// HINTS: `get` of a range is `None` where indexing would panic. A header can hold sizes whose
/// product overflows: a saturating product is a number of bytes that no file has.
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
/// 🔬 A valid file is parsed; one of a wrong length or format, or of impossible sizes, is an error that names it.
#[test]
fn test_unit_parse_idx() {
    use tinytorch::testing::{expect_eq, expect_named, expect_refused};

    let parse = |bytes: &[u8]| parse_idx("a.idx", bytes);
    let right = [0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6];
    let wanted = Ok(Idx { shape: vec![2, 3], values: vec![1, 2, 3, 4, 5, 6] });
    let idea = "sizes have four bytes each, the most significant one first; then come the values";
    let yours = parse(&right).map_err(|error| error.kind);
    expect_eq("the array 1 2 3 | 4 5 6", yours, wanted, idea);
    for (at, byte, what) in [(0, 1, "first zero"), (1, 1, "second zero"), (2, 13, "type, 8")] {
        let mut almost = right;
        almost[at] = byte;
        let input = format!("a file whose byte {at} is {byte}");
        let idea = format!("byte {at} of the magic number is the {what}: check all three");
        expect_refused(input, || parse(&almost), Problem::WrongMagic, &idea);
    }
    let long = [&right[..], &[0]].concat();
    let huge = [&[0, 0, 8, 3][..], &[128, 0, 0, 0], &[128, 0, 0, 0], &[0, 0, 0, 4]].concat();
    let saturate = "a product that wraps around makes this header look right: let it saturate";
    for (what, bytes, expected, idea) in [
        ("an empty file", &[][..], "4 bytes", "the magic number has 4 bytes: are they there?"),
        (
            "a header that is cut off",
            &right[..9],
            "12 bytes",
            "check that the whole header is there",
        ),
        ("no last value", &right[..17], "18 bytes", "fewer bytes than the sizes promise"),
        ("one byte too many", &long, "18 bytes", "more bytes than the sizes promise"),
        ("sizes 2^31 x 2^31 x 4, and no values", &huge, "", saturate),
    ] {
        let message = expect_refused(what, || parse(bytes), Problem::WrongSize, idea);
        let idea = "the expected and the found size count the whole file, header included";
        let facts = ["a.idx", expected, &format!("{} found", bytes.len())];
        expect_named(&message, &facts, idea);
    }
}

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
    /// 2. Spawn a thread that owns `source` and the sender, and sends item after item. When `send` fails,
    ///    the receiver is gone: stop.
    /// 3. Keep the receiver and the thread's handle.
    ///
    /// EXAMPLE: `Prefetcher::new(loader.epoch(0), 2)` yields the batches of `loader.epoch(0)`.
    ///
    /// HINTS: the bounded channel of the standard library is `sync_channel`.
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
    use std::sync::mpsc::{Sender, channel};
    use std::time::Duration;
    use tinytorch::testing::{expect_eq, panic_message};

    // `new` is called on a thread, so that one that waits for its items fails here instead of hanging.
    let (done, returned) = channel();
    std::thread::spawn(move || done.send(Prefetcher::new(0..100, 3)));
    let prefetcher = returned.recv_timeout(Duration::from_secs(5)).ok();
    let idea = "the thread takes the items: `new` starts it and returns at once";
    expect_eq("capacity 3: did `new` return within 5 s", prefetcher.is_some(), true, idea);
    let all: Vec<usize> = prefetcher.into_iter().flatten().collect();
    expect_eq("0 to 99", all, (0..100).collect(), "every item, in the same order");

    let broken = Prefetcher::new((0..3).inspect(|&item| assert!(item < 2, "item 2 is broken")), 3);
    let idea = "keep the thread's handle, or a panic while loading looks like the end of the data";
    let message = panic_message(|| broken.count());
    expect_eq("a source that panics at item 2", message, "item 2 is broken".to_owned(), idea);

    // Each item reports when it is made, and the source how it ended: true if the thread that owned it panicked.
    struct Ending(Sender<bool>);
    impl Drop for Ending {
        fn drop(&mut self) {
            let _ = self.0.send(std::thread::panicking());
        }
    }
    let ((report, made), (end, ended)) = (channel(), channel());
    let ending = Ending(end);
    let source = (0..100_000_usize).inspect(move |_| {
        let _whole = &ending;
        report.send(()).unwrap();
    });
    let made_within = |time| made.recv_timeout(Duration::from_millis(time)).is_ok();
    let mut prefetcher = Prefetcher::new(source, 3);
    let ahead = (0..4).take_while(|_| made_within(5_000)).count();
    let idea = "`capacity` items are buffered and one more is waiting to be sent";
    expect_eq("items made ahead, capacity 3", ahead, 4, idea);
    // A bounded source is blocked now and reports nothing; an unbounded one reports its fifth item.
    let idea = "the buffer is bounded: it holds `capacity` items and no more";
    expect_eq("capacity 3: was a fifth item made", made_within(100), false, idea);
    let taken = (prefetcher.next(), made_within(5_000));
    let idea = "every item, in the same order; one taken makes room for one more";
    expect_eq("the first item taken, and was one more made then", taken, (Some(0), true), idea);
    drop(prefetcher);
    let idea = "when `send` fails the receiver is gone: stop, without a panic";
    let panicked = ended.recv_timeout(Duration::from_secs(5));
    expect_eq("a prefetcher that was dropped: did its thread panic", panicked, Ok(false), idea);
    let more = made.try_iter().count();
    let input =
        format!("{more} of 99,995 items were made after the prefetcher was dropped: at most 1");
    expect_eq(input, more <= 1, true, idea);
}

// %% nbgrader={"grade": false, "grade_id": "analyze-loader-throughput", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 Samples per second over batch size, in file order and shuffled; one batch by `collate` and by `gather`.
///
/// Purpose: see what a larger batch saves, and what shuffling costs.
/// Measured: the time to load one epoch of the 1,437 training digits, median of 7 epochs.
/// Key insight: each batch has a fixed cost, so larger batches are cheaper per sample until only
/// copying is left; shuffling moves indices, not pictures.
/// Production context: loaders shuffle a list of indices even for a hundred million samples.
pub fn analyze_loader_throughput(out: &mut Reporter) {
    if let Err(error) = throughput(out).and_then(|()| collation(out)) {
        out.note(format!("The loader could not be measured: {error}"));
    }
}

fn throughput(out: &mut Reporter) -> Result<(), DataError> {
    let train = digits(DigitShape::Flat)?.train;
    let load = |loader: &DataLoader| loader.epoch(0).filter_map(Result::ok).count();
    // The slow quartile of the times is the low end.
    let rates = |timing: Timing| {
        [timing.high, timing.median, timing.low].map(|seconds| train.len() as f64 / seconds)
    };
    let (mut rows, mut ordered, mut shuffled) = (vec![], vec![], vec![]);
    for batch_size in [1, 4, 16, 64, 256, 1024] {
        let loader = DataLoader::new(train.clone(), batch_size)?;
        let mixed = loader.clone().shuffled(1);
        let both = compare(7, || load(&mixed), || load(&loader));
        let [at_random, in_order] = [both.first, both.second].map(rates);
        ordered.push((batch_size as f64, in_order[1]));
        shuffled.push((batch_size as f64, at_random[1]));
        let speeds = [in_order, at_random].map(Value::spread);
        rows.push([vec![batch_size.into()], speeds.to_vec(), vec![both.ratio.into()]].concat());
    }
    let speed = "samples/s";
    let columns = [
        ("batch size", ""),
        ("in order", speed),
        ("shuffled", speed),
        ("shuffled / in order, time", "x"),
    ];
    out.measured_table("Loading 1,437 digits", &columns, rows);
    let (x, y) = (ChartAxis::log("batch size", ""), ChartAxis::log("throughput", speed));
    let curves = vec![Series::new("in order", ordered), Series::new("shuffled", shuffled)];
    out.measured_chart("Samples per second over batch size", x, y, curves);
    let (single, large) = (DataLoader::new(train.clone(), 1)?, DataLoader::new(train, 1024)?);
    let mixed = large.clone().shuffled(1);
    let batching = compare(15, || load(&single), || load(&large));
    let shuffling = compare(15, || load(&mixed), || load(&large));
    let pairs = [(COMPARED[0], COMPARED[1], batching), (COMPARED[2], COMPARED[1], shuffling)];
    out.compared("Timed in turn", &pairs);
    out.measured(
        "an epoch in batches of 1 / in batches of 1,024, time",
        batching.ratio.median,
        "x",
    );
    out.insight(throughput_insight(batching.ratio, shuffling.ratio));
    Ok(())
}

/// A batch built sample by sample against one gathered in a single copy: `collate` makes 128 small tensors and copies
/// every value twice, which costs small samples far more than the data.
fn collation(out: &mut Reporter) -> Result<(), DataError> {
    let mut rng = Rng::seeded(4);
    let (mut rows, mut smallest) = (vec![], None);
    for values in [16, 64, 784, 3072] {
        let inputs = Tensor::rand(&[512, values], &mut rng);
        let dataset = TensorDataset::new(inputs, Tensor::zeros(&[512]))?;
        let indices: Vec<usize> = (0..64).map(|_| rng.below(512)).collect();
        let collated = || {
            let samples = indices.iter().map(|&index| dataset.sample(index));
            collate(&samples.collect::<Result<Vec<_>, _>>()?)
        };
        let both = compare(31, collated, || dataset.gather(&indices));
        smallest.get_or_insert(both);
        let bytes = values * 4;
        rows.push(vec![bytes.into(), both.first.into(), both.second.into(), both.ratio.into()]);
    }
    let columns = [("sample", "B"), ("sample by sample", "s"), ("gathered", "s"), ("ratio", "x")];
    out.measured_table("One batch of 64 samples", &columns, rows);
    if let Some(both) = smallest {
        let pair = ("collating sample by sample", "gathering", both);
        out.compared("Timed in turn, samples of 64 B", &[pair]);
        out.insight(collation_insight(both.ratio));
    }
    Ok(())
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
    let crop = RandomCrop { size: (8, 8), padding: 2 };
    let loader = digits(DigitShape::Image).and_then(|digits| DataLoader::new(digits.train, 64));
    let loader = match loader {
        Ok(loader) => loader.shuffled(1).augmented(crop, 2),
        Err(error) => return out.note(format!("There is no loader to measure: {error}")),
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
    let cores = tinytorch::threads::cores();
    let names = ["loading alone", "computing alone", "in turn", "prefetching"];
    let times = [load, work, both.first, both.second].map(Value::from);
    let rows = names.into_iter().zip(times).map(|(name, time)| vec![name.into(), time]).collect();
    let columns = [("what", ""), ("time", "s")];
    out.measured_table("20 batches of 64 augmented digits", &columns, rows);
    out.compared("Timed in turn, 20 batches", &[("loading in turn", "prefetching", both)]);
    out.measured("in turn / prefetching", both.ratio.median, "x");
    out.measured("cores", cores as f64, "");
    let most = (load.median + work.median) / load.median.max(work.median);
    let formula = "(loading + computing) / the longer of the two";
    out.computed("the most that prefetching can gain", most, "x", formula);
    out.insight(prefetch_insight(both.ratio, cores));
}

// %% nbgrader={"grade": false, "grade_id": "analyze-training-data", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// A network for flat digits.
pub fn digit_network(hidden: usize, seed: u64) -> Sequential {
    let rng = &mut Rng::seeded(seed);
    Sequential::new(vec![
        Box::new(Linear::new(64, hidden, rng)),
        Box::new(ReLU),
        Box::new(Linear::new(hidden, 10, rng)),
    ])
}

/// 📊 The same digits in four orders, then few of them.
///
/// Purpose: see what shuffling is for, what overfitting is, and what a validation set shows.
/// Measured: accuracy on 360 validation digits after 5 epochs on 1,077 in each order, batches of 32, Adam at four
/// rates, quartiles of five seeds; then the losses on 108 training and the validation digits, 60 epochs of 64-64-10.
/// Key insight: a minibatch must be a random sample of the data; a training loss near 0 can mean that digits were
/// learned by heart, which only other digits show.
/// Production context: files are often sorted by class, date or source; early stopping keeps the weights of the epoch
/// with the lowest validation loss, and the test set has no part in that choice.
pub fn analyze_training_data(out: &mut Reporter) {
    if let Err(error) = compare_orders(out).and_then(|()| overfit(out)) {
        out.note(format!("The networks could not be trained: {error}"));
    }
}

fn compare_orders(out: &mut Reporter) -> Result<(), Box<dyn std::error::Error>> {
    let (train, validation) = digits(DigitShape::Flat)?.train.hold_out(4, 0)?;
    let mut by_class: Vec<usize> = (0..train.len()).collect();
    by_class.sort_by_key(|&index| train.targets().data()[index] as u8);
    let sorted = DataLoader::new(train.subset(&by_class)?, 32)?;
    let once = DataLoader::new(train.shuffled_copy(&mut Rng::seeded(1))?, 32)?;
    let as_in_file = DataLoader::new(train, 32)?;
    let held_out = [(validation.inputs().clone(), validation.targets().clone())];
    // The median of five seeds with its quartiles; shuffled for each epoch, or as the loader is.
    let accuracy = |loader: &DataLoader, shuffles: bool, rate: f32| {
        let mut found = vec![];
        for seed in 1..=5 {
            let loader = if shuffles { loader.clone().shuffled(seed) } else { loader.clone() };
            let network = digit_network(32, seed);
            let mut trainer = Trainer::new(network, Adam::new(rate), CrossEntropyLoss);
            for epoch in 0..5 {
                trainer.train_epoch(loader.epoch(epoch))?;
            }
            found.push(f64::from(trainer.evaluate(&held_out)?.1.unwrap_or(0.0)));
        }
        Ok::<_, Box<dyn std::error::Error>>(quartiles(found))
    };
    const RATES: [f32; 4] = [0.001, 0.003, 0.01, 0.03];
    let (mut rows, mut best) = (vec![], vec![]);
    for (name, loader, shuffles) in [
        ("sorted by class", &sorted, false),
        ("as in the file", &as_in_file, false),
        ("shuffled once", &once, false),
        ("shuffled for each epoch", &sorted, true),
    ] {
        let (mut row, mut highest) = (vec![name.into()], 0.0_f64);
        for rate in RATES {
            let percents = accuracy(loader, shuffles, rate)?.map(|part| part * 100.0);
            row.push(Value::spread(percents));
            highest = highest.max(percents[1]);
            out.progress("orders and rates", (4 * rows.len() + row.len() - 1) as u64, 16);
        }
        row.push(highest.into());
        rows.push(row);
        best.push(highest / 100.0);
    }
    let at = RATES.map(|rate| format!("at rate {rate}"));
    let mut columns = vec![("order of the training digits", "")];
    columns.extend(at.iter().map(|name| (name.as_str(), "%")));
    columns.push(("at the best rate", "%"));
    out.measured_table("Accuracy on 360 validation digits after 5 epochs", &columns, rows);
    out.measured("accuracy after training on sorted digits", best[0] * 100.0, "%");
    out.insight(order_insight(best[0], best[3], validation.len()));
    Ok(())
}

fn overfit(out: &mut Reporter) -> Result<(), Box<dyn std::error::Error>> {
    const EPOCHS: usize = 60;
    let (rest, validation) = digits(DigitShape::Flat)?.train.hold_out(4, 0)?;
    let (_, few) = rest.hold_out(10, 1)?;
    let whole = |part: &TensorDataset| [(part.inputs().clone(), part.targets().clone())];
    let (seen, unseen) = (whole(&few), whole(&validation));
    let loader = DataLoader::new(few, 16)?.shuffled(1);
    let mut trainer = Trainer::new(digit_network(64, 1), Adam::new(0.01), CrossEntropyLoss);
    let (mut losses, mut accuracies) = ([vec![], vec![]], [0.0; 2]);
    for epoch in 0..EPOCHS {
        trainer.train_epoch(loader.epoch(epoch))?;
        for (part, batches) in [&seen, &unseen].into_iter().enumerate() {
            let (loss, accuracy) = trainer.evaluate(batches)?;
            losses[part].push(((epoch + 1) as f64, f64::from(loss)));
            accuracies[part] = f64::from(accuracy.unwrap_or(0.0));
        }
        out.progress("epochs", epoch as u64 + 1, EPOCHS as u64);
    }
    let validation_loss: Vec<f64> = losses[1].iter().map(|(_, loss)| *loss).collect();
    let [training, held_out] = losses;
    let (x, y) = (ChartAxis::linear("epoch", ""), ChartAxis::log("loss", ""));
    let curves = vec![Series::new("training", training), Series::new("validation", held_out)];
    out.measured_chart("Loss on the digits that are trained on, and on others", x, y, curves);
    out.measured("accuracy on the training digits", accuracies[0] * 100.0, "%");
    out.measured("accuracy on the validation digits", accuracies[1] * 100.0, "%");
    out.insight(overfitting_insight(&validation_loss, accuracies, validation.len()));
    Ok(())
}

// %% nbgrader={"grade": true, "grade_id": "test-dataloader-module", "locked": true, "points": 20, "schema_version": 3, "solution": false, "task": false}
/// 🧪 Shuffled digits train a network of the earlier modules; prefetching changes nothing.
#[test]
fn test_module() {
    use tinytorch::testing::{expect_close, expect_eq};

    // Augmented and prefetched batches are the same as those drawn without a second thread.
    let augment = Compose(vec![
        Box::new(RandomCrop { size: (8, 8), padding: 1 }),
        Box::new(RandomHorizontalFlip::new(0.5).unwrap()),
    ]);
    let images = DataLoader::new(digits(DigitShape::Image).unwrap().train, 100).unwrap();
    let loader = images.shuffled(1).augmented(augment, 2);
    let mut samples = 0;
    for (one, other) in loader.epoch(3).zip(Prefetcher::new(loader.epoch(3), 2)) {
        let ((inputs, targets), (same_inputs, same_targets)) = (one.unwrap(), other.unwrap());
        let idea = "a crop as large as the image gives an image of the same shape";
        expect_eq("the shape of an augmented digit", &inputs.shape()[1..], &[1, 8, 8], idea);
        let idea = "prefetching changes nothing: an epoch depends on its seeds and its number only";
        let of = |what: &str| format!("the {what} of a batch, prefetched and without a thread");
        expect_close(of("inputs"), &same_inputs.data(), &inputs.data(), 0.0, idea);
        expect_close(of("targets"), &same_targets.data(), &targets.data(), 0.0, idea);
        samples += targets.numel();
    }
    let idea = "each sample exactly once: the last batch is smaller than the others";
    expect_eq("samples in an epoch of 1,437 in batches of 100", samples, 1437, idea);

    // Digits that were not in the training set are read.
    let flat = digits(DigitShape::Flat).unwrap();
    let train = DataLoader::new(flat.train, 32).unwrap().shuffled(1);
    let test = DataLoader::new(flat.test, 360).unwrap();
    let mut trainer = Trainer::new(digit_network(32, 1), Adam::new(0.01), CrossEntropyLoss);
    for epoch in 0..5 {
        trainer.train_epoch(train.epoch(epoch)).unwrap();
    }
    let (_, accuracy) = trainer.evaluate(test.epoch(0)).unwrap();
    let percent = accuracy.unwrap_or(0.0) * 100.0;
    let input =
        format!("{percent:.1} % of the test digits read after 5 epochs: are that 90 % or more");
    let idea = "each digit keeps its own target, and its levels are from 0 to 1: print a batch";
    expect_eq(input, percent >= 90.0, true, idea);
}

// %% nbgrader={"grade": false, "grade_id": "dataloader-plumbing", "locked": true, "schema_version": 3, "solution": false, "task": false}
impl TensorDataset {
    /// All inputs, shape `(N, ...)`.
    pub fn inputs(&self) -> &Tensor {
        &self.inputs
    }

    /// All targets, shape `(N, ...)`.
    pub fn targets(&self) -> &Tensor {
        &self.targets
    }

    /// The samples `indices`, in that order, as a dataset of their own.
    pub fn subset(&self, indices: &[usize]) -> Result<Self, DataError> {
        let (inputs, targets) = self.gather(indices)?;
        Self::new(inputs, targets)
    }

    /// Splits by class: `(the rest, one sample in every so many)`. Of a training set, the second part is a validation
    /// set: choices are made on it, so that the test set is looked at once. Targets must be class numbers below 256.
    pub fn hold_out(&self, every: usize, seed: u64) -> Result<(Self, Self), DataError> {
        if every < 2 {
            let message = format!("one sample in {every} cannot be held out: choose 2 or more");
            return Err(DataError::new(Problem::Setting, message));
        }
        let (rest, held_out) = stratified_split(&classes(&self.targets.data())?, every, seed);
        Ok((self.subset(&rest)?, self.subset(&held_out)?))
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

/// Loads MNIST, or a dataset in its format, from two IDX files, gzipped or plain: inputs
/// `(N, 1, H, W)` from 0 to 1, targets `(N)`, each below `classes`.
pub fn load_idx(images: &Path, labels: &Path, classes: usize) -> Result<TensorDataset, DataError> {
    let ((images, image_bytes), (labels, label_bytes)) = (read(images)?, read(labels)?);
    let image_idx = parse_idx(&images, &image_bytes)?;
    let label_idx = parse_idx(&labels, &label_bytes)?;
    let ([count, height, width], (pixels, targets)) =
        images_with_labels((&images, &image_idx), (&labels, &label_idx), classes)?;
    let inputs = Tensor::new(&pixels, &[count, 1, height, width]);
    TensorDataset::new(inputs, Tensor::new(&targets, &[count]))
}

/// Loads CIFAR-10 from its binary files (`data_batch_1.bin` ...), gzipped or plain, in the given
/// order: inputs `(N, 3, 32, 32)` from 0 to 1, targets `(N)`.
pub fn load_cifar10(files: &[PathBuf]) -> Result<TensorDataset, DataError> {
    let (pixels, targets) = read_cifar10(files)?;
    let count = targets.len();
    TensorDataset::new(Tensor::new(&pixels, &[count, 3, 32, 32]), Tensor::new(&targets, &[count]))
}

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
    analyze_prefetch(&mut out);
    analyze_training_data(&mut out);
}

// %% nbgrader={"grade": false, "grade_id": "dataloader-own", "locked": false, "schema_version": 3, "solution": false, "task": false}
// Yours: helper functions and tests of your own go here. The tutor runs each `#[test]` function of this cell and
// shows it as yours; it is never graded.
