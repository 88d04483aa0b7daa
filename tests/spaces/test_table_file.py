"""The container of a table: what was written, or a clear error; never half of it."""

import errno
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from spaces.errors import UserError
from spaces.table import NotATable, TableDamaged, TableMissing, TableNotWritten, TableTooNew, file

DTYPES = st.sampled_from(["u1", "u2", "u4", "u8", "i4", "f4", ">u2"])
SHAPES = arrays.array_shapes(min_dims=1, max_dims=3, max_side=7)
ARRAYS = DTYPES.flatmap(
    lambda kind: arrays.arrays(kind, SHAPES, elements=None if kind != "f4" else st.floats(0, 1e3, width=32))
)
quick = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)


def parts(*values):
    return [file.Part(f"c{n}", value, {"status": "measured", "n": n}) for n, value in enumerate(values)]


def small(path, scale=1):
    file.write(path, {"name": "ü", "scale": scale}, parts(np.arange(300, dtype="u4") * scale, np.ones((3, 5), "f4")))
    return path


@quick
@given(st.lists(ARRAYS, min_size=1, max_size=4), st.dictionaries(st.text(max_size=5), st.integers() | st.text()))
def test_what_is_read_is_what_was_written(tmp_path, values, header):
    header.pop("columns", None)
    path = tmp_path / "t"
    file.write(path, header, parts(*values))
    opened = file.read(path, verify=True)
    assert opened.header == header
    assert opened.bytes == path.stat().st_size
    assert list(opened.parts) == [f"c{n}" for n in range(len(values))]
    for n, value in enumerate(values):
        found = opened.parts[f"c{n}"]
        assert found.array.dtype == value.dtype.newbyteorder("<") and found.array.shape == value.shape
        assert (found.array == value).all()
        assert not found.array.flags.writeable
        assert found.about["n"] == n and found.about["status"] == "measured"


