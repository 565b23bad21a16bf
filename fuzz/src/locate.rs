//! Whatever is done to a small image, what locate finds lies inside, is what is there, and is found again.

use mdtool::builder::{External, Level, build, build_external};
use mdtool::format::layout::MdLayout;
use mdtool::format::ondisk::SUPERBLOCK_LEN;
use mdtool::format::superblock::Superblock;
use mdtool::image::{MemImage, Window};
use mdtool::survey::locate::{IndexChoice, LocateOptions, Located, ScanMode, locate, locate_at};
use mdtool::survey::log::LogState;
use mdtool::units::{Bytes, DevPos, ImagePos, NodeId};

use super::input::Input;

/// The property.
pub fn holds(data: &[u8]) {
    let mut input = Input(data);
    let (shape, options) = (input.u8(), input.u8());
    let size = Bytes::new((1 << 20) + u64::from(input.u16()) * 512);
    let mut image = MemImage::new(size);
    let anchors = stack(&mut image, size, shape);
    while !input.is_empty() {
        let (which, at) = (usize::from(input.u8()), input.u16());
        let len = usize::from(input.u8());
        let bytes = input.slice(len);
        let anchor = anchors.get(which).copied().unwrap_or_default();
        let at = match which {
            // A copy of a superblock, somewhere else.
            200.. => {
                let mut block = [0; SUPERBLOCK_LEN];
                Window::whole(&image)
                    .read_exact_at(DevPos::new(anchors[which % anchors.len()]), &mut block)
                    .expect("inside");
                let to = ImagePos::new(u64::from(at) * 512);
                let _ = image.write_at(to, &block);
                to.get()
            }
            _ if which < anchors.len() => anchor + u64::from(at % 4096),
            _ => u64::from(at) * 512,
        };
        // What would leave the image is not written.
        let _ = image.write_at(ImagePos::new(at), bytes);
    }
    let options = LocateOptions {
        index: [
            IndexChoice::Auto,
            IndexChoice::Internal,
            IndexChoice::FlexExternal,
            IndexChoice::Indexed(0),
        ][usize::from(options % 4)],
        scan: [
            ScanMode::Auto,
            ScanMode::Never,
            ScanMode::Full,
            ScanMode::Full,
        ][usize::from((options >> 2) % 4)],
        stacked: options & 16 != 0,
    };
    let device = Window::whole(&image);
    let found = locate(device, &options).expect("memory can be read");
    assert_eq!(locate(device, &options).expect("memory can be read"), found);
    judge(device, &found);
}

/// Metadata to begin with; answers where its superblocks, logs and bitmaps lie.
fn stack(image: &mut MemImage, size: Bytes, shape: u8) -> Vec<u64> {
    let v08 = || Level::v08().unclean();
    let v09 = |slots| Level::v09(slots).node_id(NodeId::new(1));
    let levels = match shape % 8 {
        0 => vec![v08()],
        1 => vec![v09(3)],
        2 => vec![v08(), v08()],
        3 => vec![v09(1), v09(5), v08()],
        4 => vec![
            v08().striping(2, 16),
            v09(2).bytes_per_bit(Bytes::new(65536)),
        ],
        5 => vec![Level::v07_flex(), v08()],
        _ => vec![],
    };
    let mut built = build(image, ImagePos::START, size, &levels).unwrap_or_default();
    if levels.is_empty() {
        let level = if shape & 8 == 0 { v08() } else { v09(2) };
        built.extend(build_external(
            image,
            ImagePos::START,
            size,
            External::Flex,
            size,
            &level,
        ));
    }
    let anchors = built
        .iter()
        .flat_map(|built| [built.md().get(), built.al().get(), built.bm().get()]);
    anchors.chain([0]).collect()
}

fn judge(device: Window<'_>, found: &Located) {
    let mut around = device.size();
    for level in &found.levels {
        assert!(
            level.layout.whole.end.from_start() <= device.size(),
            "{:?}",
            level.layout
        );
        assert!(
            level.layout.index.is_internal() || level.device <= device.size(),
            "{:?}",
            level.layout
        );
        if level.layout.index.is_internal() {
            assert!(level.device <= around, "{:?} inside {around}", level.layout);
            // The agreed size is looked at first, and then all that the level had room for.
            around = level.layout.usable.to_bytes().expect("at most 1 PiB");
        }
        let mut block = [0; SUPERBLOCK_LEN];
        device
            .read_exact_at(level.layout.md, &mut block)
            .expect("inside");
        assert_eq!(Superblock::decode(&block).as_ref(), Some(&level.superblock));
        assert_eq!(
            MdLayout::of(&level.superblock, level.layout.index, level.device).as_ref(),
            Ok(&level.layout)
        );
        if let Ok(given) = locate_at(device, level.layout.md, IndexChoice::Auto) {
            assert_eq!(given.superblock, level.superblock);
        }
        let _ = level
            .out_of_sync(device, Bytes::new(1 << 20))
            .expect("memory can be read");
        let log = LogState::read(device, level, &mut |_| ()).expect("memory can be read");
        assert!(log.replay.active.is_sorted());
    }
    assert!(
        found.rejected.is_sorted_by_key(|one| one.at),
        "{:?}",
        found.rejected
    );
    assert!(
        found
            .rejected
            .iter()
            .all(|one| one.at.from_start() < device.size())
    );
    for one in &found.rejected {
        assert!(
            found.levels.iter().all(|level| level.layout.md != one.at),
            "{one:?} is a level, too"
        );
        let _ = one.why.to_string();
    }
}
