"""Progress in a log: a line now and then, and how it ended."""

import itertools
from types import SimpleNamespace

from seqgen.cli import console


def test_a_log_says_how_work_ended_that_it_began_to_show(monkeypatch, capsys) -> None:
    clock = itertools.count(0, 6)
    monkeypatch.setattr(console, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    with console.meter("generate") as show:
        for ended in range(4):
            show(ended / 3, f"{ended} of 3 pieces")
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(None, 2)[0:2] for line in lines] == [
        ["generate", "33%"],
        ["generate", "100%"],
    ]
    assert lines[-1].endswith("3 of 3 pieces")


def test_short_work_leaves_no_line(capsys) -> None:
    with console.meter("generate") as show:
        show(1.0, "1 of 1 pieces")
    assert not capsys.readouterr().err


def test_the_first_moments_give_no_estimate(monkeypatch, capsys) -> None:
    monkeypatch.setattr(console, "LINE_EVERY", 0.0)
    with console.meter("prepare") as show:
        for fraction in (0.0, 1e-9, 0.5):
            show(fraction, "some files")
    first, second, third = capsys.readouterr().err.splitlines()
    assert "left" not in first + second and "s left" in third


def test_what_waits_is_said_after_a_while_only(monkeypatch, capsys) -> None:
    with console.waiting("a short check"):
        pass
    monkeypatch.setattr(console, "LINE_EVERY", 0.0)
    with console.waiting("a long check"):
        while not (said := capsys.readouterr().err):
            pass
    assert said == "running: a long check\n"
