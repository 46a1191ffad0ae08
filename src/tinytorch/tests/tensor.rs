//! The tensor against `ndarray`, which computes the same things in its own way, for shapes that a generator
//! draws at random; and the given code about history, which no learner's test covers.

#![allow(missing_docs)]

use proptest::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tinytorch::ndarray::{Array, Axis, Ix2, IxDyn};
use tinytorch::random::Rng;
use tinytorch::tensor::{Op, Tensor, broadcast_shape, without_history};
use tinytorch::testing::{assert_close, panic_message};

fn array(tensor: &Tensor) -> Array<f32, IxDyn> {
    tensor.array().to_owned()
}

/// Two shapes that broadcast: one full, one with axes cut off at the front or shrunk to 1.
fn broadcastable() -> impl Strategy<Value = (Vec<usize>, Vec<usize>)> {
    (prop::collection::vec(0..5_usize, 0..5), prop::collection::vec(any::<bool>(), 5), 0..5_usize)
        .prop_map(|(full, shrink, cut)| {
            let other = full.iter().zip(shrink).map(|(&size, one)| if one { 1 } else { size });
            (full.clone(), other.skip(cut).collect())
        })
}

proptest! {
    #[test]
    fn elementwise_operations_agree_with_ndarray((a, b) in broadcastable(), seed: u64) {
        let mut rng = Rng::seeded(seed);
        let (a, b) = (Tensor::randn(&a, &mut rng), Tensor::randn(&b, &mut rng));
        let shape = broadcast_shape("test", a.shape(), b.shape());
        for (ours, theirs) in [
            (&a + &b, &array(&a) + &array(&b)),
            (&b - &a, &array(&b) - &array(&a)),
            (&a * &b, &array(&a) * &array(&b)),
            (&b / &a, &array(&b) / &array(&a)),
        ] {
            prop_assert_eq!(ours.shape(), &shape[..]);
            prop_assert_eq!(array(&ours), theirs);
        }
    }

    #[test]
    fn matrix_products_agree_with_ndarray(m in 0..9_usize, k in 0..9_usize, n in 0..9_usize,
                                          turned: [bool; 2], seed: u64) {
        let mut rng = Rng::seeded(seed);
        let mut operand = |rows: usize, columns: usize, turned: bool| {
            if turned { Tensor::randn(&[columns, rows], &mut rng).t() } else { Tensor::randn(&[rows, columns], &mut rng) }
        };
        let (a, b) = (operand(m, k, turned[0]), operand(k, n, turned[1]));
        let matrix = |tensor: &Tensor| array(tensor).into_dimensionality::<Ix2>().unwrap();
        let expected: Vec<f32> = matrix(&a).dot(&matrix(&b)).iter().copied().collect();
        let product = a.matmul(&b);
        prop_assert_eq!(product.shape(), &[m, n]);
        assert_close(&product.to_vec(), &expected, 1e-4);
    }

    #[test]
    fn reductions_agree_with_ndarray(shape in prop::collection::vec(1..5_usize, 1..5),
                                     axis in 0..4_usize, turn: bool, seed: u64) {
        let axis = axis % shape.len();
        let mut tensor = Tensor::randn(&shape, &mut Rng::seeded(seed));
        if turn {
            tensor = tensor.transpose(0, shape.len() - 1);
        }
        let theirs = array(&tensor);
        let sums: Vec<f32> = theirs.sum_axis(Axis(axis)).iter().copied().collect();
        assert_close(&tensor.sum_axis(axis, false).to_vec(), &sums, 1e-5);
        let maxima = theirs.fold_axis(Axis(axis), f32::NEG_INFINITY, |x, y| x.max(*y));
        let maxima: Vec<f32> = maxima.iter().copied().collect();
        prop_assert_eq!(tensor.max_axis(axis, true).to_vec(), maxima.clone());
        let best = tensor.argmax_axis(axis);
        prop_assert_eq!(best.len(), maxima.len());
        let along = theirs.lanes(Axis(axis)).into_iter().zip(best).map(|(lane, at)| lane[at]);
        prop_assert_eq!(along.collect::<Vec<f32>>(), maxima);
    }

    #[test]
    fn several_axes_counted_from_either_end_agree_with_one_after_another(
        shape in prop::collection::vec(1..5_usize, 1..5),
        chosen in prop::collection::vec((any::<bool>(), any::<bool>()), 4), seed: u64,
    ) {
        let rank = shape.len();
        let tensor = Tensor::randn(&shape, &mut Rng::seeded(seed));
        let front: Vec<usize> = (0..rank).filter(|&axis| chosen[axis].0).collect();
        // In falling order, some of them negative: neither may matter.
        let named: Vec<isize> = front.iter().rev()
            .map(|&axis| if chosen[axis].1 { axis as isize - rank as isize } else { axis as isize })
            .collect();
        for keepdim in [true, false] {
            let (mut sum, mut mean, mut max) = (tensor.clone(), tensor.clone(), tensor.clone());
            for &axis in front.iter().rev() {
                sum = sum.sum_axis(axis, keepdim);
                mean = mean.mean_axis(axis, keepdim);
                max = max.max_axis(axis, keepdim);
            }
            let ours = [tensor.sum_axis(&named[..], keepdim), tensor.mean_axis(&named[..], keepdim)];
            for (ours, theirs) in ours.iter().zip([&sum, &mean]) {
                prop_assert_eq!(ours.shape(), theirs.shape());
                assert_close(&ours.to_vec(), &theirs.to_vec(), 1e-4);
            }
            prop_assert_eq!(tensor.max_axis(&named[..], keepdim).to_vec(), max.to_vec());
        }
        let last = tensor.argmax_axis(rank - 1);
        prop_assert_eq!(tensor.argmax_axis(-1), last);
        prop_assert_eq!(tensor.transpose(0, -1).to_vec(), tensor.transpose(0, rank - 1).to_vec());
        prop_assert_eq!(tensor.select(-1, 0).to_vec(), tensor.select(rank - 1, 0).to_vec());
    }

    #[test]
    fn views_agree_with_ndarray_and_read_in_row_major_order(
        shape in prop::collection::vec(0..5_usize, 1..5), a in 0..4_usize, b in 0..4_usize, cut in 0..3_usize,
    ) {
        let (a, b) = (a % shape.len(), b % shape.len());
        let tensor = Tensor::rand(&shape, &mut Rng::seeded(1)).transpose(a, b);
        let part: Vec<_> = tensor.shape().iter().map(|&size| cut.min(size)..size).collect();
        let tensor = tensor.slice(&part);
        let elements: Vec<f32> = tensor.array().iter().copied().collect();
        prop_assert_eq!(tensor.to_vec(), elements.clone());
        if tensor.numel() > 0 {
            prop_assert_eq!(tensor.reshape(&[-1]).to_vec(), elements);
        }
    }
}

