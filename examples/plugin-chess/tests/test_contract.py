"""The contract of seqgen's plugins, on a few games of the demo."""

import pytest
from seqgen_chess import domain

from seqgen.testing import NothingToCheck, domain_checks


@pytest.mark.parametrize("check", domain_checks("chess"), ids=str)
def test_contract(check, tmp_path, monkeypatch):
    monkeypatch.setattr(domain, "FILES", 1)
    try:
        check.run(tmp_path)
    except NothingToCheck as reason:
        pytest.skip(str(reason))
