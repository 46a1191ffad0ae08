//! Convolution geometry: how large the images become, layer by layer, and how much of the input one
//! number of the last layer sees. Five slider positions come in; a table, a chart and a picture go
//! out. Sizes come from the engine's own `output_size`, the picture from its own gradient.

use super::{Explorable, Slider};
use tinytorch::report::{
    Axis, Chart, ChartKind, Column, Insight, Item, Origin, Picture, Series, Table, Value,
};
use tinytorch::spatial::{Grid, Window, output_size};

pub(super) const EXPLORABLE: Explorable = Explorable {
    id: "convolution",
    title: "Convolution geometry",
    about: "The same window, layer after layer. Keep the size with padding, halve it with a stride of \
            2, and watch how much of the input one number sees. Computed now, by the engine.",
    sliders: &[
        Slider::plain("image", [4.0, 64.0, 1.0, 28.0]),
        Slider::plain("window", [1.0, 9.0, 1.0, 3.0]),
        Slider::plain("stride", [1.0, 4.0, 1.0, 1.0]),
        Slider::plain("padding", [0.0, 4.0, 1.0, 1.0]),
        Slider::plain("layers", [1.0, 6.0, 1.0, 3.0]),
    ],
    figure,
};

/// The same convolution several times.
struct Stack {
    image: usize,
    window: usize,
    stride: usize,
    padding: usize,
    layers: usize,
}

/// What one layer makes.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Stage {
    /// Numbers along one side of its result.
    side: usize,
    /// Input pixels along one side that one of its numbers can see.
    field: usize,
    /// Input pixels between what two neighbours see.
    jump: usize,
}

impl Stack {
    /// The input itself, then each layer, as far as the window fits.
    fn stages(&self) -> Vec<Stage> {
        let mut stages = vec![Stage { side: self.image, field: 1, jump: 1 }];
        for _ in 0..self.layers {
            let last = stages[stages.len() - 1];
            let side = output_size(last.side, self.window, self.stride, self.padding);
            let Some(side) = side else { break };
            stages.push(Stage {
                side,
                field: last.field + (self.window - 1) * last.jump,
                jump: last.jump * self.stride,
            });
        }
        stages
    }

    /// For each input pixel, by how many ways it reaches the middle number of the last layer: the
    /// engine's gradient of a stack whose weights are all 1.
    fn ways(&self, stages: &[Stage]) -> Vec<f32> {
        let last = stages[stages.len() - 1].side;
        let mut grad_output = vec![0.0; last * last];
        grad_output[last / 2 * last + last / 2] = 1.0;
        let window = Window::new(self.window).stride(self.stride).padding(self.padding);
        let kernel = vec![1.0; self.window * self.window];
        for stage in stages.iter().rev().skip(1) {
            let Some(grid) = Grid::new(stage.side, window) else { break };
            let mut gradient = vec![0.0; grid.padded.area()];
            grid.input_gradient(&grad_output, &kernel, &mut gradient);
            grad_output = grid.crop(&gradient);
        }
        grad_output
    }
}

fn figure(values: &[f64]) -> Vec<Item> {
    let [image, window, stride, padding, layers] = [0, 1, 2, 3, 4].map(|at| values[at] as usize);
    let stack = Stack { image, window, stride, padding, layers };
    let stages = stack.stages();
    let fits = stages.len() > layers;
    let last = stages[stages.len() - 1];
    let mut items = vec![table(&stages), chart(&stages)];
    if stages.len() > 1 {
        let ways = stack.ways(&stages);
        let most = ways.iter().copied().fold(1.0, f32::max);
        items.push(Item::Picture(Picture {
            title: "Input pixels seen by the middle number of the last layer".into(),
            width: image,
            // The root keeps the rim visible, where the ways are few.
            pixels: ways.iter().map(|ways| (ways / most).sqrt()).collect(),
        }));
    }
    let text = if !fits {
        let (side, layer) = (last.side, stages.len());
        format!(
            "Layer {layer} gets an image of {side}x{side}: a window of {window}x{window} with padding \
             {padding} does not fit. Use more padding, a smaller window, a smaller stride or fewer \
             layers."
        )
    } else if last.field >= image {
        let field = last.field;
        format!("One number of the last layer can see {field} pixels across: the whole image.")
    } else {
        format!("One number of the last layer sees {} of {image} pixels across.", last.field)
    };
    items.push(Item::Insight(Insight { text }));
    items
}

