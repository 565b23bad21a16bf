# shellcheck shell=bash disable=SC2034,SC2154  # sourced by run, whose variables these are
# Without mdtool: the copy cut off where the inner device ends, its log applied by drbdmeta. What the
# kernel says here is the measure for all that follows.

take_truck
truncate -s "$outer_bytes" "$(disk copy)"
arrive --
