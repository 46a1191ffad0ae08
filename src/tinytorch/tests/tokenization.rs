//! Byte-level BPE on random input: nothing is lost, both ways of training agree, the work is bounded, and a file of
//! any kind is read or refused.

use proptest::prelude::*;
use std::cell::Cell;
use tinytorch::tokenization::{
    BpeTokenizer, CharTokenizer, LONGEST, Pair, StreamDecoder, Tokenizer, chunks, encode_chunk,
    learn_merges, learn_merges_incrementally, parse_merges, training_text,
};

fn trained() -> BpeTokenizer {
    BpeTokenizer::train(training_text().as_bytes(), 400).expect("a tokenizer")
}

proptest! {
    #[test]
    fn any_bytes_survive_the_round_trip(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let tokenizer = trained();
        let ids = tokenizer.encode_bytes(&bytes);
        prop_assert_eq!(tokenizer.decode_bytes(&ids).unwrap(), bytes);
    }

    #[test]
    fn any_text_survives_the_round_trip_at_once_and_token_by_token(text in "\\PC{0,200}") {
        let tokenizer = trained();
        let ids = tokenizer.encode(&text);
        prop_assert_eq!(tokenizer.decode(&ids).unwrap(), text.clone());
        let mut stream = StreamDecoder::new(&tokenizer);
        let shown: String = ids.iter().map(|&id| stream.push(id).unwrap()).collect();
        prop_assert_eq!(shown, text.clone());
        let characters = CharTokenizer::new(&text);
        prop_assert_eq!(characters.decode(&characters.encode(&text)).unwrap(), text);
    }

    #[test]
    fn the_plain_and_the_incremental_training_agree(text in "[ab ]{0,120}|[a-e ,é\n]{0,200}", size in 250..330_usize) {
        let bytes = text.as_bytes();
        prop_assert_eq!(learn_merges(bytes, size), learn_merges_incrementally(bytes, size));
    }

    #[test]
    fn a_trained_tokenizer_is_accepted_and_its_file_read_back(text in "[a-d ]{1,300}") {
        let tokenizer = BpeTokenizer::train(text.as_bytes(), 320).unwrap();
        let merges = parse_merges(&tokenizer.to_text()).unwrap();
        prop_assert_eq!(BpeTokenizer::from_merges(merges).unwrap(), tokenizer);
    }

    #[test]
    fn no_file_makes_it_panic(text in "(tinytorch-bpe 1\n)?[0-9a-z \n-]{0,60}") {
        let _ = parse_merges(&text).and_then(BpeTokenizer::from_merges);
    }
}

/// How often a chunk's encoding asks for a rank.
fn lookups(chunk: &[u8], merges: &[Pair]) -> usize {
    let asked = Cell::new(0);
    let place = |pair| merges.iter().position(|known| *known == pair).map(|at| at as u32 + 256);
    encode_chunk(chunk, |pair| {
        asked.set(asked.get() + 1);
        place(pair)
    });
    asked.get()
}

#[test]
fn the_work_of_encoding_grows_with_the_length_of_the_text_whatever_the_text() {
    let merges = learn_merges_incrementally(&[b'a'; 4096], 300);
    let work = |length: usize| -> usize {
        chunks(&vec![b'a'; length]).iter().map(|chunk| lookups(chunk, &merges)).sum()
    };
    let one = work(LONGEST);
    assert!(one > LONGEST, "{one}");
    assert_eq!(work(100 * LONGEST), 100 * one);
}

#[test]
fn a_tokenizers_file_is_refused_wherever_it_was_cut() {
    let tokenizer = BpeTokenizer::train(b"aab aab abc abc abc", 262).unwrap();
    let (text, path) =
        (tokenizer.to_text(), env!("CARGO_TARGET_TMPDIR").to_owned() + "/prefix.txt");
    let load = |text: &str| {
        std::fs::write(&path, text).unwrap();
        BpeTokenizer::load(std::path::Path::new(&path))
    };
    assert_eq!(load(&text).unwrap().merges(), tokenizer.merges());
    for end in 0..text.len() {
        let error = load(&text[..end]).unwrap_err().to_string();
        assert!(error.contains("prefix.txt"), "{end}: {error}");
    }
}

#[test]
fn errors_name_the_file_the_line_and_the_fix() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let load = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, bytes).unwrap();
        let error = BpeTokenizer::load(&path).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
        error
    };
    assert!(load("foreign.txt", b"{\"merges\": []}").contains("instead of \"tinytorch-bpe 1\""));
    assert!(load("cut.txt", b"tinytorch-bpe 1\n3\n97 98\n").contains("1 merges"));
    assert!(load("line.txt", b"tinytorch-bpe 1\n1\n97\n").contains("line 3"));
    assert!(load("latin1.txt", b"tinytorch-bpe 1\n1\n\xe9").contains("not UTF-8"));
    assert!(load("unknown.txt", b"tinytorch-bpe 1\n1\n97 300\n").contains("97 and 300"));
    let missing = BpeTokenizer::load(&folder.join("no-such-file.txt")).unwrap_err().to_string();
    assert!(missing.contains("no-such-file.txt"), "{missing}");
    let empty = BpeTokenizer::train(b"", 300).unwrap_err().to_string();
    assert!(empty.contains("empty"), "{empty}");
    let small = BpeTokenizer::train(b"a a", 100).unwrap_err().to_string();
    assert!(small.contains("100") && small.contains("256 or more"), "{small}");
}