fn table(stages: &[Stage]) -> Item {
    let square = |side: usize| Value::from(format!("{side}x{side}"));
    let row = |(layer, stage): (usize, &Stage)| {
        let name = if layer == 0 { "input".into() } else { format!("layer {layer}") };
        vec![name.into(), square(stage.side), square(stage.field), stage.jump.into()]
    };
    let heads = ["", "size", "receptive field", "step in the input"];
    Item::Table(Table {
        title: "Layer by layer".into(),
        columns: heads.map(Column::plain).into(),
        rows: stages.iter().enumerate().map(row).collect(),
        origin: Origin::Computed(
            "size: (size + 2 padding - window) / stride + 1; field: field + (window - 1) x step"
                .into(),
        ),
    })
}

fn chart(stages: &[Stage]) -> Item {
    let curve = |name: &str, figure: fn(&Stage) -> usize| {
        let points = stages.iter().enumerate();
        Series::new(name, points.map(|(layer, stage)| (layer as f64, figure(stage) as f64)))
    };
    Item::Chart(Chart {
        title: "Size and receptive field".into(),
        kind: ChartKind::Line,
        x: Axis::linear("layer", ""),
        y: Axis::linear("pixels along one side", ""),
        series: vec![
            curve("size", |stage| stage.side),
            curve("receptive field", |stage| stage.field),
        ],
        origin: Origin::Computed("the formulas of the table".into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack([image, window, stride, padding, layers]: [usize; 5]) -> Stack {
        Stack { image, window, stride, padding, layers }
    }

    #[test]
    fn three_small_windows_see_as_much_as_one_of_seven() {
        let stages = stack([28, 3, 1, 1, 3]).stages();
        assert_eq!(stages[3], Stage { side: 28, field: 7, jump: 1 });
        let strided = stack([28, 3, 2, 1, 3]).stages();
        assert_eq!(strided[3], Stage { side: 4, field: 15, jump: 8 });
    }

    #[test]
    fn the_formula_of_the_field_agrees_with_the_engines_gradient() {
        // Large enough that the field of the middle number does not touch the border.
        for case in [[41, 3, 1, 0, 3], [63, 3, 2, 1, 3], [40, 5, 1, 2, 2], [50, 2, 3, 0, 2]] {
            let stack = stack(case);
            let stages = stack.stages();
            let ways = stack.ways(&stages);
            // From the first pixel seen to the last: a stride above the window leaves holes between.
            let seen = |row: &[f32]| {
                let first = row.iter().position(|ways| *ways > 0.0)?;
                Some(row.iter().rposition(|ways| *ways > 0.0)? + 1 - first)
            };
            let across = ways.chunks_exact(stack.image).filter_map(seen).max();
            assert_eq!(across, stages.last().map(|stage| stage.field), "{case:?}");
            let total: f32 = ways.iter().sum();
            let expected = (stack.window * stack.window).pow(stack.layers as u32) as f32;
            assert_eq!(total, expected, "{case:?}: every way ends in some pixel");
        }
    }

    #[test]
    fn a_window_that_no_longer_fits_is_said_and_the_rest_is_shown() {
        let items = figure(&[8.0, 5.0, 1.0, 0.0, 6.0]);
        let Some(Item::Insight(insight)) = items.last() else { panic!("no insight") };
        assert!(insight.text.starts_with("Layer 2 gets an image of 4x4"), "{}", insight.text);
        let Item::Table(table) = &items[0] else { panic!("no table") };
        assert_eq!(table.rows.len(), 2);
    }

    #[test]
    fn the_picture_has_the_size_of_the_image() {
        let items = figure(&[28.0, 3.0, 2.0, 1.0, 2.0]);
        let picture = items.iter().find_map(|item| match item {
            Item::Picture(picture) => Some(picture),
            _ => None,
        });
        let picture = picture.unwrap();
        assert_eq!((picture.width, picture.pixels.len()), (28, 28 * 28));
        assert!(picture.pixels.contains(&1.0) && picture.pixels.contains(&0.0));
    }
}
