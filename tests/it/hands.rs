//! What hands type: other tools' words, switches that are the same everywhere, mistyped options.

use crate::support::{mdtool, mdtool_command, scratch, sparse};

#[test]
fn other_tools_words_get_the_right_command() {
    for (typed, meant) in [
        (&["dump-md", "x"][..], "export"),
        (&["dump", "x"], "export"),
        (&["restore-md", "x"], "import"),
        (&["restore", "x"], "import"),
        (&["info", "x"], "show"),
        (&["examine", "x"], "show"),
        (&["--examine", "x"], "show"),
        (&["show-gi", "x"], "show"),
        (&["get-gi", "x"], "show"),
        (&["verify-dump", "x"], "show"),
        (&["wipe-md", "x"], "wipe"),
        (&["outdate", "x"], "edit"),
        (&["invalidate", "x"], "edit"),
        (&["forget-peer", "x"], "edit"),
        (&["dstate", "x"], "probe"),
        (&["check-resize", "x"], "relocate"),
        (&["create-md", "x"], "fit"),
        (&["0", "v08", "/dev/sdb", "internal", "dump-md"], "export"),
    ] {
        let run = mdtool(typed);
        assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{typed:?}");
        let lines: Vec<&str> = run.stderr.lines().collect();
        assert_eq!(lines.len(), 2, "{run:?}");
        assert!(
            lines[0].starts_with("mdtool: ") && lines[1].starts_with("hint: "),
            "{run:?}"
        );
        assert!(
            lines[1].contains(&format!("`mdtool {meant}")),
            "{meant}: {run:?}"
        );
    }
}

/// `-- -y` would name a file.
#[test]
fn a_mistyped_option_leads_to_no_file_name() {
    for args in [
        ["show", "-y", "x"],
        ["adopt", "-x", "x"],
        ["adopt", "--dry", "x"],
        ["--nothing", "x", "y"],
    ] {
        let run = mdtool(args);
        assert_eq!(run.status, 2);
        assert!(
            run.stderr.contains("unexpected argument") && !run.stderr.contains("-- -"),
            "{run:?}"
        );
    }
    let run = mdtool(["adopt", "--yess", "x"]);
    assert!(
        run.stderr.contains("'--yes'"),
        "what is near is still named: {run:?}"
    );
    let run = mdtool(["show", "x", "--inner"]);
    assert!(run.stderr.contains("'--level inner'"), "{run:?}");
    let run = mdtool(["adopt", "x", "--force-yes"]);
    assert!(run.stderr.contains("'--yes'"), "{run:?}");
}

#[test]
fn every_command_takes_the_common_switches() {
    let help = mdtool(["--help"]).stdout;
    let (_, list) = help.split_once("\nLook:\n").unwrap();
    let (list, _) = list.split_once("\nOptions:").unwrap();
    let names = list
        .lines()
        .filter_map(|line| line.strip_prefix("  "))
        .filter_map(|line| line.split_whitespace().next());
    for name in names {
        let help = mdtool([name, "--help"]).stdout;
        assert!(
            help.contains("-q, --quiet") && help.contains("-v, --verbose"),
            "{name}"
        );
        for line in help.lines().map(str::trim_start) {
            let long_only = ["--yes", "--dry-run", "--output", "--quiet", "--verbose"];
            assert!(
                !long_only.iter().any(|long| line.starts_with(long)),
                "{name}: {line}"
            );
        }
    }
}

#[test]
fn quiet_leaves_remarks_out_and_verbose_says_what_ran() {
    let dir = scratch();
    let image = dir.path().join("nothing.raw");
    sparse(&image, 1 << 20);
    let run = |args: &[&str]| -> crate::support::Run {
        mdtool_command(args)
            .current_dir(dir.path())
            .output()
            .unwrap()
            .into()
    };
    let plain = run(&["export", "nothing.raw"]);
    assert!(plain.stderr.contains("\nhint: "), "the premise: {plain:?}");
    let quiet = run(&["export", "nothing.raw", "-q"]);
    assert_eq!((quiet.status, &quiet.stdout), (plain.status, &plain.stdout));
    assert_eq!(
        quiet.stderr.lines().count(),
        1,
        "the error stays: {quiet:?}"
    );
    let verbose = run(&["-v", "export", "nothing.raw"]);
    assert_eq!(verbose.status, plain.status);
    assert!(
        verbose.stderr.contains("commit: ")
            && verbose.stderr.contains("mdtool -v export nothing.raw\n"),
        "{verbose:?}"
    );
    assert!(
        verbose.stderr.contains("mdtool: status 1 after "),
        "{verbose:?}"
    );
    let advice = |text: &str| text.lines().any(|line| line.starts_with("next: "));
    assert!(advice(&run(&["fit", "--disk", "1TB"]).stdout));
    assert!(!advice(&run(&["-q", "fit", "--disk", "1TB"]).stdout));
    let probe = run(&["-q", "probe", "nothing.raw"]);
    assert_eq!(
        (probe.status, probe.stdout.as_str(), probe.stderr.as_str()),
        (1, "", "")
    );
}

#[test]
fn a_page_that_is_meant_makes_no_directory() {
    let dir = scratch();
    let run = mdtool_command(["man", "adopt"])
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert_eq!(run.status.code(), Some(2));
    assert!(
        String::from_utf8_lossy(&run.stderr).contains("man mdtool-adopt"),
        "{run:?}"
    );
    assert!(!dir.path().join("adopt").exists());
}

#[test]
fn a_dash_is_stdout() {
    let dir = scratch();
    assert_eq!(mdtool(["demo".as_ref(), dir.path().as_os_str()]).status, 0);
    let run = |args: &[&str]| -> crate::support::Run {
        mdtool_command(args)
            .current_dir(dir.path())
            .output()
            .unwrap()
            .into()
    };
    let body = |text: &str| text.lines().skip(3).map(str::to_owned).collect::<Vec<_>>();
    let export = ["export", "disk.raw"];
    let dump = run(&[&export[..], &["-o", "-"]].concat());
    assert_eq!(dump.status, 0, "{dump:?}");
    assert_eq!(body(&dump.stdout), body(&run(&export).stdout));
    assert!(body(&dump.stdout).len() > 10);
    let both = run(&[&export[..], &["-o", "-", "--json"]].concat());
    assert_eq!(
        (both.status, both.stdout.contains("version \"v08\"")),
        (2, false),
        "{both:?}"
    );
    let sum = ["sum", "inner.md"];
    let list = run(&[&sum[..], &["-o", "-"]].concat());
    assert_eq!(
        (list.status, &list.stdout),
        (0, &run(&sum).stdout),
        "{list:?}"
    );
    let names = std::fs::read_dir(dir.path()).unwrap();
    assert!(
        !names
            .into_iter()
            .any(|name| name.unwrap().file_name() == "-")
    );
}
