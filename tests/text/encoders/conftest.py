"""Tiny encoders of each family with random weights, saved in the layouts of their libraries."""

from __future__ import annotations

from pathlib import Path

import pytest

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "dog", "runs", "##ner", "run", "女", "人", "كلب", ".", "b", "##b"]


def tokenizer():
    """A fast tokenizer of word pieces."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(PIECES)}, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        bos_token="[CLS]", eos_token="[SEP]", model_max_length=12,
    )  # fmt: skip


def bert(folder: Path) -> Path:
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    BertModel(BertConfig(vocab_size=len(PIECES), hidden_size=8, num_hidden_layers=1, num_attention_heads=2,
                         intermediate_size=8, max_position_embeddings=16)).save_pretrained(folder)  # fmt: skip
    tokenizer().save_pretrained(folder)
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# Tiny\n")
    return folder


def t5(folder: Path) -> Path:
    import torch
    from transformers import T5Config, T5Model

    torch.manual_seed(0)
    T5Model(T5Config(vocab_size=len(PIECES), d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2,
                     decoder_start_token_id=0)).save_pretrained(folder)  # fmt: skip
    tokenizer().save_pretrained(folder)
    return folder


def clip(folder: Path) -> Path:
    import torch
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(0)
    text = {"vocab_size": len(PIECES), "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
            "intermediate_size": 8, "max_position_embeddings": 16, "eos_token_id": 3, "bos_token_id": 2}  # fmt: skip
    vision = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8,
              "image_size": 16, "patch_size": 8}  # fmt: skip
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=4)).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def sentence_transformer(folder: Path) -> Path:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    network = Transformer(str(bert(folder / "network")))
    SentenceTransformer(modules=[network, Pooling(8)], device="cpu").save(str(folder / "whole"))
    return folder / "whole"


def static_sentence_transformer(folder: Path) -> Path:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    module = StaticEmbedding(tokenizer().backend_tokenizer, embedding_dim=6)
    SentenceTransformer(modules=[module], device="cpu").save(str(folder / "static"))
    return folder / "static"


def open_clip_folder(folder: Path) -> Path:
    import json

    import open_clip
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    config = {
        "embed_dim": 8,
        "vision_cfg": {"image_size": 16, "layers": 1, "width": 16, "head_width": 8, "patch_size": 8},
        "text_cfg": {"context_length": 8, "vocab_size": 49408, "width": 8, "heads": 2, "layers": 1},
    }
    folder.mkdir(parents=True)
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": {}}))
    save_file(open_clip.model.CLIP(**config).state_dict(), folder / "open_clip_model.safetensors")
    return folder


MADE = {
    "hf bert": ("hf", bert), "hf t5": ("hf", t5), "hf clip": ("hf", clip), "st": ("st", sentence_transformer),
    "st static": ("st", static_sentence_transformer), "open_clip": ("open_clip", open_clip_folder),
}  # fmt: skip
NEEDS = {"st": "sentence_transformers", "st static": "sentence_transformers", "open_clip": "open_clip"}


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """Gives the name of a tiny encoder by its family in `MADE`; skips where its library is missing."""
    names: dict[str, str] = {}

    def name(family: str) -> str:
        if family in NEEDS:
            pytest.importorskip(NEEDS[family])
        if family not in names:
            kind, make = MADE[family]
            names[family] = f"{kind}:{make(tmp_path_factory.mktemp('encoders') / family.replace(' ', '-'))}"
        return names[family]

    return name
