//! What the analyses say of made-up figures: the expected finding, no clear difference, the opposite, and a
//! measurement that is too noisy.

use tinytorch::testing::Ratio;

fn ratio(low: f64, median: f64, high: f64) -> Ratio {
    Ratio { median, low, high }
}

mod autograd {
    use super::ratio;
    use tinytorch::insights::autograd::{
        backward_cost_insight, gradient_methods_insight, graph_memory_insight,
    };

    #[test]
    fn the_factor_between_the_two_methods_grows_only_where_it_was_seen_to_grow() {
        let said = |small, large| gradient_methods_insight((16, small), (1024, large));
        let grew = said(ratio(9.0, 10.0, 11.0), ratio(300.0, 310.0, 330.0));
        assert!(
            grew.contains("took 310.0 times as long") && grew.contains("factor grew"),
            "{grew}"
        );
        let same = said(ratio(9.0, 10.0, 11.0), ratio(9.5, 10.0, 12.0));
        assert!(same.contains("did not clearly grow"), "{same}");
        let fell = said(ratio(9.0, 10.0, 11.0), ratio(2.0, 2.1, 2.2));
        assert!(fell.contains("became smaller"), "{fell}");
        let faster = said(ratio(0.4, 0.5, 0.6), ratio(0.4, 0.5, 0.6));
        assert!(faster.contains("Backward took 2.0 times as long"), "{faster}");
        let noisy = said(ratio(9.0, 10.0, 11.0), ratio(1.0, 10.0, 30.0));
        assert!(noisy.contains("disagree") && !noisy.contains("grew with"), "{noisy}");
    }

    #[test]
    fn bytes_of_a_layer_are_compared_in_both_directions() {
        let kept = graph_memory_insight((2, 100, 200), (16, 100, 1600));
        assert!(kept.contains("100 bytes with a history and 0 without"), "{kept}");
        assert!(kept.contains("every result stays"), "{kept}");
        let same = graph_memory_insight((2, 100, 100), (16, 240, 240));
        assert!(same.contains("no clear difference"), "{same}");
        let opposite = graph_memory_insight((2, 100, 100), (16, 1600, 100));
        assert!(opposite.contains("the opposite"), "{opposite}");
    }

    #[test]
    fn the_cost_of_backward_is_set_beside_the_count_of_products() {
        let said = |low, median, high| backward_cost_insight(ratio(low, median, high));
        assert!(said(1.6, 1.8, 1.9).contains("agrees with the number of matrix products"));
        assert!(said(2.4, 2.5, 2.6).contains("more than the matrix products alone"));
        assert!(said(0.7, 0.8, 0.9).contains("less than the matrix products alone"));
        assert!(said(0.7, 0.8, 0.9).contains("The forward pass took 1.2 times"));
        let noisy = said(0.5, 1.5, 4.0);
        assert!(noisy.contains("disagree") && !noisy.contains("1.75"), "{noisy}");
    }
}

mod optimizers {
    use tinytorch::insights::optimizers::{
        convergence_insight, optimizer_memory_insight, path_insight, stability_insight,
    };

    #[test]
    fn a_path_leaves_the_valley_arrives_or_does_neither() {
        assert!(path_insight(Some(3), Some(9), 1e9).contains("At step 3 it leaves"));
        assert!(path_insight(None, Some(9), 0.0).contains("From step 9 on the loss stays below"));
        assert!(path_insight(None, None, 0.25).contains("the loss is 0.250"));
    }

    #[test]
    fn an_optimizer_is_called_earlier_only_if_it_settled_earlier() {
        let said = |adam| convergence_insight(&[("SGD", Some(80)), ("Adam", adam)]);
        assert!(said(Some(40)).contains("Adam settled 2.0 times as early (step 40)"));
        assert!(said(Some(78)).contains("Adam made no clear difference (step 78)"));
        assert!(said(Some(110)).contains("Adam settled later (step 110)"));
        assert!(said(None).contains("Adam did not settle"));
        assert!(convergence_insight(&[("SGD", None)]).contains("nothing to compare"));
    }

    #[test]
    fn the_limit_of_stability_is_compared_with_what_was_seen() {
        let seen = |ends: &[(f64, f64)]| stability_insight(ends, 57.0);
        let expected = seen(&[(0.0395, 0.1), (0.0405, 1e5)]);
        assert!(expected.contains("lies between them"), "{expected}");
        let elsewhere = seen(&[(0.02, 0.1), (0.03, f64::NAN)]);
        assert!(elsewhere.contains("0.02 the loss fell, with 0.03 it grew"), "{elsewhere}");
        assert!(elsewhere.contains("does not"), "{elsewhere}");
        assert!(seen(&[(0.01, 0.1)]).contains("every rate"));
        assert!(seen(&[(0.01, 100.0)]).contains("none of the rates"));
    }

    #[test]
    fn memory_is_compared_in_both_directions() {
        assert!(optimizer_memory_insight(1.0, 2.0).contains("one buffer against two"));
        assert!(optimizer_memory_insight(1.0, 2.0).contains("4.0 times the weights"));
        assert!(optimizer_memory_insight(2.0, 2.0).contains("no clear difference"));
        assert!(optimizer_memory_insight(2.0, 1.0).contains("the opposite"));
    }
}

mod training {
    use super::ratio;
    use tinytorch::insights::training::{
        accumulation_insight, overfitting_insight, schedule_insight, stopping_insight,
    };

    #[test]
    fn overfitting_is_named_only_where_the_validation_loss_turned() {
        let said = |train: (f32, f32), validation: (f32, f32), best| {
            overfitting_insight([(train.0, validation.0), (train.1, validation.1)], best, 300)
        };
        assert!(said((0.4, 0.01), (0.5, 1.5), 40).contains("overfitting. What was learned"));
        assert!(said((0.4, 0.3), (0.5, 0.5), 40).contains("no overfitting can be seen"));
        assert!(said((0.4, 0.4), (0.5, 0.5), 300).contains("no overfitting can be seen"));
        assert!(said((0.4, 0.9), (0.5, 1.5), 40).contains("both became worse"));
    }

    #[test]
    fn stopping_early_is_compared_within_the_sample_error() {
        let said = |early, last| stopping_insight((early, last), 2000, Some(60));
        assert!(said(0.84, 0.70).contains("better than the last ones"));
        assert!(said(0.84, 0.835).contains("not clearly different"));
        assert!(said(0.70, 0.84).contains("worse than the last ones"));
        assert!(said(0.70, 0.84).starts_with("Patience of 20 would have stopped at epoch 60."));
        assert!(stopping_insight((0.8, 0.8), 2000, None).contains("would not have stopped"));
    }

    #[test]
    fn a_schedule_is_praised_only_if_the_seeds_agree() {
        assert!(schedule_insight(ratio(0.7, 0.8, 0.9)).ends_with("it helped here."));
        assert!(schedule_insight(ratio(1.1, 1.2, 1.3)).ends_with("it did harm here."));
        assert!(schedule_insight(ratio(0.9, 1.0, 1.1)).ends_with("no clear difference here."));
        assert!(schedule_insight(ratio(0.5, 1.0, 1.5)).contains("disagree too much"));
    }

    #[test]
    fn accumulation_has_words_for_both_directions() {
        assert!(
            accumulation_insight((4e6, 1e6), 1e-7).contains("needed 4.0 times the memory of the")
        );
        assert!(accumulation_insight((1e6, 1e6), 1e-7).contains("no clear difference"));
        assert!(accumulation_insight((1e6, 2e6), 1e-7).starts_with("The smallest pieces needed"));
        assert!(accumulation_insight((4e6, 1e6), 0.1).contains("the gradient is not the same"));
    }
}

/// Ratios that are clearly above 1, clearly below, too close to tell, and too widely spread.
const CASES: [Ratio; 4] = [
    Ratio { median: 3.0, low: 2.8, high: 3.2 },
    Ratio { median: 0.25, low: 0.24, high: 0.26 },
    Ratio { median: 1.0, low: 0.98, high: 1.03 },
    Ratio { median: 2.0, low: 0.8, high: 5.0 },
];

/// What a sentence about times says in each of [`CASES`].
fn assert_says(insight: impl Fn(Ratio) -> String, [slower, faster]: [&str; 2]) {
    let [larger, smaller, equal, noisy] = CASES.map(insight);
    let [larger, smaller] = [larger, smaller].map(|sentence| sentence.to_lowercase());
    let says =
        |a: &str, b: &str, times| format!("{a} took {times} times as long as {b}").to_lowercase();
    assert!(larger.contains(&says(slower, faster, "3.0")), "{larger}");
    assert!(smaller.contains(&says(faster, slower, "4.0")), "{smaller}");
    assert!(equal.contains("no clear difference"), "{equal}");
    assert!(noisy.contains("disagree too much"), "{noisy}");
}

mod tensor {
    use super::{CASES, assert_says};
    use tinytorch::insights::tensor::{
        broadcasting_memory_insight, matmul_orders_insight, memory_layout_insight,
    };