def test_layout(tmp_path):
    content = small(tmp_path / "t").read_bytes()
    assert content[:8] == b"\x93NASTBL\n"
    version, length = np.frombuffer(content, "<u4", 2, 8)
    assert version == 1
    header = json.loads(content[16 : 16 + length])
    assert hashlib.sha256(content[: 16 + length]).digest() == content[16 + length :][:32]
    start = -(-(48 + int(length)) // 64) * 64
    for column in header["columns"]:
        values = np.frombuffer(content, column["dtype"], np.prod(column["shape"]), start + column["offset"])
        assert (start + column["offset"]) % 64 == 0
        assert hashlib.sha256(values.tobytes()).hexdigest() == column["sha256"]
    assert start + column["offset"] + values.nbytes == len(content)


@settings(quick, max_examples=200)
@given(st.integers(0, 10**6), st.integers(1, 255))
def test_an_altered_byte_is_noticed_or_does_no_harm(tmp_path, place, change):
    path = small(tmp_path / "t")
    good = file.read(path)
    content = bytearray(path.read_bytes())
    place %= len(content)
    content[place] ^= change
    path.write_bytes(content)
    try:
        found = file.read(path)
    except UserError:
        return
    assert content[place] == change  # it was one of the zeros between columns
    assert found.header == good.header
    for name, part in good.parts.items():
        assert (found.parts[name].array == part.array).all()


def test_every_cut_is_noticed(tmp_path):
    path = small(tmp_path / "t")
    content = path.read_bytes()
    for size in [*range(120), *range(120, len(content), 7), len(content) - 1]:
        path.write_bytes(content[:size])
        with pytest.raises((TableDamaged, NotATable)):
            file.read(path)
    path.write_bytes(content + b"\0")
    with pytest.raises(TableDamaged, match=r"it has [\d,]+ bytes instead of"):
        file.read(path)


def test_large_files_are_compared_with_their_digests_when_asked(tmp_path):
    path = tmp_path / "t"
    file.write(path, {}, parts(np.zeros(file.ALWAYS_VERIFIED, "u1")))
    with path.open("r+b") as opened:
        opened.seek(-5, os.SEEK_END)
        opened.write(b"\1")
    assert file.read(path).parts["c0"].array.sum() == 1
    with pytest.raises(TableDamaged, match=r"column 'c0' is altered, so it is not what was written\nMake it again"):
        file.read(path, verify=True)


def test_a_newer_version_is_not_damage(tmp_path):
    content = bytearray(small(tmp_path / "t").read_bytes())
    length = int.from_bytes(content[12:16], "little")
    content[8] = 2
    (tmp_path / "t").write_bytes(content)
    with pytest.raises(TableDamaged, match="header"):
        file.read(tmp_path / "t")
    content[16 + length : 48 + length] = hashlib.sha256(content[: 16 + length]).digest()
    (tmp_path / "t").write_bytes(content)
    with pytest.raises(TableTooNew, match=r"made by a newer version \(format 2; this one reads up to 1\)\nUpgrade"):
        file.read(tmp_path / "t")


def test_other_things(tmp_path):
    with pytest.raises(TableMissing, match=r"none: no such file\nMake it with `asha-nas table convert`"):
        file.read(tmp_path / "none")
    with pytest.raises(NotATable):
        file.read(tmp_path)
    for content in (b"", b"x", b"PK\3\4" * 100, b"\0" * 1000):
        (tmp_path / "t").write_bytes(content)
        with pytest.raises(NotATable, match=r"is not a table \(\.nastable\)"):
            file.read(tmp_path / "t")


def nothing_changed(folder, old):
    assert [path.name for path in folder.iterdir()] == ["t"]
    assert (folder / "t").read_bytes() == old
    return True


@pytest.mark.parametrize("place", ["write", "late write", "fsync", "rename"])
def test_a_full_disk_leaves_the_old_table(tmp_path, monkeypatch, place):
    old = small(tmp_path / "t").read_bytes()
    written = []

    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def half(opened, block):
        if written:
            opened.write(block[: len(block) // 2])
            full()
        written.append(opened.write(block))

    where = {"write": (file, "_write_block"), "late write": (file, "_write_block"), "fsync": (os, "fsync")}
    monkeypatch.setattr(*where.get(place, (Path, "replace")), half if place == "late write" else full)
    with pytest.raises(
        TableNotWritten, match=r"could not be written \(No space left on device\); what was there is as before"
    ):
        small(tmp_path / "t", 2)
    monkeypatch.undo()
    assert nothing_changed(tmp_path, old)
    assert file.read(tmp_path / "t").header["scale"] == 1


def test_an_interruption_leaves_the_old_table(tmp_path, monkeypatch):
    old = small(tmp_path / "t").read_bytes()
    monkeypatch.setattr(file, "_write_block", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        small(tmp_path / "t", 2)
    assert nothing_changed(tmp_path, old)


LIMITED = """
import pathlib, resource, signal, sys
import numpy as np
from spaces.table import TableNotWritten, file
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    file.write(pathlib.Path(sys.argv[1]), {}, [file.Part("c", np.zeros(100_000, "u1"))])
except TableNotWritten as error:
    print(error)
"""


def test_a_file_that_may_not_grow_leaves_the_old_table(tmp_path):
    old = small(tmp_path / "t").read_bytes()
    done = subprocess.run([sys.executable, "-c", LIMITED, tmp_path / "t"], capture_output=True, text=True, check=True)
    assert "File too large" in done.stdout, done
    assert nothing_changed(tmp_path, old)


def test_a_disk_that_is_full_leaves_the_old_table(tmp_path):
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("may not mount a small tmpfs here")
    try:
        old = small(tmp_path / "t").read_bytes()
        with pytest.raises(TableNotWritten, match="No space left"):
            file.write(tmp_path / "t", {}, parts(np.zeros(100_000, "u1")))
        assert nothing_changed(tmp_path, old)
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_folders_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(TableNotWritten):
        small(tmp_path / "file" / "t")
    (tmp_path / "folder" / "inside").mkdir(parents=True)
    with pytest.raises(TableNotWritten, match="directory"):
        small(tmp_path / "folder")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_writing_makes_folders_and_leaves_permissions_to_the_umask(tmp_path):
    before = os.umask(0o022)
    try:
        small(tmp_path / "a" / "b" / "t")
    finally:
        os.umask(before)
    assert (tmp_path / "a" / "b" / "t").stat().st_mode & 0o777 == 0o644
