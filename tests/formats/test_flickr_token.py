from __future__ import annotations

import pytest

from phrasebox.errors import DataError
from phrasebox.formats import flickr_token


@pytest.fixture
def token_file(tmp_path):
    def write(*lines: str | bytes, name: str = "Flickr8k.token.txt"):
        path = tmp_path / name
        path.write_bytes(b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines) + b"\n")
        return path

    return write


def test_captions_of_an_image_are_gathered_in_their_order(token_file, sort_out):
    path = token_file("a 1.jpg#1\tsecond, mit Umlaut ü\r", "b.jpg#0\ta dog", "a 1.jpg#0\tfirst #0\twith a tab")
    got = sort_out(flickr_token.read(path))
    assert [caption.text for caption in got.examples["a 1.jpg"].captions] == [
        "first #0\twith a tab",
        "second, mit Umlaut ü",
    ]
    assert got.examples["b.jpg"].image == path.parent / "b.jpg"
    assert {example.split for example in got.examples.values()} == {"train"}
    assert not got.skipped


def test_bad_lines_are_reported(token_file, sort_out):
    path = token_file(
        b"\xef\xbb\xbfa.jpg#0\ta cat",
        "no tab at all",
        "",
        "b.jpg\tno number",
        b"c.jpg#0\t\xff",
        "2258277193_586949ec62.jpg.1#0\tPeople waiting .",
        "2258277193_586949ec62.jpg.1#1\tPeople crossing .",
        "a.jpg#0\ta cat again",
        "a.jpg#1\t ",
        "../d.jpg#0\tleaves the folder",
    )
    got = sort_out(flickr_token.read(path))
    assert list(got.examples) == ["a.jpg"]
    assert [caption.text for caption in got.examples["a.jpg"].captions] == ["a cat"]
    expected = {
        "Flickr8k.token.txt:2": "no tab",
        "Flickr8k.token.txt:4": "'<file>#<n>'",
        "Flickr8k.token.txt:5": "UTF-8",
        "Flickr8k.token.txt:8": "a.jpg#0 is there twice",
        "a.jpg#1": "empty",
        "2258277193_586949ec62.jpg.1": "does not end like an image file",
        "../d.jpg": "leaves its folder",
    }
    assert got.skipped.keys() == expected.keys()
    assert all(part in got.skipped[key] for key, part in expected.items())


def test_images_in_no_list_are_left_out(token_file, sort_out, tmp_path):
    path = token_file("a.jpg#0\ta", "b.jpg#0\tb", "c.jpg#0\tc", "d.jpg#0\td")
    (tmp_path / "Flickr_8k.trainImages.txt").write_text("a.jpg\n")
    (tmp_path / "Flickr_8k.devImages.txt").write_text("b.jpg\n")
    got = sort_out(flickr_token.read(path))
    assert {key: example.split for key, example in got.examples.items()} == {"a.jpg": "train", "b.jpg": "val"}
    assert got.skipped == dict.fromkeys(
        ["c.jpg", "d.jpg"], "in none of the split lists (Flickr_8k.devImages.txt, Flickr_8k.trainImages.txt)"
    )


def test_a_folder_is_read_through_its_token_file(token_file, sort_out, tmp_path):
    token_file("a.jpg#0\tA dog runs")
    token_file("a.jpg#0\ta dog run", name="Flickr8k.lemma.token.txt")
    (tmp_path / "images").mkdir()
    assert flickr_token.recognises(tmp_path)
    example = sort_out(flickr_token.read(tmp_path)).examples["a.jpg"]
    assert example.captions[0].text == "A dog runs"
    assert example.image == tmp_path / "images" / "a.jpg"
    token_file("a.jpg#0\ta dog", name="results_20130124.token")
    with pytest.raises(DataError, match="give the file itself"):
        list(flickr_token.read(tmp_path))


def test_missing_file(tmp_path):
    with pytest.raises(DataError, match="cannot read"):
        list(flickr_token.read(tmp_path / "gone.token"))