    #[test]
    fn the_order_of_access_is_named_as_the_cause_only_where_it_made_a_difference() {
        let names = ["\"down the columns\"", "\"along the rows\""];
        assert_says(|ratio| memory_layout_insight(ratio, CASES[2]), names);
        let names = ["\"down the columns\"", "\"columns, line by line\""];
        assert_says(|ratio| memory_layout_insight(CASES[2], ratio), names);
        let (cause, second) = ("the order of access makes", "do not wait for each other either");
        for (along, lines, found) in [
            (CASES[0], CASES[0], [true, true]),
            (CASES[0], CASES[2], [true, false]),
            (CASES[1], CASES[0], [false, true]),
            (CASES[3], CASES[3], [false, false]),
        ] {
            let text = memory_layout_insight(along, lines);
            assert_eq!([text.contains(cause), text.contains(second)], found, "{text}");
        }
    }

    #[test]
    fn additions_that_wait_are_the_cause_only_where_the_control_shows_it() {
        let names = ["\"i-j-k\"", "\"yours\""];
        assert_says(|ratio| matmul_orders_insight(ratio, CASES[2]), names);
        let names = ["\"b transposed, 1 sum\"", "\"b transposed, 16 sums\""];
        assert_says(|ratio| matmul_orders_insight(CASES[2], ratio), names);
        let cause = "do not wait for each other";
        assert!(matmul_orders_insight(CASES[0], CASES[0]).contains(cause));
        assert!(!matmul_orders_insight(CASES[0], CASES[3]).contains(cause));
    }

    #[test]
    fn memory_that_was_not_saved_is_not_praised() {
        let names = ["\"copied first\"", "\"broadcast\""];
        assert_says(|time| broadcasting_memory_insight(2.0, time), names);
        let saved = broadcasting_memory_insight(2.0, CASES[2]);
        assert!(saved.contains("2.00 times the memory") && saved.contains("copies nothing"));
        for ratio in [1.0, 0.5, f64::NAN] {
            let text = broadcasting_memory_insight(ratio, CASES[0]);
            assert!(text.contains("no saving"), "{text}");
        }
    }
}

mod activations {
    use super::{CASES, assert_says};
    use tinytorch::activations::{activation_cost_insight, depth_insight};

    #[test]
    fn the_exponential_is_the_reason_only_where_the_sigmoid_is_slower() {
        assert_says(activation_cost_insight, ["a sigmoid", "ReLU"]);
        let says_why =
            |case: usize| activation_cost_insight(CASES[case]).contains("It needs an exponential");
        assert_eq!([0, 1, 2, 3].map(says_why), [true, false, false, false]);
    }

    #[test]
    fn a_signal_is_smaller_larger_or_about_as_large() {
        let broken = depth_insight(20, [1.0, f64::INFINITY, f64::NAN]);
        assert!(broken.contains("is about") && broken.contains("zero with ReLU"), "{broken}");
        assert!(broken.contains("not a number with ReLU and weights"), "{broken}");
        let text = depth_insight(20, [1.1, 800.0, 0.25]);
        for part in ["0.91 of it) without", "800.0 times smaller", "4.0 times larger"] {
            assert!(text.contains(part), "{text}");
        }
    }
}

mod layers {
    use super::{CASES, assert_says};
    use tinytorch::layers::{layer_memory_insight, layer_performance_insight};

    #[test]
    fn weights_for_every_pair_are_the_cause_only_of_fourfold_growth() {
        assert!(layer_memory_insight(4.0).contains("every output has a weight"));
        assert!(layer_memory_insight(2.0).contains("less than one weight"));
        assert!(layer_memory_insight(8.0).contains("more than one weight"));
    }

    #[test]
    fn each_layer_has_a_sentence_of_its_own() {
        let rows = ["512 rows one by one through the small layer", "a batch of 512"];
        assert_says(|small| layer_performance_insight([small, CASES[3]]), rows);
        let rows = ["512 rows one by one through the large layer", "a batch of 512"];
        assert_says(|large| layer_performance_insight([CASES[3], large]), rows);
    }
}

mod losses {
    use tinytorch::losses::{loss_behaviour_insight, loss_memory_insight, stability_insight};

    #[test]
    fn forms_that_differ_are_not_said_to_agree() {
        assert!(loss_behaviour_insight(4.7, 1e-6).contains("two classes agree."));
        assert!(loss_behaviour_insight(4.7, 1e-6).contains("is 4.7 times the squared error"));
        assert!(loss_behaviour_insight(0.5, 1e-6).contains("is only 0.50 times"));
        assert!(loss_behaviour_insight(1.0, 1e-6).contains("about as large"));
        assert!(loss_behaviour_insight(4.7, 0.1).contains("do not agree"));
    }

    #[test]
    fn a_stable_softmax_is_not_enough_only_where_it_failed_and_log_softmax_did_not() {
        let lesson = "A stable softmax alone is not enough";
        let text = stability_insight([Some(89.0), Some(300.0), None]);
        assert!(text.contains("s = 89 on") && text.contains("finite for every s"), "{text}");
        assert!(text.contains(lesson));
        assert!(!stability_insight([Some(89.0), None, None]).contains(lesson));
        assert!(!stability_insight([Some(89.0), Some(300.0), Some(700.0)]).contains(lesson));
    }

    #[test]
    fn a_history_is_said_to_keep_more_only_where_it_does() {
        let more = loss_memory_insight([3.0, 5.0]);
        assert!(more.contains("3.0 times the memory of its logits"), "{more}");
        assert!(more.contains("more stays allocated than that peak: 5.0 times"), "{more}");
        assert!(loss_memory_insight([3.0, 2.0]).contains("less stays allocated"));
        assert!(loss_memory_insight([3.0, 3.0]).contains("about as much"));
    }
}

mod setup {
    use super::{assert_says, ratio};
    use tinytorch::setup::{noise_insight, timer_resolution_insight};

    #[test]
    fn the_clock_and_the_noise_are_named_only_where_they_show() {
        let names = ["65,536 additions timed one by one", "65,536 timed at once"];
        assert_says(timer_resolution_insight, names);
        for (low, words) in [
            (39.0, "Most of that is the clock"),
            (1.5, "Part of that is the clock"),
            (0.98, "hides nothing"),
            (0.3, "too coarse to see a single addition"),
        ] {
            let text = timer_resolution_insight(ratio(low, low * 1.02, low * 1.05));
            assert!(text.contains(words), "{text}");
        }
        let stopped = timer_resolution_insight(ratio(f64::NAN, f64::NAN, f64::NAN));
        assert!(stopped.contains("disagree") && !stopped.contains("clock"), "{stopped}");
        assert!(noise_insight(1.8).contains("could have been that one"));
        assert!(noise_insight(1.01).contains("quiet"));
    }
}

mod dataloader {
    use super::ratio;
    use tinytorch::insights::dataloader::{
        collation_insight, order_insight, overfitting_insight, prefetch_insight, throughput_insight,
    };

    #[test]
    fn a_fixed_cost_for_each_batch_is_named_only_where_small_batches_are_slower() {
        let equal = ratio(0.98, 1.0, 1.02);
        let slower = throughput_insight(ratio(6.0, 7.0, 8.0), equal);
        assert!(slower.contains("batches of 1 took 7.0 times"), "{slower}");
        assert!(slower.contains("a fixed cost that a large batch divides"), "{slower}");
        assert!(slower.contains("no clear difference here between a shuffled epoch"), "{slower}");
        let same = throughput_insight(equal, ratio(1.9, 2.0, 2.1));
        assert!(same.contains("no clear difference") && !same.contains("fixed cost"), "{same}");
        assert!(same.contains("A shuffled epoch in batches of 1,024 took 2.0 times"), "{same}");
        let faster = throughput_insight(ratio(0.4, 0.5, 0.6), equal);
        assert!(
            faster.contains("1,024 took 2.0 times") && faster.contains("the opposite"),
            "{faster}"
        );
        let noisy = throughput_insight(ratio(1.0, 7.0, 17.0), equal);
        assert!(noisy.contains("disagree") && !noisy.contains("fixed cost"), "{noisy}");
    }

    #[test]
    fn the_overhead_of_small_tensors_is_named_only_where_collating_is_slower() {
        let slower = collation_insight(ratio(4.0, 4.5, 5.0));
        assert!(slower.contains("4.5 times") && slower.contains("128 small tensors"), "{slower}");
        let same = collation_insight(ratio(0.98, 1.0, 1.02));
        assert!(same.contains("no clear difference") && !same.contains("overhead"), "{same}");
        let faster = collation_insight(ratio(0.4, 0.5, 0.6));
        assert!(faster.contains("Gathering took 2.0") && faster.contains("cost less"), "{faster}");
        assert!(!collation_insight(ratio(1.0, 4.0, 9.0)).contains("overhead"));
    }

    #[test]
    fn prefetching_is_praised_only_where_it_was_faster() {
        let gained = prefetch_insight(ratio(1.3, 1.4, 1.5), 2);
        assert!(gained.contains("1.4 times") && gained.contains("hid part"), "{gained}");
        let same = prefetch_insight(ratio(0.9, 1.0, 1.1), 2);
        assert!(same.contains("no clear difference") && !same.contains("hid part"), "{same}");
        let lost = prefetch_insight(ratio(0.4, 0.5, 0.6), 2);
        assert!(lost.contains("cost more than it hid") && !lost.contains("hid part"), "{lost}");
        assert!(prefetch_insight(ratio(0.9, 1.0, 1.1), 1).contains("single core"));
        assert!(!prefetch_insight(ratio(0.5, 1.5, 4.0), 2).contains("hid part"));
    }

