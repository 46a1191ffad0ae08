//! The reference of the corpus's module, for the grader: the course's text of it is in `tests/grading.rs`.

pub fn double(x: i32) -> i32 {
    x * 2
}

pub fn triple(x: i32) -> i32 {
    x * 3
}
