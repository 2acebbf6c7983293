from __future__ import annotations

import json

import numpy as np
import pytest
from small_images import add_images, make_aligner, regions_of

from phrasebox.errors import MissingExtraError, SettingsError, WorkspaceError
from phrasebox.search import Searcher, build_index, lance_index, qdrant
from phrasebox.search.scorer import Query
from phrasebox.search.store import Store

SENTENCES = ("a dog catching a red ball", "snow", "two children and a man on a hill ride bicycles")
INDEXED = ("lancedb", "qdrant")


def found(ws, aligner, backend, **options):
    searcher = Searcher.open(ws, aligner, backend, **options)
    try:
        return [[(hit.key, hit.score) for hit in searcher.sentence(s)] for s in SENTENCES] + [
            [(hit.key, hit.score) for hit in searcher.region("red ball")],
            [(hit.key, hit.score) for hit in searcher.like(regions_of(11)).images],
        ]
    finally:
        searcher.close()


@pytest.mark.parametrize("backend", INDEXED)
@pytest.mark.parametrize("kind", ["aligner", "paper"])
def test_all_back_ends_find_the_same_where_they_look_at_all(ws, request, backend, kind):
    model = request.getfixturevalue(kind)
    report = build_index(ws, model, backend)
    assert (report.images, report.queries) == (40, 40)
    assert 0.9 <= report.recall <= 1
    assert found(ws, model, backend, all_of_it=True) == found(ws, model, "exact")


@pytest.mark.parametrize("backend", INDEXED)
def test_new_images_are_found_before_and_after_they_are_indexed(ws, aligner, backend):
    build_index(ws, aligner, backend)
    add_images(ws, range(40, 60))
    expected = found(ws, aligner, "exact")
    assert any(key >= "image 040" for hits in expected for key, _ in hits)
    assert found(ws, aligner, backend, all_of_it=True) == expected
    searcher = Searcher.open(ws, aligner, backend)
    assert searcher.backend.covered.unindexed > 0
    searcher.close()
    build_index(ws, aligner, backend)
    searcher = Searcher.open(ws, aligner, backend)
    assert searcher.backend.covered.unindexed == 0
    searcher.close()
    assert found(ws, aligner, backend, all_of_it=True) == expected


@pytest.mark.parametrize("backend", INDEXED)
def test_an_index_that_was_stopped_is_gone_on_with(ws, aligner, backend, monkeypatch):
    """Stopped when the rows of a shard are written, and not yet that they are."""
    monkeypatch.setattr("phrasebox.search.vector_files.FULL", 40)
    module = {"lancedb": lance_index, "qdrant": qdrant}[backend]
    real, calls = module.write_json, []

    def write(path, value):
        calls.append(value)
        if len(calls) == 3:
            raise KeyboardInterrupt
        real(path, value)

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_json", write)
        with pytest.raises(KeyboardInterrupt):
            build_index(ws, aligner, backend)
    expected = found(ws, aligner, "exact")
    assert found(ws, aligner, backend, all_of_it=True) == expected
    report = build_index(ws, aligner, backend)
    assert report.images == 40
    assert found(ws, aligner, backend, all_of_it=True) == expected
    if backend == "lancedb":
        searcher = Searcher.open(ws, aligner, backend)
        assert searcher.backend._table.count_rows() == searcher.images.vectors


@pytest.mark.parametrize("backend", INDEXED)
def test_an_index_is_missing_of_another_model_or_damaged(ws, aligner, backend):
    with pytest.raises(WorkspaceError, match=rf"is missing; run: phrasebox index .* --backend {backend}"):
        Searcher.open(ws, aligner, backend)
    build_index(ws, aligner, backend)
    with pytest.raises(WorkspaceError, match="was made with another model; run: phrasebox index"):
        Searcher.open(ws, make_aligner(1), backend)
    (Store(ws, aligner).folder / backend / "index.json").write_text("{")
    with pytest.raises(WorkspaceError, match="damaged; rebuild the index with --fresh"):
        Searcher.open(ws, aligner, backend)
    build_index(ws, aligner, backend, fresh=True)
    assert found(ws, aligner, backend, all_of_it=True) == found(ws, aligner, "exact")


