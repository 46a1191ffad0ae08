//! Short texts of other kinds than the dialogue corpus, written for this course: what a tokenizer that
//! was trained on English questions makes of them.

/// A German text.
pub const GERMAN: &str = "\
Am frühen Morgen fährt der Zug aus der kleinen Stadt über die Brücke. Die Reisenden lesen, schlafen oder schauen aus \
dem Fenster. Ein Mädchen zählt die Bäume am Fluss, bis es nicht mehr weiterweiß. Ihr Großvater erzählt von früher, als \
die Züge noch langsamer waren und man in jedem Dorf ein wenig warten musste. Damals, sagt er, kannte man alle Leute, die \
einstiegen. Heute kennt er niemanden. Das Mädchen lacht und fragt, ob er denn nicht einmal den Schaffner kenne. Der \
Schaffner bleibt stehen, grüßt höflich und prüft die Fahrkarten. Draußen wird es heller, und der Nebel über den Wiesen \
verschwindet. Nach einer Stunde sehen sie die ersten Häuser der großen Stadt, die Fabriken, den Hafen und schließlich das \
Glasdach des Bahnhofs. Sie nehmen ihre Koffer und steigen aus.
";

/// A piece of Rust.
pub const RUST: &str = "\
/// The moving average of a series over a window of a fixed size.
pub struct MovingAverage {
    window: VecDeque<f64>,
    size: usize,
    sum: f64,
}

impl MovingAverage {
    pub fn new(size: usize) -> Self {
        assert!(size > 0, \"a window holds at least one value\");
        Self { window: VecDeque::with_capacity(size), size, sum: 0.0 }
    }

    pub fn push(&mut self, value: f64) -> f64 {
        if self.window.len() == self.size {
            if let Some(oldest) = self.window.pop_front() {
                self.sum -= oldest;
            }
        }
        self.window.push_back(value);
        self.sum += value;
        self.sum / self.window.len() as f64
    }
}
";
