"""Label Studio: phrases and boxes as predictions for people to correct, and their corrections read back."""

from __future__ import annotations

import math
import re
from collections.abc import Container, Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import parse_qs, quote, unquote, urlsplit

from phrasebox.errors import DataError
from phrasebox.formats._assembling import as_list
from phrasebox.formats._columns import captions_of, choose
from phrasebox.formats._disk_grouping import GroupedOnDisk
from phrasebox.formats._json_stream import list_elements
from phrasebox.formats._lines import head_text
from phrasebox.formats._names import Picture, PictureNames
from phrasebox.formats._reading import storable
from phrasebox.formats._writing import FittedRecords, JsonArray, Written
from phrasebox.io.atomic import replacing_folder
from phrasebox.types import (
    SPLITS,
    WHOLE_IMAGE,
    Box,
    Caption,
    Example,
    GroundedCaption,
    GroundedImage,
    Phrase,
    Remark,
    Skipped,
    Span,
    TruePhrase,
)

LAYOUT = "a JSON list of Label Studio tasks (JSON or JSON-MIN)"
COORDINATES = "x, y, width, height in percent of the picture"
PICTURES = "named"
_OWN_ID = re.compile(r"(\d{1,9})-(\d{1,9})-\d+")  # start and end of the phrase's span, and the number of the box
CONFIG = """<View>
  <Text name="caption" value="$caption"/>
  <Image name="image" value="$image" zoom="true"/>
  <RectangleLabels name="box" toName="image">
    <Label value="part" background="#d1495b"/>
    <Label value="whole image" background="#30638e"/>
  </RectangleLabels>
  <TextArea name="phrase" toName="image" perRegion="true" required="true" editable="true" displayMode="region-list"/>
</View>
"""
PART = "part"
MODEL_VERSION = "phrasebox"


def recognises(source: Path) -> bool:
    """Whether ``source`` is a JSON list whose beginning has the names that tasks have."""
    start = head_text(source).lstrip() if source.suffix.lower() == ".json" else ""
    if not start.startswith("["):
        return False
    return ('"data"' in start and ('"annotations"' in start or '"predictions"' in start)) or (
        '"annotation_id"' in start and '"lead_time"' in start
    )


def read(source: Path, images: Path | None = None) -> Iterator[Example | Skipped | Remark]:
    """Read tasks back; captions with an annotation are ``reviewed``, their phrases are those that people left in it.

    The key is the task's ``key``, else the last part of the image's address, without what an upload puts before it.
    Of several annotations the one marked as ground truth counts, else the one last updated; cancelled ones do not. A
    phrase is looked for in the caption, where several places fit the one nearest to where it was. Rotated rectangles
    become the upright box around them. Tasks without a caption of their own take the texts that people wrote about the
    whole image. In JSON-MIN, boxes and texts of the same place belong together.

    Parameters
    ----------
    images : Path, optional
        Folder of the image files; by default ``images/`` beside the file, else the file's folder.

    Raises
    ------
    DataError
        If the file is not valid JSON (with line and column) or no list.
    """
    names = PictureNames(images, source.parent)
    yield from read_tasks(list_elements(source), names)
    yield from names.remarks()


def read_tasks(tasks: Iterable[object], names: PictureNames | None = None) -> Iterator[Example | Skipped]:
    """Tasks as examples, as `read` does; those of one picture are one example. Raises as ``tasks``.

    Without ``names`` no files are looked for.
    """
    with GroupedOnDisk() as found:
        for number, item in enumerate(tasks):
            task = _without_min(item)
            texts = _captions(task)
            name = _name(task) if texts else None
            if name is None:
                yield Skipped(f"[{number}]", "the task has no image, or no caption")
            elif isinstance(picture := names.seek(name) if names else Picture(name, Path(name)), Skipped):
                yield picture
            else:
                for text, of_task in texts:
                    result = _result(task) if of_task else None
                    found.add(picture.key, {"data": {**task["data"], "caption": text}, "result": result})
        for key, tasks in found:
            yield from _example(names.find(key) if names else Picture(key, Path(key)), tasks)


