//! 2017: Vaswani and seven others build a translator out of attention alone, the transformer. Here, small ones first
//! copy and reverse sequences that they have not seen, beside one whose attention cannot choose; then one answers
//! questions in the words of the course's corpus. Attention in heads, residuals, layer norm and an MLP in each block are
//! of 2017, and so is the tied table; the decoder alone, the norm in front of each branch, learned positions and GELU
//! are GPT-2's (2018, 2019), AdamW is of 2017 too, and the cosine schedule of 2016. Uses modules 01 to 08 and 10 to 13.
//! After each epoch a checkpoint is written, from which an interrupted run continues. Not here: an encoder, and
//! knowledge that the corpus does not have.

use std::any::Any;
use std::collections::HashSet;
use std::fmt::Write;
use std::path::PathBuf;
use std::time::Instant;
use tinytorch::autograd::no_grad;
use tinytorch::bytes::Format;
use tinytorch::data::dialogue::{self, Level, Pair, Split};
use tinytorch::dataloader::epoch_rng;
use tinytorch::embeddings::ids_tensor;
use tinytorch::layers::{Layer, Linear};
use tinytorch::losses::{CrossEntropyLoss, IGNORED};
use tinytorch::optimizers::AdamW;
use tinytorch::random::Rng;
use tinytorch::report::{Axis, Metric, Origin, Reporter, Series, Target, Value};
use tinytorch::tensor::Tensor;
use tinytorch::testing::{Reading, compare_accuracies, sample_error};
use tinytorch::tokenization::{BpeTokenizer, CharTokenizer, Id, Tokenizer};
use tinytorch::training::{Checkpoint, CosineSchedule, Trainer, TrainingError, write_atomically};
use tinytorch::transformers::{GenerateError, Gpt, GptConfig, Sampler, generate, perplexity};

const SEEDS: [u64; 3] = [1, 2, 3];
const RATES: [f32; 3] = [0.0015, 0.003, 0.006];
const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
/// Letters in a sequence.
const LENGTH: usize = 6;
/// Every answer ends with it.
const END: &str = "\n";
/// Takes the place of a word that is hidden; no text has it.
const HIDDEN: Id = 0;

/// A question and the answer that should follow it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// What is given.
    pub question: Vec<Id>,
    /// What should follow, up to the end.
    pub answer: Vec<Id>,
}

impl Example {
    fn new(tokenizer: &dyn Tokenizer, question: &str, answer: &str) -> Self {
        let answer = [tokenizer.encode(answer), tokenizer.encode(END)].concat();
        Self { question: tokenizer.encode(question), answer }
    }

    /// The same, with this share of the question's tokens hidden, but not the two at each end: they say that a question
    /// begins, and that the answer does.
    fn with_hidden(&self, share: f32, rng: &mut Rng) -> Self {
        let mut question = self.question.clone();
        let end = question.len().saturating_sub(2);
        for id in question.get_mut(2..end).unwrap_or_default() {
            if rng.uniform() < share {
                *id = HIDDEN;
            }
        }
        Self { question, answer: self.answer.clone() }
    }

    fn len(&self) -> usize {
        self.question.len() + self.answer.len()
    }
}

/// Ids (B, S) and for each the next one as its target (B x S). Only the tokens of answers are targets that count.
fn batch(examples: &[Example]) -> (Tensor, Tensor) {
    let width = examples.iter().map(Example::len).max().unwrap_or(1) - 1;
    let (mut ids, mut targets) = (vec![], vec![]);
    for Example { question, answer } in examples {
        let all = [&question[..], answer].concat();
        let mut row = all[..all.len() - 1].to_vec();
        row.resize(width, HIDDEN);
        ids.extend(row);
        let mut row = vec![IGNORED; question.len() - 1];
        row.extend(answer.iter().map(|&id| id as f32));
        row.resize(width, IGNORED);
        targets.extend(row);
    }
    (ids_tensor(&ids, &[examples.len(), width]), Tensor::new(&targets, &[examples.len() * width]))
}

