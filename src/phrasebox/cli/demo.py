"""phrasebox demo: run the pipeline on the built-in sample images."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from phrasebox.cli.app import COMMON, Common
from phrasebox.cli.regions import regions
from phrasebox.cli.run import run
from phrasebox.cli.shared import device, print_phrases
from phrasebox.errors import PhraseboxError
from phrasebox.regions import settings as region_settings


def demo(ws: Path = Path("demo"), /, *, common: Common = COMMON) -> None:
    """Import, ground, export and describe the built-in sample photographs, and print the results.

    Parameters
    ----------
    ws
        Folder of the workspace, created if missing.
    """
    from phrasebox.captioner import Captioner
    from phrasebox.io import sample
    from phrasebox.show.description import descriptions_page
    from phrasebox.workspace.workspace import Workspace

    photographs = sample.images_folder()
    captions = sample.write_captions(Workspace.create(ws).path / "sample.json")
    inner = replace(common, json=False, quiet=True)
    workspace = Workspace(ws)
    try:
        run(captions, ws, format="karpathy", images=photographs, common=inner)
    except PhraseboxError:
        if "regions" not in workspace.stages or not set(workspace.keys("images")) <= sample.CAPTIONS.keys():
            raise
        modern = region_settings.REGION_PRESETS["modern"]
        regions(ws, settings=modern, fresh=True, common=inner)  # the regions there were made by an older version
        run(captions, ws, format="karpathy", images=photographs, common=inner)
    shown = [(image.key, caption.text, caption.phrases) for image in workspace.grounded() for caption in image.captions]
    captioner = Captioner.load(device=device(common), workers=common.workers)
    described = captioner.describe_many([regions for batch in workspace.regions() for regions in batch])
    pictures = {row.key: Path(row.path) for batch in workspace.images() for row in batch}
    descriptions_page([(pictures[d.key], d) for d in described], ws / "out" / "described.html")
    files = sorted(str(path) for path in (ws / "out").iterdir())
    if common.json:
        phrases = [{"image": key, **phrase.to_json()} for key, _, found in shown for phrase in found]
        print(json.dumps({"phrases": phrases, "described": [d.to_json() for d in described], "files": files}))
        return
    if common.quiet:
        return
    pairs = sum(len(phrases) for *_, phrases in shown)
    print_phrases(f"{pairs} region-phrase pairs from {workspace.count('images')} photographs", shown)
    print("\nCaptions by the built-in captioner, which was trained on people, dogs and sports only:")
    width = max(len(d.key) for d in described)
    for d in described:
        print(f"  {d.key:{width}}  {d.certainty:.2f}  {d.shown}")
    print(f"\nLook at   {ws / 'out' / 'gallery.html'}: phrases and boxes")
    print(f"          {ws / 'out' / 'described.html'}: captions of photographs and regions")
    print("Exported  " + ", ".join(f for f in files if not f.endswith(".html")))
    print("\nNext      phrasebox point PHOTO.jpg 'A sentence about it .' --out grounded.png")
    print("          phrasebox run CAPTIONS.json WS --images FOLDER")
    print(f"          phrasebox serve {ws}")
