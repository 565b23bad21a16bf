//! What the fuzz targets begin with: what kernels and drbdmeta made, cut down to the bytes that matter.

use mdtool::builder::{Level, Peer, build};
use mdtool::dump::{Compat, Preamble, print};
use mdtool::format::metadata::Header;
use mdtool::format::superblock::{AlState, Format};
use mdtool::image::{ImageFile, MemImage, ReadAt, Window};
use mdtool::survey::locate::{LocateOptions, locate};
use mdtool::transaction::{self, Identity};
use mdtool::truck::pieces::{Data, Piece, Span};
use mdtool::truck::state::State;
use mdtool::truck::stream::{Contents, Header as StreamHeader, StreamWriter};
use mdtool::units::{BitmapIndex, Bytes, DevPos, ImagePos, NodeId};

use crate::support::{kernel_image, testdata};

/// A target, a name, and the bytes.
type Seed = (&'static str, String, Vec<u8>);

const IMAGES: [&str; 4] = [
    "v08-pair-a-crashed",
    "v08-stack-live-copy",
    "v09-pair-a-crashed",
    "v09-stack-live-copy",
];

/// Every seed.
pub(super) fn all() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for name in IMAGES {
        from_image(name, &mut seeds);
    }
    dumps(&mut seeds);
    range_files(&mut seeds);
    pairs(&mut seeds);
    for (shape, name) in ["v08", "v09", "stack", "three", "striped", "v07", "external"]
        .iter()
        .enumerate()
    {
        // No patch; one byte of the superblock; a copy of it elsewhere.
        let shape = u8::try_from(shape).unwrap();
        let plain = [shape, 16 + 8, 0, 64];
        seeds.push(("locate", (*name).to_owned(), plain.to_vec()));
        let patched = [&plain[..], &[0, 0, 76, 2, 0xFF, 0xFF, 200, 0, 99, 0]].concat();
        seeds.push(("locate", format!("{name}-patched"), patched));
    }
    undo_files(&mut seeds);
    file_systems(&mut seeds);
    streams(&mut seeds);
    seeds
}

/// Pairs of dumps that kernels connected.
fn pairs(seeds: &mut Vec<Seed>) {
    for (family, name) in [
        ("84", "disc-writes-both"),
        ("84", "crash-both-primary"),
        ("9", "disc-writes-a"),
        ("9", "e-day0-a"),
    ] {
        let path = testdata(&format!("handshake/{family}.txt"));
        let text = std::fs::read_to_string(path).unwrap();
        let part = |file: &str| {
            let title = format!("=== {name} {file}\n");
            let rest = text.split_once(&title).unwrap().1;
            rest.split("=== ").next().unwrap().to_owned()
        };
        let (a, b) = (part("a.md"), part("b.md"));
        let len = u16::try_from(a.len()).unwrap().to_be_bytes();
        let bytes = [&[0], &len[..], a.as_bytes(), b.as_bytes()].concat();
        seeds.push(("compare", format!("{family}-{name}"), bytes));
    }
}

/// A small stream of each kind, and the state of a copy.
fn streams(seeds: &mut Vec<Seed>) {
    for contents in [Contents::Level, Contents::Ranges] {
        let header = StreamHeader {
            contents,
            size: Bytes::new(20_000),
            first: DevPos::START,
            image: Bytes::new(20_000),
            level: 1,
            format: 8,
            current_uuid: 1,
            since_uuid: 0,
            device_uuid: 2,
            id: [3, 4],
        };
        let mut bytes = vec![0];
        let mut stream = StreamWriter::new(&mut bytes, &header).unwrap();
        let span = Span {
            range: 0..100,
            zeros: false,
        };
        let data = Data {
            at: DevPos::START,
            bytes: [7; 100].as_slice().into(),
            spans: vec![span],
        };
        stream.piece(&Piece::Data(data)).unwrap();
        let rest = DevPos::new(100)..DevPos::new(20_000);
        stream.piece(&Piece::Zeros(rest)).unwrap();
        stream.finish().unwrap();
        seeds.push(("stream", contents.word().to_owned(), bytes));
        let state = State::begin(&header, "/dev/vg/copy".to_owned(), Bytes::new(30_000));
        let name = format!("state-{}", contents.word());
        seeds.push(("stream", name, state.to_text().into_bytes()));
    }
}

