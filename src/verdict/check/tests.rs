use super::*;
use crate::builder::{Level as Spec, build};
use crate::format::layout::MdIndex;
use crate::format::superblock::{Format, Superblock};
use crate::image::{MemImage, Window};
use crate::survey::locate::{IndexChoice, LocateOptions, Located, locate};
use crate::units::{Bytes, DevPos, ImagePos};

const SIZE: Bytes = Bytes::new(64 << 20);

fn located(level: Spec) -> Located {
    let mut image = MemImage::new(SIZE);
    build(&mut image, ImagePos::START, SIZE, &[level]).unwrap();
    locate(Window::whole(&image), &LocateOptions::default()).unwrap()
}

fn refusals(level: Spec) -> [Option<Code>; 4] {
    let located = located(level);
    let level = &located.levels[0];
    let findings = attach(&Candidate::of_level(level, SIZE));
    let first = first_refusals(level.superblock.format(), &findings);
    Kernel::ALL.map(|kernel| first.of(kernel))
}

#[test]
fn a_kernel_that_does_not_know_the_format_finds_no_magic() {
    let (invalid, unclean) = (Some(Code::MdInvalid), Some(Code::MdUnclean));
    assert_eq!(refusals(Spec::v08()), [None, invalid, invalid, invalid]);
    assert_eq!(refusals(Spec::v09(3)), [invalid, None, None, None]);
    // That it is unclean is asked first, of whatever has one of the two v08 magics.
    assert_eq!(refusals(Spec::v08().unclean()), [unclean; 4]);
    let unclean_v09 = [invalid, unclean, unclean, unclean];
    assert_eq!(refusals(Spec::v09(3).unclean()), unclean_v09);
    assert_eq!(refusals(Spec::v07_flex()), [invalid; 4]);
}

#[test]
fn answers_are_told_in_groups() {
    let answers = Attach::each(|kernel| match kernel {
        Kernel::V8_4 => Some(Code::DiskTooSmall),
        Kernel::V9_3 => Some(Code::ImplicitShrink),
        _ => None,
    });
    assert_eq!(
        answers.words(Format::V08),
        "drbd 8.4 would refuse: 111 ERR_DISK_TOO_SMALL; drbd 9.3 would refuse: 170 ERR_IMPLICIT_SHRINK"
    );
    assert_eq!(
        Attach::all(Code::MdInvalid).words(Format::V09),
        "drbd 8.4, 9.0, 9.2 and 9.3 would refuse: 119 ERR_MD_INVALID"
    );
    let only = Attach::each(|kernel| (kernel == Kernel::V9_2).then_some(Code::MdInvalid));
    assert_eq!(
        only.words(Format::V09),
        "drbd 9.2 would refuse: 119 ERR_MD_INVALID; drbd 9.0 and 9.3 would not refuse for this"
    );
}

/// The bitmap's area is 32 bits wide and signed in a kernel: beyond 1 TiB of meta device it is negative, and passes.
#[test]
fn areas_wrap_where_the_kernels_do() {
    let located = located(Spec::v08());
    let Superblock::V08(mut sb) = located.levels[0].superblock.clone() else {
        unreachable!("v08 was built");
    };
    (sb.al_offset, sb.bm_offset) = (8, 72);
    sb.la_size_sect = 1 << 40;
    let mut ids = |md_size_sect| {
        sb.md_size_sect = md_size_sect;
        let superblock = Superblock::V08(sb.clone());
        let candidate = Candidate {
            superblock: &superblock,
            at: DevPos::START,
            index: MdIndex::FlexExternal,
            device: Bytes::new(1 << 42),
        };
        let findings = attach(&candidate).into_iter();
        let ids = findings.filter(|finding| finding.attach.unwrap().of(Kernel::V8_4).is_some());
        ids.map(|finding| finding.rule.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(1 << 20), ["bitmap-area"]);
    assert_eq!(ids((1 << 31) + 71), Vec::<&str>::new());
    assert_eq!(ids((1 << 31) + 72), Vec::<&str>::new());
}

/// What stands where DRBD looks is told with the place by which it looks there.
#[test]
fn a_superblock_that_contradicts_its_place_stands_where_drbd_looks() {
    let mut image = MemImage::new(SIZE);
    let built = build(&mut image, ImagePos::START, SIZE, &[Spec::v08()]).unwrap();
    let at = built[0].md();
    let bm_offset = ImagePos::new(at.get() + 76);
    crate::image::WriteAt::write_all_at(&mut image, bm_offset, &[0xFF; 4]).unwrap();
    let device = Window::whole(&image);
    let nothing = Located::default();
    let found = in_place(device, &nothing, IndexChoice::Auto).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].at, found[0].index, found[0].inside),
        (at, MdIndex::FlexInternal, None)
    );
    let given = in_place_at(device, at, IndexChoice::Auto).unwrap().unwrap();
    assert_eq!(given, found[0]);
    let external = in_place(device, &nothing, IndexChoice::FlexExternal).unwrap();
    assert_eq!(external, []);
    assert_eq!(
        in_place_at(device, DevPos::START, IndexChoice::Auto).unwrap(),
        None
    );
}
