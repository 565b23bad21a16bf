//! Checksums of chunks, and of the whole from those of its chunks.

use std::fmt;
use std::str::FromStr;

use blake3::hazmat::{
    ChainingValue, HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root,
};
use md5::Digest;

use crate::image::is_zeros;
use crate::units::{Bytes, DevPos};

/// How checksums are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// BLAKE3; a chunk's value is that of its subtree, from which the whole's follows.
    Blake3,
    /// SHA-256, as sha256sum prints it.
    Sha256,
    /// MD5, as md5sum prints it.
    Md5,
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Blake3 => "blake3",
            Self::Sha256 => "sha256",
            Self::Md5 => "md5",
        })
    }
}

impl FromStr for Algorithm {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "blake3" => Ok(Self::Blake3),
            "sha256" => Ok(Self::Sha256),
            "md5" => Ok(Self::Md5),
            _ => Err("expected blake3, sha256 or md5".to_owned()),
        }
    }
}

impl Algorithm {
    /// Whether chunks may have this size: for BLAKE3 they are subtrees.
    #[must_use]
    pub fn takes(self, chunk: Bytes) -> bool {
        match self {
            Self::Blake3 => chunk.get() >= 1024 && chunk.get().is_power_of_two(),
            _ => chunk > Bytes::ZERO,
        }
    }
}

/// A chunk's checksum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value(Vec<u8>);

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

/// What became of a chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hashed {
    /// Whether all of it is zeros.
    pub zeros: bool,
    /// Its checksum; none where that would take hashing zeros, which was not asked for.
    pub value: Option<Value>,
    /// BLAKE3's value of the whole, where this chunk is all of it.
    pub root: Option<Value>,
}

/// Zeros that are hashed at once.
static ZEROS: [u8; 1 << 16] = [0; 1 << 16];

/// Hashes one chunk, front to back.
pub struct ChunkHasher {
    state: State,
    /// Zeros from the chunk's start on that are not hashed yet; nothing else came so far, or nothing is pending.
    pending: Bytes,
    data: bool,
    hash_zeros: bool,
    first: bool,
}

enum State {
    Blake3(Box<blake3::Hasher>),
    Sha256(Box<sha2::Sha256>),
    Md5(Box<md5::Md5>),
}

impl State {
    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Blake3(hasher) => {
                hasher.update(bytes);
            }
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Md5(hasher) => hasher.update(bytes),
        }
    }
}

impl ChunkHasher {
    /// Begins the chunk at `start`, a multiple of the chunks' size. With `hash_zeros` a BLAKE3 chunk of zeros gets a value, too.
    #[must_use]
    pub fn new(algorithm: Algorithm, start: DevPos, hash_zeros: bool) -> Self {
        let state = match algorithm {
            Algorithm::Blake3 => {
                let mut hasher = blake3::Hasher::new();
                if start > DevPos::START {
                    hasher.set_input_offset(start.get());
                }
                State::Blake3(Box::new(hasher))
            }
            Algorithm::Sha256 => State::Sha256(Box::default()),
            Algorithm::Md5 => State::Md5(Box::default()),
        };
        Self {
            state,
            pending: Bytes::ZERO,
            data: false,
            hash_zeros: hash_zeros || algorithm != Algorithm::Blake3,
            first: start == DevPos::START,
        }
    }

    /// Bytes that follow.
    pub fn update(&mut self, bytes: &[u8]) {
        if !self.data && is_zeros(bytes) {
            self.zeros(Bytes::of_len(bytes.len()));
            return;
        }
        self.flush();
        self.state.update(bytes);
    }

