from __future__ import annotations

import pytest

from phrasebox.errors import DataError
from phrasebox.formats import _lines, caption_table, detect


@pytest.fixture
def table(tmp_path):
    def write(text: str | bytes, name: str = "captions.csv"):
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


@pytest.mark.parametrize(
    ("text", "name", "columns"),
    [
        pytest.param('image,caption\na.jpg,"A dog, a 犬"\nb.jpg,قطة\na.jpg,Zwei\n', "captions.txt", None, id="Kaggle"),
        pytest.param(
            "\ufeffCaption\tFile_Name\r\nA dog, a 犬\ta.jpg\r\nقطة\tb.jpg\r\nZwei\ta.jpg\r\n", "x.tsv", None, id="TSV"
        ),
        pytest.param(
            "image_name| n| comment\na.jpg| 0| A dog, a 犬\nb.jpg| 0| قطة\na.jpg| 1| Zwei", "r.csv", None, id="bars"
        ),
        pytest.param(
            "id;bild;text;satz\n1;a.jpg;x;A dog, a 犬\n2;b.jpg;x;قطة\n3;a.jpg;x;Zwei\n", "x.csv", "bild,satz", id="told"
        ),
    ],
)
def test_columns_and_delimiters(table, sort_out, text, name, columns):
    path = table(text, name)
    assert columns or detect(path) == detect(path.parent) == "csv"
    got = sort_out(caption_table.read(path, columns=columns))
    assert {key: [caption.text for caption in example.captions] for key, example in got.examples.items()} == {
        "a.jpg": ["A dog, a 犬", "Zwei"],
        "b.jpg": ["قطة"],
    }
    assert got.examples["a.jpg"].image == path.parent / "a.jpg"
    assert not got.skipped


def test_rows_that_cannot_be_used(table, sort_out, monkeypatch):
    monkeypatch.setattr(_lines, "LONGEST", 1 << 18)
    rows = [
        b"image,caption,split",
        b"a.jpg,fine,val",
        b"a.jpg,too,many,fields",
        b"one field",
        b"",
        b"../b.jpg,outside,train",
        b"/c.jpg,absolute,train",
        b"d.jpg,\xff,train",
        "d2.jpg,犬,train".encode(),
        b"e.jpg, ,train",
        b"f.jpg,x,holdout",
        b"g.jpg," + b"x" * ((1 << 17) + 1) + b",train",  # more than a field may have
        b"h.jpg," + b"x" * (1 << 19) + b",train",  # more than a line may have
        b'i.jpg,"two\nlines",test',
    ]
    got = sort_out(caption_table.read(table(b"\n".join(rows))))
    assert {key: example.split for key, example in got.examples.items() if example.captions} == {
        "a.jpg": "val",
        "d2.jpg": "train",
        "i.jpg": "test",
    }
    assert got.examples["i.jpg"].captions[0].text == "two\nlines"
    expected = {
        "captions.csv:3": "4 fields where the first line names 3",
        "captions.csv:4": "1 fields",
        "captions.csv:12": "a field has more than",
        "captions.csv:13": "too long",
        "../b.jpg": "leaves its folder",
        "/c.jpg": "leaves its folder",
        "captions.csv:8": "not UTF-8",
        "e.jpg#0": "empty",
        "f.jpg": "'holdout' is none of",
    }
    assert got.skipped.keys() == expected.keys()
    assert all(part in got.skipped[key] for key, part in expected.items())


def test_a_quote_never_closed_is_told(table, sort_out):
    text = (
        'image,caption\na.jpg,fine\nb.jpg,"never closed\n'
        + "c.jpg,swallowed words of a caption\n" * 5000
        + "d.jpg,on\n"
    )
    got = sort_out(caption_table.read(table(text)))
    assert {key: len(example.captions) for key, example in got.examples.items()} == {
        "a.jpg": 1,
        "c.jpg": 5000,
        "d.jpg": 1,
    }
    assert got.skipped == {"captions.csv:3": "a quote is never closed; the rows after it are read on"}


@pytest.mark.parametrize(
    ("text", "columns", "reason"),
    [
        ("name,words\na.jpg,x\n", None, r"captions\.csv: no columns image,caption .*\(name, words\).*--columns"),
        ("name,words\na.jpg,x\n", "name,text", r"no column 'text' of --columns name,text; there are: name, words"),
        ("name,words\na.jpg,x\n", "bild,words", "no column 'bild'"),
        ("", None, "no columns image,caption in its first line \\(none\\)"),
    ],
)
def test_columns_that_are_not_there(table, text, columns, reason):
    with pytest.raises(DataError, match=reason):
        list(caption_table.read(table(text), columns=columns))


def test_split_lists_and_two_tables(table, sort_out, tmp_path):
    path = table("image,caption\na.jpg,x\nb.jpg,y\n")
    (tmp_path / "my_test.txt").write_text("a.jpg\n")
    got = sort_out(caption_table.read(path, split_files=[tmp_path / "my_test.txt"]))
    assert {key: example.split for key, example in got.examples.items()} == {"a.jpg": "test"}
    assert got.skipped["b.jpg"] == "in none of the split lists (my_test.txt)"
    table("image,caption\n", "more.csv")
    with pytest.raises(DataError, match=r"captions\.csv, more\.csv; give the file"):
        list(caption_table.read(tmp_path))
