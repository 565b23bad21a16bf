//! What each rule means, seen from the side whose rule it is.

use super::letter;

/// The rules of 8.4, `ME` and `PEER` standing for the two.
const RULES_8: &[(&str, &str)] = &[
    ("10", "both were just created"),
    ("20", "ME was just created, or has no generation"),
    ("30", "PEER was just created, or has no generation"),
    ("34", "equal generations; ME sent a resync and did not learn that it finished"),
    ("35", "equal generations; PEER sent a resync and did not learn that it finished"),
    ("36", "equal generations; ME was sending a resync, and PEER did not note that it began"),
    ("37", "equal generations; PEER was sending a resync, and ME did not note that it began"),
    ("40", "equal generations; if one crashed as Primary, it sends"),
    ("41", "equal generations, one crashed as Primary; who is Primary now sends"),
    ("50", "PEER counts since ME's generation"),
    ("51", "PEER began a resync, and ME did not learn of it"),
    ("60", "ME's generation is in PEER's history, and no bitmap counts from it"),
    ("70", "ME counts since PEER's generation"),
    ("71", "ME began a resync, and PEER did not learn of it"),
    ("80", "PEER's generation is in ME's history, and no bitmap counts from it"),
    ("90", "both count since one generation: both wrote after they parted"),
    ("100", "the two have at most a past generation in common"),
];

/// The rules of 9.
const RULES_9: &[(&str, &str)] = &[
    ("just-created-both", "both were just created"),
    ("just-created-self", "ME was just created"),
    ("just-created-peer", "PEER was just created"),
    ("sync-source-missed-finish", "equal generations; ME sent a resync and did not learn that it finished"),
    ("sync-source-peer-missed-finish", "equal generations; ME was sending a resync, and PEER did not note that it began"),
    ("sync-target-peer-missed-finish", "equal generations; PEER sent a resync and did not learn that it finished"),
    ("sync-target-missed-finish", "equal generations; PEER was sending a resync, and ME did not note that it began"),
    ("crashed-primary", "equal generations, protocol A or B; who crashed as Primary sends what was under way"),
    ("lost-quorum", "equal generations; who lost quorum while Primary sends"),
    ("both-off", "equal generations; if one crashed as Primary, it sends"),
    ("bitmap-peer", "PEER counts since ME's generation"),
    ("bitmap-peer-other", "PEER has a slot of another node that counts since ME's generation"),
    ("sync-target-missed-start", "PEER began a resync, and ME did not learn of it"),
    ("bitmap-self", "ME counts since PEER's generation"),
    ("bitmap-self-other", "ME has a slot of another node that counts since PEER's generation"),
    ("sync-source-missed-start", "ME began a resync, and PEER did not learn of it"),
    ("history-peer", "ME's generation is in PEER's history, and no bitmap counts from it"),
    ("history-self", "PEER's generation is in ME's history, and no bitmap counts from it"),
    ("bitmap-both", "both count since one generation: both wrote after they parted"),
    ("history-both", "the two have at most a past generation in common"),
];

/// What a rule means; nothing for one that is not known.
pub(in super::super) fn meaning(rule: &str, me: usize, peer: usize) -> Option<String> {
    let found = RULES_8.iter().chain(RULES_9).find(|(name, _)| *name == rule)?;
    let (me, peer) = (letter(me), letter(peer));
    Some(found.1.replace("ME", &me).replace("PEER", &peer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_a_meaning() {
        let all: Vec<String> = RULES_8
            .iter()
            .chain(RULES_9)
            .map(|(rule, _)| format!("{rule}: {}", meaning(rule, 0, 1).unwrap()))
            .collect();
        insta::assert_snapshot!(all.join("\n"));
    }
}
