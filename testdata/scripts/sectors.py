#!/usr/bin/env python3
"""Turns a sparse image into a `.sectors` file: sectors.py IMAGE FILE [FIRST-END ...] leaves out those ranges of sectors.

A record for each sector that is not zero: its number (be32), a length (be16), so many bytes; zeros at its end are left out.
Free inodes of XFS are left out, too: what is there means nothing.
"""

import os
import struct
import sys


def main():
    source, target = sys.argv[1:3]
    left_out = [tuple(map(int, text.split("-"))) for text in sys.argv[3:]]
    image = os.open(source, os.O_RDONLY)
    size = os.fstat(image).st_size
    records = b""
    position = 0
    while position < size:
        try:
            position = os.lseek(image, position, os.SEEK_DATA)
        except OSError:
            break
        end = os.lseek(image, position, os.SEEK_HOLE)
        position = position // 512 * 512
        while position < end:
            number = position // 512
            sector = os.pread(image, 512, position).rstrip(b"\0")
            wanted = not any(first <= number < end for first, end in left_out)
            if sector and wanted and sector[:4] != b"IN\0\0":
                records += struct.pack(">IH", number, len(sector)) + sector
            position += 512
    with open(target, "wb") as out:
        out.write(records)


main()
