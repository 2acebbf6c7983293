from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from phrasebox.regions.backbones.classifier import _timm_names, imagenet_names, load_classifier
from phrasebox.regions.backbones.packaged import load_packaged


@pytest.mark.parametrize("name", ["efficientnet-lite0", "efficientnet-lite2"])
def test_a_packaged_classifier_is_that_of_its_network(name):
    vectors = torch.randn(3, 1280, generator=torch.Generator().manual_seed(0))
    found = load_classifier(name)
    with torch.inference_mode():
        torch.testing.assert_close(found.logits(vectors), load_packaged(name).head(vectors))
    assert (found.width, len(found.names)) == (1280, 1000)
    assert found.names[281] == ("tabby", "tabby cat")


def test_a_timm_model_has_names_of_its_own_or_those_of_imagenet():
    def names(classes, **config):
        return _timm_names(SimpleNamespace(num_classes=classes, pretrained_cfg=config))

    assert names(2, label_names=["golden_retriever", "cat"]) == (("golden retriever",), ("cat",))
    assert names(2, label_names={"1": "n1"}, label_descriptions={"n1": "tabby, tabby cat"}) == (
        (),
        ("tabby", "tabby cat"),
    )
    assert names(1000) == imagenet_names()
    assert names(7) is None
