"""What every network shares: the padding scores nothing, and each parameter is in one group."""

from collections.abc import Callable

import pytest

from engine.config.settings.student import StudentSettings
from engine.student.model import NETWORKS, SequenceModel


@pytest.mark.parametrize("model", NETWORKS)
def test_every_parameter_is_in_exactly_one_group(settings: Callable[..., StudentSettings], model: str) -> None:
    made = SequenceModel(20, settings(model=model, filters=3, heights=[2, 3]))
    grouped = [id(parameter) for group in made.groups().values() for parameter in group]
    assert sorted(grouped) == sorted(id(parameter) for parameter in made.parameters())
    assert list(made.groups()) == ["embedding", "blocks", "output"] and all(made.groups().values())


@pytest.mark.parametrize("model", sorted(set(NETWORKS) - {"sasrec"}))
def test_an_untied_output_starts_with_a_padding_of_zero(settings: Callable[..., StudentSettings], model: str) -> None:
    table, bias = SequenceModel(20, settings(model=model, filters=3, heights=[2, 3])).item_table()
    assert bias is not None and (table[0] == 0).all() and bias[0] == 0 and (table[1:] != 0).all()
