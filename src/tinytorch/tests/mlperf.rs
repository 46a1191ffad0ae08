//! The judge of TinyMLPerf on small, untrained models: what it counts, and which entries it refuses. The events are a
//! program of their own, so their source is included.

use events::Work;
use optimised::entry;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use tinytorch::acceleration::OptimizedBackend;
use tinytorch::activations::ReLU;
use tinytorch::backend::{Backend, with_backend};
use tinytorch::benchmarking::{Entry, Evidence, Plain, Start, Technique, techniques};
use tinytorch::compression::{MagnitudePruner, SparseLinear, structured_prune};
use tinytorch::layers::{Layer, Linear, Sequential};
use tinytorch::quantization::{Int8Quantizer, quantize_model};
use tinytorch::random::Rng;
use tinytorch::report::{Item, Reporter, Value};
use tinytorch::tensor::Tensor;
use tinytorch::tokenization::Id;
use tinytorch::transformers::{GenerateError, Gpt, GptConfig, next_token_batches};

#[path = "../mlperf/events.rs"]
#[expect(dead_code, reason = "training takes too long here")]
mod events;
#[path = "../mlperf/optimised.rs"]
mod optimised;

fn gpt() -> Gpt {
    let config = GptConfig { vocab_size: 12, context: 64, dim: 8, layers: 1, heads: 2 };
    Gpt::new(config, &mut Rng::seeded(1))
}

fn writing() -> Work {
    let texts = [vec![1, 2, 3, 4, 5, 6]];
    let held_out = next_token_batches(&texts, 8, 2, &mut Rng::seeded(1));
    Work::Write { prompt: vec![1, 2, 3], held_out, judge: Box::new(gpt()) }
}

fn network() -> Sequential {
    let rng = &mut Rng::seeded(1);
    let (first, last) = (Linear::new(64, 8, rng), Linear::new(8, 10, rng));
    Sequential::new(vec![Box::new(first), Box::new(ReLU), Box::new(last)])
}

fn reading() -> Work {
    let images = Tensor::randn(&[20, 64], &mut Rng::seeded(2));
    let classes = network().forward(&images).argmax_axis(1).iter().map(|&c| c as f32).collect();
    Work::Read { images, classes }
}

/// What the judge reports of an entry beside a plain model, or why it refuses it.
fn judged(work: &Work, entry: &mut dyn Entry) -> Result<Vec<Item>, String> {
    let items = Rc::new(RefCell::new(vec![]));
    let mut out = Reporter::new({
        let items = items.clone();
        move |item| items.borrow_mut().push(item)
    });
    let measured = match work {
        Work::Read { .. } => work.measure(&mut Plain("plain".into(), network()), entry, &mut out),
        Work::Write { .. } => work.measure(&mut Plain("plain".into(), gpt()), entry, &mut out),
    };
    measured.map_err(|error| error.to_string())?;
    drop(out);
    Ok(items.take())
}

fn quality(items: &[Item]) -> f64 {
    let of_entry = |item: &Item| match item {
        Item::Metric(metric) if metric.name == "quality of the entry" => Some(metric.value),
        _ => None,
    };
    items.iter().find_map(of_entry).expect("a quality")
}

/// What was counted in the baseline and in the entry.
fn counted(items: &[Item], row: usize) -> [Value; 2] {
    let of_row = |item: &Item| match item {
        Item::Table(table) if table.title == "What was counted" => {
            Some([table.rows[row][1].clone(), table.rows[row][2].clone()])
        }
        _ => None,
    };
    items.iter().find_map(of_row).expect("counts")
}

fn number(value: &Value) -> f64 {
    match value {
        Value::Float(number) => *number,
        Value::Int(number) => *number as f64,
        other => panic!("{other:?} is no number"),
    }
}

#[test]
fn the_courses_own_entries_compute_the_same_on_another_backend_and_with_fewer_positions() {
    let items = judged(&reading(), &mut *entry(Start::Digits(network(), Tensor::zeros(&[1, 64]))))
        .expect("a result");
    assert_eq!(quality(&items), 100.0);
    let [baseline, entry_] = counted(&items, 5);
    assert_eq!(baseline, Value::from("plain loops"));
    assert_eq!(entry_, Value::from(OptimizedBackend::detect().name()));
    let [parameters, same] = counted(&items, 0);
    assert_eq!((number(&parameters), number(&same)), (610.0, 610.0));
    assert_eq!(number(&counted(&items, 3)[1]), 4.0 * 610.0);

    let items = judged(&writing(), &mut *entry(Start::Text(gpt(), Tensor::zeros(&[1, 1]))))
        .expect("a result");
    let plain = judged(&writing(), &mut Plain("plain".into(), gpt())).expect("a result");
    assert!((quality(&items) / quality(&plain) - 1.0).abs() < 1e-3);
    // A prompt of 3 and 24 tokens: 3 + 4 + .. + 26 positions without a cache, 26 with one.
    let [all, cached] = counted(&items, 4).map(|positions| number(&positions));
    assert!((10.0..18.0).contains(&all), "{all}");
    assert!((0.8..2.0).contains(&cached), "{cached}");
}

