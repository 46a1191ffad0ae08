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

// %% nbgrader={"grade": false, "grade_id": "tokenization-header", "locked": true, "schema_version": 3, "solution": false, "task": false}
//! 10 Tokenization: text as numbers, and back without loss. Input: text, or any bytes. Output: token ids.
//! Depends on 00 and 07. By hand: in `abab abab` the pair `a b` occurs most often, four times; merged, `abab` is two
//! tokens, and then one.
//! Not here: what a model does with the ids (11).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};
use std::error::Error;
use std::fmt;
use std::path::Path;
use tinytorch::data::dialogue::{self, Split};
use tinytorch::data::samples;
use tinytorch::explore::Explorer;
use tinytorch::report::{Axis, Chart, ChartKind, Column, Origin, Reporter, Series, Table};
use tinytorch::testing::{Ratio, compare, time};

// %% [markdown] nbgrader={"grade": false, "grade_id": "tokenization-intro", "locked": true, "schema_version": 3, "solution": false, "task": false}
// # 🎯 Tokenization
//
// You build: a tokenizer with one token for each character, and byte-level BPE as GPT-2 has it: the pairs of a text
// counted, the most frequent merged, over and over; then text to ids, ids to text, and a file that another program can trust.

// %% nbgrader={"grade": false, "grade_id": "tokenization-tokenizer", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// The number of a token in the vocabulary.
pub type Id = u32;

/// Text to ids and back.
pub trait Tokenizer {
    /// The number of tokens: ids are 0 to one less than this.
    fn vocab_size(&self) -> usize;

    /// The ids of a text.
    fn encode(&self, text: &str) -> Vec<Id>;

    /// The text of ids. An id that is not in the vocabulary is an error that names its place.
    fn decode(&self, ids: &[Id]) -> Result<String, TokenizerError>;
}

/// What is wrong with ids, with the file of a tokenizer, or with the text it should learn from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenizerError(pub String);

impl fmt::Display for TokenizerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for TokenizerError {}

// %% nbgrader={"grade": false, "grade_id": "tokenization-vocabulary", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// One token for each character of the text it was made from, and one for every other character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CharTokenizer {
    /// The known characters, each once, in ascending order. The one at index `i` has the id `i + 1`.
    pub characters: Vec<char>,
}

impl CharTokenizer {
    /// The id of every unknown character.
    pub const UNKNOWN: Id = 0;

