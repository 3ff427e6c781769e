//! What the program is made of (SBOM), as CycloneDX 1.5: each crate that is linked into it, with its licence and its digest.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::{cargo, sh, workspace};

/// What cargo knows of the packages.
pub(super) fn metadata(args: &[&str]) -> Result<Value> {
    let mut command = cargo::cargo(&["metadata", "--locked", "--format-version=1"]);
    let text = sh::output(command.args(args))?;
    serde_json::from_str(&text).context("cargo metadata printed no JSON")
}

/// Writes the SBOM.
pub(super) fn write(to: &Path) -> Result<PathBuf> {
    let metadata = metadata(&["--filter-platform", "x86_64-unknown-linux-gnu"])?;
    let lock =
        std::fs::read_to_string(workspace::root().join("Cargo.lock")).context("cannot read Cargo.lock")?;
    let sbom = bom(&metadata, &checksums(&lock)).context("cargo metadata lacks what an SBOM needs")?;
    let mut text = serde_json::to_string_pretty(&sbom)?;
    text.push('\n');
    std::fs::write(to, text).with_context(|| format!("cannot write {}", to.display()))?;
    Ok(to.to_owned())
}

/// SHA-256 of each package, by name and version, from a Cargo.lock.
fn checksums(lock: &str) -> BTreeMap<(String, String), String> {
    let field = |package: &str, name: &str| {
        let mut lines = package.lines();
        lines.find_map(|line| {
            Some(line.strip_prefix(name)?.strip_prefix(" = \"")?.strip_suffix('"')?.to_owned())
        })
    };
    let packages = lock.split("[[package]]").skip(1);
    packages
        .filter_map(|package| {
            Some(((field(package, "name")?, field(package, "version")?), field(package, "checksum")?))
        })
        .collect()
}

/// The packages that `connmon` is linked from, itself included, with those that each depends on; no build scripts', no tests'.
fn linked(metadata: &Value) -> Option<BTreeMap<&str, BTreeSet<&str>>> {
    let nodes = metadata["resolve"]["nodes"].as_array()?;
    let of: BTreeMap<&str, &Value> =
        nodes.iter().filter_map(|node| Some((node["id"].as_str()?, node))).collect();
    let mut found = BTreeMap::new();
    let mut open = vec![id_of(metadata, "connmon")?];
    while let Some(id) = open.pop() {
        if found.contains_key(id) {
            continue;
        }
        let dependencies = of.get(id)?["deps"].as_array()?.iter();
        let is_normal = |dependency: &&Value| {
            dependency["dep_kinds"]
                .as_array()
                .is_some_and(|kinds| kinds.iter().any(|kind| kind["kind"].is_null()))
        };
        let below: BTreeSet<&str> =
            dependencies.filter(is_normal).filter_map(|dependency| dependency["pkg"].as_str()).collect();
        open.extend(&below);
        found.insert(id, below);
    }
    Some(found)
}

fn id_of<'a>(metadata: &'a Value, name: &str) -> Option<&'a str> {
    let packages = metadata["packages"].as_array()?;
    packages.iter().find(|package| package["name"] == name)?["id"].as_str()
}

fn bom(metadata: &Value, checksums: &BTreeMap<(String, String), String>) -> Option<Value> {
    let linked = linked(metadata)?;
    let packages = metadata["packages"].as_array()?;
    let of: BTreeMap<&str, &Value> =
        packages.iter().filter_map(|package| Some((package["id"].as_str()?, package))).collect();
    let purl = |id: &str| {
        let package = of.get(id)?;
        Some(format!("pkg:cargo/{}@{}", package["name"].as_str()?, package["version"].as_str()?))
    };
    let component = |id: &str| {
        let package = of.get(id)?;
        let (name, version) = (package["name"].as_str()?, package["version"].as_str()?);
        let kind = if name == "connmon" { "application" } else { "library" };
        let mut component = json!({
            "type": kind, "bom-ref": purl(id)?, "name": name, "version": version, "purl": purl(id)?,
        });
        if let Some(licence) = package["license"].as_str() {
            component["licenses"] = json!([{ "expression": licence.replace('/', " OR ") }]);
        }
        if let Some(checksum) = checksums.get(&(name.to_owned(), version.to_owned())) {
            component["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
        }
        Some(component)
    };
    let root = id_of(metadata, "connmon")?;
    let mut components: Vec<Value> =
        linked.keys().filter(|id| **id != root).map(|id| component(id)).collect::<Option<_>>()?;
    components.sort_by_key(|component| component["bom-ref"].as_str().map(str::to_owned));
    let mut dependencies = Vec::new();
    for (id, below) in &linked {
        let below: BTreeSet<String> = below.iter().map(|id| purl(id)).collect::<Option<_>>()?;
        dependencies.push(json!({ "ref": purl(id)?, "dependsOn": below }));
    }
    dependencies.sort_by_key(|dependency| dependency["ref"].as_str().map(str::to_owned));
    Some(json!({
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": { "component": component(root)? },
        "components": components,
        "dependencies": dependencies,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_linked_is_listed_with_licence_and_digest() {
        let kinds = |kind: Value| json!([{ "kind": kind }]);
        let metadata = json!({
            "packages": [
                { "id": "a", "name": "connmon", "version": "1.0.0", "license": "MIT" },
                { "id": "b", "name": "lib", "version": "2.0.0", "license": "MIT/Apache-2.0" },
                { "id": "c", "name": "build", "version": "3.0.0", "license": null },
            ],
            "resolve": { "nodes": [
                { "id": "a", "deps": [
                    { "pkg": "b", "dep_kinds": kinds(Value::Null) }, { "pkg": "c", "dep_kinds": kinds(json!("build")) },
                ] },
                { "id": "b", "deps": [] },
                { "id": "c", "deps": [] },
            ] },
        });
        let lock = "version = 4\n\n[[package]]\nname = \"lib\"\nversion = \"2.0.0\"\nchecksum = \"ab\"\n";
        let bom = bom(&metadata, &checksums(lock)).expect("whole");
        assert_eq!(bom["metadata"]["component"]["purl"], "pkg:cargo/connmon@1.0.0");
        let components = bom["components"].as_array().expect("a list");
        assert_eq!(components.len(), 1, "a build script's crates are not linked");
        assert_eq!(components[0]["hashes"][0]["content"], "ab");
        assert_eq!(components[0]["licenses"][0]["expression"], "MIT OR Apache-2.0");
        assert_eq!(
            bom["dependencies"][0],
            json!({ "ref": "pkg:cargo/connmon@1.0.0", "dependsOn": ["pkg:cargo/lib@2.0.0"] })
        );
    }
}
