//! The walk over everything that has bytes in common with an image.

use std::path::Path;

use super::devices::{self, Loop, Part};
use super::mounts::Mounts;
use super::{Object, System, Use, User, locks, processes};

/// Who uses something, found step by step.
#[derive(Debug)]
pub(super) struct Search<'a> {
    system: &'a System,
    mounts: Mounts,
    loops: Vec<Loop>,
    /// What was looked at already, what we were asked about first of all: nobody is counted twice, and no circle is gone round.
    seen: Vec<Object>,
    users: Vec<User>,
}

impl<'a> Search<'a> {
    /// Everybody who uses `object` or what has bytes in common with it. Locks on `object` itself are not among it: whoever has it open can
    /// ask for them better.
    pub(super) fn of(system: &'a System, object: Object) -> Vec<User> {
        let mut search = Self {
            system,
            mounts: Mounts::read(system),
            loops: devices::loops(system),
            seen: Vec::new(),
            users: Vec::new(),
        };
        search.above(object, &Part::WHOLE, None);
        search.below(object, &Part::WHOLE);
        search.users
    }

    /// Looks at what stands on `part` of `object`, which is known as `name` where it is not the one that we were asked about.
    fn above(&mut self, object: Object, part: &Part, name: Option<&Path>) {
        if self.seen.contains(&object) {
            return;
        }
        self.seen.push(object);
        if let Some(on) = self.mounts.of(object) {
            let how = Use::Mounted(on.to_owned());
            self.users.push(User::new(name, how));
        }
        if self.mounts.is_swap(object) {
            self.users.push(User::new(name, Use::Swap));
        }
        self.locks(object, name);
        self.loops_over(object, part);
        let Object::Device(number) = object else {
            return;
        };
        for (number, place) in devices::partitions(self.system, number) {
            if let Some(part) = part.within(&place) {
                let name = devices::name(self.system, number);
                self.above(Object::Device(number), &part, Some(&name));
            }
        }
        for holder in devices::holders(self.system, number) {
            self.stands_on(Object::Device(holder), &Part::WHOLE, Use::Holder);
        }
    }

    /// Looks at what `object` lies on, of which `part` is meant: the same bytes may be used there.
    fn below(&mut self, object: Object, part: &Part) {
        let Object::Device(number) = object else {
            return;
        };
        let over = self.loops.iter().find(|device| device.number == number);
        if let Some((whole, place)) = devices::whole(self.system, number) {
            let name = devices::name(self.system, whole);
            self.beneath(Object::Device(whole), &part.in_whole(&place), &name);
        } else if let Some(device) = over.cloned() {
            let Some(object) = device.over else {
                return;
            };
            let name = match object {
                Object::Device(number) => devices::name(self.system, number),
                Object::File { .. } => device.path,
            };
            self.beneath(object, &part.in_whole(&device.part), &name);
        } else {
            for slave in devices::slaves(self.system, number) {
                self.of_slave(Object::Device(slave));
            }
        }
    }

    fn beneath(&mut self, object: Object, part: &Part, name: &Path) {
        if !self.seen.contains(&object) {
            self.above(object, part, Some(name));
            self.below(object, part);
        }
    }

    /// Looks at one of the devices that another is built of: which bytes of it nothing here says, so that its other holders and its
    /// partitions may have nothing to do with ours.
    fn of_slave(&mut self, object: Object) {
        let Object::Device(number) = object else {
            return;
        };
        if !self.seen.contains(&object) {
            self.seen.push(object);
            let name = devices::name(self.system, number);
            self.locks(object, Some(&name));
            self.loops_over(object, &Part::WHOLE);
            self.below(object, &Part::WHOLE);
        }
    }

    /// Names who has locked bytes of something that has this name.
    fn locks(&mut self, object: Object, name: Option<&Path>) {
        let Some(path) = name else {
            return;
        };
        if locks::are_on(self.system, path, object) {
            let mut users = processes::users(self.system, object, name);
            if users.is_empty() {
                users.push(User::new(name, Use::Open(None)));
            }
            self.users.append(&mut users);
        }
    }

    fn loops_over(&mut self, object: Object, part: &Part) {
        let over: Vec<Loop> = self
            .loops
            .iter()
            .filter(|device| device.over == Some(object))
            .cloned()
            .collect();
        for device in over {
            if let Some(part) = part.within(&device.part) {
                self.stands_on(Object::Device(device.number), &part, Use::LoopDevice);
            }
        }
    }

    /// A device whose being there is a use, even where nobody is seen to use it in turn.
    fn stands_on(&mut self, object: Object, part: &Part, how: Use) {
        let Object::Device(number) = object else {
            return;
        };
        if self.seen.contains(&object) {
            return;
        }
        let name = devices::name(self.system, number);
        let before = self.users.len();
        self.above(object, part, Some(&name));
        if self.users.len() == before {
            self.users.push(User::new(Some(&name), how));
        }
    }
}