def _without_min(task: Any) -> Any:
    """A task of JSON-MIN, whose fields stand beside each other, as one of JSON."""
    if not isinstance(task, dict) or isinstance(task.get("data"), dict):
        return task
    data, result = {}, []
    for name, value in task.items():
        placed = [
            one for one in as_list(value) if isinstance(one, dict) and {"x", "y", "width", "height"} <= one.keys()
        ]
        if not placed:
            data[name] = value
        for one in placed:
            place = "-".join(f"{one[side]}" for side in ("x", "y", "width", "height")).replace("-", ",")
            sizes = {side: one[side] for side in ("original_width", "original_height") if side in one}
            result.append({"id": place, "value": one, **sizes})
    return {"data": data, "annotations": [{"result": result}] if result else []}


def _captions(task: Any) -> list[tuple[str, bool]]:
    """The task's caption, or texts that people wrote about the image; and whether its phrases are in the result."""
    data = task.get("data") if isinstance(task, dict) else None
    if not isinstance(data, dict):
        return []
    if isinstance(data.get("caption"), str):
        return [(data["caption"], True)]
    texts = [raw.text for raw in captions_of(data, choose(data).captions)]
    for part in _result(task) or ():
        value = part.get("value") if isinstance(part, dict) else None
        if isinstance(value, dict) and part.get("type") == "textarea" and "x" not in value:
            texts += _texts(value.get("text"))
    return [(text, False) for text in texts if isinstance(text, str)]


def task_key(task: Any) -> str | None:
    """Key of the image that a task is about; None if the task has no image or no caption."""
    data = task.get("data") if isinstance(task, dict) else None
    return _name(task) if isinstance(data, dict) and isinstance(data.get("caption"), str) else None


def _name(task: Mapping[str, Any]) -> str | None:
    data = task["data"]
    if isinstance(data.get("key"), str):
        return data["key"]
    image = data.get(choose(data).image or "")
    return _name_at(image) if isinstance(image, str) else None


def _name_at(address: str) -> str | None:
    """The picture's name in an address as Label Studio has them: a URL, a local file, or an upload.

    Examples
    --------
    >>> _name_at("/data/local-files/?d=photos/two%20dogs.jpg"), _name_at("/data/upload/7/0a1b2c3d-cat.jpg")
    ('two dogs.jpg', 'cat.jpg')
    """
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    path = parse_qs(parts.query).get("d", [unquote(parts.path)])[0]
    name = PurePosixPath(path).name
    return (re.sub(r"^[0-9a-f]{8}-(?=.)", "", name) if "/upload/" in path else name) or None


def _result(task: Mapping[str, Any]) -> list[Any] | None:
    """What the annotation that counts holds, None if there is none."""
    annotations = task.get("annotations")
    if not isinstance(annotations, list):
        return None
    valid = [one for one in annotations if isinstance(one, dict) and isinstance(one.get("result"), list)]
    counting = [one for one in reversed(valid) if not one.get("was_cancelled")]
    chosen = max(counting, key=lambda one: (bool(one.get("ground_truth")), str(one.get("updated_at"))), default=None)
    return chosen["result"] if chosen else None


class _Region(NamedTuple):
    """A box with one of its phrases."""

    box: Box
    text: str
    whole_image: bool
    was: int | None
    """Start of the phrase when it was exported, if the region's id still has it."""


def _example(picture: Picture, tasks: Sequence[Mapping[str, Any]]) -> Iterator[Example | Skipped]:
    key = picture.key
    size = next((size for task in tasks if (size := _size(task))), None)
    captions: dict[str, Caption] = {}
    for task in tasks:
        result = task["result"]
        try:
            text = storable(task["data"]["caption"])
            if result is None:
                captions.setdefault(text, Caption(text))
            else:
                phrases = yield from _corrected(key, text, result, size)
                captions[text] = Caption(text, phrases, reviewed=True)
        except DataError as error:
            yield Skipped(key, str(error), "caption")
    split = next((task["data"]["split"] for task in tasks if task["data"].get("split") in SPLITS), "train")
    try:
        yield Example(key, picture.path, tuple(captions.values()), split, size=size, sought=picture.sought)
    except DataError as error:
        yield Skipped(key, str(error))


