//! How a result was made: the operations of tensors by name, the functions of one element, and whether computing is
//! recorded. Lesson 05 reads it; it knows no tensor.

use std::cell::Cell;
use std::ops::Range;
use std::sync::Arc;

/// How a tensor was made.
#[derive(Debug, Clone)]
pub enum Op {
    /// Not computed: given by the user.
    Leaf,
    /// Elementwise sum of two inputs, broadcast.
    Add,
    /// Elementwise difference of two inputs, broadcast.
    Sub,
    /// Elementwise product of two inputs, broadcast.
    Mul,
    /// Elementwise quotient of two inputs, broadcast.
    Div,
    /// Elementwise negation.
    Neg,
    /// Matrix product of two inputs, each with at least 2 axes; leading axes broadcast.
    MatMul,
    /// Sum over all elements (shape `()`), or over one axis that stays with size 1.
    Sum,
    /// Maximum over all elements (shape `()`), or over one axis that stays with size 1.
    Max,
    /// The same elements under another shape.
    Reshape,
    /// Two axes swapped.
    Transpose(usize, usize),
    /// A part: one range for every axis of the input.
    Slice(Vec<Range<usize>>),
    /// A function of one element at a time.
    Map(Elementwise),
    /// The first input, with one value wherever the second, a mask, is not 0; broadcast.
    MaskedFill,
    /// The parts at these indices of one axis; an index may occur more than once.
    IndexSelect(usize, Vec<usize>),
    /// An operation of a later lesson, with a rule of its own. A rule keeps detached tensors, so that a
    /// long chain of them is not dropped recursively.
    Custom {
        /// Its name, for messages.
        name: &'static str,
        /// How lesson 05 computes its gradients.
        rule: Arc<dyn std::any::Any + Send + Sync>,
    },
}

/// A function of one element at a time. The list is closed: the compiler refuses a name that is misspelled, and a
/// function whose derivative lesson 05 lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Elementwise {
    /// `e^x`.
    Exp,
    /// The natural logarithm.
    Log,
    /// The square root.
    Sqrt,
    /// `max(0, x)`.
    ReLU,
    /// `1 / (1 + e^-x)`.
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
    /// `x` times the normal distribution's cumulative distribution function at `x`.
    Gelu,
    /// `x` times the sigmoid of `1.702 x`.
    QuickGelu,
}

/// A function of one element: what it computes, and which one it is. One type has both, so that what is mapped over
/// a tensor is what lesson 05 finds the derivative of.
pub trait ElementwiseFunction {
    /// Its value at `x`.
    fn at(&self, x: f32) -> f32;

    /// Which function it is.
    fn kind(&self) -> Elementwise;
}

/// Functions of the standard library as [`ElementwiseFunction`]s.
macro_rules! standard_functions {
    ($($name:ident, $function:path, $text:literal;)*) => {
        $(
            #[doc = $text]
            #[derive(Debug, Clone, Copy, PartialEq, Eq)]
            pub struct $name;

            impl ElementwiseFunction for $name {
                fn at(&self, x: f32) -> f32 {
                    $function(x)
                }

                fn kind(&self) -> Elementwise {
                    Elementwise::$name
                }
            }
        )*
    };
}
standard_functions! {
    Exp, f32::exp, "`e^x`.";
    Log, f32::ln, "The natural logarithm.";
    Sqrt, f32::sqrt, "The square root.";
}

/// Whether `new` replaces `best` as the largest: it is larger, or it is the first `NaN`. So a `NaN`
/// anywhere is the maximum, as in PyTorch: a broken number is not hidden.
pub fn beats(new: f32, best: f32) -> bool {
    new > best || (new.is_nan() && !best.is_nan())
}

/// The larger of two numbers; `NaN` if one of them is.
pub fn larger(best: f32, new: f32) -> f32 {
    if new > best || new.is_nan() { new } else { best }
}

thread_local! {
    static RECORDING: Cell<bool> = const { Cell::new(true) };
}

/// Whether what is computed on this thread is recorded.
pub fn is_recording() -> bool {
    RECORDING.get()
}

/// Runs `f` without recording any history on this thread: for evaluation, and for an optimizer's own
/// arithmetic. The previous state is restored even when `f` panics.
pub fn without_history<T>(f: impl FnOnce() -> T) -> T {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            RECORDING.set(self.0);
        }
    }
    let _restore = Restore(RECORDING.replace(false));
    f()
}
