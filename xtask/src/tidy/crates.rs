//! The picture of the crates in ARCHITECTURE.md: which uses which, by their manifests.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{cargo, sh, workspace};

const PAGE: &str = "ARCHITECTURE.md";
/// What is around the picture.
const OPENING: &str = "<!-- crates: `BLESS=1 cargo xtask tidy` -->\n```text\n";
const CLOSING: &str = "```\n";

/// Compares it, or makes it what it should be if `BLESS` is set.
pub fn check() -> Result<()> {
    let mut metadata: Command = cargo::cargo(&["metadata", "--format-version", "1", "--no-deps", "--locked"]);
    let metadata: Value = serde_json::from_str(&sh::output(&mut metadata)?).context("cargo metadata")?;
    let picture = picture(&metadata);
    let path = workspace::root().join(PAGE);
    let page = std::fs::read_to_string(&path).with_context(|| format!("cannot read {PAGE}"))?;
    let start =
        page.find(OPENING).with_context(|| format!("{PAGE} has no picture of the crates"))? + OPENING.len();
    let end =
        start + page[start..].find(CLOSING).with_context(|| format!("{PAGE}: the picture does not end"))?;
    if std::env::var_os("BLESS").is_some() {
        let page = format!("{}{picture}{}", &page[..start], &page[end..]);
        return std::fs::write(&path, page).with_context(|| format!("cannot write {PAGE}"));
    }
    ensure!(
        page[start..end] == picture,
        "the crates do not use each other as {PAGE} shows; if that is right: BLESS=1 cargo xtask tidy"
    );
    Ok(())
}

/// A line a crate with those of ours that it uses, each below all that it uses.
fn picture(metadata: &Value) -> String {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let is_ours = |name: &str| name == "connmon" || name.starts_with("connmon-") && name != "connmon-tests";
    let mut uses: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in list(&metadata["packages"]) {
        let name = text(&package["name"]);
        if !is_ours(&name) || ["connmon-fixtures", "connmon-fuzz"].contains(&name.as_str()) {
            continue;
        }
        // Of the kinds of dependencies, that of a product has no name.
        let product = list(&package["dependencies"]).into_iter().filter(|one| one["kind"].is_null());
        let names = product.map(|one| text(&one["name"])).filter(|name| is_ours(name));
        uses.insert(name, names.collect());
    }
    let mut lines = String::new();
    let mut shown: Vec<String> = Vec::new();
    while let Some(next) =
        uses.iter().find(|(name, of)| !shown.contains(name) && of.iter().all(|one| shown.contains(one)))
    {
        let name = next.0.clone();
        let of: Vec<&str> = next.1.iter().map(|one| one.trim_start_matches("connmon-")).collect();
        lines += format!("{name:<17} {}", of.join(" ")).trim_end();
        lines.push('\n');
        shown.push(name);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_is_below_what_it_uses() {
        let package = |name: &str, uses: &[(&str, Option<&str>)]| {
            let uses: Vec<Value> =
                uses.iter().map(|(name, kind)| serde_json::json!({"name": name, "kind": kind})).collect();
            serde_json::json!({"name": name, "dependencies": uses})
        };
        let metadata = serde_json::json!({"packages": [
            package("connmon", &[("connmon-store", None), ("serde", None)]),
            package("connmon-store", &[("connmon-track", Some("dev"))]),
            package("connmon-track", &[]),
            package("xtask", &[]),
        ]});
        assert_eq!(picture(&metadata), "connmon-store\nconnmon           store\nconnmon-track\n");
    }
}
