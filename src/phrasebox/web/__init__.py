"""Web service for several users: HTTP API and web page over the models and a workspace."""

from phrasebox.web.limits import Limits
from phrasebox.web.service import Service

__all__ = ["Limits", "Service"]
