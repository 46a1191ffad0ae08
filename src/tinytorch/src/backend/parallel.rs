//! A backend's kernels for rows and images on several threads: each thread runs the kernel on some of the rows. How a
//! kernel computes them, it does not know; products divide themselves (lesson 18).

use super::{Backend, Kernels, Matrix, Norm};
use crate::operations::Elementwise;
use crate::planes::Grid;
use crate::threads::map_in_parallel;
use std::ops::Range;
use std::sync::Arc;

/// How many of so many images or matrices each thread gets, if one takes so many multiplications.
pub(super) fn share(backend: &dyn Backend, count: usize, multiplications: usize) -> usize {
    /// From so many on, which take some 3 us, a thread more pays.
    const SHARE: usize = 1 << 18;
    let threads = backend.threads().min(count * multiplications / SHARE).max(1);
    count.div_ceil(threads).max(1)
}

/// How many numbers are worked on at a time, in whole rows of so many: what the first cache holds.
pub(super) fn piece(width: usize) -> usize {
    4096_usize.next_multiple_of(width.max(1))
}

/// A backend whose kernels for rows and images run on its number of threads.
pub(super) struct Parallel(pub(super) Arc<dyn Backend>);

impl Parallel {
    /// How many numbers each thread gets of rows of so many.
    fn share(&self, numbers: usize, width: usize) -> usize {
        /// What a number of a row counts for, in multiplications. It takes longer than these, but for rows a thread more
        /// pays only from 64 thousand numbers on: at half as many, a layer norm was slower on two threads.
        const EACH: usize = 4;
        let width = width.max(1);
        width * share(&*self.0, numbers / width, EACH * width)
    }

    /// So many numbers, in rows, from a kernel that computes those in a range. Each thread writes its part of them piece
    /// by piece: a piece is still in the cache when it is copied to its place.
    pub(super) fn rows(
        &self,
        count: usize,
        width: usize,
        kernel: impl Fn(Range<usize>) -> Option<Vec<f32>> + Sync,
    ) -> Option<Vec<f32>> {
        let (some, piece) = (self.share(count, width), piece(width));
        if some >= count {
            return kernel(0..count);
        }
        let mut all = Vec::with_capacity(count);
        let parts = all.spare_capacity_mut()[..count].chunks_mut(some);
        let offered = map_in_parallel(parts.zip((0..count).step_by(some)), |(part, first)| {
            part.chunks_mut(piece).zip((first..).step_by(piece)).all(|(piece, first)| {
                let Some(result) = kernel(first..first + piece.len()) else { return false };
                assert_eq!(result.len(), piece.len(), "a number for each place");
                piece.iter_mut().zip(&result).for_each(|(place, number)| {
                    place.write(*number);
                });
                true
            })
        });
        if offered.contains(&false) {
            return None;
        }
        #[expect(unsafe_code, reason = "setting them to 0 first takes as long as a fast kernel")]
        // SAFETY: the parts are the first `count` places, and each piece of each part was written.
        unsafe {
            all.set_len(count);
        }
        Some(all)
    }
}

/// The sum of two lists of numbers, place by place.
fn sum(mut a: Vec<f32>, b: &[f32]) -> Vec<f32> {
    a.iter_mut().zip(b).for_each(|(sum, number)| *sum += number);
    a
}

impl Backend for Parallel {
    fn name(&self) -> String {
        self.0.name()
    }

    fn threads(&self) -> usize {
        self.0.threads()
    }

    fn matmul(&self, a: Matrix<'_>, b: Matrix<'_>, out: &mut [f32]) -> bool {
        self.0.matmul(a, b, out)
    }

    fn map(&self, function: Elementwise, x: &[f32]) -> Option<Vec<f32>> {
        self.rows(x.len(), 1, |some| self.0.map(function, &x[some]))
    }

    fn map_gradient(
        &self,
        function: Elementwise,
        upstream: &[f32],
        x: &[f32],
        y: &[f32],
    ) -> Option<Vec<f32>> {
        self.rows(x.len(), 1, |some| {
            let [upstream, x, y] = [upstream, x, y].map(|numbers| &numbers[some.clone()]);
            self.0.map_gradient(function, upstream, x, y)
        })
    }

    fn softmax(&self, rows: &mut [f32], width: usize, hidden: f32) -> bool {
        let some = self.share(rows.len(), width);
        let softmax = |rows: &mut [f32]| self.0.softmax(rows, width, hidden);
        !map_in_parallel(rows.chunks_mut(some), softmax).contains(&false)
    }

