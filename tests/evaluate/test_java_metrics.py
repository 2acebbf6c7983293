"""METEOR and SPICE: measured where Java and the extra are, and the reason where they are not."""

from __future__ import annotations

import importlib.util
import shutil

import pytest

from phrasebox.evaluate.java_metrics import UnavailableError, meteor, spice

CAPTIONS, REFERENCES = ["a dog", "a cat sits"], [["a dog"], ["the cat", "a cat is sitting"]]


@pytest.mark.parametrize("metric", [meteor, spice])
@pytest.mark.parametrize("missing", ["java", "package"])
def test_what_to_install_is_said(metric, missing, monkeypatch):
    java, spec = (None, object()) if missing == "java" else ("/bin/java", None)
    monkeypatch.setattr(shutil, "which", lambda name: java)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(UnavailableError, match=r"install phrasebox\[caption-metrics\] and Java"):
        metric(CAPTIONS, REFERENCES)


def test_a_java_program_that_fails_is_said(monkeypatch):
    pytest.importorskip("pycocoevalcap")
    monkeypatch.setattr(shutil, "which", lambda name: "/bin/java")
    monkeypatch.setattr("pycocoevalcap.meteor.meteor.METEOR_JAR", "absent.jar")
    with pytest.raises(UnavailableError, match="METEOR's Java program failed"):
        meteor(CAPTIONS, REFERENCES)


def test_meteor_rates_an_equal_caption_above_another():
    pytest.importorskip("pycocoevalcap")
    if not shutil.which("java"):
        pytest.skip("no Java")
    assert 0 <= meteor(["a boat", "a tree"], REFERENCES) < meteor(CAPTIONS, REFERENCES) <= 1
