from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from small_images import CAPTIONS, add_images, make_aligner, regions_of

from phrasebox.aligner.score import EXPLAINED, explained
from phrasebox.errors import DataError, ModelError, SettingsError, WorkspaceError
from phrasebox.grounding import heatmap
from phrasebox.search import Searcher
from phrasebox.search.store import Store
from phrasebox.workspace.workspace import Workspace

SENTENCE = "a dog catching a red ball"


@pytest.mark.parametrize("kind", ["aligner", "paper"])
def test_images_are_ranked_as_the_aligner_scores_them(ws, request, kind):
    model = request.getfixturevalue(kind)
    regions = [regions_of(n) for n in range(40)]
    ranked = model.score(regions, [SENTENCE], calibrated=True)[:, 0]
    plain = model.score(regions, [SENTENCE])[:, 0]
    hits = Searcher.open(ws, model).sentence(SENTENCE, 12)
    order = np.argsort(-ranked)[:12]
    assert [hit.key for hit in hits] == [regions[i].key for i in order]
    assert [hit.plain for hit in hits] == pytest.approx(plain[order].tolist(), rel=1e-4, abs=1e-4)
    assert np.diff([hit.score for hit in hits]) == pytest.approx(np.diff(ranked[order]), abs=1e-3)


def test_which_words_of_a_sentence_are_unknown(ws, aligner):
    searcher = Searcher.open(ws, replace(aligner, vocabulary=("dog", "a")))
    assert searcher.knows("A dog with the theorem") == [("dog", False), ("theorem", True)]


def test_words_say_which_box_they_found(ws, aligner):
    for hit in Searcher.open(ws, aligner).sentence(SENTENCE, 3):
        assert hit.box is None
        assert [SENTENCE[w.start : w.end] for w in hit.words] == [w.text for w in hit.words] == SENTENCE.split()
        regions = regions_of(int(hit.key.split()[1]))
        grounding = aligner.ground(regions, SENTENCE)
        assert [w.score for w in hit.words] == pytest.approx(grounding.scores.max(1).tolist(), abs=1e-4)
        best = grounding.scores.argmax(1)
        assert [tuple(w.box) for w in hit.words] == [tuple(regions.box(i)) for i in best]
        assert hit.plain == pytest.approx(np.mean([w.score for w in hit.words]), abs=1e-6)
        assert [(p.text, p.span) for p in hit.phrases] == [(p.text, p.span) for p in grounding.phrases]
        for found, true in zip(hit.phrases, grounding.phrases, strict=True):
            assert tuple(found.box) == pytest.approx(tuple(true.box), abs=0.05)


@pytest.mark.parametrize("kind", ["aligner", "paper"])
def test_boxes_are_ranked_by_all_words_together(ws, request, kind):
    model = request.getfixturevalue(kind)
    hits = Searcher.open(ws, model).region("red ball", 15)
    s, _ = model.embed_words(model.words.encode(["red ball"]))
    together = (s.mean(0) if model.model.settings.mean else s.sum(0)).numpy()
    best = {}
    for n in range(40):
        r = regions_of(n)
        v, mask = model.embed_regions([r])
        less = 0.35 * float(model.bank.image_prior(model.model, v, mask)) if model.bank else 0.0
        for i, score in enumerate((v[0].numpy() @ together - less).tolist()):
            best[r.key, tuple(r.box(i))] = score
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    for hit in hits:
        assert hit.score == pytest.approx(best[hit.key, tuple(hit.box)], abs=1e-4)
        assert {tuple(w.box) for w in hit.words} == {tuple(hit.box)}
    kept = {(hit.key, tuple(hit.box)) for hit in hits}
    for (key, box), score in best.items():  # whatever is better and not there shows what a better one does
        if score > hits[-1].score + 1e-4 and (key, box) not in kept:
            assert any(k == key and best[k, b] > score and _shared(b, box) > 0.5 for k, b in kept)


def test_phrases_are_those_of_the_stored_regions(ws, monkeypatch):
    # So that what is stored beside the vectors decides.
    monkeypatch.setattr(heatmap, "STRADDLING", replace(heatmap.STRADDLING, merit_power=1.0))
    aligner = make_aligner()
    with torch.no_grad():
        aligner.model.log_temperature.fill_(4.0)  # sharp enough for some box to be better than the frame
    stored = {r.key: r for batch in ws.regions() for r in batch}
    hits = Searcher.open(ws, aligner).sentence(SENTENCE, 12)
    regions = [stored[hit.key] for hit in hits]
    for hit, found in zip(hits, aligner.ground_many(regions, [SENTENCE] * 12), strict=True):
        assert [(p.text, p.region, p.whole_image) for p in hit.phrases] == [
            (p.text, p.region, p.whole_image) for p in found.phrases
        ]
        for one, other in zip(hit.phrases, found.phrases, strict=True):
            assert tuple(one.box) == pytest.approx(tuple(other.box), abs=0.05)
            assert one.score == pytest.approx(other.score, abs=1e-3)
    bare = [replace(r, straddling=None) for r in regions]
    without = aligner.ground_many(bare, [SENTENCE] * 12)
    here, there = (np.array([tuple(p.box) for one in found for p in one.phrases]) for found in (hits, without))
    assert np.abs(here - there).max() > 1


