//! What the commands print, whole: read these to see what a user sees.

use std::path::Path;

use mdtool::builder::{
    LaSize, Level, Peer, build, erase_superblock, plant_magic, stale_superblock,
};
use mdtool::image::{WritableFile, WriteAt};
use mdtool::units::{BitmapIndex, Bytes, DevPos, ImagePos, NodeId, Sectors};

use crate::support::{Run, cut, kernel_image, mdtool_command, patch, scratch};

const MIB: u64 = 1 << 20;

/// Runs the program in `dir`, so that names are short and always the same; statuses and both streams in one text.
fn transcript(dir: &Path, args: &[&str]) -> String {
    let run: Run = mdtool_command(args)
        .current_dir(dir)
        .output()
        .unwrap()
        .into();
    format!(
        "$ mdtool {}\nstatus: {}\n----- stdout -----\n{}----- stderr -----\n{}",
        args.join(" "),
        run.status,
        without_time(&run.stdout),
        run.stderr
    )
}

/// A dump's header lines tell when and where it was made.
fn without_time(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    if let [title, time, origin, ..] = lines.as_mut_slice()
        && *title == "# DRBD meta data dump"
    {
        assert!(time.ends_with(']') && time.contains(" ["), "{time}");
        *time = "# TIME";
        *origin = origin
            .split_once("> ")
            .map_or("# ?", |(_, command)| command);
    }
    let mut text = lines.join("\n");
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

fn image(dir: &Path, name: &str, size: u64) -> WritableFile {
    WritableFile::create_new(&dir.join(name), Bytes::new(size)).unwrap()
}

/// Two levels in 64 MiB, 3 MiB out of sync, 32 MiB behind them, a stale copy and two magics in the data.
fn make_stack(dir: &Path) {
    let mut image = image(dir, "stack.raw", 96 * MIB);
    let dirty = DevPos::new(7 * MIB)..DevPos::new(10 * MIB);
    let outer = Level::v08().la_size(LaSize::Exactly(Sectors::new(130_000)));
    let inner = Level::v09(2)
        .node_id(NodeId::new(3))
        .peer(
            NodeId::new(1),
            Peer {
                flags: 0x0001_0010,
                bitmap_uuid: 0xB17,
                ..Peer::in_slot(BitmapIndex::new(1))
            },
        )
        .dirty(BitmapIndex::new(1), dirty);
    let built = build(
        &mut image,
        ImagePos::START,
        Bytes::new(64 * MIB),
        &[outer.clone(), inner],
    )
    .unwrap();
    stale_superblock(&mut image, &built[0], Bytes::new(48 * MIB), &outer).unwrap();
    plant_magic(&mut image, ImagePos::new(40960), 0x8374_026D).unwrap();
    plant_magic(&mut image, ImagePos::new(81920), 0x8374_026A).unwrap();
}

#[test]
fn locate_tells_the_story_of_a_stack() {
    let dir = scratch();
    make_stack(dir.path());
    insta::assert_snapshot!(
        "stack",
        transcript(dir.path(), &["locate", "stack.raw", "--scan", "full"])
    );
    insta::assert_snapshot!(
        "stack_json",
        transcript(dir.path(), &["locate", "stack.raw", "--json"])
    );
}

#[test]
fn locate_tells_that_the_outer_superblock_is_gone() {
    let dir = scratch();
    let mut file = image(dir.path(), "gone.raw", 64 * MIB);
    let built = build(
        &mut file,
        ImagePos::START,
        Bytes::new(64 * MIB),
        &[Level::v08(), Level::v08().unclean()],
    )
    .unwrap();
    erase_superblock(&mut file, &built[0]).unwrap();
    insta::assert_snapshot!(
        "gone",
        transcript(dir.path(), &["locate", "gone.raw", "--stacked"])
    );
}

#[test]
fn locate_tells_what_a_live_copy_holds() {
    let path = kernel_image("v09-stack-live-copy");
    let name = path.file_name().unwrap().to_str().unwrap();
    insta::assert_snapshot!(
        "live_copy",
        transcript(path.parent().unwrap(), &["locate", name, "--stacked"])
    );
}

#[test]
fn check_tells_what_to_do() {
    let path = kernel_image("v08-stack-live-copy");
    let name = path.file_name().unwrap().to_str().unwrap();
    insta::assert_snapshot!(
        "check_live_copy",
        transcript(path.parent().unwrap(), &["check", name])
    );
    let dir = scratch();
    let mut file = image(dir.path(), "damaged.raw", 64 * MIB);
    let levels = [Level::v09(3)];
    let built = build(&mut file, ImagePos::START, Bytes::new(64 * MIB), &levels).unwrap();
    let bm_offset = ImagePos::new(built[0].md().get() + 76);
    file.write_all_at(bm_offset, &[0; 4]).unwrap();
    insta::assert_snapshot!(
        "check_damaged",
        transcript(dir.path(), &["check", "damaged.raw"])
    );
    insta::assert_snapshot!(
        "check_damaged_json",
        transcript(dir.path(), &["check", "damaged.raw", "--json"])
    );
}

#[test]
fn locate_tells_of_nothing_and_of_one() {
    let dir = scratch();
    let mut file = image(dir.path(), "one.raw", 160 * MIB);
    insta::assert_snapshot!("nothing", transcript(dir.path(), &["locate", "one.raw"]));
    build(
        &mut file,
        ImagePos::START,
        Bytes::new(160 * MIB),
        &[Level::v07()],
    )
    .unwrap();
    insta::assert_snapshot!("one", transcript(dir.path(), &["locate", "one.raw"]));
    file.write_all_at(ImagePos::START, b"QFI\xFB").unwrap();
    assert!(
        transcript(dir.path(), &["locate", "one.raw"]).contains("single"),
        "data may be anything"
    );
}

#[test]
fn show_decodes_each_format() {
    let dir = scratch();
    make_stack(dir.path());
    insta::assert_snapshot!("show", transcript(dir.path(), &["show", "stack.raw"]));
    let mut file = image(dir.path(), "v07.raw", 160 * MIB);
    let level = Level::v07().la_size(LaSize::Exactly(Sectors::new(10_000)));
    build(&mut file, ImagePos::START, Bytes::new(160 * MIB), &[level]).unwrap();
    insta::assert_snapshot!("show_v07", transcript(dir.path(), &["show", "v07.raw"]));
    let path = kernel_image("v09-stack-live-copy");
    let name = path.file_name().unwrap().to_str().unwrap();
    insta::assert_snapshot!(
        "show_live_copy",
        transcript(path.parent().unwrap(), &["show", name, "--stacked"])
    );
}

/// What lives on a disk is evidence for the right level.
#[test]
fn locate_tells_what_lives_on_the_stack() {
    let dir = scratch();
    make_stack(dir.path());
    let path = dir.path().join("stack.raw");
    // An XFS of 4 KiB blocks that fills the inner device but for one.
    crate::support::patch(&path, 0, b"XFSB\0\0\x10\0");
    let blocks = 66_519_040_u64 / 4096 - 1;
    crate::support::patch(&path, 8, &blocks.to_be_bytes());
    insta::assert_snapshot!("evidence", transcript(dir.path(), &["locate", "stack.raw"]));
}

#[test]
fn export_prints_each_format() {
    let dir = scratch();
    let mut file = image(dir.path(), "v07.raw", 160 * MIB);
    build(
        &mut file,
        ImagePos::START,
        Bytes::new(160 * MIB),
        &[Level::v07()],
    )
    .unwrap();
    insta::assert_snapshot!(
        "v07_dump",
        transcript(dir.path(), &["export", "v07.raw", "--force"])
    );
    make_stack(dir.path());
    insta::assert_snapshot!(
        "v08_dump",
        transcript(dir.path(), &["export", "stack.raw", "--level", "outer"])
    );
    insta::assert_snapshot!(
        "v09_dump",
        transcript(dir.path(), &["export", "stack.raw", "--stacked"])
    );
}

#[test]
fn probe_has_a_line_for_each_image() {
    let dir = scratch();
    let size = Bytes::new(64 * MIB);
    for (name, levels) in [
        ("stack.raw", vec![Level::v09(3), Level::v08().unclean()]),
        ("crashed.raw", vec![Level::v08().unclean()]),
        ("grown.raw", vec![Level::v08()]),
        ("gone.raw", vec![Level::v09(1)]),
    ] {
        let mut file = image(dir.path(), name, size.get());
        build(&mut file, ImagePos::START, size, &levels).unwrap();
    }
    image(dir.path(), "blank.raw", MIB);
    image(dir.path(), "empty.raw", 0);
    cut(&dir.path().join("grown.raw"), 80 * MIB);
    patch(&dir.path().join("gone.raw"), 64 * MIB - 4096, &[0; 4096]);
    let images = [
        "probe",
        "stack.raw",
        "crashed.raw",
        "grown.raw",
        "gone.raw",
        "blank.raw",
        "empty.raw",
        "missing.raw",
    ];
    insta::assert_snapshot!("probe", transcript(dir.path(), &images));
    let expected = [
        "probe",
        "stack.raw",
        "--expect-node-id",
        "2",
        "--stacked",
        "--json",
    ];
    insta::assert_snapshot!("probe_json", transcript(dir.path(), &expected));
}