/// Which examples the model answers right: every token, up to the end. Generation that always takes the most probable
/// token continues with the right one as long as all before are right, so one pass over the whole answers decides.
fn right(model: &dyn Layer, examples: &[Example]) -> Vec<bool> {
    let (ids, targets) = batch(examples);
    let (guesses, width) = (no_grad(|| model.forward(&ids)).argmax_axis(1), ids.shape()[1]);
    let is_right = |(guesses, targets): (&[usize], &[f32])| {
        guesses
            .iter()
            .zip(targets)
            .all(|(&guess, &target)| [IGNORED, guess as f32].contains(&target))
    };
    guesses.chunks(width).zip(targets.data().chunks(width)).map(is_right).collect()
}

fn count(right: &[bool]) -> usize {
    right.iter().filter(|is_right| **is_right).count()
}

/// One training, from its first weights to its last.
#[derive(Debug, Clone)]
pub struct Study {
    /// What is learned; with epochs, rate and seed, the name of its checkpoint.
    pub name: &'static str,
    /// The sizes of the model.
    pub model: GptConfig,
    /// Whether attention can choose. Otherwise each position takes the mean of its past.
    pub chooses: bool,
    /// The learning rate falls from here to a hundredth of it, by a cosine schedule.
    pub rate: f32,
    /// Decides the first weights, and the batches of each epoch.
    pub seed: u64,
    /// How many epochs it takes.
    pub epochs: usize,
    /// The share of the question's tokens that is hidden, others in each epoch.
    pub hidden: f32,
}

impl Study {
    fn title(&self) -> String {
        let Self { name, epochs, rate, seed, .. } = self;
        format!("{name}, {epochs} epochs, learning rate {rate}, seed {seed}")
    }

    fn trainer(&self) -> Trainer {
        let mut model = Gpt::new(self.model, &mut Rng::seeded(self.seed));
        if !self.chooses {
            // A score is a query times a key. The gradient of each is a multiple of the other, so where both begin at 0
            // they stay there: every score is 0, and every weight the same. All else is as it was.
            for block in &mut model.blocks {
                for Linear { weight, bias } in
                    [&mut block.attention.query, &mut block.attention.key]
                {
                    *weight = Tensor::zeros(weight.shape());
                    *bias = bias.as_ref().map(|bias| Tensor::zeros(bias.shape()));
                }
            }
        }
        let (max_rate, epochs) = (self.rate, self.epochs);
        let schedule = CosineSchedule { max_rate, min_rate: max_rate / 100.0, epochs };
        let optimizer = AdamW::new(max_rate).weight_decay(0.1);
        Trainer::new(model, optimizer, CrossEntropyLoss).with_schedule(schedule).with_clipping(1.0)
    }

    /// The batches of an epoch, always the same ones for the same number. So the number of the next epoch is the position
    /// in the data.
    fn batches(&self, examples: &[Example], epoch: usize) -> Vec<(Tensor, Tensor)> {
        let mut rng = epoch_rng(self.seed, epoch);
        let mut order: Vec<usize> = (0..examples.len()).collect();
        rng.shuffle(&mut order);
        let shown: Vec<Example> =
            order.into_iter().map(|at| examples[at].with_hidden(self.hidden, &mut rng)).collect();
        shown.chunks(32).map(batch).collect()
    }

    /// Trains, from the checkpoint if there is one, and passes the model to `look` after each epoch.
    pub fn train(
        &self,
        [taught, validation]: [&[Example]; 2],
        out: &mut Reporter,
        look: &mut dyn FnMut(&Gpt, usize, &mut Reporter),
    ) -> Result<Run, TrainingError> {
        let file =
            Saved { study: self, path: out.checkpoints().map(|folder| self.path(folder.into())) };
        let (mut trainer, validation) = (self.trainer(), [batch(validation)]);
        let mut seconds = file.restore(&mut trainer, out);
        while trainer.epoch < self.epochs {
            let start = Instant::now();
            trainer.train_epoch(self.batches(taught, trainer.epoch))?;
            trainer.evaluate(&validation)?;
            seconds += start.elapsed().as_secs_f64();
            file.save(&trainer, seconds, out);
            out.progress(
                format!("{}: epochs", self.title()),
                trainer.epoch as u64,
                self.epochs as u64,
            );
            if let Some(model) = gpt(&trainer) {
                look(model, trainer.epoch, out);
            }
        }
        Ok(Run { trainer, seconds })
    }

