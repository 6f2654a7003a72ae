"""Numbers that cannot be are refused, with the name of the option, before anything is computed."""

import dataclasses
import inspect
import math
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import seqgen
from seqgen.bounds import Within, bounded_hints, check_value, checked
from seqgen.cli import COMMANDS
from seqgen.cli.demo import demo
from seqgen.cli.generate import generate
from seqgen.cli.prepare import prepare
from seqgen.config import LimitConfig, ModelConfig, SampleConfig, TrainConfig, from_mapping
from seqgen.data.encoding import encode_files, original_pieces
from seqgen.errors import ConfigError
from seqgen.plugins.discovery import load_domain

CONFIGS = [ModelConfig, TrainConfig, SampleConfig, LimitConfig]
OPTIONS = [
    codec.options_type
    for name in ("text", "music", "handwriting", "speech")
    for codec in load_domain(name)[0].codecs.values()
]
FUNCTIONS = [
    *(seqgen.generate, seqgen.stream, seqgen.search, seqgen.prepare),
    seqgen.generate_samples,
    *(encode_files, original_pieces, generate, prepare, demo),
]
EVERY_COMMAND = [getattr(import_module(f"seqgen.cli.{name}"), name) for name in COMMANDS]
PUBLIC = [
    value
    for value in (getattr(seqgen, name) for name in seqgen.__all__)
    if inspect.isfunction(value)
]

ODD = [math.nan, math.inf, -math.inf, 1e-310, -0.0, 1e308, -1, 2**63, 2**64, 10**12, 10**30]


def numbers(owner: Any) -> dict[str, Any]:
    """Return the hints of all numbers that a class or function takes, tables of settings apart."""
    found = {}
    for name, hint in bounded_hints(owner).items():
        kind = get_args(hint)[0] if isinstance(hint, type(Annotated[int, 0])) else hint
        if kind in (int, float) or kind in (int | None, float | None):
            found[name] = hint
    return found


@pytest.mark.parametrize(
    "owner",
    [*CONFIGS, *OPTIONS, *FUNCTIONS, *EVERY_COMMAND, *PUBLIC],
    ids=lambda owner: owner.__name__,
)
def test_every_number_has_bounds(owner: Any) -> None:
    for name, hint in numbers(owner).items():
        assert any(isinstance(part, Within) for part in get_args(hint)), name


@pytest.mark.parametrize("config", [*CONFIGS, *OPTIONS], ids=lambda config: config.__name__)
@given(data=st.data())
def test_a_setting_is_refused_by_name_or_within_its_bounds(config: type, data: Any) -> None:
    for name, hint in numbers(config).items():
        value = data.draw(st.sampled_from(ODD) | st.floats() | st.integers())
        for build in (
            lambda given: config(**given),
            lambda given: from_mapping(config, given, "x"),
        ):
            try:
                built = build({name: value})
            except ConfigError as error:
                assert f"{name} must be " in str(error) and f"found {value}" in str(error)
            else:
                assert math.isfinite(getattr(built, name)) or (name, value) == ("length", math.inf)
                bounds = next(part for part in get_args(hint) if isinstance(part, Within))
                assert bounds.least <= value <= bounds.most or value in bounds.besides


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__qualname__)
def test_a_function_refuses_numbers_when_it_is_called(function: Callable) -> None:
    required = {
        name: 1 if name in numbers(function) else None
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.default is parameter.empty and parameter.kind is not parameter.VAR_POSITIONAL
    }
    for name, hint in numbers(function).items():
        for value in (math.nan, math.inf, -2, 2**64, 10**30, 0.5, "many"):
            bounds = next(part for part in get_args(hint) if isinstance(part, Within))
            whole = get_args(hint)[0] in (int, int | None)
            if value != "many" and not whole and bounds.least <= value <= bounds.most:
                continue
            with pytest.raises(ConfigError, match=f"^{name} must be "):
                function(**{**required, name: value})
        if get_args(hint)[0] in (int, float):
            with pytest.raises(ConfigError, match=f"^{name} must be .*, found None"):
                function(**{**required, name: None})


@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_what_is_accepted_can_be_drawn_with(run: seqgen.Run, data: Any) -> None:
    chosen: dict[type, dict[str, Any]] = {SampleConfig: {}, LimitConfig: {"seconds": 5}}
    for config, values in chosen.items():
        for name, hint in numbers(config).items():
            bounds = next(part for part in get_args(hint) if isinstance(part, Within))
            edges = [bounds.least, bounds.most, *bounds.besides]
            # Guidance is by labels, which this run does not have.
            left_out = ("length", "least_length", "seconds", "guidance")
            if data.draw(st.booleans()) and name not in left_out:
                values[name] = data.draw(st.sampled_from(edges))
    names = st.sampled_from(["e", "g", "<end>"])
    amounts = st.sampled_from(["-1000", "1000", "1e-310", "-0.0"])
    bias = data.draw(st.lists(st.builds("{}={}".format, names, amounts), max_size=3))
    sample = SampleConfig(**chosen[SampleConfig], bias=tuple(bias))
    limit = LimitConfig(**chosen[LimitConfig], length=data.draw(st.sampled_from([1e-310, 8])))
    seed = data.draw(st.sampled_from([0, 2**63 - 1]))
    [new] = seqgen.generate(run, 1, sample=sample, limit=limit, seed=seed)
    assert len(new.ids) <= 8 and all(0 <= token < len(run.vocab.names) for token in new.ids)


@pytest.mark.parametrize("amount", ["nan", "inf", "-inf", "1e308", "-1e4"])
def test_a_bias_is_finite(run: seqgen.Run, amount: str) -> None:
    with pytest.raises(ConfigError, match="the bias of 'e' must be from -1,000 to 1,000, found"):
        list(seqgen.generate(run, 1, sample=SampleConfig(bias=(f"e={amount}",))))


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e301, 2**63, "3", True])
def test_numbers_of_plugins_without_bounds_are_finite(value: Any) -> None:
    @dataclasses.dataclass(frozen=True)
    class Plain:
        share: float = 0.0
        size: int = 0

    for name in ("share", "size"):
        if (name, value) != ("share", 2**63) and value != "3":
            with pytest.raises(ConfigError, match=f"here: {name} must be"):
                from_mapping(Plain, {name: value}, "here")


def test_hints_of_other_kinds_pass() -> None:
    hints = [(None, Annotated[int | None, Within(1, 2)]), ("x", str), ((-1,), tuple[int, ...])]
    for value, hint in hints:
        check_value("it", value, hint)

    @checked
    def twice(text: str, times: Annotated[int, Within(1, 3)] = 2) -> str:
        return text * times

    assert (twice("a"), twice("a", 3), twice.__name__) == ("aa", "aaa", "twice")
    with pytest.raises(ConfigError, match="times must be from 1 to 3, found 4"):
        twice("a", times=4)


def test_a_world_of_processes_is_a_number(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from seqgen.training.parallel import join, local_size

    for text in ("many", "0", "-1", "1.5", "1e400"):
        monkeypatch.setenv("LOCAL_WORLD_SIZE", text)
        with pytest.raises(ConfigError, match="LOCAL_WORLD_SIZE must be"):
            local_size()
        monkeypatch.setenv("WORLD_SIZE", text)
        with pytest.raises(ConfigError, match="WORLD_SIZE must be"):
            join.__wrapped__()
