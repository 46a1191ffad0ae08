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
