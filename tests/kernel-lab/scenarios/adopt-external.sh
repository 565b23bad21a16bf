# shellcheck shell=bash disable=SC2034,SC2154  # sourced by run, whose variables these are
# The inner metadata on a disk of its own, as DRBD's flexible-meta-disk; of the copy only superblocks are retired.

empty_disk meta 2
adopt_copy external --meta meta.img
arrive METADATA=/dev/vdc -- meta
check_log
