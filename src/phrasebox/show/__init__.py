"""Pictures of what was learnt: groundings as figures, a gallery as one HTML file, training curves."""

from __future__ import annotations

from phrasebox.show.curves import Panel, curves
from phrasebox.show.draw import draw_grounding
from phrasebox.show.gallery import GalleryItem, gallery

__all__ = ["GalleryItem", "Panel", "curves", "draw_grounding", "gallery"]
