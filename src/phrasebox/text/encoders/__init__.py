"""Word encoders: the registry behind ``--words``."""

from __future__ import annotations

from phrasebox.text.encoders.registry import AUTO, DEFAULT, load_encoder, prefix, valid_name

__all__ = ["AUTO", "DEFAULT", "load_encoder", "prefix", "valid_name"]
