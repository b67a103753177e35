//! Third-party clients in Python: an environment with pinned libraries, created once and cached.

use std::{path::PathBuf, process::Command};

use crate::{Outcome, process, workspace};

/// The interpreter of an environment that has what `conformance/clients/requirements.txt` lists. Made anew when that file changes.
pub(crate) fn interpreter() -> Outcome<PathBuf> {
    let requirements = workspace::root().join("conformance/clients/requirements.txt");
    let recipe = [requirements.clone()];
    let folder = workspace::cached_dir(&workspace::cache()?, "python", &recipe, |folder| {
        process::run(Command::new("python3").args(["-m", "venv"]).arg(folder))
            .map_err(|error| format!("{error} (Debian: python3-venv)"))?;
        let mut pip = Command::new(folder.join("bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"])
            .arg(&requirements);
        process::run(&mut pip)
    })?;
    Ok(folder.join("bin/python"))
}

/// A script of `conformance/`, to be given its arguments.
pub(crate) fn script(path: &str) -> Outcome<Command> {
    let mut command = Command::new(interpreter()?);
    command.current_dir(workspace::root().join("conformance")).env("PYTHONDONTWRITEBYTECODE", "1");
    command.args(["-X", "utf8", "-u"]).arg(path);
    Ok(command)
}
