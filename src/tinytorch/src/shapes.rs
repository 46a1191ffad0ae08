//! Shapes and axes as numbers: counts, axes counted from either end, offsets, and arrays in row-major order. It knows
//! ndarray, and no tensor.

use ndarray::{ArcArray, IxDyn};
use std::borrow::Cow;

/// The array inside a tensor: shared storage with a shape and strides. Cloning it copies no element; writing
/// to shared storage copies it first.
pub type Values = ArcArray<f32, IxDyn>;

/// A shape as error messages show it: `(2, 3)`.
#[must_use]
pub fn shape_text(shape: &[usize]) -> String {
    let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
    format!("({})", sizes.join(", "))
}

/// How many elements a shape holds: the product of its sizes; 1 for the empty shape of a scalar.
#[must_use]
pub fn count(shape: &[usize]) -> usize {
    shape.iter().try_fold(1_usize, |product, &size| product.checked_mul(size)).unwrap_or_else(
        || panic!("shape {}: more elements than this machine can address", shape_text(shape)),
    )
}

/// Gives elements in row-major order a shape, without copying them.
#[must_use]
pub fn values(elements: Vec<f32>, shape: &[usize]) -> Values {
    let given = elements.len();
    ArcArray::from_shape_vec(IxDyn(shape), elements)
        .unwrap_or_else(|_| panic!("shape {} does not fit {given} elements", shape_text(shape)))
}

/// The offset of every element of `shape`, in row-major order, when one step along axis `i` moves by
/// `strides[i]`. `offsets(&[2, 3], &[3, 1])` is `[0, 1, 2, 3, 4, 5]`; with strides `[1, 2]`, those of a
/// transposed view, it is `[0, 2, 4, 1, 3, 5]`.
#[must_use]
pub fn offsets(shape: &[usize], strides: &[usize]) -> Vec<usize> {
    let mut starts = vec![0];
    for (&size, &stride) in shape.iter().zip(strides) {
        let mut next = Vec::with_capacity(starts.len() * size);
        for start in starts {
            next.extend((0..size).map(|i| start + i * stride));
        }
        starts = next;
    }
    starts
}

/// The elements in row-major order: borrowed where memory has them in that order, else copied.
#[must_use]
pub fn row_major(values: &Values) -> Cow<'_, [f32]> {
    if let Some(slice) = values.as_slice() {
        return Cow::Borrowed(slice);
    }
    match (values.as_slice_memory_order(), values.shape().split_last()) {
        // A transposed view of whole storage, the usual case: follow its strides.
        (Some(stored), Some((&width, outer)))
            if values.strides().iter().all(|&stride| stride >= 0) =>
        {
            let strides: Vec<usize> =
                values.strides().iter().map(|stride| stride.unsigned_abs()).collect();
            let mut elements = Vec::with_capacity(stored.len());
            let step = strides[outer.len()];
            for start in offsets(outer, &strides) {
                if step == 1 {
                    elements.extend_from_slice(&stored[start..start + width]);
                } else {
                    elements.extend((0..width).map(|i| stored[start + i * step]));
                }
            }
            Cow::Owned(elements)
        }
        _ => Cow::Owned(values.iter().copied().collect()),
    }
}

/// The same elements under another shape of the same count, shared if they lie in row-major order.
#[must_use]
pub fn with_shape(array: &Values, shape: &[usize]) -> Values {
    if !array.is_standard_layout() {
        return values(row_major(array).into_owned(), shape);
    }
    array.clone().into_shape_with_order(IxDyn(shape)).unwrap_or_else(|_| {
        panic!("{} does not fit {}", shape_text(array.shape()), shape_text(shape))
    })
}

/// Which axes an operation works on, as a caller names them: one number or a list of them, counted from the
/// front (0, 1, ...) or from the end (-1, -2, ...). An empty list names no axis, so nothing is reduced.
pub trait Axes {
    /// The same axes counted from the front, from the first to the last. Panics when the shape has no such axis,
    /// or when one is named twice.
    fn resolve(self, op: &str, shape: &[usize]) -> Vec<usize>;
}

macro_rules! one_axis {
    ($($number:ty)*) => {
        $(impl Axes for $number {
            fn resolve(self, op: &str, shape: &[usize]) -> Vec<usize> {
                vec![axis_from_front(op, self, shape)]
            }
        })*
    };
}
one_axis!(usize isize i32);

