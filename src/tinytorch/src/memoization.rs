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

// %% nbgrader={"grade": false, "grade_id": "memoization-header", "locked": true, "schema_version": 3, "solution": false, "task": false}
//! 15 Memoization: a KV cache for the GPT of lesson 13. Input: the ids of new tokens `(B, S)`. Output: the logits of the
//! token after them `(B, V)`; keys and values of each position are computed once. Depends on 11 to 13. By hand: to
//! generate 100 tokens after a prompt of 10, 5,950 positions pass through the model without a cache, and 109 with one.
//! Not here: fewer bits for each number (16), and faster kernels (18).

use std::time::Instant;
use tinytorch::attention::{
    MultiHeadAttention, merge_heads, scaled_dot_product_attention, split_heads,
};
use tinytorch::autograd::no_grad;
pub use tinytorch::cache::CacheError;
use tinytorch::embeddings::{ids_tensor, tied_logits};
use tinytorch::explore::Explorer;
use tinytorch::insights::memoization::{
    BEYOND, FORGOTTEN, KEPT, LONG, SHORT, WITHIN, with, without,
};
use tinytorch::insights::memoization::{cache_size_insight, memory_insight, naive_insight};
use tinytorch::insights::memoization::{speedup_insight, window_insight};
use tinytorch::layers::Layer;
use tinytorch::random::Rng;
use tinytorch::report::{Axis, Chart, ChartKind, Origin, Reporter, Series, Target, columns};
use tinytorch::sampling::{check_prompt, most_probable};
use tinytorch::tensor::{Tensor, values};
use tinytorch::testing::{Comparison, compare, memory, quartiles};
use tinytorch::tokenization::Id;
use tinytorch::transformers::{GenerateError, Gpt, GptConfig, Sampler};
use tinytorch::transformers::{count_parameters, generate, pick, visible};

// %% [markdown] nbgrader={"grade": false, "grade_id": "memoization-intro", "locked": true, "schema_version": 3, "solution": false, "task": false}
// # 🎯 Memoization
//
// You build: the count of what is computed twice; a cache for the keys and values of all layers; attention of new
// positions over cached ones; the passes of a GPT with a cache; and generation that computes each position once.

// %% nbgrader={"grade": false, "grade_id": "memoization-positions", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// How many positions pass through the model when it generates `new_tokens` tokens after `prompt` ones, and each pass
/// reads the whole text again. The context is long enough.
///
/// TODO: add up the lengths of all passes.
///
/// APPROACH: the first pass reads the prompt. Each further pass reads one token more than the one before.
///
/// EXAMPLE: a prompt of 3 and 2 new tokens: 3 + 4 = 7.
///
/// HINTS: there are as many passes as new tokens. A range of lengths has a `sum`.
pub fn positions_without_cache(prompt: usize, new_tokens: usize) -> usize {
    // BEGIN SOLUTION
    (prompt..prompt + new_tokens).sum()
    // END SOLUTION
}

/// How many different positions there are among them: that many must be computed.
///
/// TODO: count the positions that pass through the model at least once.
///
/// APPROACH: all tokens of the prompt do. Which of the new tokens does not?
///
/// EXAMPLE: a prompt of 3 and 2 new tokens: 4. Without new tokens there is no pass: 0.
///
/// HINTS: what follows the last token?
pub fn positions_with_cache(prompt: usize, new_tokens: usize) -> usize {
    // BEGIN SOLUTION
    match new_tokens {
        0 => 0,
        _ => prompt + new_tokens - 1,
    }
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-memoization-positions", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 By hand, one token, none, and the count of lesson 13.
#[test]
fn test_unit_positions() {
    use tinytorch::testing::expect_call;

    let every = "one pass for each new token, and each reads the whole text so far";
    let once = "every position once, except the last token's: nothing follows it";
    for (prompt, new, without, with) in
        [(3, 2, 7, 4), (5, 1, 5, 5), (1, 3, 6, 3), (10, 100, 5_950, 109)]
    {
        let input = format!("a prompt of {prompt}, {new} new tokens");
        expect_call(
            format!("{input}, no cache"),
            || positions_without_cache(prompt, new),
            without,
            every,
        );
        expect_call(format!("{input}, a cache"), || positions_with_cache(prompt, new), with, once);
    }
    let none = "no new token, no pass";
    let both = || (positions_without_cache(4, 0), positions_with_cache(4, 0));
    expect_call("a prompt of 4, no new token", both, (0, 0), none);
}

// %% nbgrader={"grade": false, "grade_id": "memoization-types", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// The sizes of a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheShape {
    /// Sequences side by side.
    pub batch: usize,
    /// The positions of each that have room.
    pub context: usize,
    /// Layers with an attention.
    pub layers: usize,
    /// Heads that have keys and values.
    pub heads: usize,
    /// The numbers of one key, and of one value.
    pub head_dim: usize,
}

/// The keys and values of all layers, for the positions that a model has passed already. For each layer, `keys` and
/// `values` hold batch x heads blocks of context x head_dim numbers; the first `length` rows of a block are filled.
#[derive(Debug, Clone)]
pub struct KvCache {
    shape: CacheShape,
    keys: Vec<Vec<f32>>,
    values: Vec<Vec<f32>>,
    length: usize,
}

