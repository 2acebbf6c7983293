"""Pictures of what was learnt: groundings as figures, galleries and finds as sheets and HTML files, training curves."""

from __future__ import annotations

from phrasebox.show.curves import Panel, curves
from phrasebox.show.draw import draw_grounding
from phrasebox.show.gallery import GalleryItem, gallery
from phrasebox.show.sheet import Found, sheet, sheet_page

__all__ = ["Found", "GalleryItem", "Panel", "curves", "draw_grounding", "gallery", "sheet", "sheet_page"]