    fn softmax_gradient(&self, weights: &[f32], width: usize, gradient: &mut [f32]) -> bool {
        let some = self.share(weights.len(), width);
        let parts = weights.chunks(some).zip(gradient.chunks_mut(some));
        let offered = map_in_parallel(parts, |(weights, gradient)| {
            self.0.softmax_gradient(weights, width, gradient)
        });
        !offered.contains(&false)
    }

    fn log_sum_exp(&self, rows: &[f32], width: usize) -> Option<Vec<f32>> {
        let parts = rows.chunks(self.share(rows.len(), width));
        let parts = map_in_parallel(parts, |rows| self.0.log_sum_exp(rows, width));
        parts.into_iter().collect::<Option<Vec<_>>>().map(|parts| parts.concat())
    }

    fn probabilities(&self, rows: &[f32], log_sums: &[f32], factor: f32) -> Vec<f32> {
        let width = rows.len() / log_sums.len();
        self.rows(rows.len(), width, |some| {
            let log_sums = &log_sums[some.start / width..some.end / width];
            Some(self.0.probabilities(&rows[some], log_sums, factor))
        })
        .unwrap_or_default()
    }

    fn normalize(&self, norm: Norm<'_>, rows: &[f32]) -> Option<Vec<f32>> {
        self.rows(rows.len(), norm.gamma.len(), |some| self.0.normalize(norm, &rows[some]))
    }

    fn normalize_gradient(
        &self,
        norm: Norm<'_>,
        rows: &[f32],
        upstream: &[f32],
    ) -> Option<[Vec<f32>; 3]> {
        let some = self.share(rows.len(), norm.gamma.len());
        let parts =
            map_in_parallel(rows.chunks(some).zip(upstream.chunks(some)), |(rows, upstream)| {
                self.0.normalize_gradient(norm, rows, upstream)
            });
        let parts: Vec<[Vec<f32>; 3]> = parts.into_iter().collect::<Option<_>>()?;
        parts.into_iter().reduce(|[mut for_rows, for_gamma, for_beta], [rows, gamma, beta]| {
            for_rows.extend_from_slice(&rows);
            [for_rows, sum(for_gamma, &gamma), sum(for_beta, &beta)]
        })
    }

    fn convolve(
        &self,
        grid: &Grid,
        images: &[f32],
        kernels: Kernels<'_>,
        result: &mut [f32],
    ) -> bool {
        let [image, planes] = [(kernels.inputs, grid.image), (kernels.outputs, grid.output)]
            .map(|(channels, plane)| channels * plane.area());
        let steps = kernels.weights.len() * grid.output.area();
        let some = share(&*self.0, images.len() / image.max(1), steps);
        let parts =
            images.chunks((some * image).max(1)).zip(result.chunks_mut((some * planes).max(1)));
        let offered = map_in_parallel(parts, |(images, result)| {
            self.0.convolve(grid, images, kernels, result)
        });
        !offered.contains(&false)
    }

