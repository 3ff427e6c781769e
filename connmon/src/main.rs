//! connmon: records which process talked to whom, when and how much.
fn main() {}
