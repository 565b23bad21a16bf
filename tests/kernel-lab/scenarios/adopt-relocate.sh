# shellcheck shell=bash disable=SC2034,SC2154  # sourced by run, whose variables these are
# The inner metadata moved to the end of the larger disk, where DRBD looks for it.

adopt_copy relocate
arrive --
check_log
