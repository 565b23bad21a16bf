//! The text form of fit.

use std::io::{self, Write};

use super::{DiskView, Fit, Lives, NetView};
use crate::cli::output::amounts::{binary, bytes_and_binary};
use crate::cli::output::text::table;
use crate::units::{Bytes, Sectors};

const HEADINGS: [(&str, bool); 4] = [
    ("disk", false),
    ("bytes", true),
    ("DRBD device in sectors", true),
    ("metadata takes", true),
];

pub(super) fn print(fit: &Fit, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", shape(fit))?;
    if !fit.disks.is_empty() {
        writeln!(out)?;
        let numbered = fit.disks.iter().zip(1..);
        let rows: Vec<[String; 4]> = numbered.map(|(disk, number)| row(fit, disk, number)).collect();
        table(&HEADINGS, &rows, out)?;
    }
    for (disk, number) in fit.disks.iter().zip(1..) {
        self::disk(fit, disk, &name(disk, number), out)?;
    }
    if fit.disks.len() > 1 {
        agreed(fit, out)?;
    }
    match &fit.net {
        Some(net) => self::net(fit, net, out),
        None => Ok(()),
    }
}

fn shape(fit: &Fit) -> String {
    let slots = if fit.max_peers == 1 { "slot" } else { "slots" };
    let log = Bytes::new(fit.al_stripe_bytes.saturating_mul(u64::from(fit.al_stripes)));
    let place = if fit.external {
        "on a device of its own"
    } else {
        "at the end of the disk"
    };
    format!(
        "{} metadata {place}: {} bitmap {slots}, {} bytes per bit, an activity log of {}",
        fit.format,
        fit.max_peers,
        fit.bytes_per_bit,
        binary(log)
    )
}

/// As it was named, or its number among those whose size was given.
fn name(disk: &DiskView, number: usize) -> String {
    disk.source.clone().unwrap_or_else(|| format!("disk {number}"))
}

fn row(fit: &Fit, disk: &DiskView, number: usize) -> [String; 4] {
    let meta = match disk.meta_bytes {
        Some(meta) if fit.external => format!("{meta} elsewhere"),
        _ => disk.md_bytes.to_string(),
    };
    let size = bytes_and_binary(Bytes::new(disk.disk_bytes)).replace(" bytes", "");
    [
        name(disk, number), size, disk.usable_sect.to_string(), meta]
}

fn disk(fit: &Fit, disk: &DiskView, name: &str, out: &mut dyn Write) -> io::Result<()> {
    if let Some(extent) = fit.extent_bytes.map(Bytes::new) {
        extents(disk, extent, name, out)?;
    }
    if disk.too_small_to_attach {
        writeln!(out, "\n{name}: no kernel attaches a disk of less than 1 MiB")?;
    }
    if let Some(short) = disk.short_bytes {
        writeln!(out, "\n{name}: the DRBD device is {} short of what is asked for", bytes_and_binary(Bytes::new(short)))?;
        if let (Some(grow), Some(grown)) = (disk.grow_bytes, disk.grown_bytes) {
            writeln!(out, "  grow the disk by {} to {grown} bytes", bytes_and_binary(Bytes::new(grow)))?;
        }
    }
    for lives in &disk.lives {
        writeln!(out, "\n{name}: {}", self::lives(lives, disk))?;
        if lives.fits == Some(false) {
            ways(lives, disk, out)?;
        }
    }
    Ok(())
}

/// What is said of a size that is no whole number of extents.
fn extents(disk: &DiskView, extent: Bytes, name: &str, out: &mut dyn Write) -> io::Result<()> {
    let size = Bytes::new(disk.disk_bytes);
    if let Some(asked) = disk.asked_bytes {
        writeln!(
            out,
            "\n{name}: {asked} bytes are no whole number of extents of {}: LVM rounds it up, and {size} are counted with",
            binary(extent)
        )
    } else if size.align_down(extent) != size {
        writeln!(
            out,
            "\n{name}: {size} are no whole number of extents of {}: this is no such logical volume, and is taken as it is",
            binary(extent)
        )
    } else {
        Ok(())
    }
}

