"""Data that wait on disk; a full disk is one line."""

from __future__ import annotations

import pytest

from phrasebox.errors import DataError
from phrasebox.formats._disk_grouping import GroupedOnDisk, NamedValues, NumberedNames

FILL = {
    GroupedOnDisk: lambda kept: [kept.add(f"{i}.jpg", "a dog") for i in range(20_000)],
    NumberedNames: lambda kept: [kept.of(f"{i}.jpg") for i in range(20_000)],
    NamedValues: lambda kept: [kept.put(f"/photographs/{i}.jpg", f"{i}.jpg") for i in range(20_000)],
}


@pytest.mark.parametrize("kind", FILL)
def test_a_full_folder_for_temporary_files(kind):
    with kind() as kept:
        kept._db.execute("PRAGMA max_page_count = 20")
        with pytest.raises(DataError, match=r"^temporary files in .*is full; make room in it, or set TMPDIR"):
            FILL[kind](kept)


def test_the_disk_is_full_only_when_groups_are_sorted():
    with GroupedOnDisk() as kept:
        for i in range(5000):
            kept.add(f"{i % 100}.jpg", "a dog")
        kept._flush()
        (pages,) = kept._db.execute("PRAGMA page_count").fetchone()
        kept._db.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(DataError, match="set TMPDIR"):
            list(kept)
