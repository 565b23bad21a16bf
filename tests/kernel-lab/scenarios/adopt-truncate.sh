# shellcheck shell=bash disable=SC2034,SC2154  # sourced by run, whose variables these are
# The copy cut off where the inner device ends: its metadata stays where it is.

adopt_copy truncate
check "size of the copy" "$(stat -c '%s bytes' "$(disk copy)")" "$outer_bytes bytes"
arrive --
check_log