    #[test]
    fn an_order_is_called_better_only_beyond_the_sample_error() {
        let worse = order_insight(0.33, 0.94, 360);
        assert!(worse.contains("33.0 % (+- 2.5), shuffled 94.0 % (+- 1.3)"), "{worse}");
        assert!(worse.contains("each batch holds one class"), "{worse}");
        let same = order_insight(0.93, 0.94, 360);
        assert!(same.contains("No clear difference") && !same.contains("one class"), "{same}");
        let better = order_insight(0.94, 0.33, 360);
        assert!(better.contains("the sorted order did better"), "{better}");
        assert!(order_insight(f64::NAN, 0.9, 360).contains("No clear difference"));
    }

    #[test]
    fn overfitting_is_claimed_only_where_the_validation_loss_rose() {
        let rose = overfitting_insight(&[1.0, 0.4, 0.5], [1.0, 0.9], 360);
        assert!(rose.contains("lowest after epoch 2, 0.400, and rose to 0.500"), "{rose}");
        assert!(rose.contains("overfitting") && rose.contains("generalization gap"), "{rose}");
        let fell = overfitting_insight(&[1.0, 0.5, 0.4], [0.91, 0.9], 360);
        assert!(fell.contains("did not clearly rise") && !fell.contains("overfitting"), "{fell}");
        assert!(fell.contains("not clearly larger than chance"), "{fell}");
        assert!(overfitting_insight(&[], [1.0, 1.0], 360).contains("no epoch"));
    }
}

mod spatial {
    use super::ratio;
    use tinytorch::insights::spatial::{
        learned_filters_insight, loop_order_insight, products_insight, sharing_insight,
        shift_insight,
    };

    #[test]
    fn a_sum_that_was_not_written_is_not_said_to_be() {
        assert!(products_insight(3.0, 3.0).contains("which is what `convolve_naive` wrote"));
        assert!(products_insight(3.0, 4.0).contains("but `convolve_naive` wrote 4"));
    }

    #[test]
    fn the_order_of_loops_is_explained_only_where_it_was_faster() {
        let faster = loop_order_insight(ratio(5.0, 6.0, 7.0));
        assert!(
            faster.contains("6.0 times") && faster.contains("whole rows of memory"),
            "{faster}"
        );
        let same = loop_order_insight(ratio(0.98, 1.0, 1.02));
        assert!(same.contains("no clear difference") && !same.contains("whole rows"), "{same}");
        let slower = loop_order_insight(ratio(0.4, 0.5, 0.6));
        assert!(slower.contains("did not pay off") && !slower.contains("whole rows"), "{slower}");
        assert!(!loop_order_insight(ratio(1.0, 5.0, 9.0)).contains("whole rows"));
    }

    #[test]
    fn learned_filters_are_praised_only_where_they_read() {
        let read = learned_filters_insight(0.95, 360);
        assert!(read.contains("95.0 % (+- 1.1)") && read.contains("No one designed"), "{read}");
        let guessed = learned_filters_insight(0.11, 360);
        assert!(guessed.contains("no better than guessing") && !guessed.contains("designed"));
    }

    #[test]
    fn parameters_and_time_are_told_apart() {
        let slower = sharing_insight(100.0, ratio(1.9, 2.0, 2.1));
        assert!(slower.contains("100 times the parameters"), "{slower}");
        assert!(slower.contains("The dense layer took 2.0 times"), "{slower}");
        let faster = sharing_insight(100.0, ratio(0.4, 0.5, 0.6));
        assert!(faster.contains("The convolution took 2.0 times"), "{faster}");
        assert!(faster.contains("Fewer parameters are not less work"), "{faster}");
        assert!(sharing_insight(100.0, ratio(0.98, 1.0, 1.02)).contains("no clear difference"));
        assert!(sharing_insight(100.0, ratio(0.5, 1.0, 9.0)).contains("disagree"));
    }

    #[test]
    fn what_moved_digits_cost_is_said_in_each_direction() {
        let expected = shift_insight([0.97, 0.51], [0.98, 0.68], 360);
        assert!(expected.contains("fell from 97.0 % (+- 0.9) to 51.0 %"), "{expected}");
        assert!(expected.contains("its feature maps move with the image"), "{expected}");
        let same = shift_insight([0.97, 0.96], [0.97, 0.96], 360);
        assert!(same.contains("did not clearly change") && same.contains("neither"), "{same}");
        let opposite = shift_insight([0.51, 0.97], [0.98, 0.68], 360);
        assert!(
            opposite.contains("rose from") && opposite.contains("not what shared"),
            "{opposite}"
        );
    }
}

mod tokenization {
    use super::ratio;
    use tinytorch::tokenization::{
        compression_insight, merges_insight, training_speed_insight, vocabulary_cost_insight,
    };

    #[test]
    fn a_vocabulary_is_said_to_fit_its_own_text_only_where_it_does() {
        let own = compression_insight([2.6, 1.6, 1.3], 2.1);
        assert!(
            own.contains("German 1.6 and Rust 1.3: a vocabulary is made for one kind"),
            "{own}"
        );
        assert!(own.contains("more than half"), "{own}");
        assert!(
            compression_insight([1.5, 1.6, 1.3], 1.2).contains("fits another kind of text better")
        );
        assert!(compression_insight([1.6, 1.6, 1.3], 1.2).contains("about as many as the better"));
        assert!(compression_insight([3.0, 1.6, 1.3], 1.2).contains("less than half"));
        assert!(
            compression_insight([2.0, 1.6, 1.3], 1.98).contains("about as much as the largest")
        );
    }

    #[test]
    fn the_incremental_training_is_called_faster_only_where_the_pairs_agree() {
        let faster = training_speed_insight(&ratio(20.0, 26.8, 30.0));
        assert!(faster.starts_with("The plain training took 26.8 times as long"), "{faster}");
        let slower = training_speed_insight(&ratio(0.4, 0.5, 0.6));
        assert!(slower.starts_with("The incremental one took 2.0 times as long"), "{slower}");
        assert!(training_speed_insight(&ratio(0.98, 1.0, 1.02)).contains("no clear difference"));
        assert!(training_speed_insight(&ratio(1.0, 5.0, 9.0)).contains("disagree too much"));
    }

    #[test]
    fn a_larger_table_is_said_to_buy_something_only_where_the_text_gets_shorter() {
        let shorter = vocabulary_cost_insight([70, 700], [40.0, 20.0]);
        assert!(shorter.contains("10.0 times as large"), "{shorter}");
        assert!(
            shorter.contains("2.0 times shorter, so attention compares 4.0 times fewer"),
            "{shorter}"
        );
        let longer = vocabulary_cost_insight([70, 700], [20.0, 40.0]);
        assert!(longer.contains("2.0 times longer, which buys nothing"), "{longer}");
        assert!(vocabulary_cost_insight([70, 700], [20.0, 20.0]).contains("about as long"));
        assert!(merges_insight(0, 0, 256).contains("0.00 bytes per token"));
    }
}

mod embeddings {
    use super::ratio;
    use tinytorch::embeddings::{
        distance_insight, neighbours_insight, positions_insight, product_insight,
        table_size_insight, who_bites_insight,
    };

    #[test]
    fn a_product_is_called_slower_only_where_the_pairs_agree() {
        let slower = product_insight(&ratio(900.0, 1000.0, 1100.0));
        assert!(
            slower.starts_with("The one-hot product for a vocabulary of 512 took 1000.0"),
            "{slower}"
        );
        let faster = product_insight(&ratio(0.4, 0.5, 0.6));
        assert!(faster.starts_with("The lookup took 2.0 times as long"), "{faster}");
        assert!(product_insight(&ratio(0.98, 1.0, 1.02)).contains("no clear difference"));
        assert!(product_insight(&ratio(1.0, 5.0, 9.0)).contains("disagree too much"));
    }

    #[test]
    fn the_cache_is_named_only_where_the_large_table_is_slower() {
        let slower = table_size_insight(&ratio(2.8, 3.0, 3.2));
        assert!(slower.contains("took 3.0 times as long") && slower.contains("cache"), "{slower}");
        for other in [ratio(0.4, 0.5, 0.6), ratio(0.98, 1.0, 1.02), ratio(2.0, 5.0, 9.0)] {
            let text = table_size_insight(&other);
            assert!(!text.contains("cache"), "{text}");
        }
    }

    #[test]
    fn positions_help_only_where_the_difference_is_larger_than_chance() {
        let helps = who_bites_insight(0.5, 1.0, 80);
        assert!(helps.contains("50 % of 80") && helps.contains("bring it back"), "{helps}");
        assert!(who_bites_insight(1.0, 0.5, 80).contains("made it worse"));
        assert!(who_bites_insight(0.5, 0.55, 80).contains("no clear difference"));
    }

    #[test]
    fn only_the_distance_counts_where_all_pairs_agree() {
        let same = distance_insight("Rotary", (0.5994, 0.5995));
        assert!(
            same.contains("from 0.599 to 0.600") && same.contains("only the distance"),
            "{same}"
        );
        assert!(distance_insight("Rotary", (0.6, 0.6001)).contains("a similarity of 0.600; only"));
        assert!(distance_insight("Learned", (-0.4, 0.3)).contains("the place counts too"));
        assert!(distance_insight("Rotary", (f64::NAN, f64::NAN)).contains("not a number"));
    }

