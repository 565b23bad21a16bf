# Out of `cargo metadata`: an SPDX 2.3 document of the program and of every crate that is in it or makes code for it (macros); what only builds or tests it is left out.
def id: "SPDXRef-" + (.name + "-" + .version | gsub("[^A-Za-z0-9.-]"; "-"));
(.packages | map({(.id): .}) | add) as $packages
| (.resolve.nodes | map({(.id): [.deps[] | select(any(.dep_kinds[]; .kind == null)) | .pkg]}) | add) as $needs
| .resolve.root as $root
| ({seen: [], next: [$root]} | until(.next == [];
    .seen += .next | .seen as $seen | .next = ([.next[] | $needs[.][]] | unique - $seen)) | .seen | unique) as $all
| {
    spdxVersion: "SPDX-2.3",
    dataLicense: "CC0-1.0",
    SPDXID: "SPDXRef-DOCUMENT",
    name: ($packages[$root] | .name + "-" + .version),
    documentNamespace: ("https://spdx.org/spdxdocs/" + ($packages[$root] | .name + "-" + .version) + "-" + $commit),
    creationInfo: {created: $created, creators: ["Tool: mdtool-packaging/spdx.jq"]},
    packages: [$all[] | $packages[.] | {
        SPDXID: id,
        name,
        versionInfo: .version,
        supplier: "NOASSERTION",
        downloadLocation: (if .source == null then "NOASSERTION" else "https://static.crates.io/crates/\(.name)/\(.name)-\(.version).crate" end),
        filesAnalyzed: false,
        licenseConcluded: "NOASSERTION",
        licenseDeclared: (.license // "NOASSERTION" | gsub("/"; " OR ")),
        copyrightText: "NOASSERTION",
        checksums: [$sums[.name + "@" + .version] | select(.) | {algorithm: "SHA256", checksumValue: .}],
        externalRefs: [select(.source) | {referenceCategory: "PACKAGE-MANAGER", referenceType: "purl", referenceLocator: "pkg:cargo/\(.name)@\(.version)"}]
    } | if .checksums == [] then del(.checksums) else . end | if .externalRefs == [] then del(.externalRefs) else . end],
    relationships: (
        [{spdxElementId: "SPDXRef-DOCUMENT", relationshipType: "DESCRIBES", relatedSpdxElement: ($packages[$root] | id)}]
        + [$all[] as $one | $needs[$one][] | {spdxElementId: ($packages[$one] | id), relationshipType: "DEPENDS_ON", relatedSpdxElement: ($packages[.] | id)}]
    )
}
