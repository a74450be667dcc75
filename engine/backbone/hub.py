"""Language models of the Hugging Face hub: found, their commit recorded, fetched into the hub's own cache."""

from pathlib import Path

from huggingface_hub import HfApi, snapshot_download, try_to_load_from_cache
from huggingface_hub.errors import (  # type: ignore[attr-defined]  # HTTPError: of the library that the client uses
    GatedRepoError,
    HFValidationError,
    HTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from engine.backbone.model_files import ALTERNATIVES, ENCODERS, PATTERNS
from engine.errors import UserError

PATIENCE = 10.0  # seconds the hub has to answer its first question
REMEDIES = {"backbone.name": ALTERNATIVES, "backbone.text_model": ENCODERS}  # of the setting that names the model


def fetch(name: str, revision: str | None, setting: str = "backbone.name") -> tuple[Path, str]:
    """The folder with the files of ``owner/name`` and the commit they are of. UserError says why there is none.

    The hub is asked once which commit ``revision`` is; when it cannot be reached, what the cache holds is taken.
    """
    try:
        commit = HfApi().model_info(name, revision=revision, timeout=PATIENCE).sha
        folder = Path(snapshot_download(name, revision=commit, allow_patterns=list(PATTERNS)))
    except GatedRepoError as error:
        raise UserError(
            f"the hub gives {name} only to accounts that accepted its licence",
            location=setting,
            remedy=f"Accept it at https://huggingface.co/{name}, then set HF_TOKEN. {REMEDIES[setting]}",
        ) from error
    except (RepositoryNotFoundError, RevisionNotFoundError, HFValidationError) as error:
        raise UserError(
            f"the hub has no model {name!r}{f' at revision {revision!r}' if revision else ''}",
            location=setting,
            remedy=f"Look for its name on https://huggingface.co/models. {REMEDIES[setting]}",
        ) from error
    except (HTTPError, OfflineModeIsEnabled, LocalEntryNotFoundError, OSError) as error:
        return _cached(name, revision, setting, error)
    if not commit:
        raise UserError(f"the hub names no commit of {name!r}", location=setting, remedy=REMEDIES[setting])
    return folder, commit


def _cached(name: str, revision: str | None, setting: str, error: Exception) -> tuple[Path, str]:
    """What an earlier fetch left in the cache; its folder is named after the commit."""
    config = try_to_load_from_cache(name, "config.json", revision=revision)
    if not isinstance(config, str):
        raise UserError(
            f"the hub cannot be reached ({error}) and its cache has no {name!r}",
            location=setting,
            remedy=f"Connect, or copy the hub's cache (HF_HOME) here. {REMEDIES[setting]}",
        ) from error
    folder = Path(config).parent
    return folder, folder.name
