"""The web page: five tabs over a `phrasebox.web.Service`, with separate state for each open page."""

from phrasebox.web.page.mounting import mount

__all__ = ["mount"]