    #[test]
    fn a_table_is_said_to_have_learned_only_where_more_neighbours_fit_than_before() {
        let learned = neighbours_insight([0.1, 1.0], 31);
        assert!(
            learned.contains("Of 31 numbers, 100 %") && learned.contains("learned"),
            "{learned}"
        );
        assert!(neighbours_insight([1.0, 0.1], 31).contains("drove them apart"));
        assert!(neighbours_insight([0.5, 0.55], 31).contains("no clear difference"));
    }

    #[test]
    fn a_position_that_looks_like_a_far_one_is_said_to() {
        assert!(positions_insight(8, [10, 11], 0.97).contains("its neighbour"));
        assert!(positions_insight(8, [10, 9], 0.97).contains("its neighbour"));
        let far = positions_insight(1, [10, 54], 0.9998);
        assert!(far.contains("which is 44 away: the waves repeat"), "{far}");
        assert!(positions_insight(1, [10, 54], f32::NAN).contains("not a number"));
    }
}

mod attention {
    use super::ratio;
    use tinytorch::attention::{
        blocks_insight, cost_insight, heads_insight, heat_map_insight, retrieval_insight,
        scale_insight,
    };

    #[test]
    fn a_summary_is_said_to_lose_something_only_beyond_the_sample_error() {
        let lost = retrieval_insight(0.16, 1.0, 125);
        assert!(lost.contains("16 % were answered from the mean, 100 % with attention"), "{lost}");
        assert!(lost.contains("what the mean has lost"), "{lost}");
        assert!(retrieval_insight(0.9, 0.1, 125).contains("the mean kept more"));
        assert!(retrieval_insight(0.50, 0.52, 125).contains("no clear difference"));
        assert!(retrieval_insight(f64::NAN, 0.5, 125).contains("no clear difference"));
    }

    #[test]
    fn a_question_is_said_to_find_its_key_only_where_the_weight_is_there() {
        assert!(heat_map_insight(0.8, 8).contains("0.80 on average, where even weights would be"));
        assert!(heat_map_insight(0.8, 8).contains("finds its own key"));
        assert!(heat_map_insight(0.4, 8).contains("looks there most, but not only"));
        assert!(heat_map_insight(0.12, 8).contains("do not find their keys"));
        assert!(heat_map_insight(f64::NAN, 8).contains("do not find their keys"));
    }

    #[test]
    fn the_scale_is_credited_only_where_it_flattens_the_weights() {
        assert!(scale_insight(0.89, 0.10).contains("keeps one key from taking"));
        assert!(scale_insight(0.10, 0.89).contains("sharpens"));
        assert!(scale_insight(0.50, 0.51).contains("no clear difference"));
    }

    #[test]
    fn a_slope_is_given_only_where_the_pairs_agree_on_it() {
        let said = cost_insight(&ratio(3.8, 4.0, 4.2));
        assert!(said.contains("took 4.0 times as long as attention on 512"), "{said}");
        assert!(said.contains("a slope of 2.00: 1 is linear, 2 quadratic"), "{said}");
        for none in [ratio(0.98, 1.0, 1.02), ratio(1.0, 4.0, 9.0), ratio(0.3, 0.32, 0.35)] {
            assert!(!cost_insight(&none).contains("slope"), "{none:?}");
        }
        assert!(cost_insight(&ratio(1.0, 4.0, 9.0)).contains("disagree too much"));
        assert!(cost_insight(&ratio(0.3, 0.32, 0.35)).starts_with("Attention on 512 took"));
    }

    #[test]
    fn blocks_are_said_to_save_only_what_they_saved() {
        let said = |plain, blocks| blocks_insight(plain, blocks, &ratio(0.9, 1.0, 1.1));
        let saved = said(53.0, 4.0);
        assert!(saved.contains("grew 53.0 times, in blocks 4.0 times"), "{saved}");
        assert!(saved.contains("was never there") && saved.contains("no clear difference"));
        assert!(said(53.0, 40.0).contains("save less than they should"));
        assert!(said(53.0, 53.0).contains("blocks save nothing"));
        let slower = blocks_insight(53.0, 4.0, &ratio(0.4, 0.5, 0.6));
        assert!(slower.contains("Attention in blocks took 2.0 times as long"), "{slower}");
    }

    #[test]
    fn even_weights_are_not_called_sharp() {
        let text = heads_insight(&[0.95, 1.0, 0.5, 0.13, 0.13, 0.13], 8);
        assert!(text.contains("In 2 of 6 rows nearly all"), "{text}");
        assert!(text.contains("in 3 it is nearly even"), "{text}");
        assert!(text.contains("in 1 it is shared among a few"), "{text}");
        assert!(heads_insight(&[1.0], 1).contains("In 1 of 1 rows nearly all"));
    }
}

mod transformers {
    use super::ratio;
    use tinytorch::insights::transformers::{
        gradient_flow_insight, sampling_insight, scaling_insight, training_insight,
    };

    #[test]
    fn the_residual_stream_gets_the_credit_only_where_norms_alone_do_not_do() {
        let (flat, tiny) = (ratio(0.9, 1.0, 1.1), ratio(0.003, 0.005, 0.008));
        let norms_do = gradient_flow_insight(ratio(2.5, 2.8, 3.5), ratio(0.5, 1.0, 2.0), tiny);
        assert!(norms_do.contains("2.8 times as large in a pre-norm stack"), "{norms_do}");
        assert!(norms_do.contains("not clearly larger or smaller with norms alone"), "{norms_do}");
        assert!(norms_do.contains("200 times as small with neither"), "{norms_do}");
        assert!(norms_do.contains("the norms alone would carry"), "{norms_do}");
        let stream = gradient_flow_insight(flat, tiny, tiny);
        assert!(stream.contains("It is the residual stream"), "{stream}");
        let none = gradient_flow_insight(flat, flat, ratio(3.0, 4.0, 5.0));
        assert!(none.contains("4.0 times as large with neither"), "{none}");
        assert!(none.contains("needs neither of them"), "{none}");
    }

    #[test]
    fn a_model_has_learned_only_where_it_beats_the_guess_by_frequency() {
        let learned = training_insight(512, 97.0, &[15.0, 6.0, 3.0]);
        assert!(
            learned.contains("among 3.0 tokens, a guess by frequency as among 97"),
            "{learned}"
        );
        assert!(learned.contains("No earlier epoch was clearly better"), "{learned}");
        let overfitted = training_insight(512, 97.0, &[15.0, 3.0, 6.0]);
        assert!(overfitted.contains("It was better before (3.0)"), "{overfitted}");
        let little = training_insight(512, 97.0, &[99.0, 98.0, 96.0]);
        assert!(little.contains("little more than which tokens are frequent"), "{little}");
        assert!(little.contains("changed little"), "{little}");
        assert!(training_insight(512, 97.0, &[15.0]).contains("One epoch"));
    }

    #[test]
    fn a_larger_model_is_called_better_only_where_the_seeds_do_not_overlap() {
        let said = |small, large| scaling_insight(small, large);
        let larger = said([3.7, 3.8, 3.9], [2.6, 2.7, 2.8]);
        assert!(larger.contains("3.80 (3.70 to 3.90)"), "{larger}");
        assert!(larger.contains("the larger model learned more"), "{larger}");
        let smaller = said([2.6, 2.7, 2.8], [3.7, 3.8, 3.9]);
        assert!(smaller.contains("the smaller model learned more"), "{smaller}");
        assert!(said([2.6, 2.7, 2.9], [2.8, 3.0, 3.1]).contains("seeds differ more"));
    }

    #[test]
    fn a_distribution_is_called_more_certain_or_more_varied_by_its_entropy() {
        let own = [0.5, 0.25, 0.25];
        let certain = sampling_insight(&own, &[0.8, 0.2, 0.0]);
        assert!(certain.starts_with("2 of 3 tokens can be drawn"), "{certain}");
        assert!(certain.contains("more certain than"), "{certain}");
        assert!(sampling_insight(&own, &[1.0 / 3.0; 3]).contains("more varied than"));
        assert!(sampling_insight(&own, &own).contains("about as varied as"));
        assert!(sampling_insight(&own, &[1.0, 0.0, 0.0]).contains("Only one of 3 tokens"));
    }
}

mod quantization {
    use tinytorch::insights::quantization::{
        accuracy_insight, aware_insight, bits_insight, calibration_insight, error_insight,
        memory_insight, mixed_insight, perplexity_insight,
    };

    #[test]
    fn scales_explain_a_ratio_only_where_the_larger_model_gains_more() {
        let expected = memory_insight(3.55, 3.98);
        assert!(expected.contains("3.98 times (4.0 when rounded): each output"), "{expected}");
        assert!(memory_insight(3.98, 3.55).contains("do not explain"));
        assert!(memory_insight(3.9, 3.9).contains("hardly differ"));
    }

    #[test]
    fn a_bit_is_worth_six_decibels_or_that_is_said() {
        assert!(bits_insight(5.9).contains("5.9 dB: as expected"));
        assert!(bits_insight(7.0).contains("7.0 dB: more than"));
        assert!(bits_insight(3.0).contains("3.0 dB: less than"));
    }

