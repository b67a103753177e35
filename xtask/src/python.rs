//! The foreign clients: a Python with pinned libraries, made once and kept beside other downloads.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::PathBuf,
    process::Command,
};

use crate::{Outcome, process, workspace};

/// The interpreter of an environment that has what `conformance/clients/requirements.txt` lists. Made anew when that file changes.
pub(crate) fn interpreter() -> Outcome<PathBuf> {
    let requirements = workspace::root().join("conformance/clients/requirements.txt");
    let wanted = fs::read_to_string(&requirements).map_err(|error| format!("{}: {error}", requirements.display()))?;
    let mut hasher = DefaultHasher::new();
    wanted.hash(&mut hasher);
    let folder = workspace::cache()?.join(format!("python-{:016x}", hasher.finish()));
    let python = folder.join("bin/python");

    // Written last: without it the environment is half made.
    let complete = folder.join("complete");
    if !complete.exists() {
        println!("making a Python environment in {}", folder.display());
        let _ = fs::remove_dir_all(&folder);
        process::run(Command::new("python3").args(["-m", "venv"]).arg(&folder))
            .map_err(|error| format!("{error} (Debian: python3-venv)"))?;
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"])
            .arg(&requirements);
        process::run(&mut pip)?;
        fs::write(&complete, "").map_err(|error| format!("{}: {error}", complete.display()))?;
    }
    Ok(python)
}

/// A script of `conformance/`, to be given its arguments.
pub(crate) fn script(path: &str) -> Outcome<Command> {
    let mut command = Command::new(interpreter()?);
    command.current_dir(workspace::root().join("conformance")).env("PYTHONDONTWRITEBYTECODE", "1");
    command.args(["-X", "utf8", "-u"]).arg(path);
    Ok(command)
}
