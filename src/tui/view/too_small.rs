//! The message in a terminal that is too small for the screen.

use crate::tui::layout::SMALLEST;
use ratatui::Frame;
use ratatui::text::Line;

/// One line, cut where the terminal ends.
pub fn draw(frame: &mut Frame<'_>, size: (u16, u16)) {
    let (width, height) = SMALLEST;
    let text = format!("needs {width}x{height}, is {}x{}", size.0, size.1);
    frame.render_widget(Line::raw(text), frame.area());
}
