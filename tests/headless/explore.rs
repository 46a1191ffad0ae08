//! Interactive figures without a screen.

use super::*;

#[test]
fn a_list_names_every_figure_and_so_does_the_error_for_an_unknown_one() {
    let desk = Desk::new();
    let listed = desk.run(&["explore", "--list"]);
    assert_eq!(code(&listed), 0, "{}", said(&listed));
    let lines = out(&listed);
    let known = |name: &str, module: &str| {
        lines.lines().any(|line| line.starts_with(name) && line.contains(module))
    };
    assert!(known("explore_learning_rate", "06_optimizers"), "{lines}");
    assert!(known("explore_convolution", "09_spatial"), "{lines}");
    let unknown = desk.at_lab(&["explore", "nothing"]);
    assert_eq!(code(&unknown), 2);
    assert!(said(&unknown).contains("explore_learning_rate"), "{}", said(&unknown));
}

#[test]
fn a_frame_uses_its_settings_and_names_whose_code_computed_it() {
    let desk = Desk::new();
    let explore = |settings: &[&str]| {
        let all = [&["explore", "learning_rate", "--format", "json"], settings].concat();
        desk.at_lab(&all)
    };
    let frame = explore(&["--set", "optimizer=Adam", "--set", "learning rate=0.2"]);
    assert_eq!(code(&frame), 0, "{}", said(&frame));
    let frame: Value = serde_json::from_str(&out(&frame)).unwrap();
    assert_eq!(frame["controls"][0]["value"], "Adam");
    assert_eq!(frame["controls"][1]["value"], 0.2);
    assert_eq!(frame["verdict"]["state"], "passed");
    assert_eq!(frame["unfinished"]["unfinished"], "todo", "the lab has starters");
    assert_eq!(frame["items"][0]["type"], "chart");

    for (setting, answer) in [
        ("rate=1", "Its controls are optimizer, learning rate, momentum."),
        ("optimizer=Adagrad", "is one of SGD, Adam, AdamW"),
        ("optimizer", "CONTROL=VALUE"),
    ] {
        let refused = explore(&["--set", setting]);
        assert_eq!(code(&refused), 2, "{}", said(&refused));
        assert!(said(&refused).contains(answer), "{}", said(&refused));
    }
}
