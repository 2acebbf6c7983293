"""Tiny word encoders of every family with random weights, saved as the hub and the libraries lay them out."""

from __future__ import annotations

from collections.abc import Callable
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


def bert(folder: Path) -> None:
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    BertModel(BertConfig(vocab_size=len(PIECES), hidden_size=8, num_hidden_layers=1, num_attention_heads=2,
                         intermediate_size=8, max_position_embeddings=16)).save_pretrained(folder)  # fmt: skip
    tokenizer().save_pretrained(folder)
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# Tiny\n")


def t5(folder: Path) -> None:
    import torch
    from transformers import T5Config, T5Model

    torch.manual_seed(0)
    T5Model(T5Config(vocab_size=len(PIECES), d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2,
                     decoder_start_token_id=0)).save_pretrained(folder)  # fmt: skip
    tokenizer().save_pretrained(folder)


def clip(folder: Path) -> None:
    import torch
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(0)
    text = {"vocab_size": len(PIECES), "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
            "intermediate_size": 8, "max_position_embeddings": 16, "eos_token_id": 3, "bos_token_id": 2}  # fmt: skip
    vision = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8,
              "image_size": 16, "patch_size": 8}  # fmt: skip
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=4)).save_pretrained(folder)
    tokenizer().save_pretrained(folder)


def sentence_transformer(folder: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    inner = folder.with_name(f"{folder.name}-network")
    bert(inner)
    network = Transformer(str(inner))
    SentenceTransformer(modules=[network, Pooling(8)], device="cpu").save(str(folder))


def static_sentence_transformer(folder: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    module = StaticEmbedding(tokenizer().backend_tokenizer, embedding_dim=6)
    SentenceTransformer(modules=[module], device="cpu").save(str(folder))


def open_clip_folder(folder: Path) -> None:
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
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": {}}))
    save_file(open_clip.model.CLIP(**config).state_dict(), folder / "open_clip_model.safetensors")


MADE = {
    "hf bert": ("hf", bert), "hf t5": ("hf", t5), "hf clip": ("hf", clip), "st": ("st", sentence_transformer),
    "st static": ("st", static_sentence_transformer), "open_clip": ("open_clip", open_clip_folder),
}  # fmt: skip
"""Family -> prefix of the name, and what fills a folder with an encoder."""

_NEEDS = {"st": "sentence_transformers", "st static": "sentence_transformers", "open_clip": "open_clip"}


def made(family: str, made_once: Callable[[str, Callable[[Path], None]], Path]) -> str:
    """The name of a tiny encoder, in a folder that is made once a run of the tests; skips if its library is missing."""
    if family in _NEEDS:
        pytest.importorskip(_NEEDS[family])
    kind, fill = MADE[family]
    own = family.replace(" ", "-")
    return f"{kind}:{made_once(f'words-{own}', fill)}"
