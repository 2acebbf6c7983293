"""Models and a workspace for several people at once: the service, its HTTP API and its page."""

from phrasebox.web.limits import Limits
from phrasebox.web.service import Service

__all__ = ["Limits", "Service"]
