//! Faults that the program meets: reads that fail, outputs that are full or closed.

use std::path::Path;
use std::process::{Command, Output};

use mdtool::dump::DumpReader;

use super::stack_in;
use crate::support::{mdtool_command, peek, require_tool, scratch};

fn program() -> std::ffi::OsString {
    mdtool_command([""; 0]).get_program().to_owned()
}

/// Runs a command for which a system call on `image` goes wrong.
fn run_with(fault: &str, image: &str, args: &[&str]) -> Output {
    Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "-e", "signal=none"])
        // Only the image's: the loader reads libraries.
        .args(["-P", image])
        .arg(format!("-einject={fault}"))
        .arg(program())
        .args(args)
        .output()
        .unwrap()
}

fn files_in(dir: &Path) -> Vec<std::ffi::OsString> {
    let files = std::fs::read_dir(dir).unwrap();
    files.map(|file| file.unwrap().file_name()).collect()
}

/// What was printed before the error does not pass for a whole answer.
fn is_no_answer(args: &[&str], stdout: &str) -> bool {
    match args {
        // One line, and it says that there was an error.
        ["probe", _] => stdout.contains(": error "),
        ["probe", ..] => stdout.contains("\"answer\": \"error\""),
        ["export", ..] => DumpReader::new(stdout.as_bytes())
            .and_then(DumpReader::finish)
            .is_err(),
        // With --json the error is a document, and the only one.
        [.., "--json"] => stdout.contains("\"error\": {") && !stdout.contains("\"levels\""),
        _ => stdout.is_empty(),
    }
}

const EIO: &str = "pread64:error=EIO";
/// The end of a file that shrank.
const GONE: &str = "pread64:retval=0";

/// What goes wrong, and for which command.
const COMMANDS: [(&str, &str); 17] = [
    (EIO, "locate IMAGE --stacked"),
    (EIO, "export IMAGE --stacked --force"),
    (EIO, "export IMAGE --stacked --apply-al -o FILE"),
    (EIO, "al IMAGE --stacked"),
    (EIO, "apply-al IMAGE --stacked --dry-run"),
    (EIO, "show IMAGE"),
    (EIO, "show IMAGE --json"),
    (EIO, "check IMAGE --full"),
    (EIO, "check IMAGE --json"),
    (EIO, "probe IMAGE"),
    (EIO, "probe IMAGE --json"),
    (EIO, "plan IMAGE --stacked"),
    (GONE, "locate IMAGE --stacked --json"),
    (GONE, "show IMAGE"),
    (GONE, "check IMAGE"),
    (GONE, "export IMAGE --stacked --apply-al -o FILE"),
    ("lseek:error=EIO", "export IMAGE --stacked --force"),
];

/// What a run said, without strace's own words.
fn said(run: &Output) -> String {
    let said = String::from_utf8_lossy(&run.stderr);
    let ours = said.lines().filter(|line| !line.starts_with("strace:"));
    ours.collect::<Vec<_>>().join("\n")
}

/// A run for which something went wrong ended with an error that says where, and with nothing that looks whole.
fn is_told((fault, args): (&str, &[&str]), image: &str, run: &Output) {
    let (stdout, said) = (String::from_utf8_lossy(&run.stdout), said(run));
    let what = format!("{args:?}, {fault}: {stdout}{said}");
    assert_eq!(run.status.code(), Some(2), "{what}");
    let told = if args[0] == "probe" { &*stdout } else { &*said };
    let place = told.contains("at byte ") || told.contains("cannot find the size");
    assert!(place && told.contains(image), "{what}");
    let why = if fault.starts_with(GONE) {
        "the image shrank while being read"
    } else {
        "os error 5"
    };
    assert!(told.contains(why), "{what}");
    assert!(is_no_answer(args, &stdout), "{what}");
}

/// Each call of each command fails, and all after it: a read that failed is tried once more, block by block.
#[test]
fn a_read_error_ends_every_command_with_2_and_leaves_no_file() {
    if !require_tool("strace") {
        return;
    }
    let dir = scratch();
    let (image, out) = (dir.path().join("bad.raw"), dir.path().join("out.md"));
    stack_in(&image);
    let (image, file) = (image.to_str().unwrap(), out.to_str().unwrap());
    for (fault, line) in COMMANDS {
        let named = |word| match word {
            "IMAGE" => image,
            "FILE" => file,
            word => word,
        };
        let args: Vec<&str> = line.split(' ').map(named).collect();
        let whole = mdtool_command(&args).output().unwrap();
        let mut failed = 0;
        loop {
            let _ = std::fs::remove_file(&out);
            let fault = format!("{fault}:when={}+", failed + 1);
            let run = run_with(&fault, image, &args);
            if run.status == whole.status {
                // No such call any more; a dump tells the time.
                assert!(
                    args[0] == "export" || run.stdout == whole.stdout,
                    "{line}, {fault}"
                );
                break;
            }
            failed += 1;
            is_told((&fault, &args), image, &run);
            assert_eq!(files_in(dir.path()), ["bad.raw"], "{line}, {fault}");
            assert!(failed < 400, "{line}");
        }
        let _ = std::fs::remove_file(&out);
        assert!(failed > 0, "{line}");
        eprintln!("{line}: {fault} at each of {failed} calls");
    }
}

