use super::super::examples::{V07, V08, complaint, v09, v09_with_peers, with, words};
use super::super::read::DumpReader;
use super::*;
use crate::error::Error;

fn read(text: &str) -> (Header, Vec<Note>) {
    let reader = DumpReader::new(text.as_bytes()).unwrap();
    let read = (reader.header().clone(), reader.notes().to_vec());
    reader.finish().unwrap();
    read
}

fn v08_of(header: &Header) -> GenerationV08 {
    match header.generation {
        Generation::V08(generation) => generation,
        ref other => panic!("{other:?}"),
    }
}

#[test]
fn a_v07_dump_gives_its_counters() {
    let (header, notes) = read(V07);
    let expected = Header {
        geometry: MdGeometry::DEFAULT,
        la_size: Sectors::new(2048),
        al_nr_extents: 257,
        al_state: AlState::Clean,
        generation: Generation::V07(CountersV07([u32::MAX, 2, 3, u32::MAX, 5])),
    };
    assert_eq!((header, notes), (expected, vec![]));
}

#[test]
fn a_v08_dump_gives_every_field() {
    let (header, notes) = read(V08);
    let expected = Header {
        geometry: MdGeometry {
            max_peers: 1,
            bytes_per_bit: 4096,
            al: AlStriping {
                stripes: 2,
                stripe_size_4k: 16,
            },
        },
        la_size: Sectors::new(268_200),
        al_nr_extents: 257,
        al_state: AlState::Clean,
        generation: Generation::V08(GenerationV08 {
            uuids: [
                Uuid(0x1BF0_0582_A401_45C1),
                Uuid(0x8B3B_982C_B583_6E65),
                Uuid(0xB713_7345_4BF6_35A3),
                Uuid::JUST_CREATED,
            ],
            flags: DeviceFlags(0x93),
            device_uuid: Uuid(0xFE),
            la_peer_max_bio_size: u32::MAX - 4095,
        }),
    };
    assert_eq!((header, notes), (expected, vec![]));
}

#[test]
fn a_v09_dump_gives_every_field() {
    let (header, notes) = read(&v09());
    let Generation::V09(generation) = header.generation else {
        panic!("{header:?}");
    };
    assert_eq!(notes, []);
    assert_eq!(
        (header.geometry.max_peers, header.geometry.bytes_per_bit),
        (3, 65536)
    );
    assert_eq!(
        (generation.node_id, generation.flags),
        (7, DeviceFlags(0x491))
    );
    assert_eq!(generation.current_uuid, Uuid(0x1111_1111_1111_1112));
    assert_eq!(generation.members, 0x81);
    assert_eq!(
        generation.peers[31],
        PeerV09 {
            bitmap_index: 30,
            bitmap_uuid: Uuid(0x1F),
            bitmap_dagtag: 0x1FA,
            flags: PeerFlags(0x1F),
        }
    );
    assert_eq!(generation.history_uuids[5], Uuid(5));
    assert_eq!(generation.device_uuid, Uuid(0xFE));
    assert_eq!(generation.la_peer_max_bio_size, 1 << 20);
}

#[test]
fn line_ends_case_and_blanks_do_not_matter() {
    for text in [V07.to_owned(), V08.to_owned(), v09()] {
        let expected = (read(&text), words(text.as_bytes()).unwrap());
        let one_line: String = text
            .lines()
            .map(|line| line.split('#').next().unwrap().trim().to_owned() + " ")
            .collect();
        let hex = |text: &str| {
            text.split_inclusive(' ')
                .map(|word| match word.strip_prefix("0x") {
                    Some(digits) => format!("0x{}", digits.to_lowercase()),
                    None => word.to_owned(),
                })
                .collect::<String>()
        };
        for same in [
            text.replace('\n', "\r\n"),
            text.replace('\n', " # ; } \"\n"),
            text.replace(';', "\t;\n"),
            one_line.replace(" ;", ";"),
            hex(&text),
            text.trim_end().to_owned(),
        ] {
            assert_eq!(
                (read(&same), words(same.as_bytes()).unwrap()),
                expected,
                "{same}"
            );
        }
    }
}

#[test]
fn dumps_of_old_versions_lack_lines() {
    let before_8_4_3 = with(V08, "al-stripes 2;\nal-stripe-size-4k 16;\n", "");
    let (header, notes) = read(&before_8_4_3);
    assert_eq!(header.geometry.al, AlStriping::DEFAULT);
    assert_eq!(v08_of(&header).la_peer_max_bio_size, u32::MAX - 4095);
    assert_eq!(notes, [Note::NoStriping]);

    let before_8_4_0 = with(&before_8_4_3, "la-peer-max-bio-size -4096;\n", "");
    let (header, notes) = read(&before_8_4_0);
    assert_eq!(header.geometry.al, AlStriping::DEFAULT);
    assert_eq!(v08_of(&header).la_peer_max_bio_size, 0);
    assert_eq!(notes, [Note::NoBioSize, Note::NoStriping]);

    let before_9_27 = with(&v09(), "members 0x0000000000000081;\n", "");
    let (header, notes) = read(&before_9_27);
    assert!(matches!(header.generation, Generation::V09(generation) if generation.members == 0));
    assert_eq!(notes, [Note::NoMembers]);
    assert!(!notes[0].is_warning());
}

