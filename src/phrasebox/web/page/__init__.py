"""The page: five tabs over a `phrasebox.web.Service`, each visitor with a state of its own."""

from phrasebox.web.page.mounting import mount

__all__ = ["mount"]