/// Runs a command with another stdout.
fn run_to(stdout: &str, args: &[&str]) -> Output {
    Command::new("sh")
        .args(["-c", &format!("exec \"$0\" \"$@\" > {stdout}")])
        .arg(program())
        .args(args)
        .output()
        .unwrap()
}

#[test]
fn an_output_that_is_full_ends_every_command_with_2() {
    let dir = scratch();
    let image = dir.path().join("image.raw");
    stack_in(&image);
    let dump = dir.path().join("dump.md");
    let (image, dump) = (image.to_str().unwrap(), dump.to_str().unwrap());
    let args = ["export", image, "--stacked", "--apply-al", "-o", dump];
    assert!(mdtool_command(args).status().unwrap().success());
    let commands: [&[&str]; 18] = [
        &["locate", image],
        &["locate", image, "--json"],
        &["export", image, "--force"],
        &["export", image, "--apply-al", "--json", "-o", "/dev/null"],
        &["al", image],
        &["al", image, "--json"],
        &["apply-al", image, "--dry-run"],
        &["plan", image, "--stacked"],
        &["import", image, dump, "--dry-run"],
        &["show", image],
        &["show", image, "--json"],
        &["check", image],
        &["check", image, "--json"],
        &["probe", image],
        &["probe", image, "--json"],
        &["completions", "bash"],
        &["help"],
        &["export", "--help"],
    ];
    for args in commands {
        let run = run_to("/dev/full", args);
        let said = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(2), "{args:?}: {said}");
        assert!(
            said.contains("cannot write the output: No space left on device"),
            "{args:?}: {said}"
        );
    }
}

/// Runs a command of which nobody reads what it prints.
fn run_unread(args: &[&str]) -> Output {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let child = mdtool_command(args)
        .stdout(writer)
        .stderr(std::process::Stdio::piped())
        .spawn();
    child.unwrap().wait_with_output().unwrap()
}

/// What was written was written, whether or not anybody could read so; and how to undo it is told all the same.
#[test]
fn a_report_that_cannot_be_printed_hides_no_undo_file() {
    let dir = scratch();
    let file = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (image, dump, undo) = (file("image.raw"), file("dump.md"), file("undo"));
    stack_in(Path::new(&image));
    let args = ["export", &image, "--stacked", "--apply-al", "-o", &dump];
    assert!(mdtool_command(args).status().unwrap().success());
    let written: [&[&str]; 4] = [
        &["import", &image, &dump],
        &["import", &image, &dump, "--json"],
        &[
            "adopt",
            &image,
            "--stacked",
            "--apply-al",
            "--node-id",
            "1",
            "--strategy",
            "relocate",
        ],
        &["apply-al", &image],
    ];
    let whole = || peek(Path::new(&image), 0, 24 << 20);
    for args in written {
        for full in [true, false] {
            stack_in(Path::new(&image));
            let before = whole();
            let args = [args, &["--undo", &undo, "--yes"]].concat();
            let run = if full {
                run_to("/dev/full", &args)
            } else {
                run_unread(&args)
            };
            let said = String::from_utf8_lossy(&run.stderr);
            assert_eq!(
                run.status.code(),
                Some(if full { 2 } else { 0 }),
                "{args:?}: {said}"
            );
            assert_eq!(
                said.contains("mdtool: cannot write the output"),
                full,
                "{args:?}: {said}"
            );
            assert!(
                said.contains(&format!("hint: mdtool undo {undo}")),
                "{args:?}: {said}"
            );
            assert!(before != whole(), "{args:?} writes");
            assert!(mdtool_command(["undo", &undo]).status().unwrap().success());
            assert!(before == whole(), "{args:?} is undone");
            std::fs::remove_file(&undo).unwrap();
        }
    }
}

/// A file that may not grow beyond 1 KiB stands for a full disk.
#[test]
fn a_dump_that_does_not_fit_leaves_no_file() {
    let dir = scratch();
    let image = dir.path().join("image.raw");
    stack_in(&image);
    let dump = dir.path().join("dump.md");
    let run = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 2; exec \"$0\" \"$@\""])
        .arg(program())
        .args([
            "export",
            image.to_str().unwrap(),
            "--stacked",
            "--force",
            "-o",
            dump.to_str().unwrap(),
        ])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(2), "{said}");
    assert!(said.contains("File too large"), "{said}");
    assert_eq!(files_in(dir.path()), ["image.raw"], "{said}");
}
