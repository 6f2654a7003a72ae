import dataclasses
import math
from dataclasses import replace
from typing import Literal

import pytest

from seqgen.config import LimitConfig, ModelConfig, SampleConfig, TrainConfig, from_mapping
from seqgen.errors import ConfigError


def test_training_has_a_budget() -> None:
    assert TrainConfig().seconds == 180
    assert TrainConfig(minutes=0.5).seconds == 30
    assert TrainConfig(tokens=100).seconds == 0
    assert replace(TrainConfig(), epochs=2).seconds == 0
    assert TrainConfig(minutes=1, epochs=2).seconds == 60


@pytest.mark.parametrize(
    ("config", "values", "message"),
    [
        (ModelConfig, {"hidden": -1}, "hidden must be from 0 to 16,384, found -1"),
        (ModelConfig, {"dropout": 1.0}, "dropout must be from 0 to 0.99, found 1"),
        (ModelConfig, {"tied": True, "embedding": 0}, "tied needs a learned embedding"),
        (TrainConfig, {"learning_rate": -1.0}, "learning_rate must be 0, or from 1e-09 to 10"),
        (TrainConfig, {"framing": "loose"}, "framing must be one of 'carried', 'windows'.*'loose'"),
        (TrainConfig, {"precision": "float16"}, "precision must be one of 'auto'.*'float16'"),
        (TrainConfig, {"precision": None}, "precision must be one of 'auto'.*found None"),
        (ModelConfig, {"output": "x"}, "output must be one of 'auto', 'full', 'adaptive', found"),
        (SampleConfig, {"top_p": 0.0}, "top_p must be from 1e-06 to 1, found 0"),
        (SampleConfig, {"min_p": 1.5}, "min_p must be from 0 to 1, found 1.5"),
        (SampleConfig, {"temperature": -1.0}, "temperature must be 0, or from 0.001 to 1,000"),
        (LimitConfig, {"length": -1}, "length must be inf, or from 0 to 1,000,000,000,000"),
        (SampleConfig, {"temperature": math.nan}, "temperature must be 0, or from 0.001"),
        (TrainConfig, {"learning_rate": math.nan}, "learning_rate must be 0, or from 1e-09"),
    ],
)
def test_impossible_values_are_refused(config: type, values: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config(**values)


def test_from_mapping_converts_text_and_suggests_names() -> None:
    values = {"hidden": "12", "dropout": "0.5", "skip": "true"}
    assert from_mapping(ModelConfig, values, "here") == ModelConfig(
        hidden=12, dropout=0.5, skip=True
    )
    with pytest.raises(ConfigError, match="here: unknown setting 'hiden'; did you mean 'hidden'"):
        from_mapping(ModelConfig, {"hiden": 3}, "here")
    with pytest.raises(ConfigError, match="here: hidden must be of type int, found 'many'"):
        from_mapping(ModelConfig, {"hidden": "many"}, "here")


@dataclasses.dataclass(frozen=True)
class Choice:
    form: Literal["round", "square"] = "round"
    sharp: bool = False


def test_from_mapping_checks_choices_and_kinds() -> None:
    assert from_mapping(Choice, {"form": "square", "sharp": "true"}, "here").sharp
    with pytest.raises(ConfigError, match="form must be one of 'round', 'square', found 'squar'"):
        from_mapping(Choice, {"form": "squar"}, "here")
    with pytest.raises(ConfigError, match="sharp must be of type bool, found 1"):
        from_mapping(Choice, {"sharp": 1}, "here")
    with pytest.raises(ConfigError, match=r"hidden must be of type int, found 1\.5"):
        from_mapping(ModelConfig, {"hidden": 1.5}, "here")


@pytest.mark.parametrize("config", [ModelConfig, TrainConfig, SampleConfig, LimitConfig])
def test_every_setting_is_a_plain_value_with_a_default(config: type) -> None:
    for field in dataclasses.fields(config):
        assert isinstance(field.default, (bool, int, float, str, tuple, type(None))), field.name