    #[test]
    fn the_best_and_the_worst_calibration_are_named_where_they_differ() {
        let all = |eight: [f64; 3], three: [f64; 3]| {
            let at = |place: usize| [eight[place], 0.0, three[place]];
            calibration_insight(&[("a", at(0)), ("b", at(1)), ("c", at(2))])
        };
        let said = all([49.0, 33.0, 49.0], [19.0, 20.0, 20.4]);
        assert!(said.contains("with 8 bits \"a\" is 16.0 dB above \"b\""), "{said}");
        assert!(said.contains("with 3 bits \"c\" is 1.4 dB above \"a\""), "{said}");
        let said = all([49.0, 49.1, 49.2], [19.0, 20.0, 15.0]);
        assert!(said.contains("with 8 bits the three hardly differ"), "{said}");
        assert!(said.contains("with 3 bits \"b\" is 5.0 dB above \"c\""), "{said}");
    }

    #[test]
    fn accuracies_are_compared_by_their_sample_error() {
        let said = accuracy_insight(0.972, 0.969, 360);
        assert!(said.contains("96.9 % in 8 bits and 97.2 % in f32"), "{said}");
        assert!(said.contains("error of 0.9: 360 digits show no clear difference"), "{said}");
        assert!(accuracy_insight(0.97, 0.80, 360).contains("8 bits lost 17.0 points"));
        assert!(accuracy_insight(0.80, 0.97, 360).contains("8 bits are better"));
        assert!(accuracy_insight(f64::NAN, 0.97, 360).contains("not numbers"));
    }

    #[test]
    fn an_exception_and_a_training_are_credited_only_where_they_helped() {
        assert!(mixed_insight(0.80, 0.95, 360).contains("worth its bytes"));
        assert!(mixed_insight(0.95, 0.80, 360).contains("did not help"));
        assert!(mixed_insight(0.95, 0.96, 360).contains("no clear difference on 360"));
    }

    #[test]
    fn training_aware_of_the_rounding_is_judged_for_each_number_of_bits() {
        let all = aware_insight(&[(8, [0.9, 0.91]), (4, [0.9, 0.75]), (2, [0.75, 0.9])], 360);
        for each in [
            "with 8 bits 90.0 % and 91.0 %, no clear difference on 360",
            "with 4 bits 90.0 % and 75.0 %, here it did harm",
            "with 2 bits 75.0 % and 90.0 %, training learned weights that survive the rounding",
        ] {
            assert!(all.contains(each), "{all}");
        }
    }

    #[test]
    fn a_perplexity_is_the_same_higher_or_lower() {
        let said = perplexity_insight([6.0, 6.06, 6.9]);
        assert!(said.contains("6.00 in f32, with 8 bits the same within 2 %"), "{said}");
        assert!(said.contains("with 4 bits 15 % higher"), "{said}");
        assert!(perplexity_insight([6.0, 5.4, 6.0]).contains("with 8 bits 10 % lower"));
    }

    #[test]
    fn the_larger_error_is_named() {
        assert!(error_insight(1.0, 9.0).contains("90 % of the squared error is clipping"));
        assert!(error_insight(9.0, 1.0).contains("90 % of the squared error is rounding"));
        assert!(error_insight(1.0, 1.0).contains("a balance"));
        assert!(error_insight(0.0, 0.0).contains("restored exactly"));
    }
}

mod memoization {
    use super::ratio;
    use tinytorch::insights::memoization::{
        cache_size_insight, memory_insight, naive_insight, speedup_insight, window_insight,
    };

    #[test]
    fn positions_are_said_to_be_computed_again_only_where_they_were() {
        let again = naive_insight(&ratio(30.0, 32.0, 35.0), 21_500, 207);
        assert!(again.starts_with("A token behind 200 others took 32.0 times"), "{again}");
        assert!(again.contains("21500 positions, of which 207 are distinct"), "{again}");
        assert!(again.contains("each was computed 104 times on average"), "{again}");
        let once = naive_insight(&ratio(0.98, 1.0, 1.02), 207, 207);
        assert!(once.contains("no clear difference") && once.contains("none was computed twice"));
        assert!(naive_insight(&ratio(0.4, 0.5, 0.6), 1, 1).starts_with("A token behind 25 took"));
    }

    #[test]
    fn a_formula_is_said_to_hold_only_where_the_allocations_agree() {
        let said = memory_insight(1.0, 2.0, [0.35, 0.12]);
        assert!(said.starts_with("What was reserved is what 2 L H d T B numbers"), "{said}");
        assert!(said.contains("2.00 times the bytes: it grows linearly"), "{said}");
        assert!(said.contains("35 % of the parameters' bytes"), "{said}");
        assert!(said.contains("12 % in the largest: the matrices of the blocks grow"), "{said}");
        let other = memory_insight(4.0, 4.0, [0.1, 0.2]);
        assert!(other.contains("up to 4.00 times") && other.contains("faster than the text"));
        assert!(other.contains("the cache grows faster than the parameters"), "{other}");
        let flat = memory_insight(0.5, 1.0, [0.1, 0.1]);
        assert!(flat.contains("part of it does not grow") && flat.contains("about the same share"));
    }

    #[test]
    fn a_window_that_slides_is_said_to_cost_only_what_it_cost() {
        let slow = window_insight(&ratio(80.0, 90.0, 100.0));
        assert!(slow.contains("took 90.0 times as long") && slow.contains("computed again"));
        assert!(!window_insight(&ratio(0.98, 1.0, 1.02)).contains("computed again"));
        assert!(window_insight(&ratio(0.4, 0.5, 0.6)).starts_with("A token within the context"));
    }

    #[test]
    fn a_cache_is_said_to_save_more_with_the_length_only_where_the_spreads_allow_it() {
        let kept = ratio(11.0, 12.0, 13.0);
        let said = |first, last, others| speedup_insight((25, first), (200, last), &kept, others);
        let (low, high) = (ratio(3.0, 3.5, 4.0), ratio(30.0, 37.0, 40.0));
        let rises = said(low, high, 0);
        assert!(rises.contains("Generating 200 tokens without a cache took 37.0 times"), "{rises}");
        assert!(rises.contains("the more the cache saves"), "{rises}");
        assert!(rises.contains("The tokens are the same in every run."), "{rises}");
        assert!(rises.contains("emptied before each took 12.0 times as long"), "{rises}");
        assert!(said(high, low, 0).contains("the less the cache saves"));
        assert!(said(low, ratio(3.5, 4.5, 5.0), 0).contains("no clear difference"));
        assert!(said(low, high, 3).contains("But 3 answers have other tokens"));
    }

    #[test]
    fn as_many_sequences_are_said_to_fit_as_there_is_memory_for() {
        let said = |sequence| cache_size_insight(524_288, sequence, 80 << 30);
        let many = said(2 << 30);
        assert!(many.starts_with("A token takes 512.0 KiB, a sequence 2.0 GiB: 40"), "{many}");
        assert!(said(70 << 30).contains("one sequence fits into 80.0 GiB"));
        assert!(said(90 << 30).contains("one sequence alone does not fit into 80.0 GiB"));
    }
}

mod profiling {
    use super::ratio;
    use tinytorch::insights::profiling::{
        backward_insight, batch_insight, first_run_insight, hot_spot_insight, parts_insight,
        refused_note, roof_insight, roofline_insight, stream_insight, tail_insight,
        tracing_insight,
    };

    fn hot_spot(parts: &[(&str, f64, f64)]) -> String {
        let parts: Vec<_> = parts.iter().map(|&(name, s, n)| (name.to_owned(), s, n)).collect();
        hot_spot_insight("the model", &parts, |share| 1.0 / (1.0 - share))
    }

    #[test]
    fn a_hot_spot_is_slow_for_its_operations_only_where_its_share_of_time_is_larger() {
        let slow = hot_spot(&[("pooling", 6.0, 2.0), ("product", 4.0, 98.0)]);
        let start = "Of the time of the model, pooling takes 60 %, with 2 % of the operations: an operation takes longer";
        assert!(slow.starts_with(start), "{slow}");
        assert!(slow.contains("the whole would be 2.50 times as fast"), "{slow}");
        let fast = hot_spot(&[("pooling", 2.0, 2.0), ("product", 3.0, 98.0)]);
        assert!(fast.contains("product takes 60 %, with 98 %"), "{fast}");
        assert!(fast.contains("an operation takes less time there"), "{fast}");
        let average = hot_spot(&[("a", 6.0, 60.0), ("b", 4.0, 40.0)]);
        assert!(average.contains("about as long there as on average"), "{average}");
        assert!(hot_spot(&[]).contains("nothing to profile"));
    }

    #[test]
    fn parts_of_a_kind_are_added_up_only_where_there_are_several() {
        let blocks = [
            ("block 1: attention", 3.0, 30.0),
            ("block 2: attention", 2.0, 30.0),
            ("output", 5.0 - 2.5, 40.0),
            ("block 1: norm", 2.5, 25.0),
        ];
        let said = hot_spot(&blocks);
        let kind = "The 2 parts of its kind, attention, together take 50 %: without all of them, 2.00 times.";
        assert!(said.contains(kind), "{said}");
        let alone = hot_spot(&[("block 1: attention", 3.0, 30.0), ("block 2: MLP", 2.0, 30.0)]);
        assert!(!alone.contains("of its kind"), "{alone}");
    }

