from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from phrasebox.errors import DataError, WorkspaceError
from phrasebox.pipeline.local import run
from phrasebox.types import Box, Caption, Example, GroundedCaption, Phrase, Regions, Skipped, TruePhrase
from phrasebox.workspace import schema as rows
from phrasebox.workspace.workspace import Workspace

ODD = 'it\'s "ü" 猫.jpg'
KEYS = ["b.jpg", ODD, "a.jpg", "sub dir/c%.jpg"]


def example(key, split="train"):
    phrases = (
        TruePhrase("a dog", (0, 5), (Box(1, 2, 3, 4), Box(5, 6, 7.5, 8)), ("animals", "other"), "12"),
        TruePhrase("grass", (13, 18), chain="0"),
    )
    captions = (Caption("a dog on the grass", phrases), Caption("二匹の犬"))
    return Example(key, Path("/pictures") / key, captions, split, (Box(0, 0, 9, 9),), (500, 375))


def regions(key, count=3, dim=5, seed=0):
    rng = np.random.default_rng([seed, *key.encode()])
    corner = rng.random((count, 2)).astype(np.float32)
    return Regions(
        np.concatenate([corner, corner + 1], axis=1),
        rng.random(count).astype(np.float32),
        64,
        48,
        rng.standard_normal((count, dim)).astype(np.float16),
        key,
        rng.random(count).astype(np.float32),
    )


@pytest.fixture
def ws(tmp_path):
    """A workspace with four images, the last of them in the test split."""
    made = Workspace.create(tmp_path / "ws")
    examples = [example(key, "test" if key == KEYS[-1] else "train") for key in KEYS]
    made.append_images(examples, [(64, 48)] * len(examples))
    made.append_truth(examples)
    return made


def same(left, right):
    assert (left.key, left.width, left.height) == (right.key, right.width, right.height)
    for name in ("boxes", "scores", "vectors", "straddling"):
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name))
        assert getattr(getattr(left, name), "dtype", None) == getattr(getattr(right, name), "dtype", None)


def flat(batches):
    return [item for batch in batches for item in batch]


# The folder


def test_create_opens_what_is_there(ws):
    assert Workspace.create(ws.path).keys("images") == set(KEYS)


def test_open_refuses_what_is_no_workspace(tmp_path):
    with pytest.raises(WorkspaceError, match=r"is not a workspace; make one with: phrasebox import SOURCE"):
        Workspace(tmp_path)