    fn max_pool(&self, grid: &Grid, padded: &[f32]) -> Option<(Vec<f32>, Vec<usize>)> {
        self.0.max_pool(grid, padded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acceleration::OptimizedBackend;
    use crate::backend::{current, softmax_rows, with_backend};
    use crate::planes::Window;
    use crate::random::Rng;
    use crate::spatial::grid_of;
    use std::sync::Mutex;

    /// A backend for as many threads, which notes how many numbers each call of a kernel gets.
    struct Noting(usize, Mutex<Vec<usize>>);

    impl Backend for Noting {
        fn name(&self) -> String {
            "noting".to_owned()
        }

        fn threads(&self) -> usize {
            self.0
        }

        fn map(&self, _: Elementwise, x: &[f32]) -> Option<Vec<f32>> {
            self.1.lock().unwrap().push(x.len());
            Some(x.iter().map(|x| x + 1.0).collect())
        }

        fn softmax(&self, rows: &mut [f32], _: usize, _: f32) -> bool {
            self.1.lock().unwrap().push(rows.len());
            true
        }
    }

    fn numbers(count: usize) -> Vec<f32> {
        let rng = &mut Rng::seeded(1);
        (0..count).map(|_| rng.normal()).collect()
    }

    #[test]
    fn many_rows_are_divided_between_rows_and_few_are_not() {
        for (threads, numbers, wanted) in [
            (1, 90_000, vec![90_000]),
            (2, 90, vec![90]),
            (2, 180_000, vec![90_000; 2]),
            (3, 240_300, vec![80_100; 3]),
            (3, 240_400, vec![80_000, 80_200, 80_200]),
        ] {
            let noting = Arc::new(Noting(threads, Mutex::default()));
            assert!(Parallel(noting.clone()).softmax(&mut vec![0.0; numbers], 100, 0.0));
            let mut parts = noting.1.lock().unwrap().clone();
            parts.sort_unstable();
            assert_eq!(parts, wanted, "{threads} threads, {numbers} numbers");
        }
    }

    #[test]
    fn a_backend_that_is_passed_on_to_another_thread_divides_rows_once() {
        let noting = Arc::new(Noting(2, Mutex::default()));
        with_backend(noting.clone(), || {
            let mut rows = vec![0.0; 180_000];
            with_backend(current().unwrap(), || softmax_rows(&mut rows, 100, |_| ()));
        });
        assert_eq!(*noting.1.lock().unwrap(), [90_000; 2]);
    }

    #[test]
    fn every_number_of_a_result_is_computed_once_at_its_place() {
        for count in [0, 1, 40_000, 200_003] {
            let noting = Arc::new(Noting(3, Mutex::default()));
            let x = numbers(count);
            let wanted: Vec<f32> = x.iter().map(|x| x + 1.0).collect();
            let yours = Parallel(noting.clone()).map(Elementwise::Exp, &x);
            assert_eq!(yours, Some(wanted), "{count}");
            assert_eq!(noting.1.lock().unwrap().iter().sum::<usize>(), count);
        }
    }

    #[test]
    fn what_is_not_offered_is_not_offered_in_parts() {
        let noting = Parallel(Arc::new(Noting(2, Mutex::default())));
        let rows = vec![0.0; 180_000];
        assert_eq!(noting.log_sum_exp(&rows, 100), None);
        assert_eq!(noting.map_gradient(Elementwise::Exp, &rows, &rows, &rows), None);
        assert!(!noting.softmax_gradient(&rows, 100, &mut rows.clone()));
    }

    #[test]
    fn three_threads_compute_what_one_computes() {
        let one = OptimizedBackend::detect().with_threads(1);
        let three = Parallel(Arc::new(one.with_threads(3)));
        let (rows, width) = (2001, 133);
        let [x, upstream] = [rows * width; 2].map(numbers);
        assert_eq!(three.map(Elementwise::Gelu, &x), one.map(Elementwise::Gelu, &x));
        let gradient = |b: &dyn Backend| b.map_gradient(Elementwise::Gelu, &upstream, &x, &x);
        assert_eq!(gradient(&three), gradient(&one));
        let softmax = |b: &dyn Backend| {
            let (mut weights, mut gradient) = (x.clone(), upstream.clone());
            assert!(b.softmax(&mut weights, width, 0.0));
            assert!(b.softmax_gradient(&weights, width, &mut gradient));
            let sums = b.log_sum_exp(&x, width).unwrap();
            let probabilities = b.probabilities(&x, &sums, 0.5);
            [weights, gradient, sums, probabilities]
        };
        assert_eq!(softmax(&three), softmax(&one));
        let (gamma, beta) = (numbers(width), vec![0.5; width]);
        let norm = Norm { centred: true, eps: 1e-5, gamma: &gamma, beta: &beta };
        assert_eq!(three.normalize(norm, &x), one.normalize(norm, &x));
        let gradients = |b: &dyn Backend| b.normalize_gradient(norm, &x, &upstream).unwrap();
        for (yours, wanted) in gradients(&three).iter().zip(&gradients(&one)) {
            assert_eq!(yours.len(), wanted.len());
            // The sums over the rows are rounded in another order.
            assert!(yours.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-4 * b.abs().max(1.0)));
        }
        let grid = grid_of((9, 8), Window::new(3).padding(1)).unwrap();
        let (images, weights) = (numbers(7 * 2 * 72), numbers(5 * 2 * 9));
        let convolve = |b: &dyn Backend| {
            let mut result = vec![0.5; 7 * 5 * 72];
            let kernels = Kernels { inputs: 2, outputs: 5, weights: &weights };
            assert!(b.convolve(&grid, &images, kernels, &mut result));
            result
        };
        assert_eq!(convolve(&three), convolve(&one));
    }
}
