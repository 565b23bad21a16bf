//! The JSON form; docs/json.md documents its fields, which are only ever added to.

use serde_json::{Value, json};

use crate::cli::output::json;
use crate::cli::commands::show::view::{Facts, Show, raw};
use crate::format::metadata::{CountersV07, Generation, GenerationV09};
use crate::format::superblock::{PeerFlags, Uuid};
use crate::units::{BitmapIndex, Bytes, range_len};
use crate::verdict::handshake::at_attach;

/// The whole document.
pub(crate) fn document(show: &Show<'_>) -> anyhow::Result<Value> {
    let report = show.report;
    let levels: Vec<Value> = show
        .levels
        .iter()
        .map(|facts| level(show, facts))
        .collect::<anyhow::Result<_>>()?;
    let mut document = json!({
        "image": report.image.image.to_string_lossy(),
        "image_bytes": report.opened.known_size().map(Bytes::get),
        "rate_bytes_per_second": show.rate.0.get(),
        "levels": levels,
        "occupants": json::occupants(report)?,
    });
    report.opened.note_dump(&mut document);
    Ok(document)
}

fn level(show: &Show<'_>, facts: &Facts<'_>) -> anyhow::Result<Value> {
    let mut value = json::level(show.report, facts.number, facts.level)?;
    let more = [
        layout(facts),
        state(facts),
        generation(facts),
        fill(show, facts),
    ];
    if let Some(value) = value.as_object_mut() {
        for part in more {
            if let Value::Object(part) = part {
                value.extend(part);
            }
        }
        value.insert(
            "superblock".to_owned(),
            raw::superblock(&facts.level.superblock),
        );
    }
    Ok(value)
}

fn layout(facts: &Facts<'_>) -> Value {
    let layout = &facts.level.layout;
    json!({
        "al_bytes": range_len(&layout.al).get(),
        "al_stripes": layout.geometry.al.stripes,
        "al_stripe_size_4k": layout.geometry.al.stripe_size_4k,
        "al_nr_extents": facts.level.superblock.al_nr_extents(),
        "bm_bytes": range_len(&layout.bm).get(),
        "max_peers": layout.geometry.max_peers,
        "bytes_per_bit": layout.geometry.bytes_per_bit,
    })
}

fn state(facts: &Facts<'_>) -> Value {
    let superblock = &facts.level.superblock;
    let flags = superblock.flags();
    let named = flags.named(superblock.format());
    let notes = at_attach(&facts.header);
    let refused = facts.refusals().map(|finding| json!({ "kind": finding.rule.id, "text": finding.found }));
    let notes = notes.iter().map(|note| json!({ "kind": note.word(), "text": note.to_string() }));
    let at_attach: Vec<Value> = refused.chain(notes).collect();
    json!({
        "flags": flags.to_string(),
        "flag_names": named.names,
        "unknown_flags": unknown(named.unknown),
        "disk_state": facts.disk().to_string(),
        "at_attach": at_attach,
        "just_created": superblock.current_uuid().map(|uuid| !uuid.names_a_generation()),
        "current_uuid_primary": superblock.current_uuid().map(primary),
    })
}

/// Flags without a name, `null` where there are none.
fn unknown(flags: u32) -> Option<String> {
    (flags != 0).then(|| format!("0x{flags:08X}"))
}

/// Bit 0 of a UUID that names a generation.
fn primary(uuid: Uuid) -> bool {
    uuid.names_a_generation() && uuid.set_as_primary()
}

fn generation(facts: &Facts<'_>) -> Value {
    let history = |uuids: &[Uuid]| -> Vec<String> {
        let set = uuids.iter().filter(|uuid| **uuid != Uuid::NONE);
        set.map(ToString::to_string).collect()
    };
    match &facts.header.generation {
        Generation::V07(CountersV07([_, human, timeout, connected, arbitrary])) => json!({
            "generation_counters": {
                "human": human, "timeout": timeout, "connected": connected, "arbitrary": arbitrary,
            },
        }),
        Generation::V08(generation) => {
            let [_, bitmap, past @ ..] = generation.uuids;
            json!({
                "bitmap_uuid": bitmap.to_string(),
                "bitmap_uuid_primary": primary(bitmap),
                "history_uuids": history(&past),
            })
        }
        Generation::V09(generation) => json!({
            "node_id": (generation.node_id != -1).then_some(generation.node_id),
            "members": node_ids(generation.members),
            "history_uuids": history(&generation.history_uuids),
            "day0": facts.day0().map(|day0| json!({
                "uuid": day0.uuid.map(|uuid| uuid.to_string()),
                "slot": day0.slot.map(BitmapIndex::get),
                "never_rotated": day0.never_rotated,
            })),
            "peers": peers(facts, generation),
        }),
    }
}

/// The node ids in a mask.
pub(crate) fn node_ids(mask: u64) -> Vec<u32> {
    let set = |node: &u32| mask.checked_shr(*node).unwrap_or(0) & 1 != 0;
    (0..u64::BITS).filter(set).collect()
}

/// Whether an entry says more than that nobody is there.
pub(crate) fn is_worth_telling(facts: &Facts<'_>, generation: &GenerationV09, node: usize) -> bool {
    let Some(peer) = generation.peers.get(node) else {
        return false;
    };
    let day0 = facts
        .day0()
        .and_then(|day0| day0.uuid)
        .unwrap_or(Uuid::NONE);
    let empty = peer.bitmap_index == -1 && peer.flags == PeerFlags(0);
    !(empty && [day0, Uuid::NONE].contains(&peer.bitmap_uuid))
}

fn peers(facts: &Facts<'_>, generation: &GenerationV09) -> Vec<Value> {
    let told = (0..).zip(&generation.peers);
    told.filter(|(node, _)| is_worth_telling(facts, generation, *node))
        .map(|(node, peer)| {
            let named = peer.flags.named();
            json!({
                "node_id": node,
                "bitmap_slot": (peer.bitmap_index != -1).then_some(peer.bitmap_index),
                "bitmap_uuid": peer.bitmap_uuid.to_string(),
                "bitmap_uuid_primary": primary(peer.bitmap_uuid),
                "bitmap_dagtag": peer.bitmap_dagtag,
                "flags": format!("0x{:08X}", peer.flags.0),
                "flag_names": named.names,
                "unknown_flags": unknown(named.unknown),
            })
        })
        .collect()
}

/// What was counted: here nothing is left out for being large.
fn fill(show: &Show<'_>, facts: &Facts<'_>) -> Value {
    let Some(slots) = &facts.slots else {
        return json!({ "slots": null });
    };
    let listed: Vec<Value> = slots
        .iter()
        .map(|slot| {
            json!({
                "slot": slot.number,
                "node_ids": slot.nodes,
                "bits_set": slot.bits,
                "out_of_sync_bytes": slot.bytes.get(),
                "resync_seconds": show.rate.seconds(slot.bytes),
            })
        })
        .collect();
    let peers = slots
        .iter()
        .filter(|slot| facts.v09().is_none() || !slot.nodes.is_empty());
    let most = peers.map(|slot| slot.bytes).max();
    json!({ "out_of_sync_bytes": most.map(Bytes::get), "slots": listed })
}
