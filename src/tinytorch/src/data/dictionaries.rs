//! Small dictionaries to look things up in, drawn at random: what lesson 12 trains on. Not here: tensors and models.

use crate::random::Rng;

/// How many keys there are, and how many values.
pub const SYMBOLS: usize = 16;

/// Some sequences of pairs, with a question about each pair. A pair is a row of `2 * SYMBOLS` numbers: its key and its value,
/// one-hot.
#[derive(Debug, Clone)]
pub struct Dictionaries {
    /// The number of pairs in each sequence.
    pub length: usize,
    /// The rows of all pairs, sequence by sequence, in random order.
    pub pairs: Vec<f32>,
    /// The rows of all questions: the keys of each sequence in ascending order, without their values.
    pub questions: Vec<f32>,
    /// The value that belongs to each question.
    pub answers: Vec<f32>,
    /// The place in its sequence of the pair that answers each question.
    pub places: Vec<usize>,
    /// Each pair as text: `c=7`.
    pub names: Vec<String>,
}

impl Dictionaries {
    /// `count` sequences of `length` pairs with different keys and any values. Panics when there are more pairs than keys.
    #[must_use]
    pub fn draw(count: usize, length: usize, rng: &mut Rng) -> Self {
        assert!(length <= SYMBOLS, "dictionaries: {length} pairs, and only {SYMBOLS} keys");
        let mut all = Self {
            length,
            pairs: vec![],
            questions: vec![],
            answers: vec![],
            places: vec![],
            names: vec![],
        };
        let mut keys: Vec<usize> = (0..SYMBOLS).collect();
        for _ in 0..count {
            rng.shuffle(&mut keys);
            let values: Vec<usize> = (0..length).map(|_| rng.below(SYMBOLS)).collect();
            for (&key, &value) in keys.iter().zip(&values) {
                all.pairs
                    .extend((0..2 * SYMBOLS).map(|at| hot(at == key || at == SYMBOLS + value)));
                all.names.push(format!("{}={value}", letter(key)));
            }
            let mut places: Vec<usize> = (0..length).collect();
            places.sort_by_key(|&place| keys[place]);
            for &place in &places {
                all.questions.extend((0..2 * SYMBOLS).map(|at| hot(at == keys[place])));
                all.answers.push(values[place] as f32);
            }
            all.places.extend(places);
        }
        all
    }
}

fn hot(is_it: bool) -> f32 {
    f32::from(is_it)
}

fn letter(key: usize) -> char {
    char::from(b'a' + key as u8)
}
