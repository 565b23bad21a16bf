//! Images that real kernels wrote, and the dumps that drbdmeta 9.34 made of them.

use crate::support::{kernel_image, mdtool, testdata};

/// A dump without the header lines that tell time and command.
fn comparable(dump: &str) -> Vec<&str> {
    dump.lines()
        .enumerate()
        .filter(|(i, _)| ![1, 2].contains(i))
        .map(|(_, line)| line)
        .collect()
}

fn assert_dumped(image: &str, dump: &str, more: &[&str]) {
    let path = kernel_image(image);
    let args = ["export", path.to_str().unwrap(), "--force"];
    let run = mdtool(args.iter().chain(more));
    assert_eq!(run.status, 0, "{image}: {}", run.stderr);
    let theirs =
        std::fs::read_to_string(testdata("dumps").join(format!("{dump}.forced.md"))).unwrap();
    assert_eq!(comparable(&run.stdout), comparable(&theirs), "{dump}");
}

#[test]
fn single_resources_are_dumped_as_drbdmeta_9_34_dumps_them() {
    for format in ["v08", "v09"] {
        for state in ["a-crashed", "a-synced", "b-crashed", "b-synced"] {
            let name = format!("{format}-pair-{state}");
            assert_dumped(&name, &name, &[]);
        }
    }
}

#[test]
fn both_levels_of_a_stack_are_dumped_as_drbdmeta_9_34_dumps_them() {
    for format in ["v08", "v09"] {
        for state in ["stack-down", "stack-live-copy"] {
            let name = format!("{format}-{state}");
            assert_dumped(&name, &format!("{name}.inner"), &["--stacked"]);
            assert_dumped(&name, &format!("{name}.outer"), &["--level", "outer"]);
        }
    }
}