#[test]
fn lines_that_no_version_left_out_are_missed() {
    let no_bio_size = with(V08, "la-peer-max-bio-size -4096;\n", "");
    assert_eq!(
        complaint(&no_bio_size),
        "11:1 \"al-stripes\", \"la-peer-max-bio-size\" or \"bm\""
    );
    let half = with(V08, "al-stripe-size-4k 16;\n", "");
    assert_eq!(complaint(&half), "14:1 \"bm\", \"al-stripe-size-4k\"");
    let other = with(V08, "al-stripes 2;\n", "");
    assert_eq!(
        complaint(&other),
        "12:1 \"al-stripe-size-4k\", \"al-stripes\" or \"bm\""
    );
    // No drbd-utils ever printed v09 without them.
    let v09 = with(&v09(), "al-stripes 1;\nal-stripe-size-4k 8;\n", "");
    assert_eq!(complaint(&v09), "238:1 \"bitmap\", \"al-stripes\"");
}

#[test]
fn v08_flags_of_nothing_are_a_warning() {
    let (header, notes) = read(&with(V08, "0x00000093", "0x00000000"));
    assert_eq!(v08_of(&header).flags, DeviceFlags(0));
    assert_eq!(notes, [Note::FlagsZero]);
    assert!(notes[0].is_warning());
    assert_eq!(read(&with(&v09(), "0x00000491", "0x00000000")).1, []);
}

#[test]
fn a_log_striped_0_by_0_is_the_default_one() {
    let text = with(&with(V08, "al-stripes 2", "al-stripes 0"), "4k 16", "4k 0");
    assert_eq!(read(&text).0.geometry.al, AlStriping::DEFAULT);
}

#[test]
fn peers_may_stand_in_any_order() {
    let turned = read(&v09_with_peers((0..32).rev()));
    assert_eq!(turned, read(&v09()));
}

#[test]
fn each_node_id_has_one_peer() {
    let twice = v09_with_peers((0..31).chain([3]));
    assert_eq!(
        complaint(&twice),
        "194:6 \"3\", a node id from 0 to 31 that no peer before had"
    );
    let few = v09_with_peers(0..31);
    assert_eq!(complaint(&few), "194:1 \"history-uuids\", \"peer\"");
    let many = v09_with_peers((0..32).chain([3]));
    assert_eq!(complaint(&many), "200:1 \"peer\", \"history-uuids\"");
    for number in ["32", "-1", "4294967296"] {
        let text = with(&v09(), "peer[9]", &format!("peer[{number}]"));
        let expected = format!("62:6 \"{number}\", a node id from 0 to 31 that no peer before had");
        assert_eq!(complaint(&text), expected);
    }
}

#[test]
fn an_unclean_dump_is_refused_as_such() {
    let unclean = "\nThis_is_an_unclean_meta_data_dump._Don't_trust_the_bitmap.\n# You should";
    for text in [V07, V08, &v09()] {
        let text = text.replacen(";\n", &format!(";\n{unclean}"), 1);
        let error = DumpReader::new(text.as_bytes()).map(drop).unwrap_err();
        assert!(
            matches!(error, Error::Refused(Refused::UncleanDump { line: 3 })),
            "{error}"
        );
    }
    let not_quite = with(V08, "\nuuid", "\nThis_is_an_unclean_meta_data_dump.\nuuid");
    assert_eq!(
        complaint(&not_quite),
        "3:1 \"This_is_an_unclean_meta_data_dump\", \"uuid\""
    );
}

#[test]
fn the_ends_of_every_range_are_in_it() {
    let text = with(V08, "268200", "9999999999999999999");
    assert_eq!(
        read(&text).0.la_size,
        Sectors::new(9_999_999_999_999_999_999)
    );
    let text = with(V08, "-4096", "4294967295");
    assert_eq!(v08_of(&read(&text).0).la_peer_max_bio_size, u32::MAX);
    let text = with(&v09(), "node-id 7", "node-id -1");
    assert!(matches!(read(&text).0.generation, Generation::V09(v09) if v09.node_id == -1));
    let text = with(&v09(), "bitmap-index 4", "bitmap-index -2147483648");
    assert!(
        matches!(read(&text).0.generation, Generation::V09(v09) if v09.peers[5].bitmap_index == i32::MIN)
    );
}
