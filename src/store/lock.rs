//! A folder that one process holds at a time.

use super::StoreError;
use fs_err as fs;
use std::path::Path;

/// Held as long as it lives.
#[derive(Debug)]
pub(super) struct Lock(fs::File);

impl Lock {
    /// Holds a folder, which is made if there is none.
    ///
    /// # Errors
    /// When the folder cannot be written, or another process holds it.
    pub(super) fn of(root: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(root)?;
        let lock = fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(root.join("lock"))?;
        if lock.file().try_lock().is_err() {
            return Err(StoreError::Locked { path: root.to_owned() });
        }
        Ok(Self(lock))
    }
}

impl Drop for Lock {
    /// Closing the file is not enough: a child that another thread is just starting may have it open for a moment longer.
    fn drop(&mut self) {
        self.0.file().unlock().ok();
    }
}
