//! What a backward pass keeps in memory, counted. One test alone in its binary: the counters see
//! every allocation of the process.

use tinytorch::activations::Tanh;
use tinytorch::autograd::{Backward, no_grad};
use tinytorch::tensor::Tensor;
use tinytorch::testing::{CountingAllocator, memory};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const NUMBERS: usize = 10_000;
const BYTES: usize = 4 * NUMBERS;

/// A chain of `steps` results of [`NUMBERS`] each.
fn chain(x: &Tensor, steps: usize) -> Tensor {
    (0..steps).fold(x.clone(), |h, _| Tanh.forward(&h)).sum()
}

#[test]
fn gradients_are_freed_as_they_are_used_and_the_graph_with_the_loss() {
    let x = Tensor::full(&[NUMBERS], 0.5).tracked();
    let counted = |used: Option<_>| -> tinytorch::testing::MemoryUse { used.unwrap() };

    // The history keeps each of the 100 results, and nothing once the loss is gone.
    let (loss, forward) = memory(|| chain(&x, 100));
    assert!(counted(forward).kept >= 100 * BYTES);
    let (gradients, backward) = memory(|| loss.backward());
    // Two or three gradients at a time, not a hundred; one of them stays.
    assert!(counted(backward).peak < 5 * BYTES, "{backward:?}");
    assert!(counted(backward).kept < 2 * BYTES, "{backward:?}");
    drop(gradients);
    drop(loss);
    let ((), whole) = memory(|| drop(chain(&x, 100).backward()));
    assert!(counted(whole).kept < BYTES, "{whole:?}");

    // Without history a result dies with the next one.
    let (_, evaluation) = memory(|| no_grad(|| chain(&x, 100)));
    assert!(counted(evaluation).peak < 4 * BYTES, "{evaluation:?}");
}