def test_create_refuses_a_file_and_a_folder_with_other_things(tmp_path):
    (tmp_path / "thesis.tex").touch()
    for path, reason in ((tmp_path, "not empty"), (tmp_path / "thesis.tex", "is a file")):
        with pytest.raises(WorkspaceError, match=reason):
            Workspace.create(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.tex"]


def test_create_goes_on_after_it_was_cut_short(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "manifest.json.new").write_text('{"for')
    assert Workspace.create(tmp_path).count("images") == 0


@pytest.mark.parametrize(
    ("text", "reason"),
    [('{"format": 1', "damaged"), ('{"format": 99, "stages": {}}', "update phrasebox")],
)
def test_unreadable_manifest(ws, text, reason):
    (ws.path / "manifest.json").write_text(text)
    with pytest.raises(WorkspaceError, match=reason):
        Workspace(ws.path)


def test_lock_keeps_others_out_and_ends(ws):
    with ws.lock(), pytest.raises(WorkspaceError, match="another phrasebox command"), Workspace(ws.path).lock():
        pass
    with Workspace(ws.path).lock():
        pass


# What goes in comes out


def test_images_round_trip(ws):
    rows = flat(ws.images(batch=3))
    assert [row.key for row in rows] == KEYS
    row = rows[1]
    assert (row.split, row.path, row.width, row.height) == ("train", Path("/pictures") / ODD, 64, 48)
    assert row.captions == ("a dog on the grass", "二匹の犬")
    assert row.given == (Box(0, 0, 9, 9),)


def test_truth_round_trip(ws):
    assert list(ws.truth("train", batch=2)) == [example(key) for key in KEYS[:3]]


def test_truth_is_only_kept_where_there_are_phrases(ws):
    plain = Example("plain.jpg", Path("plain.jpg"), (Caption("a cat"),))
    ws.append_truth([plain])
    assert ws.keys("truth") == set(KEYS)


def test_regions_round_trip_in_import_order(ws):
    made = {key: regions(key, count=i + 1) for i, key in enumerate(KEYS)}
    ws.append_regions([made[KEYS[2]], made[KEYS[0]]])
    ws.append_regions([made[KEYS[3]], made[KEYS[1]]])
    for batch in (1, 3, 64):
        read = flat(ws.regions(batch=batch))
        assert [one.key for one in read] == KEYS
        for one in read:
            same(one, made[one.key])


def test_what_is_not_known_of_some_boxes_stays_unknown(ws):
    made = {key: regions(key, count=i + 2) for i, key in enumerate(KEYS)}
    for key in (KEYS[0], KEYS[2]):
        made[key] = replace(made[key], straddling=None)
    ws.append_regions([made[key] for key in KEYS])
    for batch in (1, 3, 64):
        read = flat(ws.regions(batch=batch))
        assert [one.straddling is None for one in read] == [True, False, True, False]
        for one in read:
            same(one, made[one.key])
    np.testing.assert_array_equal(ws.region_reader().read([1])[0].straddling, made[KEYS[1]].straddling)


def test_a_table_of_an_older_version_is_read_and_added_to(ws):
    made = [regions(key) for key in KEYS]
    ws._tables.append("regions", rows.regions_to_rows(made[:2]).drop_columns(["closed"]))
    ws.append_regions(made[2:])
    ws.optimize()
    for one, old in zip(flat(ws.regions()), made, strict=True):
        assert one.straddling is None
        same(replace(one, straddling=old.straddling), old)
    ws.drop("regions")
    ws.append_regions(made)  # made anew, it tells
    for one, old in zip(flat(ws.regions()), made, strict=True):
        same(one, old)


def test_regions_without_vectors_are_refused(ws):
    bare = Regions(np.array([[0, 0, 1, 1]], np.float32), np.ones(1, np.float32), 4, 4, key="b.jpg")
    with pytest.raises(DataError, match=r"regions of b\.jpg need a key and vectors"):
        ws.append_regions([bare])


def test_vectors_of_another_width_are_refused(ws):
    with pytest.raises(DataError, match=r"vectors of a\.jpg"):
        ws.append_regions([regions("b.jpg", dim=5), regions("a.jpg", dim=6)])
    ws.append_regions([regions("b.jpg", dim=5)])
    with pytest.raises(WorkspaceError, match="--fresh"):
        ws.append_regions([regions("a.jpg", dim=6)])


def phrase(text, start, **more):
    return Phrase(text, (start, start + len(text)), Box(0, 0, 8, 4), 0.5, 0.25, **more)


def test_grounded_round_trip(ws):
    first = (
        GroundedCaption("a dog on the grass", (phrase("a dog", 0, region=3), phrase("grass", 13, whole_image=True))),
        GroundedCaption("二匹の犬"),
    )
    nothing = tuple(GroundedCaption(caption.text) for caption in first)
    ws.append_phrases({KEYS[2]: nothing, ODD: first})
    ws.append_phrases({KEYS[3]: nothing})
    read = list(ws.grounded("train", batch=1))
    assert [(image.key, image.captions) for image in read] == [(ODD, first), (KEYS[2], nothing)]
    assert (read[0].image, read[0].split, read[0].width, read[0].height) == (Path("/pictures") / ODD, "train", 64, 48)


def test_several_boxes_of_a_phrase_are_a_row_each_and_one_phrase(ws):
    dogs = phrase("a dog", 0, region=2, further=(Box(9, 0, 12, 4), Box(20, 0, 30, 9)))
    captions = (GroundedCaption("a dog on the grass", (dogs, phrase("grass", 13))), GroundedCaption("二匹の犬"))
    ws.append_phrases({ODD: captions})
    ((image,),) = [list(ws.grounded("train"))]
    assert image.captions == captions
    rows = [row for part in ws.phrases() for row in part.to_pylist()]
    assert ws.count("phrases") == len(rows) == 4
    assert [(row["start"], row["x1"], row["region"]) for row in rows] == [
        (0, 0, 2),
        (0, 9, -1),
        (0, 20, -1),
        (13, 0, -1),
    ]
    assert len({row["id"] for row in rows}) == 4


def test_a_caption_that_gave_nothing_is_done_but_no_pair(ws):
    ws.append_phrases({ODD: (GroundedCaption("a dog", (phrase("a dog", 0),)), GroundedCaption("nothing"))})
    ws.append_phrases({"b.jpg": ()})
    assert ws.keys("phrases") == {ODD, "b.jpg"}
    assert ws.count("phrases") == ws.count("phrases", "train") == 1
    (row,) = pa.Table.from_batches(ws.phrases()).to_pylist()
    assert (row["id"], row["text"], row["caption"]) == (f"{ODD}#0#0-5", "a dog", 0)


def test_size_of_an_image_unknown_at_import_is_that_of_its_regions(tmp_path):
    ws = Workspace.create(tmp_path / "ws")
    ws.append_images([example("later.jpg")], [(0, 0)])
    ws.append_regions([regions("later.jpg")])
    ws.append_phrases({"later.jpg": (GroundedCaption("a"), GroundedCaption("b"))})
    (image,) = ws.grounded()
    assert (image.width, image.height) == (64, 48)


def test_an_empty_workspace_reads_as_nothing(tmp_path):
    ws = Workspace.create(tmp_path / "ws")
    ws.optimize()
    assert not [*ws.images(), *ws.truth(), *ws.regions(), *ws.grounded(), *ws.phrases(), *ws.skipped("import")]
    assert ws.pending("regions", "regions") == []
    assert ws.count("images") == 0


# Selecting


@pytest.mark.parametrize(
    ("split", "keys", "expected"),
    [
        pytest.param(None, None, KEYS, id="all"),
        pytest.param("test", None, KEYS[3:], id="a split"),
        pytest.param("val", None, [], id="an empty split"),
        pytest.param(None, ["a.jpg", ODD], ["a.jpg", ODD], id="keys in the order given"),
        pytest.param("train", [KEYS[3], ODD], [ODD], id="keys of a split"),
        pytest.param(None, ["' OR 1=1 --", "b.jpg", "b.jpg"], ["b.jpg"], id="an unknown key, and one twice"),
        pytest.param(None, [], [], id="no keys"),
    ],
)
def test_selection(ws, split, keys, expected):
    ws.append_regions([regions(key) for key in KEYS])
    assert [row.key for row in flat(ws.images(split, keys))] == expected
    assert [one.key for one in flat(ws.regions(split, keys))] == expected


def test_pending_leaves_out_what_is_done_and_what_that_stage_skipped(ws):
    ws.append_regions([regions(ODD)])
    ws.append_skipped([Skipped("b.jpg", "the file is empty")], "regions")
    assert ws.pending("regions", "regions") == ["a.jpg", KEYS[3]]
    assert ws.pending("regions", "regions", "test") == [KEYS[3]]
    assert ws.pending("phrases", "ground") == KEYS


def test_keys_and_count_of_a_split(ws):
    ws.append_regions([regions(ODD), regions(KEYS[3])])
    assert ws.keys("regions") == {ODD, KEYS[3]}
    assert ws.keys("regions", "train") == {ODD}
    assert (ws.count("regions"), ws.count("regions", "train"), ws.count("images", "train")) == (2, 1, 3)


def test_the_same_skipped_item_is_kept_once(ws):
    item = Skipped(ODD, 'it\'s "broken"')
    ws.append_skipped([item, item], "import")
    ws.append_skipped([item, Skipped("x", "y")], "import")
    ws.append_skipped([item], "regions")
    assert ws.skipped("import") == [item, Skipped("x", "y")]
    assert ws.count("skipped") == 3


def test_optimize_changes_nothing_but_the_pieces(ws):
    made = [regions(key) for key in KEYS]
    for one in made:
        ws.append_regions([one])
    before = len(list((ws.path / "db" / "regions.lance" / "data").iterdir()))
    ws.optimize()
    assert len(list((ws.path / "db" / "regions.lance" / "data").iterdir())) < before
    for left, right in zip(flat(ws.regions()), made, strict=True):
        same(left, right)


# Settings


def test_claim_records_and_resumes(ws):
    ws.claim("regions", {"top": 19, "backbone": "lite2", "sizes": (1, 2)})
    Workspace(ws.path).claim("regions", {"backbone": "lite2", "top": 19, "sizes": (1, 2)})
    assert ws.stages == {"regions": {"top": 19, "backbone": "lite2", "sizes": [1, 2]}}
    assert set(json.loads((ws.path / "manifest.json").read_text())) == {"format", "version", "created", "stages"}


def test_claim_names_what_differs_and_the_remedy(ws):
    ws.claim("regions", {"top": 19, "backbone": "lite2"})
    with pytest.raises(WorkspaceError, match=r"top=19 \(now 32\).*--fresh") as caught:
        ws.claim("regions", {"top": 32, "backbone": "lite2"})
    assert "backbone" not in str(caught.value)
    assert ws.stages["regions"]["top"] == 19


def test_fresh_makes_a_stage_and_what_follows_anew(ws):
    ws.claim("import", {"source": "x"})
    ws.claim("regions", {"top": 19})
    ws.claim("ground", {"beta": 0.1})
    ws.append_regions([regions(ODD)])
    ws.append_phrases({ODD: (GroundedCaption("a dog"),)})
    ws.append_skipped([Skipped("b.jpg", "empty")], "regions")
    ws.append_skipped([Skipped("b.jpg", "empty")], "import")
    ws.claim("regions", {"top": 32}, fresh=True)
    assert ws.stages == {"import": {"source": "x"}, "regions": {"top": 32}}
    assert ws.pending("regions", "regions") == ws.pending("phrases", "ground") == KEYS
    assert ws.skipped("import")
    ws.append_regions([regions(ODD, dim=7)])  # vectors of another width are welcome now
    assert flat(ws.regions())[0].vectors.shape == (3, 7)


# Stops at any moment


def test_a_table_whose_making_was_cut_short_counts_as_none(ws):
    (ws.path / "db" / "regions.lance" / "data").mkdir(parents=True)
    (ws.path / "db" / "regions.lance" / "data" / "half.lance").write_bytes(b"LANC")
    assert ws.pending("regions", "regions") == KEYS
    ws.append_regions([regions(ODD)])
    assert ws.keys("regions") == {ODD}


def test_a_drop_that_was_cut_short_is_finished_later(ws):
    ws.append_regions([regions(ODD)])
    (ws.path / "db" / "regions.dropped" / "data").mkdir(parents=True)
    assert ws.keys("regions") == {ODD}
    ws.drop("regions")
    ws.drop("regions")
    assert ws.keys("regions") == set()
    assert not (ws.path / "db" / "regions.dropped").exists()


@dataclass(frozen=True)
class Key:
    key: str


def make_regions(ws, keys, die_at=None, how="kill"):
    """A small bulk job; with ``die_at`` the process dies when it comes to that image."""

    def mapper(batch):
        if die_at in batch:
            import os

            os._exit(9) if how == "exit" else os.kill(os.getpid(), signal.SIGKILL)
        return [regions(key) for key in batch]

    run([Key(key) for key in keys], mapper, ws.append_regions, batch=2, prefetch=lambda item: item.key)


@pytest.mark.parametrize("how", ["exit", "kill"])
def test_a_killed_job_goes_on_to_the_same_rows(tmp_path, how):
    keys = [f"{i}'s.jpg" for i in range(9)]
    whole, killed = (Workspace.create(tmp_path / name) for name in ("whole", "killed"))
    for ws in (whole, killed):
        ws.append_images([example(key) for key in keys], [(64, 48)] * len(keys))
    make_regions(whole, keys)

    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import test_workspace as t\n"
        "ws = t.Workspace(sys.argv[2])\n"
        "with ws.lock():\n"
        "    t.make_regions(ws, ws.pending('regions', 'regions'), sys.argv[3], sys.argv[4])\n"
    )
    arguments = [str(Path(__file__).parent), str(killed.path), keys[5], how]
    died = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, check=False, text=True)
    assert died.returncode == (9 if how == "exit" else -signal.SIGKILL), died.stderr

    assert killed.pending("regions", "regions") == keys[4:]
    with killed.lock():  # the dead process holds it no more
        make_regions(killed, killed.pending("regions", "regions"))
    assert killed.count("regions") == len(keys)
    for left, right in zip(flat(killed.regions()), flat(whole.regions()), strict=True):
        same(left, right)
