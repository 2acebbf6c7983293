"""The tools as a client of the Model Context Protocol sees them."""

from __future__ import annotations

import asyncio
import json

import pytest

from phrasebox.web import Service

mcp = pytest.importorskip("mcp", reason="mcp is not installed")
from phrasebox.web.tools import build  # noqa: E402

CAT = "in a folder/chelsea.png"


@pytest.fixture
def call(ws, aligner, captioner):
    service = Service(ws, aligner, captioner)

    def ask(name, **arguments):
        async def asked():
            async with mcp.Client(build(service)) as client:
                if name == "list":
                    return await client.list_tools()
                return await client.call_tool(name, arguments)

        return asyncio.run(asked())

    yield ask
    service.close()


def values(answer):
    assert not answer.is_error, answer.content
    return json.loads(answer.content[0].text)


def test_four_tools(call):
    tools = {tool.name: tool for tool in call("list").tools}
    assert set(tools) == {"ground", "describe", "search", "review_status"}
    assert tools["ground"].input_schema["required"] == ["image", "sentence"]
    assert all(tool.description for tool in tools.values())


def test_what_they_answer(call, images):
    by_key = values(call("ground", image=CAT, sentence="A tabby cat with green eyes"))
    assert by_key["image"] == CAT
    assert all(len(phrase["box"]) == 4 for phrase in by_key["phrases"])
    by_path = values(call("ground", image=str(images / CAT), sentence="A tabby cat with green eyes"))
    assert by_path["caption"] == by_key["caption"]
    assert len(values(call("describe", image=CAT, regions=2))["regions"]) <= 2
    hits = values(call("search", sentence="a cat", k=2))["hits"]
    assert len(hits) == 2
    assert {"key", "score", "weak", "phrases"} <= set(hits[0])
    assert values(call("search", sentence="a cat", min_score=1e6))["hits"] == []
    status = values(call("review_status"))
    assert status["total"] == status["open"] > 0


@pytest.mark.parametrize(
    ("name", "arguments", "reason"),
    [
        ("ground", {"image": "none.jpg", "sentence": "a cat"}, "neither an image of the workspace nor a file"),
        ("ground", {"image": CAT, "sentence": "  "}, "the sentence is empty"),
        ("search", {"sentence": "a cat", "k": 0}, "greater than or equal to 1"),
        ("describe", {"image": CAT, "regions": 10_000}, "request at most"),
        ("ground", {"image": CAT}, "required"),
    ],
)
def test_errors_are_told(call, name, arguments, reason):
    answer = call(name, **arguments)
    assert answer.is_error
    assert reason in answer.content[0].text
    assert "Traceback" not in answer.content[0].text


def test_a_file_that_is_no_picture(call, tmp_path):
    (tmp_path / "x.jpg").write_bytes(b"no picture")
    answer = call("ground", image=str(tmp_path / "x.jpg"), sentence="a cat")
    assert answer.is_error
