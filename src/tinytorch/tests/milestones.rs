//! What the milestones say of made-up figures. They are programs of their own, so their source is included.

#[path = "../milestones/1998_cnn.rs"]
#[expect(dead_code, reason = "only the insight is tested")]
mod cnn;
#[path = "../milestones/1986_mlp.rs"]
#[expect(dead_code, reason = "only the insight is tested")]
mod mlp;
#[path = "../milestones/1957_perceptron.rs"]
#[expect(dead_code, reason = "only the insight is tested")]
mod perceptron;
#[path = "../milestones/1969_xor.rs"]
#[expect(dead_code, reason = "only the insight is tested")]
mod xor;

#[test]
fn a_network_is_called_better_only_beyond_the_sample_error() {
    let said =
        |dense, convolutional| cnn::comparison_insight((dense, 2410), (convolutional, 1898), 360);
    let names = ["The convolutional network read more", "The dense network read more"];
    let same =
        "There is no clear difference: they are 0.9 points apart, with a standard error of 1.2";
    for (dense, convolutional) in [(0.969, 0.978), (0.978, 0.969)] {
        let text = said(dense, convolutional);
        assert!(text.contains("96.9 % +- 0.9") && text.contains("97.8 % +- 0.8"), "{text}");
        assert!(text.contains(same) && !names.iter().any(|name| text.contains(name)), "{text}");
    }
    let better = said(0.90, 0.97);
    assert!(better.contains(names[0]) && !better.contains(names[1]), "{better}");
    assert!(better.contains("Dense network: 2410 parameters, 90.0 % +- 1.6."), "{better}");
    let worse = said(0.97, 0.90);
    assert!(worse.contains(names[1]) && !worse.contains(names[0]), "{worse}");
    for text in [better, worse] {
        assert!(text.contains("7.0 points apart, with a standard error of 1.8"), "{text}");
        assert!(!text.contains("no clear difference"), "{text}");
    }
}

#[test]
fn an_accuracy_carries_its_error_and_guessing_is_called_so() {
    let read = mlp::accuracy_insight(0.969, 360);
    assert!(read.contains("+- 0.9") && read.contains("hidden units: backpropagation"), "{read}");
    assert!(mlp::accuracy_insight(0.11, 360).contains("not clearly better than guessing"));
    let learned = perceptron::accuracy_insight(0.97, 200);
    assert!(learned.contains("+- 1.2") && learned.contains("a line"), "{learned}");
    assert!(perceptron::accuracy_insight(0.52, 200).contains("not clearly better than guessing"));
}

#[test]
fn one_layer_and_two_are_judged_by_what_they_reached() {
    let expected = xor::layers_insight(75.0, 100.0);
    assert!(expected.contains("at most three") && expected.contains("all four"), "{expected}");
    assert!(xor::layers_insight(100.0, 100.0).contains("no straight line can"));
    assert!(xor::layers_insight(75.0, 75.0).contains("did not from most seeds"));
}
