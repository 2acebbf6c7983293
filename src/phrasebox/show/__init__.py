"""Figures and HTML files: groundings, descriptions, galleries, search results and training curves."""

from __future__ import annotations

from phrasebox.show.curves import Panel, curves
from phrasebox.show.draw import draw_grounding
from phrasebox.show.gallery import GalleryItem, gallery
from phrasebox.show.sheet import Found, sheet, sheet_page

__all__ = ["Found", "GalleryItem", "Panel", "curves", "draw_grounding", "gallery", "sheet", "sheet_page"]
