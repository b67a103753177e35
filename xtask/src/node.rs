//! Third-party clients in JavaScript: Node with pinned libraries, installed once per lock file.

use std::{fs, path::PathBuf, process::Command};

use crate::{Outcome, process, workspace};

/// Where the scripts are, with what they need beside them: `package.json` and its lock.
const FOLDER: &str = "conformance/clients/node";

/// Why it is not available here, if so.
pub(crate) fn missing() -> Option<&'static str> {
    if !process::exists("node", "--version") {
        return Some("there is no `node` (Debian: nodejs)");
    }
    if !process::exists("npm", "--version") {
        return Some("there is no `npm` (Debian: npm)");
    }
    None
}

/// A script of `conformance/clients/node/`, to be given its arguments.
pub(crate) fn script(name: &str) -> Outcome<Command> {
    let mut command = Command::new("node");
    command.arg(workspace::root().join(FOLDER).join(name)).env("NODE_PATH", modules()?);
    Ok(command)
}

/// The installed libraries, outside of the source tree.
pub(crate) fn modules() -> Outcome<PathBuf> {
    let sources = workspace::root().join(FOLDER);
    let recipe = ["package.json", "package-lock.json"].map(|name| sources.join(name));
    let folder = workspace::cached_dir(&workspace::target().join("xtask"), "node", &recipe, |folder| {
        for file in &recipe {
            let copy = folder.join(file.file_name().expect("each of the files has a name"));
            fs::copy(file, copy).map_err(|error| format!("{}: {error}", file.display()))?;
        }
        // No script of a package runs: none of these needs one.
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(folder);
        process::run(&mut npm)
    })?;
    Ok(folder.join("node_modules"))
}