/// Superblocks, layouts and logs that kernels wrote.
fn from_image(name: &str, seeds: &mut Vec<Seed>) {
    let image = ImageFile::open(&kernel_image(name)).unwrap();
    let device = Window::whole(&image);
    for level in locate(
        device,
        &LocateOptions {
            stacked: true,
            ..LocateOptions::default()
        },
    )
    .unwrap()
    .levels
    {
        let name = format!("{name}-{}", level.role);
        let mut block = level.superblock.to_bytes().to_vec();
        let format = match level.superblock.format() {
            Format::V07 => 0,
            Format::V08 => 1,
            Format::V09 => 2,
        };
        // Flex-internal; numbers in full; what the superblock says itself.
        let mut layout = vec![format, 1, 3];
        layout.extend(level.device.get().to_be_bytes());
        layout.extend(&block[..8]);
        let words: &[usize] = if format == 1 {
            &[80, 88, 92, 64, 68, 76]
        } else {
            &[80, 88, 92, 96, 100, 64, 68, 76]
        };
        for at in words {
            layout.extend(&block[*at..at + 4]);
        }
        seeds.push(("layout", name.clone(), layout));
        let len = block.iter().rposition(|byte| *byte != 0).unwrap() + 1;
        block.truncate(len);
        seeds.push(("superblock", name.clone(), block));
        seeds.push((
            "activity_log",
            name,
            log_of(&image, level.layout.al.start, format),
        ));
    }
}

/// A kernel's log as patches of a blank one; runs of ones are cut, and the checksums made anew.
fn log_of(image: &ImageFile, al: DevPos, format: u8) -> Vec<u8> {
    let mut seed = vec![format | 1 << 3, 1, 8, 4, 0xD5];
    for block in 0..8_u8 {
        let mut bytes = [0; 4096];
        let at = ImagePos::new(al.get() + u64::from(block) * 4096);
        image.read_exact_at(at, &mut bytes).unwrap();
        for at in (0..4096)
            .step_by(32)
            .filter(|at| *at < 64 || *at == 160 || *at == 416)
        {
            let piece = &bytes[at..at + 32];
            seed.push(block);
            seed.extend(u16::try_from(at).unwrap().to_be_bytes());
            seed.push(31);
            seed.extend(piece);
        }
    }
    seed
}

/// drbdmeta's dumps, and small ones that fit a small target.
fn dumps(seeds: &mut Vec<Seed>) {
    for name in [
        "v08-pair-a-crashed",
        "v08-pair-a-synced",
        "v08-stack-down.inner",
    ] {
        let text =
            std::fs::read_to_string(testdata("dumps").join(format!("{name}.applied.md"))).unwrap();
        seeds.push(("dump_parse", name.to_owned(), text.into_bytes()));
    }
    let peer = Peer::in_slot(BitmapIndex::new(0));
    let v09 = |slots| {
        Level::v09(slots)
            .node_id(NodeId::new(0))
            .peer(NodeId::new(1), peer)
    };
    let levels = [
        ("small-v07", Level::v07_flex()),
        ("small-v08", Level::v08()),
        ("small-v08-striped", Level::v08().striping(2, 8)),
        ("small-v09", v09(1)),
        ("small-v09-peers", v09(3).bytes_per_bit(Bytes::new(16384))),
    ];
    for (name, level) in levels {
        let level = level.dirty(BitmapIndex::new(0), DevPos::START..DevPos::new(300_000));
        let text = small_dump(&level);
        seeds.push(("dump_parse", name.to_owned(), text.clone()));
        // 1 MiB more than the smallest target; internal, or external where v07 would take 128 MiB.
        let how = u8::from(name == "small-v07");
        seeds.push((
            "import",
            name.to_owned(),
            [&[how, 8, 0], &text[..]].concat(),
        ));
    }
}

/// The dump of a device of 512 KiB, without comments, each space but one left out.
fn small_dump(level: &Level) -> Vec<u8> {
    let mut image = MemImage::new(Bytes::new(512 << 10));
    let size = image.size();
    build(
        &mut image,
        ImagePos::START,
        size,
        std::slice::from_ref(level),
    )
    .unwrap();
    let device = Window::whole(&image);
    let found = locate(device, &LocateOptions::default()).unwrap();
    let level = &found.levels[0];
    let header = Header {
        al_state: AlState::Clean,
        ..Header::of(&level.superblock)
    };
    let preamble = Preamble {
        time: String::new(),
        origin: String::new(),
    };
    let mut text = Vec::new();
    let mut bitmap = level.bitmap(device);
    print(
        &mut text,
        &header,
        &level.layout,
        &mut bitmap,
        &preamble,
        Compat::NEWEST,
    )
    .unwrap();
    let text = String::from_utf8(text).unwrap();
    let lines = text
        .lines()
        .map(|line| line.split('#').next().unwrap().trim());
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    lines.join("\n").into_bytes()
}

