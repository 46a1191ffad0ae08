//! Outputs of the tokenization module's cells.

use std::collections::{BTreeMap, HashMap};
use subject::{
    BpeTokenizer, CharTokenizer, Id, Pair, Tokenizer, Word, chunks, complete, count_pairs,
    encode_chunk, learn_merges, merge, parse_merges, update,
};
use tinytorch::outputs::{Outputs, Seeded};
use tinytorch::random::Rng;
use tinytorch::tokenization as subject;

/// The functions, by their tests.
pub const ALL: &[Seeded] = &[
    ("test_unit_vocabulary", test_unit_vocabulary),
    ("test_unit_characters", test_unit_characters),
    ("test_unit_chunks", test_unit_chunks),
    ("test_unit_count", test_unit_count),
    ("test_unit_merge", test_unit_merge),
    ("test_unit_train", test_unit_train),
    ("test_unit_update", test_unit_update),
    ("test_unit_vocabulary_of_merges", test_unit_vocabulary_of_merges),
    ("test_unit_encode", test_unit_encode),
    ("test_unit_decode", test_unit_decode),
    ("test_unit_parse", test_unit_parse),
    ("test_unit_debug", test_unit_debug),
];

/// Words of few letters, so that pairs occur again.
fn text(rng: &mut Rng, length: usize) -> String {
    (0..length).map(|_| ['a', 'b', 'c', 'ä', ' ', '.', '7'][rng.below(7)]).collect()
}

fn ids(rng: &mut Rng, count: usize) -> Vec<Id> {
    (0..count).map(|_| rng.below(3) as Id).collect()
}

fn words(rng: &mut Rng) -> Vec<Word> {
    (0..6).map(|_| Word { ids: ids(rng, 7), count: 1 + rng.below(5) }).collect()
}

fn pairs(out: &mut Outputs, pairs: &[Pair]) {
    out.numbers("pairs", pairs.iter().flat_map(|&(a, b)| [a, b]));
}

fn counted(out: &mut Outputs, counts: HashMap<Pair, usize>) {
    let counts: BTreeMap<Pair, usize> = counts.into_iter().filter(|it| it.1 > 0).collect();
    pairs(out, &counts.keys().copied().collect::<Vec<_>>());
    out.counts("counts", counts.into_values());
}

fn test_unit_vocabulary(rng: &mut Rng, out: &mut Outputs) {
    let tokenizer = CharTokenizer::new(&text(rng, 12));
    out.counts("size", [tokenizer.vocab_size()]);
    let all: Vec<Id> = (0..tokenizer.vocab_size() as Id).collect();
    out.text("characters", &tokenizer.decode(&all).unwrap_or_default());
}

fn test_unit_characters(rng: &mut Rng, out: &mut Outputs) {
    let tokenizer = CharTokenizer::new(&text(rng, 8));
    let encoded = tokenizer.encode(&text(rng, 20));
    out.text("text again", &tokenizer.decode(&encoded).unwrap_or_default());
    out.numbers("ids", encoded);
}

fn test_unit_chunks(rng: &mut Rng, out: &mut Outputs) {
    for _ in 0..4 {
        let text = text(rng, 30);
        out.counts("lengths", chunks(text.as_bytes()).into_iter().map(<[u8]>::len));
    }
}

fn test_unit_count(rng: &mut Rng, out: &mut Outputs) {
    counted(out, count_pairs(&words(rng)));
}

fn test_unit_merge(rng: &mut Rng, out: &mut Outputs) {
    for pair in [(0, 1), (1, 1), (2, 0)] {
        out.numbers("ids", merge(&ids(rng, 20), pair, 9));
    }
}

fn test_unit_train(rng: &mut Rng, out: &mut Outputs) {
    pairs(out, &learn_merges(text(rng, 200).as_bytes(), 256 + 12));
}

fn test_unit_update(rng: &mut Rng, out: &mut Outputs) {
    let mut words = words(rng);
    let mut counts = count_pairs(&words);
    for word in &mut words {
        update(word, (1, 1), 9, &mut counts);
        out.numbers("word", word.ids.iter().copied());
    }
    counted(out, counts);
}

fn test_unit_vocabulary_of_merges(rng: &mut Rng, out: &mut Outputs) {
    let mut merges: Vec<Pair> = vec![];
    for next in 256..262 {
        merges.push((rng.below(next) as Id, rng.below(next) as Id));
    }
    let all: Vec<Id> = (256..262).collect();
    match BpeTokenizer::from_merges(merges.clone()) {
        Ok(tokenizer) => out.numbers("bytes", tokenizer.decode_bytes(&all).unwrap_or_default()),
        Err(_) => out.text("bytes", "refused"),
    }
    merges[2] = (258, 0);
    out.number("itself is refused", u8::from(BpeTokenizer::from_merges(merges).is_err()));
}

fn test_unit_encode(rng: &mut Rng, out: &mut Outputs) {
    let merges = learn_merges(text(rng, 200).as_bytes(), 256 + 20);
    let learned: HashMap<Pair, Id> = merges.into_iter().zip(256..).collect();
    for _ in 0..5 {
        let word = text(rng, 12);
        out.numbers("ids", encode_chunk(word.as_bytes(), |pair| learned.get(&pair).copied()));
    }
}

fn test_unit_decode(rng: &mut Rng, out: &mut Outputs) {
    let merges = vec![(97, 98), (256, 99), (257, 257)];
    let Ok(tokenizer) = BpeTokenizer::from_merges(merges) else { return };
    let ids: Vec<Id> = (0..20).map(|_| 97 + rng.below(163) as Id).filter(|id| *id < 260).collect();
    out.numbers("bytes", tokenizer.decode_bytes(&ids).unwrap_or_default());
    out.number("unknown", u8::from(tokenizer.decode_bytes(&[260 + ids[0]]).is_err()));
}

fn test_unit_parse(rng: &mut Rng, out: &mut Outputs) {
    let merges: Vec<Pair> = (0..5).map(|_| (rng.below(256) as Id, rng.below(256) as Id)).collect();
    let lines: String = merges.iter().map(|(a, b)| format!("{a} {b}\n")).collect();
    for text in [format!("tinytorch-bpe 1\n5\n{lines}"), format!("tinytorch-bpe 1\n6\n{lines}")] {
        match parse_merges(&text) {
            Ok(merges) => pairs(out, &merges),
            Err(_) => out.text("merges", "refused"),
        }
    }
}

fn test_unit_debug(rng: &mut Rng, out: &mut Outputs) {
    let text: String = (0..12).map(|_| ['a', 'ä', '€', '𝄞'][rng.below(4)]).collect();
    for cut in 0..text.len() {
        out.counts("complete", [complete(&text.as_bytes()[..cut])]);
    }
}