    #[test]
    fn the_part_with_the_slowest_operations_is_named_where_it_is_not_the_hot_spot_itself() {
        let said = hot_spot(&[("product", 60.0, 95.0), ("GELU", 40.0, 0.5), ("view", 5.0, 0.0)]);
        let slow =
            "An operation takes the longest in GELU: 38 % of the time for 0.5 % of the operations.";
        assert!(said.contains(slow), "{said}");
        let itself = hot_spot(&[("GELU", 60.0, 5.0), ("product", 40.0, 95.0)]);
        assert!(!itself.contains("takes the longest"), "{itself}");
        let alike = hot_spot(&[("a", 51.0, 51.0), ("b", 49.0, 49.0)]);
        assert!(!alike.contains("takes the longest"), "{alike}");
    }

    #[test]
    fn a_profile_and_a_timeline_agree_only_where_their_times_do() {
        let slower = parts_insight(5.8e-3, 20.9e-3);
        assert!(
            slower.contains("5.80 ms") && slower.contains("20.90 ms, 3.6 times as long"),
            "{slower}"
        );
        assert!(slower.contains("medians of runs without a history"), "{slower}");
        assert!(parts_insight(5.0e-3, 5.2e-3).contains("both agree"));
        let faster = parts_insight(5.0e-3, 4.0e-3);
        assert!(faster.contains("less than the parts alone"), "{faster}");
        assert!(!faster.contains("history"), "{faster}");
    }

    #[test]
    fn a_backward_pass_is_compared_with_two_forward_passes_only_where_it_can_be_seen() {
        let two = backward_insight(ratio(2.8, 3.0, 3.2));
        assert!(two.contains("took 3.0 times as long as forward alone"), "{two}");
        assert!(two.contains("costs 2.0 forward passes, about the two"), "{two}");
        assert!(
            backward_insight(ratio(4.5, 5.0, 5.5)).contains("costs 4.0 forward passes, more than")
        );
        assert!(
            backward_insight(ratio(1.9, 2.0, 2.1)).contains("costs 1.0 forward passes, less than")
        );
        for (wide, costs) in [(ratio(2.02, 2.4, 2.99), "1.4"), (ratio(2.9, 3.5, 4.2), "2.5")] {
            let said = backward_insight(wide);
            assert!(
                said.contains(&format!("costs {costs} forward passes. Its products")),
                "{said}"
            );
            assert!(said.contains("too far to confirm or to refute"), "{said}");
        }
        let noisy = backward_insight(ratio(1.0, 3.0, 6.0));
        assert!(noisy.contains("disagree too much") && !noisy.contains("costs"), "{noisy}");
        assert!(!backward_insight(ratio(0.9, 1.0, 1.1)).contains("costs"));
    }

    #[test]
    fn a_stream_comes_from_memory_only_where_it_is_twice_as_long_as_the_largest_cache() {
        let said = |stream: usize, cache: Option<usize>| {
            stream_insight(stream << 20, cache.map(|mebibytes| mebibytes << 20))
        };
        let long = said(64, Some(32));
        assert!(long.contains("64 MiB, at least twice the largest cache, 32 MiB"), "{long}");
        assert!(long.contains("most of it must come from memory"), "{long}");
        let short = said(512, Some(480));
        assert!(short.contains("512 MiB, less than twice the largest cache, 480 MiB"), "{short}");
        assert!(short.contains("may be lower than the probe says"), "{short}");
        let unknown = said(256, None);
        assert!(unknown.contains("does not say how large its caches are"), "{unknown}");
        assert!(!unknown.contains("must come from memory"), "{unknown}");
    }

    #[test]
    fn operations_are_left_or_right_of_the_ridge_point_and_above_or_below_the_roof() {
        let said = |ridge, operations: &[(&str, f64, f64)]| {
            let operations: Vec<_> =
                operations.iter().map(|&(name, i, part)| (name.to_owned(), i, part)).collect();
            roofline_insight(ridge, &operations)
        };
        let all = said(
            20.0,
            &[("add", 0.1, 4.0), ("norm", 0.8, 0.9), ("exp", 0.5, 0.02), ("dot", 40.0, 0.1)],
        );
        assert!(all.contains("20.0 FLOP/B, the roof is that of memory: add, norm, exp."), "{all}");
        assert!(all.contains("Right of it the roof is the peak: dot."), "{all}");
        assert!(all.contains("where neither limit is reached: exp, dot."), "{all}");
        assert!(all.contains("Within a factor of two of their roof: norm."), "{all}");
        assert!(all.contains("Above the roof of memory: add. Either their numbers"), "{all}");
        assert!(!all.contains("Above the peak"), "{all}");
        let fast = said(0.05, &[("add", 0.1, 1.2)]);
        assert!(fast.contains("that of memory: none."), "{fast}");
        assert!(
            fast.contains("Above the peak: add. The probe of the peak was disturbed"),
            "{fast}"
        );
        assert!(!fast.contains("Above the roof") && !fast.contains("neither"), "{fast}");
        let slow = said(20.0, &[("add", 0.1, 0.3)]);
        assert!(slow.contains("Right of it the roof is the peak: none."), "{slow}");
        assert!(!slow.contains("Above") && !slow.contains("Within"), "{slow}");
    }

    #[test]
    fn a_first_run_is_called_slow_only_where_it_was() {
        assert!(first_run_insight(1.5).contains("1.5 times"));
        assert!(first_run_insight(1.5).contains("a single timing without a warm-up would have"));
        assert!(first_run_insight(1.0).contains("it was like the others"));
        assert!(first_run_insight(0.7).contains("something slowed those down"));
    }

    #[test]
    fn a_median_hides_slow_runs_only_where_there_are_some() {
        let slow = tail_insight(0.5e-3, 8.0e-3);
        assert!(slow.contains("One run in 20 took at least 16.0 times the median"), "{slow}");
        let even = tail_insight(0.5e-3, 0.55e-3);
        assert!(even.contains("at most 1.10 times the median"), "{even}");
        assert!(even.contains("the median says almost all"), "{even}");
    }

    #[test]
    fn events_that_are_not_counted_are_listed_once_for_each_error() {
        let none: &[(&str, String)] = &[];
        assert_eq!(refused_note(none), None);
        let [absent, denied] = ["No such file", "Permission denied"].map(str::to_owned);
        let note =
            refused_note(&[("cycles", absent.clone()), ("faults", denied), ("misses", absent)]);
        let wanted = "Not counted, with the kernel's error: cycles, misses (No such file); faults (Permission denied).";
        assert_eq!(note.as_deref(), Some(wanted));
    }

    #[test]
    fn a_batch_and_a_trace_are_explained_only_where_they_made_a_difference() {
        let (more, less) = (ratio(1.4, 1.5, 1.6), ratio(0.4, 0.5, 0.6));
        let (same, noisy) = (ratio(0.98, 1.0, 1.02), ratio(0.5, 1.0, 3.0));
        assert!(batch_insight(more).contains("shared by the batch"));
        assert!(batch_insight(less).contains("do not stay in the cache"));
        for unclear in [same, noisy] {
            let said = batch_insight(unclear);
            assert!(!said.contains("shared by") && !said.contains("cache"), "{said}");
        }
        assert!(tracing_insight(more).contains("part of what it observes"));
        assert!(tracing_insight(same).contains("cheap enough here"));
        for unclear in [less, noisy] {
            let said = tracing_insight(unclear);
            assert!(!said.contains("observes") && !said.contains("cheap"), "{said}");
        }
    }

    #[test]
    fn a_roof_names_the_limit_that_is_met() {
        let memory = roof_insight(2.0, 10.0, [1e-6, 5e-6]);
        let start = "Memory-bound: moving takes at least 5.0 microseconds, computing 1.0 micro";
        assert!(memory.starts_with(start), "{memory}");
        let compute = roof_insight(10.0, 10.0, [5e-6, 5e-6]);
        assert!(compute.starts_with("Compute-bound: computing takes at least 5.0"), "{compute}");
        let far = roof_insight(18.0, 0.1, [1.2, 2.6e-9]);
        assert!(far.contains("takes at least 1.2 s, moving 2.6 ns."), "{far}");
    }
}

mod benchmarking {
    use tinytorch::insights::benchmarking::{
        efficiency_insight, growth_insight, sampling_insight, variance_insight,
    };

    #[test]
    fn the_width_follows_the_law_only_where_the_fitted_exponent_does() {
        let law = [0.08, 0.057, 0.04, 0.028, 0.02, 0.014];
        let said = |fitted| variance_insight(fitted, &law, &law, [2, 0]);
        assert!(
            said(-0.5).contains("from 8.00 % to 1.40 % of the median, with the exponent -0.50")
        );
        assert!(said(-0.5).contains("about the -0.5 of the law"));
        assert!(said(-0.9).contains("faster than the -0.5 of the law"));
        assert!(said(-0.2).contains("these runs are not independent"));
        assert!(said(0.0).contains("more runs did not help here"));
        assert!(said(f64::NAN).contains("The clock cannot tell"));
        assert!(variance_insight(-0.5, &[0.0, 0.0], &law, [0, 0]).contains("The clock cannot"));
        let jump = [0.08, 0.08, 0.08, 0.07, 0.014, 0.014];
        let found = variance_insight(-0.6, &jump, &law, [2, 0]);
        assert!(found.contains("but not step by step"), "{found}");
        assert!(!found.contains("about the -0.5 of the law"), "{found}");
    }