impl<Number: Copy + TryInto<isize>> Axes for &[Number] {
    fn resolve(self, op: &str, shape: &[usize]) -> Vec<usize> {
        let mut axes: Vec<usize> =
            self.iter().map(|&axis| axis_from_front(op, axis, shape)).collect();
        axes.sort_unstable();
        if let Some(twice) = axes.windows(2).find(|pair| pair[0] == pair[1]) {
            panic!("{op}: axis {} of shape {} is named twice", twice[0], shape_text(shape));
        }
        axes
    }
}

impl<Number: Copy + TryInto<isize>, const COUNT: usize> Axes for [Number; COUNT] {
    fn resolve(self, op: &str, shape: &[usize]) -> Vec<usize> {
        self[..].resolve(op, shape)
    }
}

/// One axis, counted from the front or, where it is negative, from the end; the result counts from the front.
/// Panics when the shape has no such axis.
pub fn axis_from_front(op: &str, axis: impl TryInto<isize>, shape: &[usize]) -> usize {
    let axis = axis.try_into().unwrap_or(isize::MAX);
    let from_front = if axis < 0 { axis.wrapping_add_unsigned(shape.len()) } else { axis };
    let axes = shape.len();
    usize::try_from(from_front).ok().filter(|&axis| axis < axes).unwrap_or_else(|| {
        panic!("{op}: axis {axis} of shape {}: there are {axes} axes", shape_text(shape))
    })
}

/// The swaps of two axes, one after the other, that give the axes of `shape` another order: axis i of the result is
/// axis `order[i]`. Panics when an axis is missing or named twice.
pub fn swaps<Number: Copy + TryInto<isize>>(
    op: &str,
    order: &[Number],
    shape: &[usize],
) -> Vec<(usize, usize)> {
    let (given, axes) = (order.resolve(op, shape).len(), shape.len());
    let text = shape_text(shape);
    assert!(given == axes, "{op}: {given} axes for shape {text}: name each of its {axes} once");
    let mut places: Vec<usize> = (0..axes).collect();
    let mut swaps = vec![];
    for (to, &axis) in order.iter().enumerate() {
        let axis = axis_from_front(op, axis, shape);
        let from = (to..axes).find(|&place| places[place] == axis).unwrap_or(to);
        if from != to {
            places.swap(from, to);
            swaps.push((from, to));
        }
    }
    swaps
}

/// Splits a shape around one axis: elements before it, its size, elements after it. With these three
/// numbers, element s at position i of block o is at `(o * size + s) * inner + i`.
#[must_use]
pub fn axis_split(shape: &[usize], axis: usize) -> [usize; 3] {
    [count(&shape[..axis]), shape[axis], count(&shape[axis + 1..])]
}

/// Splits a shape into its leading axes and its last two.
#[must_use]
pub fn split_matrix(shape: &[usize]) -> (&[usize], [usize; 2]) {
    let (batch, matrix) = shape.split_at(shape.len() - 2);
    (batch, [matrix[0], matrix[1]])
}

/// Where each part of `index_select` begins among the row-major elements of `shape`, in the order of the result, and
/// how many elements a part has. Panics when an index is too large.
#[must_use]
pub fn part_starts(shape: &[usize], axis: usize, indices: &[usize]) -> (Vec<usize>, usize) {
    let [outer, size, inner] = axis_split(shape, axis);
    if let Some((place, index)) = indices.iter().enumerate().find(|&(_, &index)| index >= size) {
        let (of, shape) = (indices.len(), shape_text(shape));
        panic!(
            "index_select: index {index}, number {place} of {of}, on axis {axis} of shape {shape}"
        );
    }
    let of_block = |block: usize| indices.iter().map(move |index| (block * size + index) * inner);
    ((0..outer).flat_map(of_block).collect(), inner)
}

/// Panics when one of the axes has size 0 although the result would have elements.
pub fn require_elements(op: &str, shape: &[usize], axes: &[usize]) {
    let is_empty = |axis: &usize| shape[*axis] == 0;
    let has_results = (0..shape.len()).all(|axis| axes.contains(&axis) || !is_empty(&axis));
    if let Some(axis) = axes.iter().find(|axis| has_results && is_empty(axis)) {
        panic!("{op}: axis {axis} of shape {} has no elements", shape_text(shape));
    }
}
