//! What the analyses say of made-up figures: the expected finding, no clear difference, the opposite, and a
//! measurement that is too noisy.

use tinytorch::testing::Ratio;

fn ratio(low: f64, median: f64, high: f64) -> Ratio {
    Ratio { median, low, high }
}

mod autograd {
    use super::ratio;
    use tinytorch::autograd::{
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
        assert!(faster.contains("backward took 2.0 times as long"), "{faster}");
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
        assert!(said(0.7, 0.8, 0.9).contains("the forward pass took 1.2 times"));
        let noisy = said(0.5, 1.5, 4.0);
        assert!(noisy.contains("disagree") && !noisy.contains("1.75"), "{noisy}");
    }
}

mod dataloader {
    use super::ratio;
    use tinytorch::dataloader::{
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
        assert!(same.contains("a shuffled epoch took 2.0 times"), "{same}");
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
        assert!(faster.contains("gathering took 2.0") && faster.contains("cost less"), "{faster}");
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
