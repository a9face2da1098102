"""Damaged files of every kind, read in a process of their own: none ends it, none raises more than one line."""

import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import damaged_images
from sample_images import save_deep_png
from util.errors import WorkError
from util.image_io.reading import open_rgb, read_image


def test_no_damage_ends_the_process(tmp_path):
    project = Path(__file__).parents[3]
    command = [sys.executable, "-W", "ignore", damaged_images.__file__, tmp_path, "0", "12"]
    path = os.pathsep.join([str(project), str(project / "tests")])
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]  # the last file is the one that did it
    assert done.stdout == ""


def compressed_png(width, height, rows):
    """A PNG of 16-bit colours with any bytes for rows; all of its sums are right."""
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    parts = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("rows", [b"", b"\0" * 20, b"\0" * 60, b"\7" * 62, b"\xff" * 200], ids=len)
def test_deep_pngs_whose_rows_are_not_those_of_their_header(tmp_path, rows):
    (tmp_path / "a.png").write_bytes(compressed_png(5, 2, rows))  # 2 * (1 + 5 * 6) bytes
    for read in (read_image, open_rgb):
        with pytest.raises(WorkError, match=r"a\.png: cannot read this image"):
            read(tmp_path / "a.png")


def test_a_deep_png_with_far_too_few_rows_is_refused_before_it_is_decoded(tmp_path):
    (tmp_path / "a.png").write_bytes(compressed_png(5, 10**7, b"\0" * 31))  # one row
    with pytest.raises(WorkError, match=r"a\.png: .*bytes cannot hold 5x10000000 pixels"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("deep", [False, True])
def test_no_damage_to_the_pixels_of_a_png_goes_unseen(tmp_path, deep):
    values = np.random.default_rng(0).integers(0, 65536, (20, 30, 3), dtype=np.uint16)
    if deep:
        save_deep_png(tmp_path / "a.png", values)
    else:
        Image.fromarray((values >> 8).astype(np.uint8)).save(tmp_path / "a.png")
    whole = (tmp_path / "a.png").read_bytes()
    for place in range(37, len(whole) - 12, 17):  # between the chunks of the header and of the end
        (tmp_path / "a.png").write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        for read in (read_image, open_rgb):
            with pytest.raises(WorkError, match=r"a\.png: cannot read this image"):
                read(tmp_path / "a.png")