fn lives(lives: &Lives, disk: &DiskView) -> String {
    match (lives.end_bytes, lives.fits) {
        (Some(end), Some(true)) => {
            let free = lives.free_bytes.map(Bytes::new).map(bytes_and_binary);
            let spare = free.map_or_else(|| "how much is to spare is unknown".to_owned(), |free| format!("with {free} to spare"));
            format!("the {} ends at byte {end}: it fits, {spare}", lives.words)
        }
        (Some(end), _) => format!(
            "the {} ends at byte {end}, and the DRBD device at byte {}: it does not fit, metadata would overwrite its end",
            lives.words, disk.usable_bytes
        ),
        (None, _) if lives.kind == "drbd" => lives.words.clone(),
        (None, _) => format!("there is a {}, which does not say where it ends", lives.words),
    }
}

/// What to do where something does not fit, before metadata is made.
fn ways(lives: &Lives, disk: &DiskView, out: &mut dyn Write) -> io::Result<()> {
    if let (Some(grow), Some(grown)) = (lives.grow_bytes, lives.grown_bytes) {
        writeln!(out, "  either grow the disk by {} to {grown} bytes", bytes_and_binary(Bytes::new(grow)))?;
    }
    let shrink = lives.shrink_bytes.map(Bytes::new).map(bytes_and_binary);
    let by = shrink.map_or_else(String::new, |shrink| format!("by {shrink} "));
    let by = format!("{by}to {} bytes", disk.usable_bytes);
    // What divides a disk into others is not shrunk as a file system is.
    let other = match lives.kind {
        "lvm" => format!("shrink the physical volume {by} (pvresize --setphysicalvolumesize, on a free end), or run DRBD on a logical volume (mdtool fit /dev/VG/LV)"),
        "gpt" | "mbr" => "run DRBD on a partition (mdtool fit on the partition's own device)".to_owned(),
        "md" | "md-at-end" => "run DRBD on the array (mdtool fit /dev/mdN)".to_owned(),
        "xfs" | "exfat" => format!(
            "copy its files into a smaller file system, of at most {} bytes (there is no tool that shrinks an {})",
            disk.usable_bytes, lives.words
        ),
        _ => format!("shrink what lives there {by}"),
    };
    writeln!(out, "  or {other}, or keep the metadata on another device (--external)")
}

fn agreed(fit: &Fit, out: &mut dyn Write) -> io::Result<()> {
    let Some(agreed) = fit.agreed_sect.map(Sectors::new) else {
        return Ok(());
    };
    let bytes = agreed.to_bytes().map_or_else(String::new, bytes_and_binary);
    let limit = fit.limit.and_then(|limit| Some((limit, fit.disks.get(limit)?)));
    match limit {
        Some((limit, disk)) => {
            let name = name(disk, limit.saturating_add(1));
            writeln!(out, "\nthey agree on {agreed}, {bytes}: {name} is the limit")
        }
        None => writeln!(out, "\nthey agree on {agreed}, {bytes}: all leave the same"),
    }
}

fn net(fit: &Fit, net: &NetView, out: &mut dyn Write) -> io::Result<()> {
    let size = Sectors::new(net.net_sect);
    let Some(disk) = net.disk_bytes.map(Bytes::new) else {
        return Ok(());
    };
    write!(out, "\na DRBD device of {size} needs a disk of {}", bytes_and_binary(disk))?;
    if let (Some(extents), Some(extent)) = (net.extents, fit.extent_bytes) {
        write!(out, ", {extents} extents of {}", binary(Bytes::new(extent)))?;
    }
    if let Some(meta) = net.meta_bytes {
        write!(out, ", and a meta device of {}", bytes_and_binary(Bytes::new(meta)))?;
    }
    writeln!(out)
}
