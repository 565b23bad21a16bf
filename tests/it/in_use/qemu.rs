//! QEMU and its tools, which lock bytes of an image.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use mdtool::image::WritableFile;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use super::{free, over, prepared, refused};
use crate::adopt::text;
use crate::support::{Run, require_tool, scratch, tool};

/// qemu-io with an image open, until it is dropped.
struct QemuIo(Child);

impl QemuIo {
    fn on(image: &Path, options: &[&str]) -> Self {
        let mut child = Command::new("qemu-io")
            .args(["-f", "raw"])
            .args(options)
            .arg(image)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // It answers only when it has the image.
        writeln!(child.stdin.as_mut().unwrap(), "length").unwrap();
        let mut answer = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut answer)
            .unwrap();
        assert!(answer.contains("64 MiB"), "{answer}");
        Self(child)
    }
}

impl Drop for QemuIo {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}

/// A program that went to the background, until it is dropped.
struct Background(Pid);

impl Background {
    fn started(program: &str, words: &[&str], pid_file: &Path) -> Self {
        tool(program, words);
        let id = std::fs::read_to_string(pid_file).unwrap();
        Self(Pid::from_raw(id.trim().parse().unwrap()).unwrap())
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        kill_process(self.0, Signal::KILL).unwrap();
        while test_kill_process(self.0).is_ok() && !is_dead(self.0) {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
}

/// Whether all threads of a process are over, though nobody may have asked yet how it ended: its files are closed then.
fn is_dead(id: Pid) -> bool {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", id.as_raw_nonzero()));
    tasks.into_iter().flatten().flatten().all(|task| {
        let stat = std::fs::read_to_string(task.path().join("stat"));
        stat.map_or(true, |stat| stat.contains(") Z ") || stat.contains(") X "))
    })
}

#[test]
fn what_qemu_has_open_is_left_alone() {
    if !require_tool("qemu-io") {
        return;
    }
    let stack = prepared();
    let link = stack.file("link");
    std::fs::hard_link(&stack.image, &link).unwrap();
    for options in [&[][..], &["-r"]] {
        let qemu = QemuIo::on(&stack.image, options);
        let says = format!("is in use, opened by qemu-io (process {})", qemu.0.id());
        refused(&stack.image, &stack.image, &says);
        refused(&link, &stack.image, &says);
        drop(qemu);
        free(&stack, &stack.image);
    }
}

#[test]
fn qemu_leaves_alone_what_we_have_open() {
    if !require_tool("qemu-io") {
        return;
    }
    let stack = prepared();
    let image = text(&stack.image);
    let write = || -> Run {
        let words = ["-f", "raw", "-c", "write 0 512", image];
        Command::new("qemu-io").args(words).output().unwrap().into()
    };
    let held = WritableFile::open(&stack.image).unwrap();
    let run = write();
    assert_ne!(run.status, 0, "{run:?}");
    assert!(run.stderr.contains("lock"), "{run:?}");
    drop(held);
    assert_eq!(write().status, 0);
}

#[test]
fn qemu_is_seen_through_a_loop_device_and_on_one() {
    if !require_tool("qemu-io") {
        return;
    }
    let stack = prepared();
    let Some(device) = over(&stack.image) else {
        return;
    };
    let target = PathBuf::from(device.path());
    let upper = over(&target).unwrap();
    let below = QemuIo::on(&stack.image, &[]);
    let says = format!(
        "is in use as {}, opened by qemu-io (process {})",
        text(&stack.image),
        below.0.id()
    );
    refused(Path::new(upper.path()), &stack.image, &says);
    drop(upper);
    refused(&target, &stack.image, &says);
    drop(below);
    free(&stack, &target);
    let on_it = QemuIo::on(&target, &[]);
    let says = format!("is in use, opened by qemu-io (process {})", on_it.0.id());
    refused(&target, &stack.image, &says);
    let says = format!(
        "is in use as {}, opened by qemu-io (process {})",
        device.path(),
        on_it.0.id()
    );
    refused(&stack.image, &stack.image, &says);
}

#[test]
fn an_image_that_qemu_nbd_serves_is_left_alone() {
    if !require_tool("qemu-nbd") {
        return;
    }
    let (stack, run) = (prepared(), scratch());
    let (socket, pid) = (run.path().join("socket"), run.path().join("pid"));
    let words = ["-f", "raw", "--fork", "--persistent", "-k", text(&socket)];
    let words = [&words[..], &["--pid-file", text(&pid), text(&stack.image)]].concat();
    let server = Background::started("qemu-nbd", &words, &pid);
    refused(
        &stack.image,
        &stack.image,
        "is in use, opened by qemu-nbd (process ",
    );
    drop(server);
    free(&stack, &stack.image);
}

#[test]
fn a_virtual_machine_s_disk_is_left_alone() {
    if !require_tool("qemu-system-x86_64") {
        return;
    }
    let (stack, run) = (prepared(), scratch());
    let pid = run.path().join("pid");
    let file = format!("driver=file,filename={},node-name=f", text(&stack.image));
    let words = [
        "-machine",
        "q35,accel=tcg",
        "-nodefaults",
        "-display",
        "none",
        "-S",
        "-m",
        "64",
        "-blockdev",
        &file,
        "-blockdev",
        "raw,file=f,node-name=r",
        "-device",
        "virtio-blk-pci,drive=r",
        "-daemonize",
        "-pidfile",
        text(&pid),
    ];
    let machine = Background::started("qemu-system-x86_64", &words, &pid);
    refused(
        &stack.image,
        &stack.image,
        "is in use, opened by qemu-system-x86 (process ",
    );
    drop(machine);
    free(&stack, &stack.image);
}
