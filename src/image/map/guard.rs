//! A map of a file that outlives the file's shrinking.
//!
//! Where a page of a mapped file is gone, or its sector is bad, touching it makes the kernel send `SIGBUS`, which kills. Asking the kernel
//! to load the window first finds nearly all such pages without a signal. For the rest — the file may shrink a moment later — a handler
//! puts a page of zeros in the place of the one that is missing and notes the place, and whoever looked at the window asks for that note
//! before trusting what was seen.
//!
//! The handler is installed with the first map and stays. Of a `SIGBUS` that concerns no map of ours it knows nothing: it puts back what
//! was there before it, and from then on nothing is mapped any more. Where somebody else installs a handler after us, nothing is mapped
//! either. In both cases images are read instead.
#![expect(
    unsafe_code,
    reason = "the crate's one exception: mapping a file, and the handler that makes this survive the file's shrinking"
)]

use std::ffi::{c_int, c_void};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::sync::{Once, OnceLock};

use memmap2::{Advice, Mmap, MmapOptions};

use crate::units::ImagePos;

/// How many windows can be mapped at once in the whole process.
const SLOTS: usize = 64;

/// The windows that are mapped now, for the handler, which may neither wait for a lock nor allocate.
static WINDOWS: [Slot; SLOTS] = [const { Slot::free() }; SLOTS];

/// What the process did at `SIGBUS` before us.
static BEFORE: OnceLock<libc::sigaction> = OnceLock::new();

/// Whether we tried to install the handler.
static INSTALL: Once = Once::new();

/// The size of a page; set before the handler is installed.
static PAGE: AtomicUsize = AtomicUsize::new(0);

/// One window that is mapped, or none.
struct Slot {
    /// Where the window's first page is, and in the bits that this leaves free, how many pages it has. A free slot has 0.
    ///
    /// One word, so that the handler never sees half of an old window and half of a new one.
    pages: AtomicUsize,
    /// The address of a page that was missing, or 0; so too when the slot is free.
    missing: AtomicUsize,
}

impl Slot {
    const fn free() -> Self {
        Self {
            pages: AtomicUsize::new(0),
            missing: AtomicUsize::new(0),
        }
    }

    /// Takes a free slot for the window whose pages these are.
    fn take(pages: usize) -> Option<&'static Self> {
        let free = |slot: &&Self| {
            let taken = slot
                .pages
                .compare_exchange(0, pages, Ordering::SeqCst, Ordering::Relaxed);
            taken.is_ok()
        };
        WINDOWS.iter().find(free)
    }

    /// Whether the page at `address` is one of the window's.
    fn has(&self, address: usize, page: usize) -> bool {
        let pages = self.pages.load(Ordering::SeqCst);
        let count = pages & page.wrapping_sub(1);
        let start = pages.wrapping_sub(count);
        address.wrapping_sub(start) < count.wrapping_mul(page)
    }
}

/// A window of a file in memory, on guard against the file's shrinking.
#[derive(Debug)]
pub(super) struct GuardedMap {
    // Dropped first: from then on the handler no longer answers for these addresses.
    registration: Registration,
    map: Mmap,
}

impl GuardedMap {
    /// Maps `len` bytes at `at` and loads them; `None` where reading has to do instead.
    pub(super) fn new(file: BorrowedFd<'_>, at: ImagePos, len: usize) -> Option<Self> {
        if !on_guard() {
            return None;
        }
        let mut options = MmapOptions::new();
        options.offset(at.get()).len(len);
        // SAFETY: the map is read-only and nothing refers to it once `self` is gone. That the file shrinks is what the guard is for. That
        // somebody else writes to the file is excluded by no means but copying: `MappedImage` asks its users to compare and no more.
        let map = unsafe { options.map(file.as_raw_fd()) }.ok()?;
        let registration = Registration::of(&map)?;
        // Before Linux 5.14 there is no such advice; the error's true cause is found by reading.
        map.advise(Advice::PopulateRead).ok()?;
        Some(Self { registration, map })
    }

    /// The window.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.map
    }

    /// How far into the window a page was missing when somebody touched it. Then nothing that was seen of the window is to be trusted.
    pub(super) fn fault(&self) -> Option<usize> {
        // Every touch of the window comes before this question.
        fence(Ordering::SeqCst);
        match self.registration.0.missing.load(Ordering::SeqCst) {
            0 => None,
            address => Some(address.saturating_sub(self.map.as_ptr().addr())),
        }
    }
}

