//! Unix sockets that are listened on: files that stay where they are when a process ends, and that say by their permissions who may connect.

use std::{
    fs::{self, Permissions},
    io::{self, ErrorKind},
    os::unix::{
        fs::{FileTypeExt, PermissionsExt},
        net::UnixStream,
    },
    path::Path,
};

use tokio::net::UnixListener;

/// Listens at `path`. A socket that another process has left there is replaced; one that is listened on, or a file that is none, is not.
///
/// # Errors
/// What the system reports, or why the path is not free.
pub(crate) fn bind(path: &Path, mode: u32) -> io::Result<UnixListener> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => match UnixStream::connect(path) {
            Ok(_) => return Err(io::Error::new(ErrorKind::AddrInUse, "another process listens there")),
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound) => {}
            Err(error) => return Err(error),
        },
        Ok(_) => return Err(io::Error::new(ErrorKind::AlreadyExists, "there is a file that is no socket")),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let hidden = path.with_file_name(format!(".{name}.{}", std::process::id()));
    match fs::remove_file(&hidden) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    // Nobody finds it under its name before its permissions hold.
    let listener = UnixListener::bind(&hidden)?;
    fs::set_permissions(&hidden, Permissions::from_mode(mode))
        .and_then(|()| fs::rename(&hidden, path))
        .inspect_err(|_| drop(fs::remove_file(&hidden)))?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_a_socket_that_nobody_listens_on_is_replaced() {
        let folder = tempfile::tempdir().expect("a directory");
        let path = folder.path().join("rest.sock");
        let first = bind(&path, 0o600).expect("a free path");
        let mode = || fs::metadata(&path).expect("a file").permissions().mode() & 0o777;
        assert_eq!(mode(), 0o600);
        assert_eq!(bind(&path, 0o600).expect_err("it is in use").kind(), ErrorKind::AddrInUse);
        UnixStream::connect(&path).expect("the first still listens");
        drop(first);
        assert!(path.exists());
        let _second = bind(&path, 0o666).expect("nobody listens there");
        assert_eq!(mode(), 0o666);
        UnixStream::connect(&path).expect("the second listens");

        let file = folder.path().join("notes");
        fs::write(&file, "mine").expect("written");
        assert_eq!(bind(&file, 0o600).expect_err("a file").kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&file).expect("a file"), "mine");
        assert!(bind(&folder.path().join("absent/rest.sock"), 0o600).is_err());
        assert_eq!(fs::read_dir(folder.path()).expect("a directory").count(), 2, "no temporary names are left");
    }
}
