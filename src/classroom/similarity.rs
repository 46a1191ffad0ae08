//! Pairs of submissions whose own code is nearly the same, whatever its names, comments and layout. Pure. Must not know the disk.
//! That two texts are similar is a reason to read them, and no proof of anything.
//!
//! The method is winnowing: Schleimer, Wilkerson and Aiken, "Winnowing: local algorithms for document fingerprinting",
//! SIGMOD 2003. Tokens lose their names, every run of `RUN` tokens gets a hash, and of each `WINDOW` neighbouring hashes
//! the smallest is a fingerprint: any passage of `RUN + WINDOW - 1` tokens that two texts share gives both the same one.

use super::StudentId;
use crate::curriculum::cells::{self, CellKind};
use rustc_lexer::{FrontmatterAllowed, LiteralKind, TokenKind, tokenize};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

/// In tokens: a shorter run is common to most solutions.
const RUN: usize = 12;

/// In runs.
const WINDOW: usize = 6;

/// In fingerprints: with fewer of its own, a text says too little.
const FEWEST: usize = 12;

/// What many students write is no sign: more than this part of the class, and more than [`MANY`].
const COMMON: f64 = 0.25;
const MANY: usize = 4;

/// A submission to compare.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a> {
    /// Whose it is.
    pub student: &'a StudentId,
    /// The exercise as it was handed in.
    pub text: &'a str,
}

/// Two submissions that share much of what is theirs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pair {
    /// The two students, by id.
    pub students: [StudentId; 2],
    /// Fingerprints that both have.
    pub shared: usize,
    /// The shared part of the smaller one's fingerprints, from 0 to 1.
    pub part: f64,
}

/// A submission that shares much with the reference solution.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OfReference {
    /// The student.
    pub student: StudentId,
    /// Fingerprints that both have.
    pub shared: usize,
    /// The shared part of the submission's fingerprints, from 0 to 1.
    pub part: f64,
}

/// What was found in the submissions of one module.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Similarity {
    /// The pairs, most similar first.
    pub pairs: Vec<Pair>,
    /// The submissions that are near the reference, most similar first.
    pub of_reference: Vec<OfReference>,
    /// Students who wrote too little to compare.
    pub too_short: Vec<StudentId>,
}

