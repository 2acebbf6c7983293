"""Twenty clients at a real server: all are answered, each with its own, and nothing that was answered is lost."""

from __future__ import annotations

import io
import random
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
from PIL import Image
from server_process import PATIENCE, TOKEN

from phrasebox.review import Review
from phrasebox.workspace.workspace import Workspace

CLIENTS, ROUNDS = 20, 2
TRY_AGAIN = (429, 503, 504)  # the models are busy with others, or slow


def png(client: int) -> bytes:
    """A picture of the client's own size and colours."""
    pixels = np.random.default_rng(client).integers(0, 255, (40, 40 + client, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def visit(url: str, client: int, own: list[str], keys: list[str]) -> list[str]:
    """Mixed requests in the client's own order; returns what was answered wrongly."""
    wrong: list[str] = []
    who, picture = f"client {client}", png(client)

    def check(answer: httpx.Response, right) -> None:
        if answer.status_code != 200 or not right(answer):
            wrong.append(f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text[:200]}")

    own_name = {"authorization": f"Bearer {TOKEN}", "x-client": f"client-{client}"}
    with httpx.Client(base_url=f"{url}api", timeout=PATIENCE, headers=own_name) as http:

        def ask_models(path: str, data: dict) -> httpx.Response:
            """Ask until the models are free, as the answer says; how long that takes is the machine's matter."""
            while (found := http.post(path, data=data, files={"image": picture})).status_code in TRY_AGAIN:
                assert "try again" in found.text
            return found

        def ground(n):
            sentence = f"a dog {client} beside {n}"
            found = ask_models("/ground", {"sentence": sentence})
            check(found, lambda a: (a.json()["caption"], a.json()["width"]) == (sentence, 40 + client))

        def describe(n):
            found = ask_models("/describe", {"regions": 2})
            check(found, lambda a: a.json()["width"] == 40 + client)

        def decide(n):
            if n < len(own):
                body = {"id": own[n], "verdict": ("accept", "reject")[n % 2], "who": who}
                check(
                    http.post("/phrases/decide", json=body),
                    lambda a: (a.json()["who"], a.json()["id"]) == (who, own[n]),
                )

        def search():
            while (found := http.get("/search", params={"sentence": "a cat", "k": 2})).status_code in TRY_AGAIN:
                assert "try again" in found.text
            return found

        def look(n):
            key = keys[(client + n) % len(keys)]
            check(http.get(f"/images/{key}", params={"width": 100}), lambda a: a.content[:2] == b"\xff\xd8")
            check(
                http.get("/phrases", params={"image": key}),
                lambda a: {p["image"] for p in a.json()["phrases"]} == {key},
            )
            check(search(), lambda a: len(a.json()["hits"]) == 2)
            check(http.get("/phrases/progress"), lambda a: a.json()["total"] > 0)

        asks = [(ask, n) for n in range(ROUNDS) for ask in (ground, describe, decide, look)]
        random.Random(client).shuffle(asks)
        for ask, n in asks:
            ask(n)
    return wrong


def test_all_are_answered_and_nothing_is_lost(serving, ws):
    phrases = Review(ws).page(limit=1000).phrases
    ids, keys = [p.id for p in phrases], sorted({p.key for p in phrases})
    shares = [ids[client::CLIENTS][:ROUNDS] for client in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as pool:
        wrong = pool.map(visit, [serving.url] * CLIENTS, range(CLIENTS), shares, [keys] * CLIENTS)
        assert [line for lines in wrong for line in lines] == []
    kept = {one.id: one for one in Review(Workspace(ws.path)).page(limit=1000).phrases}
    assert len(ids) >= CLIENTS
    for client, share in enumerate(shares):
        for n, id in enumerate(share):
            assert (kept[id].who, kept[id].state) == (f"client {client}", ("accepted", "rejected")[n % 2])