@pytest.mark.parametrize("anew", [False, True], ids=["gone", "others"])
def test_regions_that_are_no_longer_those_of_before(ws, aligner, anew):
    searcher = Searcher.open(ws, aligner)
    ws.claim("regions", {"another": "way"}, fresh=True)
    if anew:
        ws.append_regions([replace(regions_of(n + 1), key=f"image {n:03d}") for n in range(40)])
    with pytest.raises(WorkspaceError, match=r"regions of image \d+ have changed; open the search again"):
        searcher.sentence(SENTENCE, 3)


def _shared(a, b):
    sides = [min(a[i + 2], b[i + 2]) - max(a[i], b[i]) for i in (0, 1)]
    areas = [(x[2] - x[0]) * (x[3] - x[1]) for x in (a, b)]
    return max(sides[0], 0) * max(sides[1], 0) / min(areas)


def test_a_picture_finds_itself_and_the_sentences_that_fit_it_best(ws, aligner):
    found = Searcher.open(ws, aligner).like(regions_of(7), 9)
    assert found.images[0].key == "image 007"
    assert found.images[0].score == pytest.approx(1, abs=1e-3)
    texts = [(row.key, i, text) for batch in ws.images() for row in batch for i, text in enumerate(row.captions)]
    sentences = [text for _, _, text in texts]
    v, mask = aligner.embed_regions([regions_of(7)])
    told = explained(v, *aligner.embed_words(aligner.words.encode(sentences)), mask)[0].numpy()
    scores = aligner.score([regions_of(7)], sentences, calibrated=True)[0] + EXPLAINED * told
    best = sorted(zip(scores.tolist(), texts, strict=True), key=lambda pair: -pair[0])[:9]
    assert sorted(hit.text for hit in found.sentences) == sorted(text for _, (_, _, text) in best)
    assert np.diff([hit.score for hit in found.sentences]) == pytest.approx(np.diff([s for s, _ in best]), abs=1e-4)
    for hit in found.sentences:
        assert (hit.key, hit.caption, hit.text) in texts


def test_hits_are_plain_values(ws, aligner):
    searcher = Searcher.open(ws, aligner)
    told = json.loads(json.dumps([hit.to_json() for hit in searcher.sentence(SENTENCE, 2)]))
    assert told[0]["words"][0].keys() == {"text", "start", "end", "box", "score"}
    assert told[0]["phrases"][0]["text"] in SENTENCE
    assert json.loads(json.dumps(searcher.region("ball", 1)[0].to_json()))["box"]
    similar = json.loads(json.dumps(searcher.like(regions_of(1), 2).to_json()))
    assert similar["sentences"][0].keys() == {"key", "caption", "text", "score"}


def test_only_new_images_and_sentences_are_embedded(ws, aligner, monkeypatch):
    Searcher.open(ws, aligner).like(regions_of(0), 1)
    embedded, spoken = [], []
    regions, words = type(aligner).embed_regions, type(aligner).embed_words
    monkeypatch.setattr(type(aligner), "embed_regions", lambda a, r: embedded.extend(x.key for x in r) or regions(a, r))
    monkeypatch.setattr(type(aligner), "embed_words", lambda a, s: spoken.extend(x.text for x in s) or words(a, s))
    Searcher.open(ws, aligner)
    assert embedded == []
    add_images(ws, [40, 41])
    searcher = Searcher.open(ws, aligner)
    assert embedded == ["image 040", "image 041"]
    assert searcher.like(regions_of(41), 1).images[0].key == "image 041"
    assert spoken == [CAPTIONS[0], f"{CAPTIONS[1]} 40", CAPTIONS[1], f"{CAPTIONS[2]} 41"]


def test_each_model_has_vectors_of_its_own_and_the_last_two_are_kept(ws, aligner):
    before = [hit.key for hit in Searcher.open(ws, aligner).sentence(SENTENCE, 5)]
    others = [make_aligner(seed) for seed in (1, 2)]
    assert [hit.key for hit in Searcher.open(ws, others[0]).sentence(SENTENCE, 5)] != before
    assert [hit.key for hit in Searcher.open(ws, aligner).sentence(SENTENCE, 5)] == before
    Searcher.open(ws, others[1])
    folders = {path.name for path in ws.search_folder.iterdir() if path.is_dir()}
    assert len(folders) == 2
    assert Store(ws, others[1]).folder.name in folders


def test_vectors_go_with_the_regions_they_were_made_of(ws, aligner):
    Searcher.open(ws, aligner)
    ws.claim("regions", {"another": "way"}, fresh=True)
    assert not ws.search_folder.exists()
    with pytest.raises(WorkspaceError, match="no regions yet; run: phrasebox regions"):
        Searcher.open(ws, aligner)
    ws.append_regions([regions_of(n) for n in range(40, 45)])
    assert len(Searcher.open(ws, aligner).images) == 5


