"""Tools for language models, by the Model Context Protocol: ground, describe, search, review status."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, TypeVar

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field

from phrasebox.errors import NotFoundError, PhraseboxError
from phrasebox.io.version import __version__
from phrasebox.web.pictures import ImageArgument
from phrasebox.web.service import Service

T = TypeVar("T")
Image = Annotated[str, Field(description="Key of an image of the workspace, or path of an image file.")]
_ABOUT = (
    "Says which words of a sentence describe which part of a picture, describes pictures, and searches a workspace of "
    "captioned pictures. Boxes are x1, y1, x2, y2 in pixels of the upright picture. Scores rank; they do not say "
    "whether a sentence is true. A hit that is weak scores like pictures that have nothing to do with the sentence."
)


def build(service: Service) -> MCPServer:
    """A server with four tools on a service with a workspace; `MCPServer.run` serves standard input and output."""
    server = MCPServer("phrasebox", instructions=_ABOUT, version=__version__, log_level="ERROR")

    @server.tool()
    async def ground(
        image: Image, sentence: Annotated[str, Field(min_length=1, description="A sentence about the image.")]
    ) -> dict[str, Any]:
        """Find the box of every phrase of a sentence in an image."""
        return (await _answer(service.ground(_image(service, image), sentence))).to_json()

    @server.tool()
    async def describe(
        image: Image, regions: Annotated[int, Field(ge=0, description="Largest number of described regions.")] = 8
    ) -> dict[str, Any]:
        """Describe an image in a sentence, and its most salient regions in phrases with boxes."""
        return (await _answer(service.describe(_image(service, image), regions))).to_json()

    @server.tool()
    async def search(
        sentence: Annotated[str, Field(min_length=1, description="What to search for.")],
        k: Annotated[int, Field(ge=1, description="Largest number of results.")] = 10,
        region: Annotated[bool, Field(description="Find single boxes instead of images.")] = False,
        min_score: Annotated[float | None, Field(description="Leave out hits with a lower score.")] = None,
    ) -> dict[str, Any]:
        """Find the images of the workspace that match a sentence best, with the box of every phrase."""
        hits = (await _answer(service.search(sentence, k, region, min_score))).hits
        return {"hits": [{n: v for n, v in hit.to_json().items() if n != "words"} for hit in hits]}

    @server.tool()
    def review_status() -> dict[str, Any]:
        """How many phrases of the workspace were accepted, rejected, edited, and are still open, and by whom."""
        try:
            return asdict(service.review.progress())
        except PhraseboxError as error:
            raise ToolError(str(error)) from None

    return server


async def _answer(work: Awaitable[T]) -> T:
    """What the service answers; an error that a user can cause is told to the model."""
    try:
        return await work
    except PhraseboxError as error:
        raise ToolError(str(error)) from None


def _image(service: Service, image: str) -> ImageArgument:
    """The key, if the workspace has such an image, else the bytes of the file."""
    try:
        return service.pictures.row(image).key
    except NotFoundError:
        pass
    try:
        with Path(image).expanduser().open("rb") as file:
            data = file.read(service.limits.bytes + 1)
    except (OSError, ValueError):
        raise ToolError(f"{image!r} is neither an image of the workspace nor a file") from None
    if len(data) > service.limits.bytes:
        raise ToolError(f"{image!r} has more than {service.limits.bytes:,} bytes")
    return data