// %% nbgrader={"grade": false, "grade_id": "memoization-bytes", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl CacheShape {
    /// The bytes of the keys and values of this many `positions` in each sequence, with `bits` for each number.
    ///
    /// TODO: multiply the sizes, and turn bits into bytes.
    ///
    /// APPROACH: for each layer, head, position and sequence there is one key and one value of `head_dim` numbers.
    ///
    /// EXAMPLE: 2 layers, 4 heads of 16 numbers, 1 sequence, 10 positions, 32 bits: 2 x 2 x 4 x 16 x 10 x 4 = 10,240
    /// bytes.
    ///
    /// HINTS: 8 bits are a byte. Divide last: 4 bits are less than one. `context` is not needed: what is reserved is the
    /// case `positions = context`.
    pub fn bytes(&self, positions: usize, bits: usize) -> usize {
        let Self { batch, layers, heads, head_dim, .. } = *self;
        // BEGIN SOLUTION
        2 * layers * heads * head_dim * positions * batch * bits / 8
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-memoization-bytes", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 By hand; each size doubled; half a byte for each number; positions, not the context.
#[test]
fn test_unit_bytes() {
    use tinytorch::testing::expect_call;

    let shape = CacheShape { batch: 1, context: 99, layers: 2, heads: 4, head_dim: 16 };
    let idea = "a key and a value for each layer, head, position and sequence: 2 L H d T B numbers";
    for (shape, positions, bits, wanted, idea) in [
        (shape, 0, 32, 0, "count the positions asked for, not the context"),
        (shape, 10, 32, 10_240, idea),
        (CacheShape { layers: 3, ..shape }, 10, 32, 15_360, idea),
        (CacheShape { heads: 1, ..shape }, 10, 32, 2_560, idea),
        (CacheShape { head_dim: 8, ..shape }, 10, 32, 5_120, idea),
        (CacheShape { batch: 5, ..shape }, 10, 32, 51_200, idea),
        (shape, 10, 16, 5_120, "bits, not bytes: 8 of them are one byte"),
        (shape, 10, 4, 1_280, "divide by 8 at the end: 4 bits are half a byte"),
        (
            CacheShape { head_dim: 1, ..shape },
            1,
            4,
            8,
            "divide by 8 at the end: 4 bits are half a byte",
        ),
    ] {
        let input = format!("{shape:?}, {positions} positions, {bits} bits");
        expect_call(input, || shape.bytes(positions, bits), wanted, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "memoization-length", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl KvCache {
    /// Whether `new` more positions fit.
    ///
    /// TODO: compare with the room that is left; [`CacheError::Full`] where it is not enough.
    ///
    /// APPROACH: `self.shape.context - self.length` positions are left.
    ///
    /// EXAMPLE: with a context of 8, of which 6 are filled, 2 fit; for 3 the error is
    /// `Full { length: 6, new: 3, context: 8 }`.
    ///
    /// HINTS: an error is a value: the caller decides what to do. Do not panic.
    pub fn check_room(&self, new: usize) -> Result<(), CacheError> {
        // BEGIN SOLUTION
        let (length, context) = (self.length, self.shape.context);
        if new > context - length {
            return Err(CacheError::Full { length, new, context });
        }
        Ok(())
        // END SOLUTION
    }

    /// Counts `new` positions as filled: all layers have stored them.
    ///
    /// TODO: check the room, then move on.
    ///
    /// APPROACH: one number counts for all layers, because all of them see the same tokens.
    ///
    /// EXAMPLE: after a prompt of 5 the length is 5, after one more token 6.
    ///
    /// HINTS: `?` returns the error of `check_room`.
    pub fn advance(&mut self, new: usize) -> Result<(), CacheError> {
        // BEGIN SOLUTION
        self.check_room(new)?;
        self.length += new;
        Ok(())
        // END SOLUTION
    }

    /// Forgets all positions but the first `length`; with more than there are, nothing changes.
    ///
    /// TODO: change one number.
    ///
    /// APPROACH: what is after `length` is never read, and overwritten later. It need not be erased.
    ///
    /// EXAMPLE: of 6 positions, `truncate(4)` leaves 4, and `truncate(9)` leaves 6.
    ///
    /// HINTS: the smaller of two numbers.
    pub fn truncate(&mut self, length: usize) {
        // BEGIN SOLUTION
        self.length = self.length.min(length);
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-memoization-length", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Filled to the last position and not further; an error changes nothing; forgetting some, more than all, and all.
#[test]
fn test_unit_length() {
    use tinytorch::testing::{expect_call, expect_eq};

    let mut cache = KvCache::new(1, 8, 2, 1, 4);
    let full = |length, new| Err(CacheError::Full { length, new, context: 8 });
    expect_call("a new cache", || cache.length(), 0, "nothing is filled yet");
    expect_call("8 of 8", || cache.check_room(8), Ok(()), "the last position can be filled too");
    let idea = "more positions than there is room for: an error with all three numbers";
    expect_call("9 of 8", || cache.check_room(9), full(0, 9), idea);
    for (new, length) in [(5, 5), (1, 6)] {
        let moved = || cache.advance(new).map(|()| cache.length());
        let idea = "the length grows by the new positions";
        expect_call(format!("advance({new})"), moved, Ok(length), idea);
    }
    expect_call("3 more, 6 of 8 filled", || cache.advance(3), full(6, 3), idea);
    expect_eq("the length afterwards", cache.length(), 6, "check first: an error changes nothing");
    expect_call("usize::MAX", || cache.check_room(usize::MAX), full(6, usize::MAX), idea);
    for (kept, length) in [(9, 6), (4, 4), (0, 0)] {
        cache.truncate(kept);
        let idea = "the first positions stay, and none is added";
        expect_eq(format!("truncate({kept})"), cache.length(), length, idea);
    }
    expect_call("8 of 8, emptied", || cache.check_room(8), Ok(()), "what was forgotten is room");
}

// %% nbgrader={"grade": false, "grade_id": "memoization-update", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl KvCache {
    /// Stores the keys and values (B, heads, S, d) of S new positions in a layer, after the `length` filled ones. The
    /// length stays: the other layers still have to store theirs.
    ///
    /// TODO: check the room, then copy the new rows of each block to their place.
    ///
    /// APPROACH:
    /// 1. A block of the store has `context * d` numbers, a block of the tensor `new * d`. Sequence by sequence and head
    ///    by head, they have the same order: go through both together.
    /// 2. The new rows of a block begin at row `length`: at the number `length * d`.
    ///
    /// EXAMPLE: 1 head, d = 2, context 3, length 1: the new row `[5, 6]` goes to the numbers 2 and 3 of the 6.
    ///
    /// HINTS: `chunks_exact_mut` cuts the store into blocks, `chunks_exact` the `data()` of a tensor. `copy_from_slice`.
    pub fn update(
        &mut self,
        layer: usize,
        keys: &Tensor,
        values: &Tensor,
    ) -> Result<(), CacheError> {
        let new = self.check_new(layer, keys, values)?;
        let CacheShape { context, head_dim: d, .. } = self.shape;
        // BEGIN SOLUTION
        self.check_room(new)?;
        for (store, tensor) in [(&mut self.keys[layer], keys), (&mut self.values[layer], values)] {
            let tensor = tensor.data();
            for (block, rows) in
                store.chunks_exact_mut(context * d).zip(tensor.chunks_exact(new * d))
            {
                block[self.length * d..][..new * d].copy_from_slice(rows);
            }
        }
        Ok(())
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-memoization-update", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Every number in its place: the first position, the next one, two layers, heads and sequences, no room.
#[test]
fn test_unit_update() {
    use tinytorch::testing::{expect_call, expect_eq};

    // Two sequences of one head, d = 1, context 3.
    let mut cache = KvCache::new(2, 3, 2, 1, 1);
    let column = |a: f32, b: f32| Tensor::new(&[a, b], &[2, 1, 1, 1]);
    let stored = |cache: &KvCache, layer| cache.stored(layer).map(<[f32]>::to_vec);
    let mut check = |layer, length, (keys, wanted): (Tensor, [f32; 6]), idea| {
        cache.truncate(0);
        let values = &keys * 10.0;
        let call = || {
            cache.advance(length).and_then(|()| cache.update(layer, &keys, &values))?;
            Ok(stored(&cache, layer))
        };
        let wanted = [wanted.to_vec(), wanted.map(|x| x * 10.0).to_vec()];
        let input = format!("{:?} into layer {layer}, {length} filled", keys.to_vec());
        expect_call(input, call, Ok::<_, CacheError>(wanted), idea);
        let idea = "`advance` moves on, once for all layers";
        expect_eq("the length afterwards", cache.length(), length, idea);
    };
    let idea = "the first token's keys and values are stored too: keys in one store, values in the other, each \
                sequence in its own block";
    check(0, 0, (column(1.0, 5.0), [1.0, 0.0, 0.0, 5.0, 0.0, 0.0]), idea);
    let idea = "all new rows of a block go behind the filled ones, and change nothing before them";
    let two = Tensor::new(&[2.0, 3.0, 6.0, 7.0], &[2, 1, 2, 1]);
    check(0, 1, (two, [1.0, 2.0, 3.0, 5.0, 6.0, 7.0]), idea);
    check(1, 2, (column(4.0, 8.0), [0.0, 0.0, 4.0, 0.0, 0.0, 8.0]), "each layer has its own store");

    // One sequence of two heads, d = 2.
    let mut cache = KvCache::new(1, 2, 1, 2, 2);
    let rows = Tensor::new(&[1.0, 2.0, 3.0, 4.0], &[1, 2, 1, 2]);
    let call = || {
        cache.advance(1).and_then(|()| cache.update(0, &rows, &rows))?;
        Ok::<_, CacheError>(stored(&cache, 0)[0].clone())
    };
    let wanted = Ok(vec![0.0, 0.0, 1.0, 2.0, 0.0, 0.0, 3.0, 4.0]);
    let idea = "a row has d numbers, and each head its block";
    expect_call("rows [1, 2] and [3, 4] of 2 heads", call, wanted, idea);
    let long = Tensor::ones(&[1, 2, 2, 2]);
    let full = Err(CacheError::Full { length: 1, new: 2, context: 2 });
    let idea = "check the room before you store";
    expect_call("2 rows, 1 of 2 filled", || cache.update(0, &long, &long), full, idea);
    let unknown = Err(CacheError::UnknownLayer { layer: 1, layers: 1 });
    let idea = "given: an unknown layer is an error";
    expect_call("layer 1 of 1", || cache.update(1, &rows, &rows), unknown, idea);
}

// %% nbgrader={"grade": false, "grade_id": "memoization-get", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl KvCache {
    /// The keys and values (B, heads, positions, d) of the first `positions` of a layer.
    ///
    /// TODO: cut the filled rows out of each block, and make tensors of them.
    ///
    /// APPROACH:
    /// 1. Of each block of `context * d` numbers, the first `positions * d`.
    /// 2. One block after the other, they are the elements of a tensor (B, heads, positions, d).
    ///
    /// EXAMPLE: 2 heads, d = 1, context 3, the store `[1, 2, 0, 5, 6, 0]`: 2 positions are `[1, 2]` and `[5, 6]`.
    ///
    /// HINTS: collect the cuts in a `Vec<&[f32]>`; `concat` joins them. `values(elements, &shape)` is what
    /// `Tensor::from_array` takes. A closure can do it for the keys and for the values.
    pub fn get(&self, layer: usize, positions: usize) -> Result<(Tensor, Tensor), CacheError> {
        let CacheShape { batch, context, heads, head_dim: d, .. } = self.shape;
        self.check_layer(layer)?;
        self.check_filled(positions)?;
        // BEGIN SOLUTION
        let filled = |store: &[f32]| {
            let rows: Vec<&[f32]> =
                store.chunks_exact(context * d).map(|block| &block[..positions * d]).collect();
            Tensor::from_array(values(rows.concat(), &[batch, heads, positions, d]))
        };
        Ok((filled(&self.keys[layer]), filled(&self.values[layer])))
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-memoization-get", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 What was stored, from the first position on, for both sequences; rows that are not advanced past yet; errors.
#[test]
fn test_unit_get() {
    use tinytorch::testing::expect_call;

    let mut cache = KvCache::new(2, 4, 2, 2, 3);
    let rng = &mut Rng::seeded(1);
    let [keys, rest] = [3, 1].map(|new| Tensor::randn(&[2, 2, new, 3], rng));
    let mut store = |rows: &Tensor, layer| cache.update(layer, rows, &(rows * 10.0));
    store(&keys, 1).expect("3 positions");
    let read = |cache: &KvCache, layer, positions| {
        let (keys, values) = cache.get(layer, positions)?;
        Ok::<_, CacheError>((keys.shape().to_vec(), keys.to_vec(), values.to_vec()))
    };
    let of = |keys: &Tensor| (keys.shape().to_vec(), keys.to_vec(), (keys * 10.0).to_vec());
    let part = |cache: &KvCache, is_keys| {
        let (keys, values) = cache.get(1, 3)?;
        let part = if is_keys { keys } else { values };
        Ok::<_, CacheError>((part.shape().to_vec(), part.to_vec()))
    };
    let idea = "the first rows of each block: (B, heads, positions, d)";
    let other = "the values come from the store of the values";
    for (name, is_keys, wanted, idea) in
        [("keys", true, keys.clone(), idea), ("values", false, &keys * 10.0, other)]
    {
        let wanted = Ok((wanted.shape().to_vec(), wanted.to_vec()));
        let input = format!("the {name} of 3 positions, not advanced past");
        expect_call(input, || part(&cache, is_keys), wanted, idea);
    }
    let first = keys.slice(&[0..2, 0..2, 0..1]);
    expect_call("the first of 3 positions", || read(&cache, 1, 1), Ok(of(&first)), idea);
    let zeros = Ok(of(&Tensor::zeros(&[2, 2, 2, 3])));
    expect_call("layer 0, empty", || read(&cache, 0, 2), zeros, "each layer has its own store");
    cache.advance(3).expect("3 positions");
    cache.update(1, &rest, &(&rest * 10.0)).expect("a fourth position");
    let all = Ok::<_, CacheError>((keys.to_vec(), rest.to_vec()));
    let parts = || {
        let (both, _) = cache.get(1, 4)?;
        Ok((both.slice(&[0..2, 0..2, 0..3]).to_vec(), both.slice(&[0..2, 0..2, 3..4]).to_vec()))
    };
    expect_call("3 positions and 1 more", parts, all, "the earlier rows first, then the new one");
    let full = CacheError::Full { length: 3, new: 2, context: 4 };
    expect_call("5 of 4 positions", || read(&cache, 1, 5), Err(full), "given: no room, no keys");
}

// %% nbgrader={"grade": false, "grade_id": "memoization-mask", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The causal mask of `new` positions after `past` ones, (new, past + new): 1 where a new position may look.
///
/// TODO: ones and zeros, row by row.
///
/// APPROACH: the new positions have the numbers past, past + 1 and so on. Each may see the keys from 0 up to itself.
///
/// EXAMPLE: `past = 2`, `new = 2`: the rows `[1, 1, 1, 0]` and `[1, 1, 1, 1]`.
///
/// HINTS: with `past = 0` it is the `causal_mask` of lesson 12. `f32::from` makes 1 of true.
pub fn cached_mask(past: usize, new: usize) -> Tensor {
    // BEGIN SOLUTION
    let row = |query: usize| (0..past + new).map(move |key| f32::from(key <= past + query));
    let elements: Vec<f32> = (0..new).flat_map(row).collect();
    Tensor::new(&elements, &[new, past + new])
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-memoization-mask", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Without a past as in lesson 12; one new position; a piece of a prompt after others.
#[test]
fn test_unit_mask() {
    use tinytorch::testing::expect_call;

    let check = |past, new, wanted: &[f32], idea: &str| {
        let mask = || {
            let mask = cached_mask(past, new);
            (mask.shape().to_vec(), mask.to_vec())
        };
        let input = format!("{new} new positions behind {past}");
        expect_call(input, mask, (vec![new, past + new], wanted.to_vec()), idea);
    };
    check(0, 2, &[1.0, 0.0, 1.0, 1.0], "without a past, it is the causal mask");
    check(3, 1, &[1.0; 4], "one new position sees all keys, and its own");
    let idea = "a new position sees all cached keys, and of the new ones those up to itself";
    check(2, 2, &[1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0], idea);
    check(1, 3, &[1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0], idea);
}

// %% nbgrader={"grade": false, "grade_id": "memoization-attention-type", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// The attention of one layer, with a cache. It refers to your attention of lesson 12, and changes nothing in it.
#[derive(Debug, Clone, Copy)]
pub struct CachedMultiHeadAttention<'m> {
    /// The attention with its weights.
    pub attention: &'m MultiHeadAttention,
    /// The layer of the cache that is its own.
    pub layer: usize,
}

// %% nbgrader={"grade": false, "grade_id": "memoization-attention", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl CachedMultiHeadAttention<'_> {
    /// What the new positions `x` (B, S, D) find among all positions so far, (B, S, D). Their keys and values are in the
    /// cache afterwards; its length is as before.
    ///
    /// TODO: compute queries, keys and values of the new positions alone, and attend to all keys and values.
    ///
    /// APPROACH:
    /// 1. Project and split `x` as in lesson 12: three projections, of the new positions only.
    /// 2. `update` the cache with the new keys and values, then `get` those of all positions, the new ones too.
    /// 3. Attend with `cached_mask`; a single new position needs no mask. Merge, and project.
    ///
    /// EXAMPLE: 7 positions are filled and `x` is (1, 1, 8), 2 heads: q is (1, 2, 1, 4), the keys are (1, 2, 8, 4).
    ///
    /// HINTS: `cache.length()` positions are past; the second size of `x` is how many are new. `then` of a `bool` makes an
    /// `Option`, and `as_ref` lends what is in it.
    pub fn forward(&self, x: &Tensor, cache: &mut KvCache) -> Result<Tensor, CacheError> {
        // BEGIN SOLUTION
        let Self { attention, layer } = *self;
        let [q, k, v] = [&attention.query, &attention.key, &attention.value]
            .map(|projection| split_heads(&projection.forward(x), attention.heads));
        cache.update(layer, &k, &v)?;
        let (past, new) = (cache.length(), x.shape()[1]);
        let (keys, values) = cache.get(layer, past + new)?;
        let mask = (new > 1).then(|| cached_mask(past, new));
        let (mixed, _) = scaled_dot_product_attention(&q, &keys, &values, mask.as_ref());
        Ok(attention.output.forward(&merge_heads(&mixed)))
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-memoization-attention", "locked": true, "points": 15, "schema_version": 3, "solution": false, "task": false}
/// 🔬 In pieces of any length as in one: two sequences, two heads; the cache keeps its length; no room is an error.
#[test]
fn test_unit_attention() {
    use tinytorch::attention::causal_mask;
    use tinytorch::testing::{expect_call, expect_close, expect_eq, expect_return};

    let rng = &mut Rng::seeded(2);
    let attention = MultiHeadAttention::new(8, 2, rng);
    let x = Tensor::randn(&[2, 6, 8], rng);
    let whole = attention.forward(&x, Some(&causal_mask(6)));
    let layer = CachedMultiHeadAttention { attention: &attention, layer: 1 };
    for (pieces, idea) in [
        (&[6][..], "a whole prompt at once: each position sees itself and those before it"),
        (&[1, 1, 1], "each new position attends to all cached ones and to itself"),
        (&[3, 1, 1], "a prompt, then one by one: its first keys and values are read too"),
        (&[2, 3, 1], "a piece of a prompt sees all cached keys, and of its own those up to itself"),
    ] {
        let mut cache = KvCache::new(2, 6, 2, 2, 4);
        for &new in pieces {
            let past = cache.length();
            let input = format!("pieces {pieces:?}: {new} new behind {past}");
            let part = |all: &Tensor| all.slice(&[0..2, past..past + new]);
            let yours = expect_return(&input, || layer.forward(&part(&x), &mut cache), idea);
            let shared =
                "the layers share one length: the model advances it, an attention does not";
            expect_eq(&input, yours.as_ref().err(), None, shared);
            let yours = yours.expect(shared);
            expect_close(&input, &yours.to_vec(), &part(&whole).to_vec(), 1e-5, idea);
            expect_eq(&input, cache.length(), past, shared);
            cache.advance(new).expect("room");
        }
        let untouched = cache.stored(0).concat().iter().all(|x| *x == 0.0);
        let own = "each layer stores into and reads from its own store: self.layer";
        expect_eq("an attention of layer 1: is the store of layer 0 empty", untouched, true, own);
    }
    let mut cache = KvCache::new(2, 5, 2, 2, 4);
    let full = CacheError::Full { length: 0, new: 6, context: 5 };
    let idea = "pass the errors of the cache on";
    let refused = || layer.forward(&x, &mut cache).err();
    expect_call("6 positions, room for 5", refused, Some(full), idea);
}

// %% nbgrader={"grade": false, "grade_id": "memoization-gpt-type", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// A GPT with a cache. It refers to the model, and changes nothing in it.
#[derive(Debug, Clone)]
pub struct CachedGpt<'m> {
    model: &'m Gpt,
    attentions: Vec<CachedMultiHeadAttention<'m>>,
    cache: KvCache,
    /// The ids whose keys and values are in the cache, for [`CachedGpt::next_logits`].
    seen: Vec<Id>,
    /// How many positions have passed through the blocks.
    passed: usize,
}

// %% nbgrader={"grade": false, "grade_id": "memoization-forward", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl CachedGpt<'_> {
    /// Passes the ids of new positions `(B, S)` through the model, after those in the cache, and returns the logits of
    /// the token that follows: `(B, vocab_size)`.
    ///
    /// TODO: embed at the right positions, pass all blocks with the cache, advance, and score the last position.
    ///
    /// APPROACH:
    /// 1. `forward_at` of the embedding layer of lesson 11, from the cache's length on.
    /// 2. For each block: add what its cached attention finds in `norm1` of the sum, then what the MLP makes of `norm2`.
    /// 3. `advance` once, after the last block.
    /// 4. Only the last position decides about the next token: the final norm and `tied_logits` of that one alone.
    ///
    /// EXAMPLE: ids (2, 5) after 3 positions: the embedding begins at position 3, the cache has 8 positions
    /// afterwards, and the logits are (2, vocab_size).
    ///
    /// HINTS: `zip` the model's blocks with `self.attentions`. `x.select(1, new - 1)` is the last position, (B, D).
    pub fn forward(&mut self, ids: &Tensor) -> Result<Tensor, CacheError> {
        let new = self.count_new(ids)?;
        no_grad(|| {
            // BEGIN SOLUTION
            let mut x = self.model.embedding.forward_at(ids, self.cache.length());
            for (block, attention) in self.model.blocks.iter().zip(&self.attentions) {
                x = &x + attention.forward(&block.norm1.forward(&x), &mut self.cache)?;
                x = &x + block.mlp.forward(&block.norm2.forward(&x));
            }
            self.cache.advance(new)?;
            let last = self.model.norm.forward(&x.select(1, new - 1));
            Ok(tied_logits(&last, &self.model.embedding.tokens.weight))
            // END SOLUTION
        })
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-memoization-forward", "locked": true, "points": 15, "schema_version": 3, "solution": false, "task": false}
/// 🔬 The logits of the model without a cache, in pieces, two sequences, three layers; the length; no gradient; errors.
#[test]
fn test_unit_forward() {
    use tinytorch::testing::{expect_close, expect_eq, expect_return};

    let config = GptConfig { vocab_size: 11, context: 6, dim: 8, layers: 3, heads: 2 };
    let mut model = changed_gpt(config, 3);
    tinytorch::autograd::track(model.parameters_mut());
    let ids: Vec<Id> = vec![3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8];
    let ids = ids_tensor(&ids, &[2, 6]);
    let part = |range: std::ops::Range<usize>| ids.slice(&[0..2, range]);
    let own = "a new token is embedded at its own position, behind the cached ones";
    for (pieces, idea) in [
        (
            &[3][..],
            "each block adds attention(norm1(x)), then mlp(norm2(x)); behind them the final norm, and the last \
             position is scored",
        ),
        (&[1, 1, 1], own),
        (&[3, 2, 1], own),
    ] {
        let mut cached = CachedGpt::new(&model, 2);
        for &new in pieces {
            let past = cached.cache().length();
            let input = format!("pieces {pieces:?}: {new} new behind {past}");
            let logits = expect_return(&input, || cached.forward(&part(past..past + new)), idea);
            let once = "advance once, behind the last block";
            expect_eq(&input, logits.as_ref().err(), None, once);
            let logits = logits.expect(once);
            let whole = model.forward(&part(0..past + new)).select(1, past + new - 1);
            let shape = "logits of the last position of each sequence";
            expect_eq(&input, logits.shape(), &[2, 11], shape);
            expect_close(&input, &logits.to_vec(), &whole.to_vec(), 1e-4, idea);
            expect_eq(&input, cached.cache().length(), past + new, once);
            expect_eq(&input, logits.is_tracked(), false, "given: nothing is recorded");
        }
    }
    let mut cached = CachedGpt::new(&model, 2);
    cached.forward(&part(0..4)).expect("4 of 6 positions");
    let full = Some(CacheError::Full { length: 4, new: 3, context: 6 });
    let given = "given: what does not fit is an error";
    expect_eq("3 more, 4 of 6", cached.forward(&part(0..3)).err(), full, given);
    let message = cached.forward(&ids_tensor(&[1], &[1, 1])).err().map(|error| error.to_string());
    let wanted = "the cache needs ids (2, S) with S above 0, and was given (1, 1)".to_owned();
    expect_eq("1 sequence, a cache for 2", message, Some(wanted), given);
}

// %% nbgrader={"grade": false, "grade_id": "memoization-next", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl CachedGpt<'_> {
    /// The logits of the token after `ids`, as `next_logits` of lesson 13 computes them; but only the ids that are not
    /// in the cache pass through the model.
    ///
    /// TODO: find out what of the cache is still true, forget the rest, and pass on what is missing.
    ///
    /// APPROACH:
    /// 1. The model sees the `visible` ids: at most `context` of them.
    /// 2. Keys and values stay valid as far as the visible ids and `self.seen` have a common beginning. With a text that grew, that is
    ///    everything in the cache; where the window has slid, every token has another position, and usually nothing.
    /// 3. The last visible id must pass in any case: its logits are needed, and they are not stored.
    /// 4. `self.truncate` forgets all but what stays. `forward` the rest, and remember the visible ids as seen.
    ///
    /// EXAMPLE: `seen` is `[5, 6, 7]`. For `[5, 6, 7, 8]` only `[8]` passes, for `[5, 9]` only `[9]`, for `[5, 6]` only
    /// `[6]`.
    ///
    /// HINTS: `ids` is not empty. `zip`, `take_while` and `count` give the length of the common beginning of two lists.
    /// `ids_tensor(rest, &[1, n])`.
    pub fn next_logits(&mut self, ids: &[Id]) -> Result<Vec<f32>, CacheError> {
        // BEGIN SOLUTION
        let window = visible(ids, self.model.config.context);
        let alike = window.iter().zip(&self.seen).take_while(|(a, b)| a == b).count();
        let kept = alike.min(window.len().saturating_sub(1));
        self.truncate(kept);
        let rest = &window[kept..];
        let logits = self.forward(&ids_tensor(rest, &[1, rest.len()]))?;
        self.seen = window.to_vec();
        Ok(logits.to_vec())
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-memoization-next", "locked": true, "points": 15, "schema_version": 3, "solution": false, "task": false}
/// 🔬 As many positions as are new, and the logits of lesson 13: a text that grows, slides, changes, and begins again.
#[test]
fn test_unit_next_logits() {
    use tinytorch::testing::{expect_close, expect_eq, expect_return};

    let config = GptConfig { vocab_size: 11, context: 4, dim: 8, layers: 2, heads: 2 };
    let model = Gpt::new(config, &mut Rng::seeded(4));
    let mut cached = enable_kv_cache(&model);
    let new = "only what is not in the cache passes through the model";
    let slides = "beyond the context the window slides: every position changes, and the whole cache is forgotten";
    let other = "another text: the common beginning stays in the cache, the rest is forgotten; `seen` has the visible ids";
    for (ids, wanted, idea) in [
        (&[5, 6][..], 2, "an empty cache: the whole prompt passes"),
        (&[5, 6, 7], 1, new),
        (&[5, 6, 7, 8], 1, new),
        (&[5, 6, 7, 8, 9], 4, slides),
        (&[5, 6, 7, 8, 9, 1], 4, slides),
        (&[7, 9, 2], 2, other),
        (&[7, 9, 2], 1, "the last id passes in any case: its logits are not stored"),
        (&[7], 1, "a shorter text: the last id passes in any case"),
        (&[3], 1, "another text: nothing of the cache is true"),
        (&[3, 4, 5, 6], 3, new),
        (
            &[3, 1, 5, 6],
            3,
            "only the common beginning stays: behind the first difference nothing is true",
        ),
    ] {
        let before = cached.positions_passed();
        let input = format!("{ids:?}, context 4");
        let logits = expect_return(&input, || cached.next_logits(ids), idea);
        expect_eq(&input, logits.as_ref().err(), None, idea);
        let logits = logits.expect(idea);
        let passed = cached.positions_passed() - before;
        expect_eq(format!("{input}: positions passed"), passed, wanted, idea);
        let idea = "the logits are those of the model without a cache";
        expect_close(&input, &logits, &model.next_logits(visible(ids, 4)), 1e-4, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "memoization-generate", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Continues a prompt by at most `new_tokens` tokens, as `generate` of lesson 13 does, and gives the same tokens for the
/// same seed. The first pass reads the prompt (prefill), each further one a single token (decode). Beyond the context
/// the window slides, and each pass computes the whole window again.
///
/// TODO: the loop of lesson 13, with the cache.
///
/// APPROACH:
/// 1. `cached.next_logits` of all ids so far.
/// 2. `sampler.probabilities` with these logits and all ids so far, then `pick` with a uniform number.
/// 3. Append the id, pass it to `on_token`, and end if it is `sampler.stop`.
///
/// EXAMPLE: a prompt of 3 ids and `new_tokens = 2`: 3 positions pass, then 1; two ids are returned.
///
/// HINTS: the prompt is not counted as new. `?` turns both kinds of errors into a [`GenerateError`].
pub fn generate_cached(
    cached: &mut CachedGpt,
    prompt: &[Id],
    new_tokens: usize,
    sampler: &Sampler,
    rng: &mut Rng,
    mut on_token: impl FnMut(Id),
) -> Result<Vec<Id>, GenerateError> {
    check_prompt(prompt, cached.model.config.vocab_size)?;
    let mut ids = prompt.to_vec();
    // BEGIN SOLUTION
    while ids.len() < prompt.len() + new_tokens {
        let logits = cached.next_logits(&ids)?;
        let probabilities = sampler.probabilities(&logits, &ids)?;
        let id = pick(&probabilities, rng.uniform());
        ids.push(id);
        on_token(id);
        if sampler.stop == Some(id) {
            break;
        }
    }
    Ok(ids.split_off(prompt.len()))
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-memoization-generate", "locked": true, "points": 15, "schema_version": 3, "solution": false, "task": false}
/// 🔬 The tokens of lesson 13, greedy and drawn, short and long prompts, beyond the context; what passes; stop; errors.
#[test]
fn test_unit_generate() {
    use tinytorch::testing::{expect_eq, expect_named, expect_return};

    let config = GptConfig { vocab_size: 9, context: 12, dim: 8, layers: 2, heads: 2 };
    let mut model = Gpt::new(config, &mut Rng::seeded(5));
    for parameter in model.parameters_mut() {
        *parameter = &*parameter * 2.0; // So that the distributions differ clearly.
    }
    let mut cached = enable_kv_cache(&model);
    let run = |cached: &mut CachedGpt, prompt: &[Id], new, sampler: &Sampler| {
        let (mut live, rng) = (vec![], &mut Rng::seeded(7));
        let ids = generate_cached(cached, prompt, new, sampler, rng, |id| live.push(id));
        (ids, live)
    };
    let greedy = Sampler::default().temperature(0.0);
    let drawn = Sampler::default().top_p(0.9).repetition_penalty(1.3);
    let prompts = [(&[1][..], 8), (&[1, 2, 3], 9), (&[4, 5, 6, 7], 20), (&[2; 15], 3), (&[3], 0)];
    for (sampler, (prompt, new)) in [&greedy, &drawn].iter().flat_map(|s| prompts.map(|p| (s, p))) {
        let (yours, live) = run(&mut cached, prompt, new, sampler);
        let wanted = generate(&model, prompt, new, sampler, &mut Rng::seeded(7), |_| ());
        let input = format!("{prompt:?}, {new} new tokens, temperature {}", sampler.temperature);
        let idea = "the same tokens as without a cache, the new ones alone";
        expect_eq(&input, &yours, &wanted, idea);
        expect_eq(&input, Ok(live), yours, "on_token gets each new token, and not the prompt");
    }
    let penalized = Sampler::default().repetition_penalty(5.0);
    for first in 0..9 {
        let mut prompt = [(first + 1) % 9; 13];
        prompt[0] = first;
        let (yours, _) = run(&mut cached, &prompt, 4, &penalized);
        let wanted = generate(&model, &prompt, 4, &penalized, &mut Rng::seeded(7), |_| ());
        let idea = "the sampler gets all ids so far, also those that are not visible any more";
        expect_eq(format!("{prompt:?}, context 12, repetition penalty 5"), yours, wanted, idea);
    }
    cached.reset();
    let once = "each position passes once: use the cache";
    let begun = "the prompt is in the cache already: only its last id passes again";
    let mut ids = vec![];
    for (again, wanted, idea) in [("", 8, once), (", once more", 6, begun)] {
        let before = cached.positions_passed();
        ids = run(&mut cached, &[1, 2, 3], 6, &greedy).0.expect("6 tokens");
        let passed = cached.positions_passed() - before;
        let input = format!("a prompt of 3, 6 new tokens{again}: positions passed");
        expect_eq(input, passed, wanted, idea);
    }
    let third = ids.iter().position(|&id| id == ids[2]).unwrap_or(2);
    let stopped = run(&mut cached, &[1, 2, 3], 6, &greedy.stop(ids[2]));
    let wanted = (Ok(ids[..=third].to_vec()), ids[..=third].to_vec());
    let idea = "end with the stop token: it is appended, passed on, and returned";
    expect_eq("stop at the third token: returned, live", stopped, wanted, idea);

    for (batch, prompt, facts) in [
        (1, &[][..], &["prompt is empty"][..]),
        (1, &[1, 9], &["id 9", "index 1"]),
        (2, &[1, 2], &["(2, S)", "(1, 2)"]),
    ] {
        let cached = &mut CachedGpt::new(&model, batch);
        let idea = "what cannot be generated is an error, not a panic";
        let input = format!("{prompt:?}, a cache for {batch}");
        let (refused, _) = expect_return(input, || run(cached, prompt, 1, &drawn), idea);
        let message = refused.err().map_or_else(String::new, |error| error.to_string());
        expect_named(&message, facts, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "memoization-debug", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The seconds between two tokens of an answer, on average: the time per output token. `stamps` are the seconds since the
/// request at which each new token was there; the model had read a prompt of `prompt` tokens before the first one.
///
/// TODO: find the faults in this line, which a colleague wrote, and write it correctly. Users see a new word every 20 ms;
/// the report says 2 ms, and the longer the prompt, the better the report.
///
/// ```text
/// stamps[stamps.len() - 1] / (prompt + stamps.len()) as f64
/// ```
///
/// APPROACH:
/// 1. Which tokens were generated, and which only read?
/// 2. The first token waits for the whole prompt: that is the time to first token, another figure. Between `n` stamps
///    there are `n - 1` gaps.
///
/// EXAMPLE: a prompt of 100 tokens, tokens at 0.5, 0.7 and 0.9 s: 0.2 s. One token has no gap: `None`.
///
/// HINTS: a slice pattern with `..` in it takes the first and the last element; `let ... else` leaves where there are none.
pub fn time_per_output_token(prompt: usize, stamps: &[f64]) -> Option<f64> {
    // BEGIN SOLUTION
    let _ = prompt; // Tokens that are read are not output.
    let [first, .., last] = stamps else { return None };
    Some((last - first) / (stamps.len() - 1) as f64)
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-memoization-debug", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 By hand, with a short and a long prompt; two tokens; one; none.
#[test]
fn test_unit_debug() {
    use tinytorch::testing::expect_call;

    let first = "the first token waits for the prompt: only the gaps behind it count";
    let read = "tokens of the prompt are read, not generated: they do not count";
    for (prompt, stamps, wanted, idea) in [
        (0, &[0.5, 0.75, 1.0][..], Some(0.25), first),
        (100, &[0.5, 0.75, 1.0], Some(0.25), read),
        (7, &[2.0, 2.5], Some(0.5), "two tokens have one gap"),
        (3, &[0.5], None, "one token has no gap"),
        (3, &[], None, "no token has no gap"),
    ] {
        let input = format!("a prompt of {prompt}, tokens at {stamps:?}");
        expect_call(input, || time_per_output_token(prompt, stamps), wanted, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "memoization-analyze-naive", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 What does a token cost when every pass reads the whole text again?
///
/// Purpose: profile the problem before solving it. Measured: the time of each of 200 tokens without a cache, the median
/// of 3 runs (vocabulary 512, context 256, 64 dimensions, 2 layers, 4 heads, random weights: speed does not depend on
/// training); the positions that the passes read. Key insight: nearly all of them were computed before, with the same
/// result. Production context: no server generates like this; it is what every cache is compared with.
pub fn analyze_naive_generation(out: &mut Reporter) {
    let model = Gpt::new(MEASURED, &mut Rng::seeded(0));
    let runs: Vec<Vec<Pass>> =
        (0..3).map(|_| profile_naive_generation(&model, &PROMPT, 200)).collect();
    let token = |number: usize| quartiles(runs.iter().map(|run| run[number].seconds).collect())[1];
    let passed = |tokens: usize| -> usize { runs[0][..tokens].iter().map(|p| p.positions).sum() };
    // The last pass reads every position there is.
    let different = |tokens: usize| runs[0][tokens - 1].positions;
    let rows = [25, 50, 100, 200].map(|tokens| {
        let seconds: f64 = (0..tokens).map(token).sum();
        vec![tokens.into(), seconds.into(), passed(tokens).into(), different(tokens).into()]
    });
    let named = "new tokens, time [s], positions passed, distinct";
    out.measured_table("Without a cache", &columns(named), rows.into());
    let curve = (0..200).map(|number| (runs[0][number].positions as f64, token(number)));
    let axes = (Axis::linear("text before the token", ""), Axis::linear("time of the token", "s"));
    out.measured_chart("Time of each token", axes.0, axes.1, vec![Series::new("no cache", curve)]);
    let ids: Vec<Id> = (0..200).collect();
    let timed = compare(15, || model.next_logits(&ids), || model.next_logits(&ids[..25]));
    out.compared("Timed in turn", &[(LONG, SHORT, timed)]);
    out.measured("time of a token behind 200 against one behind 25", timed.ratio.median, "x");
    out.insight(naive_insight(&timed.ratio, passed(200), different(200)));
}

/// The model of the measurements: its speed does not depend on what it has learned.
const MEASURED: GptConfig =
    GptConfig { vocab_size: 512, context: 256, dim: 64, layers: 2, heads: 4 };
const PROMPT: [Id; 8] = [3, 1, 4, 1, 5, 9, 2, 6];

/// One pass of a generation.
#[derive(Debug, Clone, Copy)]
pub struct Pass {
    /// The positions that passed through the model.
    pub positions: usize,
    /// How long it took.
    pub seconds: f64,
}

/// The passes of a generation without a cache, which always takes the most probable token.
pub fn profile_naive_generation(model: &Gpt, prompt: &[Id], new_tokens: usize) -> Vec<Pass> {
    let mut ids = prompt.to_vec();
    let pass = |_| {
        let (start, window) = (Instant::now(), visible(&ids, model.config.context));
        let (positions, logits) = (window.len(), model.next_logits(window));
        ids.push(most_probable(&logits)[0] as Id);
        Pass { positions, seconds: start.elapsed().as_secs_f64() }
    };
    (0..new_tokens).map(pass).collect()
}

// %% nbgrader={"grade": false, "grade_id": "memoization-analyze-memory", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 How much memory does a cache take, and what happens when it is full?
///
/// Purpose: hold the formula against real allocations, see a cache fill, and leave the context. Measured: the bytes that
/// caches of four widths allocate (12 layers, 1,024 positions, heads of 64 as in GPT-2; parameters by your formula of
/// lesson 13, 4 bytes each); the cache in use while 160 tokens are generated with a context of 128, live. Key insight:
/// 2 L H d T B numbers, linear in the length; beyond the context a pass costs what it costs without a cache. Production
/// context: on a server with many users the caches, not the weights, decide how many fit.
pub fn analyze_kvcache_memory(out: &mut Reporter) {
    let (mut rows, mut curves, mut quotients, mut shares) = (vec![], vec![], vec![], vec![]);
    let mut last = vec![];
    for dim in [128, 512, 768, 1024] {
        let sizes = [256, 512, 1024].map(|context| {
            let (cache, used) = memory(|| KvCache::new(1, context, 12, dim / 64, 64));
            (context, used.map(|used| used.kept as f64), cache.reserved_bytes() as f64)
        });
        let config =
            GptConfig { vocab_size: 50_257, context: 1024, dim, layers: 12, heads: dim / 64 };
        let parameters = 4.0 * count_parameters(&config) as f64;
        let [.., (_, counted, computed)] = sizes;
        let shown = counted.map_or("not counted".into(), |bytes| bytes.into());
        let share = counted.unwrap_or(computed) / parameters;
        let percent = 100.0 * share;
        rows.push(vec![dim.into(), computed.into(), shown, parameters.into(), percent.into()]);
        let of = |(context, counted, computed): (usize, Option<f64>, f64)| {
            counted.map(|bytes| ((context as f64, bytes), bytes / computed))
        };
        let (points, by_formula): (Vec<_>, Vec<_>) = sizes.into_iter().filter_map(of).unzip();
        quotients.extend(by_formula);
        curves.push(Series::new(format!("{dim} dimensions"), points.clone()));
        last = points;
        shares.push(share);
    }
    let named = "dimensions, 2 L H d T B numbers [B], allocated [B], parameters [B], cache / parameters [%]";
    out.measured_table("A cache for 1,024 positions, 12 layers", &columns(named), rows);
    let off = |quotient: &f64| (quotient - 1.0).abs();
    let largest = quotients.into_iter().max_by(|a, b| off(a).total_cmp(&off(b)));
    if let (Some(quotient), [.., (_, half), (_, whole)]) = (largest, &last[..]) {
        let axes = (Axis::linear("positions", ""), Axis::linear("allocated", "B"));
        out.measured_chart("Allocated by positions", axes.0, axes.1, curves);
        out.insight(memory_insight(quotient, whole / half, [shares[0], shares[3]]));
    } else {
        out.note("This program counts no bytes; the tutor's own run of this analysis does.");
    }
    out.measured("full cache against parameters, 768 dimensions", 100.0 * shares[2], "%");
    watch_a_cache_fill(out);
}

/// Generates beyond the context, and shows after each token what the cache holds.
fn watch_a_cache_fill(out: &mut Reporter) {
    let config = GptConfig { vocab_size: 512, context: 128, dim: 128, layers: 4, heads: 4 };
    let rng = &mut Rng::seeded(0);
    let model = Gpt::new(config, rng);
    let mut cached = enable_kv_cache(&model);
    let (mut ids, mut text, mut curve) = (PROMPT.to_vec(), "#".repeat(PROMPT.len() - 1), vec![]);
    for _ in 0..160 {
        let (before, start) = (cached.positions_passed(), Instant::now());
        let drawn = cached.next_logits(&ids).map_err(GenerateError::from);
        let drawn = drawn.and_then(|logits| Sampler::default().probabilities(&logits, &ids));
        let probabilities = match drawn {
            Ok(probabilities) => probabilities,
            Err(error) => return out.note(error.to_string()),
        };
        curve.push((ids.len() as f64, start.elapsed().as_secs_f64()));
        let passed = cached.positions_passed() - before;
        ids.push(pick(&probabilities, rng.uniform()));
        text.push(if passed > 1 && ids.len() > config.context { 'R' } else { '#' });
        if (text.len() + 1).is_multiple_of(65) {
            text.push('\n');
        }
        out.text("The cache fills: # a position is stored, R all are computed again", text.clone());
        out.measured("cache in use", cached.cache().used_bytes() as f64, "B");
        out.measured("cache reserved", cached.cache().reserved_bytes() as f64, "B");
    }
    let axes = (Axis::linear("text before the token", ""), Axis::log("time of the token", "s"));
    let curve = vec![Series::new("with a cache", curve)];
    out.measured_chart("Time of each token, a context of 128", axes.0, axes.1, curve);
    let (mut slides, mut start) = (enable_kv_cache(&model), 0);
    let beyond = || {
        start = (start + 1) % (ids.len() - config.context);
        slides.next_logits(&ids[start..start + config.context]).map(|logits| logits[0])
    };
    let timed =
        compare(9, beyond, || cached.next_logits(&ids[..config.context]).map(|logits| logits[0]));
    out.compared("Timed in turn", &[(BEYOND, WITHIN, timed)]);
    out.insight(window_insight(&timed.ratio));
}

// %% nbgrader={"grade": false, "grade_id": "memoization-analyze-speedup", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 How many times as fast is generation with a cache, by the length of the answer?
///
/// Purpose: measure what the cache alone changes. Measured: the same model and the same seed with `generate` of lesson 13
/// and with `generate_cached`, in turn, for 25 to 248 tokens, which fill the context; whether the tokens are the same; the
/// time to the first token and between two tokens. Key insight: without a cache a token costs more, the longer the text
/// before it; with one, nearly nothing depends on that. Production context: time to first token and time per output token
/// are what users of a server feel, and they are improved by different means.
pub fn analyze_kvcache_speedup(out: &mut Reporter) {
    let model = Gpt::new(MEASURED, &mut Rng::seeded(0));
    let (mut cached, sampler) = (enable_kv_cache(&model), Sampler::default());
    let (mut by_length, mut others) = (vec![], 0);
    let mut stamps = [vec![], vec![]];
    for (tokens, runs) in [(25, 15), (50, 9), (100, 5), (200, 3), (248, 3)] {
        let mut answers = [vec![], vec![]];
        let [slow, fast] = &mut answers;
        let [slow_stamps, fast_stamps] = &mut stamps;
        let without_cache = || {
            let (start, live) = begin(slow_stamps);
            let stamp = |_| live.push(start.elapsed().as_secs_f64());
            slow.push(generate(&model, &PROMPT, tokens, &sampler, &mut Rng::seeded(1), stamp));
        };
        let with_cache = || {
            cached.reset();
            let (start, live) = begin(fast_stamps);
            let stamp = |_| live.push(start.elapsed().as_secs_f64());
            let rng = &mut Rng::seeded(1);
            fast.push(generate_cached(&mut cached, &PROMPT, tokens, &sampler, rng, stamp));
        };
        let timed = compare(runs, without_cache, with_cache);
        let [slow, fast] = &answers;
        others += fast.iter().zip(slow).filter(|(a, b)| a.is_err() || a != b).count();
        by_length.push((tokens, timed));
        out.progress("lengths", by_length.len() as u64, 5);
    }
    let kept = compare_kept_and_forgotten(&model);
    let names = ["new tokens", "no cache", "cache", "no cache / cache"];
    out.compared_by_size(["By length", "Time by length"], names, &by_length);
    let [(few, first), .., (_, with_200), (many, last)] = by_length[..] else { return };
    let ends = [(without(few), with(few), first), (without(many), with(many), last)];
    let [first, last] = ends.each_ref().map(|(a, b, timed)| (a.as_str(), b.as_str(), *timed));
    out.compared("Timed in turn", &[first, last, (FORGOTTEN, KEPT, kept)]);
    let points = by_length.iter().map(|(tokens, timed)| (*tokens as f64, timed.ratio.median));
    let axes = (Axis::linear("new tokens", ""), Axis::linear("times as fast", "x"));
    let curve = vec![Series::new("with a cache", points)];
    out.measured_chart("Speed-up by length", axes.0, axes.1, curve);
    let row = |(name, stamps): (&str, &Vec<f64>)| {
        let gap = time_per_output_token(PROMPT.len(), stamps).unwrap_or(f64::NAN);
        vec![name.into(), stamps.first().copied().unwrap_or(f64::NAN).into(), gap.into()]
    };
    let rows = ["no cache", "cache"].into_iter().zip(&stamps).map(row);
    let named = "the last run of 248 tokens, time to first token [s], time per output token [s]";
    out.measured_table("What a user waits for", &columns(named), rows.collect());
    out.measured("answers that differ from those without a cache", others as f64, "");
    out.aimed("kv_speedup_25", first.2.ratio.median, "x", Target::AtLeast(1.2));
    out.aimed("kv_speedup_200", with_200.ratio.median, "x", Target::AtLeast(15.0));
    let [first, last] = [(few, first.2.ratio), (many, last.2.ratio)];
    out.insight(speedup_insight(first, last, &kept.ratio, others));
}

/// The control: the same code with the same ids, and a cache that is emptied before each pass or not. `generate` of lesson
/// 13 differs in more: it scores every position, not the last one alone.
fn compare_kept_and_forgotten(model: &Gpt) -> Comparison {
    let ids: Vec<Id> = (0..108).collect();
    let passes = |is_kept: bool| {
        let (mut cached, ids) = (enable_kv_cache(model), &ids);
        move || {
            cached.reset();
            for end in PROMPT.len()..ids.len() {
                cached.truncate(if is_kept { end } else { 0 });
                std::hint::black_box(cached.next_logits(&ids[..end]).is_ok());
            }
        }
    };
    compare(5, passes(false), passes(true))
}

/// Begins a run: its start, and the emptied list of its stamps.
fn begin(stamps: &mut Vec<f64>) -> (Instant, &mut Vec<f64>) {
    stamps.clear();
    (Instant::now(), stamps)
}

// %% nbgrader={"grade": true, "grade_id": "test-memoization-module", "locked": true, "points": 15, "schema_version": 3, "solution": false, "task": false}
/// 🧪 A batch in a model of four layers, switched on and off, emptied and used again; the model is as it was.
#[test]
fn test_module() {
    use tinytorch::testing::{expect_close, expect_eq};

    let config = GptConfig { vocab_size: 13, context: 10, dim: 12, layers: 4, heads: 3 };
    let model = changed_gpt(config, 8);
    let before: Vec<Vec<f32>> = model.parameters().iter().map(|tensor| tensor.to_vec()).collect();
    let prompts: [Vec<Id>; 3] = [vec![1, 2, 3], vec![4, 5, 6], vec![7, 8, 9]];
    let mut batch = CachedGpt::new(&model, 3);
    for _ in 0..2 {
        let mut texts = prompts.clone();
        batch.reset();
        let mut logits = batch.forward(&ids_tensor(&texts.concat(), &[3, 3])).expect("3 prompts");
        for _ in 0..7 {
            let next: Vec<Id> = logits.argmax_axis(-1).into_iter().map(|id| id as Id).collect();
            texts.iter_mut().zip(&next).for_each(|(text, &id)| text.push(id));
            logits = batch.forward(&ids_tensor(&next, &[3, 1])).expect("room for 10 positions");
        }
        let greedy = Sampler::default().temperature(0.0);
        for (text, prompt) in texts.iter().zip(&prompts) {
            let alone = generate(&model, prompt, 7, &greedy, &mut Rng::seeded(0), |_| ());
            let idea = "each sequence of a batch has its own keys and values, also after a reset";
            let input = format!("{prompt:?} in a batch of 3");
            expect_eq(input, Ok(&text[3..]), alone.as_deref(), idea);
        }
        let idea = "the logits of a full cache are those of the model without a cache";
        let whole = model.forward(&ids_tensor(&texts.concat(), &[3, 10])).select(1, 9);
        expect_close("3 sequences of 10", &logits.to_vec(), &whole.to_vec(), 1e-4, idea);
    }
    let (used, reserved) = (batch.cache().used_bytes(), batch.cache().reserved_bytes());
    expect_eq("a full cache: bytes in use", used, reserved, "10 of 10 positions are filled");
    let bytes = 2 * 4 * 3 * 4 * 10 * 3 * 4;
    expect_eq("bytes reserved", reserved, bytes, "2 L H d T B numbers of 4 bytes");
    let full = batch.forward(&ids_tensor(&[1, 2, 3], &[3, 1])).err();
    let wanted = CacheError::Full { length: 10, new: 1, context: 10 };
    expect_eq("an eleventh position", full, Some(wanted), "no room is an error, never a panic");
    let after: Vec<_> =
        disable_kv_cache(batch).parameters().iter().map(|tensor| tensor.to_vec()).collect();
    expect_eq("the model, switched off", before == after, true, "a cache changes no parameter");
}

// %% nbgrader={"grade": false, "grade_id": "memoization-plumbing", "locked": true, "schema_version": 3, "solution": false, "task": false}
impl KvCache {
    /// An empty cache for `batch` sequences of at most `context` positions, and for `layers` layers with `heads` heads of
    /// `head_dim` numbers. All memory is reserved now. Panics when a size is 0.
    pub fn new(batch: usize, context: usize, layers: usize, heads: usize, head_dim: usize) -> Self {
        let shape = CacheShape { batch, context, layers, heads, head_dim };
        let sizes = [batch, context, layers, heads, head_dim];
        assert!(!sizes.contains(&0), "KvCache: {shape:?}: each size must be above 0");
        let numbers = batch * heads * context * head_dim;
        let [keys, values] = [(); 2].map(|()| (0..layers).map(|_| vec![0.0; numbers]).collect());
        Self { shape, keys, values, length: 0 }
    }

    /// Its sizes.
    pub const fn shape(&self) -> CacheShape {
        self.shape
    }

    /// How many positions are filled, in all layers.
    pub const fn length(&self) -> usize {
        self.length
    }

    /// Forgets all positions. The memory stays reserved.
    pub fn reset(&mut self) {
        self.truncate(0);
    }

    /// The bytes that are filled.
    pub fn used_bytes(&self) -> usize {
        self.shape.bytes(self.length, 32)
    }

    /// The bytes that are reserved.
    pub fn reserved_bytes(&self) -> usize {
        self.shape.bytes(self.shape.context, 32)
    }

    /// All numbers of a layer, filled or not: its keys and its values. Panics when there is no such layer.
    pub fn stored(&self, layer: usize) -> [&[f32]; 2] {
        [&self.keys[layer], &self.values[layer]]
    }

    fn check_layer(&self, layer: usize) -> Result<(), CacheError> {
        let layers = self.shape.layers;
        if layer < layers { Ok(()) } else { Err(CacheError::UnknownLayer { layer, layers }) }
    }

    /// Whether that many positions, from the first on, are not more than there is room for.
    fn check_filled(&self, positions: usize) -> Result<(), CacheError> {
        self.check_room(positions.saturating_sub(self.length))
    }

    /// The number of positions of new keys and values, which must have the shape (B, heads, S, d) for a known layer.
    fn check_new(&self, layer: usize, keys: &Tensor, values: &Tensor) -> Result<usize, CacheError> {
        self.check_layer(layer)?;
        let CacheShape { batch, heads, head_dim, .. } = self.shape;
        for tensor in [keys, values] {
            let new = keys.shape().get(2).map_or(0, |&new| new);
            if new == 0 || tensor.shape() != [batch, heads, new, head_dim] {
                let wanted = format!("keys and values ({batch}, {heads}, S > 0, {head_dim})");
                return Err(CacheError::Shape { wanted, found: tensor.shape().to_vec() });
            }
        }
        Ok(keys.shape()[2])
    }
}

impl<'m> CachedGpt<'m> {
    /// The model with an empty cache for `batch` sequences. Panics when `batch` is 0.
    pub fn new(model: &'m Gpt, batch: usize) -> Self {
        let GptConfig { context, dim, layers, heads, .. } = model.config;
        let attentions = model.blocks.iter().map(|block| &block.attention).enumerate();
        let cached = |(layer, attention)| CachedMultiHeadAttention { attention, layer };
        let attentions = attentions.map(cached).collect();
        let cache = KvCache::new(batch, context, layers, heads, dim / heads);
        Self { model, attentions, cache, seen: vec![], passed: 0 }
    }

    /// Its cache.
    pub const fn cache(&self) -> &KvCache {
        &self.cache
    }

    /// How many positions have passed through the blocks since it was made.
    pub const fn positions_passed(&self) -> usize {
        self.passed
    }

    /// Forgets all positions but the first `length`.
    pub fn truncate(&mut self, length: usize) {
        self.cache.truncate(length);
        self.seen.truncate(length);
    }

    /// Forgets everything, for another text.
    pub fn reset(&mut self) {
        self.truncate(0);
    }

    /// The number of new positions in `ids` (B, S), which is added to those that have passed.
    fn count_new(&mut self, ids: &Tensor) -> Result<usize, CacheError> {
        let batch = self.cache.shape.batch;
        match *ids.shape() {
            [sequences, new] if sequences == batch && new > 0 => {
                self.cache.check_room(new)?;
                self.passed += new;
                Ok(new)
            }
            _ => {
                let wanted = format!("ids ({batch}, S) with S above 0");
                Err(CacheError::Shape { wanted, found: ids.shape().to_vec() })
            }
        }
    }
}

/// The model with an empty cache for one sequence. The model is not changed.
pub fn enable_kv_cache(model: &Gpt) -> CachedGpt<'_> {
    CachedGpt::new(model, 1)
}

/// A GPT whose parameters have all moved away from where they begin, as training moves them: its norms do something.
pub fn changed_gpt(config: GptConfig, seed: u64) -> Gpt {
    let rng = &mut Rng::seeded(seed);
    let mut model = Gpt::new(config, rng);
    for parameter in model.parameters_mut() {
        *parameter = &*parameter + Tensor::randn(parameter.shape(), rng) * 0.2;
    }
    model
}

/// The model without its cache, whose memory is free again.
pub fn disable_kv_cache<'m>(cached: CachedGpt<'m>) -> &'m Gpt {
    cached.model
}

// %% nbgrader={"grade": false, "grade_id": "memoization-explore", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// How large is the cache of a model?
///
/// The sizes at first are those of a model with 7 billion parameters. Double the tokens; let several heads share their
/// keys and values; store them with fewer bits. Which way to share saves as much as 4 bits instead of 16?
pub fn explore_cache_size(figure: &mut Explorer) {
    let layers = figure.number("layers", 32.0, 1.0..=128.0, 1.0) as usize;
    let heads = figure.number("heads", 32.0, 1.0..=128.0, 1.0) as usize;
    let sharing = figure.choice("keys and values", &SHARED.map(|(name, _)| name));
    let head_dim = figure.number("numbers of a head", 128.0, 16.0..=256.0, 16.0) as usize;
    let tokens = figure.number("tokens", 4096.0, 1024.0..=131_072.0, 1024.0) as usize;
    let batch = figure.number("sequences", 1.0, 1.0..=256.0, 1.0) as usize;
    let bits = figure.choice("bits", &["16", "32", "8", "4"]).parse().unwrap_or(16);
    let shape = |group: usize, batch: usize| {
        let heads = heads.div_ceil(group.min(heads));
        CacheShape { batch, context: tokens, layers, heads, head_dim }
    };
    let formula = "2 x layers x heads with keys x numbers x tokens x sequences x bits / 8";
    let row = |(name, group): (&str, usize)| {
        let shape = shape(group, batch);
        let [token, all] = [1, tokens].map(|positions| shape.bytes(positions, bits) as f64);
        vec![name.into(), shape.heads.into(), token.into(), all.into()]
    };
    let named = "keys and values, heads with keys, a token of each sequence [B], all tokens [B]";
    let rows = SHARED.into_iter().map(row).collect();
    figure.computed_table("The cache by sharing", formula, &columns(named), rows);
    let series = SHARED.map(|(name, group)| {
        let at = |step: usize| {
            let positions = tokens * step / 8;
            (positions as f64, shape(group, batch).bytes(positions, bits) as f64)
        };
        Series::new(name, (0..=8).map(at))
    });
    figure.chart(Chart {
        title: "Bytes by tokens".into(),
        kind: ChartKind::Line,
        x: Axis::linear("tokens", ""),
        y: Axis::linear("cache", "B"),
        series: series.into(),
        origin: Origin::Computed(formula.into()),
    });
    let group = SHARED.iter().find(|(name, _)| *name == sharing).map_or(1, |(_, group)| *group);
    let [token, sequence] = [1, tokens].map(|positions| shape(group, 1).bytes(positions, bits));
    figure.computed("cache of all sequences", (batch * sequence) as f64, "B", formula);
    figure.insight(cache_size_insight(token, sequence, 80 << 30));
}

/// Ways to share, with the number of heads that share one key and one value.
const SHARED: [(&str, usize); 4] = [
    ("each head its own", 1),
    ("4 heads share", 4),
    ("8 heads share", 8),
    ("all heads share", usize::MAX),
];

// %% nbgrader={"grade": false, "grade_id": "memoization-main", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Runs the analyses and prints what they report.
pub fn main() {
    let mut out = Reporter::stdout();
    analyze_naive_generation(&mut out);
    analyze_kvcache_memory(&mut out);
    analyze_kvcache_speedup(&mut out);
}

// %% nbgrader={"grade": false, "grade_id": "memoization-own", "locked": false, "schema_version": 3, "solution": false, "task": false}
// Yours: helper functions and tests of your own go here. The tutor runs each `#[test]` function of this cell and
// shows it as yours; it is never graded.
