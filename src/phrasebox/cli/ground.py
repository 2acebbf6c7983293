"""phrasebox ground: find the region-phrase pairs of every caption."""

from __future__ import annotations

from dataclasses import replace

from phrasebox.cli.app import COMMON, Common, WorkspacePath
from phrasebox.cli.shared import EngineName, bulk_engine, say, session


def ground(
    ws: WorkspacePath,
    /,
    *,
    model: str | None = None,
    beta: float | None = None,
    prior: float | None = None,
    verbs: bool = False,
    fresh: bool = False,
    engine: EngineName = "local",
    address: str | None = None,
    common: Common = COMMON,
) -> None:
    """Find the phrases of every caption and the region that each describes.

    Parameters
    ----------
    model
        Folder or hub id of an aligner; or names or an image-text model (open_clip:ID, hf:ID), to do without captions.
        Default: the workspace's own, or the built-in one.
    beta
        Chain strength, at least 0; larger makes longer segments. Default: the model's own.
    prior
        Weight of the prior (class names, or an image-text backbone) beside the learned scores, 0 for none. Default: the
        model's own.
    verbs
        Keep verbs: phrases are cut from the decoded chain, as in captions that are not English. Default: noun phrases.
    fresh
        Discard existing phrases and decode again, for example with another model or beta.
    engine
        Where captions are decoded: local (processes on this machine) or ray (a cluster).
    address
        Address of the Ray cluster, such as auto or HOST:6379; default: start one on this machine.
    """
    from phrasebox.aligner.known_words import unknown_note
    from phrasebox.pipeline.local import Counts
    from phrasebox.stages.ground import ground as job
    from phrasebox.stages.ground import is_grounded

    where = bulk_engine(common, engine, address)
    with session(ws, common) as opened:
        workspace = opened.workspace
        if not fresh and is_grounded(workspace, model, beta, prior, verbs):
            counts = Counts()
        else:
            aligner = replace(opened.aligner(model, prior), verbs=verbs)
            counts = job(workspace, aligner, beta, fresh, opened.silent, where)
        grounded, pairs = workspace.keys("phrases"), workspace.count("phrases")
        captions = sum(len(row.captions) for batch in workspace.images(keys=grounded) for row in batch)
        texts = (row for part in workspace.phrases(("text", "unknown")) for row in part.to_pylist())
        told = unknown_note((row["text"], bool(row.get("unknown"))) for row in texts)
    say(
        common,
        {"images": len(grounded), "captions": captions, "pairs": pairs, "new_images": counts.done},
        f"{pairs} region-phrase pairs in {captions} captions of {len(grounded)} images, {counts.done} of them new",
        *([told] if told else []),
    )
