from __future__ import annotations

from phrasebox.web.page.results import panels, sheet


def test_tables_and_curves_of_the_workspace(visit, server, shoot):
    page = visit(f"{server.url}/results")
    page.wait_for_selector("#panel-results .sheet")
    titles = page.locator("#panel-results .chart b").all_inner_texts()
    assert {"Loss", "Recall@1 (%)"} <= set(titles)
    recall = page.locator(".chart", has_text="Recall@1")
    assert recall.locator("path.line").count() == 2
    assert "from 17 to 24.6 in 2" in recall.locator("svg").get_attribute("aria-label")
    frame = recall.locator("svg").bounding_box()
    page.mouse.move(frame["x"] + frame["width"] - 15, frame["y"] + 50)
    assert "epoch 2" in recall.locator(".reading").inner_text()
    assert "24.6" in recall.locator(".reading").inner_text()
    table = page.locator(".sheet").first
    assert "Retrieval" in table.locator("caption").inner_text()
    assert table.locator("tbody tr").count() == 2
    assert "image->sentence" in table.inner_text()
    shoot(page, "results", full_page=True)


def test_logs_become_curves():
    epochs = [{"epoch": 0, "loss": 2.0, "cider": None, "phase": "words", "seconds": 3}, {"epoch": 1, "loss": 1.0}]
    assert panels(epochs) == [("Loss", [{"name": "Loss", "k": 0, "values": [2.0, 1.0]}])]
    assert panels([]) == []


def test_cells_of_tables():
    row = {"type": "all", "phrases": 12, "acc": 30.77, "acc sd": 1.25, "other": None}
    shown = sheet({"protocol": "grounding", "split": "val", "seeds": [0, 1], "rows": [row]})
    assert shown["rows"] == [["all", "12", "30.8 ± 1.2", "n/a"]]
    assert [head["right"] for head in shown["heads"]] == [False, True, True, True]
    assert shown["more"] == "split val, seed 0, 1"
