from __future__ import annotations

import re
from pathlib import Path

import pytest

from phrasebox.regions.backbones.licences import LICENCES, licence_of

PAGE = Path(__file__).parents[3] / "docs" / "use" / "encoders.md"


def test_the_guide_has_the_same_names_and_licences():
    rows = re.findall(r"^\| `([^`]+\*[^`]*)` \| ([^|]+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert dict(rows) == {name: str(licence) for name, licence in LICENCES.items()}


@pytest.mark.parametrize(
    ("card", "told"),
    [
        ("---\nlicense: cc-by-nc-4.0\ntags:\n- x\n---\n# Mine", "cc-by-nc-4.0, non-commercial"),
        ("---\nlicense: other\nlicense_name: apple-amlr\n---\n", "apple-amlr, non-commercial"),
        ("---\nlicense: apache-2.0\n---\n", "apache-2.0"),
    ],
)
def test_a_folder_says_its_own(card, told, tmp_path):
    (tmp_path / "README.md").write_text(card)
    assert str(licence_of(f"hf:{tmp_path}")) == told


def test_a_card_without_a_licence_says_nothing(tmp_path):
    (tmp_path / "README.md").write_text("# license: mit\n")
    assert licence_of(f"hf:{tmp_path}") is None