    fn path(&self, folder: PathBuf) -> PathBuf {
        let name = self.title().replace(", ", "-").replace(' ', "_");
        folder.join(format!("{name}.ckpt"))
    }
}

/// A training that has ended.
pub struct Run {
    /// The model, and the course of its training.
    pub trainer: Trainer,
    /// Of all epochs, also of those before an interruption.
    pub seconds: f64,
}

impl Run {
    /// The loss on the validation set after the last epoch.
    fn loss(&self) -> f32 {
        self.trainer.history.eval_loss.last().map_or(f32::INFINITY, |&(_, loss)| loss)
    }
}

fn gpt(trainer: &Trainer) -> Option<&Gpt> {
    let model: &dyn Any = &*trainer.model;
    model.downcast_ref()
}

const SAVED: Format =
    Format { what: "a checkpoint of this milestone", magic: b"TINY2017", version: 1 };

/// The checkpoint of a study: which study it is of, the seconds so far, and all that the trainer needs.
struct Saved<'a> {
    study: &'a Study,
    path: Option<PathBuf>,
}

impl Saved<'_> {
    fn save(&self, trainer: &Trainer, seconds: f64, out: &mut Reporter) {
        let Some(path) = &self.path else { return };
        let head = format!("{:?}\n", self.study);
        let bytes =
            [head.as_bytes(), &seconds.to_le_bytes(), &trainer.checkpoint().to_bytes()].concat();
        if let Err(error) = write_atomically(path, &SAVED.seal(&bytes)) {
            out.note(format!("No checkpoint could be written to {}: {error}", path.display()));
        }
    }

    /// Continues where the checkpoint ends, and returns the seconds up to there. One that cannot be used is reported, and
    /// the trainer stays as it is.
    fn restore(&self, trainer: &mut Trainer, out: &mut Reporter) -> f64 {
        let Some(bytes) = self.path.as_ref().and_then(|path| std::fs::read(path).ok()) else {
            return 0.0;
        };
        let (title, epochs) = (self.study.title(), self.study.epochs);
        match self.read(&bytes, trainer) {
            Ok(seconds) => {
                if trainer.epoch < epochs {
                    let epoch = trainer.epoch;
                    out.note(format!(
                        "Continued from a checkpoint after epoch {epoch} of {epochs}: {title}."
                    ));
                }
                seconds
            }
            Err(error) => {
                out.note(format!(
                    "A checkpoint was not used, and this training began again: {title}. {error}."
                ));
                0.0
            }
        }
    }

    fn read(&self, bytes: &[u8], trainer: &mut Trainer) -> Result<f64, String> {
        let file = self.path.as_ref().map_or_else(String::new, |path| path.display().to_string());
        let other = || format!("'{file}' belongs to another training");
        let content = SAVED.open(&file, bytes).map_err(|error| error.message)?;
        let head = format!("{:?}\n", self.study);
        let rest = content.strip_prefix(head.as_bytes()).ok_or_else(other)?;
        let (seconds, rest) = rest.split_first_chunk().ok_or_else(other)?;
        let checkpoint = Checkpoint::from_bytes(&file, rest);
        checkpoint.and_then(|it| trainer.restore(it)).map_err(|error| error.message)?;
        Ok(f64::from_le_bytes(*seconds))
    }
}

/// The model's answer to a question, its end included if it comes to one. `show` gets the text so far, without its end.
pub fn answer(
    model: &Gpt,
    tokenizer: &dyn Tokenizer,
    question: &[Id],
    mut show: impl FnMut(&str),
) -> Result<Vec<Id>, GenerateError> {
    let mut sampler = Sampler::default().temperature(0.0);
    sampler.stop = tokenizer.encode(END).first().copied();
    // The last token is generated only: it needs no position.
    let most = (model.config.context + 1).saturating_sub(question.len());
    let mut given = vec![];
    generate(model, question, most, &sampler, &mut Rng::seeded(0), |id| {
        given.push(id);
        show(tokenizer.decode(&given).unwrap_or_default().trim_end());
    })
}