#[test]
fn an_entry_with_one_weight_of_0_in_two_is_counted_so() {
    let mut model = network();
    for parameter in model.parameters_mut() {
        let halves: Vec<f32> = (0..parameter.numel()).map(|at| (at % 2) as f32).collect();
        *parameter = Tensor::new(&halves, parameter.shape());
    }
    let items = judged(&reading(), &mut Plain("half".into(), model)).expect("a result");
    assert_eq!(number(&counted(&items, 1)[1]), 305.0);
    assert!(quality(&items) < 100.0);
}

#[test]
fn a_sparse_layer_is_counted_with_its_zeros_and_its_indices() {
    let mut dense = Linear::without_bias(64, 10, &mut Rng::seeded(1));
    let tenth: Vec<f32> = (0..640).map(|at| if at % 10 == 0 { 1.0 } else { 0.0 }).collect();
    dense.weight = Tensor::new(&tenth, &[64, 10]);
    let model = Sequential::new(vec![Box::new(SparseLinear::from_linear(&dense))]);
    let items = judged(&reading(), &mut Plain("sparse".into(), model)).expect("a result");
    let of_entry = [0, 1, 2, 3].map(|row| number(&counted(&items, row)[1]));
    // 64 weights with as many columns, and where each of 10 rows begins and the last ends.
    assert_eq!(of_entry, [640.0, 576.0, 64.0, 4.0 * (64.0 + 64.0 + 11.0)]);
}

#[test]
fn an_integer_layer_has_as_many_parameters_in_fewer_bytes() {
    let images = Tensor::randn(&[20, 64], &mut Rng::seeded(2));
    let model = quantize_model(&network(), &images);
    let items = judged(&reading(), &mut Plain("int8".into(), model)).expect("a result");
    let [plain, parameters] = counted(&items, 0);
    assert_eq!(number(&plain), number(&parameters));
    let [bytes, fewer] = counted(&items, 3).map(|bytes| number(&bytes));
    assert!(fewer < bytes / 2.0, "{fewer} of {bytes}");
}

/// The techniques that follow from what the judge counted in an entry that reads digits.
fn techniques_of(model: Sequential) -> Vec<Technique> {
    let items = judged(&reading(), &mut Plain("an entry".into(), model)).expect("a result");
    let evidence = |side: usize| {
        let whole = |row| number(&counted(&items, row)[side]) as usize;
        let backend = format!("{:?}", counted(&items, 5)[side]);
        let (parameters, zeros, stored, bytes) = (whole(0), whole(1), Some(whole(2)), whole(3));
        Evidence { parameters, zeros, stored, bytes, positions: 0.0, backend }
    };
    techniques(&evidence(1), &evidence(0))
}

#[test]
fn what_lessons_16_and_17_do_to_an_entry_is_recognized_by_what_it_holds() {
    assert_eq!(techniques_of(network()), []);
    let images = Tensor::randn(&[20, 64], &mut Rng::seeded(2));
    assert_eq!(techniques_of(quantize_model(&network(), &images)), [Technique::Quantization]);
    let mut pruned = network();
    MagnitudePruner::new(0.5).prune(&mut pruned);
    assert_eq!(techniques_of(pruned), [Technique::Pruning]);
    let mut smaller = network();
    structured_prune(&mut smaller, 0.5);
    assert_eq!(techniques_of(smaller), [Technique::SmallerModel]);
}

