#!/usr/bin/env python3
"""Turns a sparse image into a list of its sectors that are not zero, and back.

    blocks.py [--comment TEXT]... IMAGE > NAME.blocks
    blocks.py --unpack NAME.blocks IMAGE

The form is described in testdata/README.md. Only Python's own library is needed.
"""

import argparse
import errno
import os
import sys

SECTOR = 512
LINE = 4096
STEP = 1 << 20


def data_ranges(fd, size):
    """The stretches of a file that are not holes."""
    at = 0
    while at < size:
        try:
            start = os.lseek(fd, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return
            raise
        at = os.lseek(fd, start, os.SEEK_HOLE)
        yield start, at


def sectors(fd, size):
    """Every sector that is not zero, first to last, with its position."""
    done = 0
    for start, end in data_ranges(fd, size):
        at = max(done, start - start % SECTOR)
        while at < end:
            piece = os.pread(fd, STEP, at)
            if not piece:
                return
            for i in range(0, len(piece), SECTOR):
                sector = piece[i : i + SECTOR]
                if any(sector):
                    yield at + i, sector
            at += len(piece)
        done = at


def runs(fd, size):
    """Sectors that follow each other, joined to runs of at most LINE bytes."""
    start, run = 0, b""
    for at, sector in sectors(fd, size):
        if run and (at != start + len(run) or len(run) + len(sector) > LINE):
            yield start, run
            run = b""
        if not run:
            start = at
        run += sector
    if run:
        yield start, run


def pack(image, comments, out):
    fd = os.open(image, os.O_RDONLY)
    try:
        size = os.lseek(fd, 0, os.SEEK_END)
        for comment in comments:
            out.write(f"# {comment}\n")
        out.write(f"size {size}\n")
        for at, run in runs(fd, size):
            out.write(f"{at} {run.rstrip(bytes(1)).hex()}\n")
    finally:
        os.close(fd)


def unpack(blocks, image):
    with open(blocks, encoding="ascii") as lines, open(image, "xb") as out:
        for line in lines:
            if line.startswith("#"):
                continue
            word, value = line.split()
            if word == "size":
                out.truncate(int(value))
            else:
                out.seek(int(word))
                out.write(bytes.fromhex(value))


def main():
    parser = argparse.ArgumentParser(description="Images as lists of sectors, and back.")
    parser.add_argument("--comment", action="append", default=[], help="a line to begin with")
    parser.add_argument("--unpack", metavar="BLOCKS", help="make IMAGE, which must not exist, from this list")
    parser.add_argument("image", metavar="IMAGE")
    args = parser.parse_args()
    if args.unpack:
        unpack(args.unpack, args.image)
    else:
        pack(args.image, args.comment, sys.stdout)


if __name__ == "__main__":
    main()
