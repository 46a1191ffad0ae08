//! The layout of the screen as plain rectangles, from the size and what is open. The view draws into them, and
//! update uses them to find what was clicked. Must not know what is in them.

use crate::curriculum::Course;

/// The smallest usable size, in columns and rows.
pub const SMALLEST: (u16, u16) = (60, 20);
/// From this width on the list of modules has a column of its own.
const WITH_MODULES: u16 = 110;
const MODULES_WIDTH: u16 = 27;
/// Lines above the list in its column.
const HEADING: u16 = 2;

/// The entry in a row of the list: modules from 0 on, then, below a heading, milestones.
#[must_use]
pub fn entry(row: usize, course: &Course) -> Option<usize> {
    let heading = course.modules().len();
    let below = |row: &usize| *row > heading && *row <= heading + course.milestones().len();
    if row < heading { Some(row) } else { Some(row).filter(below).map(|row| row - 1) }
}

/// The row of an entry of that list.
#[must_use]
pub fn row(entry: usize, course: &Course) -> usize {
    entry + usize::from(entry >= course.modules().len())
}

/// The first row to show of a list with `rows` rows, so that `row` is in view.
#[must_use]
pub fn first_row(row: usize, rows: usize, height: usize) -> usize {
    row.saturating_sub(height / 2).min(rows.saturating_sub(height))
}

/// Where the list of modules is on the screen, and the first of its rows that is shown.
#[must_use]
pub fn module_rows(regions: &Regions, course: &Course, chosen: usize) -> (Area, usize) {
    let rows = course.modules().len() + 1 + course.milestones().len();
    let area = match regions.modules {
        Some(column) => Area { y: column.y + HEADING, height: column.height - HEADING, ..column },
        None => {
            let height = u16::try_from(rows).unwrap_or(u16::MAX).saturating_add(2);
            let window = regions.centred(44, height);
            Area { y: window.y + 1, height: window.height.saturating_sub(2), ..window.inset(1) }
        }
    };
    (area, first_row(row(chosen, course), rows, usize::from(area.height)))
}

/// A rectangle of cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Area {
    /// First column.
    pub x: u16,
    /// First row.
    pub y: u16,
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
}

impl Area {
    /// Whether a cell is inside.
    #[must_use]
    pub const fn contains(self, column: u16, row: u16) -> bool {
        column >= self.x
            && row >= self.y
            && column - self.x < self.width
            && row - self.y < self.height
    }

    /// The same area with columns taken off both sides.
    #[must_use]
    pub const fn inset(self, columns: u16) -> Self {
        let width = self.width.saturating_sub(2 * columns);
        Self { x: self.x + columns, width, ..self }
    }
}

/// How much of the screen the results take up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Results {
    /// None.
    #[default]
    Closed,
    /// The lower part.
    Open,
    /// The whole area of the lesson.
    Zoomed,
}

/// The parts of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Regions {
    /// The first line.
    pub title: Area,
    /// The list of modules, where there is room beside the lesson.
    pub modules: Option<Area>,
    /// The lesson; no rows while the results are zoomed.
    pub lesson: Area,
    /// The results.
    pub results: Option<Area>,
    /// The line above the last: the status.
    pub status: Area,
    /// The last line: keys.
    pub keys: Area,
}

impl Regions {
    /// A centred window, no larger than the screen.
    #[must_use]
    pub fn centred(&self, width: u16, height: u16) -> Area {
        let (columns, rows) = (self.status.width, self.status.y);
        let (width, height) = (width.min(columns), height.min(rows));
        Area { x: (columns - width) / 2, y: (rows - height) / 2, width, height }
    }
}

/// The parts of a screen of that size; `None` when it is too small.
#[must_use]
pub fn regions(size: (u16, u16), results: Results) -> Option<Regions> {
    let (width, height) = size;
    if width < SMALLEST.0 || height < SMALLEST.1 {
        return None;
    }
    let line = |y| Area { x: 0, y, width, height: 1 };
    let body = height - 3;
    let left = if width >= WITH_MODULES { MODULES_WIDTH } else { 0 };
    let modules = Area { x: 0, y: 1, width: left, height: body };
    let below = match results {
        Results::Closed => 0,
        Results::Open => (body * 2 / 5).max(7),
        Results::Zoomed => body,
    };
    let lesson = Area { x: left, y: 1, width: width - left, height: body - below };
    let panel = Area { x: left, y: 1 + body - below, width: width - left, height: below };
    Some(Regions {
        title: line(0),
        modules: (left > 0).then_some(modules),
        lesson,
        results: (below > 0).then_some(panel),
        status: line(height - 2),
        keys: line(height - 1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_belongs_to_one_part() {
        for size in [(60, 20), (109, 30), (110, 30), (140, 45), (500, 200)] {
            for results in [Results::Closed, Results::Open, Results::Zoomed] {
                let parts = regions(size, results).unwrap();
                let areas = [Some(parts.title), parts.modules, Some(parts.lesson), parts.results]
                    .into_iter()
                    .chain([Some(parts.status), Some(parts.keys)])
                    .flatten();
                let cells: u32 = areas.map(|a| u32::from(a.width) * u32::from(a.height)).sum();
                assert_eq!(cells, u32::from(size.0) * u32::from(size.1), "{size:?} {results:?}");
            }
        }
    }

    #[test]
    fn below_the_smallest_size_there_are_no_parts() {
        assert_eq!(regions((59, 20), Results::Closed), None);
        assert_eq!(regions((60, 19), Results::Closed), None);
    }
}
