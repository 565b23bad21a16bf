# shellcheck shell=bash disable=SC2034,SC2154  # sourced by run, whose variables these are
# The inner resource's metadata as a dump, restored by drbdmeta at the end of the larger disk.

take_truck
case ${LAB_EXPORT:-apply-al} in
apply-al)
    run_mdtool export copy.img --stacked --apply-al -o inner.md
    ;;
force)
    # A dump marked as unclean, and the mark taken away: the copy then has no bits of its own.
    run_mdtool export copy.img --stacked --force -o inner.md
    sed -i '/^This_is_an_unclean_meta_data_dump/d' "$scenario_dir/inner.md"
    copy_kib=0
    sync_kib=4096
    ;;
*) die "LAB_EXPORT is '$LAB_EXPORT', expected apply-al or force" ;;
esac
check_untouched
arrive DUMP=inner.md "$scenario_dir/inner.md" --
check "restore-md (drbdmeta)" "exit status $(fact restore-md)" "exit status 0"