def test_without_a_model_the_workspace_s_own_is_used(ws, aligner, monkeypatch):
    monkeypatch.setattr("phrasebox.aligner.Aligner.for_workspace", lambda ws: aligner)
    expected = Searcher.open(ws, aligner).sentence(SENTENCE, 4)
    assert [h.key for h in Searcher.open(ws).sentence(SENTENCE, 4)] == [h.key for h in expected]
    add_images(ws, [40])
    assert "image 040" in {hit.key for hit in Searcher.open(ws).sentence(SENTENCE, 41)}


@pytest.mark.parametrize(
    ("ask", "error", "message"),
    [
        (lambda s: s.sentence("  "), DataError, "the sentence is empty"),
        (lambda s: s.sentence("... !"), DataError, "has no word"),
        (lambda s: s.region(""), DataError, "the sentence is empty"),
        (lambda s: s.sentence("a dog", 0), SettingsError, "k must be a whole number of at least 1"),
        (lambda s: s.region("a dog", -3), SettingsError, "k must be a whole number of at least 1"),
        (lambda s: s.like("nowhere.jpg", 0), SettingsError, "k must be a whole number of at least 1"),
        (lambda s: s.like("nowhere.jpg"), DataError, "nowhere.jpg: no such file"),
        (lambda s: s.like(np.zeros((3, 3), np.float64)), DataError, r"the image is an array \(3, 3\) of float64; give"),
    ],
)
def test_what_cannot_be_looked_for_is_told(ws, aligner, ask, error, message):
    with pytest.raises(error, match=message) as told:
        ask(Searcher.open(ws, aligner))
    assert "\n" not in str(told.value)


def test_a_model_that_gives_no_numbers_is_refused(ws):
    broken = make_aligner(3, bank=False)
    with torch.no_grad():
        broken.model.heads[0].regions.linear.weight[0, 0] = torch.nan
    with pytest.raises(ModelError, match="not finite"):
        Searcher.open(ws, broken)


def test_a_workspace_without_regions_or_captions(tmp_path, aligner):
    ws = Workspace.create(tmp_path / "ws")
    with pytest.raises(WorkspaceError, match="no regions yet"):
        Searcher.open(ws, aligner)
    ws.append_regions([regions_of(1)])
    found = Searcher.open(ws, aligner).like(regions_of(1))
    assert found.sentences == ()
    assert [hit.key for hit in found.images] == ["image 001"]


def test_the_command_tells_draws_and_refuses(ws, aligner, tmp_path, call, monkeypatch):
    monkeypatch.setattr("phrasebox.aligner.Aligner.for_workspace", lambda *args: aligner)
    for n in range(40):
        Image.new("RGB", (100, 80), (n, 3 * n, 90)).save(ws.path / f"{n}.png")
    expected = Searcher.open(ws, aligner).sentence(SENTENCE, 3)
    told = call("search", ws.path, SENTENCE, "-k", 3, "--json", "-o", tmp_path / "a.png")
    assert (told.code, told.err) == (0, "")
    assert [hit["key"] for hit in json.loads(told.out)] == [hit.key for hit in expected]
    with Image.open(tmp_path / "a.png") as sheet:
        assert sheet.width > 3 * 300
    table = call("search", ws.path, "red <b>ball</b>", "--region", "-k", 2, "-o", tmp_path / "b.html")
    assert table.code == 0
    page = (tmp_path / "b.html").read_text()
    assert page.count("<figure>") == 2
    assert "<b>ball</b>" not in page
    assert call("search", ws.path, "--like", ws.path / "3.png", "--model", "x").code == 1  # its own kind of regions
    for arguments, reason in (
        ((ws.path,), "give either a sentence or an image"),
        ((ws.path, "a", "--like", "b.png"), "give either a sentence or an image"),
        ((ws.path, "--like", "b.png", "--region"), "--region searches for a phrase"),
        ((ws.path, "a", "-k", "0"), "k must be at least 1"),
        ((ws.path, "a", "-o", tmp_path / "c.gif"), ".html, .png, .jpg or .webp"),
        ((ws.path, "a", "--backend", "faiss"), "exact, lancedb, qdrant"),
        ((ws.path, "a", "--url", "http://localhost:1"), "use it with --backend qdrant"),
        ((ws.path, "a", "--backend", "lancedb"), "phrasebox index"),
    ):
        found = call("search", *arguments)
        assert (found.code, found.out) == (1, "")
        assert reason in found.err
        assert found.err.count("\n") == 1


def test_a_picture_that_is_gone_is_drawn_grey(ws, aligner, tmp_path, call, monkeypatch):
    monkeypatch.setattr("phrasebox.aligner.Aligner.for_workspace", lambda *args: aligner)
    assert call("search", ws.path, SENTENCE, "-k", 2, "--quiet", "-o", tmp_path / "a.html").code == 0
    assert (tmp_path / "a.html").read_text().count("no such file") == 2
