//! What an undo file begins with: of which version it is, and what it says of the change.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use super::super::format::{
    CHECKSUM_LEN, Doing, FIRST_VERSION, HEADER_LEN, Header, TARGET_LEN, TargetHead, VERSION,
    unsealed,
};
use super::super::journal::{Identity, TargetIdentity};
use super::super::reader::Reader;
use crate::error::{Result, UndoFault, UndoFileError};
use crate::units::Bytes;

/// What the header says.
pub(super) struct Read {
    pub(super) version: u32,
    pub(super) doing: Doing,
    pub(super) identity: Identity,
}

/// Takes the header.
pub(super) fn read(reader: &mut Reader<'_>) -> Result<Read> {
    let at = reader.position();
    let fault = |fault| UndoFileError { at, fault };
    let fixed: [u8; HEADER_LEN] = reader.peek_array()?;
    match Header::decode(&fixed).map_err(fault)? {
        Header::First {
            target,
            command_len,
        } => {
            let [path, command] = reader.texts(HEADER_LEN, [target.path_len, command_len])?;
            let target = identity(&target, path.into_bytes());
            Ok(Read {
                version: FIRST_VERSION,
                doing: Doing::Change,
                identity: Identity::one(target, command),
            })
        }
        Header::Second {
            targets,
            command_len,
            doing,
        } => {
            let mut len = HEADER_LEN;
            let mut heads = Vec::new();
            for _ in 0..targets {
                let start = len;
                len = len.saturating_add(TARGET_LEN);
                let head = reader.peek(len)?.get(start..).unwrap_or_default();
                let head = TargetHead::decode(head).map_err(fault)?;
                len = len.saturating_add(usize::from(head.path_len));
                heads.push(head);
            }
            len = len.saturating_add(usize::from(command_len));
            let frame = reader.take(len.saturating_add(CHECKSUM_LEN))?;
            let mut rest = unsealed(frame).map_err(fault)?;
            take(&mut rest, HEADER_LEN);
            let mut named = Vec::new();
            for head in heads {
                take(&mut rest, TARGET_LEN);
                let path = take(&mut rest, usize::from(head.path_len));
                named.push(identity(&head, path.to_vec()));
            }
            let command = str::from_utf8(rest).map_err(|_| fault(UndoFault::Text))?;
            let identity = Identity {
                command: command.to_owned(),
                targets: named,
            };
            Ok(Read {
                version: VERSION,
                doing,
                identity,
            })
        }
    }
}

/// The first bytes of `rest`, which has as many.
fn take<'b>(rest: &mut &'b [u8], len: usize) -> &'b [u8] {
    let (taken, later) = rest.split_at(len.min(rest.len()));
    *rest = later;
    taken
}

fn identity(head: &TargetHead, path: Vec<u8>) -> TargetIdentity {
    TargetIdentity {
        path: PathBuf::from(OsString::from_vec(path)),
        block_device: head.block_device,
        size: Bytes::new(head.size),
    }
}