#[test]
fn batches_broadcast_as_their_products_one_by_one() {
    let mut rng = Rng::seeded(3);
    let (a, b) = (Tensor::randn(&[2, 1, 3, 4], &mut rng), Tensor::randn(&[5, 4, 2], &mut rng));
    let product = a.matmul(&b);
    assert_eq!(product.shape(), [2, 5, 3, 2]);
    for i in 0..2 {
        for j in 0..5 {
            let one = a.select(0, i).select(0, 0).matmul(&b.select(0, j));
            assert_eq!(product.select(0, i).select(0, j).to_vec(), one.to_vec());
        }
    }
    let vector = Tensor::randn(&[4], &mut rng);
    assert_eq!(b.transpose(1, 2).matmul(&vector).shape(), [5, 2]);
    assert_eq!(vector.matmul(&b).shape(), [5, 2]);
}

#[test]
fn a_permuted_tensor_is_a_view_with_its_axes_in_the_order_that_was_named() {
    let tensor = Tensor::randn(&[2, 3, 4], &mut Rng::seeded(5));
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0], [-1, 0, -2]] {
        let front = order.map(|axis: isize| axis.rem_euclid(3) as usize);
        let theirs = tensor.array().clone().permuted_axes(IxDyn(&front));
        let ours = tensor.permute(&order);
        assert_eq!(array(&ours), theirs.to_owned(), "{order:?}");
        assert_eq!(ours.array().as_ptr(), tensor.array().as_ptr(), "no element is copied");
    }
    assert_eq!(Tensor::scalar(7.0).permute(&[0_usize; 0]).item(), 7.0);
}

#[test]
fn a_mask_broadcasts_and_what_it_hides_takes_no_part() {
    let scores = Tensor::new(&[1.0, f32::NAN, 3.0, f32::INFINITY], &[2, 2]);
    let filled = scores.masked_fill(&Tensor::new(&[0.0, 1.0], &[2]), f32::NEG_INFINITY);
    assert_eq!(filled.to_vec(), [1.0, f32::NEG_INFINITY, 3.0, f32::NEG_INFINITY]);
    let stretched = Tensor::ones(&[2]).masked_fill(&Tensor::new(&[0.0, 1.0], &[2, 1]), 5.0);
    assert_eq!((stretched.shape(), stretched.to_vec()), (&[2, 2][..], vec![1.0, 1.0, 5.0, 5.0]));
}

