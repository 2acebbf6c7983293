import sys
from pathlib import Path

import pytest

from phrasebox.io.lazy import defer, lazy


def test_a_name_is_found_in_its_module() -> None:
    import phrasebox.io
    from phrasebox.io.offline import is_offline

    find = lazy("phrasebox.io", {"is_offline": "offline"})
    assert find("is_offline") is is_offline
    with pytest.raises(AttributeError, match=r"phrasebox\.io.*nothing"):
        find("nothing")
    assert phrasebox.io


def test_a_deferred_package_runs_when_it_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "deferred_package"
    folder.mkdir()
    (folder / "__init__.py").write_text("from deferred_package import slow\nNAME = slow.NAME\n")
    (folder / "slow.py").write_text("NAME = 'found'\n")
    (folder / "quick.py").write_text("NAME = 'quick'\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    defer("deferred_package")
    from deferred_package.quick import NAME  # pyright: ignore[reportMissingImports]

    assert NAME == "quick"
    assert "deferred_package.slow" not in sys.modules
    import deferred_package  # pyright: ignore[reportMissingImports]

    assert deferred_package.NAME == "found"
    defer("there_is_no_such_package")
    assert "there_is_no_such_package" not in sys.modules
