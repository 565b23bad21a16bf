//! What should be known beforehand.

use crate::cli::commands::plan::departure::steps::Departure;

impl Departure {
    pub(crate) fn downtime(&self) -> &'static str {
        match (self.snapshot.is_none(), self.nodes.staying.is_empty()) {
            (true, true) => "none",
            (true, false) => "twice, from umount to mount: before the copy and after it, while the peers that stay connect",
            (false, true) => "from umount to mount: as long as the snapshot takes",
            (false, false) => "from umount to mount: as long as the snapshot takes, and the peers that stay take to connect",
        }
    }

    pub(crate) fn downtime_of_second(&self) -> &'static str {
        if self.snapshot.is_none() {
            "from umount to mount: as long as the second copy takes"
        } else {
            "from umount to mount: as long as the snapshot takes"
        }
    }

    pub(crate) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.snapshot.is_none() {
            notes.push("without a snapshot the disk is copied while it is in use, past the system's cache. What is written meanwhile is in the bitmap, and DRBD sends it at the end.".to_owned());
        }
        if self.is_v09() {
            self.notes_of_v09(&mut notes);
        } else if !self.is_stacked() {
            notes.push("v08 has one bitmap, and one peer: the one that is connected now is replaced by the copy.".to_owned());
        }
        notes
    }

    fn notes_of_v09(&self, notes: &mut Vec<String>) {
        let resource = &self.names.resource;
        if self.nodes.staying.is_empty() {
            notes.push("DRBD 9: no peer but the target has a bitmap slot, so that no other is considered here.".to_owned());
        } else {
            notes.push(format!(
                "DRBD 9: new-current-uuid --clear-bitmap clears the bitmaps of all peers. First make sure that every peer that stays is UpToDate (`drbdadm status {resource}`), or what it lacks is forgotten."
            ));
            notes.push("DRBD 9: a peer that stays and was not connected between the two new-current-uuid needs a full resync after the second. So it is connected, and waited for.".to_owned());
            notes.push("DRBD 9: nothing may be written between a disconnect and the new-current-uuid after it: a Primary without its peers starts a generation of its own, and the copy would be synced in full. So it is unmounted and Secondary before it is disconnected.".to_owned());
        }
        let known = &self.nodes;
        match (known.target, known.said, known.tracked) {
            (Some(node), false, _) => notes.push(format!("the target is taken to be node {node}, the only peer with a bitmap slot: --node-id N names another.")),
            (Some(node), true, false) => notes.push(format!("node {node} has no bitmap slot: add it to the configuration and run `drbdadm adjust {resource}` first, so that what is written is recorded for it.")),
            (Some(_), true, true) => {}
            (None, ..) => notes.push("the target's node id was not said: with --node-id N, the commands name it and the peers that stay.".to_owned()),
        }
    }
}