    #[test]
    fn a_remedy_against_false_differences_is_praised_only_where_there_were_fewer() {
        let said = |alarms| variance_insight(-0.5, &[0.08, 0.014], &[0.08, 0.014], alarms);
        assert!(said([0, 0]).contains("never looked different"));
        assert!(said([3, 0]).contains("3 found a difference, and 0 with correction"));
        assert!(said([3, 3]).contains("and still 3 with"));
        assert!(said([0, 2]).contains("and still 2 with"));
    }

    #[test]
    fn a_share_of_the_peak_is_called_large_or_small_as_it_is() {
        let said = |small, large| efficiency_insight(small, large);
        let little = said([0.02, 0.03, 0.04], [0.05, 0.06, 0.07]);
        assert!(little.contains("3.0 % (2.0 to 4.0)") && little.contains("is not asked for"));
        assert!(little.contains("larger products use the core better"), "{little}");
        let falls = said([0.5, 0.55, 0.6], [0.3, 0.35, 0.4]);
        assert!(falls.contains("use the core worse") && falls.contains("another order"), "{falls}");
        let wide = said([0.08, 0.083, 0.085], [0.011, 0.088, 0.092]);
        assert!(wide.contains("disagree too much") && !wide.contains("no clear"), "{wide}");
        let flat = said([0.7, 0.8, 0.9], [0.7, 0.85, 0.9]);
        assert!(flat.contains("no clear difference") && flat.contains("little left"), "{flat}");
    }

    #[test]
    fn an_exponent_agrees_with_the_count_of_operations_or_it_does_not() {
        let said = |product| growth_insight(product, [1.9, 2.0, 2.1]);
        let agrees = said([2.9, 3.0, 3.1]);
        assert!(agrees.contains("power 3.00 (2.90 to 3.10), in agreement with the 3"), "{agrees}");
        assert!(agrees.contains("A sum grows with the power 2.00"), "{agrees}");
        assert!(said([2.5, 2.6, 2.7]).contains("less than 3: at small sizes a fixed cost"));
        assert!(said([3.2, 3.3, 3.4]).contains("more than 3: larger data"));
        assert!(said([f64::NAN; 3]).contains("A product has no exponent"));
    }

    #[test]
    fn one_series_is_compared_with_many_in_both_directions() {
        let said = |one| sampling_insight("median", one, [99.0, 103.0], 2);
        assert!(said([99.0, 103.0]).contains("4.0 ms for its median, about as wide as the 4.0 ms"));
        assert!(said([95.0, 105.0]).contains("wider than"));
        assert!(said([100.0, 101.0]).contains("narrower than"));
        assert!(said([95.0, 105.0]).contains("the middle 95 % of 300 series lie"));
        assert!(said([95.0, 105.0]).contains("Tukey's fences flag 2 of its runs"));
        let none = sampling_insight("mean", [100.0, 100.0], [100.0, 100.0], 0);
        assert!(none.starts_with("Here every series has the same mean"), "{none}");
    }
}

mod capstone {
    use tinytorch::insights::capstone::{
        guard_insight, integration_insight, length_insight, overlap_insight, production_insight,
    };

    const FASTER: [f64; 3] = [9.0, 10.0, 11.0];
    const SAME: [f64; 3] = [0.97, 1.0, 1.02];
    const SLOWER: [f64; 3] = [0.7, 0.8, 0.9];

    #[test]
    fn the_credit_goes_to_the_step_that_is_missed_most_and_only_if_it_is_missed() {
        let total = [140.0, 150.0, 160.0];
        let steps = [("KV cache", FASTER), ("int8", SAME), ("backend", SLOWER)];
        let said = integration_insight(total, &steps, [300.0, 150.0]);
        assert!(
            said.contains("150 times as many tokens") && said.contains("(140 to 160)"),
            "{said}"
        );
        assert!(said.contains("depends on KV cache: without it, 10.0 times fewer"), "{said}");
        assert!(said.contains("No clear effect on speed: int8."), "{said}");
        assert!(said.contains("Slower with it than without: backend."), "{said}");
        let none = integration_insight(total, &[("int8", SAME)], [150.0, 150.0]);
        assert!(none.contains("no step alone makes a clear difference"), "{none}");
        let broken = integration_insight([f64::NAN; 3], &steps, [1.0, 1.0]);
        assert!(broken.contains("took no time that the clock can see"), "{broken}");
    }

    #[test]
    fn what_two_steps_have_together_is_compared_with_their_promise_in_each_direction() {
        let said = |both| integration_insight([9.0; 3], &[], [100.0, both]);
        assert!(said(50.0).contains("save partly the same work"));
        assert!(said(105.0).contains("about the same"));
        assert!(said(150.0).contains("makes the other worth more"));
        let figure = |together| overlap_insight([4.0, 2.0], together);
        assert!(
            figure(5.0).contains("by multiplication 8.00; together 5.00: they speed up the same")
        );
        assert!(figure(8.1).contains("the product is about right"));
        assert!(figure(9.0).contains("the larger share"));
    }

    #[test]
    fn a_guard_that_holds_on_the_validation_set_may_break_on_the_test_set() {
        let said = |end| guard_insight(&["int8"], &["pruning by 0.9"], [8.0, end, 8.4]);
        assert!(said(8.2).contains("Kept: int8; rolled back: pruning by 0.9."));
        assert!(said(8.2).contains("from 8.00 to 8.20, within the limit (8.40)"));
        assert!(said(7.9).contains("no worse than at the start"));
        assert!(said(8.5).contains("does not hold on new text"));
        assert!(said(f64::NAN).contains("broke the model"));
        assert!(guard_insight(&[], &[], [8.0, 8.0, 8.4]).contains("Kept: none; rolled back: none"));
    }

    #[test]
    fn a_speed_up_grows_with_the_length_only_where_its_intervals_do_not_overlap() {
        let grew = length_insight(0.9, [20.0, 25.0, 30.0], [80.0, 90.0, 99.0]);
        assert!(grew.contains("25.0 (20.0 to 30.0)") && grew.contains("power 0.90"), "{grew}");
        let fell = length_insight(-0.5, [80.0, 90.0, 99.0], [20.0, 25.0, 30.0]);
        assert!(fell.contains("here it falls with the length"), "{fell}");
        let flat = length_insight(0.1, [20.0, 25.0, 30.0], [25.0, 27.0, 33.0]);
        assert!(flat.contains("no clear growth"), "{flat}");
        assert!(length_insight(f64::NAN, SAME, SAME).contains("generate more tokens"));
    }

    #[test]
    fn a_device_is_opened_missed_or_lost_by_its_tightest_limit() {
        let devices = [
            ("a watch", false, ("file", 1.5)),
            ("a sensor", false, ("file", 0.3)),
            ("a phone", true, ("memory", 0.9)),
        ];
        let said = production_insight(&devices);
        assert!(said.contains("meets the budgets of a watch, which the start did not"), "{said}");
        assert!(said.contains("Still missed: a sensor (file), a phone (memory)."), "{said}");
        assert!(said.ends_with("Lost: a phone."), "{said}");
        let none = production_insight(&[("a phone", true, ("file", 2.0))]);
        assert!(none.contains("opens no device") && none.contains("No budget is missed"), "{none}");
        let unknown = production_insight(&[("a phone", false, ("file", f64::NAN))]);
        assert!(unknown.contains("Still missed: a phone"), "{unknown}");
    }
}

mod compression {
    use super::{Ratio, ratio};
    use tinytorch::footprints::Footprint;
    use tinytorch::insights::compression::{
        budget_insight, distillation_insight, memory_insight, pareto_insight, pruned_insight,
        pruning_insight, ratio_insight, speedup_insight, structured_insight,
    };
    use tinytorch::testing::{Comparison, Timing};

    /// A comparison of which only the quotients matter.
    fn timed(ratio: Ratio) -> Comparison {
        let time = Timing { median: 1.0, low: 1.0, high: 1.0 };
        Comparison { first: time, second: time, ratio }
    }

    #[test]
    fn fine_tuning_is_praised_only_where_it_repaired_something() {
        let said = |once, gradual| pruning_insight(0.97, once, gradual, 360);
        let repaired = said(0.4, 0.96);
        assert!(repaired.contains("reads 40.0 %, clearly fewer than dense"), "{repaired}");
        assert!(repaired.contains("96.0 %, not clearly more or fewer"), "{repaired}");
        assert!(repaired.ends_with("repaired what pruning broke."), "{repaired}");
        assert!(said(0.4, 0.9).ends_with("repaired a part of what pruning broke."));
        assert!(said(0.96, 0.965).ends_with("made no clear difference."));
        assert!(said(0.96, 0.5).ends_with("did harm."));
    }

