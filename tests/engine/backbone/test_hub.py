"""A hub that says no, or nothing: the message says what to do. Nothing here reaches the network."""

from pathlib import Path
from typing import Any

import httpx2
import pytest
from huggingface_hub import errors

from engine.backbone import hub
from engine.errors import UserError


def refuse(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def model_info(*given: Any, **named: Any) -> None:
        raise error

    monkeypatch.setattr(hub.HfApi, "model_info", model_info)


def answer(status: int) -> Any:
    return httpx2.Response(status, request=httpx2.Request("GET", "https://huggingface.co/api/models/a/b"))


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (httpx2.ConnectError("no route"), "cannot be reached"),
        (errors.OfflineModeIsEnabled("offline"), "cannot be reached"),
        (errors.GatedRepoError("gated", response=answer(403)), "accepted its licence"),
        (errors.RepositoryNotFoundError("none", response=answer(404)), "no model 'a/b'"),
    ],
)
def test_a_refusal_names_the_offline_alternatives(
    error: Exception, says: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    refuse(error, monkeypatch)
    monkeypatch.setattr(hub, "try_to_load_from_cache", lambda *given, **named: None)
    with pytest.raises(UserError, match=says) as found:
        hub.fetch("a/b", None)
    assert "backbone=scratch" in found.value.remedy and "backbone=path" in found.value.remedy


def test_a_refusal_of_a_sentence_encoder_names_its_own_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(errors.RepositoryNotFoundError("none", response=answer(404)), monkeypatch)
    with pytest.raises(UserError, match="no model 'a/b'") as found:
        hub.fetch("a/b", None, "backbone.text_model")
    assert found.value.location == "backbone.text_model" and "package:NAME" in found.value.remedy


def test_without_a_connection_the_cache_is_taken_and_its_commit_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    refuse(httpx2.ConnectError("no route"), monkeypatch)
    config = tmp_path / "snapshots" / "0123abc" / "config.json"
    monkeypatch.setattr(hub, "try_to_load_from_cache", lambda *given, **named: str(config))
    assert hub.fetch("a/b", None) == (config.parent, "0123abc")
