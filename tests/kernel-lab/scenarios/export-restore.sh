# The inner resource's metadata as a dump, restored by drbdmeta at the end of the larger disk.

take_truck
case ${LAB_EXPORT:-apply-al} in
apply-al)
    "$mdtool" export "$scenario_dir/copy.img" --stacked --apply-al -o "$scenario_dir/inner.md"
    ;;
force) # A dump that mdtool marked as unclean, and the mark taken away: the log's extents are lost.
    "$mdtool" export "$scenario_dir/copy.img" --stacked --force -o "$scenario_dir/inner.md"
    sed -i '/^This_is_an_unclean_meta_data_dump/d' "$scenario_dir/inner.md"
    ;;
esac
row "mdtool export" "$(grep -c . "$scenario_dir/inner.md") lines"
arrive DUMP=inner.md "$scenario_dir/inner.md" --
check "restore-md (drbdmeta)" "exit status $(fact restore-md)" "exit status 0"
