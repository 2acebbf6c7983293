"""From pixels to a feature map: the networks and the engines that run them."""

from __future__ import annotations

from phrasebox.regions.backbones.backbone import Backbone, load_backbone, load_network

__all__ = ["Backbone", "load_backbone", "load_network"]