    /// A tokenizer that knows the characters of `text`.
    ///
    /// TODO: collect the characters, each once, in ascending order.
    ///
    /// APPROACH:
    /// 1. All characters of the text, in a vector.
    /// 2. Sort them; equal ones are then neighbours, and all but the first of them go.
    ///
    /// EXAMPLE: `"hello"` has the characters `e h l o`.
    ///
    /// HINTS: `chars` gives characters, not bytes. A vector has `sort_unstable` and `dedup`.
    pub fn new(text: &str) -> Self {
        // BEGIN SOLUTION
        let mut characters: Vec<char> = text.chars().collect();
        characters.sort_unstable();
        characters.dedup();
        Self { characters }
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-tokenization-vocabulary", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Each character once, in order, whatever the order of the text; characters are not bytes.
#[test]
fn test_unit_vocabulary() {
    use tinytorch::testing::expect_eq;

    let characters = |text| CharTokenizer::new(text).characters;
    let idea = "each character once, in ascending order";
    expect_eq("hello", characters("hello"), vec!['e', 'h', 'l', 'o'], idea);
    expect_eq("the same, reversed", characters("olleh"), characters("hello"), idea);
    expect_eq("aba", characters("aba"), vec!['a', 'b'], idea);
    expect_eq("b a b", characters("b a b"), vec![' ', 'a', 'b'], "a space is a character too");
    let idea = "`chars` gives characters; `bytes` would give two for é";
    expect_eq("éa", characters("éa"), vec!['a', 'é'], idea);
    expect_eq("an empty text", characters(""), vec![], "no text, no characters");
}

// %% nbgrader={"grade": false, "grade_id": "tokenization-characters", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Tokenizer for CharTokenizer {
    fn vocab_size(&self) -> usize {
        self.characters.len() + 1
    }

    /// TODO: the id of each character of the text.
    ///
    /// APPROACH:
    /// 1. Look the character up: the vector is sorted.
    /// 2. Found at an index: the id is one more. Not found: `UNKNOWN`.
    ///
    /// EXAMPLE: with the characters `e h l o`, `"hex"` is `[2, 1, 0]`.
    ///
    /// HINTS: `binary_search` returns the index in `Ok`, or `Err`.
    fn encode(&self, text: &str) -> Vec<Id> {
        // BEGIN SOLUTION
        let id = |character| match self.characters.binary_search(&character) {
            Ok(index) => index as Id + 1,
            Err(_) => Self::UNKNOWN,
        };
        text.chars().map(id).collect()
        // END SOLUTION
    }

    /// Unknown characters come back as `\u{fffd}`, the replacement character.
    ///
    /// TODO: the character of each id, in one string.
    ///
    /// APPROACH:
    /// 1. `UNKNOWN` is the replacement character.
    /// 2. Every other id is one more than an index. An id that is too large is an error: `not_in_vocabulary`, which is
    ///    given, makes it from the place among `ids`, the id and the size of the vocabulary.
    ///
    /// EXAMPLE: with the characters `e h l o`, `[2, 1]` is `"he"`, and `[2, 9]` is an error about the id 9, at index 1.
    ///
    /// HINTS: `enumerate` gives the place; an iterator of `Result<char, _>` collects into a `Result<String, _>`.
    fn decode(&self, ids: &[Id]) -> Result<String, TokenizerError> {
        // BEGIN SOLUTION
        let character = |(place, &id): (usize, &Id)| match id {
            Self::UNKNOWN => Ok(char::REPLACEMENT_CHARACTER),
            id => {
                let known = self.characters.get(id as usize - 1).copied();
                known.ok_or_else(|| not_in_vocabulary(place, id, self.vocab_size()))
            }
        };
        ids.iter().enumerate().map(character).collect()
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-tokenization-characters", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 By hand, unknown characters, a round trip, an id that is too large.
#[test]
fn test_unit_characters() {
    use std::panic::catch_unwind;
    use tinytorch::testing::expect_eq;

    let tokenizer = CharTokenizer::new("hello");
    expect_eq("the vocabulary of hello", tokenizer.vocab_size(), 5, "one id is for the unknown");
    let idea = "the id is one more than the index, because 0 is for the unknown";
    expect_eq("hello", tokenizer.encode("hello"), vec![2, 1, 3, 3, 4], idea);
    expect_eq("[2, 1]", tokenizer.decode(&[2, 1]), Ok("he".to_owned()), idea);
    let idea = "an unknown character has the id 0, and comes back as the replacement character";
    expect_eq("hex", tokenizer.encode("hex"), vec![2, 1, 0], idea);
    expect_eq("[2, 0]", tokenizer.decode(&[2, 0]), Ok("h\u{fffd}".to_owned()), idea);
    let text = "Grüße, 你好!";
    let both = CharTokenizer::new(text);
    let idea = "known characters survive the round trip";
    expect_eq(text, both.decode(&both.encode(text)), Ok(text.to_owned()), idea);
    let idea = "an id that is too large is an error with its place, not a panic";
    for (ids, place, id) in [(vec![2, 5], 1, 5), (vec![9], 0, 9)] {
        let wanted = Err(not_in_vocabulary(place, id, 5));
        let yours =
            catch_unwind(|| tokenizer.decode(&ids)).unwrap_or_else(|_| panic!("{ids:?}: {idea}"));
        expect_eq(format!("{ids:?}, 5 tokens"), yours, wanted, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "tokenization-chunks", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The longest chunk, in bytes.
pub const LONGEST: usize = 64;

/// The bytes cut into chunks: words, numbers, punctuation. No token will cross a cut. Put together again, the chunks
/// are the bytes.
///
/// TODO: cut wherever a chunk begins, and where one would be longer than `LONGEST`.
///
/// APPROACH:
/// 1. `begins(before, byte)` is given: whether a chunk begins at `byte`, which follows `before`.
/// 2. Cut the bytes there.
/// 3. Cut what is still longer than `LONGEST` bytes into pieces of `LONGEST`.
///
/// EXAMPLE: `"Hi Al, 42!"` is cut into `"Hi"`, `" Al"`, `","`, `" 42"`, `"!"`.
///
/// HINTS: a slice has `chunk_by`, which keeps two neighbours together as long as a condition holds, and `chunks`.
pub fn chunks(bytes: &[u8]) -> Vec<&[u8]> {
    // BEGIN SOLUTION
    let words = bytes.chunk_by(|&before, &byte| !begins(before, byte));
    words.flat_map(|word| word.chunks(LONGEST)).collect()
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-tokenization-chunks", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Words with the space before them, nothing lost, nothing longer than 64 bytes.
#[test]
fn test_unit_chunks() {
    use tinytorch::testing::expect_eq;

    let cut = |text: &'static str| -> Vec<String> {
        chunks(text.as_bytes()).iter().map(|chunk| String::from_utf8_lossy(chunk).into()).collect()
    };
    let idea = "cut where `begins` says so: a space belongs to the word behind it";
    expect_eq(
        "Hi Al, 42!",
        cut("Hi Al, 42!"),
        ["Hi", " Al", ",", " 42", "!"].map(Into::into).into(),
        idea,
    );
    expect_eq("a  b", cut("a  b"), ["a", " ", " b"].map(Into::into).into(), idea);
    expect_eq("an empty text", cut(""), vec![], "no bytes, no chunk");
    let long = vec![b'x'; 2 * LONGEST + 1];
    let lengths: Vec<usize> = chunks(&long).iter().map(|chunk| chunk.len()).collect();
    let idea = "cut a chunk that is longer than LONGEST";
    expect_eq("129 times x", lengths, vec![LONGEST, LONGEST, 1], idea);
    let commas = [[b','; 62].as_slice(), b"abcd"].concat();
    let lengths: Vec<usize> = chunks(&commas).iter().map(|chunk| chunk.len()).collect();
    let idea = "LONGEST limits a chunk, not the text: first cut where `begins` says so";
    expect_eq("62 commas and abcd", lengths, vec![62, 4], idea);
    let bytes: Vec<u8> = (0..=255).cycle().take(1000).collect();
    expect_eq("1,000 bytes of every kind", chunks(&bytes).concat(), bytes, "no byte is lost");
}

// %% nbgrader={"grade": false, "grade_id": "tokenization-count", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Two neighbouring tokens.
pub type Pair = (Id, Id);

/// A chunk as tokens, and how often it occurs in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Its tokens.
    pub ids: Vec<Id>,
    /// How often it occurs.
    pub count: usize,
}

/// How often each pair of neighbours occurs in the text.
///
/// TODO: count the pairs of each word, as often as the word occurs.
///
/// APPROACH:
/// 1. Begin with an empty map.
/// 2. For each word, and for each two neighbours in it, add the word's count to the pair's.
///
/// EXAMPLE: the word `a a b`, which occurs 3 times, adds 3 to `(a, a)` and 3 to `(a, b)`.
///
/// HINTS: the given `pairs` lists the neighbours of a slice; `entry` with `or_insert` leads to the number to
/// change.
pub fn count_pairs(words: &[Word]) -> HashMap<Pair, usize> {
    // BEGIN SOLUTION
    let mut counts = HashMap::new();
    for word in words {
        for pair in pairs(&word.ids) {
            *counts.entry(pair).or_insert(0) += word.count;
        }
    }
    counts
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-tokenization-count", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 By hand: counts weighted by the words, overlapping pairs, words without a pair.
#[test]
fn test_unit_count() {
    use tinytorch::testing::expect_eq;

    let count = |given: &[(&[Id], usize)]| {
        let all: Vec<Word> =
            given.iter().map(|&(ids, count)| Word { ids: ids.to_vec(), count }).collect();
        count_pairs(&all).into_iter().collect::<BTreeMap<Pair, usize>>()
    };
    let idea = "count every two neighbours, also where they overlap";
    expect_eq("1 1 1 once", count(&[(&[1, 1, 1], 1)]), [((1, 1), 2)].into(), idea);
    let idea = "a word of one token has no neighbours, and pairs never span two words";
    expect_eq("1 and 2, five times each", count(&[(&[1], 5), (&[2], 5)]), [].into(), idea);
    let idea = "a pair counts as often as its word occurs";
    let both: [(&[Id], usize); 2] = [(&[1, 1, 2], 3), (&[1, 2], 4)];
    expect_eq(
        "1 1 2 three times, 1 2 four times",
        count(&both),
        [((1, 1), 3), ((1, 2), 7)].into(),
        idea,
    );
    let idea = "the order matters: (1, 2) is not (2, 1)";
    expect_eq("1 2 1 once", count(&[(&[1, 2, 1], 1)]), [((1, 2), 1), ((2, 1), 1)].into(), idea);
}

// %% nbgrader={"grade": false, "grade_id": "tokenization-merge", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// `ids` with each occurrence of `pair` replaced by the token `new`.
///
/// TODO: go through the ids from left to right, and replace the pair wherever it stands.
///
/// APPROACH:
/// 1. At each place: if the pair begins here, `new` is next in the result, and both its tokens are used up.
/// 2. Otherwise the token itself is next.
///
/// EXAMPLE: `[1, 1, 1, 2]` with the pair `(1, 1)` and the new token 9 is `[9, 1, 2]`.
///
/// HINTS: a slice has `starts_with`, which is false and no panic when too little is left.
pub fn merge(ids: &[Id], pair: Pair, new: Id) -> Vec<Id> {
    // BEGIN SOLUTION
    let mut merged = Vec::with_capacity(ids.len());
    let mut at = 0;
    while at < ids.len() {
        if ids[at..].starts_with(&[pair.0, pair.1]) {
            merged.push(new);
            at += 2;
        } else {
            merged.push(ids[at]);
            at += 1;
        }
    }
    merged
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-tokenization-merge", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 By hand: at the start, at the end, twice, overlapping, nowhere.
#[test]
fn test_unit_merge() {
    use tinytorch::testing::expect_eq;

    let check = |ids: &[Id], pair: Pair, wanted: &[Id], idea: &str| {
        let input = format!("{ids:?}, the pair {pair:?} becomes 9");
        expect_eq(input, merge(ids, pair, 9), wanted.to_vec(), idea);
    };
    let kept = "what is not merged stays";
    check(&[3], (1, 2), &[3], kept);
    check(&[], (1, 2), &[], kept);
    check(&[1, 3, 1], (1, 2), &[1, 3, 1], kept);
    let left = "from left to right: a token that was merged is used up";
    check(&[1, 1, 1, 2], (1, 1), &[9, 1, 2], left);
    let each = "replace each occurrence, the last one too";
    check(&[1, 2, 3, 1, 2], (1, 2), &[9, 3, 9], each);
    check(&[1, 2], (1, 2), &[9], each);
    check(&[1, 1, 1, 1], (1, 1), &[9, 9], each);
    let order = "(2, 1) is not (1, 2)";
    check(&[2, 1, 3], (1, 2), &[2, 1, 3], order);
}

// %% nbgrader={"grade": false, "grade_id": "tokenization-train", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The tokens before the first merge: one for each byte.
pub const BYTES: usize = 256;

/// The merges that make a vocabulary of `vocab_size` tokens for this text, in the order in which they were found. The
/// token of merge `k` is `BYTES + k`. Ends early if no pair occurs twice.
///
/// TODO: merge the most frequent pair, over and over.
///
/// APPROACH:
/// 1. The given `words` makes the words of the text. While the vocabulary is too small, count their pairs.
/// 2. The most frequent pair is the next merge. Among equally frequent ones take the one with the
///    smallest ids, the left one first, so that the same text always gives the same tokenizer. If none occurs at least twice, stop.
/// 3. Replace the pair in every word.
///
/// EXAMPLE: in `"abab abab"` the pair `a b` occurs 4 times, so the first merge is `(97, 98)`, and the second `(256, 256)`.
///
/// HINTS: `max_by_key` of the counts, with a key of two parts: the count, and the pair in `Reverse`, which turns its
/// order round. `new_id` of the number of merges so far is the id of the next token.
pub fn learn_merges(text: &[u8], vocab_size: usize) -> Vec<Pair> {
    // BEGIN SOLUTION
    let mut words = words(text);
    let mut merges = vec![];
    while BYTES + merges.len() < vocab_size {
        let counts = count_pairs(&words).into_iter().filter(|&(_, count)| count >= 2);
        let Some((pair, _)) = counts.max_by_key(|&(pair, count)| (count, Reverse(pair))) else {
            break;
        };
        for word in &mut words {
            word.ids = merge(&word.ids, pair, new_id(merges.len()));
        }
        merges.push(pair);
    }
    merges
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-tokenization-train", "locked": true, "points": 15, "schema_version": 3, "solution": false, "task": false}
/// 🔬 By hand: the most frequent first, merges of merges, ties, the size that was asked for, too little text.
#[test]
fn test_unit_train() {
    use tinytorch::testing::expect_eq;

    let [a, b, c, d] = [97, 98, 99, 100];
    let learn = |text: &str, merges| learn_merges(text.as_bytes(), BYTES + merges);
    let idea = "the most frequent pair first; its token can be a part of the next pair";
    expect_eq("abab abab, 2 merges", learn("abab abab", 2), vec![(a, b), (256, 256)], idea);
    let idea = "among equally frequent pairs the smallest, so that the result is always the same";
    expect_eq("cd,ab,cd,ab, 2 merges", learn("cd,ab,cd,ab", 2), vec![(a, b), (c, d)], idea);
    let many = learn("gh,ef,cd,ab,gh,ef,cd,ab", 4);
    let wanted = vec![(a, b), (c, d), (101, 102), (103, 104)];
    expect_eq("gh,ef,cd,ab, twice, 4 merges", many, wanted, idea);
    let idea = "stop when the vocabulary has the size that was asked for";
    expect_eq("a vocabulary of 0", learn_merges(b"abab abab", 0), vec![], idea);
    expect_eq("cd,ab,cd,ab, 0 merges", learn("cd,ab,cd,ab", 0), vec![], idea);
    expect_eq("cd,ab,cd,ab, 1 merge", learn("cd,ab,cd,ab", 1), vec![(a, b)], idea);
    let idea = "stop when no pair occurs twice";
    expect_eq("abcd, 5 merges", learn("abcd", 5), vec![], idea);
    expect_eq("an empty text", learn("", 5), vec![], idea);
    let idea = "pairs are counted in words: no token spans the end of one";
    expect_eq("a,b a,b, 9 merges", learn("a,b a,b", 9), vec![], idea);
}

// %% nbgrader={"grade": false, "grade_id": "tokenization-update", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Merges `pair` into `new` in one word, and keeps `counts` equal to what `count_pairs` would find now. A pair that is gone may
/// stay in the map with the count 0.
///
/// TODO: change the counts by what changes in this word, without a look at any other.
///
/// APPROACH:
/// 1. Take the word's pairs out of the counts, each as often as the word occurs.
/// 2. Merge.
/// 3. Add the pairs that the word has now.
///
/// EXAMPLE: in `a b c`, which occurs 5 times, merging `(a, b)` takes 5 from `(a, b)` and from `(b, c)`, and adds 5 to
/// `(ab, c)`.
///
/// HINTS: two loops like the one of `count_pairs`, with `merge` between them.
pub fn update(word: &mut Word, pair: Pair, new: Id, counts: &mut HashMap<Pair, usize>) {
    // BEGIN SOLUTION
    for old in pairs(&word.ids) {
        *counts.entry(old).or_insert(0) -= word.count;
    }
    word.ids = merge(&word.ids, pair, new);
    for now in pairs(&word.ids) {
        *counts.entry(now).or_insert(0) += word.count;
    }
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-tokenization-update", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 After each update the counts are those of a count from the start; the plain and the incremental training agree.
#[test]
fn test_unit_update() {
    use tinytorch::testing::expect_eq;

    let mut all = [(vec![1, 2, 3], 5), (vec![2, 1, 2, 1, 2], 2), (vec![1, 1], 7)]
        .map(|(ids, count)| Word { ids, count });
    let mut counts = count_pairs(&all);
    for at in 0..all.len() {
        update(&mut all[at], (1, 2), 9, &mut counts);
        let sorted = |counts: &HashMap<Pair, usize>| -> BTreeMap<Pair, usize> {
            counts
                .iter()
                .filter(|&(_, &count)| count > 0)
                .map(|(&pair, &count)| (pair, count))
                .collect()
        };
        let input = format!("(1, 2) becomes 9 in {} of the 3 words", at + 1);
        let idea = "take out the word's old pairs, merge, add its new pairs, each as often as the word occurs";
        expect_eq(input, sorted(&counts), sorted(&count_pairs(&all)), idea);
    }
    let merged: Vec<Vec<Id>> = all.iter().map(|word| word.ids.clone()).collect();
    expect_eq(
        "the three words",
        merged,
        vec![vec![9, 3], vec![2, 9, 9], vec![1, 1]],
        "merge the word",
    );
    let text = training_text();
    let [fast, plain] =
        [learn_merges_incrementally, learn_merges].map(|learn| learn(text.as_bytes(), 320));
    let idea = "with right counts, both ways find the same merges in the same order";
    expect_eq("64 merges of the dialogue corpus", fast, plain, idea);
}

// %% nbgrader={"grade": false, "grade_id": "tokenization-vocabulary-of-merges", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Byte-level byte-pair encoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BpeTokenizer {
    /// The merges, in the order in which they were learned.
    merges: Vec<Pair>,
    /// The token that each pair becomes: the lower, the earlier it was learned.
    ranks: HashMap<Pair, Id>,
    /// The bytes of each token.
    vocabulary: Vec<Vec<u8>>,
}

impl BpeTokenizer {
    /// The tokenizer of these merges, which may come from a file that someone else wrote.
    ///
    /// TODO: find the bytes of each token, and reject merges that no training can have made.
    ///
    /// APPROACH:
    /// 1. The first 256 tokens are given: one byte each. The token of a merge has the bytes of its left part and
    ///    then those of its right part, which both must exist already.
    /// 2. If one of them does not, or the bytes are more than `LONGEST`, return the error of `impossible_merge`, which is
    ///    given, with the number of the merge and its pair.
    ///
    /// EXAMPLE: the merges `(97, 98)` and `(256, 99)` make the tokens `ab` and `abc`; `(97, 400)` as the first one is an error.
    ///
    /// HINTS: `vocabulary.get(id as usize)` is `None` for a token that does not exist; two `Vec<u8>` in an array have
    /// `concat`.
    ///
    /// # Errors
    /// If a merge names a token that is not there yet, makes one that is too long, or is there twice.
    pub fn from_merges(merges: Vec<Pair>) -> Result<Self, TokenizerError> {
        let mut vocabulary: Vec<Vec<u8>> = (0..=u8::MAX).map(|byte| vec![byte]).collect();
        for (number, &pair) in merges.iter().enumerate() {
            // BEGIN SOLUTION
            let part = |id: Id| vocabulary.get(id as usize);
            let (Some(left), Some(right)) = (part(pair.0), part(pair.1)) else {
                return Err(impossible_merge(number, pair));
            };
            let bytes = [left.as_slice(), right].concat();
            if bytes.len() > LONGEST {
                return Err(impossible_merge(number, pair));
            }
            vocabulary.push(bytes);
            // END SOLUTION
        }
        let ranks = ranks(&merges)?;
        Ok(Self { merges, ranks, vocabulary })
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-tokenization-vocabulary-of-merges", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 The bytes of tokens made of tokens; merges that no training makes, and some that would fill the memory.
#[test]
fn test_unit_vocabulary_of_merges() {
    use std::panic::catch_unwind;
    use tinytorch::testing::expect_eq;

    let tokens = |merges: &[Pair]| {
        BpeTokenizer::from_merges(merges.to_vec()).map(|t| t.vocabulary()[256..].to_vec())
    };
    let idea = "the bytes of the left part, then those of the right part";
    let wanted = Ok(vec![b"ab".to_vec(), b"abc".to_vec(), b"abcab".to_vec()]);
    expect_eq(
        "(97, 98), (256, 99), (257, 256)",
        tokens(&[(97, 98), (256, 99), (257, 256)]),
        wanted,
        idea,
    );
    let idea = "a merge can only use tokens that are there already";
    for (merges, number) in
        [([(97, 400), (1, 2)], 0), ([(1, 2), (257, 1)], 1), ([(256, 1), (1, 2)], 0)]
    {
        let wanted = Err(impossible_merge(number, merges[number]));
        let yours =
            catch_unwind(|| tokens(&merges)).unwrap_or_else(|_| panic!("{merges:?}: {idea}"));
        expect_eq(format!("{merges:?}"), yours, wanted, idea);
    }
    // Each merge doubles the last token: 2, 4, 8 .. bytes.
    let doubling: Vec<Pair> =
        (0..20).map(|k| if k == 0 { (97, 97) } else { (255 + k, 255 + k) }).collect();
    let idea =
        "no chunk is longer than LONGEST, so no token is; check it before a file fills the memory";
    let yours = tokens(&doubling).map(|tokens| tokens.len());
    expect_eq("20 merges that double", yours, Err(impossible_merge(6, (261, 261))), idea);
    assert!(tokens(&[(1, 2), (1, 2)]).is_err(), "the same merge twice: the given check comes last");
}

// %% nbgrader={"grade": false, "grade_id": "tokenization-encode", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The tokens of one chunk. `rank` returns the token that a pair becomes, if that merge was learned; the lower
/// its id, the earlier it was learned.
///
/// TODO: merge in the order in which the merges were learned, until none is left.
///
/// APPROACH:
/// 1. Each byte is a token.
/// 2. Of all pairs of neighbours, find the one whose merge was learned first. If none was learned, you are done.
/// 3. Merge it everywhere, and look again.
///
/// EXAMPLE: with the merges `b c` and `a b`, in this order, `abc` is `a bc`: two tokens, although `ab` would come first
/// from the left.
///
/// HINTS: `filter_map` of the pairs to `(rank, pair)`, and its `min`. A pair without a rank is skipped by `?` or `map`.
pub fn encode_chunk(chunk: &[u8], rank: impl Fn(Pair) -> Option<Id>) -> Vec<Id> {
    // BEGIN SOLUTION
    let mut ids: Vec<Id> = chunk.iter().map(|&byte| Id::from(byte)).collect();
    while let Some((new, pair)) =
        pairs(&ids).filter_map(|pair| rank(pair).map(|new| (new, pair))).min()
    {
        ids = merge(&ids, pair, new);
    }
    ids
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-tokenization-encode", "locked": true, "points": 15, "schema_version": 3, "solution": false, "task": false}
/// 🔬 The order of the merges decides, not the position, and not the length of the token.
#[test]
fn test_unit_encode() {
    use tinytorch::testing::expect_eq;

    let [a, b, c, d] = [97, 98, 99, 100];
    let encode = |merges: &[Pair], text: &str| {
        let learned: HashMap<Pair, Id> = merges.iter().copied().zip(256..).collect();
        encode_chunk(text.as_bytes(), |pair| learned.get(&pair).copied())
    };
    let idea = "each byte is a token until a merge says otherwise";
    expect_eq("abc, no merges", encode(&[], "abc"), vec![a, b, c], idea);
    expect_eq("no bytes", encode(&[(a, b)], ""), vec![], idea);
    let idea = "merge the pair that was learned first, wherever it stands: a merge from the left is another tokenizer";
    expect_eq("abc, merges bc, ab", encode(&[(b, c), (a, b)], "abc"), vec![a, 256], idea);
    let idea = "the longest token does not win: the merge that was learned first does";
    let merges = [(a, b), (b, c), (257, d)];
    expect_eq("abcd, merges ab, bc, bc+d", encode(&merges, "abcd"), vec![256, c, d], idea);
    let idea = "look again after each merge: the new token can be a part of the next one";
    expect_eq(
        "abcabc, merges ab, ab+c",
        encode(&[(a, b), (256, c)], "abcabc"),
        vec![257, 257],
        idea,
    );
}

// %% nbgrader={"grade": false, "grade_id": "tokenization-decode", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl BpeTokenizer {
    /// The bytes of ids.
    ///
    /// TODO: put the bytes of all tokens together.
    ///
    /// APPROACH:
    /// 1. `vocabulary` has the bytes of each id.
    /// 2. An id that is not in it is the error that `not_in_vocabulary` makes from its place, the id and the size of the vocabulary.
    ///
    /// EXAMPLE: without merges, `[72, 105]` is `b"Hi"`.
    ///
    /// HINTS: `enumerate` gives the place, and a `Vec<u8>` has `extend_from_slice`.
    ///
    /// # Errors
    /// If an id is not in the vocabulary.
    pub fn decode_bytes(&self, ids: &[Id]) -> Result<Vec<u8>, TokenizerError> {
        // BEGIN SOLUTION
        let mut bytes = vec![];
        for (place, &id) in ids.iter().enumerate() {
            let token = self.vocabulary.get(id as usize);
            let missing = || not_in_vocabulary(place, id, self.vocabulary.len());
            bytes.extend_from_slice(token.ok_or_else(missing)?);
        }
        Ok(bytes)
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-tokenization-decode", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Any bytes survive the round trip, text that was never seen too; an id that is too large is an error.
#[test]
fn test_unit_decode() {
    use std::panic::catch_unwind;
    use tinytorch::testing::expect_eq;

    let tokenizer = BpeTokenizer::train(training_text().as_bytes(), 320).expect("a tokenizer");
    let idea = "the bytes of each token, in the order of the ids";
    expect_eq("[72, 105]", tokenizer.decode_bytes(&[72, 105]), Ok(b"Hi".to_vec()), idea);
    let [left, right] = [257, 256].map(|id: Id| tokenizer.vocabulary()[id as usize].clone());
    expect_eq("[257, 256]", tokenizer.decode_bytes(&[257, 256]), Ok([left, right].concat()), idea);
    let idea = "join the bytes, and read text only at the end: a token can be half a character";
    let every: Vec<u8> = (0..=u8::MAX).chain((0..=u8::MAX).rev()).collect();
    for bytes in [every, "Grüße, 你好 𝄞!".into(), training_text().into_bytes()] {
        let back = tokenizer.decode_bytes(&tokenizer.encode_bytes(&bytes));
        let input = format!("{} bytes, from {:?}", bytes.len(), &bytes[..4]);
        assert!(back.as_ref() == Ok(&bytes), "{input}: not the same after the round trip: {idea}");
    }
    let idea =
        "an id that is not in the vocabulary is an error with its place among the ids, not a panic";
    let wanted = Err(not_in_vocabulary(1, 320, 320));
    let yours = catch_unwind(|| tokenizer.decode_bytes(&[256, 320]))
        .unwrap_or_else(|_| panic!("[256, 320]: {idea}"));
    expect_eq("[256, 320], 320 tokens", yours, wanted, idea);
}

// %% nbgrader={"grade": false, "grade_id": "tokenization-parse", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The first line of a tokenizer's file, with the version of its format.
const HEADER: &str = "tinytorch-bpe 1";

/// The merges in the text of a tokenizer's file: `HEADER`, the number of merges, then one merge a line, its two ids separated by
/// a space. Every line ends in a line break.
///
/// TODO: read the merges, and reject every other text.
///
/// APPROACH:
/// 1. The first line must be `HEADER`; otherwise return the error of `foreign_file`.
/// 2. The second line is the number of merges.
/// 3. Every other line holds two ids. A line that does not is the error of `unreadable_line`, with its number, counted from 1.
/// 4. If there are more or fewer merges than the second line says, the file is damaged: `wrong_number_of_merges`.
/// 5. A text that does not end in a line break was cut off in its last line, perhaps in the middle of a number: that line is
///    unreadable too.
///
/// EXAMPLE: `"tinytorch-bpe 1\n1\n97 98\n"` holds the merge `(97, 98)`.
///
/// HINTS: `lines`, `split_once(' ')` and `parse` all say when they fail; `ok_or_else` and `?` turn that into the error.
pub fn parse_merges(text: &str) -> Result<Vec<Pair>, TokenizerError> {
    // BEGIN SOLUTION
    let mut lines = text.lines();
    if lines.next() != Some(HEADER) {
        return Err(foreign_file(text));
    }
    let wanted: usize =
        lines.next().and_then(|line| line.parse().ok()).ok_or_else(|| unreadable_line(2))?;
    let pair = |(line, number): (&str, usize)| {
        let parts = line.split_once(' ');
        let ids = parts.and_then(|(left, right)| Some((left.parse().ok()?, right.parse().ok()?)));
        ids.ok_or_else(|| unreadable_line(number))
    };
    let merges: Vec<Pair> = lines.zip(3..).map(pair).collect::<Result<_, _>>()?;
    if merges.len() != wanted {
        return Err(wrong_number_of_merges(wanted, merges.len()));
    }
    if !text.ends_with('\n') {
        return Err(unreadable_line(merges.len() + 2));
    }
    Ok(merges)
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-tokenization-parse", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 A round trip; a foreign file, a newer version, damaged lines, a file that was cut off.
#[test]
fn test_unit_parse() {
    use std::panic::catch_unwind;
    use tinytorch::testing::expect_eq;

    let tokenizer = BpeTokenizer::train(training_text().as_bytes(), 300).expect("a tokenizer");
    let idea = "what was written is read back";
    expect_eq(
        "a tokenizer's own text",
        parse_merges(&tokenizer.to_text()),
        Ok(tokenizer.merges().to_vec()),
        idea,
    );
    expect_eq("no merges", parse_merges("tinytorch-bpe 1\n0\n"), Ok(vec![]), idea);
    let idea = "the first line is HEADER, whole: other files and other versions are refused";
    for text in ["", "hello\n", "tinytorch-bpe 2\n0\n", "tinytorch-bpe 10\n0\n"] {
        expect_eq(format!("{text:?}"), parse_merges(text), Err(foreign_file(text)), idea);
    }
    let idea = "a line that cannot be read is an error with its number, not a panic";
    for (text, line) in [
        ("tinytorch-bpe 1\n", 2),
        ("tinytorch-bpe 1\nmany\n", 2),
        ("tinytorch-bpe 1\n2\n97 98\n97\n", 4),
        ("tinytorch-bpe 1\n1\n97 -1\n", 3),
        ("tinytorch-bpe 1\n1\n97 98 99\n", 3),
        ("tinytorch-bpe 1\n1\n97  98\n", 3),
    ] {
        expect_eq(format!("{text:?}"), parse_merges(text), Err(unreadable_line(line)), idea);
    }
    let idea =
        "compare the number of merges with the second line: half a file is not a smaller tokenizer";
    for (rest, wanted, found) in [("3\n97 98\n", 3, 1), ("1\n97 98\n99 100\n", 1, 2)] {
        let text = format!("tinytorch-bpe 1\n{rest}");
        expect_eq(
            format!("{text:?}"),
            parse_merges(&text),
            Err(wrong_number_of_merges(wanted, found)),
            idea,
        );
    }
    let idea = "do not reserve memory for as many merges as a file says that it has";
    let text = format!("tinytorch-bpe 1\n{}\n", usize::MAX);
    let yours = catch_unwind(|| parse_merges(&text)).unwrap_or_else(|_| panic!("{text:?}: {idea}"));
    expect_eq(format!("{text:?}"), yours, Err(wrong_number_of_merges(usize::MAX, 0)), idea);
    let idea = "a last line without its line break was cut off: 256 9 may have been 256 99";
    let text = "tinytorch-bpe 1\n2\n97 98\n256 9";
    expect_eq(format!("{text:?}"), parse_merges(text), Err(unreadable_line(4)), idea);
}

// %% nbgrader={"grade": false, "grade_id": "tokenization-debug", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// How many of the bytes are complete text. What is behind may become a character when more bytes come.
///
/// A chat shows its answer while it is generated, token by token. A token can end in the middle of a character: `é` is the two
/// bytes C3 A9, 𝄞 is four.
///
/// TODO: find the fault in this line, which a colleague wrote, and write it correctly. It shows `�` where an
/// accent should be.
///
/// ```text
/// bytes.len()
/// ```
///
/// APPROACH:
/// 1. If all bytes are UTF-8, all of them are complete.
/// 2. If not, the error says how many bytes are valid, and whether the rest could still become a character.
/// 3. Bytes that can never become text count as complete, so that a chat does not wait for ever. Look again behind them.
///
/// EXAMPLE: of `a C3` one byte is complete; of `a C3 A9` all three are; of `a FF b` all three are as well; of `a FF C3` two.
///
/// HINTS: `std::str::from_utf8` returns a `Utf8Error`. Its `valid_up_to` is the number of valid bytes; its `error_len` is the
/// number of bytes behind them that never become text, or `None` when the bytes end too early.
pub fn complete(bytes: &[u8]) -> usize {
    // BEGIN SOLUTION
    let mut at = 0;
    while let Err(error) = std::str::from_utf8(&bytes[at..]) {
        at += error.valid_up_to();
        match error.error_len() {
            Some(invalid) => at += invalid,
            None => return at,
        }
    }
    bytes.len()
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-tokenization-debug", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Characters that arrive byte by byte are shown whole; bytes that are no text do not block what follows.
#[test]
fn test_unit_debug() {
    use tinytorch::testing::expect_eq;

    let wait = "wait while the bytes end in the middle of a character";
    expect_eq("a C3", complete(b"a\xc3"), 1, wait);
    expect_eq("three of the four bytes of 𝄞", complete(&"𝄞".as_bytes()[..3]), 0, wait);
    let all = "what is complete is shown at once";
    expect_eq("a C3 A9", complete("aé".as_bytes()), 3, all);
    expect_eq("no bytes", complete(b""), 0, all);
    let invalid = "bytes that can never become text must not be kept back";
    expect_eq("a FF b", complete(b"a\xffb"), 3, invalid);
    let again =
        "look again behind bytes that can never become text: what follows may be incomplete";
    expect_eq("a FF C3", complete(b"a\xff\xc3"), 2, again);
    expect_eq("C3 C3", complete(b"\xc3\xc3"), 1, again);
    let bytes = BpeTokenizer::from_merges(vec![]).expect("a tokenizer");
    let mut stream = StreamDecoder::new(&bytes);
    let text = "né 𝄞";
    let shown: String =
        text.bytes().map(|byte| stream.push(Id::from(byte)).expect("a byte")).collect();
    expect_eq("né 𝄞, byte by byte", shown, text.to_owned(), wait);
}

// %% nbgrader={"grade": false, "grade_id": "tokenization-analyze-compression", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 What does a larger vocabulary buy, and where?
///
/// Purpose: choose the size of a vocabulary. Measured: the bytes per token of tokenizers of growing size, all trained on the
/// dialogue corpus, for its held-out questions, for German, and for Rust. Key insight: merges are habits
/// of the training text; on other text they help less. Production context: speakers of a language that is rare
/// in the training text pay for more tokens, in money and in time.
pub fn analyze_compression(out: &mut Reporter) {
    let text = training_text();
    let held_out: String = dialogue::pairs(Split::Test).map(|pair| format!("{pair}\n\n")).collect();
    let texts = [
        ("held-out questions", held_out.as_str()),
        ("German", samples::GERMAN),
        ("Rust", samples::RUST),
    ];
    let sizes = [256, 320, 384, 512, 640, 768, 1024];
    let Ok(largest) = BpeTokenizer::train(text.as_bytes(), sizes[sizes.len() - 1]) else { return };
    let mut measured: Vec<[f64; 3]> = vec![];
    for size in sizes {
        let merges = largest.merges.iter().copied().take(size - BYTES).collect();
        let Ok(tokenizer) = BpeTokenizer::from_merges(merges) else { return };
        measured.push(texts.map(|(_, text)| bytes_per_token(&tokenizer, text)));
    }
    let rows = sizes.iter().zip(&measured).map(|(&size, row)| {
        let used = size.min(largest.vocab_size());
        [used.into()].into_iter().chain(row.map(Into::into)).collect()
    });
    let columns = [
        ("vocabulary", ""),
        (texts[0].0, "B/token"),
        (texts[1].0, "B/token"),
        (texts[2].0, "B/token"),
    ];
    out.measured_table("Bytes per token", &columns, rows.collect());
    let curve = |at: usize| {
        let points = sizes.iter().zip(&measured).map(|(&size, row)| (size as f64, row[at]));
        Series::new(texts[at].0, points.collect::<Vec<_>>())
    };
    let (x, y) = (Axis::log("vocabulary", ""), Axis::linear("bytes per token", ""));
    out.measured_chart("Compression by vocabulary", x, y, [0, 1, 2].map(curve).into());
    let (at_512, last) = (measured[3], measured[sizes.len() - 1]);
    out.measured("bytes per token of held-out questions, vocabulary 512", at_512[0], "B/token");
    out.insight(compression_insight(last, at_512[0]));
}

/// What bytes per token say: at the largest vocabulary for held-out text of the training kind, for German and for Rust; and
/// at 512 tokens for held-out text.
pub fn compression_insight([own, german, rust]: [f64; 3], at_512: f64) -> String {
    let best_other = german.max(rust);
    let kinds = if own > 1.05 * best_other {
        format!(
            "Text like the training text has {own:.1} bytes per token, German {german:.1} and Rust {rust:.1}: a vocabulary is made for one kind of text."
        )
    } else if own < 0.95 * best_other {
        format!(
            "Text like the training text has {own:.1} bytes per token, and the better of German and Rust even {best_other:.1}: this vocabulary fits another kind of text better than its own."
        )
    } else {
        format!(
            "Text like the training text has {own:.1} bytes per token, about as many as the better of German and Rust, {best_other:.1}."
        )
    };
    let share = if at_512 > own * 0.95 {
        "A vocabulary of 512 compresses held-out text about as much as the largest one."
    } else if at_512 - 1.0 > (own - 1.0) / 2.0 {
        "A vocabulary of 512 gives more than half of what the largest one gives."
    } else {
        "A vocabulary of 512 gives less than half of what the largest one gives."
    };
    format!("{kinds} {share}")
}

// %% nbgrader={"grade": false, "grade_id": "tokenization-analyze-training", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 What does it cost to count everything again?
///
/// Purpose: see what the incremental counts are worth. Measured: the training on the dialogue corpus, plain and incremental
/// in turn, for growing numbers of merges; and encoding of growing parts of it. Key insight: the plain training looks at
/// each word for each merge; the incremental one counts once, and then looks only at the words that contain the pair.
/// Production context: tokenizers for language models are trained on gigabytes, with counts kept in this way.
pub fn analyze_training_speed(out: &mut Reporter) {
    let text = training_text();
    let bytes = text.as_bytes();
    let timed = [16, 32, 64, 128, 256].map(|merges| {
        let size = BYTES + merges;
        let plain = || learn_merges(bytes, size);
        (merges, compare(9, plain, || learn_merges_incrementally(bytes, size)))
    });
    let names = ["merges", "plain", "incremental", "plain / incremental"];
    let titles = ["Training on the whole corpus", "Training by number of merges"];
    out.compared_by_size(titles, names, &timed);

    let Ok(tokenizer) = BpeTokenizer::train(bytes, 512) else { return };
    let mut rates = vec![];
    for part in [8, 4, 2, 1] {
        let bytes = &bytes[..bytes.len() / part];
        let timing = time(9, || tokenizer.encode_bytes(bytes));
        rates.push(vec![
            bytes.len().into(),
            timing.into(),
            (timing.median / bytes.len() as f64).into(),
        ]);
    }
    out.measured_table(
        "Encoding, vocabulary 512",
        &[("text", "B"), ("time", "s"), ("per byte", "s")],
        rates,
    );
    let compared = timed[timed.len() - 1].1;
    out.compared("256 merges", &[("the plain training", "the incremental one", compared)]);
    out.measured("plain against incremental training, 256 merges", compared.ratio.median, "x");
    out.insight(training_speed_insight(&compared.ratio));
}

/// What the times of 256 merges of the whole corpus say, by the plain and by the incremental training.
pub fn training_speed_insight(ratio: &Ratio) -> String {
    ratio.took("the plain training", "the incremental one")
}

// %% nbgrader={"grade": false, "grade_id": "tokenization-analyze-vocabulary", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 What does a vocabulary cost the model?
///
/// Purpose: weigh a shorter sequence against a larger table. Measured: the tokens of the held-out questions, by character and by
/// BPE. Computed: the memory of a table of 64 numbers per token, and the pairs of tokens that attention compares.
/// Key insight: the table grows with the vocabulary; the pairs shrink with the square of the length.
/// Production context: GPT-2 has 50,257 tokens and 768 numbers each: 154 MB of its 498 MB are this table.
pub fn analyze_vocabulary_cost(out: &mut Reporter) {
    let text = training_text();
    let questions: Vec<String> =
        dialogue::pairs(Split::Test).map(|pair| pair.to_string()).collect();
    let mean = |tokenizer: &dyn Tokenizer| {
        let tokens: usize = questions.iter().map(|text| tokenizer.encode(text).len()).sum();
        tokens as f64 / questions.len() as f64
    };
    let characters = CharTokenizer::new(&text);
    let mut rows = vec![("characters".to_owned(), characters.vocab_size(), mean(&characters))];
    for size in [256, 384, 512, 1024] {
        let Ok(tokenizer) = BpeTokenizer::train(text.as_bytes(), size) else { return };
        rows.push((format!("BPE {size}"), tokenizer.vocab_size(), mean(&tokenizer)));
    }
    let table = rows.iter().map(|(name, size, tokens)| {
        vec![
            name.as_str().into(),
            (*size).into(),
            (*tokens).into(),
            (size * 64 * 4).into(),
            (tokens * tokens).into(),
        ]
    });
    let columns = [
        ("tokenizer", ""),
        ("vocabulary", ""),
        ("tokens in it, measured", ""),
        ("table", "B"),
        ("comparisons", ""),
    ];
    out.table(Table {
        title: "A question with its answer".into(),
        columns: columns.map(|(name, unit)| Column::with_unit(name, unit)).into(),
        rows: table.collect(),
        origin: Origin::Computed(
            "table = vocabulary x 64 x 4 bytes; comparisons = tokens^2".into(),
        ),
    });
    let bars = rows.iter().map(|(_, size, tokens)| (*size as f64, *tokens)).collect::<Vec<_>>();
    out.chart(Chart {
        title: "Tokens in a question with its answer".into(),
        kind: ChartKind::Scatter,
        x: Axis::log("vocabulary", ""),
        y: Axis::linear("tokens", ""),
        series: vec![Series::new("held-out questions", bars)],
        origin: Origin::Measured,
    });
    let (_, size, first) = &rows[0];
    let (_, last_size, last) = &rows[rows.len() - 1];
    out.measured("tokens by character against BPE 1,024", first / last, "x");
    out.insight(vocabulary_cost_insight([*size, *last_size], [*first, *last]));
}

/// What a vocabulary costs and saves: the sizes of two vocabularies, and the tokens of a text with each.
pub fn vocabulary_cost_insight(sizes: [usize; 2], tokens: [f64; 2]) -> String {
    let table = sizes[1] as f64 / sizes[0] as f64;
    let shorter = tokens[0] / tokens[1];
    let effect = match shorter {
        s if s > 1.05 => format!(
            "makes the text {s:.1} times shorter, so attention compares {:.1} times fewer pairs",
            s * s
        ),
        s if s < 0.95 => format!("makes the text {:.1} times longer, which buys nothing", 1.0 / s),
        _ => "leaves the text about as long, which buys nothing".to_owned(),
    };
    format!("A table {table:.1} times as large {effect}.")
}

// %% nbgrader={"grade": true, "grade_id": "test-tokenization-module", "locked": true, "points": 15, "schema_version": 3, "solution": false, "task": false}
/// 🧪 A tokenizer is trained, saved, loaded, and shows the answer of a chat as it arrives; it needs fewer tokens than characters.
#[test]
fn test_module() {
    use tinytorch::testing::{expect_eq, panic_message};

    let text = training_text();
    let trained = BpeTokenizer::train(text.as_bytes(), 512).expect("a tokenizer");
    let file = std::env::temp_dir().join(format!("tinytorch-bpe-{}.txt", std::process::id()));
    trained.save(&file).expect("saved");
    let loaded = BpeTokenizer::load(&file).expect("loaded");
    std::fs::remove_file(&file).expect("removed");
    expect_eq(
        "a tokenizer that was saved and loaded",
        &loaded,
        &trained,
        "nothing is lost in the file",
    );

    let characters = CharTokenizer::new(&text);
    for pair in dialogue::pairs(Split::Test) {
        let text = pair.to_string();
        let ids = loaded.encode(&text);
        expect_eq(
            &text,
            loaded.decode(&ids),
            Ok(text.clone()),
            "the round trip gives the text back",
        );
        assert!(
            ids.len() < characters.encode(&text).len(),
            "{text:?}: BPE needs fewer tokens than there are characters"
        );
        let mut stream = StreamDecoder::new(&loaded);
        let shown: String =
            ids.iter().map(|&id| stream.push(id).expect("an id of the vocabulary")).collect();
        expect_eq(&text, shown, text.clone(), "token by token, the same text");
    }
    let refused = |size| BpeTokenizer::train(b"aaab aaab", size).map(|t| t.vocab_size());
    expect_eq(
        "a vocabulary of 255",
        refused(255),
        Err(vocabulary_too_small(255)),
        "256 bytes need 256 tokens",
    );
    assert!(BpeTokenizer::train(b"", 300).is_err(), "an empty text teaches nothing");
    let message = panic_message(|| StreamDecoder::new(&loaded).push(9999).expect("an id"));
    assert!(message.contains("9999"), "the error names the id: {message}");
}

// %% nbgrader={"grade": false, "grade_id": "tokenization-parts", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// What the tokenizers of this lesson learn from: the questions and answers of the training set, each pair followed by an empty line.
pub fn training_text() -> String {
    dialogue::pairs(Split::Train).map(|pair| format!("{pair}\n\n")).collect()
}

/// Whether a chunk begins at `byte`, which follows `before`: at white space, and where letters, digits and other
/// signs meet. A single space stays with what follows it. Bytes from 128 on are parts of letters.
fn begins(before: u8, byte: u8) -> bool {
    let kind = |byte: u8| match byte {
        byte if byte.is_ascii_whitespace() => 0,
        byte if byte.is_ascii_alphabetic() || byte >= 128 => 1,
        byte if byte.is_ascii_digit() => 2,
        _ => 3,
    };
    kind(byte) == 0 || (kind(before) != kind(byte) && before != b' ')
}

/// The distinct chunks of a text with their counts, each as one token per byte.
fn words(text: &[u8]) -> Vec<Word> {
    let mut counts = BTreeMap::new();
    for chunk in chunks(text) {
        *counts.entry(chunk).or_insert(0) += 1;
    }
    let word = |(chunk, count): (&[u8], usize)| Word {
        ids: chunk.iter().map(|&byte| Id::from(byte)).collect(),
        count,
    };
    counts.into_iter().map(word).collect()
}

/// The neighbours of a slice, from left to right.
fn pairs(ids: &[Id]) -> impl Iterator<Item = Pair> {
    ids.windows(2).map(|pair| (pair[0], pair[1]))
}

/// The token of the merge that follows `merges` others.
fn new_id(merges: usize) -> Id {
    (BYTES + merges) as Id
}

/// The bytes of `text` for each of its tokens.
fn bytes_per_token(tokenizer: &impl Tokenizer, text: &str) -> f64 {
    text.len() as f64 / tokenizer.encode(text).len().max(1) as f64
}

// %% nbgrader={"grade": false, "grade_id": "tokenization-incremental", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// The merges of [`learn_merges`], found with counts that [`update`] keeps right, so that a merge looks only at the words that
/// contain its pair. The most frequent pair comes from a heap, whose entries may be out of date: one
/// whose count has changed since goes back with its new count.
pub fn learn_merges_incrementally(text: &[u8], vocab_size: usize) -> Vec<Pair> {
    let mut words = words(text);
    let mut counts = count_pairs(&words);
    let mut places: HashMap<Pair, Vec<usize>> = HashMap::new();
    for (place, word) in words.iter().enumerate() {
        pairs(&word.ids).for_each(|pair| places.entry(pair).or_default().push(place));
    }
    let mut heap: BinaryHeap<(usize, Reverse<Pair>)> =
        counts.iter().map(|(&pair, &count)| (count, Reverse(pair))).collect();
    let mut merges = vec![];
    while BYTES + merges.len() < vocab_size {
        let Some((count, Reverse(pair))) = heap.pop().filter(|&(count, _)| count >= 2) else {
            break;
        };
        let now = counts.get(&pair).copied().unwrap_or(0);
        if now != count {
            heap.push((now, Reverse(pair)));
            continue;
        }
        let new = new_id(merges.len());
        let mut appeared = BTreeSet::new();
        for place in places.remove(&pair).unwrap_or_default() {
            let word = &mut words[place];
            // A place may be listed twice, or have lost the pair to an earlier merge.
            if pairs(&word.ids).all(|other| other != pair) {
                continue;
            }
            update(word, pair, new, &mut counts);
            for other in pairs(&word.ids).filter(|other| other.0 == new || other.1 == new) {
                places.entry(other).or_default().push(place);
                appeared.insert(other);
            }
        }
        heap.extend(
            appeared.into_iter().filter_map(|pair| Some((*counts.get(&pair)?, Reverse(pair)))),
        );
        merges.push(pair);
    }
    merges
}

// %% nbgrader={"grade": false, "grade_id": "tokenization-bpe", "locked": true, "schema_version": 3, "solution": false, "task": false}
impl BpeTokenizer {
    /// A tokenizer of at most `vocab_size` tokens, trained on a text in any encoding.
    ///
    /// # Errors
    /// If the text is empty, or the vocabulary smaller than the 256 bytes.
    pub fn train(text: &[u8], vocab_size: usize) -> Result<Self, TokenizerError> {
        if vocab_size < BYTES {
            return Err(vocabulary_too_small(vocab_size));
        }
        if text.is_empty() {
            return Err(TokenizerError("the text to train on is empty".into()));
        }
        Self::from_merges(learn_merges_incrementally(text, vocab_size))
    }

    /// The merges, in the order in which they were learned.
    pub fn merges(&self) -> &[Pair] {
        &self.merges
    }

    /// The bytes of each token.
    pub fn vocabulary(&self) -> &[Vec<u8>] {
        &self.vocabulary
    }

    /// The ids of any bytes. Each distinct chunk is encoded once, so the time grows with the length of the text.
    pub fn encode_bytes(&self, bytes: &[u8]) -> Vec<Id> {
        let mut known: HashMap<&[u8], Vec<Id>> = HashMap::new();
        let mut ids = vec![];
        for chunk in chunks(bytes) {
            let encode = || encode_chunk(chunk, |pair| self.ranks.get(&pair).copied());
            ids.extend_from_slice(known.entry(chunk).or_insert_with(encode));
        }
        ids
    }

    /// The text of a tokenizer's file.
    pub fn to_text(&self) -> String {
        let lines = self.merges.iter().map(|(left, right)| format!("{left} {right}\n"));
        format!("{HEADER}\n{}\n{}", self.merges.len(), lines.collect::<String>())
    }

    /// Writes the tokenizer to a file.
    ///
    /// # Errors
    /// If the file cannot be written. An earlier file then stays as it was.
    pub fn save(&self, path: &Path) -> Result<(), TokenizerError> {
        let written = tinytorch::training::write_atomically(path, self.to_text().as_bytes());
        written
            .map_err(|error| TokenizerError(format!("failed to write {}: {error}", path.display())))
    }

    /// Reads a tokenizer from a file.
    ///
    /// # Errors
    /// If the file cannot be read, is not a tokenizer's, or is damaged: with its path, and the line.
    pub fn load(path: &Path) -> Result<Self, TokenizerError> {
        let text = tinytorch::data::text::read_text(path)
            .map_err(|error| TokenizerError(error.to_string()))?;
        let in_file =
            |error: TokenizerError| TokenizerError(format!("{}: {error}", path.display()));
        parse_merges(&text).and_then(Self::from_merges).map_err(in_file)
    }
}

impl Tokenizer for BpeTokenizer {
    fn vocab_size(&self) -> usize {
        self.vocabulary.len()
    }

    fn encode(&self, text: &str) -> Vec<Id> {
        self.encode_bytes(text.as_bytes())
    }

    /// Bytes that are not UTF-8 come back as `\u{fffd}`.
    fn decode(&self, ids: &[Id]) -> Result<String, TokenizerError> {
        Ok(String::from_utf8_lossy(&self.decode_bytes(ids)?).into_owned())
    }
}

/// Text from ids that arrive one by one: no character is shown before all its bytes are there.
#[derive(Debug)]
pub struct StreamDecoder<'a> {
    tokenizer: &'a BpeTokenizer,
    pending: Vec<u8>,
}

impl<'a> StreamDecoder<'a> {
    /// Nothing arrived yet.
    pub const fn new(tokenizer: &'a BpeTokenizer) -> Self {
        Self { tokenizer, pending: vec![] }
    }

    /// The text that is complete now.
    ///
    /// # Errors
    /// If the id is not in the vocabulary.
    pub fn push(&mut self, id: Id) -> Result<String, TokenizerError> {
        self.pending.extend(self.tokenizer.decode_bytes(&[id])?);
        let rest = self.pending.split_off(complete(&self.pending));
        let shown = std::mem::replace(&mut self.pending, rest);
        Ok(String::from_utf8_lossy(&shown).into_owned())
    }
}

// %% nbgrader={"grade": false, "grade_id": "tokenization-errors", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// The token that each pair becomes.
fn ranks(merges: &[Pair]) -> Result<HashMap<Pair, Id>, TokenizerError> {
    let mut ranks = HashMap::new();
    for (number, &pair) in merges.iter().enumerate() {
        if ranks.insert(pair, new_id(number)).is_some() {
            return Err(impossible_merge(number, pair));
        }
    }
    Ok(ranks)
}

/// The error of an id that no token has; `place` is its index among the ids.
pub fn not_in_vocabulary(place: usize, id: Id, vocab_size: usize) -> TokenizerError {
    TokenizerError(format!(
        "id {id} at index {place} is not in the vocabulary of {vocab_size} tokens: was the text encoded by another tokenizer?"
    ))
}

/// The error of a vocabulary that has no room for the bytes.
pub fn vocabulary_too_small(vocab_size: usize) -> TokenizerError {
    TokenizerError(format!(
        "a vocabulary of {vocab_size} tokens cannot hold the {BYTES} bytes: ask for {BYTES} or more"
    ))
}

/// The error of a merge that no training can have made.
pub fn impossible_merge(number: usize, (left, right): Pair) -> TokenizerError {
    TokenizerError(format!(
        "merge {number} of the tokens {left} and {right} is impossible: a part does not exist yet, the token is longer than \
         {LONGEST} bytes, or the merge is there twice"
    ))
}

/// The error of a file that does not begin as a tokenizer's does.
pub fn foreign_file(text: &str) -> TokenizerError {
    let first: String = text.lines().next().unwrap_or_default().chars().take(40).collect();
    TokenizerError(format!(
        "not a tokenizer of this version: the first line is {first:?} instead of {HEADER:?}"
    ))
}

/// The error of a line that does not hold what belongs there; lines count from 1.
pub fn unreadable_line(number: usize) -> TokenizerError {
    let wanted =
        if number == 2 { "the number of merges" } else { "two ids with a space between them" };
    TokenizerError(format!("line {number} does not hold {wanted}: the file is damaged"))
}

/// The error of a file that was cut off, or has grown.
pub fn wrong_number_of_merges(wanted: usize, found: usize) -> TokenizerError {
    TokenizerError(format!(
        "the file holds {found} merges, and its second line says {wanted}: it is damaged"
    ))
}

// %% nbgrader={"grade": false, "grade_id": "tokenization-explore", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Merges, one by one.
///
/// Type a text of your own, and step through the merges that were learned from the questions of the course: press play, or
/// move the number of merges with the arrow keys. Your functions cut the text; a token is bounded by bars.
pub fn explore_merges(figure: &mut Explorer) {
    let text = figure.text("text", "What is the opposite of heavy? What is 7 + 8?");
    let shown = figure.play("merges", EXPLORED + 1, 8);
    let merges = learn_merges_incrementally(training_text().as_bytes(), BYTES + EXPLORED);
    let last = shown.checked_sub(1).and_then(|index| merges.get(index)).copied();
    let Ok(tokenizer) = BpeTokenizer::from_merges(merges.into_iter().take(shown).collect()) else {
        figure.note(
            "from_merges refuses what learn_merges found: see tokenization-vocabulary-of-merges.",
        );
        return;
    };
    let name = |id: Id| {
        tokenizer.vocabulary.get(id as usize).map_or_else(String::new, |bytes| shown_bytes(bytes))
    };
    let ids = tokenizer.encode(&text);
    figure.tokens("The text in tokens", ids.iter().map(|&id| name(id)).collect());
    if let Some((left, right)) = last {
        let new = new_id(shown - 1);
        let row = vec![shown.into(), name(left).into(), name(right).into(), name(new).into()];
        let columns = [("merge", ""), ("left", ""), ("right", ""), ("new token", "")];
        figure.measured_table("The last merge", &columns, vec![row]);
    }
    figure.insight(merges_insight(text.len(), ids.len(), tokenizer.vocab_size()));
}

/// So many merges can be stepped through.
const EXPLORED: usize = 256;

/// Bytes as text; those that are no text as `\\xff`.
fn shown_bytes(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap_or_else(|_| bytes.escape_ascii().to_string())
}

/// What a text needs with a vocabulary.
pub fn merges_insight(bytes: usize, tokens: usize, vocab_size: usize) -> String {
    let each = bytes as f64 / tokens.max(1) as f64;
    format!(
        "{bytes} bytes are {tokens} tokens of a vocabulary of {vocab_size}: {each:.2} bytes per token."
    )
}

// %% nbgrader={"grade": false, "grade_id": "tokenization-main", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Runs the analyses and prints what they report.
pub fn main() {
    let mut out = Reporter::stdout();
    analyze_compression(&mut out);
    analyze_training_speed(&mut out);
    analyze_vocabulary_cost(&mut out);
}

// %% nbgrader={"grade": false, "grade_id": "tokenization-own", "locked": false, "schema_version": 3, "solution": false, "task": false}
// Yours: helper functions and tests of your own go here. The tutor runs each `#[test]` function of this cell and
// shows it as yours; it is never graded.
