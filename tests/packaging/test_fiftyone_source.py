"""The source for FiftyOne's model zoo, against the names that FiftyOne calls."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "integrations" / "fiftyone"


class Fields:
    """`fiftyone.core.models.SamplesMixin`."""

    needs_fields: dict[str, str]

    def __init__(self) -> None:
        self.needs_fields = {}


@pytest.fixture
def source(monkeypatch):
    fiftyone, core, models = ModuleType("fiftyone"), ModuleType("fiftyone.core"), ModuleType("fiftyone.core.models")
    for name in ("Detections", "Detection", "Classification"):
        setattr(fiftyone, name, SimpleNamespace)
    models.Model, models.SamplesMixin = type("Model", (), {}), Fields
    for module in (fiftyone, core, models):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    spec = importlib.util.spec_from_file_location("phrasebox_zoo", FOLDER / "__init__.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_manifest_names_the_models(source):
    manifest = json.loads((FOLDER / "manifest.json").read_text())
    assert manifest["name"]
    assert "url" not in manifest  # FiftyOne writes the one that the source was registered by
    assert [model["base_name"] for model in manifest["models"]] == [source.ALIGNER, source.CAPTIONER]
    assert len({model["base_filename"] for model in manifest["models"]}) == 2
    assert all(model["requirements"]["packages"] == ["phrasebox"] for model in manifest["models"])


def test_the_aligner_grounds_the_captions_of_a_sample(source, tmp_path):
    path = str(tmp_path / "zoo" / "phrasebox-aligner")
    source.download_model(source.ALIGNER, path)
    model = source.load_model(source.ALIGNER, path, caption_field="said")
    assert (model.media_type, model.needs_fields) == ("image", {"prompt_field": "said"})
    image = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    found = model.predict(image, {"said": ["a dog on the grass", "a red ball"]}).detections
    assert {one.label for one in found} >= {"a dog", "a red ball"}
    for one in found:
        x, y, w, h = one.bounding_box
        assert -1e-6 <= x <= x + w <= 1 + 1e-6
        assert -1e-6 <= y <= y + h <= 1 + 1e-6
        assert 0 <= one.confidence <= 1
    for sample in (None, {"said": None}, {"said": ""}):
        assert model.predict(image, sample).detections == []


def test_another_name_is_refused(source):
    with pytest.raises(ValueError, match="there is no model 'x' here"):
        source.load_model("x", "y")
