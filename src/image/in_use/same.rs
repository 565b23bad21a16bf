//! Whether two things have bytes in common: by one being the other, or by what each of them lies on.

use super::devices::{self, Loop, Part};
use super::{Object, System};

/// As many places are looked at: stacks of devices are a few high.
const MOST: usize = 1000;

/// What a thing lies on, itself first of all.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    object: Object,
    part: Part,
    /// Whether all of the part is its; of a device that others are built of, nothing says which bytes are.
    is_exact: bool,
}

/// Whether two things have bytes in common. Two volumes on the same disks have none.
pub(super) fn overlap(system: &System, one: Object, other: Object) -> bool {
    let loops = devices::loops(system);
    let (one, other) = (places(system, &loops, one), places(system, &loops, other));
    one.iter().any(|one| {
        other.iter().any(|other| {
            one.object == other.object
                && (one.is_exact || other.is_exact)
                && one.part.within(&other.part).is_some()
        })
    })
}

/// Everything that a thing lies on.
fn places(system: &System, loops: &[Loop], object: Object) -> Vec<Place> {
    let mut places = Vec::new();
    let mut next = vec![Place {
        object,
        part: Part::WHOLE,
        is_exact: true,
    }];
    while let Some(place) = next.pop() {
        if places.len() < MOST && !places.contains(&place) {
            next.extend(beneath(system, loops, &place));
            places.push(place);
        }
    }
    places
}

/// What a place lies on directly.
fn beneath(system: &System, loops: &[Loop], place: &Place) -> Vec<Place> {
    let Object::Device(number) = place.object else {
        return Vec::new();
    };
    let over = loops.iter().find(|device| device.number == number);
    let exactly = match (devices::whole(system, number), over) {
        (Some((whole, part)), _) => Some((Object::Device(whole), part)),
        (None, Some(device)) => device.over.map(|over| (over, device.part.clone())),
        (None, None) => None,
    };
    if let Some((object, part)) = exactly {
        return vec![Place {
            object,
            part: place.part.in_whole(&part),
            is_exact: place.is_exact,
        }];
    }
    let slaves = devices::slaves(system, number).into_iter();
    slaves
        .map(|slave| Place {
            object: Object::Device(slave),
            part: Part::WHOLE,
            is_exact: false,
        })
        .collect()
}