def _corrected(
    key: str, caption: str, result: Sequence[Any], size: tuple[int, int] | None
) -> Generator[Skipped, None, tuple[TruePhrase, ...]]:
    """The phrases of one annotation in reading order; yields a `Skipped` for each region that is not valid."""
    found: dict[Span, list[_Region]] = {}
    for region_id, parts in _by_id(result).items():
        try:
            for region in _read_region(region_id, parts, size):
                span = _span(caption, region.text, region.was, found)
                if span is None:
                    raise DataError(f"the phrase {region.text!r} is not in the caption {caption!r}")
                found.setdefault(span, []).append(region)
        except DataError as error:
            yield Skipped(f"{key}#{region_id}", str(error), "box")
    return tuple(_phrase(caption, span, same) for span, same in sorted(found.items(), key=lambda item: item[0]))


def _phrase(caption: str, span: Span, regions: Sequence[_Region]) -> TruePhrase:
    boxes = tuple(dict.fromkeys(region.box for region in regions))
    types = (WHOLE_IMAGE,) if all(region.whole_image for region in regions) else ()
    return TruePhrase(caption[slice(*span)], span, boxes, types)


def _size(task: Mapping[str, Any]) -> tuple[int, int] | None:
    """Image size in pixels: the one Label Studio measured, else that of the task."""
    for place, width, height in (
        *((part, "original_width", "original_height") for part in task["result"] or () if isinstance(part, dict)),
        (task["data"], "width", "height"),
    ):
        w, h = place.get(width), place.get(height)
        if isinstance(w, int) and isinstance(h, int) and w > 0 and h > 0:
            return w, h
    return None


def _by_id(result: Sequence[Any]) -> dict[str, list[Mapping[str, Any]]]:
    """The parts of an annotation by the id of their region."""
    regions: dict[str, list[Mapping[str, Any]]] = {}
    for part in result:
        if isinstance(part, dict) and isinstance(part.get("value"), dict):
            regions.setdefault(str(part.get("id", "")), []).append(part["value"])
    return regions


def _read_region(region_id: str, parts: Sequence[Mapping[str, Any]], size: tuple[int, int] | None) -> list[_Region]:
    """The phrases of one region, none if nothing of it is a rectangle."""
    box = next((part for part in parts if isinstance(part.get("rectanglelabels", part.get("rectangle")), list)), None)
    if box is None:
        return []
    if size is None:
        raise DataError("neither the box nor the task states the size of the image")
    labels = [str(label) for label in box.get("rectanglelabels", ())]
    texts = [text for part in parts for text in _texts(part.get("text"))]
    texts = texts or [label for label in labels if label not in (PART, WHOLE_IMAGE)]
    if not texts:
        raise DataError("the box has no phrase; write the words of the caption into its text area")
    own = _OWN_ID.fullmatch(region_id)
    return [_Region(_box(box, *size), text, WHOLE_IMAGE in labels, int(own[1]) if own else None) for text in texts]


def _texts(value: object) -> list[str]:
    texts = value if isinstance(value, list) else [value]
    return [text.strip() for text in texts if isinstance(text, str) and text.strip()]


def _box(value: Mapping[str, Any], width: int, height: int) -> Box:
    """The upright box, to 1/100 pixel, around a rectangle in percent, turned clockwise about its top left corner."""
    try:
        x, w = (float(value[name]) * width / 100 for name in ("x", "width"))
        y, h = (float(value[name]) * height / 100 for name in ("y", "height"))
        angle = math.radians(float(value.get("rotation") or 0))
    except (KeyError, TypeError, ValueError):
        raise DataError("the box lacks a number among x, y, width and height") from None
    cos, sin = math.cos(angle), math.sin(angle)
    corners = [(x + a * cos - b * sin, y + a * sin + b * cos) for a in (0, w) for b in (0, h)]
    xs, ys = zip(*corners, strict=True)
    return Box(*(round(edge, 2) for edge in (min(xs), min(ys), max(xs), max(ys))))


