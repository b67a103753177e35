//! Paths: the source tree, build outputs, the cache of downloads, scratch directories.

use std::{
    env, fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
};

use crate::Outcome;

/// The root of the tree.
pub(crate) fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().expect("xtask stands in the root of the tree").to_owned()
}

/// The crates of the workspace, by the names of their directories.
pub(crate) fn crates() -> Outcome<Vec<String>> {
    let folder = root().join("crates");
    let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| folder.join(name).join("Cargo.toml").exists())
        .collect();
    names.sort();
    Ok(names)
}

/// The package of one of [`crates`].
pub(crate) fn package(name: &str) -> String {
    if name == "postern" { name.to_owned() } else { format!("postern-{name}") }
}

/// Where cargo builds.
pub(crate) fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// How something was compiled; see `Cargo.toml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// What tests run: quick to compile, with overflow checks and debug assertions.
    Checked,
    /// What users run, and what is measured.
    Release,
}

impl Profile {
    /// As cargo calls it, and its folder in [`target`].
    pub(crate) fn name(self) -> &'static str {
        match self {
            Profile::Checked => "checked",
            Profile::Release => "release",
        }
    }
}

/// A program of this workspace, built by [`crate::process::build`].
pub(crate) fn program(profile: Profile, name: &str) -> PathBuf {
    target().join(profile.name()).join(name)
}

/// An example of one of the crates.
pub(crate) fn example(profile: Profile, name: &str) -> PathBuf {
    target().join(profile.name()).join("examples").join(name)
}

/// A directory outside the tree for downloads, shared by all checkouts of this user.
pub(crate) fn cache() -> Outcome<PathBuf> {
    let base = match (env::var_os("XDG_CACHE_HOME"), env::var_os("HOME")) {
        (Some(cache), _) if !cache.is_empty() => PathBuf::from(cache),
        (_, Some(home)) => PathBuf::from(home).join(".cache"),
        (_, None) => return Err("neither XDG_CACHE_HOME nor HOME is set: expected one, to keep downloads in".into()),
    };
    Ok(base.join("postern"))
}

/// An empty directory for one run.
pub(crate) fn scratch(name: &str) -> Outcome<PathBuf> {
    let path = target().join("xtask").join(name);
    if path.exists() {
        fs::remove_dir_all(&path).map_err(|error| format!("cannot empty {}: {error}", path.display()))?;
    }
    fs::create_dir_all(&path).map_err(|error| format!("cannot make {}: {error}", path.display()))?;
    Ok(path)
}

/// A directory that `make` fills from the files of `recipe`; cached, and made again when those files change.
pub(crate) fn cached_dir(
    base: &Path,
    name: &str,
    recipe: &[PathBuf],
    make: impl FnOnce(&Path) -> Outcome,
) -> Outcome<PathBuf> {
    let mut hasher = DefaultHasher::new();
    for file in recipe {
        fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?.hash(&mut hasher);
    }
    let folder = base.join(format!("{name}-{:016x}", hasher.finish()));
    // Written last: without it the directory is incomplete.
    let complete = folder.join("complete");
    if !complete.exists() {
        println!("making {}", folder.display());
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
        make(&folder)?;
        fs::write(&complete, "").map_err(|error| format!("{}: {error}", complete.display()))?;
    }
    Ok(folder)
}

/// Whether this runs unattended, where a missing tool is a failure and not a reason to skip.
pub(crate) fn in_ci() -> bool {
    env::var("CI").is_ok_and(|ci| ci == "true")
}
