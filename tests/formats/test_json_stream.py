from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phrasebox.errors import DataError
from phrasebox.formats import _json_stream as json_stream
from phrasebox.formats._json_stream import array_elements

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)
documents = st.fixed_dictionaries({"before": values, "images": st.lists(values, max_size=4), "after": values})
per_example = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture(params=[1, 7, 1 << 18], ids=["one character a time", "odd pieces", "whole file"])
def chunk(request, monkeypatch):
    monkeypatch.setattr(json_stream, "_CHUNK", request.param)


@per_example
@given(document=documents, indent=st.sampled_from([None, 2]), ascii_only=st.booleans())
def test_equals_the_json_module(tmp_path, chunk, document, indent, ascii_only):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(document, indent=indent, ensure_ascii=ascii_only), encoding="utf-8")
    assert list(array_elements(path, "images")) == document["images"]


@per_example
@given(document=documents, data=st.data())
def test_truncated_file_is_faulty_where_the_json_module_says(tmp_path, chunk, document, data):
    text = json.dumps(document, indent=1)
    text = text[: data.draw(st.integers(1, len(text) - 1))]
    path = tmp_path / "a.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(json.JSONDecodeError) as expected:
        json.loads(text)
    with pytest.raises(DataError, match=rf"line {expected.value.lineno}, column {expected.value.colno}:"):
        list(array_elements(path, "images"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param('{"images": [\n {"a" 1}]}', "line 2, column 7", id="missing colon"),
        pytest.param('{"images": [1, ]}', "line 1, column 16", id="trailing comma"),
        pytest.param('{"images": [1] "b": 2}', "line 1, column 16", id="missing comma between members"),
        pytest.param('{"images": []} x', "extra data", id="text after the end"),
        pytest.param("{5: 1}", "double quotes", id="name that is no string"),
        pytest.param("", "is empty", id="empty file"),
        pytest.param(" \n", "is empty", id="blank file"),
        pytest.param("[1]", "expected a JSON object", id="another shape"),
        pytest.param('{"image": [1]}', "no array 'images'", id="array missing"),
        pytest.param('{"images": {"a": 1}}', "no array 'images'", id="not an array"),
        pytest.param('{"images": [' + "[" * 200_000, "nested too deeply", id="bottomless"),
    ],
)
def test_faults_are_named(write_json, text, reason):
    with pytest.raises(DataError, match=reason):
        list(array_elements(write_json(text), "images"))


def test_elements_before_a_fault_arrive(write_json):
    elements = array_elements(write_json('{"images": [{"a": 1}, {"a"'), "images")
    assert next(elements) == {"a": 1}
    with pytest.raises(DataError):
        next(elements)


def test_holds_little_of_a_long_file(tmp_path, monkeypatch):
    monkeypatch.setattr(json_stream, "_CHUNK", 64)
    path = tmp_path / "long.json"
    path.write_text(json.dumps({"images": [{"n": n} for n in range(1000)]}))
    with path.open() as file:
        reader = json_stream._JsonReader(file)
        longest = 0
        for _ in json_stream._members(reader, path, ("images",)):
            longest = max(longest, len(reader._text))
    assert longest < 256


@pytest.mark.parametrize(
    ("data", "reason"), [(None, "cannot read"), (b'{"images": ["\xff"]}', "not UTF-8")], ids=["missing", "latin"]
)
def test_unreadable_files(tmp_path, data, reason):
    path = tmp_path / "a.json"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(DataError, match=reason):
        list(array_elements(path, "images"))
