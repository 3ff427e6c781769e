//! Outputs that were agreed on, beside the tests that make them.

use std::path::Path;

/// Compares `text` with the file `name` in the folder `golden` of a module, or makes it that if `BLESS` is set.
pub fn compare(module: &str, name: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(module).join("golden").join(name);
    compare_file(&file, module, text);
}

/// Compares `text` with a file, or makes it that if `BLESS` is set.
pub fn compare_file(file: &Path, module: &str, text: &str) {
    if std::env::var_os("BLESS").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    let expected = std::fs::read_to_string(file).unwrap_or_default();
    let differs = expected.lines().zip(text.lines()).find(|(a, b)| a != b);
    assert!(
        expected == text,
        "{} has changed, first at {differs:?}. If that is right: BLESS=1 cargo test -p connmon {module}",
        file.display(),
        module = module.replace('/', "::")
    );
}