#[test]
fn rows_are_looked_up_by_number_in_any_order_and_more_than_once() {
    let table = Tensor::new(&[0.0, 1.0, 10.0, 11.0, 20.0, 21.0], &[3, 2]);
    let rows = table.index_select(0, &[2, 0, 2]);
    assert_eq!(
        (rows.shape(), rows.to_vec()),
        (&[3, 2][..], vec![20.0, 21.0, 0.0, 1.0, 20.0, 21.0])
    );
    let columns = table.index_select(-1, &[1]);
    assert_eq!((columns.shape(), columns.to_vec()), (&[3, 1][..], vec![1.0, 11.0, 21.0]));
    assert_eq!(table.t().index_select(0, &[1]).to_vec(), [1.0, 11.0, 21.0], "of a view too");
    assert_eq!(table.index_select(0, &[]).shape(), [0, 2]);
    assert_eq!(Tensor::zeros(&[3, 0]).index_select(0, &[1, 1]).shape(), [2, 0]);
}

#[test]
fn wrong_uses_name_the_operation_and_the_shape() {
    let matrix = Tensor::zeros(&[2, 3]);
    for (message, expected) in [
        (panic_message(|| matrix.item()), "item: shape (2, 3) holds 6 elements, not one"),
        (panic_message(|| matrix.slice(&[0..1, 0..1, 0..1])), "slice: 3 ranges for shape (2, 3)"),
        (
            panic_message(|| matrix.transpose(0, 2)),
            "transpose: axis 2 of shape (2, 3): there are 2 axes",
        ),
        (panic_message(|| Tensor::zeros(&[2, 0]).max()), "max: shape (2, 0) has no elements"),
        (
            panic_message(|| Tensor::zeros(&[2, 0]).argmax_axis(1)),
            "argmax_axis: axis 1 of shape (2, 0) has no elements",
        ),
        (panic_message(|| Tensor::zeros(&[3]).t()), "t: shape (3) has fewer than 2 axes"),
        (panic_message(|| matrix.select(0, 2)), "select: index 2 on axis 0 of shape (2, 3)"),
        (panic_message(|| matrix.select(2, 0)), "select: axis 2 of shape (2, 3): there are 2 axes"),
        (
            panic_message(|| matrix.mean_axis([0, -3], true)),
            "mean_axis: axis -3 of shape (2, 3): there are 2 axes",
        ),
        (
            panic_message(|| matrix.sum_axis([1, -1], true)),
            "sum_axis: axis 1 of shape (2, 3) is named twice",
        ),
        (
            panic_message(|| matrix.transpose(isize::MIN, 0)),
            "transpose: axis -9223372036854775808 of shape (2, 3): there are 2 axes",
        ),
        (
            panic_message(|| matrix.permute(&[0])),
            "permute: 1 axes for shape (2, 3): name each of its 2 once",
        ),
        (
            panic_message(|| matrix.permute(&[1, -1])),
            "permute: axis 1 of shape (2, 3) is named twice",
        ),
        (
            panic_message(|| matrix.masked_fill(&Tensor::zeros(&[2]), 0.0)),
            "masked_fill: (2, 3) and (2) do not broadcast: sizes 3 and 2 differ",
        ),
        (
            panic_message(|| matrix.index_select(0, &[1, 0, 2])),
            "index_select: index 2, number 2 of 3, on axis 0 of shape (2, 3)",
        ),
        (
            panic_message(|| Tensor::zeros(&[2, 0, 3]).max_axis([0, 1], false)),
            "max_axis: axis 1 of shape (2, 0, 3) has no elements",
        ),
        (
            panic_message(|| Tensor::zeros(&[usize::MAX, 2])),
            "shape (18446744073709551615, 2): more elements than this machine can address",
        ),
    ] {
        assert_eq!(message, expected);
    }
}

#[test]
fn an_axis_without_elements_is_summed_to_zeros_among_several() {
    let empty = Tensor::zeros(&[2, 0, 3]);
    assert_eq!(empty.sum_axis([0, 1], false).to_vec(), [0.0; 3]);
    assert!(empty.mean_axis([0, 1], false).to_vec().iter().all(|mean| mean.is_nan()));
    assert_eq!(empty.max_axis(0, false).shape(), [0, 3], "no results, no largest one to find");
}

#[test]
fn nothing_is_remembered_until_something_is_tracked() {
    let x = Tensor::ones(&[2]);
    let y = &x + &x;
    assert!(!y.is_tracked() && y.history().is_none() && y.id().is_none());

    let leaf = x.clone().tracked();
    let z = &leaf * &y;
    let history = z.history().unwrap();
    assert!(matches!(history.op(), Op::Mul));
    assert_eq!(history.inputs().len(), 2);
    assert_eq!(history.inputs()[0].id(), leaf.id());
    assert!(z.id() > leaf.id(), "ids grow");
    assert!(!z.detach().is_tracked() && !x.is_tracked());
    let cut = panic_message(|| z.clone().tracked());
    assert!(cut.contains("computed from a tracked tensor") && cut.contains("detach()"), "{cut}");
    let free = z.detach().tracked();
    assert!(matches!(free.history().unwrap().op(), Op::Leaf), "detached, it begins a history");
    assert_eq!(leaf.clone().tracked().id(), leaf.id(), "a leaf stays the same leaf");
}

