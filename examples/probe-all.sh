#!/bin/sh
# Probes each disk by itself and says what to do about it: a pattern for scripts that decide by the answer.
#
#     sh probe-all.sh /dev/sdb /dev/sdc
for disk in "$@"; do
    line=$(mdtool probe "$disk")
    case $? in
    0) echo "$disk: DRBD attaches it as it is" ;;
    1) echo "$disk: no metadata; everything was looked at" ;;
    3) echo "$disk: first: mdtool apply-al $disk" ;;
    5) echo "$disk: not where DRBD looks: mdtool plan $disk" ;;
    *) echo "$line: a person has to look" ;;
    esac
done
