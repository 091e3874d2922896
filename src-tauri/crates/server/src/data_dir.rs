//! The data directory: private, and held by one process at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::error::StartError;

const LOCK_FILE: &str = "lock";
const SERVER_FILE: &str = "server.json";

/// How long a lock that is held is waited for where a server said that it runs. One that was just killed holds it until
/// the system has cleared it away; one that runs holds it for good.
const LOCK_PATIENCE: Duration = Duration::from_millis(500);

/// How long where none said so. Who looks whether a server runs holds it for some microseconds, and a command that reads
/// what is in the directory for moments, which a busy machine makes longer.
const LOOKING_PATIENCE: Duration = Duration::from_secs(3);

/// How often the lock is tried meanwhile.
const LOCK_RETRY: Duration = Duration::from_millis(5);

/// The data directory, held by this process until the value is dropped.
pub struct DataDir {
    path: PathBuf,
    // Never read: the lock lives as long as the file is open, and ends with the process whatever happens.
    _lock: File,
}

/// The server that runs on a data directory, as it told in `server.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// Its process.
    pub pid: u32,
    /// Its address, without the token: `http://127.0.0.1:8765/`.
    pub url: String,
    /// Whether it runs with a token of its own, and not with the kept one.
    pub own_token: bool,
}

impl DataDir {
    /// Makes the directory if it is not there, and takes its lock.
    ///
    /// # Errors
    ///
    /// [`StartError::DataDirLocked`] if another process holds it.
    pub fn hold(path: &Path) -> Result<Self, StartError> {
        let patience = match read_running(path) {
            Some(_) => LOCK_PATIENCE,
            None => LOOKING_PATIENCE,
        };
        Self::hold_within(path, patience)
    }

    fn hold_within(path: &Path, patience: Duration) -> Result<Self, StartError> {
        make_private(path)?;
        let lock_path = path.join(LOCK_FILE);
        let lock = private()
            .truncate(false)
            .open(&lock_path)
            .map_err(StartError::io(&lock_path))?;
        match lock_within(&lock, patience) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let pid = read_running(path).map(|running| running.pid);
                return Err(StartError::DataDirLocked {
                    dir: path.to_owned(),
                    pid,
                });
            }
            Err(TryLockError::Error(source)) => {
                return Err(StartError::Io {
                    path: lock_path,
                    source,
                });
            }
        }
        // What a killed server left behind: the lock says that nobody runs.
        remove_running(path);
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Tells other processes of this user where the server answers.
    pub(crate) fn announce(&self, running: &Running) -> Result<(), StartError> {
        let file = self.path.join(SERVER_FILE);
        let text = serde_json::to_vec(running).map_err(std::io::Error::other);
        text.and_then(|text| write_private(&file, &text))
            .map_err(StartError::io(file))
    }

    /// Takes back what [`announce`](Self::announce) told.
    pub(crate) fn retract(&self) {
        remove_running(&self.path);
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        remove_running(&self.path);
    }
}

fn lock_within(lock: &File, patience: Duration) -> Result<(), TryLockError> {
    let since = Instant::now();
    loop {
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) if since.elapsed() < patience => sleep(LOCK_RETRY),
            done => return done,
        }
    }
}

/// The server that runs on the data directory, if one does.
pub fn find_running(data_dir: &Path) -> Option<Running> {
    let running = read_running(data_dir)?;
    // The file alone proves nothing: a server that was killed leaves it behind. The lock cannot be left behind.
    let lock = File::open(data_dir.join(LOCK_FILE)).ok()?;
    matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)).then_some(running)
}

/// Replaces a file as a whole; only its owner can read it.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> std::io::Result<()> {
    // Written beside it and moved over it: a reader sees the old content or the new, nothing in between.
    let beside = path.with_extension("new");
    let mut file = private().truncate(true).open(&beside)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)
}

fn read_running(data_dir: &Path) -> Option<Running> {
    serde_json::from_slice(&std::fs::read(data_dir.join(SERVER_FILE)).ok()?).ok()
}

fn remove_running(data_dir: &Path) {
    // It is fine if there is none; and if it cannot be removed, the lock still tells the truth.
    let _ = std::fs::remove_file(data_dir.join(SERVER_FILE));
}

/// Makes the directory, its parents too, and closes it to others, also if it was there before.
pub(crate) fn make_private(dir: &Path) -> Result<(), StartError> {
    std::fs::create_dir_all(dir).map_err(StartError::io(dir))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700)).map_err(StartError::io(dir))?;
    }
    Ok(())
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_process_is_told_who_holds_the_directory() {
        let dir = tempfile::tempdir().expect("a folder");
        let running = Running {
            pid: 4711,
            url: "http://127.0.0.1:1/".to_owned(),
            own_token: false,
        };
        let held = DataDir::hold(dir.path()).expect("held");
        held.announce(&running).expect("announced");
        assert_eq!(find_running(dir.path()), Some(running));
        match DataDir::hold(dir.path()) {
            Err(StartError::DataDirLocked { pid: Some(4711), .. }) => {}
            other => panic!("{:?}", other.map(|held| held.path().to_owned())),
        }
        drop(held);
        assert_eq!(find_running(dir.path()), None);
        DataDir::hold(dir.path()).expect("free again");
    }

    #[test]
    fn who_only_looks_whether_a_server_runs_keeps_none_from_starting() {
        let dir = tempfile::tempdir().expect("a folder");
        let running = Running {
            pid: 4711,
            url: String::new(),
            own_token: false,
        };
        let left_behind = serde_json::to_vec(&running).expect("JSON");
        drop(DataDir::hold(dir.path()).expect("held"));
        let (looking, looked) = std::sync::mpsc::channel::<()>();
        let file = dir.path().join(SERVER_FILE);
        let (file, dir) = (file.as_path(), dir.path());
        std::thread::scope(|scope| {
            scope.spawn(move || {
                // Until the sender is gone.
                while looked.try_recv() != Err(std::sync::mpsc::TryRecvError::Disconnected) {
                    let _ = std::fs::write(file, &left_behind);
                    find_running(dir);
                }
            });
            // Without the patience they would: a machine that stalls needs more of it.
            let patience = Duration::from_secs(30);
            for _ in 0..200 {
                drop(DataDir::hold_within(dir, patience).expect("held"));
            }
            drop(looking);
        });
    }

    #[test]
    fn what_a_killed_server_left_behind_is_not_taken_for_a_server() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join(LOCK_FILE), "").expect("written");
        std::fs::write(
            dir.path().join(SERVER_FILE),
            r#"{"pid":1,"url":"http://127.0.0.1:1/","own_token":false}"#,
        )
        .expect("written");
        assert_eq!(find_running(dir.path()), None);
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let parent = tempfile::tempdir().expect("a folder");
        let path = parent.path().join("data");
        std::fs::create_dir(&path).expect("made");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("opened up");
        let held = DataDir::hold(&path).expect("held");
        held.announce(&Running {
            pid: 1,
            url: String::new(),
            own_token: false,
        })
        .expect("announced");
        let mode = |path: &Path| path.metadata().expect("there").permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o700);
        for file in std::fs::read_dir(&path).expect("listed") {
            assert_eq!(mode(&file.expect("an entry").path()), 0o600);
        }
    }
}