    /// Zeros that follow.
    pub fn zeros(&mut self, len: Bytes) {
        // A chunk holds less than 64 bits can say, or it is wrong anyway.
        self.pending = self.pending.saturating_add(len);
        if self.data {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.data = true;
        self.hash_pending();
    }

    fn hash_pending(&mut self) {
        while self.pending > Bytes::ZERO {
            let len = self.pending.min(Bytes::of_len(ZEROS.len()));
            let now = len.to_usize().and_then(|len| ZEROS.get(..len));
            self.state.update(now.unwrap_or_default());
            self.pending = self.pending.saturating_sub(len);
        }
    }

    /// The chunk's checksum.
    #[must_use]
    pub fn finish(mut self) -> Hashed {
        let zeros = !self.data;
        if zeros && !self.hash_zeros {
            return Hashed {
                zeros,
                value: None,
                root: None,
            };
        }
        self.hash_pending();
        let (value, root) = match self.state {
            State::Blake3(hasher) => {
                // No chunk is empty, but that of an empty image, which has a root only.
                let value = (hasher.count() > 0).then(|| hasher.finalize_non_root().to_vec());
                let root = self.first.then(|| hasher.finalize().as_bytes().to_vec());
                (value, root)
            }
            State::Sha256(hasher) => (Some(hasher.finalize().to_vec()), None),
            State::Md5(hasher) => (Some(hasher.finalize().to_vec()), None),
        };
        Hashed {
            zeros,
            value: value.map(Value),
            root: root.map(Value),
        }
    }
}

/// BLAKE3's value of the whole, from those of its chunks.
///
/// ```text
///            whole
///        .           .
///      .   .       .   .
///     0     1     2     3     chunks: powers of two, but the last
/// ```
#[derive(Debug, Default)]
pub struct Tree {
    /// Complete subtrees from left to right, each larger than the one after it; the last two may still be equal.
    stack: Vec<ChainingValue>,
    chunks: u64,
    root: Option<Value>,
    broken: bool,
}

impl Tree {
    /// The next chunk's value; `None` where it has none, and then the whole has none.
    pub fn push(&mut self, hashed: &Hashed) {
        let value = hashed.value.as_ref();
        let value = value.and_then(|value| ChainingValue::try_from(value.0.as_slice()).ok());
        let Some(value) = value else {
            self.root.clone_from(&hashed.root);
            self.broken |= self.chunks > 0 || hashed.root.is_none();
            self.chunks = self.chunks.saturating_add(1);
            return;
        };
        // The last merge is that of the root, so none is made before something follows.
        let complete = usize::try_from(self.chunks.count_ones()).unwrap_or(usize::MAX);
        while self.stack.len() > complete {
            self.merge();
        }
        self.stack.push(value);
        self.root = hashed.root.clone().filter(|_| self.chunks == 0);
        self.chunks = self.chunks.saturating_add(1);
    }

    fn merge(&mut self) {
        if let (Some(right), Some(left)) = (self.stack.pop(), self.stack.pop()) {
            self.stack
                .push(merge_subtrees_non_root(&left, &right, Mode::Hash));
        }
    }

    /// What `b3sum` prints; `None` where a chunk had no value.
    #[must_use]
    pub fn finish(mut self) -> Option<Value> {
        if self.broken {
            return None;
        }
        if self.chunks <= 1 {
            return self.root;
        }
        while self.stack.len() > 2 {
            self.merge();
        }
        let [left, right] = self.stack.as_slice() else {
            return None;
        };
        let root = merge_subtrees_root(left, right, Mode::Hash);
        Some(Value(root.as_bytes().to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(len: usize) -> Vec<u8> {
        let mut state = 7_u32;
        let next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        };
        (0..len).map(next).collect()
    }

    fn whole(content: &[u8], chunk: usize, hash_zeros: bool) -> Option<String> {
        let mut tree = Tree::default();
        let mut at = 0;
        loop {
            let now = &content[at..content.len().min(at + chunk)];
            let start = DevPos::at(Bytes::of_len(at));
            let mut hasher = ChunkHasher::new(Algorithm::Blake3, start, hash_zeros);
            for piece in now.chunks(700) {
                hasher.update(piece);
            }
            tree.push(&hasher.finish());
            at += chunk;
            if at >= content.len() {
                break;
            }
        }
        tree.finish().map(|value| value.to_string())
    }

    #[test]
    fn chunks_combine_to_the_value_of_the_whole() {
        for len in [0, 1, 1023, 1024, 1025, 2048, 5000, 9 * 1024, 70_000] {
            let content = noise(len);
            let expected = blake3::hash(&content).to_string();
            for chunk in [1024, 2048, 16384, 1 << 20] {
                let found = whole(&content, chunk, true);
                assert_eq!(found.as_deref(), Some(&*expected), "{len} by {chunk}");
            }
        }
    }

    #[test]
    fn zeros_are_hashed_only_when_asked_for() {
        let mut content = noise(10_000);
        content[2048..4096].fill(0);
        let expected = blake3::hash(&content).to_string();
        assert_eq!(whole(&content, 2048, false), None);
        assert_eq!(whole(&content, 2048, true), Some(expected.clone()));
        // Zeros beside data belong to a chunk that is not all zeros.
        assert_eq!(whole(&content, 4096, false), Some(expected));
        assert_eq!(whole(&[0; 700], 1024, false), None);
        let mut md5 = ChunkHasher::new(Algorithm::Md5, DevPos::START, false);
        md5.zeros(Bytes::new(3));
        let hashed = md5.finish();
        // printf '\0\0\0' | md5sum
        let value = hashed.value.map(|value| value.to_string());
        assert_eq!(value.as_deref(), Some("693e9af84d3dfcc71e640e005bdc5e2e"));
        assert!(hashed.zeros);
    }
}
