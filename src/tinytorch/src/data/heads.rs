//! Words as numbers, and four heads that were written by hand: what the figure of lesson 12 shows. Nothing here is learned.
//! Not here: tensors, and the attention itself.

use crate::random::Rng;

/// What each head looks for, in the order of their parts.
pub const HEADS: [&str; 4] = ["previous word", "same word", "similar length", "first word"];

/// The numbers of a word: as many for each head.
pub const WIDTH: usize = 4 * PART;

/// The numbers that one head looks at.
const PART: usize = 8;

/// The angles by which a position turns with each word.
const STEPS: [f32; PART / 2] = [1.0, 1.7, 2.6, 0.5];

/// The numbers of each word: its position as four angles; a random direction that belongs to the word; its length as angles;
/// and whether it is the first.
#[must_use]
pub fn features(words: &[&str]) -> Vec<f32> {
    let of = |(place, word): (usize, &&str)| {
        let point = |angle: f32| [angle.cos(), angle.sin()];
        let mut numbers: Vec<f32> =
            STEPS.iter().flat_map(|step| point(step * place as f32)).collect();
        numbers.extend(direction(&word.to_lowercase()));
        let length = word.chars().count() as f32;
        numbers.extend([0.5, 1.3].into_iter().flat_map(|step| point(step * length)));
        numbers.resize(3 * PART, 0.0);
        numbers.push(f32::from(place == 0));
        numbers.resize(WIDTH, 0.0);
        numbers
    };
    words.iter().enumerate().flat_map(of).collect()
}

/// A vector of length 1, the same for the same word.
fn direction(word: &str) -> Vec<f32> {
    let seed = word.bytes().fold(7, |seed: u64, byte| (31 * seed + u64::from(byte)) % (1 << 40));
    let mut rng = Rng::seeded(seed);
    let numbers: Vec<f32> = (0..PART).map(|_| rng.normal()).collect();
    let length = numbers.iter().map(|x| x * x).sum::<f32>().sqrt();
    numbers.into_iter().map(|x| x / length).collect()
}

/// The weight of the keys, row by row: every head gets its part of the features as it is.
#[must_use]
pub fn key_weight() -> Vec<f32> {
    matrix(|row, column| f32::from(row == column))
}

/// The weight of the queries, and their bias: the position is turned back by one word, the word and its length are asked for
/// as they are, and every word asks for the first one. `gain` is how sharply.
#[must_use]
pub fn query_weight(gain: f32) -> (Vec<f32>, Vec<f32>) {
    let turned = |row: usize, column: usize| {
        let (sin, cos) = STEPS[row / 2].sin_cos();
        match (row / 2 == column / 2, row % 2, column % 2) {
            (false, ..) => 0.0,
            (_, 0, 1) => -sin,
            (_, 1, 0) => sin,
            _ => cos,
        }
    };
    let weight = matrix(|row, column| {
        gain * if row < PART { turned(row, column) } else { f32::from(row == column) }
    });
    let mut bias = vec![0.0; WIDTH];
    bias[3 * PART] = gain;
    (weight, bias)
}

fn matrix(at: impl Fn(usize, usize) -> f32) -> Vec<f32> {
    (0..WIDTH * WIDTH).map(|place| at(place / WIDTH, place % WIDTH)).collect()
}
