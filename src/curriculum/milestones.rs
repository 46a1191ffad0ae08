//! The milestones: programs from the history of the field that run on the engine, and what each must measure to
//! count as achieved. Every command reads this one list. Not here: running them, and whether a target was met.

use super::module::ModuleId;

/// A program from the history of the field.
#[derive(Debug, PartialEq, Eq)]
pub struct Milestone {
    /// `1957_perceptron`: its name in commands, lessons and its source file.
    pub id: &'static str,
    /// When it happened.
    pub year: u16,
    /// Its heading.
    pub title: &'static str,
    /// What happened then, what happens here, and which parts of it are modern.
    pub story: &'static str,
    /// The modules that it needs. It is achieved only if all of them are the learner's.
    pub prerequisites: &'static [ModuleId],
    /// The names of the metrics that must each be reported and meet their target.
    pub achieved_when: &'static [&'static str],
}

/// All of them, in the order of history.
pub const ALL: &[Milestone] = &[
    Milestone {
        id: "1957_perceptron",
        year: 1957,
        title: "The perceptron",
        story: "Frank Rosenblatt proposes a machine that corrects its own weights whenever it is wrong; \
                in 1958 it runs on an IBM 704. Yours learns the line between two classes of points, and \
                is tested on points it has never seen. Its rule as the gradient of a loss, computed by autograd, \
                is the modern view.",
        prerequisites: &modules([1, 2, 3, 5, 6]),
        achieved_when: &["accuracy on new points, median of five seeds"],
    },
    Milestone {
        id: "1969_xor",
        year: 1969,
        title: "The XOR crisis",
        story: "Marvin Minsky and Seymour Papert prove that a single layer cannot compute XOR; how much \
                their book contributed to the decline of neural networks is disputed. You train one \
                layer from five seeds and see it fail, then add a second. Backpropagation (1986) and Adam \
                (2014), which train it, came later.",
        prerequisites: &modules([1, 2, 3, 4, 5, 6]),
        achieved_when: &["one layer, best of five seeds", "two layers, median of five seeds"],
    },
    Milestone {
        id: "1986_mlp",
        year: 1986,
        title: "Hidden layers learn",
        story: "David Rumelhart, Geoffrey Hinton and Ronald Williams show that backpropagation trains \
                hidden layers. Your network of 64-32-10, with today's ReLU and Adam, reads real \
                handwritten digits after 20 epochs; the learning rate is chosen on a validation set, and the test \
                set is looked at once.",
        prerequisites: &modules([1, 2, 3, 4, 5, 6, 7, 8]),
        achieved_when: &["accuracy on held-out digits, median of five seeds"],
    },
    Milestone {
        id: "1998_cnn",
        year: 1998,
        title: "A network that sees",
        story: "Yann LeCun, Leon Bottou, Yoshua Bengio and Patrick Haffner read cheques with a \
                convolutional network that shares its weights over the whole image. Yours, with today's \
                ReLU, max pooling and Adam, reads the same digits as in 1986, beside the network of 1986 with the \
                same search and schedule.",
        prerequisites: &modules([1, 2, 3, 4, 5, 6, 7, 8, 9]),
        achieved_when: &["accuracy on held-out digits, median of five seeds"],
    },
    Milestone {
        id: "2017_transformer",
        year: 2017,
        title: "Attention",
        story: "Ashish Vaswani and seven colleagues build a translator out of attention alone: the transformer. Yours, a \
                GPT with pre-norm, GELU and AdamW, first reverses sequences that it has not seen, beside one whose \
                attention cannot choose; then it answers questions live, in the words of the course's corpus.",
        prerequisites: &modules([1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13]),
        achieved_when: &[
            "copy, held-out sequences right, median of three seeds",
            "reversal, held-out sequences right, median of three seeds",
            "mixed, held-out sequences right, median of three seeds",
        ],
    },
    Milestone {
        id: "2018_olympics",
        year: 2018,
        title: "Optimisation olympics",
        story: "Engineers of companies and universities begin MLPerf: systems are compared by the time that they take \
                for the same task at the same quality. Your KV cache, 8-bit numbers, pruning and kernels, most of them \
                younger than the network of 1986 that reads the digits, are each measured alone beside it and beside a \
                GPT, then all together: file, memory, speed in pairs, and what they cost in quality.",
        prerequisites: &modules([
            1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20,
        ]),
        achieved_when: &[
            "accuracy of the baseline on held-out digits",
            "file for the digits, all together, of the baseline's",
            "accuracy lost, all together, beyond its sample error",
            "speed-up on the digits, all together, low end",
            "perplexity on held-out text, all together, of the baseline's",
            "speed-up on the text, all together, low end",
        ],
    },
];

const fn modules<const N: usize>(numbers: [u8; N]) -> [ModuleId; N] {
    let mut ids = [ModuleId(0); N];
    let mut at = 0;
    while at < N {
        ids[at] = ModuleId(numbers[at]);
        at += 1;
    }
    ids
}

impl Milestone {
    /// The program's source text: it ends in `pub fn milestone(out: &mut Reporter)`.
    #[must_use]
    pub fn source(&self) -> &'static str {
        tinytorch::sources::MILESTONES
            .iter()
            .find(|(id, _)| *id == self.id)
            .map_or("", |(_, text)| text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_program_that_reports_the_metrics_that_decide() {
        for milestone in ALL {
            let source = milestone.source();
            assert!(source.contains("pub fn milestone(out: &mut Reporter)"), "{}", milestone.id);
            assert!(milestone.id.starts_with(&milestone.year.to_string()), "{}", milestone.id);
            for name in milestone.achieved_when {
                assert!(source.contains(&format!("\"{name}\"")), "{}: {name}", milestone.id);
            }
        }
        assert_eq!(ALL.len(), tinytorch::sources::MILESTONES.len());
        assert!(ALL.is_sorted_by_key(|milestone| milestone.year));
    }

    #[test]
    fn the_prerequisites_are_the_modules_that_the_program_names() {
        for milestone in ALL {
            let number_of = |name: &str| {
                tinytorch::sources::MODULES.iter().position(|(module, _)| *module == name)
            };
            for (name, number) in
                tinytorch::sources::MODULES.iter().map(|(name, _)| (*name, number_of(name)))
            {
                let used = milestone.source().contains(&format!("tinytorch::{name}::"));
                let number = number.and_then(|number| u8::try_from(number).ok());
                let listed = number.is_some_and(|n| milestone.prerequisites.contains(&ModuleId(n)));
                assert!(listed || !used, "{} uses {name}", milestone.id);
            }
        }
    }
}
