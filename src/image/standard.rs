//! Standard input and output as they are, without a buffer between: for streams of many gigabytes.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;

use rustix::io::Errno;

/// As much as a pipe should hold: with the usual 64 KiB, both ends wait for each other too often.
const PIPE: usize = 1 << 20;

/// Standard input.
#[derive(Debug, Default)]
pub struct StandardInput(());

/// Standard output.
#[derive(Debug, Default)]
pub struct StandardOutput(());

impl StandardInput {
    /// Takes it; where it is a pipe, that is made larger.
    #[must_use]
    pub fn new() -> Self {
        // The system may refuse that, and nothing depends on it.
        let _ = rustix::pipe::fcntl_setpipe_size(io::stdin().as_fd(), PIPE);
        Self(())
    }
}

impl StandardOutput {
    /// Takes it; where it is a pipe, that is made larger.
    #[must_use]
    pub fn new() -> Self {
        let _ = rustix::pipe::fcntl_setpipe_size(io::stdout().as_fd(), PIPE);
        Self(())
    }
}

impl Read for StandardInput {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match rustix::io::read(io::stdin().as_fd(), &mut *buf) {
                Err(Errno::INTR) => {}
                answer => return Ok(answer?),
            }
        }
    }
}

impl Write for StandardOutput {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        loop {
            match rustix::io::write(io::stdout().as_fd(), buf) {
                Err(Errno::INTR) => {}
                answer => return Ok(answer?),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
