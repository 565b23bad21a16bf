# shellcheck shell=bash disable=SC2034,SC2154  # sourced by run, whose variables these are
# The inner metadata on a disk of its own, as DRBD's flexible-meta-disk; the copy is not changed.

empty_disk meta 2
adopt_copy external --meta meta.img
check_untouched
arrive METADATA=/dev/vdc -- meta
check_log