/// Compares the submissions of a module. What the starter has does not count; what the reference has does not count between
/// students, because a task often has one obvious solution. Lists what shares at least `part`.
#[must_use]
pub fn compare(texts: &[Text<'_>], reference: &str, part: f64) -> Similarity {
    let starter = fingerprints(&cells::starter(reference));
    let of_reference: BTreeSet<u64> = &fingerprints(reference) - &starter;
    let mut found = Similarity::default();
    let mut own = vec![];
    for text in texts {
        let written = &fingerprints(text.text) - &starter;
        let shared = written.intersection(&of_reference).count();
        let of_whole = shared as f64 / written.len().max(1) as f64;
        if written.len() >= FEWEST && of_whole >= part {
            let student = text.student.clone();
            found.of_reference.push(OfReference { student, shared, part: of_whole });
        }
        if written.len() < FEWEST {
            found.too_short.push(text.student.clone());
        }
        own.push(&written - &of_reference);
    }
    let common = common(&own);
    own.iter_mut().for_each(|prints| prints.retain(|print| !common.contains(print)));
    for (place, a) in own.iter().enumerate() {
        for (other, b) in own.iter().enumerate().skip(place + 1) {
            let shared = a.intersection(b).count();
            let smaller = a.len().min(b.len());
            let of_smaller = shared as f64 / smaller.max(1) as f64;
            if smaller >= FEWEST && of_smaller >= part {
                let mut students = [place, other].map(|index| texts[index].student.clone());
                students.sort();
                found.pairs.push(Pair { students, shared, part: of_smaller });
            }
        }
    }
    found.pairs.sort_by(|a, b| b.part.total_cmp(&a.part).then(b.shared.cmp(&a.shared)));
    found.of_reference.sort_by(|a, b| b.part.total_cmp(&a.part).then(b.shared.cmp(&a.shared)));
    found
}

/// Fingerprints that many submissions have.
fn common(own: &[BTreeSet<u64>]) -> BTreeSet<u64> {
    let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
    own.iter().flatten().for_each(|print| *counts.entry(*print).or_default() += 1);
    let most = MANY.max((own.len() as f64 * COMMON) as usize);
    counts.into_iter().filter(|(_, count)| *count > most).map(|(print, _)| print).collect()
}

/// The fingerprints of what a learner may write in an exercise.
fn fingerprints(text: &str) -> BTreeSet<u64> {
    let cells = cells::parse(text);
    let own = cells.iter().filter(|cell| matches!(cell.kind, CellKind::Solution | CellKind::Own));
    own.flat_map(|cell| winnow(&tokens(cell.text))).collect()
}

/// The smallest hash of each window of runs.
fn winnow(tokens: &[Token<'_>]) -> BTreeSet<u64> {
    let hash = |run: &[Token<'_>]| {
        let mut hasher = DefaultHasher::new();
        run.hash(&mut hasher);
        hasher.finish()
    };
    let runs: Vec<u64> = tokens.windows(RUN).map(hash).collect();
    let smallest = |window: &[u64]| window.iter().copied().min();
    if runs.len() < WINDOW {
        return smallest(&runs).into_iter().collect();
    }
    runs.windows(WINDOW).filter_map(smallest).collect()
}

/// A token without what a copy changes first.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Token<'a> {
    /// Any name that is not a keyword.
    Name,
    Text,
    Number,
    /// A keyword, an operator, a bracket.
    Exact(&'a str),
}

fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut rest = text;
    let next = |token: rustc_lexer::Token| {
        let (word, after) = rest.split_at(token.len as usize);
        rest = after;
        match token.kind {
            TokenKind::Whitespace
            | TokenKind::LineComment { .. }
            | TokenKind::BlockComment { .. } => None,
            TokenKind::Ident if !KEYWORDS.contains(&word) => Some(Token::Name),
            TokenKind::RawIdent | TokenKind::Lifetime { .. } => Some(Token::Name),
            TokenKind::Literal {
                kind: LiteralKind::Int { .. } | LiteralKind::Float { .. },
                ..
            } => Some(Token::Number),
            TokenKind::Literal { .. } => Some(Token::Text),
            _ => Some(Token::Exact(word)),
        }
    };
    tokenize(text, FrontmatterAllowed::No).filter_map(next).collect()
}

/// Words that a copy cannot rename.
const KEYWORDS: [&str; 22] = [
    "as", "break", "const", "continue", "else", "enum", "fn", "for", "if", "impl", "in", "let",
    "loop", "match", "mut", "pub", "ref", "return", "self", "struct", "where", "while",
];

#[cfg(test)]
mod tests {
    use super::*;

    const MARKER: &str = "// %% nbgrader={\"grade\": false, \"grade_id\": \"t-a\", \"locked\": false, \"schema_version\": 3, \"solution\": true, \"task\": false}\n";

    const REFERENCE: &str = "pub fn mean(values: &[f32]) -> f32 {
    // BEGIN SOLUTION
    let total: f32 = values.iter().sum();
    let count = values.len().max(1) as f32;
    let scaled = total / count;
    if scaled.is_finite() { scaled } else { f32::NAN }
    // END SOLUTION
}
";

    const LOOPS: &str = "pub fn mean(values: &[f32]) -> f32 {
    let mut total = 0.0;
    let mut seen = 0;
    for index in 0..values.len() {
        let value = values[index];
        total = total + value * 1.0;
        seen += 1;
        while seen > 1_000_000 { seen -= 1; }
    }
    match seen { 0 => f32::NAN, many => total / many as f32 }
}
";

    const RECURSIVE: &str = "pub fn mean(values: &[f32]) -> f32 {
    fn go(left: &[f32], so_far: (f32, u32)) -> (f32, u32) {
        let [first, others @ ..] = left else { return so_far };
        go(others, (so_far.0 + first, so_far.1 + 1))
    }
    let (sum, many) = go(values, (0.0, 0));
    return if many == 0 { f32::NAN } else { sum / (many as f32) };
}
";

    fn exercise(code: &str) -> String {
        format!("{MARKER}{code}")
    }

    /// `LOOPS` with other names, comments, layout and numbers.
    fn disguised() -> String {
        let renamed = LOOPS.replace("total", "acc").replace("seen", "k").replace("index", "j");
        renamed
            .replace("value ", "w ")
            .replace("value;", "w;")
            .replace("    ", " // mine\n  ")
            .replace("1.0", "1.00")
    }

    fn compared(codes: &[&str], part: f64) -> Similarity {
        let ids: Vec<StudentId> =
            (0..codes.len()).map(|place| format!("s{place}").try_into().unwrap()).collect();
        let texts: Vec<String> = codes.iter().map(|code| exercise(code)).collect();
        let texts: Vec<Text> =
            ids.iter().zip(&texts).map(|(student, text)| Text { student, text }).collect();
        compare(&texts, &exercise(REFERENCE), part)
    }

    fn pairs(similarity: &Similarity) -> Vec<[&str; 2]> {
        similarity
            .pairs
            .iter()
            .map(|pair| pair.students.each_ref().map(StudentId::as_str))
            .collect()
    }

    #[test]
    fn a_copy_is_found_whatever_its_names_comments_and_layout() {
        let copy = disguised();
        let found = compared(&[LOOPS, RECURSIVE, &copy], 0.9);
        assert_eq!(pairs(&found), [["s0", "s2"]], "{found:#?}");
        assert_eq!(found.pairs[0].part, 1.0);
    }

    #[test]
    fn the_obvious_solution_is_listed_as_near_the_reference_and_not_as_a_copy() {
        let found = compared(&[REFERENCE, REFERENCE, LOOPS], 0.5);
        assert_eq!(pairs(&found), [] as [[&str; 2]; 0]);
        let near: Vec<&str> = found.of_reference.iter().map(|near| near.student.as_str()).collect();
        assert_eq!(near, ["s0", "s1"]);
    }

    #[test]
    fn starters_are_alike_and_no_copies() {
        let starter = cells::starter(REFERENCE);
        let found = compared(&[&starter, &starter], 0.1);
        assert_eq!(pairs(&found), [] as [[&str; 2]; 0]);
        assert_eq!(found.too_short.len(), 2);
    }

    #[test]
    fn what_a_quarter_of_the_class_writes_is_no_sign() {
        let found = compared(&[LOOPS; 6], 0.1);
        assert_eq!(pairs(&found), [] as [[&str; 2]; 0]);
        assert_eq!(pairs(&compared(&[LOOPS; 2], 0.1)).len(), 1);
    }

    #[test]
    fn a_shared_passage_of_the_promised_length_is_found() {
        let passage: String = (0..9).map(|n| format!("{}(a, b);", "!".repeat(n % 3 + 1))).collect();
        let [one, two] = [("{", "}"), ("[", "]")].map(|(open, close)| {
            let around: String =
                (0..40).map(|n| format!("{open}{}{close}", "+-*/%".repeat(n % 4))).collect();
            winnow(&tokens(&format!("{around} {passage} {around}")))
                .into_iter()
                .collect::<BTreeSet<_>>()
        });
        assert!(one.intersection(&two).count() > 0);
    }

    proptest::proptest! {
        #[test]
        fn any_text_can_be_compared(one in ".{0,400}", two in ".{0,400}") {
            let id: StudentId = "a".to_owned().try_into().unwrap();
            let texts = [Text { student: &id, text: &one }, Text { student: &id, text: &two }];
            let found = compare(&texts, &exercise(REFERENCE), 0.5);
            proptest::prop_assert!(found.pairs.iter().all(|pair| pair.part <= 1.0));
        }
    }
}
