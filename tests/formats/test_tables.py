"""Text tables as people have them: what is read of each, and what is said."""

from __future__ import annotations

import pytest

from phrasebox.errors import DataError
from phrasebox.formats import caption_table, detect
from phrasebox.types import Example, Remark, Skipped

PLAIN = "image,caption\na.jpg,Ein Bär – “rot”\nb.jpg,Ein Schiff\n"
TWO = {"a.jpg": ["Ein Bär – “rot”"], "b.jpg": ["Ein Schiff"]}


@pytest.fixture
def read(tmp_path):
    def read(data: str | bytes, name="captions.csv", columns=None):
        path = tmp_path / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        if columns is None:
            assert detect(path) == "csv"
        items = list(caption_table.read(path, columns=columns))
        captions = {item.key: [c.text for c in item.captions] for item in items if isinstance(item, Example)}
        return captions, [i for i in items if isinstance(i, Skipped)], [i.text for i in items if isinstance(i, Remark)]

    return read


@pytest.mark.parametrize(
    ("encoding", "said"),
    [("utf-8", ""), ("utf-8-sig", ""), ("utf-16", "16"), ("utf-16-le", "16"), ("utf-16-be", "16")],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(("delimiter", "name"), [(",", "c.csv"), (";", "c.csv"), ("\t", "c.tsv"), ("|", "c.txt")])
def test_encodings_line_ends_and_delimiters(read, encoding, said, end, delimiter, name):
    text = PLAIN.replace(",", delimiter).replace("\n", end)
    captions, skipped, remarks = read(text.encode(encoding), name)
    assert captions == TWO
    assert not skipped
    assert [said in remark for remark in remarks] == ([True] if said else [])


@pytest.mark.parametrize(
    ("encoding", "text", "named"),
    [("cp1252", "Ein Bär – “rot”", "it looks like cp1252"), ("cp1251", "Собака на траве", "not UTF-8; save")],
)
def test_other_encodings_are_refused_with_the_remedy(read, encoding, text, named):
    with pytest.raises(DataError, match=r"captions\.csv is not UTF-8.*save it as UTF-8 .*iconv") as refused:
        read(f"image,caption\na.jpg,{text}\n".encode(encoding))
    assert named in str(refused.value)


def test_a_table_that_is_utf8_but_for_a_line_keeps_the_others(read):
    captions, skipped, _ = read(PLAIN.encode() + b"c.jpg,caf\xe9\nd.jpg,fine\n")
    assert captions == {**TWO, "d.jpg": ["fine"]}
    assert [(item.key, item.kind) for item in skipped] == [("captions.csv:4", "row")]


@pytest.mark.parametrize(
    ("text", "captions"),
    [
        pytest.param("sep=;\nimage;caption\na.jpg;A ball\n", ["A ball"], id="sep of Excel"),
        pytest.param('"sep=|"\nimage|caption\na.jpg|A ball\n', ["A ball"], id="quoted sep"),
        pytest.param("\n\nimage,caption\n\na.jpg,A ball\n\n", ["A ball"], id="blank lines"),
        pytest.param("a.jpg,A ball\n", ["A ball"], id="no header"),
        pytest.param(
            "1,a.jpg,A brown ball,0.5\n2,a.jpg,A red ball,0.7\n",
            ["A brown ball", "A red ball"],
            id="no header, more columns",
        ),
        pytest.param("image,caption_0,caption_1\na.jpg,one,two\n", ["one", "two"], id="caption_0, caption_1"),
        pytest.param(
            "image,caption1,caption2,caption3\na.jpg,one,,three\n", ["one", "three"], id="a blank one of several"
        ),
        pytest.param("image,caption,caption\na.jpg,one,two\n", ["one", "two"], id="the same name twice"),
        pytest.param("File Name,Caption\na.jpg,one\n", ["one"], id="names with spaces"),
        pytest.param('image,caption\na.jpg,"[""one"", ""two""]"\n', ["one", "two"], id="a JSON list"),
        pytest.param("image,caption\na.jpg,\"['one', 'it\\'s two']\"\n", ["one", "it's two"], id="a Python list"),
        pytest.param("image,caption\na.jpg,['one' 'two']\n", ["one", "two"], id="a NumPy list"),
        pytest.param("image,caption\na.jpg,[a red ball]\n", ["[a red ball]"], id="brackets that are no list"),
        pytest.param("image,caption,,\na.jpg,A ball,,\n", ["A ball"], id="columns without a name"),
        pytest.param("image,caption\na.jpg,A ball,,\n", ["A ball"], id="more blank cells than columns"),
        pytest.param("image,caption,note\na.jpg,A ball\n", ["A ball"], id="a cell fewer"),
        pytest.param('image,caption\na.jpg,"one, and\ntwo"\n', ["one, and\ntwo"], id="a line break in quotes"),
        pytest.param('image,caption\na.jpg,"Stop" says the sign\n', ['"Stop" says the sign'], id="plain quotes"),
        pytest.param('image,caption\na.jpg,A 5" nail\n', ['A 5" nail'], id="inches"),
        pytest.param('image\tcaption\na.jpg\t"Stop" and "go\n', ['"Stop" and "go'], id="quotes with tabs"),
        pytest.param('image\tcaption\na.jpg\t"a ""red"" ball"\n', ['a "red" ball'], id="doubled quotes with tabs"),
        pytest.param(
            "image,caption\na.jpg,a &quot;red&quot; ball &amp; a cat&#39;s toy\n",
            ['a "red" ball & a cat\'s toy'],
            id="entities",
        ),
        pytest.param("image,caption\na.jpg,R&D; AT&T\n", ["R&D; AT&T"], id="ampersands that are no entities"),
    ],
)
def test_layouts(read, text, captions):
    got, skipped, _ = read(text)
    assert got == {"a.jpg": captions}
    assert not skipped


@pytest.mark.parametrize(
    ("rows", "lost", "kept"),
    [
        ('b.jpg,"never closed\nc.jpg,A hill\nd.jpg,A sky\n', 3, "cd"),
        ('b.jpg,"never closed\nc.jpg,"A hill, far"\nd.jpg,A sky\n', 3, "cd"),
        ('b.jpg,"never closed\nc.jpg,A 5"\nd.jpg,"A sky"\n', 3, "cd"),
        ('b.jpg,A box\nc.jpg,A hill\nd.jpg,"at the end', 5, "bc"),
    ],
)
def test_the_line_of_a_quote_that_is_never_closed(read, rows, lost, kept):
    captions, skipped, _ = read(f"image,caption\na.jpg,A ball\n{rows}")
    assert list(captions) == ["a.jpg", *(f"{name}.jpg" for name in kept)]
    assert [item.key for item in skipped] == [f"captions.csv:{lost}"]
    assert "never closed" in skipped[0].reason


def test_what_was_taken_without_a_header_and_of_entities_is_said(read):
    _, _, remarks = read("a.jpg,A ball &amp; a box\n")
    assert "no header" in remarks[0]
    assert "HTML entities" in remarks[1]


@pytest.mark.parametrize(
    ("text", "columns", "captions"),
    [
        ("photo,title\na.jpg,A ball\n", "photo,title", ["A ball"]),
        ("photo,title,alt\na.jpg,A ball,round\n", "photo,title,alt", ["A ball", "round"]),
        ("x;y\na.jpg;A ball\n", "1,2", ["A ball"]),
        ("7,A ball\n8,A box\n", "1,2", ["A box"]),
        ("photo,title\na.jpg,A ball\n", "photo", []),
    ],
)
def test_columns_by_name_or_place(read, text, columns, captions):
    got, *_ = read(text, columns=columns)
    assert list(got.values()) == [captions]


def test_a_table_a_split_is_read_from_a_folder(tmp_path, sort_out):
    for split in ("train", "val"):
        (tmp_path / f"{split}.csv").write_text(f"image,caption\n{split}.jpg,A ball\n")
    got = sort_out(caption_table.read(tmp_path))
    assert {key: example.split for key, example in got.examples.items()} == {"train.jpg": "train", "val.jpg": "val"}