/// Answers questions one after the other, below `text`. Each token is shown as soon as it is made.
fn answer_live(
    out: &mut Reporter,
    (title, mut text): (&str, String),
    (model, tokenizer): (&Gpt, &dyn Tokenizer),
    questions: &[&Example],
) -> Result<(), Box<dyn std::error::Error>> {
    for Example { question, answer: right } in questions {
        text += &tokenizer.decode(question)?;
        let show = |so_far: &str| out.text(title, format!("{text}{so_far}"));
        let given = answer(model, tokenizer, question, show)?;
        text += tokenizer.decode(&given)?.trim_end();
        if given != *right {
            write!(text, "   [right: {}]", tokenizer.decode(right)?.trim())?;
        }
        text += END;
        out.text(title, text.clone());
    }
    Ok(())
}

/// The rate with the lowest validation loss, and a column of the losses of all.
fn best_rate(
    study: &Study,
    data: [&[Example]; 2],
    out: &mut Reporter,
) -> Result<(f32, Vec<Value>, f64), TrainingError> {
    let (mut best, mut losses, mut seconds) = ((f32::INFINITY, RATES[0]), vec![], 0.0);
    for rate in RATES {
        let run = Study { rate, ..study.clone() }.train(data, out, &mut |_, _, _| ())?;
        if run.loss() < best.0 {
            best = (run.loss(), rate);
        }
        losses.push(run.loss().into());
        seconds += run.seconds;
    }
    Ok((best.1, losses, seconds))
}

/// A table with a row for each rate, and a column of losses for each name.
fn search_table(title: &str, out: &mut Reporter, columns: &[(&str, Vec<Value>)]) {
    let heads: Vec<(&str, &str)> = [("learning rate", "")]
        .into_iter()
        .chain(columns.iter().map(|(name, _)| (*name, "")))
        .collect();
    let row = |(at, rate): (usize, &f32)| {
        let losses = columns.iter().map(|(_, losses)| losses[at].clone());
        std::iter::once(rate.to_string().into()).chain(losses).collect()
    };
    out.measured_table(title, &heads, RATES.iter().enumerate().map(row).collect());
}

/// Random sequences in sets of these sizes: none is in two sets, not even backwards.
pub fn sequences<const N: usize>(
    letters: &str,
    length: usize,
    sizes: [usize; N],
    rng: &mut Rng,
) -> [Vec<String>; N] {
    let letters: Vec<char> = letters.chars().collect();
    let mut known = HashSet::new();
    sizes.map(|size| {
        let mut set = vec![];
        while set.len() < size {
            let sequence: String = (0..length).map(|_| letters[rng.below(letters.len())]).collect();
            let backwards: String = sequence.chars().rev().collect();
            if !known.contains(&backwards) && known.insert(sequence.clone()) {
                set.push(sequence);
            }
        }
        set
    })
}

/// What to do with a sequence.
#[derive(Debug, Clone, Copy)]
enum Task {
    Copy,
    Reverse,
    /// Half of each: the sign behind the sequence says which.
    Mixed,
}

impl Task {
    fn examples(self, tokenizer: &dyn Tokenizer, sequences: &[String]) -> Vec<Example> {
        let example = |(at, sequence): (usize, &String)| match self {
            Self::Mixed if at % 2 == 0 => copied(tokenizer, sequence),
            Self::Copy => copied(tokenizer, sequence),
            Self::Mixed | Self::Reverse => reversed(tokenizer, sequence),
        };
        sequences.iter().enumerate().map(example).collect()
    }
}

fn copied(tokenizer: &dyn Tokenizer, sequence: &str) -> Example {
    Example::new(tokenizer, &format!("{sequence}>"), sequence)
}

fn reversed(tokenizer: &dyn Tokenizer, sequence: &str) -> Example {
    Example::new(tokenizer, &format!("{sequence}<"), &sequence.chars().rev().collect::<String>())
}

