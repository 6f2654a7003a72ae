"""Plugins of every kind, made here as fake distributions: a broken one never harms another."""

import sys
import textwrap
from pathlib import Path

import pytest

from seqgen.errors import PluginError
from seqgen.plugins.discovery import find_domains, load_domain, source_digest

GOOD = """
    from seqgen.plugin import DomainSpec, hookimpl

    @hookimpl
    def seqgen_domains():
        place = "NAME_plugin_impl:Implementation"
        return [DomainSpec("NAME", "a domain", (".x",), place, contract=2)]
"""

IMPLEMENTATION = """
class Codec:
    options_type, encode, decode, state, fit, from_state = int, 1, 1, 1, 1, 1

class Implementation:
    codecs, formats, read, write, preview, demo = {"x": Codec}, (".x",), 1, 1, 1, 1
"""

BROKEN = {
    "import_error": ("import no_such_library", "No module named 'no_such_library'"),
    "system_exit": ("import sys; sys.exit('bye')", "SystemExit: bye"),
    "syntax_error": ("def (", "SyntaxError"),
    "no_hook": ("x = 1", "implements no hook seqgen_domains"),
    "misspelt_hook": (
        "from seqgen.plugin import hookimpl\n@hookimpl\ndef seqgen_domain(): return []",
        "unknown hook 'seqgen_domain'",
    ),
    "wrong_signature": (
        "from seqgen.plugin import hookimpl\n@hookimpl\ndef seqgen_domains(config): return []",
        "Argument",
    ),
    "raises": (
        "from seqgen.plugin import hookimpl\n@hookimpl\ndef seqgen_domains(): raise KeyError('x')",
        "KeyError: 'x'",
    ),
    "wrong_type": (
        "from seqgen.plugin import hookimpl\n@hookimpl\ndef seqgen_domains(): return ['music']",
        "must return DomainSpec objects, found 'music'",
    ),
    "wrong_contract": (
        GOOD.replace("contract=2", 'contract="1"'),
        "contract of the DomainSpec must be",
    ),
    "forgotten_comma": (GOOD.replace('(".x",)', '(".x")'), "suffixes of the DomainSpec must be"),
    "other_name": (GOOD.replace("NAME", "another"), "module other_name_plugin offers another"),
}


@pytest.fixture
def install(tmp_path: Path, monkeypatch, write_metadata):
    """Return a function that makes an installed distribution with one entry point."""
    monkeypatch.syspath_prepend(str(tmp_path))
    made = []

    def make(name: str, code: str, points: tuple[str, ...] = ()) -> None:
        module = f"{name}_plugin"
        made.append(module)
        (tmp_path / f"{module}.py").write_text(textwrap.dedent(code))
        write_metadata(tmp_path, f"seqgen-fake-{name}", dict.fromkeys(points or (name,), module))

    yield make
    for module in made:
        sys.modules.pop(module, None)


def by_name() -> dict[str, object]:
    return {found.name: found for found in find_domains()}


def test_a_stranger_enters_by_the_same_door(install, tmp_path: Path) -> None:
    install("shogi", GOOD.replace("NAME", "shogi"))
    (tmp_path / "shogi_plugin_impl.py").write_text(IMPLEMENTATION)
    found = by_name()["shogi"]
    assert (found.status, found.distribution, found.version) == ("ok", "seqgen-fake-shogi", "2.5")
    assert found.summary == "a domain"
    implementation, _ = load_domain("shogi")
    assert type(implementation).__name__ == "Implementation"


def test_a_change_of_its_source_is_noticed(install, tmp_path: Path) -> None:
    install("go", GOOD.replace("NAME", "go"))
    (tmp_path / "go_plugin_impl").mkdir()
    for name, code in (("__init__", "from go_plugin_impl.a import Implementation"), ("b", "")):
        (tmp_path / "go_plugin_impl" / f"{name}.py").write_text(code)
    (tmp_path / "go_plugin_impl" / "a.py").write_text(IMPLEMENTATION)
    implementation, _ = load_domain("go")
    before = source_digest(implementation)
    assert source_digest(implementation) == before
    (tmp_path / "go_plugin_impl" / "b.py").write_text("changed = True")
    assert source_digest(implementation) != before


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_plugin_is_reported_and_harms_nobody(kind: str, install) -> None:
    code, cause = BROKEN[kind]
    install(kind, code)
    found = by_name()
    assert found["text"].status == "ok"
    assert found[kind].status == "broken"
    assert cause in found[kind].problem
    assert f"seqgen-fake-{kind} 2.5" in found[kind].problem
    assert "upgrade" in found[kind].problem or "install" in found[kind].problem
    load_domain("text")
    with pytest.raises(PluginError, match=f"domain '{kind}' cannot be used: seqgen-fake-{kind}"):
        load_domain(kind)


@pytest.mark.parametrize(("number", "who"), [(99, "seqgen-toolkit"), (0, "seqgen-fake-old")])
def test_another_contract_says_what_to_upgrade(number: int, who: str, install) -> None:
    code = GOOD.replace("NAME", "old").replace("contract=2", f"contract={number}")
    install("old", code)
    found = by_name()["old"]
    assert found.status == "incompatible"
    assert f"upgrade {who}" in found.problem
    assert (number > 2) != ("writing-a-plugin.md#from-contract-1" in found.problem)
    with pytest.raises(PluginError, match=f"contract {number}"):
        load_domain("old")


def test_a_plugin_that_names_no_contract_is_of_contract_1(install) -> None:
    install("silent", GOOD.replace("NAME", "silent").replace(", contract=2", ""))
    found = by_name()["silent"]
    assert found.status == "incompatible"
    assert "was written for contract 1, this seqgen has contract 2" in found.problem


def test_a_module_may_offer_several_domains_each_with_its_entry_point(install) -> None:
    both = (
        GOOD.replace("NAME", "rook").replace("[Domain", "[*bishop(), Domain")
        + """
    def bishop():
        return [DomainSpec("bishop", "another", (".y",), "rook_plugin_impl:Bishop", contract=2)]
"""
    )
    install("rook", both, points=("rook", "bishop"))
    found = by_name()
    assert (found["rook"].status, found["bishop"].status) == ("ok", "ok")
    assert found["bishop"].summary == "another"


def test_two_plugins_with_one_domain_name_are_both_named(install) -> None:
    for name in ("left", "right"):
        install(name, GOOD.replace("NAME", "twin"), points=("twin",))
    statuses = [found.status for found in find_domains() if found.name == "twin"]
    assert statuses == ["conflict", "conflict"]
    with pytest.raises(PluginError, match="seqgen-fake-left and seqgen-fake-right both offer"):
        load_domain("twin")
    assert by_name()["text"].status == "ok"


def test_a_plugin_whose_implementation_is_broken_is_named_when_it_is_used(install) -> None:
    install("hollow", GOOD.replace("NAME", "hollow"))
    assert by_name()["hollow"].status == "ok"
    with pytest.raises(PluginError, match=r"seqgen-fake-hollow 2.5 fails to load"):
        load_domain("hollow")


def test_an_unknown_domain_lists_the_known_and_suggests() -> None:
    with pytest.raises(PluginError, match="did you mean 'music'"):
        load_domain("musik")
