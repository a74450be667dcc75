"""Where training runs: choices that do not go together."""

import pytest

from engine import config
from engine.errors import ConfigError


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["trainer.strategy=fsdp"], "nobody to share with"),
        (["trainer=gpu", "trainer.strategy=fsdp", "trainer.devices=2", "trainer.compile=true"], "trainer.compile=true"),
        (["trainer.strategy=shard"], "ddp"),
    ],
)
def test_a_language_model_in_parts_needs_several_devices_and_no_compiler(words: list[str], why: str) -> None:
    with pytest.raises(ConfigError) as error:
        config.load(words)
    assert why in str(error.value)
    assert config.load(["trainer.strategy=fsdp", "trainer.devices=2"]).trainer.strategy == "fsdp"
    assert config.load([]).trainer.strategy == "ddp"
