//! What import accepts, locate finds on the target, export gives back as it was, and undo takes away again.

use mdtool::dump::{Compat, DumpReader, Preamble, print};
use mdtool::error::Result;
use mdtool::format::layout::MdLayout;
use mdtool::format::metadata::{Bitmap, Generation, Header, Run};
use mdtool::format::superblock::{AlState, DeviceFlags, Format};
use mdtool::image::{MemImage, ReadAt, Window};
use mdtool::surgery::import::{ImportOptions, plan};
use mdtool::surgery::place::place;
use mdtool::survey::locate::{IndexChoice, LocateOptions, ScanMode, locate};
use mdtool::survey::log::LogState;
use mdtool::transaction::{self, Identity};
use mdtool::units::{BitmapIndex, Bytes, ImagePos};

use super::input::Input;

/// The property.
pub fn holds(data: &[u8]) {
    let mut input = Input(data);
    let (how, sectors) = (input.u8(), input.u16());
    let text = input.0;
    let Ok(reader) = DumpReader::new(text) else {
        return;
    };
    let header = reader.header().clone();
    if reader.finish().is_err() {
        return;
    }
    let index = [
        IndexChoice::Auto,
        IndexChoice::FlexExternal,
        IndexChoice::Internal,
        IndexChoice::Indexed(0),
    ][usize::from(how % 4)];
    // Metadata of fixed size takes 128 MiB, and some time.
    let fixed =
        matches!(index, IndexChoice::Indexed(_)) || header.format() == Format::V07 && how % 2 == 0;
    let base = if fixed { 128 << 20 } else { 64 << 10 };
    let size = Bytes::new(base + u64::from(sectors) * 512);
    let mut target = MemImage::new(size);
    let options = ImportOptions {
        index,
        node_id: None,
        clip: how & 16 != 0,
        flags: (how & 32 != 0).then_some(DeviceFlags(u32::from(how))),
    };
    let Ok(import) = plan(Window::whole(&target), header, &options) else {
        return;
    };
    let (before, identity) = (target.clone(), identity(size));
    let drafted = transaction::prepare(&target, &identity, Vec::new(), |draft| {
        let mut bitmap = DumpReader::new(text)?;
        place(
            draft,
            Window::whole(&before),
            &import.layout,
            &import.header,
            &mut bitmap,
        )?;
        bitmap.finish()
    });
    // A field that its place in the superblock has no room for.
    let Ok(prepared) = drafted else { return };
    let undo = prepared
        .apply(&mut target)
        .expect("memory can be written")
        .expect("a superblock is written");
    found(&target, index, &import.header, &import.layout, text);
    undo.undo(&mut target, false)
        .expect("nothing happened since");
    assert!(same(&target, &before), "undone");
}

fn identity(size: Bytes) -> Identity {
    Identity::of_file("", size, "")
}

/// The metadata is where DRBD looks, and says what was imported.
fn found(target: &MemImage, index: IndexChoice, header: &Header, layout: &MdLayout, text: &[u8]) {
    let device = Window::whole(target);
    let options = LocateOptions {
        index,
        scan: ScanMode::Never,
        stacked: false,
    };
    let found = locate(device, &options).expect("memory can be read");
    let level = found.levels.first().expect("what was imported is found");
    assert_eq!(
        (&level.layout.md, &level.layout.bm),
        (&layout.md, &layout.bm)
    );
    let said = Header::of(&level.superblock);
    // The flags are written as they are said, also where they say that the log was not applied; v07 has no place to say it.
    let clean = said.al_state == AlState::Clean;
    assert_eq!(
        clean,
        flags(header).is_some_and(|flags| flags.contains(DeviceFlags::AL_CLEAN))
    );
    let expected = Header {
        al_state: said.al_state,
        la_size: said.la_size,
        ..header.clone()
    };
    assert_eq!(said, expected);
    let lost = header.la_size.get() - said.la_size.get();
    assert!(
        lost <= u64::from(header.format() == Format::V07),
        "v07 counts whole KiB"
    );
    let log = LogState::read(device, level, &mut |_| ()).expect("memory can be read");
    assert!(
        log.replay.active.is_empty() && log.replay.invalid == 0,
        "{:?}",
        log.replay
    );
    let mut on_disk = level.bitmap(device);
    same_bits(&mut on_disk, text, header.geometry.max_peers);
    // What is exported is a dump again, of the same.
    let clean = Header {
        al_state: AlState::Clean,
        ..said
    };
    let preamble = Preamble {
        time: String::new(),
        origin: String::new(),
    };
    let mut out = Vec::new();
    print(
        &mut out,
        &clean,
        &level.layout,
        &mut on_disk,
        &preamble,
        Compat::NEWEST,
    )
    .expect("memory can be read");
    let again = DumpReader::new(&*out).expect("what is exported parses");
    assert_eq!(again.header(), &clean);
    again.finish().expect("what is exported parses to its end");
}

/// Every slot's bits are the dump's.
fn same_bits(on_disk: &mut dyn Bitmap, text: &[u8], slots: u32) {
    let mut dump = DumpReader::new(text).expect("parsed before");
    for slot in 0..slots {
        let slot = BitmapIndex::new(u8::try_from(slot).expect("at most 31"));
        let there = words(on_disk, slot, usize::MAX).expect("memory can be read");
        // A dump has pairs of words: a last one without a partner stands for nothing, and is placed as zero.
        let pairs = there.len() & !1;
        let mut given = words(&mut dump, slot, pairs).expect("parsed before");
        given.resize(there.len(), 0);
        assert!(given == there, "slot {slot:?}");
    }
}

fn flags(header: &Header) -> Option<DeviceFlags> {
    match &header.generation {
        Generation::V07(_) => None,
        Generation::V08(generation) => Some(generation.flags),
        Generation::V09(generation) => Some(generation.flags),
    }
}

/// A slot's first words, at most so many.
fn words(bitmap: &mut dyn Bitmap, slot: BitmapIndex, most: usize) -> Result<Vec<u32>> {
    let mut words = Vec::new();
    let mut slot = bitmap.slot(slot)?;
    while words.len() < most
        && let Some(run) = slot.next_run()?
    {
        match run {
            Run::Words(run) => words.extend_from_slice(run),
            Run::Repeat { count, word } => {
                let count = usize::try_from(count)
                    .unwrap_or(usize::MAX)
                    .min(most - words.len());
                words.extend(std::iter::repeat_n(word, count));
            }
        }
    }
    words.truncate(most);
    Ok(words)
}

fn same(one: &MemImage, other: &MemImage) -> bool {
    let mut at = ImagePos::START;
    while let Some(data) = one.next_data(at).expect("memory can be read") {
        let len = data
            .end
            .bytes_since(data.start)
            .and_then(Bytes::to_usize)
            .expect("small");
        let (mut left, mut right) = (vec![0; len], vec![0; len]);
        one.read_exact_at(data.start, &mut left).expect("inside");
        other.read_exact_at(data.start, &mut right).expect("inside");
        if left != right {
            return false;
        }
        at = data.end;
    }
    true
}
