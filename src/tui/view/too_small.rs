//! A terminal that is too small: for any screen, or for the frame that was laid out.

use crate::tui::layout::SMALLEST;
use ratatui::Frame;
use ratatui::text::Line;

/// One line, cut where the terminal ends.
pub fn draw(frame: &mut Frame<'_>, size: (u16, u16)) {
    let (width, height) = SMALLEST;
    let text = format!("needs {width}x{height}, is {}x{}", size.0, size.1);
    frame.render_widget(Line::raw(text), frame.area());
}

/// Whether the terminal has shrunk since `size` was read, so that a frame of that size does not fit. The resize is the next
/// message, and the next frame fits again.
pub fn has_shrunk(frame: &Frame<'_>, (width, height): (u16, u16)) -> bool {
    let area = frame.area();
    area.width < width || area.height < height
}