/// Part 1: copy, reverse, and both, beside a transformer whose attention cannot choose.
fn sequence_tasks(out: &mut Reporter) -> Result<(), Box<dyn std::error::Error>> {
    let tokenizer = CharTokenizer::new(&format!("{LETTERS}<>{END}"));
    let sets = sequences(LETTERS, LENGTH, [2000, 300, 500], &mut Rng::seeded(0));
    let model = GptConfig {
        vocab_size: tokenizer.vocab_size(),
        context: 2 * LENGTH + 1,
        dim: 64,
        layers: 2,
        heads: 4,
    };
    let study = Study {
        name: "mixed",
        model,
        chooses: true,
        rate: 0.0,
        seed: SEEDS[0],
        epochs: 4,
        hidden: 0.0,
    };
    let mean =
        Study { name: "reversal with the mean of the past", chooses: false, ..study.clone() };
    let of = |task: Task| sets.each_ref().map(|set| task.examples(&tokenizer, set));
    // The search is on the hardest task that each has to learn.
    let [taught, validation, _] = &of(Task::Mixed);
    let (rate, losses, first) = best_rate(&study, [taught, validation], out)?;
    let [taught, validation, _] = &of(Task::Reverse);
    let (mean_rate, mean_losses, second) = best_rate(&mean, [taught, validation], out)?;
    let columns = [(study.name, losses), (mean.name, mean_losses)];
    search_table(
        "Search for the learning rate: validation loss after 4 epochs, first seed",
        out,
        &columns,
    );

    let (mut seconds, mut rows, mut medians, mut curves) = (first + second, vec![], vec![], vec![]);
    let mut answering = None;
    for (name, task, epochs, (rate, study)) in [
        ("copy", Task::Copy, 6, (rate, &study)),
        ("reversal", Task::Reverse, 6, (rate, &study)),
        ("mixed", Task::Mixed, 8, (rate, &study)),
        (mean.name, Task::Reverse, 6, (mean_rate, &mean)),
    ] {
        let [taught, validation, test] = of(task);
        let mut shares = vec![];
        for seed in SEEDS {
            let study = Study { name, rate, seed, epochs, ..study.clone() };
            let run = study.train([&taught, &validation], out, &mut |_, _, _| ())?;
            seconds += run.seconds;
            if seed == SEEDS[0] {
                let losses = run.trainer.history.eval_loss.iter();
                curves.push(Series::new(
                    name,
                    losses.map(|&(epoch, loss)| (epoch as f64, f64::from(loss))),
                ));
            }
            // All choices were made on the validation set.
            shares.push(count(&right(&*run.trainer.model, &test)) as f64 / test.len() as f64);
            if matches!(task, Task::Mixed) && seed == SEEDS[0] {
                answering = Some((run, test.clone()));
            }
        }
        medians.push(median(shares.clone()));
        let cells = shares.into_iter().map(|share| Value::from(share * 100.0));
        rows.push(std::iter::once(name.into()).chain(cells).collect());
        out.measured_chart(
            "Validation loss, first seed",
            Axis::linear("epoch", ""),
            Axis::log("loss", ""),
            curves.clone(),
        );
    }
    if let Some((run, test)) = &answering
        && let Some(model) = gpt(&run.trainer)
    {
        let some: Vec<&Example> = test.iter().take(6).collect();
        let title = "Held-out sequences: > asks for a copy, < for the reverse";
        answer_live(out, (title, String::new()), (model, &tokenizer), &some)?;
    }
    let columns = [("task", ""), ("seed 1", "%"), ("seed 2", "%"), ("seed 3", "%")];
    out.measured_table("Held-out sequences that are right as a whole", &columns, rows);
    for (name, share) in [
        ("copy, held-out sequences right, median of three seeds", medians[0]),
        ("reversal, held-out sequences right, median of three seeds", medians[1]),
        ("mixed, held-out sequences right, median of three seeds", medians[2]),
    ] {
        metric(out, name, share * 100.0, Some(95.0));
    }
    out.measured("sequence tasks, training time", seconds, "s");
    out.insight(attention_insight(medians[1], medians[3], sets[2].len()));
    Ok(())
}

