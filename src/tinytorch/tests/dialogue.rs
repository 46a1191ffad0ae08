//! The dialogue corpus is what its datasheet says, and a text file is read or refused by name.

use std::collections::{HashMap, HashSet};
use tinytorch::data::dialogue::{Level, Pair, Split, all, pairs};
use tinytorch::data::text::read_text;

const DATASHEET: &str = include_str!("../src/data/dialogue.md");
const SPLITS: [Split; 3] = [Split::Train, Split::Validation, Split::Test];

/// A question without case and punctuation: two that differ only in these are alike.
fn words(question: &str) -> Vec<String> {
    let kept = |c: char| c.is_alphanumeric() || "+-".contains(c);
    let words = question.split_whitespace();
    let words = words.map(|word| word.chars().filter(|&c| kept(c)).collect::<String>());
    words.map(|word| word.to_lowercase()).filter(|word| !word.is_empty()).collect()
}

#[test]
fn no_two_questions_are_alike_in_one_set_or_across_the_split() {
    let mut first: HashMap<Vec<String>, Pair> = HashMap::new();
    for pair in all() {
        if let Some(other) = first.insert(words(pair.question), pair) {
            panic!("{pair:?} is like {other:?}");
        }
    }
    assert!(first.len() >= 600, "{}", first.len());
}

#[test]
fn the_datasheet_counts_what_is_there() {
    assert!(DATASHEET.contains(&format!("{} pairs", all().count())));
    for level in Level::ALL {
        let count = |split| pairs(split).filter(|pair| pair.level == level).count();
        let [train, validation, test] = SPLITS.map(count);
        let row = format!("| {} | {train} | {validation} | {test} |", level.name());
        assert!(DATASHEET.contains(&row), "{row}");
    }
    let characters: HashSet<char> = tinytorch::data::dialogue::DIALOGUE_TSV.chars().collect();
    assert!(characters.iter().all(char::is_ascii));
    assert!(DATASHEET.contains(&format!("{} different", characters.len())), "{}", characters.len());
    let longest = all().map(|pair| pair.question.len() + pair.answer.len()).max().unwrap();
    assert!(DATASHEET.contains(&format!("at most {longest} characters")), "{longest}");
}

#[test]
fn every_held_out_answer_is_taught_at_its_level() {
    let taught: HashSet<(Level, &str)> =
        pairs(Split::Train).map(|pair| (pair.level, pair.answer)).collect();
    for pair in pairs(Split::Validation).chain(pairs(Split::Test)) {
        assert!(taught.contains(&(pair.level, pair.answer)), "{pair:?}");
    }
}

#[test]
fn the_other_order_of_a_held_out_addition_is_taught() {
    let taught: HashSet<&str> = pairs(Split::Train).map(|pair| pair.question).collect();
    let mut additions = 0;
    for pair in pairs(Split::Validation).chain(pairs(Split::Test)) {
        let words = words(pair.question);
        if let ["what", "is", a, "+", b] = words.iter().map(String::as_str).collect::<Vec<_>>()[..]
        {
            additions += 1;
            assert!(taught.contains(format!("What is {b} + {a}?").as_str()), "{pair:?}");
        }
    }
    assert_eq!(additions, 24);
}

#[test]
fn every_sum_is_right() {
    for pair in all().filter(|pair| pair.level == Level::Sums) {
        let words = words(pair.question);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let number = |word: &str| word.parse::<i32>().unwrap();
        let wanted = match words[..] {
            ["what", "is", a, "+", b] => number(a) + number(b),
            ["what", "is", a, "-", b] => number(a) - number(b),
            ["which", "number", "comes", "after", a] => number(a) + 1,
            ["which", "number", "comes", "before", a] => number(a) - 1,
            _ => panic!("{pair:?}"),
        };
        assert_eq!(pair.answer, format!("{wanted}."), "{pair:?}");
    }
}

#[test]
fn the_answer_of_a_context_question_is_in_the_question() {
    for pair in all().filter(|pair| pair.level == Level::Context) {
        let question = words(pair.question);
        assert!(words(pair.answer).iter().all(|word| question.contains(word)), "{pair:?}");
    }
}

#[test]
fn a_pair_reads_as_a_model_sees_it() {
    let pair = pairs(Split::Train).next().unwrap();
    assert_eq!(pair.to_string(), "Q: Hello.\nA: Hello! How can I help?");
}

/// Reads a file with this name and content.
fn read(name: &str, bytes: &[u8]) -> Result<String, String> {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, bytes).expect("written");
    read_text(&path).map_err(|error| {
        let message = error.to_string();
        assert!(message.contains(name), "{message}");
        message
    })
}

#[test]
fn a_text_file_of_any_system_is_read_as_one_text() {
    assert_eq!(read("plain.txt", "a\nb\n".as_bytes()).unwrap(), "a\nb\n");
    assert_eq!(read("windows.txt", "\u{feff}a\r\nb\r\n".as_bytes()).unwrap(), "a\nb\n");
}

#[test]
fn a_file_that_is_no_text_is_refused_with_its_name_and_the_place() {
    let latin1 = read("latin1.txt", b"one\ntwo caf\xe9s").unwrap_err();
    assert!(latin1.contains("byte 11 (0xe9, in line 2) is not UTF-8"), "{latin1}");
    assert!(read("empty.txt", b"").unwrap_err().contains("no text"));
    assert!(read("blank.txt", b"\xef\xbb\xbf \n").unwrap_err().contains("no text"));
    let missing = read_text("/no/such/book.txt").unwrap_err();
    assert!(missing.to_string().contains("/no/such/book.txt"), "{missing}");
}
