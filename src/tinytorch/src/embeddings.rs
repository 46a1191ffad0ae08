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

// %% nbgrader={"grade": false, "grade_id": "embeddings-header", "locked": true, "schema_version": 3, "solution": false, "task": false}
//! 11 Embeddings: ids as vectors that can be learned, and positions. Input: ids (..., S), whole numbers in a tensor.
//! Output: vectors (..., S, dim). Depends on 00 to 07 and 10. By hand: with the table
//! `[[1, 2], [3, 4]]` the ids `[1, 1, 0]` are `[3, 4], [3, 4], [1, 2]`.
//! Not here: how vectors at different positions meet (12).

use std::hint::black_box;
use tinytorch::activations::ReLU;
use tinytorch::autograd::{GradientRule, InputGradients, custom, grad_for};
use tinytorch::data::dialogue::{self, Split};
use tinytorch::explore::Explorer;
use tinytorch::layers::{Layer, Linear, Sequential};
use tinytorch::losses::CrossEntropyLoss;
use tinytorch::optimizers::Adam;
use tinytorch::random::Rng;
use tinytorch::report::{Axis, Reporter, Series};
use tinytorch::tensor::{Tensor, Values, shape_text, values};
use tinytorch::testing::{Ratio, Reading, compare, compare_accuracies, sample_error};
use tinytorch::tokenization::{Id, chunks};
use tinytorch::training::{Trainer, TrainingError, three_sets};

// %% [markdown] nbgrader={"grade": false, "grade_id": "embeddings-intro", "locked": true, "schema_version": 3, "solution": false, "task": false}
// # 🎯 Embeddings
//
// You build: a table with one row for each token, whose lookup and gradient touch only the rows that are used; positions that
// are added, as waves or learned; positions that rotate; and an output layer that shares the table.

// %% nbgrader={"grade": false, "grade_id": "embeddings-ids", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Up to here an `f32` holds every whole number exactly: 2^24.
pub const LARGEST_VOCABULARY: usize = 1 << 24;

/// Ids as a tensor of whole numbers, which every `Layer` and the `Trainer` accept. Panics when an id is too large for an
/// `f32` to hold exactly, or when the shape holds another number of ids.
pub fn ids_tensor(ids: &[Id], shape: &[usize]) -> Tensor {
    let number = |(place, &id): (usize, &Id)| {
        assert!(
            (id as usize) < LARGEST_VOCABULARY,
            "ids_tensor: id {id} at index {place} is too large: from {LARGEST_VOCABULARY} on, an f32 cannot hold every whole number"
        );
        id as f32
    };
    Tensor::new(&ids.iter().enumerate().map(number).collect::<Vec<f32>>(), shape)
}

/// The message for the id at `index`, in row-major order, that no row of the table has.
pub fn wrong_id(ids: &Tensor, index: usize, vocab: usize) -> String {
    let mut rest = index;
    let mut place: Vec<usize> = ids
        .shape()
        .iter()
        .rev()
        .map(|&size| {
            let along = rest % size;
            rest /= size;
            along
        })
        .collect();
    place.reverse();
    format!(
        "embedding: id {} at {place:?} of ids {} is not in the vocabulary of {vocab} tokens: ids are whole numbers from 0 to {}",
        ids.data()[index],
        shape_text(ids.shape()),
        vocab - 1
    )
}

