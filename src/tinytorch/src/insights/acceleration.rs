//! What the analyses of lesson 18 say of their figures.

use crate::testing::{Comparison, Ratio, Reading};

/// Both ends of the ladder, as its table and its sentence call them.
pub const LADDER: [&str; 2] = ["the plain i-j-k loops", "packed tiles on all cores"];
/// What a kernel is compared with when one of its steps is taken out.
pub const WHOLE: &str = "the whole kernel";
/// The kernel without one of its steps.
pub const TAKEN_OUT: [&str; 3] = [
    "the kernel without packing b",
    "the kernel without a tile",
    "the kernel without wide registers",
];
/// What is timed kernel by kernel, plain and optimized.
pub const KERNELS: [[&str; 2]; 4] = [
    ["a linear layer in three passes", "the fused layer"],
    ["plain softmax", "softmax in lanes"],
    ["plain e^x", "e^x in lanes"],
    ["plain layer norm", "layer norm in lanes"],
];
/// The ladder of convolutions.
pub const CONVOLUTIONS: [&str; 6] = [
    "the plain loops of lesson 09",
    "the unfolded rows of lesson 09",
    "im2col and packed tiles, narrow registers",
    "im2col and packed tiles, widest registers",
    "pixels read where they are, one thread",
    "pixels read where they are, all cores",
];
/// What is timed on the whole engine, on its own loops and on the backend.
pub const ENGINE: [[&str; 2]; 2] = [
    ["the CNN on plain loops", "the CNN on the backend"],
    ["a GPT step on plain loops", "a GPT step on the backend"],
];

/// What the whole ladder says, and the kernel with each of the steps in [`TAKEN_OUT`] taken out alone.
pub fn ladder_insight(whole: &Ratio, taken_out: [Ratio; 3]) -> String {
    let parts = TAKEN_OUT.into_iter().zip(taken_out);
    let sentences = parts.clone().map(|(name, ratio)| ratio.took(name, WHOLE));
    let facts: Vec<String> =
        [whole.took(LADDER[0], LADDER[1])].into_iter().chain(sentences).collect();
    let missed = parts
        .filter(|(_, ratio)| ratio.reading() == Reading::Larger)
        .max_by(|(_, a), (_, b)| a.median.total_cmp(&b.median));
    let meaning = match missed {
        Some((name, _)) => format!("Of these, {name} was the slowest."),
        None if taken_out.iter().any(|ratio| ratio.reading() == Reading::TooNoisy) => {
            "Which of these steps is missed most, these pairs do not say.".to_owned()
        }
        None => "None of these steps is clearly missed here.".to_owned(),
    };
    format!("{} {meaning}", facts.join(" "))
}

/// What each step of the ladder says beside the one before it.
pub fn steps_insight(steps: &[(&str, &str, Comparison)]) -> String {
    steps.iter().map(|(a, b, pair)| pair.ratio.took(a, b)).collect::<Vec<_>>().join(" ")
}

/// The smallest size from which on the first is clearly slower at every size.
fn pays_from(timed: &[(usize, Ratio)]) -> Option<usize> {
    let slower = timed.iter().rev().take_while(|(_, ratio)| ratio.reading() == Reading::Larger);
    slower.last().map(|&(size, _)| size)
}

/// From which size on packing pays, and threads do: the quotients of the times by size, plain against packed, and one
/// thread against so many cores.
pub fn sizes_insight(
    packed: &[(usize, Ratio)],
    threads: &[(usize, Ratio)],
    cores: usize,
) -> String {
    let packing = match pays_from(packed) {
        Some(n) => {
            format!("From n = {n} on, packed tiles were clearly faster than the plain loops.")
        }
        None => {
            "Packed tiles were not clearly faster than the plain loops at the largest size.".into()
        }
    };
    let threading = match pays_from(threads) {
        _ if cores == 1 => "This machine has one core: threads cannot pay.".into(),
        Some(n) => format!("From n = {n} on, {cores} threads were clearly faster than one."),
        None => format!(
            "At the largest size {cores} threads were not clearly faster than one: is the machine busy?"
        ),
    };
    format!("{packing} {threading}")
}

/// What was timed in turn, pair by pair: the plain one first.
pub fn pairs_insight<const N: usize>(names: [[&str; 2]; N], ratios: [Ratio; N]) -> String {
    let sentences =
        names.iter().zip(ratios).map(|([first, second], ratio)| ratio.took(first, second));
    sentences.collect::<Vec<_>>().join(" ")
}
