"""The description of the playground's requests: Schemathesis sends what fits it, and what does not.

Requests go to the application in this process.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.config import ProjectConfig, SchemathesisConfig
from starlette.applications import Starlette

from seqgen.serve import session
from seqgen.serve.app import make_app
from seqgen.serve.description import OPERATIONS, Operation
from seqgen.serve.playground import Playground

#: Examples of each request, once as described and once not.
EXAMPLES = 15

#: What an answer to a request as described may be: the run may not know a text.
ACCEPTED = ["2xx", 404, 422, 429]


@pytest.fixture(scope="module")
def playground(run) -> Iterator[Playground]:
    logged: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "MOST_TOKENS", 20)
        place = Playground(run, logged.append)
        yield place
        place.close()
        place.join(20)
    assert not logged


@pytest.fixture(scope="module")
def app(playground) -> Starlette:
    return make_app(playground, print)


@pytest.fixture(scope="module")
def schema(app) -> Any:
    checks = {"positive_data_acceptance": {"expected-statuses": ACCEPTED}}
    project = ProjectConfig.from_dict({"checks": checks})
    config = SchemathesisConfig(projects=None)
    config.projects.default = project
    return schemathesis.openapi.from_asgi("/api/openapi.json", app, config=config)


@pytest.fixture(scope="module")
def piece(playground) -> str:
    name: str = playground.begin({"limit": {"length": 12}})["piece"]
    playground.session(name).join(20)
    return name


def _modes():
    """Yield each operation as described; and not so, if something is sent that can be wrong."""
    for each in OPERATIONS:
        yield pytest.param(each, GenerationMode.POSITIVE, id=each.name)
        if each.body or each.query:
            yield pytest.param(each, GenerationMode.NEGATIVE, id=f"not {each.name}")


@pytest.mark.parametrize(("operation", "mode"), [*_modes()])
def test_answers_are_as_described(
    schema: Any, piece: str, operation: Operation, mode: GenerationMode
) -> None:
    # A piece that is there, so that not all that is asked for is missing.
    known = {"piece": piece} if "{piece}" in operation.path else None
    cases = schema[operation.path][operation.method].as_strategy(
        generation_mode=mode, path_parameters=known
    )

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=[*HealthCheck],
    )
    @given(case=cases)
    def answers(case: Any) -> None:
        case.call_and_validate()

    answers()