// %% nbgrader={"grade": false, "grade_id": "embeddings-rows", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The row of the table for each id, in row-major order. Panics with `wrong_id` when an id is not a whole number below `vocab`.
///
/// TODO: turn each number into an index, and refuse every number that is none.
///
/// APPROACH:
/// 1. Go through the numbers with their indices.
/// 2. A number is an id if it is at least 0, below `vocab`, and whole. NaN is none of that.
/// 3. For any other number, panic with the message that `wrong_id` makes.
///
/// EXAMPLE: `[2, 0]` with `vocab` 3 are the rows `[2, 0]`; `[2, 3]`, `[-1]` and `[0.5]` are errors.
///
/// HINTS: `as usize` turns -1, NaN and 0.5 into 0 without an error: check before you convert. `fract()` is the part behind the
/// decimal point; a range of `f32` has `contains`.
pub fn rows_of(ids: &Tensor, vocab: usize) -> Vec<usize> {
    // BEGIN SOLUTION
    let row = |(index, &id): (usize, &f32)| {
        let is_id = (0.0..vocab as f32).contains(&id) && id.fract() == 0.0;
        assert!(is_id, "{}", wrong_id(ids, index, vocab));
        id as usize
    };
    ids.data().iter().enumerate().map(row).collect()
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-embeddings-rows", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Rows in row-major order; ids that are too large, negative, broken or not numbers.
#[test]
fn test_unit_rows() {
    use tinytorch::testing::{expect_eq, panic_message};

    let idea = "each id is the index of its row, in row-major order";
    let ids = ids_tensor(&[2, 0, 1, 2], &[2, 2]);
    expect_eq("[[2, 0], [1, 2]], 3 tokens", rows_of(&ids, 3), vec![2, 0, 1, 2], idea);
    expect_eq("no ids", rows_of(&Tensor::zeros(&[0]), 3), vec![], "no ids, no rows");
    let idea = "an id outside of the vocabulary is an error that names it and its place";
    for (bad, index) in [(3.0, 3), (-1.0, 1), (1e9, 0)] {
        let mut ids = [0.0; 4];
        ids[index] = bad;
        let ids = Tensor::new(&ids, &[2, 2]);
        let input = format!("the id {bad} among 4, 3 tokens");
        expect_eq(input, panic_message(|| rows_of(&ids, 3)), wrong_id(&ids, index, 3), idea);
    }
    let idea =
        "`as usize` would turn it into a row without an error: check that it is a whole number";
    for bad in [0.5, 1.999, f32::NAN, -0.5] {
        let ids = Tensor::new(&[bad], &[1]);
        expect_eq(
            format!("the id {bad}"),
            panic_message(|| rows_of(&ids, 3)),
            wrong_id(&ids, 0, 3),
            idea,
        );
    }
}

// %% nbgrader={"grade": false, "grade_id": "embeddings-lookup", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The rows of a table one after the other, copied. `table` holds rows of `dim` numbers, in row-major order.
///
/// TODO: copy each row into the result.
///
/// APPROACH:
/// 1. Row `r` begins at element `r * dim`, and has `dim` elements.
/// 2. Copy it as one slice: the time then depends on the rows that are asked for, not on the size of the table.
///
/// EXAMPLE: the rows `[1, 0]` of the table `[[1, 2], [3, 4]]` are `[3, 4, 1, 2]`.
///
/// HINTS: `extend_from_slice` copies a slice to the end of a vector; with `Vec::with_capacity` the vector does not have to grow.
pub fn lookup(table: &[f32], dim: usize, rows: &[usize]) -> Vec<f32> {
    // BEGIN SOLUTION
    let mut found = Vec::with_capacity(rows.len() * dim);
    for &row in rows {
        found.extend_from_slice(&table[row * dim..][..dim]);
    }
    found
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-embeddings-lookup", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 By hand, repeated rows, none; no memory for the rest of the table; and the one-hot product that it replaces.
#[test]
fn test_unit_lookup() {
    use tinytorch::testing::{expect_close, expect_eq, memory};

    let table = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    let idea = "row r is the `dim` elements from r * dim on";
    expect_eq("rows [1, 0] of 3 x 2", lookup(&table, 2, &[1, 0]), vec![3.0, 4.0, 1.0, 2.0], idea);
    expect_eq("row [1] of 2 x 3", lookup(&table, 3, &[1]), vec![4.0, 5.0, 6.0], idea);
    let idea = "a row can be asked for again, in any order";
    expect_eq("rows [2, 2]", lookup(&table, 2, &[2, 2]), vec![5.0, 6.0, 5.0, 6.0], idea);
    expect_eq("no rows", lookup(&table, 2, &[]), vec![], "no rows, no numbers");
    let large = vec![0.5; 40_000];
    let (_, used) = memory(|| lookup(&large, 4, &[7, 9_999]));
    let peak = used.map_or(0, |used| used.peak);
    assert!(
        peak < 1024,
        "2 rows of 10,000 took {peak} bytes at the peak, not below 1,024: touch only the rows that are asked for"
    );
    let rows = [2, 0, 2];
    let product = one_hot(&rows, 3).matmul(&Tensor::new(&table, &[3, 2]));
    let idea = "a lookup is the product of one-hot vectors with the table";
    expect_close("rows [2, 0, 2]", &lookup(&table, 2, &rows), &product.to_vec(), 0.0, idea);
}

// %% nbgrader={"grade": false, "grade_id": "embeddings-scatter", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The gradient of the table from that of its rows: what arrives at `rows[i]` is row `i` of `grad_output`. The table has
/// `vocab` rows of `dim` numbers.
///
/// TODO: add each row of the upstream gradient to the row that it was copied from.
///
/// APPROACH:
/// 1. A row that was not used had no influence: begin with zeros.
/// 2. A row that was used twice had an influence in two places: add, do not overwrite.
///
/// EXAMPLE: the rows `[1, 0, 1]` with the gradients `[1, 1], [2, 2], [3, 3]`: row 1 gets `[4, 4]`, row 0 gets `[2, 2]`.
///
/// HINTS: `chunks_exact(dim)` gives the rows of `grad_output`; zip them with `rows`. The row of the table is a slice that you can
/// change: `&mut gradient[row * dim..][..dim]`.
pub fn scatter_add_rows(grad_output: &[f32], rows: &[usize], vocab: usize, dim: usize) -> Vec<f32> {
    // BEGIN SOLUTION
    let mut gradient = vec![0.0; vocab * dim];
    for (grad, &row) in grad_output.chunks_exact(dim).zip(rows) {
        for (total, grad) in gradient[row * dim..][..dim].iter_mut().zip(grad) {
            *total += grad;
        }
    }
    gradient
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-embeddings-scatter", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Repeated rows add up, unused ones get zeros; and the gradient of the one-hot product.
#[test]
fn test_unit_scatter() {
    use tinytorch::testing::{expect_close, expect_eq};

    let grads = [1.0, 10.0, 2.0, 20.0, 3.0, 30.0];
    let yours = scatter_add_rows(&grads, &[1, 0, 1], 4, 2);
    expect_eq(
        "3 rows for a table of 4 x 2",
        yours.len(),
        8,
        "the gradient has the shape of the table",
    );
    let idea = "each gradient goes to the row that was copied";
    expect_close("rows [1, 0, 1], row 0", &yours[..2], &[2.0, 20.0], 0.0, idea);
    let idea = "a row that was used twice gets the sum of both gradients: add, do not overwrite";
    expect_close("rows [1, 0, 1], row 1", &yours[2..4], &[4.0, 40.0], 0.0, idea);
    let idea = "a row that was not used had no influence: its gradient is 0";
    expect_close("rows [1, 0, 1], rows 2 and 3", &yours[4..], &[0.0; 4], 0.0, idea);
    let idea = "it is the gradient of the one-hot product: the transposed one-hot vectors times the upstream gradient";
    let rows = [3, 3, 0];
    let product = one_hot(&rows, 4).t().matmul(&Tensor::new(&grads, &[3, 2]));
    expect_close(
        "rows [3, 3, 0]",
        &scatter_add_rows(&grads, &rows, 4, 2),
        &product.to_vec(),
        0.0,
        idea,
    );
}

// %% nbgrader={"grade": false, "grade_id": "embeddings-embedding", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// A table with a vector for each token.
#[derive(Debug, Clone)]
pub struct Embedding {
    /// `(vocab, dim)`: row `i` is the vector of the token with the id `i`.
    pub weight: Tensor,
}

impl Embedding {
    /// A table of standard normal numbers, as PyTorch's.
    pub fn new(vocab: usize, dim: usize, rng: &mut Rng) -> Self {
        Self::with_std(vocab, dim, 1.0, rng)
    }

    /// A table of normal numbers with this standard deviation. Panics when the table would have no row or no column, or more rows
    /// than ids can name.
    pub fn with_std(vocab: usize, dim: usize, std: f32, rng: &mut Rng) -> Self {
        assert!(
            (1..=LARGEST_VOCABULARY).contains(&vocab) && dim > 0,
            "embedding: a table of {vocab} tokens with {dim} numbers each: it needs 1 to {LARGEST_VOCABULARY} tokens, and a number for each"
        );
        Self { weight: Tensor::randn(&[vocab, dim], rng) * std }
    }
}

/// The gradient rule of the lookup: the gradients of the rows, added up where they were copied from.
struct LookupRule {
    rows: Vec<usize>,
}

impl GradientRule for LookupRule {
    fn gradients(&self, grad_output: &Tensor, inputs: &[Tensor], _: &Tensor) -> InputGradients {
        let table = &inputs[0];
        let [vocab, dim] = [table.shape()[0], table.shape()[1]];
        vec![grad_for(table, || {
            let gradient = scatter_add_rows(&grad_output.data(), &self.rows, vocab, dim);
            Tensor::from_array(values(gradient, table.shape()))
        })]
    }
}

// %% nbgrader={"grade": false, "grade_id": "embeddings-forward", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Embedding {
    /// The vectors of ids of any shape (...): (..., dim). Panics when an id is not in the vocabulary.
    ///
    /// TODO: look the rows up, and give the result its shape and its gradient rule.
    ///
    /// APPROACH:
    /// 1. `rows_of` checks the ids against the number of rows in `weight`.
    /// 2. `lookup` copies the rows. Their shape is that of the ids, with `dim` behind it.
    /// 3. Return `custom("embedding", values(numbers, &shape), &[&self.weight], LookupRule { rows })`: a tensor with a name (by
    ///    which lesson 14 knows it), its numbers, its input and its rule.
    ///
    /// EXAMPLE: a table (512, 64) and ids (16, 32) give (16, 32, 64).
    ///
    /// HINTS: slices in an array have `concat`. The ids are no input: there is no derivative with respect to a name.
    pub fn forward(&self, ids: &Tensor) -> Tensor {
        let [vocab, dim] = [self.weight.shape()[0], self.weight.shape()[1]];
        // BEGIN SOLUTION
        let rows = rows_of(ids, vocab);
        let found = lookup(&self.weight.data(), dim, &rows);
        let shape = [ids.shape(), &[dim]].concat();
        custom("embedding", values(found, &shape), &[&self.weight], LookupRule { rows })
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-embeddings-forward", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Shapes of any depth, the gradient of repeated ids, an id that is too large.
#[test]
fn test_unit_forward() {
    use tinytorch::autograd::Backward;
    use tinytorch::tensor::{History, Op};
    use tinytorch::testing::{expect_close, expect_eq, panic_message};

    let table = Tensor::new(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[3, 2]);
    let embedding = Embedding { weight: table.tracked() };
    let ids = ids_tensor(&[2, 0, 2, 2], &[2, 2]);
    let vectors = embedding.forward(&ids);
    let idea = "the shape of the ids, with dim behind it";
    expect_eq("ids (2, 2), table (3, 2)", vectors.shape(), &[2, 2, 2], idea);
    for shape in [vec![4], vec![1, 2, 2], vec![4, 1]] {
        let vectors = embedding.forward(&ids.reshape(&shape));
        expect_eq(format!("ids {shape:?}"), vectors.shape(), &[&shape[..], &[2]].concat(), idea);
    }
    let wanted = [5.0, 6.0, 1.0, 2.0, 5.0, 6.0, 5.0, 6.0];
    expect_close("ids [[2, 0], [2, 2]]", &vectors.to_vec(), &wanted, 0.0, "the row of each id");

    let name = match vectors.history().map(History::op) {
        Some(Op::Custom { name, .. }) => name,
        Some(_) => "another operation",
        None => "no history",
    };
    let idea = "the result keeps its history: make it with `custom`, from the weight, with the name \"embedding\"";
    expect_eq("the operation of the result", name, "embedding", idea);
    let gradients =
        vectors.backward_with(&Tensor::new(&[1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 4.0], &[2, 2, 2]));
    let gradient = gradients.get(&embedding.weight).map(Tensor::to_vec).unwrap_or_default();
    let idea = "the gradient of the weight adds up over repeated ids";
    expect_close("the weight's gradient", &gradient, &[2.0, 2.0, 0.0, 0.0, 8.0, 8.0], 0.0, idea);

    let idea = "the ids are checked against the rows of the table: call `rows_of`";
    let ids = ids_tensor(&[3], &[1]);
    expect_eq(
        "the id 3, 3 tokens",
        panic_message(|| embedding.forward(&ids)),
        wrong_id(&ids, 0, 3),
        idea,
    );
}

// %% nbgrader={"grade": false, "grade_id": "embeddings-cosine", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The cosine of the angle between two vectors: 1 for the same direction, 0 for a right angle, -1 for opposite directions. A vector
/// of zeros has no direction; its similarity is 0.
///
/// TODO: divide the dot product by both lengths.
///
/// APPROACH:
/// 1. The dot product of `a` and `b` is the sum of the products of their numbers.
/// 2. The length of a vector is the square root of its dot product with itself.
/// 3. If a length is 0, return 0.
///
/// EXAMPLE: `[1, 0]` and `[3, 3]`: 3 / (1 x 4.243) = 0.707.
///
/// HINTS: a closure for the dot product serves three times.
pub fn cosine_similarity(a: &[f32], b: &[f32]) -> f32 {
    // BEGIN SOLUTION
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
    let lengths = dot(a, a).sqrt() * dot(b, b).sqrt();
    if lengths == 0.0 { 0.0 } else { dot(a, b) / lengths }
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-embeddings-cosine", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Directions by hand, whatever the lengths; a vector of zeros.
#[test]
fn test_unit_cosine() {
    use tinytorch::testing::expect_close;

    let check = |a: &[f32], b: &[f32], wanted: f32, idea: &str| {
        expect_close(format!("{a:?} and {b:?}"), &[cosine_similarity(a, b)], &[wanted], 1e-6, idea);
    };
    let dot = "the dot product divided by both lengths";
    check(&[1.0, 0.0], &[3.0, 3.0], 0.5_f32.sqrt(), dot);
    check(&[3.0, 4.0], &[4.0, 3.0], 0.96, dot);
    check(&[1.0, 0.0], &[0.0, 5.0], 0.0, dot);
    let length = "only the direction counts, not the length";
    check(&[1.0, 2.0, 2.0], &[10.0, 20.0, 20.0], 1.0, length);
    check(&[1.0, 2.0], &[-2.0, -4.0], -1.0, "opposite directions are -1");
    let short =
        "however short the vectors are: take each root by itself, and add nothing to the lengths";
    check(&[3e-12, 4e-12], &[4e-12, 3e-12], 0.96, short);
    check(&[0.0, 0.0], &[1.0, 1.0], 0.0, "a vector of zeros has no direction: 0, not NaN");
}

// %% nbgrader={"grade": false, "grade_id": "embeddings-frequency", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// How far pair number `pair` of `dim` columns turns from one position to the next, in radians.
///
/// TODO: compute 10000^(-2 pair / dim).
///
/// APPROACH:
/// 1. Pair 0 turns by 1 radian. Each pair after it turns more slowly, by the same factor.
/// 2. The exponent is -2 * pair / dim, in `f64`: divide real numbers, not whole ones.
///
/// EXAMPLE: with 4 columns, pair 0 turns by 1, and pair 1 by 10000^(-1/2) = 0.01.
///
/// HINTS: `powf`. At position 5,000 an error of 1e-7 in an `f32` frequency is already an angle of 0.0005.
pub fn frequency(pair: usize, dim: usize) -> f64 {
    // BEGIN SOLUTION
    10_000_f64.powf(-2.0 * pair as f64 / dim as f64)
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-embeddings-frequency", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 By hand, from the first pair to the last.
#[test]
fn test_unit_frequency() {
    use tinytorch::testing::expect_close;

    let [first, second] = [0, 1].map(|pair| frequency(pair, 4));
    assert!(
        second != first,
        "pairs 0 and 1 of 4 columns both turn by {first}: divide as f64; -2 pair / dim in whole numbers is 0"
    );
    let idea = "10000^(-2 pair / dim): 1 radian for pair 0, then slower by the same factor";
    let of =
        |pairs: usize, dim| (0..pairs).map(|pair| frequency(pair, dim) as f32).collect::<Vec<_>>();
    expect_close("2 pairs of 4 columns", &of(2, 4), &[1.0, 0.01], 1e-7, idea);
    expect_close("4 pairs of 8 columns", &of(4, 8), &[1.0, 0.1, 0.01, 0.001], 1e-7, idea);
    expect_close("2 pairs of 3 columns", &of(2, 3), &[1.0, 0.002_154_434_7], 1e-7, idea);
    let exact = (frequency(1, 64) - 0.749_894_209_332_455_8).abs() < 1e-14;
    assert!(
        exact,
        "compute in f64: pair 1 of 64 columns turns by 0.7498942093324558, not {}",
        frequency(1, 64)
    );
}

// %% nbgrader={"grade": false, "grade_id": "embeddings-sinusoidal", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Positions as waves (Vaswani et al., 2017): row `p` holds sine and cosine of `p` times each frequency, (length, dim).
///
/// TODO: fill the table, row by row.
///
/// APPROACH:
/// 1. Columns 0 and 1 belong to pair 0, columns 2 and 3 to pair 1, and so on.
/// 2. The angle of a pair at position `p` is `p` times its `frequency`.
/// 3. The even column of a pair is the sine of the angle, the odd one its cosine. An odd `dim` ends in a sine.
///
/// EXAMPLE: row 0 is `[0, 1, 0, 1, ..]`; row 1 of 4 columns is `[sin 1, cos 1, sin 0.01, cos 0.01]`.
///
/// HINTS: two `for` loops are simplest: positions, and columns inside. `column / 2` is the pair. Only the finished number becomes an
/// `f32`.
pub fn sinusoidal_table(length: usize, dim: usize) -> Tensor {
    // BEGIN SOLUTION
    let wave = |position: usize, column: usize| {
        let angle = position as f64 * frequency(column / 2, dim);
        (if column.is_multiple_of(2) { angle.sin() } else { angle.cos() }) as f32
    };
    let row = |position| (0..dim).map(move |column| wave(position, column));
    let table: Vec<f32> = (0..length).flat_map(row).collect();
    Tensor::new(&table, &[length, dim])
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-embeddings-sinusoidal", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 By hand, an odd number of columns, fast and slow columns, distances.
#[test]
fn test_unit_sinusoidal() {
    use tinytorch::testing::{expect_call_close, expect_close, expect_eq};

    let table = sinusoidal_table(2, 4);
    expect_eq("2 positions, 4 columns", table.shape(), &[2, 4], "a row for each position");
    let idea =
        "position 0 has sine 0 and cosine 1 in each pair, side by side: even column, odd column";
    expect_close("position 0", &table.to_vec()[..4], &[0.0, 1.0, 0.0, 1.0], 0.0, idea);
    let idea = "both columns of a pair have its frequency: columns 0 and 1, then 2 and 3";
    let wanted = [0.841_471, 0.540_302_3, 0.009_999_83, 0.999_95];
    expect_close("position 1", &table.to_vec()[4..], &wanted, 1e-6, idea);
    let idea = "an odd number of columns ends in a sine";
    let last = || sinusoidal_table(3, 3).select(0, 2).to_vec();
    let wanted = [0.909_297_4, -0.416_146_84, 0.004_308_856];
    expect_call_close("position 2, 3 columns", last, &wanted, 1e-6, idea);
    let idea = "the angle is the position times the frequency, in f64 until the end";
    let pair = &sinusoidal_table(5000, 64).select(0, 4999).to_vec()[2..4];
    let wanted = [-0.718_133_7, -0.695_905_2];
    expect_close("position 4999, pair 1 of 64 columns", pair, &wanted, 1e-6, idea);
    // The dot product of two rows is a sum of cos((p - q) * frequency).
    let long = sinusoidal_table(60, 8);
    let dot = |p: usize, q: usize| (long.select(0, p) * long.select(0, q)).sum().item();
    let idea = "what two positions have in common depends on their distance alone";
    expect_close("positions 3 and 10, 40 and 47", &[dot(3, 10)], &[dot(40, 47)], 1e-5, idea);
}

// %% nbgrader={"grade": false, "grade_id": "embeddings-layer", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// How an `EmbeddingLayer` tells positions apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Positions {
    /// A table that is learned, one row for each position.
    Learned,
    /// The waves of `sinusoidal_table`, which are never learned.
    Sinusoidal,
    /// Not at all.
    None,
}

/// A table with a vector for each position, learned like the tokens'.
#[derive(Debug, Clone)]
pub struct LearnedPositions {
    /// `(max_length, dim)`.
    pub weight: Tensor,
}

impl LearnedPositions {
    /// Random vectors of a length of about 1.
    pub fn new(max_length: usize, dim: usize, rng: &mut Rng) -> Self {
        Self { weight: Embedding::with_std(max_length, dim, unit_std(dim), rng).weight }
    }
}

/// The standard deviation of `dim` numbers that makes a vector about 1 long.
fn unit_std(dim: usize) -> f32 {
    (1.0 / dim as f32).sqrt()
}

/// What is added to the vectors of the tokens, (max_length, dim).
#[derive(Debug, Clone)]
enum PositionTable {
    Learned(LearnedPositions),
    Sinusoidal(Tensor),
    None,
}

/// Tokens and their positions: the first layer of a transformer.
#[derive(Debug, Clone)]
pub struct EmbeddingLayer {
    /// The vectors of the tokens; an output layer may share their `weight`.
    pub tokens: Embedding,
    positions: PositionTable,
    max_length: usize,
    is_scaled: bool,
}

impl EmbeddingLayer {
    /// A layer for sequences of up to `max_length` tokens. The vectors begin about 1 long, so that an output layer that shares
    /// them begins with logits of about the size of its input's numbers.
    pub fn new(
        vocab: usize,
        dim: usize,
        max_length: usize,
        positions: Positions,
        rng: &mut Rng,
    ) -> Self {
        let tokens = Embedding::with_std(vocab, dim, unit_std(dim), rng);
        let positions = match positions {
            Positions::Learned => {
                PositionTable::Learned(LearnedPositions::new(max_length, dim, rng))
            }
            Positions::Sinusoidal => PositionTable::Sinusoidal(sinusoidal_table(max_length, dim)),
            Positions::None => PositionTable::None,
        };
        Self { tokens, positions, max_length, is_scaled: false }
    }

    /// The same, with the vectors of the tokens multiplied by sqrt(dim) before positions are added.
    #[must_use]
    pub fn scaled(self) -> Self {
        Self { is_scaled: true, ..self }
    }

    /// The longest sequence.
    pub const fn max_length(&self) -> usize {
        self.max_length
    }

    /// The vectors of ids (S) or (B, S) that begin at position 0: (S, dim) or (B, S, dim).
    pub fn forward(&self, ids: &Tensor) -> Tensor {
        self.forward_at(ids, 0)
    }

    /// What is added to the vectors, (max_length, dim), if anything is.
    pub const fn position_table(&self) -> Option<&Tensor> {
        match &self.positions {
            PositionTable::Learned(LearnedPositions { weight }) => Some(weight),
            PositionTable::Sinusoidal(table) => Some(table),
            PositionTable::None => None,
        }
    }

    /// The positions of ids (..., S) that begin at `start`. Panics when there are none, or when they end behind `max_length`.
    fn range_of(&self, ids: &Tensor, start: usize) -> std::ops::Range<usize> {
        let Some(&length) = ids.shape().last() else {
            panic!(
                "embedding layer: ids of shape (): a sequence (S) or a batch of them (B, S) is needed"
            )
        };
        let (shape, longest) = (shape_text(ids.shape()), self.max_length);
        assert!(
            length <= longest.saturating_sub(start),
            "embedding layer: ids {shape} from position {start} on: a sequence of at most {longest} tokens is possible (max_length)"
        );
        start..start + length
    }
}

// %% nbgrader={"grade": false, "grade_id": "embeddings-positions", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl EmbeddingLayer {
    /// The vectors of ids (S) or (B, S) whose first token is at position `start`. Panics when an id is not in the vocabulary, or
    /// the sequence ends behind `max_length`.
    ///
    /// TODO: look up the tokens, scale them if that was asked for, and add the positions if there are any.
    ///
    /// APPROACH:
    /// 1. `self.tokens` looks the ids up.
    /// 2. If `self.is_scaled`, multiply by the square root of `dim`.
    /// 3. If there is a `position_table`, add its rows `range`, all columns. Broadcasting adds them to each sequence of a batch.
    ///
    /// EXAMPLE: ids (16, 32) at `start` 5: rows 5 to 36 of the position table are added to each of the 16 sequences.
    ///
    /// HINTS: `slice` cuts a range out of each axis, and is recorded for the gradient.
    pub fn forward_at(&self, ids: &Tensor, start: usize) -> Tensor {
        let (range, dim) = (self.range_of(ids, start), self.tokens.weight.shape()[1]);
        // BEGIN SOLUTION
        let mut vectors = self.tokens.forward(ids);
        if self.is_scaled {
            vectors = vectors * (dim as f32).sqrt();
        }
        match self.position_table() {
            Some(table) => vectors + table.slice(&[range, 0..dim]),
            None => vectors,
        }
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-embeddings-positions", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 What is added where, scaling, an offset, the gradients of both tables, a sequence that is too long.
#[test]
fn test_unit_positions() {
    use tinytorch::autograd::{Backward, track};
    use tinytorch::testing::{expect_close, expect_eq, panic_message};

    let layer = |positions| EmbeddingLayer::new(5, 4, 6, positions, &mut Rng::seeded(1));
    let ids = ids_tensor(&[3, 1, 3, 0, 0, 2], &[2, 3]);
    let plain = layer(Positions::None);
    let tokens = plain.tokens.forward(&ids);
    expect_close(
        "no positions",
        &plain.forward(&ids).to_vec(),
        &tokens.to_vec(),
        0.0,
        "without positions, the rows alone",
    );
    for kind in [Positions::Sinusoidal, Positions::Learned] {
        let layer = layer(kind);
        let table = layer.position_table().expect("a table");
        for start in [0, 2] {
            let wanted = &layer.tokens.forward(&ids) + &table.slice(&[start..start + 3, 0..4]);
            let idea =
                "add the row of each position, from `start` on, to each sequence of the batch";
            expect_close(
                format!("{kind:?}, from position {start} on"),
                &layer.forward_at(&ids, start).to_vec(),
                &wanted.to_vec(),
                1e-6,
                idea,
            );
        }
        let one = layer.forward(&ids_tensor(&[3, 1, 3], &[3]));
        expect_eq("one sequence (3)", one.shape(), &[3, 4], "a sequence without a batch stays so");
    }
    let scaled = layer(Positions::Sinusoidal).scaled().forward(&ids);
    let wanted = &tokens * 2.0
        + layer(Positions::Sinusoidal).position_table().expect("a table").slice(&[0..3, 0..4]);
    let idea = "scale the tokens by sqrt(dim), not the positions";
    expect_close("scaled, 4 columns", &scaled.to_vec(), &wanted.to_vec(), 1e-6, idea);

    let nine = EmbeddingLayer::new(5, 9, 6, Positions::None, &mut Rng::seeded(1));
    let wanted = (nine.tokens.forward(&ids) * 3.0).to_vec();
    let yours = nine.scaled().forward(&ids).to_vec();
    let idea = "scaled by sqrt(dim), which is 3 for 9 columns, without positions too";
    expect_close("scaled, 9 columns, no positions", &yours, &wanted, 1e-6, idea);

    let mut learned = layer(Positions::Learned);
    track(learned.parameters_mut());
    let gradients = learned.forward_at(&ids, 2).sum().backward();
    let of = |tensor: &Tensor| gradients.get(tensor).map(Tensor::to_vec).unwrap_or_default();
    let rows = |rows: &[f32]| rows.iter().flat_map(|&row| [row; 4]).collect::<Vec<f32>>();
    let idea = "learned positions get a gradient, the sum over the batch: use tensor operations";
    let wanted = rows(&[0.0, 0.0, 2.0, 2.0, 2.0, 0.0]);
    expect_close("learned, from position 2 on", &of(learned.parameters()[1]), &wanted, 0.0, idea);
    let idea = "the tokens get a gradient too, the sum over their places: use tensor operations";
    let wanted = rows(&[2.0, 1.0, 1.0, 2.0, 0.0]);
    expect_close("ids 3, 1, 3 and 0, 0, 2", &of(learned.parameters()[0]), &wanted, 0.0, idea);
    let message = panic_message(|| learned.forward_at(&ids, 4));
    assert_eq!(
        message,
        "embedding layer: ids (2, 3) from position 4 on: a sequence of at most 6 tokens is possible (max_length)"
    );
}

// %% nbgrader={"grade": false, "grade_id": "embeddings-turns", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Cosine and sine of the angle by which each pair of columns is turned, for `length` positions from `start` on: position by
/// position, pair by pair.
///
/// TODO: list `[cos, sin]` of every angle.
///
/// APPROACH:
/// 1. For each position, and inside for each of the `dim / 2` pairs: the angle is the position times the `frequency` of the pair.
/// 2. Keep `[cos, sin]` of it as `f32`; the angle itself is an `f64`.
///
/// EXAMPLE: position 0 has `[1, 0]` for every pair; position 1 begins with `[cos 1, sin 1]`.
///
/// HINTS: `sin_cos` computes both, the sine first.
pub fn turns(start: usize, length: usize, dim: usize) -> Vec<[f32; 2]> {
    // BEGIN SOLUTION
    let turn = |position: usize, pair: usize| {
        let (sin, cos) = (position as f64 * frequency(pair, dim)).sin_cos();
        [cos as f32, sin as f32]
    };
    let of_position = |position| (0..dim / 2).map(move |pair| turn(position, pair));
    (start..start + length).flat_map(of_position).collect()
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-embeddings-turns", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Angles by hand, from position 0 and from another one on.
#[test]
fn test_unit_turns() {
    use tinytorch::testing::{expect_close, expect_eq};

    let flat = |start, length, dim| turns(start, length, dim).concat();
    let idea = "a turn for each position and each of the dim / 2 pairs";
    expect_eq("3 positions, 4 columns", turns(0, 3, 4).len(), 6, idea);
    let idea = "position 0 is not turned: [cos 0, sin 0] is [1, 0]";
    expect_close("position 0", &flat(0, 1, 4), &[1.0, 0.0, 1.0, 0.0], 0.0, idea);
    let idea = "position by position, pair by pair: the angle is the position times the frequency";
    let wanted = [-0.416_146_84, 0.909_297_4, 0.999_8, 0.019_998_666];
    expect_close("positions 0 to 2, the last", &flat(0, 3, 4)[8..], &wanted, 1e-6, idea);
    let idea = "the first position is `start`";
    expect_close("position 2 alone", &flat(2, 1, 4), &wanted, 1e-6, idea);
    let idea = "the angle is an f64, until its cosine and sine are known";
    let wanted = [-0.695_905_2, -0.718_133_7];
    let pair = &flat(4999, 1, 64)[2..4];
    expect_close("position 4999, pair 1 of 64 columns", pair, &wanted, 1e-6, idea);
}

// %% nbgrader={"grade": false, "grade_id": "embeddings-rotate", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Turns each pair of neighbouring numbers: pair number `i` by turn number `i`. When the turns are used up, they begin again:
/// the next sequence, at its first position.
///
/// TODO: turn each pair, in place.
///
/// APPROACH:
/// 1. Take the numbers two by two, together with the turns, repeated.
/// 2. The pair `[x, y]` turned by an angle is `[x cos - y sin, x sin + y cos]`.
///
/// EXAMPLE: `[1, 0]` turned by a quarter, `[cos, sin] = [0, 1]`, is `[0, 1]`.
///
/// HINTS: `chunks_exact_mut(2)` and `cycle`. Compute both new numbers before you write one of them.
pub fn rotate_pairs(numbers: &mut [f32], turns: &[[f32; 2]]) {
    // BEGIN SOLUTION
    for (pair, [cos, sin]) in numbers.chunks_exact_mut(2).zip(turns.iter().cycle()) {
        let [x, y] = [pair[0], pair[1]];
        pair[0] = x * cos - y * sin;
        pair[1] = x * sin + y * cos;
    }
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-embeddings-rotate", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Quarters by hand, several sequences; lengths stay; only the distance counts.
#[test]
fn test_unit_rotate() {
    use tinytorch::testing::expect_close;

    let turned = |numbers: &[f32], turns: &[[f32; 2]]| {
        let mut numbers = numbers.to_vec();
        rotate_pairs(&mut numbers, turns);
        numbers
    };
    let (none, quarter) = ([1.0, 0.0], [0.0, 1.0]);
    let idea = "[x, y] becomes [x cos - y sin, x sin + y cos]";
    let overwritten = "compute both numbers before you write one: the old x is needed for both";
    let yours = turned(&[2.0, 3.0], &[quarter]);
    let cause = if yours[..] == [-3.0, -3.0] { overwritten } else { idea };
    expect_close("[2, 3], a quarter", &yours, &[-3.0, 2.0], 0.0, cause);
    let wanted = [2.0 * 0.6 - 3.0 * 0.8, 2.0 * 0.8 + 3.0 * 0.6];
    expect_close(
        "[2, 3] turned by [0.6, 0.8]",
        &turned(&[2.0, 3.0], &[[0.6, 0.8]]),
        &wanted,
        1e-6,
        idea,
    );
    let idea = "pair number i is turned by turn number i";
    let four = turned(&[1.0, 2.0, 3.0, 4.0], &[none, quarter]);
    expect_close("[1, 2, 3, 4], no turn and a quarter", &four, &[1.0, 2.0, -4.0, 3.0], 0.0, idea);
    let idea = "when the turns are used up they begin again, for the next sequence";
    let two = turned(&[1.0, 2.0, 3.0, 4.0, 1.0, 2.0, 3.0, 4.0], &[none, quarter]);
    expect_close("two sequences", &two[4..], &four, 0.0, idea);

    // A query at position p and a key at position q, both turned.
    let (query, key) = ([0.3, -1.2, 0.7, 2.0], [1.1, 0.4, -0.6, 0.9]);
    let score = |p: usize, q: usize| -> f32 {
        let (query, key) = (turned(&query, &turns(p, 1, 4)), turned(&key, &turns(q, 1, 4)));
        query.iter().zip(&key).map(|(a, b)| a * b).sum()
    };
    let idea =
        "the dot product of two turned vectors depends on the distance of their positions alone";
    expect_close("positions 5 and 2, 105 and 102", &[score(105, 102)], &[score(5, 2)], 1e-4, idea);
    assert!(
        (score(5, 2) - score(2, 5)).abs() > 0.1,
        "before is not after: the sign of the distance counts"
    );
}

// %% nbgrader={"grade": false, "grade_id": "embeddings-rotary", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Rotary positions (Su et al., 2021): each pair of neighbouring columns of `x` (..., S, d) turned by its position times its
/// frequency; the first of the S rows is at position `start`. Panics when `x` has less than two axes, or `d` is odd.
pub fn rotate(x: &Tensor, start: usize) -> Tensor {
    let &[.., length, dim] = x.shape() else {
        panic!("rotate: input {}: (..., S, d) is needed", shape_text(x.shape()))
    };
    assert!(
        dim.is_multiple_of(2),
        "rotate: input {}: the last axis has {dim} columns, which do not form pairs",
        shape_text(x.shape())
    );
    let turns = turns(start, length, dim);
    custom("rotate", rotated(x, &turns), &[x], RotateRule { turns })
}

/// The numbers of `x` with every pair turned.
fn rotated(x: &Tensor, turns: &[[f32; 2]]) -> Values {
    let mut numbers = x.to_vec();
    rotate_pairs(&mut numbers, turns);
    values(numbers, x.shape())
}

/// The gradient rule of a rotation: the gradient is turned back.
struct RotateRule {
    turns: Vec<[f32; 2]>,
}

impl GradientRule for RotateRule {
    fn gradients(&self, grad_output: &Tensor, inputs: &[Tensor], _: &Tensor) -> InputGradients {
        let back: Vec<[f32; 2]> = self.turns.iter().map(|&[cos, sin]| [cos, -sin]).collect();
        vec![grad_for(&inputs[0], || Tensor::from_array(rotated(grad_output, &back)))]
    }
}

// %% nbgrader={"grade": false, "grade_id": "embeddings-tied", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// A score for every token of the vocabulary: the dot product of each hidden vector (..., dim) with each row of the table
/// `weight` (vocab, dim), as (..., vocab). The output layer shares the table of the input (Press and Wolf, 2017).
///
/// TODO: one matrix product.
///
/// APPROACH:
/// 1. `hidden` has `dim` columns, and so has `weight`. Which of the two has to be transposed, so that they fit?
/// 2. Use tensor operations: the table then gets one gradient, the sum of both uses.
///
/// EXAMPLE: hidden (16, 32, 64) and a table (512, 64) give logits (16, 32, 512).
///
/// HINTS: `t` swaps the last two axes, and copies nothing.
pub fn tied_logits(hidden: &Tensor, weight: &Tensor) -> Tensor {
    assert!(
        weight.ndim() == 2 && hidden.shape().last() == Some(&weight.shape()[1]),
        "tied_logits: hidden {} x table {}: the last axes must be the same",
        shape_text(hidden.shape()),
        shape_text(weight.shape())
    );
    // BEGIN SOLUTION
    hidden.matmul(&weight.t())
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-embeddings-tied", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 By hand, batches, and one gradient for both uses of the table.
#[test]
fn test_unit_tied() {
    use tinytorch::autograd::Backward;
    use tinytorch::testing::{expect_call, expect_call_close, expect_close, panic_message};

    let table = Tensor::new(&[1.0, 0.0, 0.0, 1.0, 2.0, 3.0], &[3, 2]).tracked();
    let hidden = Tensor::new(&[5.0, 7.0], &[1, 2]);
    let idea = "the dot product of the hidden vector with each row of the table";
    let scores = || tied_logits(&hidden, &table).to_vec();
    expect_call_close("[5, 7]", scores, &[5.0, 7.0, 31.0], 0.0, idea);
    let shape = || tied_logits(&Tensor::ones(&[4, 6, 2]), &table).shape().to_vec();
    let input = "hidden (4, 6, 2), table (3, 2)";
    expect_call(input, shape, vec![4, 6, 3], "a score for each token");
    // The token 2 as input, and the score of the token 0: the table is used twice.
    let vector = Embedding { weight: table.clone() }.forward(&ids_tensor(&[2], &[1]));
    let score = tied_logits(&vector, &table).slice(&[0..1, 0..1]).sum();
    let gradient = score.backward().get(&table).map(Tensor::to_vec).unwrap_or_default();
    let idea = "the table's gradient is the sum of both uses: as the input's row, and as the output's weight";
    let wanted = [2.0, 3.0, 0.0, 0.0, 1.0, 0.0];
    expect_close("token 2 in, token 0 out", &gradient, &wanted, 0.0, idea);
    let message = panic_message(|| tied_logits(&Tensor::ones(&[1, 3]), &table));
    let given = "tied_logits: hidden (1, 3) x table (3, 2): the last axes must be the same";
    assert_eq!(message, given);
}

// %% nbgrader={"grade": false, "grade_id": "embeddings-debug", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The vectors of a text whose tokens arrive one by one, as in a chat: for each token, (1, dim). The first one is at position
/// `start`.
///
/// TODO: find the fault in this line, which a colleague wrote, and write it correctly. The same text gives other vectors one by one
/// than all at once.
///
/// ```text
/// ids.iter().map(|&id| layer.forward(&ids_tensor(&[id], &[1]))).collect()
/// ```
///
/// APPROACH:
/// 1. Ask at which position the layer sees each token.
/// 2. Count the positions, and pass them on.
///
/// EXAMPLE: of three tokens from position 5 on, the last one is at position 7.
///
/// HINTS: `enumerate`, and the method that takes a `start`.
pub fn one_by_one(layer: &EmbeddingLayer, ids: &[Id], start: usize) -> Vec<Tensor> {
    // BEGIN SOLUTION
    let vector =
        |(place, &id): (usize, &Id)| layer.forward_at(&ids_tensor(&[id], &[1]), start + place);
    ids.iter().enumerate().map(vector).collect()
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-embeddings-debug", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 One by one gives the vectors of all at once, from the beginning and from later on.
#[test]
fn test_unit_debug() {
    use tinytorch::testing::{expect_close, expect_eq};

    let layer = EmbeddingLayer::new(5, 4, 9, Positions::Sinusoidal, &mut Rng::seeded(1));
    let ids = [3, 1, 1, 4];
    for (start, idea) in [
        (0, "each token has a position of its own: they do not all begin at 0"),
        (5, "the position of a token is `start` plus the number of tokens before it"),
    ] {
        let yours = one_by_one(&layer, &ids, start);
        let input = format!("[3, 1, 1, 4] from position {start} on");
        let shapes: Vec<&[usize]> = yours.iter().map(Tensor::shape).collect();
        expect_eq(&input, shapes, vec![&[1, 4]; 4], "each token is a sequence of one, (1, dim)");
        let at_once = layer.forward_at(&ids_tensor(&ids, &[4]), start);
        let numbers: Vec<f32> = yours.iter().flat_map(Tensor::to_vec).collect();
        expect_close(&input, &numbers, &at_once.to_vec(), 0.0, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "embeddings-analyze-lookup", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 What does a lookup cost?
///
/// Purpose: see why one-hot vectors are not multiplied in practice. Measured: 256 tokens of 64 numbers, by one-hot product
/// and by lookup in turn, for growing vocabularies; and 16,384 lookups in a table of 131,072 tokens and in one of 1,024 in
/// turn. Computed: the memory of tables of known models, and of their gradients. Key insight: the product reads the whole
/// table, the lookup only the rows that are asked for.
/// Production context: the gradient is as large as the table although most of its rows are zeros; frameworks offer sparse
/// gradients for that reason.
pub fn analyze_lookup(out: &mut Reporter) {
    const DIM: usize = 64;
    let mut rng = Rng::seeded(1);
    let mut table_of = |vocab: usize, tokens: usize| {
        let rows: Vec<usize> = (0..tokens).map(|_| rng.below(vocab)).collect();
        (Embedding::new(vocab, DIM, &mut rng).weight, rows)
    };
    let timed = [256, 512, 1024, 2048, 4096].map(|vocab| {
        let (table, rows) = table_of(vocab, 256);
        let product = || one_hot(&rows, vocab).matmul(&table);
        (vocab, compare(15, product, || lookup(&table.data(), DIM, &rows)))
    });
    let product = timed[1].1;
    let names = ["vocabulary", "one-hot product", "lookup", "product / lookup"];
    out.compared_by_size(["256 tokens, 64 numbers each", "Time by vocabulary"], names, &timed);

    let [(small, few), (large, many)] = [1024, 131_072].map(|vocab| table_of(vocab, 16_384));
    // In pieces: one result for all would mostly measure how new memory is made.
    let each = |table: &Tensor, rows: &[usize]| {
        for part in rows.chunks(256) {
            black_box(lookup(&table.data(), DIM, part));
        }
    };
    let size = compare(15, || each(&large, &many), || each(&small, &few));
    let models = [("this course", 512, 64), ("GPT-2", 50_257, 768), ("Llama 3 8B", 128_256, 4096)];
    let bytes = models.into_iter().map(|(name, vocab, dim)| {
        let bytes: usize = vocab * dim * 4;
        vec![
            name.into(),
            vocab.into(),
            dim.into(),
            bytes.into(),
            bytes.into(),
            (vocab.min(512) * dim * 4).into(),
        ]
    });
    let formula = "4 bytes x rows x numbers; a batch uses at most 512 rows";
    let columns = [
        ("model", ""),
        ("tokens", ""),
        ("numbers each", ""),
        ("weight", "B"),
        ("gradient", "B"),
        ("used by a batch of 512 tokens", "B"),
    ];
    let title = "Memory of the table of a model, in f32";
    out.computed_table(title, formula, &columns, bytes.collect());
    let pairs = [
        ("the one-hot product for a vocabulary of 512", "the lookup", product),
        ("16,384 lookups in a large table", "16,384 lookups in a small one", size),
    ];
    out.compared("Timed in turn", &pairs);
    out.measured("one-hot product against lookup, vocabulary 512", product.ratio.median, "x");
    out.insight(product_insight(&product.ratio));
    out.insight(table_size_insight(&size.ratio));
    out.note("Rows of a large table are often not in the cache when they are asked for; those of a small one are.");
}

/// What the times of the product and of the lookup say.
pub fn product_insight(ratio: &Ratio) -> String {
    ratio.took("the one-hot product for a vocabulary of 512", "the lookup")
}

/// What the times of the same number of lookups say, in a large table and in a small one.
pub fn table_size_insight(ratio: &Ratio) -> String {
    let took = ratio.took("16,384 lookups in a large table", "16,384 lookups in a small one");
    match ratio.reading() {
        Reading::Larger => format!(
            "{took} Both copy the same number of bytes; the rows of the large table are not in the cache."
        ),
        _ => took,
    }
}

// %% nbgrader={"grade": false, "grade_id": "embeddings-analyze-positions", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 What do positions change?
///
/// Purpose: see that a mean of vectors has no order, and what a position looks like. Measured: how many of 80 unseen sentences "X
/// bites Y" a small network answers (who bites?) with and without positions; the sinusoidal table; and the similarity of two
/// positions by their distance. Key insight: without positions both orders of a pair give the same output, so at
/// most half can be right. Production context: attention (12) has no order either; every transformer brings positions in.
pub fn analyze_positions(out: &mut Reporter) {
    let sets = bites();
    let kinds = [
        ("none", Positions::None),
        ("sinusoidal", Positions::Sinusoidal),
        ("learned", Positions::Learned),
    ];
    let (mut rows, mut shares) = (vec![], vec![]);
    let count = sets[1].1.numel();
    for (name, positions) in kinds {
        match who_bites(positions, &sets) {
            Ok(share) => shares.push(share),
            Err(error) => return out.note(format!("Training stopped: {error}.")),
        }
        let share = shares[shares.len() - 1];
        rows.push(vec![
            name.into(),
            (100.0 * share).into(),
            (100.0 * sample_error(share, count)).into(),
        ]);
    }
    let columns = [("positions", ""), ("answered", "%"), ("sample error", "%")];
    out.measured_table("Who bites? Unseen sentences", &columns, rows);
    out.note(format!(
        "A sample error of 0 only says that all {count} sentences, or none, were answered."
    ));
    out.measured("sentences answered without positions", 100.0 * shares[0], "%");
    out.insight(who_bites_insight(shares[0], shares[1], count));

    let (length, dim) = (64, 32);
    let waves = sinusoidal_table(length, dim);
    let title = "Sinusoidal: positions 0 to 63 across, columns 0 to 31 down";
    out.pixels(title, length, &waves.t().data());
    let mut rng = Rng::seeded(2);
    let vector = Tensor::randn(&[1, dim], &mut rng) + Tensor::zeros(&[length, 1]);
    let tables = [
        ("sinusoidal", waves),
        ("rotary, one vector", rotate(&vector, 0)),
        ("learned, before training", LearnedPositions::new(length, dim, &mut rng).weight),
    ];
    let curves = tables.iter().map(|(name, table)| {
        let similarity = |distance: usize| f64::from(row_similarity(table, 0, distance));
        Series::new(*name, (0..length / 2).map(|d| (d as f64, similarity(d))).collect::<Vec<_>>())
    });
    let axes = (Axis::linear("distance", ""), Axis::linear("cosine similarity", ""));
    out.measured_chart("Similarity of two positions", axes.0, axes.1, curves.collect());
    let apart = |table: &Tensor| {
        let all: Vec<f64> =
            (0..length - 8).map(|p| f64::from(row_similarity(table, p, p + 8))).collect();
        let ends =
            all.iter().fold([f64::MAX, f64::MIN], |[low, high], &x| [low.min(x), high.max(x)]);
        (ends[0], ends[1])
    };
    let rows = tables.iter().map(|(name, table)| {
        let (low, high) = apart(table);
        vec![(*name).into(), low.into(), high.into()]
    });
    let columns = [("positions", ""), ("lowest similarity", ""), ("highest similarity", "")];
    out.measured_table("All pairs of positions at distance 8", &columns, rows.collect());
    let [waves, rotary, _] = tables.map(|(_, table)| apart(&table));
    out.insight(distance_insight("Sinusoidal", waves));
    out.insight(distance_insight("Rotary", rotary));
}

/// What two accuracies on `n` sentences say of positions.
pub fn who_bites_insight(without: f64, with: f64, n: usize) -> String {
    let [a, b] = [without, with].map(|share| format!("{:.0} %", 100.0 * share));
    let figures = format!(
        "Without positions {a} of {n} unseen sentences are answered, with sinusoidal ones {b}"
    );
    match compare_accuracies(with, without, n) {
        Reading::Larger => format!("{figures}: order was lost, and positions bring it back."),
        Reading::Smaller => format!("{figures}: here positions made it worse."),
        Reading::NoClearDifference | Reading::TooNoisy => {
            format!("{figures}: no clear difference.")
        }
    }
}

/// What the lowest and the highest similarity of all pairs of positions at one distance say.
pub fn distance_insight(kind: &str, (low, high): (f64, f64)) -> String {
    let ends = [low, high].map(|end| format!("{end:.3}"));
    let value = match &ends {
        [low, high] if low == high => format!("of {low}"),
        [low, high] => format!("from {low} to {high}"),
    };
    let range = format!("at distance 8 all pairs have a similarity {value}");
    match high - low {
        spread if spread < 0.001 => format!("{kind} positions: {range}; only the distance counts."),
        spread if spread.is_finite() => format!("{kind} positions: {range}; the place counts too."),
        _ => format!("{kind} positions: their similarity is not a number."),
    }
}

// %% nbgrader={"grade": false, "grade_id": "embeddings-analyze-neighbours", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 What does a table learn?
///
/// Purpose: see that vectors of words that are used alike become alike. Measured: a table of all words of the dialogue
/// corpus is trained to predict a word from its two neighbours; for each number and each of ten words, the nearest word
/// by cosine similarity, before and after. Key insight: no label says what a number is; the words around it are enough.
/// Production context: alike in use is not alike in meaning: opposites occur in the same places.
pub fn analyze_neighbours(out: &mut Reporter) {
    let (words, samples) = corpus();
    let Some(mut trainer) = samples.first().map(|_| WordModel::trainer(words.len())) else {
        return;
    };
    let numbers: Vec<usize> = (0..words.len()).filter(|&word| is_number(&words[word])).collect();
    let share = |table: &Tensor| {
        let hits = numbers.iter().filter(|&&word| is_number(&words[nearest(table, word, 1)[0]]));
        hits.count() as f64 / numbers.len() as f64
    };
    let before = trainer.model.parameters()[0].detach();
    const EPOCHS: usize = 5;
    let mut rng = Rng::seeded(3);
    if let Err(error) = trainer.fit(EPOCHS, |_| word_batches(&samples, &mut rng), &[], Some(out)) {
        return out.note(format!("Training stopped: {error}."));
    }
    let after = trainer.model.parameters()[0].detach();
    let shown = ["7", "anna", "france", "dog", "green", "cup", "before", "capital", "hello", "the"];
    let known = |word: &&str| words.iter().position(|known| known == word);
    let rows = shown.iter().filter_map(known).map(|word| {
        let of = |table: &Tensor| -> Vec<&str> {
            nearest(table, word, 3).into_iter().map(|near| words[near].as_str()).collect()
        };
        vec![words[word].as_str().into(), of(&before).join(" ").into(), of(&after).join(" ").into()]
    });
    let columns = [("word", ""), ("nearest before", ""), ("nearest after", "")];
    out.measured_table("The three nearest words", &columns, rows.collect());
    let shares = [&before, &after].map(share);
    let titles = ["before", "after"]
        .map(|when| format!("numbers whose nearest word is a number, {when} training"));
    out.measured(&titles[0], 100.0 * shares[0], "%");
    out.measured("numbers whose nearest word is a number, after training", 100.0 * shares[1], "%");
    out.insight(neighbours_insight(shares, numbers.len()));
}

/// What the share of numbers whose nearest word is a number says, before and after the training.
pub fn neighbours_insight([before, after]: [f64; 2], n: usize) -> String {
    let [a, b] = [before, after].map(|share| format!("{:.0} %", 100.0 * share));
    let figures = format!(
        "Of {n} numbers, {b} have a number as their nearest word, and {a} had one before the training"
    );
    match compare_accuracies(after, before, n) {
        Reading::Larger => format!("{figures}: the table learned it from the words around them."),
        Reading::Smaller => format!("{figures}: the training drove them apart."),
        Reading::NoClearDifference | Reading::TooNoisy => {
            format!("{figures}: no clear difference.")
        }
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-embeddings-module", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🧪 A table that is shared learns which token follows; order is lost without positions; rotary scores of heads depend on distances.
#[test]
fn test_module() {
    use tinytorch::autograd::{Backward, track};
    use tinytorch::losses::Loss;
    use tinytorch::optimizers::Optimizer;
    use tinytorch::testing::{expect_close, expect_eq};

    // "The token 5 follows 4, and 0 follows 5": a circle that a shared table and one linear layer can learn.
    let mut rng = Rng::seeded(4);
    let mut layer = EmbeddingLayer::new(6, 8, 4, Positions::Learned, &mut rng);
    let mut hidden = Linear::new(8, 8, &mut rng);
    track(layer.parameters_mut());
    track(hidden.parameters_mut());
    let mut optimizer = Adam::new(0.05);
    let ids = ids_tensor(&[0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5], &[3, 4]);
    let next = ids_tensor(&[1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5, 0], &[12]);
    let (mut first, mut last) = (None, f32::NAN);
    for _ in 0..60 {
        let logits = tied_logits(&hidden.forward(&layer.forward(&ids)), &layer.tokens.weight);
        expect_eq("3 sequences of 4", logits.shape(), &[3, 4, 6], "a score for each token");
        let loss = CrossEntropyLoss.forward(&logits.reshape(&[12, 6]), &next);
        last = loss.item();
        first.get_or_insert(last);
        let gradients = loss.backward();
        let parameters = layer.parameters_mut().into_iter().chain(hidden.parameters_mut());
        optimizer.step(parameters.collect(), &gradients);
    }
    let first = first.unwrap_or(0.0);
    assert!(
        last < 0.2,
        "the loss fell from {first} to {last} in 60 steps, not below 0.2: a gradient is missing"
    );

    let order = |positions| {
        let layer = EmbeddingLayer::new(6, 8, 3, positions, &mut Rng::seeded(5));
        let mean = |ids: &[Id]| {
            Bag.forward(&ReLU.forward(&layer.forward(&ids_tensor(ids, &[3])))).to_vec()
        };
        (mean(&[1, 2, 3]), mean(&[3, 2, 1]))
    };
    let (dog, man) = order(Positions::None);
    expect_close(
        "dog bites man, man bites dog",
        &dog,
        &man,
        1e-6,
        "without positions the order is lost",
    );
    let (dog, man) = order(Positions::Sinusoidal);
    assert!(dog != man, "with positions the order is not lost");

    // Two sequences with three heads: scores of the same vectors at positions 0 to 4, and at 70 to 74.
    let [queries, keys] = [(); 2].map(|()| Tensor::randn(&[2, 3, 5, 8], &mut rng));
    let scores = |start| rotate(&queries, start).matmul(&rotate(&keys, start).t()).to_vec();
    let idea = "rotary scores depend on distances alone";
    expect_close("positions 0 to 4, and 70 to 74", &scores(70), &scores(0), 1e-3, idea);
}

// %% nbgrader={"grade": false, "grade_id": "embeddings-parts", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// For each row, a vector of zeros with a 1 at its place: (rows, vocab).
pub fn one_hot(rows: &[usize], vocab: usize) -> Tensor {
    let mut ones = vec![0.0; rows.len() * vocab];
    rows.iter().enumerate().for_each(|(at, row)| ones[at * vocab + row] = 1.0);
    Tensor::from_array(values(ones, &[rows.len(), vocab]))
}

/// The `count` other rows of a table that are most similar to row `row`, the most similar first.
pub fn nearest(table: &Tensor, row: usize, count: usize) -> Vec<usize> {
    let mut others: Vec<(f32, usize)> = (0..table.shape()[0])
        .filter(|&other| other != row)
        .map(|other| (row_similarity(table, row, other), other))
        .collect();
    others.sort_by(|a, b| b.0.total_cmp(&a.0));
    others.into_iter().take(count).map(|(_, other)| other).collect()
}

/// The cosine similarity of two rows of a table.
pub fn row_similarity(table: &Tensor, a: usize, b: usize) -> f32 {
    let (numbers, dim) = (table.data(), table.shape()[1]);
    cosine_similarity(&numbers[a * dim..][..dim], &numbers[b * dim..][..dim])
}

impl Layer for Embedding {
    fn name(&self) -> String {
        let shape = self.weight.shape();
        format!("Embedding({} -> {})", shape[0], shape[1])
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        self.forward(x)
    }

    fn parameters(&self) -> Vec<&Tensor> {
        vec![&self.weight]
    }

    fn parameters_mut(&mut self) -> Vec<&mut Tensor> {
        vec![&mut self.weight]
    }
}

impl Layer for EmbeddingLayer {
    fn name(&self) -> String {
        let kind = match &self.positions {
            PositionTable::Learned(_) => "learned",
            PositionTable::Sinusoidal(_) => "sinusoidal",
            PositionTable::None => "no",
        };
        format!("EmbeddingLayer({}, {kind} positions)", shape_text(self.tokens.weight.shape()))
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        self.forward(x)
    }

    fn parameters(&self) -> Vec<&Tensor> {
        let mut all = self.tokens.parameters();
        if let PositionTable::Learned(learned) = &self.positions {
            all.push(&learned.weight);
        }
        all
    }

    fn parameters_mut(&mut self) -> Vec<&mut Tensor> {
        let mut all = self.tokens.parameters_mut();
        if let PositionTable::Learned(learned) = &mut self.positions {
            all.push(&mut learned.weight);
        }
        all
    }
}

/// The mean over all positions: a bag of words.
pub struct Bag;

impl Layer for Bag {
    fn name(&self) -> String {
        "Bag".into()
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        x.mean_axis(-2, false)
    }
}

// %% nbgrader={"grade": false, "grade_id": "embeddings-bites", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Ids 0 to 15 are names.
const NAMES: usize = 16;

/// Sentences "X bites Y" with X as the class: a training set and a test set. Both orders of a pair are in the same set.
pub fn bites() -> [(Tensor, Tensor); 2] {
    let pairs: Vec<[usize; 2]> =
        (0..NAMES).flat_map(|a| (a + 1..NAMES).map(move |b| [a, b])).collect();
    let [train, _, test] = three_sets(pairs.len(), 0, 40, &mut Rng::seeded(1));
    [train, test].map(|set| {
        let both = set.iter().flat_map(|&pair| [pairs[pair], [pairs[pair][1], pairs[pair][0]]]);
        let sentences: Vec<[Id; 3]> = both.map(|[x, y]| [x as Id, NAMES as Id, y as Id]).collect();
        let biters: Vec<Id> = sentences.iter().map(|sentence| sentence[0]).collect();
        let count = sentences.len();
        (ids_tensor(&sentences.concat(), &[count, 3]), ids_tensor(&biters, &[count]))
    })
}

/// Trains a network to say who bites; returns the share of the test sentences that it answers. Each vector passes a layer of its
/// own before the mean: the mean of sums would be the sum of two means, and order would be lost in spite of positions.
pub fn who_bites(
    positions: Positions,
    [train, test]: &[(Tensor, Tensor); 2],
) -> Result<f64, TrainingError> {
    let mut rng = Rng::seeded(1);
    let model = Sequential::new(vec![
        Box::new(EmbeddingLayer::new(NAMES + 1, 32, 3, positions, &mut rng)),
        Box::new(Linear::new(32, 64, &mut rng)),
        Box::new(ReLU),
        Box::new(Bag),
        Box::new(Linear::new(64, NAMES, &mut rng)),
    ]);
    let mut trainer = Trainer::new(model, Adam::new(0.01), CrossEntropyLoss);
    trainer.fit(150, |_| [train], &[], None)?;
    Ok(f64::from(trainer.evaluate([test])?.1.unwrap_or(0.0)))
}

// %% nbgrader={"grade": false, "grade_id": "embeddings-words", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// A word with the two words around it.
pub type Sample = (Id, [Id; 2]);

/// The distinct words of the training questions with their answers, in lower case, and each word between two others.
pub fn corpus() -> (Vec<String>, Vec<Sample>) {
    let (mut words, mut samples) = (vec![], vec![]);
    for pair in dialogue::pairs(Split::Train) {
        let text = format!("{} {}", pair.question, pair.answer).to_lowercase();
        let pieces = chunks(text.as_bytes()).into_iter().map(String::from_utf8_lossy);
        let ids: Vec<Id> = pieces
            .map(|piece| {
                let word = piece.trim();
                let known = words.iter().position(|known| known == word);
                known.unwrap_or_else(|| {
                    words.push(word.to_owned());
                    words.len() - 1
                }) as Id
            })
            .collect();
        samples.extend(ids.windows(3).map(|three| (three[1], [three[0], three[2]])));
    }
    (words, samples)
}

/// Whether a word is a number in digits.
pub fn is_number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// Predicts a word from the words around it (..., 2): the mean of their vectors, compared with every row of the same table
/// (the continuous bag of words of Mikolov et al., 2013, with one table in place of two).
pub struct WordModel(pub Embedding);

impl WordModel {
    /// With a trainer, for a vocabulary of this size.
    pub fn trainer(vocab: usize) -> Trainer {
        let model = Self(Embedding::with_std(vocab, 32, unit_std(32), &mut Rng::seeded(2)));
        Trainer::new(model, Adam::new(0.01), CrossEntropyLoss)
    }
}

impl Layer for WordModel {
    fn name(&self) -> String {
        format!("WordModel({})", self.0.name())
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        tied_logits(&Bag.forward(&self.0.forward(x)), &self.0.weight)
    }

    fn parameters(&self) -> Vec<&Tensor> {
        self.0.parameters()
    }

    fn parameters_mut(&mut self) -> Vec<&mut Tensor> {
        self.0.parameters_mut()
    }
}

/// The samples in a random order, 256 at a time.
pub fn word_batches(samples: &[Sample], rng: &mut Rng) -> Vec<(Tensor, Tensor)> {
    let mut order = samples.to_vec();
    rng.shuffle(&mut order);
    let batch = |part: &[Sample]| {
        let around: Vec<Id> = part.iter().flat_map(|&(_, around)| around).collect();
        let words: Vec<Id> = part.iter().map(|&(word, _)| word).collect();
        (ids_tensor(&around, &[part.len(), 2]), ids_tensor(&words, &[part.len()]))
    };
    order.chunks(256).map(batch).collect()
}

// %% nbgrader={"grade": false, "grade_id": "embeddings-explore", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Positions, frequency by frequency.
///
/// Press play, or move the last pair with the arrow keys: each new pair of columns is a slower wave. Which positions look like the one
/// that you chose? Your functions compute the table.
pub fn explore_positions(figure: &mut Explorer) {
    const LENGTH: usize = 64;
    const DIM: usize = 16;
    let pairs = figure.play("last pair", DIM / 2, 1) + 1;
    let position = figure.number("position", 10.0, 0.0..=63.0, 1.0) as usize;
    let table = sinusoidal_table(LENGTH, DIM).slice(&[0..LENGTH, 0..2 * pairs]);
    let wave = |column: usize| {
        let column = table.slice(&[0..LENGTH, column..column + 1]).to_vec();
        column.into_iter().enumerate().map(|(p, y)| (p as f64, f64::from(y))).collect::<Vec<_>>()
    };
    let period = std::f64::consts::TAU / frequency(pairs - 1, DIM);
    let axes = |y: &str| (Axis::linear("position", ""), Axis::linear(y, ""));
    let (x, y) = axes("column");
    let last =
        vec![Series::new("sine", wave(2 * pairs - 2)), Series::new("cosine", wave(2 * pairs - 1))];
    figure.measured_chart("The slowest pair so far", x, y, last);
    let title = format!("{} columns (down) at {LENGTH} positions (across)", 2 * pairs);
    figure.pixels(title, LENGTH, &table.t().data());
    let similarity: Vec<(f64, f64)> = (0..LENGTH)
        .map(|other| (other as f64, f64::from(row_similarity(&table, position, other))))
        .collect();
    let (x, y) = axes("cosine similarity");
    let curve = vec![Series::new(format!("to position {position}"), similarity)];
    figure.measured_chart("Similarity of all positions to one", x, y, curve);
    let other = nearest(&table, position, 1)[0];
    figure.measured("period of the slowest pair, in positions", period, "");
    figure.insight(positions_insight(
        pairs,
        [position, other],
        row_similarity(&table, position, other),
    ));
}

/// What the most similar other position says of so many pairs of columns.
pub fn positions_insight(pairs: usize, [position, other]: [usize; 2], similarity: f32) -> String {
    let found = format!(
        "With {pairs} of 8 pairs, position {position} is most similar to position {other} ({similarity:.4})"
    );
    if !similarity.is_finite() {
        return format!("With {pairs} of 8 pairs, the similarity is not a number.");
    }
    if position.abs_diff(other) == 1 {
        format!("{found}: its neighbour. Near positions look alike.")
    } else {
        format!(
            "{found}, which is {} away: the waves repeat. A slower one is needed.",
            position.abs_diff(other)
        )
    }
}

// %% nbgrader={"grade": false, "grade_id": "embeddings-main", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Runs the analyses and prints what they report.
pub fn main() {
    let mut out = Reporter::stdout();
    analyze_lookup(&mut out);
    analyze_positions(&mut out);
    analyze_neighbours(&mut out);
}

// %% nbgrader={"grade": false, "grade_id": "embeddings-own", "locked": false, "schema_version": 3, "solution": false, "task": false}
// Yours: helper functions and tests of your own go here. The tutor runs each `#[test]` function of this cell and
// shows it as yours; it is never graded.