/// What the shares of `n` held-out sequences that were reversed right say, with attention and with the mean of the past.
pub fn attention_insight(attention: f64, mean: f64, n: usize) -> String {
    let figure =
        |share: f64| format!("{:.1} % +- {:.1}", share * 100.0, sample_error(share, n) * 100.0);
    let figures = format!(
        "Reversed right, of {n} held-out sequences: {} with attention, {} with the mean of the past (medians of three \
         seeds, +- one standard error; same sizes, data and steps, the learning rate of each found by a search).",
        figure(attention),
        figure(mean)
    );
    let finding = match compare_accuracies(attention, mean, n) {
        Reading::Larger => {
            "Only attention can choose: the position that writes the first letter looks at the last one."
        }
        Reading::Smaller => "The mean was better: look at your attention and at the search.",
        Reading::NoClearDifference | Reading::TooNoisy => "There is no clear difference.",
    };
    format!("{figures} {finding}")
}

fn dialogue_example(tokenizer: &dyn Tokenizer, pair: &Pair) -> Example {
    Example::new(tokenizer, &format!("Q: {}\nA:", pair.question), &format!(" {}", pair.answer))
}

/// The pair among `taught` whose question has the most words in common with `question`, as a share of all their words.
fn most_alike<'a>(taught: &'a [Pair], question: &str) -> Option<&'a Pair> {
    let words = |text: &str| -> HashSet<String> {
        let words = text.split(|c: char| !(c.is_alphanumeric() || "+-".contains(c)));
        words.filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
    };
    let asked = words(question);
    let alike = |pair: &Pair| {
        let known = words(pair.question);
        asked.intersection(&known).count() as f64 / asked.union(&known).count() as f64
    };
    taught.iter().rev().max_by(|a, b| alike(a).total_cmp(&alike(b)))
}

/// Part 2: answers in the words of the corpus.
fn dialogue_model(out: &mut Reporter) -> Result<(), Box<dyn std::error::Error>> {
    let [taught, validation, test] = [Split::Train, Split::Validation, Split::Test]
        .map(|split| dialogue::pairs(split).collect::<Vec<Pair>>());
    // So many merges make a token of almost every word. With 512 tokens, fewer answers on the validation set were right.
    let text: String = taught.iter().map(|pair| format!("{pair}\n")).collect();
    let tokenizer = BpeTokenizer::train(text.as_bytes(), 1200)?;
    let [learned, chosen_by, judged] = [&taught, &validation, &test].map(|pairs| {
        pairs.iter().map(|pair| dialogue_example(&tokenizer, pair)).collect::<Vec<_>>()
    });
    let longest = [&learned, &chosen_by, &judged].into_iter().flatten().map(Example::len).max();
    let model = GptConfig {
        vocab_size: tokenizer.vocab_size(),
        context: longest.unwrap_or(1),
        dim: 64,
        layers: 2,
        heads: 4,
    };
    // A question without some of its words has the same answer: a model that sees only whole questions learns these by
    // heart. The share was chosen on the validation set, as was the size of the vocabulary.
    let study = Study {
        name: "dialogue",
        model,
        chooses: true,
        rate: 0.0,
        seed: SEEDS[0],
        epochs: 8,
        hidden: 0.25,
    };
    let (rate, losses, mut seconds) = best_rate(&study, [&learned, &chosen_by], out)?;
    let title =
        "Search for the learning rate: validation loss of the dialogue after 8 epochs, first seed";
    search_table(title, out, &[(study.name, losses)]);

    let (mut curves, mut runs) = (vec![], vec![]);
    let asked: Vec<&Example> = chosen_by.iter().step_by(chosen_by.len().div_ceil(4)).collect();
    for seed in SEEDS {
        let study = Study { rate, seed, epochs: 24, ..study.clone() };
        let mut look = |model: &Gpt, epoch: usize, out: &mut Reporter| {
            let text = format!("seed {seed}, after epoch {epoch} of {}\n", study.epochs);
            let title = "While it learns: questions of the validation set";
            if let Err(error) = answer_live(out, (title, text), (model, &tokenizer), &asked) {
                out.note(format!("No answer was generated: {error}"));
            }
        };
        let run = study.train([&learned, &chosen_by], out, &mut look)?;
        seconds += run.seconds;
        let losses = run.trainer.history.eval_loss.iter();
        let point = |&(epoch, loss): &(usize, f32)| (epoch as f64, f64::from(perplexity(loss)));
        curves.push(Series::new(format!("seed {seed}"), losses.map(point)));
        out.measured_chart(
            "Perplexity of the answers, validation set",
            Axis::linear("epoch", ""),
            Axis::log("perplexity", ""),
            curves.clone(),
        );
        runs.push(run);
    }
    // Every choice is made: now the test set is looked at, once for each seed.
    let marks: Vec<Vec<bool>> =
        runs.iter().map(|run| right(&*run.trainer.model, &judged)).collect();
    let is_copied = |pair: &Pair| {
        most_alike(&taught, pair.question).is_some_and(|own| own.answer == pair.answer)
    };
    let copied: Vec<bool> = test.iter().map(is_copied).collect();
    let of_level = |marks: &[bool], level: Level| {
        test.iter().zip(marks).filter(|(pair, is_right)| pair.level == level && **is_right).count()
    };
    let row = |level: Level| -> Vec<Value> {
        let all = of_level(&vec![true; test.len()], level);
        let counts = marks.iter().map(|marks| of_level(marks, level).into());
        let ends = [of_level(&copied, level).into(), all.into()];
        std::iter::once(level.name().into()).chain(counts).chain(ends).collect()
    };
    let columns =
        ["level", "seed 1", "seed 2", "seed 3", "most alike", "of"].map(|name| (name, ""));
    let title = "Held-out questions answered right: every character of the corpus's answer";
    out.measured_table(title, &columns, Level::ALL.map(row).to_vec());
    if let Some(model) = gpt(&runs[0].trainer) {
        let some: Vec<&Example> = judged.iter().step_by(judged.len().div_ceil(10)).collect();
        answer_live(
            out,
            ("Held-out questions, first seed", String::new()),
            (model, &tokenizer),
            &some,
        )?;
    }
    let share = |marks: &Vec<bool>| count(marks) as f64 / marks.len() as f64;
    let (answered, alike) = (median(marks.iter().map(share).collect()), share(&copied));
    let loss = median(runs.iter().map(|run| f64::from(run.loss())).collect());
    out.measured("validation perplexity of the answers, median of three seeds", loss.exp(), "");
    metric(out, "held-out questions answered right, median of three seeds", answered * 100.0, None);
    metric(out, "answers of the most similar taught questions that are right", alike * 100.0, None);
    out.measured("dialogue, training time", seconds, "s");
    out.insight(dialogue_insight(answered, alike, judged.len()));
    Ok(())
}