def _span(caption: str, text: str, was: int | None, taken: Container[Span]) -> Span | None:
    """Span of a text in a caption: the one nearest to where it was, else the first that is not taken."""
    loose = r"\s+".join(map(re.escape, text.split()))
    # Looking ahead finds places that overlap: "a dog a" twice in "a dog a dog a".
    places = [match.span(1) for match in re.finditer(f"(?=({loose}))", caption, re.IGNORECASE)]
    if unmoved := next((span for span in places if span[0] == was), None):
        return unmoved
    whole = [(start, end) for start, end in places if not _cuts_word(caption, start) and not _cuts_word(caption, end)]
    places = whole or places
    if was is not None:
        return min(places, key=lambda span: abs(span[0] - was), default=None)
    return next((span for span in places if span not in taken), places[0] if places else None)


def _cuts_word(text: str, at: int) -> bool:
    return 0 < at < len(text) and text[at - 1].isalnum() and text[at].isalnum()


def write(path: Path, records: Iterable[GroundedImage]) -> Written:
    """Write a new folder with ``tasks.json``, a task a caption, and ``config.xml``, the project's labelling interface.

    Phrases are predictions: a rectangle in percent of the image, and a text area of the same id with the phrase.
    Pictures are not copied: a task names them as ``/data/local-files/?d=<images folder>/<key>``, so that Label Studio
    finds them with ``LOCAL_FILES_SERVING_ENABLED=true``, ``LOCAL_FILES_DOCUMENT_ROOT`` at the folder above the images
    folder, and the images folder connected to the project as local storage. What people made of the tasks is exported
    from there as JSON and read back by `label_studio.read`.

    Raises
    ------
    DataError
        If ``path`` is not a new or empty folder, or cannot be written.
    """
    fitted = FittedRecords(records)
    with replacing_folder(path) as part, (part / "tasks.json").open("w", encoding="utf-8", newline="\n") as file:
        (part / "config.xml").write_text(CONFIG, encoding="utf-8", newline="\n")
        file.write("[")
        tasks = JsonArray(file)
        for record in fitted:
            for caption in record.captions:
                tasks.add(_task(record, caption))
        file.write("\n]\n")
    return fitted.report()


def _task(record: GroundedImage, caption: GroundedCaption) -> dict[str, Any]:
    return {
        "data": {
            "image": f"/data/local-files/?d={quote(_served(record))}",
            "caption": caption.text,
            "key": record.key,
            "split": record.split,
            "width": record.width,
            "height": record.height,
        },
        "predictions": [prediction(caption.phrases, record.width, record.height)],
    }


def prediction(phrases: Sequence[Phrase], width: int, height: int) -> dict[str, Any]:
    """A task's prediction for `CONFIG`: the phrases, one box each, in an image of ``width`` x ``height`` pixels."""
    boxes: dict[Span, int] = {}
    result = []
    for phrase in phrases:
        boxes[phrase.span] = boxes.get(phrase.span, 0) + 1
        result += _region(phrase, boxes[phrase.span], width, height)
    confidences = [phrase.confidence for phrase in phrases]
    score = sum(confidences) / len(confidences) if confidences else 0.0
    return {"model_version": MODEL_VERSION, "score": score, "result": result}


def _region(phrase: Phrase, number: int, width: int, height: int) -> list[dict[str, Any]]:
    box = phrase.box
    place = {
        "x": 100 * box.x1 / width,
        "y": 100 * box.y1 / height,
        "width": 100 * box.width / width,
        "height": 100 * box.height / height,
        "rotation": 0,
    }
    common = {
        "id": f"{phrase.span[0]}-{phrase.span[1]}-{number}",
        "to_name": "image",
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "score": phrase.confidence,
    }
    label = WHOLE_IMAGE if phrase.whole_image else PART
    return [
        common | {"from_name": "box", "type": "rectanglelabels", "value": place | {"rectanglelabels": [label]}},
        common | {"from_name": "phrase", "type": "textarea", "value": place | {"text": [phrase.text]}},
    ]


def _served(record: GroundedImage) -> str:
    """The images folder's name and the key; the file's own folder where the key is not the end of its path."""
    image = record.image.as_posix()
    if image.endswith(f"/{record.key}"):
        return f"{PurePosixPath(image.removesuffix(f'/{record.key}')).name}/{record.key}"
    return f"{record.image.parent.name}/{record.image.name}"