def test_lists_are_made_where_there_are_many_regions(ws, aligner, monkeypatch):
    monkeypatch.setattr(lance_index, "_LEAST", 50)
    monkeypatch.setattr(lance_index, "_ROWS_OF_A_LIST", 20)
    report = build_index(ws, aligner)
    about = json.loads((Store(ws, aligner).folder / "lancedb" / "index.json").read_text())
    assert about["lists"] == Searcher.open(ws, aligner).images.vectors // 20
    assert report.recall > 0.8
    searcher = Searcher.open(ws, aligner, "lancedb")
    assert searcher.backend._table.index_stats("vector_idx").num_unindexed_rows == 0


def test_a_query_that_points_several_ways_is_looked_up_several_times(ws, aligner):
    build_index(ws, aligner)
    index = Searcher.open(ws, aligner, "lancedb").backend
    words = np.eye(16, dtype=np.float32)
    many = Query(words[:6], 1 / 6, 0.0)
    one = Query(words[:1] + 0.01 * words[1:4], 1 / 3, 0.0)
    assert len(list(index._directions(many))) == 4
    assert len(list(index._directions(one))) == 1


@pytest.mark.parametrize(("backend", "reason"), [("faiss", "exact, lancedb, qdrant"), ("exact", "has no index")])
def test_what_has_no_index_is_told(ws, aligner, backend, reason):
    with pytest.raises(SettingsError, match=reason):
        build_index(ws, aligner, backend)


def test_a_server_keeps_the_collection_and_is_named_when_it_does_not_answer(ws, aligner, monkeypatch):
    import qdrant_client

    server, asked = qdrant_client.QdrantClient(":memory:"), []
    monkeypatch.setattr(server, "close", lambda: None)

    def connect(url=None, api_key=None, **options):
        asked.append((url, api_key))
        return server

    with monkeypatch.context() as patch:
        patch.setattr(qdrant_client, "QdrantClient", connect)
        patch.setenv(qdrant.KEY, "a key")
        build_index(ws, aligner, "qdrant", "http://one:6333")
        expected = found(ws, aligner, "exact")
        assert found(ws, aligner, "qdrant", url="http://one:6333", all_of_it=True) == expected
        assert set(asked) == {("http://one:6333", "a key")}
        assert len(server.get_collections().collections) == 1
        with pytest.raises(WorkspaceError, match="give the --url it was built with"):
            Searcher.open(ws, aligner, "qdrant")
        build_index(ws, aligner, "qdrant", "http://one:6333", fresh=True)
        assert len(server.get_collections().collections) == 1
    with pytest.raises(WorkspaceError, match=r"Qdrant at http://127.0.0.1:9 failed.*is it running") as told:
        build_index(ws, make_aligner(1), "qdrant", "http://127.0.0.1:9")
    assert "\n" not in str(told.value)


def test_a_missing_client_is_named(ws, aligner, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "qdrant_client", None)
    with pytest.raises(MissingExtraError, match=r"phrasebox\[qdrant\]"):
        build_index(ws, aligner, "qdrant")


def test_the_command_prints_the_recall(ws, aligner, call, monkeypatch):
    monkeypatch.setattr("phrasebox.aligner.Aligner.for_workspace", lambda *args: aligner)
    told = call("index", ws.path, "--json")
    assert (told.code, json.loads(told.out)["images"]) == (0, 40)
    assert json.loads(told.out)["recall"] > 0.9
    assert "of the first ten of an exact search it finds" in call("index", ws.path).out
    assert call("index", ws.path, "--backend", "exact").code == 1