#[test]
fn zeros_of_rounding_are_no_pruning_and_zeros_of_pruning_stay_so_in_integers() {
    use Technique::{Pruning, Quantization, SmallerModel};

    let images = Tensor::randn(&[20, 64], &mut Rng::seeded(2));
    let pruned = |sparsity| {
        let mut model = network();
        MagnitudePruner::new(sparsity).prune(&mut model);
        model
    };
    for bits in 2..=8 {
        for per_channel in [false, true] {
            let quantizer = Int8Quantizer { bits, per_channel, ..Int8Quantizer::default() };
            let only = techniques_of(quantizer.quantize(&network(), &images));
            assert_eq!(only, [Quantization], "{bits} bits, per channel: {per_channel}");
        }
        let wider = |factor: f32| {
            let mut model = network();
            for parameter in model.parameters_mut() {
                *parameter = &*parameter * factor;
            }
            Int8Quantizer { bits, ..Int8Quantizer::default() }.quantize(&model, &images)
        };
        for factor in [0.01, 100.0] {
            let only = techniques_of(wider(factor));
            assert_eq!(only, [Quantization], "{bits} bits, weights of {factor} times the size");
        }
    }
    for sparsity in [0.3, 0.5, 0.8, 0.95] {
        assert_eq!(techniques_of(pruned(sparsity)), [Pruning], "{sparsity}");
        let both = techniques_of(quantize_model(&pruned(sparsity), &images));
        assert_eq!(both, [Quantization, Pruning], "{sparsity}");
    }
    let four_bits = Int8Quantizer { bits: 4, ..Int8Quantizer::default() };
    let both = techniques_of(four_bits.quantize(&pruned(0.8), &images));
    assert_eq!(both, [Quantization, Pruning], "4 bits");
    let mut all = network();
    structured_prune(&mut all, 0.5);
    MagnitudePruner::new(0.5).prune(&mut all);
    let all = techniques_of(quantize_model(&all, &images));
    assert_eq!(all, [Quantization, Pruning, SmallerModel], "another shape than the baseline's");
}

#[test]
fn a_description_is_no_technique() {
    let name = "pruned, quantized, revolutionary".to_owned();
    let items = judged(&reading(), &mut Plain(name.clone(), network())).expect("a result");
    assert!(items.iter().any(|item| matches!(item, Item::Text(text) if text.text == name)));
    let [baseline, entry] =
        [0, 1].map(|side| (0..6).map(|row| counted(&items, row)[side].clone()).collect::<Vec<_>>());
    assert_eq!(baseline, entry);
}

/// A GPT whose answers are changed.
struct Odd {
    gpt: Gpt,
    tokens: Vec<Id>,
    scores: Option<Tensor>,
}

impl Entry for Odd {
    fn name(&self) -> String {
        "odd".into()
    }

    fn model(&self) -> &dyn Layer {
        &self.gpt
    }

    fn logits(&mut self, x: &Tensor) -> Tensor {
        self.scores.clone().unwrap_or_else(|| Layer::forward(&self.gpt, x))
    }

    fn generate(&mut self, _: &[Id], _: usize) -> Result<Vec<Id>, GenerateError> {
        Ok(self.tokens.clone())
    }
}

#[test]
fn an_entry_that_writes_too_little_or_scores_in_another_shape_is_refused() {
    let mut odd = Odd { gpt: gpt(), tokens: vec![1; 3], scores: None };
    let said = judged(&writing(), &mut odd).expect_err("3 tokens");
    assert!(said.contains("3 new tokens, not 24"), "{said}");
    let mut odd = Odd { gpt: gpt(), tokens: vec![1; 24], scores: Some(Tensor::zeros(&[1, 12])) };
    let said = judged(&writing(), &mut odd).expect_err("one row of scores");
    assert!(said.contains("[1, 12], not ["), "{said}");
}

#[test]
fn an_entry_that_knows_its_text_by_heart_computes_nothing_and_is_refused() {
    let said = judged(&writing(), &mut Odd { gpt: gpt(), tokens: vec![1; 24], scores: None })
        .expect_err("no products");
    assert!(said.contains("do not pass the judge's counter"), "{said}");
}

/// Computes on a backend that the judge does not know of.
struct Hidden(Gpt);

impl Entry for Hidden {
    fn name(&self) -> String {
        "hidden".into()
    }

    fn model(&self) -> &dyn Layer {
        &self.0
    }

    fn generate(&mut self, prompt: &[Id], new_tokens: usize) -> Result<Vec<Id>, GenerateError> {
        let plain = &mut Plain("plain".into(), self.0.clone());
        with_backend(Arc::new(OptimizedBackend::detect()), || plain.generate(prompt, new_tokens))
    }
}

#[test]
fn a_backend_that_is_hidden_from_the_judge_is_refused() {
    let said = judged(&writing(), &mut Hidden(gpt())).expect_err("hidden products");
    assert!(said.contains("`Entry::backend`"), "{said}");
}
