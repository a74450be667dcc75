"""The README's examples, run as they stand there on a folder that the command has written."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.cli import main
from engine.recommend.recommendations import best_items, load
from tests.engine.shipping.conftest import Exported, histories

README = Path(__file__).parents[3] / "engine" / "shipping" / "README.md"
ONNX, INDEX = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def run(code: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(code, names)
    return names


def test_onnx_runtime_lists_what_recommend_lists(
    seven_stages: Path, exported: Exported, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(exported.folder)
    assert "DIR/model.onnx" in exported.out.splitlines()
    assert "ONNX Runtime differs by at most" in exported.err
    items = run(ONNX)["items"]
    ours = best_items(load(seven_stages / "distill").model, histories([3, 17, 5], [8]), 5)
    assert items.tolist() == [[item for item, _ in one] for one in ours]


def test_an_index_finds_what_recommend_lists_with_seen_items(
    seven_stages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("faiss", reason="not installed: pip install 'recdistill[index]'")
    monkeypatch.chdir(tmp_path)
    assert main(["export", "model", "distill", "--to", "DIR", "--runs", str(seven_stages), "--format", "npy"]) == 0
    found = run(INDEX)
    ours = list(best_items(load(seven_stages / "distill").model, histories([3, 17, 5], [8]), 10, hide_seen=False))
    assert found["items"].tolist() == [[item for item, _ in one] for one in ours]
    assert np.allclose(found["scores"], [[score for _, score in one] for one in ours], atol=1e-5)
