"""Clients that use the web service at the same time: what they ask is answered, and nothing that was answered is lost.

    python benchmarks/web_load.py [--clients 20] [--seconds 60] [--record]

serves a workspace of the sample's five photographs with the built-in models, and opens a page while they are being
loaded. Then each client reads lists and pictures, decides and undoes, grounds new sentences in pictures of the
workspace and in its own, and searches, one request after the other in its own order. At the end 30 clients ground a
sentence at the same moment. Afterwards every acknowledged decision must be in the log, and no response may have a
status of 500 or more except 503. ``--record`` writes the tables to ``docs/results/web-load.json``.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

from recording import record

TOKEN = "a-token-of-the-benchmark"
BUSY = (429, 503)
FIRST_PAGE = ("/", "api/workspace", "api/summary", "api/map", "api/images")
AT_ONCE = 30  # sentences to ground that are sent at the same moment
WHAT = (
    "{clients} clients at once for {seconds} s, each one request after the other: seconds until the answer. "
    "Start: seconds until the address is printed, from then until a first page has all its answers while the models "
    "are being loaded, and from the start until they are there. A "
    "workspace of five photographs, the built-in models, {cores} cores, load {load:.0f} with other work when it "
    "began. Busy: refused with 429 or 503 and the time to try again."
)
THINGS = ("dog", "cat", "cup", "rocket", "helmet", "flag", "tower", "spoon", "blanket", "wheel")


class Tally:
    """Seconds and statuses by kind of request, and the acknowledged decisions."""

    def __init__(self) -> None:
        self.guard = threading.Lock()
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.statuses: dict[str, list[int]] = defaultdict(list)
        self.decisions: set[str] = set()

    def add(self, kind: str, status: int, seconds: float) -> None:
        """Count a request."""
        with self.guard:
            self.statuses[kind].append(status)
            self.seconds[kind].append(seconds)


class Client:
    """One client with its own name, picture and order of requests."""

    def __init__(self, n: int, url: str, tally: Tally) -> None:
        self.n, self.tally, self.random = n, tally, random.Random(n)
        headers = {"authorization": f"Bearer {TOKEN}", "x-client": f"client-{n:04}"}
        self.http = httpx.Client(base_url=url, headers=headers, timeout=120)
        phrases = self.http.get("api/phrases", params={"limit": 200}).json()["phrases"]
        self.ids = [phrase["id"] for phrase in phrases]
        self.keys = sorted({phrase["image"] for phrase in phrases})
        pixels = np.random.default_rng(n).integers(0, 255, (240, 320 + n, 3), dtype=np.uint8)
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, "JPEG")
        self.picture = out.getvalue()

    def ask(self, kind: str, method: str, path: str, **given: object) -> httpx.Response:
        """Send a request; of one that is refused as others are served, wait for as long as the answer says."""
        began = time.monotonic()
        answer = self.http.request(method, path, **given)  # type: ignore[arg-type]
        self.tally.add(kind, answer.status_code, time.monotonic() - began)
        if answer.status_code in BUSY:
            time.sleep(float(answer.headers.get("retry-after", 1)))
        return answer

    def sentence(self) -> str:
        """A sentence that nobody has asked yet."""
        one, other = self.random.sample(THINGS, 2)
        return f"a {one} beside a {other} number {self.random.randrange(10_000)}"

    def decide(self) -> None:
        """Decide on a phrase."""
        decision = f"client-{self.n}-{self.random.getrandbits(60):x}"
        body = {"id": self.random.choice(self.ids), "verdict": self.random.choice(("accept", "reject"))}
        body |= {"who": f"client {self.n}", "decision": decision}
        if self.ask("decide", "POST", "api/phrases/decide", json=body).status_code == 200:
            with self.tally.guard:
                self.tally.decisions.add(decision)

    def asks(self) -> list[tuple[int, Callable[[], object]]]:
        """What a client does, and how often."""
        key = lambda: self.random.choice(self.keys)  # noqa: E731
        return [
            (6, lambda: self.ask("phrases", "GET", "api/phrases", params={"image": key()})),
            (4, lambda: self.ask("pictures", "GET", "api/phrases/pictures", params={"sort": "confidence"})),
            (6, lambda: self.ask("thumbnail", "GET", f"api/images/{key()}", params={"width": 320})),
            (1, lambda: self.ask("summary", "GET", "api/summary")),
            (6, self.decide),
            (1, lambda: self.ask("undo", "POST", "api/phrases/undo", json={"who": f"client {self.n}"})),
            (2, lambda: self.ask("ground", "POST", "api/ground", json={"image": key(), "sentence": self.sentence()})),
            (
                1,
                lambda: self.ask(
                    "ground an upload",
                    "POST",
                    "api/ground",
                    data={"sentence": self.sentence()},
                    files={"image": self.picture},
                ),
            ),
            (1, lambda: self.ask("search", "GET", "api/search", params={"sentence": self.sentence(), "k": 5})),
        ]

    def ground_at_once(self, start: threading.Barrier) -> None:
        """Ground one new sentence in a picture of the workspace, at the same moment as the others."""
        start.wait()
        body = {"image": self.random.choice(self.keys), "sentence": self.sentence()}
        self.ask(f"ground, {AT_ONCE} at once", "POST", "api/ground", json=body)

    def run(self, until: float) -> None:
        """Send requests until this time."""
        weights, asks = zip(*self.asks(), strict=True)
        while time.monotonic() < until:
            self.random.choices(asks, weights)[0]()


def serve(ws: Path) -> tuple[subprocess.Popen[str], str, dict[str, float]]:
    """Start the service, open a page at once, wait until the models are loaded; with seconds since the start.

    ``first page`` is from the printed address on until all that the first page asks has been answered.
    """
    began = time.monotonic()
    command = [sys.executable, "-m", "phrasebox", "serve", str(ws), "--port", "0", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PHRASEBOX_TOKEN": TOKEN})
    assert process.stdout is not None
    url = json.loads(process.stdout.readline())["url"]
    seconds = {"address printed": time.monotonic() - began}
    with httpx.Client(base_url=url, headers={"authorization": f"Bearer {TOKEN}"}, timeout=120) as page:
        for path in FIRST_PAGE:
            page.get(path).raise_for_status()
        seconds["first page"] = time.monotonic() - began - seconds["address printed"]
        while page.get("healthz").status_code != 200:
            time.sleep(0.1)
    seconds["models loaded"] = time.monotonic() - began
    return process, url, {name: round(value, 1) for name, value in seconds.items()}


def undone_or_there(ws: Path, decisions: set[str]) -> int:
    """How many of the decisions are in the log."""
    lines = (ws / "decisions.jsonl").read_text(encoding="utf-8").splitlines()
    return len({json.loads(line)["id"] for line in lines} & decisions)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--record", action="store_true")
    given = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        ws = Path(folder) / "ws"
        subprocess.run([sys.executable, "-m", "phrasebox", "demo", str(ws), "--quiet"], check=True)
        process, url, began = serve(ws)
        try:
            tally = Tally()
            clients = [Client(n, url, tally) for n in range(given.clients)]
            until = time.monotonic() + given.seconds
            with ThreadPoolExecutor(given.clients) as pool:
                for _ in pool.map(lambda client: client.run(until), clients):
                    pass
            together = [Client(n, url, tally) for n in range(AT_ONCE)]
            start = threading.Barrier(AT_ONCE)
            with ThreadPoolExecutor(AT_ONCE) as pool:
                for _ in pool.map(lambda client: client.ground_at_once(start), together):
                    pass
        finally:
            process.terminate()
            process.wait()
        there = undone_or_there(ws, tally.decisions)
    rows = []
    for kind, seconds in tally.seconds.items():
        statuses = tally.statuses[kind]
        rows.append(
            {
                "request": kind,
                "answered": sum(status < 300 for status in statuses),
                "busy": sum(status in BUSY for status in statuses),
                "failed": sum(status >= 300 and status not in BUSY for status in statuses),
                "median": round(statistics.median(seconds), 3),
                "95 %": round(float(np.percentile(seconds, 95)), 3),
            }
        )
    shown = Table(*rows[0])
    for row in rows:
        shown.add_row(*map(str, row.values()))
    Console().print(began, shown, f"{there} of {len(tally.decisions)} acknowledged decisions are in the log")
    if there < len(tally.decisions) or any(row["failed"] for row in rows):
        sys.exit("decisions were lost, or requests failed")
    if given.record:
        about = WHAT.format(clients=given.clients, seconds=f"{given.seconds:g}", cores=os.cpu_count(), load=load)
        kept = [{"title": "decisions", "rows": [{"acknowledged": len(tally.decisions), "in the log": there}]}]
        title, command = "Load of the web service", "python benchmarks/web_load.py --record"
        tables = [{"title": "start", "rows": [began]}, {"title": "requests", "rows": rows}, *kept]
        record("web-load", title, about, command, tables)


if __name__ == "__main__":
    main()
