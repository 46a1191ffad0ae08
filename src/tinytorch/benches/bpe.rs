//! Training a tokenizer of 4,096 tokens on 1 MB of text, and encoding that text: the course's own
//! lessons, modules and tests.
//!
//!     cargo bench -p tinytorch --bench bpe
//!
//! Nothing is asserted: it prints what it measured.

#![expect(clippy::print_stdout, reason = "printing the figures is what a benchmark is for")]

use std::path::Path;

use tinytorch::testing::{Timing, time};
use tinytorch::tokenization::{BpeTokenizer, Tokenizer};

const LENGTH: usize = 1_000_000;

/// The lessons and the modules, one after the other.
fn course() -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = vec![];
    for folder in [root.join("../../lessons"), root.join("src"), root.join("tests")] {
        let entries = std::fs::read_dir(&folder).expect("the repository's folder");
        files.extend(entries.map(|entry| entry.expect("an entry").path()));
    }
    files.sort();
    files.retain(|path| path.extension().is_some_and(|kind| kind == "md" || kind == "rs"));
    files.iter().flat_map(|path| std::fs::read(path).expect("a file")).collect()
}

fn main() {
    let mut text = course();
    println!("text: {} bytes of lessons and modules, cut to {LENGTH}", text.len());
    text.truncate(LENGTH);
    let show = |what: &str, Timing { median, low, high }: Timing| {
        println!("{what}: {median:.3} s ({low:.3} to {high:.3})");
    };
    show("training to 4,096 tokens", time(5, || BpeTokenizer::train(&text, 4096)));
    let tokenizer = BpeTokenizer::train(&text, 4096).expect("a tokenizer");
    for part in [8, 4, 2, 1] {
        let text = &text[..text.len() / part];
        let Timing { median, .. } = time(5, || tokenizer.encode_bytes(text));
        let per_byte = median / text.len() as f64 * 1e9;
        println!("encoding {} bytes: {median:.4} s, {per_byte:.1} ns per byte", text.len());
    }
    let tokens = tokenizer.encode_bytes(&text).len();
    let (size, bytes) = (tokenizer.vocab_size(), text.len() as f64 / tokens as f64);
    println!("{size} tokens, {bytes:.2} bytes per token");
}
