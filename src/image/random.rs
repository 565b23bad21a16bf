//! Random numbers, for new UUIDs.

use rustix::rand::{GetRandomFlags, getrandom};

use crate::error::{IoError, IoOp, Result};

/// A random number of the system's.
///
/// # Errors
///
/// [`IoError`] where the system gives none.
pub fn random_u64() -> Result<u64> {
    let mut bytes = [0; 8];
    let mut filled = 0;
    while filled < bytes.len() {
        let rest = bytes.get_mut(filled..).unwrap_or_default();
        let got = getrandom(rest, GetRandomFlags::empty())
            .map_err(|errno| IoError::whole(IoOp::Random, errno.into()))?;
        filled = filled.saturating_add(got);
    }
    Ok(u64::from_ne_bytes(bytes))
}