/// A slot that is taken.
struct Registration(&'static Slot);

impl Registration {
    fn of(map: &Mmap) -> Option<Self> {
        let page = PAGE.load(Ordering::SeqCst);
        let start = map.as_ptr().addr();
        let skip = start & page.checked_sub(1)?;
        let count = skip.checked_add(map.len())?.div_ceil(page);
        let first = start.checked_sub(skip)?;
        // The count has to fit the bits below a page's address.
        (count < page && first != 0)
            .then(|| Slot::take(first | count))
            .flatten()
            .map(Self)
    }
}

impl std::fmt::Debug for Registration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Registration")
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.0.missing.store(0, Ordering::SeqCst);
        self.0.pages.store(0, Ordering::SeqCst);
    }
}

/// The shape of a handler that is told the address.
type Handler = extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);

/// The handler as the system writes it down.
fn our_handler() -> libc::sighandler_t {
    let handler: Handler = on_bus_error;
    #[expect(
        clippy::as_conversions,
        reason = "there is no other way to a function's address"
    )]
    let address = handler as libc::sighandler_t;
    address
}

/// Whether a missing page would come to our handler.
fn on_guard() -> bool {
    INSTALL.call_once(install);
    // Somebody else's since then? Then touching a missing page would be theirs to handle.
    disposition().is_some_and(|now| now.sa_sigaction == our_handler())
}

/// Installs the handler, if that can be.
fn install() {
    // SAFETY: asks for a number.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    let (Ok(page), Some(mut action)) = (usize::try_from(page), disposition()) else {
        return;
    };
    if !page.is_power_of_two() || BEFORE.set(action).is_err() {
        return;
    }
    PAGE.store(page, Ordering::SeqCst);
    action.sa_sigaction = our_handler();
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    // SAFETY: both pointers are to live values, and the handler does only what a handler may. An error leaves the old disposition, which
    // `on_guard` sees.
    unsafe {
        libc::sigemptyset(&raw mut action.sa_mask);
        libc::sigaction(libc::SIGBUS, &raw const action, ptr::null_mut());
    }
}

/// What the process does at `SIGBUS` now.
fn disposition() -> Option<libc::sigaction> {
    let mut now = std::mem::MaybeUninit::zeroed();
    // SAFETY: `now` is a place for what the call writes; all zeros are a `sigaction` too.
    unsafe {
        let answer = libc::sigaction(libc::SIGBUS, ptr::null(), now.as_mut_ptr());
        (answer == 0).then(|| now.assume_init())
    }
}

/// Called by the kernel, in the thread that touched a page that is not there.
///
/// Only atomics and system calls in here: it may come at any moment.
extern "C" fn on_bus_error(signal: c_int, info: *mut libc::siginfo_t, _: *mut c_void) {
    // SAFETY: installed with SA_SIGINFO, so `info` is the kernel's account; a positive code says that it is about an address.
    let (code, address) = unsafe { ((*info).si_code, (*info).si_addr()) };
    if code > 0 && replace_page(address) {
        return;
    }
    if let Some(before) = BEFORE.get() {
        // SAFETY: `before` was the disposition once. A fault repeats itself when we return; a signal that was sent has to be sent again.
        unsafe {
            libc::sigaction(signal, before, ptr::null_mut());
            if code <= 0 {
                libc::raise(signal);
            }
        }
    }
}

/// Puts zeros where the page around `address` should be, if it is one of ours, and notes it.
fn replace_page(address: *mut c_void) -> bool {
    let page = PAGE.load(Ordering::SeqCst);
    let start = address.map_addr(|address| address & !page.wrapping_sub(1));
    let Some(slot) = WINDOWS.iter().find(|slot| slot.has(start.addr(), page)) else {
        return false;
    };
    slot.missing.store(start.addr(), Ordering::SeqCst);
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
    // SAFETY: the page belongs to a map of ours that is alive, as it was just touched; it is replaced by one that can be read as well.
    let put = unsafe { libc::mmap(start, page, libc::PROT_READ, flags, -1, 0) };
    put != libc::MAP_FAILED
}

#[cfg(test)]
mod tests;