/// What the shares of `n` held-out questions that were answered right say: by the model, and by the answer of the most
/// similar question that was taught.
pub fn dialogue_insight(model: f64, alike: f64, n: usize) -> String {
    let figure =
        |share: f64| format!("{:.1} % +- {:.1}", share * 100.0, sample_error(share, n) * 100.0);
    let figures = format!(
        "Answered right, of {n} held-out questions: {} by the model (median of three seeds), {} by repeating the answer of \
         the most similar taught question (+- one standard error).",
        figure(model),
        figure(alike)
    );
    let finding = match compare_accuracies(model, alike, n) {
        Reading::Larger => {
            "The model does more than look up: it has learned which words of a question matter."
        }
        Reading::Smaller => "Looking up is better: this model has learned its questions by heart.",
        Reading::NoClearDifference | Reading::TooNoisy => {
            "There is no clear difference from looking up."
        }
    };
    format!("{figures} {finding} Neither knows anything that the corpus does not say.")
}

/// Reports a share in percent, perhaps with the least that is wanted.
fn metric(out: &mut Reporter, name: &str, value: f64, least: Option<f64>) {
    let (name, unit, target) = (name.into(), "%".into(), least.map(Target::AtLeast));
    out.metric(Metric { name, value, unit, target, origin: Origin::Measured });
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Trains on sequences, then on the dialogue. An interrupted run is continued; after one that has ended, the next begins
/// again.
pub fn milestone(out: &mut Reporter) {
    if let Err(error) = sequence_tasks(out).and_then(|()| dialogue_model(out)) {
        return out.note(format!("The milestone could not be completed: {error}"));
    }
    if let Some(folder) = out.checkpoints() {
        // What cannot be removed now is removed by the tutor when it is old.
        let _ = std::fs::remove_dir_all(folder);
    }
}

/// Runs on standard output: `cargo run --release -p tinytorch --example 2017_transformer`.
pub fn main() {
    milestone(&mut Reporter::stdout());
}