/// What `mkfs`, `sfdisk` and LVM wrote, sector by sector.
fn file_systems(seeds: &mut Vec<Seed>) {
    let all = [
        ("ext", "ext2"),
        ("ext", "ext4"),
        ("ext", "inline"),
        ("xfs", "xfs4"),
        ("xfs", "xfs5"),
        ("lvm", "lvm"),
        ("partitions", "dos"),
        ("partitions", "gpt"),
    ];
    for (target, name) in all {
        let path = testdata("filesystems").join(format!("{name}.sectors"));
        #[expect(clippy::disallowed_methods, reason = "a few KiB of bytes")]
        seeds.push((target, name.to_owned(), std::fs::read(path).unwrap()));
    }
}

/// Files of ranges, as each tool prints them.
fn range_files(seeds: &mut Vec<Seed>) {
    for (name, text) in [
        ("lines", "# slot 0\n0 4096\n8192 12288\n"),
        (
            "qemu-img",
            "[{ \"start\": 0, \"length\": 65536, \"depth\": 0, \"present\": true, \"zero\": false, \"data\": true, \"offset\": 0},\n{ \"start\": 65536, \"length\": 4096, \"data\": false}]\n",
        ),
        (
            "xfs_bmap",
            "/a:\n EXT: FILE-OFFSET BLOCK-RANGE AG AG-OFFSET TOTAL FLAGS\n   0: [0..7]: 96..103 0 (96..103) 8 000000\n   1: [8..15]: hole 8\n FLAG Values:\n    0100000 Shared extent\n",
        ),
        (
            "filefrag",
            "Filesystem type is: ef53\nFile size of /a is 12288 (3 blocks of 4096 bytes)\n ext: logical_offset: physical_offset: length: expected: flags:\n   0:        0..       1:      34304..     34305:      2:\n   1:        2..       2:      34816..     34816:      1:      34306: last,eof\n/a: 2 extents found\n",
        ),
    ] {
        seeds.push(("range_file", name.to_owned(), text.as_bytes().to_vec()));
    }
}

/// What an edit of each phase leaves.
fn undo_files(seeds: &mut Vec<Seed>) {
    let size = Bytes::new(64 << 10);
    let mut old = MemImage::new(size);
    build(&mut old, ImagePos::START, size, &[Level::v08()]).unwrap();
    let identity = Identity::of_file("disk", size, "fuzz");
    let superblock = ImagePos::new(size.get() - 4096);
    let journal = |phases: u8| {
        let mut journal = Vec::new();
        transaction::prepare(&old, &identity, Kept(&mut journal), |draft| {
            if phases & 1 != 0 {
                draft.retire("old", superblock)?;
            }
            draft
                .body("bitmap", ImagePos::new(8192)..ImagePos::new(16384))?
                .put(&[0x5A; 1536])?;
            if phases & 2 != 0 {
                let mut block = [7; 4096];
                block[60..64].copy_from_slice(&0x8374_026B_u32.to_be_bytes());
                draft.commit("new", ImagePos::new(32768), &block)?;
            }
            if phases & 4 != 0 {
                draft
                    .wipe("old area", ImagePos::new(20480)..ImagePos::new(24576))?
                    .fill(1, Bytes::new(512))?;
            }
            Ok(())
        })
        .unwrap();
        journal
    };
    for (phases, how) in [(0, 0), (0, 2), (0, 4), (1, 0), (7, 0)] {
        let bytes = [&[how], &journal(phases)[..]].concat();
        seeds.push(("undo_file", format!("phases-{phases}-{how}"), bytes));
    }
}

/// A store that is looked into and never sealed.
struct Kept<'a>(&'a mut Vec<u8>);

impl std::io::Write for Kept<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl transaction::Store for Kept<'_> {
    type Sealed = MemImage;

    fn seal(self) -> mdtool::error::Result<MemImage> {
        Ok(MemImage::from_bytes(self.0))
    }
}