    #[test]
    fn a_file_is_set_beside_a_small_network_of_the_same_size() {
        let said = |small, control| ratio_insight(42.0, [0.96, small, control], 360);
        let same = said(0.95, 0.96);
        assert!(same.contains("42.0 times smaller") && same.contains("not clearly more or fewer"));
        assert!(same.ends_with("so this task did not need the large network."), "{same}");
        assert!(said(0.95, 0.8).ends_with("is the better use of these bytes."));
        assert!(said(0.7, 0.95).contains("clearly fewer than the dense one's 96.0 %"));
        assert!(said(0.7, 0.95).ends_with("the small one would have been better."));
        assert!(ratio_insight(0.5, [0.9; 3], 360).contains("2.0 times larger"));
    }

    #[test]
    fn a_sparse_layer_is_called_faster_only_from_where_on_it_stays_faster() {
        let (slow, fast, noisy) =
            (ratio(0.2, 0.3, 0.31), ratio(1.9, 2.0, 2.1), ratio(1.5, 3.0, 9.0));
        let said = |batch, own: [Ratio; 3], tuned: [Ratio; 3]| {
            let both = |at: usize| [own[at], tuned[at]].map(timed);
            speedup_insight(batch, &[(0.5, both(0)), (0.8, both(1)), (0.9, both(2))])
        };
        let own = |batch, own| said(batch, own, [slow; 3]);
        let late = own(1, [slow, slow, fast]);
        let start =
            "With 1 input the sparse layer is faster than your dense layer from a sparsity of 0.9";
        assert!(late.starts_with(start), "{late}");
        assert!(late.contains("2.0 times as long (1.90 to 2.10"), "{late}");
        assert!(own(64, [fast; 3]).contains("at every sparsity that was measured, from 0.5 on"));
        assert!(own(64, [fast, slow, fast]).contains("from a sparsity of 0.9 on"));
        assert!(own(64, [fast, fast, slow]).contains("than your dense layer at the highest"));
        let unsure = own(64, [slow, slow, noisy]);
        assert!(unsure.contains("disagree on how many") && !unsure.contains("3.0"), "{unsure}");
    }

    #[test]
    fn a_tuned_dense_product_is_judged_by_its_own_times() {
        let (slow, fast) = (ratio(0.2, 0.3, 0.31), ratio(1.9, 2.0, 2.1));
        let both = [fast, slow].map(timed);
        let never = speedup_insight(64, &[(0.5, both), (0.9, both)]);
        let tuned =
            "With 64 inputs the sparse layer is not clearly faster than ndarray's dense product";
        assert!(never.contains(tuned), "{never}");
        let late = speedup_insight(64, &[(0.5, both), (0.9, [fast, fast].map(timed))]);
        assert!(
            late.contains("faster than ndarray's dense product from a sparsity of 0.9"),
            "{late}"
        );
    }

    #[test]
    fn a_smaller_layer_is_explained_only_where_it_was_faster() {
        assert!(structured_insight(ratio(1.8, 2.0, 2.1)).ends_with("no index is looked up."));
        assert!(!structured_insight(ratio(0.9, 1.0, 1.1)).contains("index"));
        assert!(structured_insight(ratio(0.4, 0.5, 0.6)).starts_with("Half of the units took 2.0"));
    }

    #[test]
    fn memory_is_saved_only_from_where_on_the_sparse_form_is_smaller() {
        let said =
            |sparse: [f64; 2]| memory_insight(&[(0.5, 4.0, sparse[0]), (0.9, 4.0, sparse[1])]);
        assert!(said([4.1, 0.8]).contains("from a sparsity of 0.9 on: there 0.20 times"));
        assert!(said([2.0, 0.8]).contains("from a sparsity of 0.5 on: there 0.50 times"));
        assert!(said([4.1, 4.0]).contains("more memory at every sparsity"));
        assert!(said([4.1, f64::NAN]).contains("not counted"));
    }

    #[test]
    fn a_teacher_helps_only_where_the_seeds_agree_beyond_the_sample_error() {
        let said = |added, soft| distillation_insight(added, [0.7, soft], 360);
        assert!(said([0.1, 0.12, 0.15], 0.82).ends_with("so the teacher helped."));
        assert!(said([-0.15, -0.12, -0.1], 0.58).ends_with("so the teacher did harm."));
        assert!(said([0.01, 0.03, 0.05], 0.73).contains("within twice its standard error"));
        assert!(said([-0.02, 0.12, 0.15], 0.82).contains("the seeds disagree"));
    }

    #[test]
    fn the_smallest_model_that_is_as_good_is_named() {
        let model = |name: &str, bytes, accuracy| {
            (name.to_owned(), Footprint { bytes, seconds: 0.0, memory: 0.0, accuracy })
        };
        let found = [model("dense", 100.0, 0.95), model("a", 10.0, 0.945), model("b", 1.0, 0.8)];
        let said = pareto_insight(&found, &[true, false, false], 360);
        assert!(said.starts_with("1 of 3 models are dominated."), "{said}");
        assert!(said.ends_with("is \"a\", in a file 10.0 times smaller."), "{said}");
        let alone = [model("dense", 100.0, 0.95), model("b", 1.0, 0.8)];
        let said = pareto_insight(&alone, &[false, false], 360);
        assert!(said.starts_with("No model is dominated") && said.ends_with("dense one itself."));
    }

    #[test]
    fn a_scenario_without_a_model_is_named_with_what_is_missed() {
        let verdicts = [("sensor", String::new()), ("toy", "size, latency".to_owned())];
        let said = budget_insight(&verdicts);
        assert!(said.starts_with("1 of 2 scenarios"), "{said}");
        assert!(said.ends_with("by which figure: toy (size, latency)."), "{said}");
        assert!(budget_insight(&verdicts[..1]).ends_with("None is left without a model."));
    }

    #[test]
    fn what_pruning_cost_is_said_in_each_direction() {
        let said = |after| pruned_insight(0.9, 0.95, after, 360);
        assert!(said(0.5).contains("90 % of the weights are gone: fewer digits are read"));
        assert!(said(0.95).contains("no clear difference"));
        assert!(pruned_insight(0.9, 0.5, 0.95, 360).contains("more digits are read"));
    }
}

mod acceleration {
    use super::ratio;
    use tinytorch::insights::acceleration::{
        ENGINE, ladder_insight, pairs_insight, sizes_insight, steps_insight,
    };
    use tinytorch::testing::Comparison;

    #[test]
    fn the_step_that_is_missed_most_is_named_and_none_where_none_is() {
        let [same, slow, slower] =
            [ratio(0.98, 1.0, 1.02), ratio(1.4, 1.5, 1.6), ratio(5.0, 6.0, 7.0)];
        let said = ladder_insight(&ratio(30.0, 40.0, 50.0), [slow, slower, same]);
        assert!(said.contains("i-j-k loops took 40.0 times as long as packed tiles"), "{said}");
        assert!(said.contains("Of these, the kernel without a tile was the slowest."), "{said}");
        let none = ladder_insight(&ratio(0.5, 0.6, 0.7), [same; 3]);
        assert!(none.contains("Packed tiles on all cores took 1.7 times as long"), "{none}");
        assert!(none.contains("None of these steps is clearly missed here."), "{none}");
        let noisy = ladder_insight(&ratio(0.5, 0.6, 0.7), [same, same, ratio(0.5, 9.0, 90.0)]);
        let unclear = "Which of these steps is missed most, these pairs do not say.";
        assert!(noisy.contains(unclear), "{noisy}");
    }

    #[test]
    fn each_step_of_the_ladder_is_said_beside_the_one_before_it() {
        let pair = |ratio| Comparison { ratio, ..Comparison::of(&[(1.0, 1.0)]) };
        let said = steps_insight(&[
            ("a", "b", pair(ratio(3.0, 4.0, 5.0))),
            ("b", "c", pair(ratio(0.2, 0.25, 0.3))),
            ("c", "d", pair(ratio(0.98, 1.0, 1.02))),
        ]);
        assert!(said.contains("A took 4.0 times as long as b"), "{said}");
        assert!(said.contains("C took 4.0 times as long as b"), "{said}");
        assert!(said.contains("no clear difference here between c and d"), "{said}");
    }

    #[test]
    fn a_step_pays_from_the_size_from_which_on_it_always_does() {
        let [no, yes] = [ratio(0.9, 1.0, 1.1), ratio(1.5, 1.6, 1.7)];
        let late = [(16, yes), (32, no), (64, yes), (128, yes)];
        let said = sizes_insight(&late, &[(64, no), (128, yes)], 2);
        assert!(said.contains("From n = 64 on, packed tiles were clearly faster"), "{said}");
        assert!(
            said.contains("From n = 128 on, 2 threads were clearly faster than one."),
            "{said}"
        );
        let never = sizes_insight(&[(16, yes), (32, no)], &[(64, no)], 2);
        assert!(never.contains("not clearly faster than the plain loops"), "{never}");
        assert!(never.contains("2 threads were not clearly faster than one"), "{never}");
        assert!(sizes_insight(&[], &[(64, yes)], 1).contains("threads cannot pay"));
    }

    #[test]
    fn each_pair_of_the_engine_has_its_sentence() {
        let said = pairs_insight(ENGINE, [ratio(3.0, 4.0, 5.0), ratio(0.9, 1.0, 1.1)]);
        assert!(said.contains("The CNN on plain loops took 4.0 times as long as"), "{said}");
        assert!(said.contains("no clear difference here between a GPT step"), "{said}");
    }
}
