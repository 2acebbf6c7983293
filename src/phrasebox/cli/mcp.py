"""phrasebox mcp: tools for language models on a workspace."""

from __future__ import annotations

from phrasebox.cli.app import COMMON, Common, WorkspacePath
from phrasebox.cli.shared import device
from phrasebox.errors import MissingExtraError


def mcp(
    ws: WorkspacePath, /, *, model: str | None = None, captioner: str | None = None, common: Common = COMMON
) -> None:
    """Serve four tools to language models over standard input and output, by the Model Context Protocol.

    The tools are ground, describe, search and review_status. A client, such as an editor or a chat program, starts this
    command by itself.

    Parameters
    ----------
    model
        Folder or hub id of an aligner; default: the workspace's own, or the built-in one.
    captioner
        Folder or hub id of a captioner; default: the workspace's own, or the built-in one.
    """
    try:
        from phrasebox.web.tools import build
    except ImportError as error:
        raise MissingExtraError((error.name or "mcp").partition(".")[0], "mcp") from None
    from phrasebox.web.service import Service
    from phrasebox.workspace.workspace import Workspace

    service = Service(Workspace(ws), model, captioner, device=device(common), workers=common.workers)
    try:
        build(service).run("stdio")
    except KeyboardInterrupt:
        pass
    finally:
        service.close()
