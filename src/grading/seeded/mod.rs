//! For each module the functions that draw inputs from a seed and collect what its cells return for them, one file a module.
//! A function has the name of the test after which it runs in the sandbox, and the same function on the reference gives
//! what is expected. Must not know how they are compiled and compared.

use crate::runner::SeededModule;

macro_rules! modules {
    ($($name:ident)*) => {
        $(mod $name;)*

        /// The functions of the module of that name.
        pub(super) fn of(name: &str) -> Option<&'static SeededModule> {
            match name {
                $(stringify!($name) => {
                    const MODULE: &SeededModule = &SeededModule {
                        text: include_str!(concat!(stringify!($name), ".rs")),
                        functions: $name::ALL,
                    };
                    Some(MODULE)
                })*
                _ => None,
            }
        }
    };
}

modules! {
    setup tensor activations layers losses autograd optimizers spatial
    tokenization embeddings attention transformers memoization quantization compression
    training dataloader profiling acceleration benchmarking capstone
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curriculum::{Course, Module, cells};
    use tinytorch::outputs::Outputs;
    use tinytorch::random::Rng;

    fn modules() -> impl Iterator<Item = (&'static Module, &'static SeededModule)> {
        Course::tinytorch().modules().iter().filter_map(|it| Some((it, of(&it.name)?)))
    }

    #[test]
    fn each_function_runs_after_a_test_and_is_in_the_file_of_its_module() {
        for (module, seeded) in modules() {
            assert!(seeded.text.contains(&format!("use tinytorch::{} as subject;", module.name)));
            let cells = cells::parse(module.reference());
            for (test, _) in seeded.functions {
                let known = cells.iter().any(|cell| cell.tests().contains(test));
                assert!(known, "{}: there is no test {test}", module.slug());
                assert!(seeded.text.contains(&format!("\nfn {test}(")), "{test}");
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_outputs_and_another_seed_others() {
        let mut wrong = vec![];
        for (module, seeded) in modules() {
            for (test, function) in seeded.functions {
                let outputs = |seed| {
                    let mut outputs = Outputs::default();
                    function(&mut Rng::seeded(seed), &mut outputs);
                    outputs
                };
                let is_drawn = std::panic::catch_unwind(|| {
                    let same = outputs(1).difference(&outputs(1)).is_none();
                    same && (2..12).any(|seed| outputs(seed).difference(&outputs(1)).is_some())
                });
                if !is_drawn.unwrap_or(false) {
                    wrong.push(format!("{} {test}", module.slug()));
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}