#[test]
fn every_operation_says_what_it_was() {
    let x = Tensor::ones(&[2, 3]).tracked();
    let made = |result: Tensor| format!("{:?}", result.history().unwrap().op());
    assert_eq!(made(&x + 1.0), "Add");
    assert_eq!(made(1.0 - &x), "Sub");
    assert_eq!(made(&x * &x), "Mul");
    assert_eq!(made(&x / 2.0), "Div");
    assert_eq!(made(-&x), "Neg");
    assert_eq!(made(x.matmul(&x.t())), "MatMul");
    assert_eq!(made(x.sum()), "Sum");
    assert_eq!(made(x.sum_axis(0, true)), "Sum");
    assert_eq!(made(x.sum_axis(0, false)), "Reshape");
    assert_eq!(made(x.sum_axis([0, 1], true)), "Sum");
    assert_eq!(made(x.max_axis([0, 1], true)), "Max");
    assert_eq!(made(x.max()), "Max");
    assert_eq!(made(x.mean()), "Div");
    assert_eq!(made(x.reshape(&[-1])), "Reshape");
    assert_eq!(made(x.t()), "Transpose(0, 1)");
    assert_eq!(made(x.slice(&[0..1])), "Slice([0..1, 0..3])");
    assert_eq!(made(x.exp()), "Map(Exp)");
    assert_eq!(made(x.masked_fill(&Tensor::ones(&[3]), 0.0)), "MaskedFill");
    assert_eq!(made(x.index_select(1, &[2, 0])), "IndexSelect(1, [2, 0])");
    assert_eq!(made(x.matmul(&Tensor::ones(&[3]))), "Reshape", "a vector goes in as a matrix");
}

#[test]
fn values_can_change_in_place_without_touching_the_past() {
    let mut parameter = Tensor::ones(&[2]).tracked();
    let (id, result) = (parameter.id(), &parameter * 3.0);
    parameter.array_mut().fill(9.0);
    assert_eq!(parameter.id(), id);
    assert_eq!(result.history().unwrap().inputs()[0].to_vec(), [1.0, 1.0]);
}

#[test]
fn recording_comes_back_even_after_a_panic_and_from_inside_another() {
    let x = Tensor::ones(&[1]).tracked();
    without_history(|| {
        without_history(|| assert!(!(&x + &x).is_tracked()));
        assert!(!(&x + &x).is_tracked(), "the inner one must not switch it on again");
    });
    assert!((&x + &x).is_tracked());
    assert!(catch_unwind(AssertUnwindSafe(|| without_history(|| panic!("on purpose")))).is_err());
    assert!((&x + &x).is_tracked(), "a panic must not switch it off for good");
    let elsewhere = std::thread::spawn(|| {
        let y = Tensor::ones(&[1]).tracked();
        (&y + &y).is_tracked()
    });
    assert!(without_history(|| elsewhere.join().unwrap()), "other threads are not concerned");
}

#[test]
fn a_long_history_is_dropped_without_recursion() {
    let worker = std::thread::Builder::new().stack_size(128 * 1024).spawn(|| {
        let mut x = Tensor::scalar(1.0).tracked();
        for _ in 0..200_000 {
            x = &x + &x;
        }
        // Dropped while something still holds its middle, then for good.
        let middle = x.history().unwrap().inputs()[0].clone();
        drop(x);
        drop(middle);
    });
    assert!(worker.unwrap().join().is_ok());
}

#[test]
fn what_is_given_computes_on_all_elements_and_counts_bytes() {
    let tensor = Tensor::new(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 3]);
    assert_eq!([tensor.sum(), tensor.mean(), tensor.max()].map(|x| x.item()), [21.0, 3.5, 6.0]);
    assert_eq!((tensor.sum().shape(), tensor.nbytes()), (&[][..], 24));
    assert_eq!(tensor.select(1, 0).to_vec(), [1.0, 4.0]);
    assert_eq!(format!("{:?}", tensor.slice(&[0..1, 0..2])), "Tensor([1, 2], [[1, 2]])");
    let broken = Tensor::new(&[1.0, f32::NAN, 3.0], &[3]);
    assert!(broken.max().item().is_nan() && broken.sum().item().is_nan());
    assert!(Tensor::zeros(&[2, 0]).mean().item().is_nan());
}
