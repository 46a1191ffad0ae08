//! A trace: what a program did when, as nested spans, and its form as a file that Chrome and Perfetto open. Every lesson
//! may use it; it is not a lesson. Not here: what is traced, and where the file is written.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Instant;

/// A piece of work with its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// What was done.
    pub name: String,
    /// How many spans it is inside of.
    pub depth: usize,
    /// When it began, in seconds since the trace began.
    pub start: f64,
    /// How long it took, in seconds; spans inside it count.
    pub seconds: f64,
}

/// Records spans while the work is done.
#[derive(Debug)]
pub struct Tracer {
    began: Instant,
    depth: usize,
    spans: Vec<Span>,
}

impl Default for Tracer {
    fn default() -> Self {
        Self { began: Instant::now(), depth: 0, spans: vec![] }
    }
}

impl Tracer {
    /// Does `work` inside a span. It may open further spans with the tracer that it gets.
    pub fn span<T>(&mut self, name: impl Into<String>, work: impl FnOnce(&mut Self) -> T) -> T {
        let at = self.spans.len();
        let start = self.began.elapsed().as_secs_f64();
        self.spans.push(Span { name: name.into(), depth: self.depth, start, seconds: 0.0 });
        self.depth += 1;
        let result = work(self);
        self.depth -= 1;
        self.spans[at].seconds = self.began.elapsed().as_secs_f64() - start;
        result
    }

    /// What was recorded, in the order in which the spans began.
    #[must_use]
    pub fn spans(self) -> Vec<Span> {
        self.spans
    }
}

/// Named traces in the Trace Event Format, as JSON: each trace is a thread, each span a complete event (`"ph": "X"`)
/// with its begin and duration in microseconds. <https://ui.perfetto.dev> and `chrome://tracing` open it.
#[must_use]
pub fn chrome_trace<'a>(traces: impl IntoIterator<Item = (&'a str, &'a [Span])>) -> String {
    let microseconds = |seconds: f64| (seconds * 1e9).round() / 1e3;
    let mut events: Vec<Value> = vec![];
    for (thread, (name, spans)) in (1..).zip(traces) {
        let arguments = json!({ "name": name });
        events.push(
            json!({ "name": "thread_name", "ph": "M", "pid": 1, "tid": thread, "args": arguments }),
        );
        events.extend(spans.iter().map(|span| {
            json!({
                "name": span.name, "cat": "profile", "ph": "X", "pid": 1, "tid": thread,
                "ts": microseconds(span.start), "dur": microseconds(span.seconds),
            })
        }));
    }
    json!({ "traceEvents": events, "displayTimeUnit": "ms" }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_recorded_in_the_order_in_which_they_begin_and_know_what_they_are_inside_of() {
        let mut tracer = Tracer::default();
        let answer = tracer.span("step", |tracer| {
            tracer.span("forward", |tracer| tracer.span("layer", |_| ()));
            tracer.span("backward", |_| 42)
        });
        tracer.span("again", |_| ());
        let spans = tracer.spans();
        assert_eq!(answer, 42);
        let seen: Vec<(&str, usize)> = spans.iter().map(|s| (s.name.as_str(), s.depth)).collect();
        assert_eq!(
            seen,
            [("step", 0), ("forward", 1), ("layer", 2), ("backward", 1), ("again", 0)]
        );
        let end = |span: &Span| span.start + span.seconds;
        for inner in &spans[1..4] {
            assert!(spans[0].start <= inner.start && end(inner) <= end(&spans[0]), "{spans:?}");
        }
        assert!(end(&spans[2]) <= spans[3].start && end(&spans[0]) <= spans[4].start);
    }

    #[test]
    fn a_chrome_trace_has_the_fields_that_the_format_requires() {
        let span =
            |name: &str, depth, start, seconds| Span { name: name.into(), depth, start, seconds };
        let spans = [span("a \"quoted\" step", 0, 0.0, 1.5e-3), span("layer", 1, 2e-7, 1e-3)];
        let text = chrome_trace([("first", &spans[..]), ("second", &spans[1..])]);
        let trace: Value = serde_json::from_str(&text).unwrap();
        let events = trace["traceEvents"].as_array().unwrap();
        assert_eq!(events.len(), 5);
        for event in events {
            // Every event has a phase, a process and a thread; a complete event has a name, a begin and a duration too.
            assert!(event["name"].is_string() && event["pid"].is_u64() && event["tid"].is_u64());
            match event["ph"].as_str() {
                Some("X") => {
                    assert!(event["cat"].is_string(), "{event}");
                    for number in ["ts", "dur"] {
                        assert!(event[number].as_f64().is_some_and(|n| n >= 0.0), "{event}");
                    }
                }
                Some("M") => assert!(event["args"]["name"].is_string(), "{event}"),
                other => panic!("a phase of {other:?}: {event}"),
            }
        }
        assert_eq!(events[0]["args"]["name"], "first");
        assert_eq!(events[1]["name"], "a \"quoted\" step");
        assert_eq!(events[1]["dur"], 1500.0, "microseconds");
        assert_eq!(events[2]["ts"], 0.2, "fractions of a microsecond stay");
        assert_eq!((&events[1]["tid"], &events[4]["tid"]), (&json!(1), &json!(2)));
    }
}
