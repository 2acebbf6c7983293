"""The server is killed while decisions are posted: what was answered is there, once, and what runs is found again."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
from server_process import PATIENCE, TOKEN

from phrasebox.review import Review
from phrasebox.workspace.decisions import Decisions
from phrasebox.workspace.workspace import Workspace

CLIENTS, ENOUGH = 8, 60


def test_every_answered_decision_is_there(serving, ws):
    ids = [phrase.id for phrase in Review(ws).page(limit=1000).phrases]
    answered: list[tuple[str, str]] = []  # decision, and what it did
    enough = threading.Event()

    def post(client: int) -> None:
        who = f"client {client}"
        headers = {"authorization": f"Bearer {TOKEN}"}
        with httpx.Client(base_url=f"{serving.url}api/phrases", timeout=PATIENCE, headers=headers) as http:
            for n in range(10_000):
                decision = f"decision-{client}-{n}"
                try:
                    if n % 7 == 6:
                        found = http.post("/undo", json={"who": who})
                        told = ("undo", found.json()["decision"])
                    elif n % 7 == 5:
                        body = {"verdict": "accept", "who": who, "filter": {"max_confidence": 2.0}}
                        found = http.post("/decide-many", json=body | {"decision": decision})
                        told = ("many", decision)
                    else:
                        body = {"id": ids[(client + n) % len(ids)], "verdict": ("accept", "reject")[n % 2], "who": who}
                        found = http.post("/decide", json=body | {"decision": decision})
                        told = ("one", decision)
                except httpx.HTTPError:  # the server is gone
                    return
                assert found.status_code == 200, found.text
                answered.append(told)
                if len(answered) > ENOUGH:
                    enough.set()

    with ThreadPoolExecutor(CLIENTS) as pool:
        posts = [pool.submit(post, client) for client in range(CLIENTS)]
        assert enough.wait(PATIENCE)
        serving.process.kill()
        for one in posts:
            one.result()
    log = Decisions(ws.path)
    log.refresh()
    made = {decision for kind, decision in answered if kind == "one"}
    undone = {decision for kind, decision in answered if kind == "undo"}
    lines = (ws.path / "decisions.jsonl").read_text().splitlines()
    for decision in made:
        assert sum(f'{{"id": "{decision}"' in line for line in lines) == 1, decision
    assert sum('"undo"' in line for line in lines) >= len(undone)
    assert len(made) > ENOUGH // 2
    progress = Review(Workspace(ws.path)).progress()
    assert progress.total == len(ids)
