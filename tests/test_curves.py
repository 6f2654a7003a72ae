"""Loss curves: the series, the drawing in characters and the images."""

import re
import shutil
import sys
from pathlib import Path

import pytest

import seqgen
from seqgen.errors import SeqgenError
from seqgen.report.curves import IMAGES, as_image, as_text, loss_curves

BASELINE = {"order": 5, "valid_loss": 1.5}


def row(seconds: float, loss: float, valid_loss: float | None = None) -> dict[str, float | None]:
    return {"seconds": seconds, "loss": loss, "valid_loss": valid_loss}


#: A hundred seconds; the loss falls in a line from 3 to 1, and is measured ten times.
METRICS = [row(at, 3 - at / 50, 3.1 - at / 50 if at % 10 == 0 else None) for at in range(1, 101)]


def test_curves_hold_what_was_recorded() -> None:
    curves = loss_curves(METRICS, BASELINE)
    assert curves is not None and curves.baseline == ("5-gram", 1.5) and curves.longest == 100
    assert curves.validation == [(at, 3.1 - at / 50) for at in range(10, 101, 10)]
    assert [seconds for seconds, _ in curves.training] == [*range(1, 101)]
    # A mean over neighbours leaves a straight line as it is, but at its ends.
    for seconds, loss in curves.training[2:-2]:
        assert loss == pytest.approx(3 - seconds / 50)
    assert loss_curves([]) is None


def test_smoothing_takes_the_noise_out() -> None:
    noisy = [row(at, 2 + (-1) ** at) for at in range(1000)]
    losses = [loss for _, loss in loss_curves(noisy).training]
    assert len(losses) == 1000 and all(abs(loss - 2) < 0.1 for loss in losses)


def test_a_resumed_training_goes_on_from_its_last_save() -> None:
    # It was killed at 30 seconds and began again with what was saved at 20.
    lines = [row(at, 2.0) for at in (10, 20, 25, 30)] + [row(at, 1.0) for at in (24, 28, 40)]
    seconds = [seconds for seconds, _ in loss_curves(lines).training]
    assert seconds == [10, 20, 24, 28, 40]


def test_a_line_that_was_cut_short_is_passed_over(run, tmp_path: Path) -> None:
    shutil.copytree(run.folder, tmp_path / "killed")
    with (tmp_path / "killed" / "metrics.jsonl").open("a") as log:
        log.write('{"fraction": 0.9, "lo')
    assert seqgen.load(tmp_path / "killed", "cpu").metrics == run.metrics != []


def test_losses_of_untrained_weights_do_not_set_the_scale() -> None:
    curves = loss_curves([row(at, 50.0 if at == 0 else 1.0, 1.2) for at in range(40)])
    low, high = curves.limits
    assert 1.0 <= low <= high < 50


def labelled_rows(drawing: str) -> list[tuple[float, str]]:
    """Return the loss at the lower edge of every line between the axes, and the line."""
    found = re.findall(r"^ +([\d.]+) \| ?(.*)$", drawing, re.MULTILINE)
    return [(float(label), line) for label, line in found]


def test_the_drawing_has_axes_and_fits_its_width() -> None:
    drawing = as_text(loss_curves(METRICS, BASELINE), width=70, height=10)
    assert all(len(line) <= 70 for line in drawing.splitlines())
    assert "\x1b" not in drawing and "(nats)" in drawing and "(seconds)" in drawing
    rows = labelled_rows(drawing)
    labels = [label for label, _ in rows]
    assert len(rows) == 11 and labels == sorted(labels, reverse=True)
    # The baseline is a line across, in the row that its loss belongs to.
    [low] = [label for label, line in rows if line.count("-") > 20]
    assert low <= 1.5 < low + 0.25
    marks = sum(line.count("o") for _, line in rows)
    assert marks == 10, drawing
    assert "5-gram, 1.500" in drawing and "1.100 at the end, 1.100 at best" in drawing


def test_lines_fall_from_left_to_right() -> None:
    rows = labelled_rows(as_text(loss_curves(METRICS), width=70, height=10))
    columns = [match.start() for _, line in rows for match in re.finditer("o", line)]
    assert len(columns) == 10 and columns == sorted(columns)


def test_colours_are_for_terminals(monkeypatch) -> None:
    plain = as_text(loss_curves(METRICS, BASELINE))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    coloured = as_text(loss_curves(METRICS, BASELINE))
    assert "\x1b[" in coloured and re.sub(r"\x1b\[\d+m", "", coloured) == plain


@pytest.mark.parametrize("metrics", [[row(0.0, 2.0)], [row(5.0, 2.0, 2.0)] * 2])
def test_a_single_report_can_be_drawn(metrics) -> None:
    curves = loss_curves(metrics)
    assert "training, 2.000" in as_text(curves)
    assert as_image(curves, ".svg").startswith(b"<?xml")


@pytest.mark.parametrize("suffix", IMAGES)
def test_the_same_curves_give_the_same_image(suffix: str) -> None:
    curves = loss_curves(METRICS, BASELINE)
    image = as_image(curves, suffix)
    assert image == as_image(curves, suffix) != as_image(loss_curves(METRICS), suffix)
    signature = {".png": b"\x89PNG", ".svg": b"<?xml"}[suffix]
    assert image.startswith(signature)


def test_a_missing_matplotlib_is_told_with_the_way_out(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(SeqgenError, match=r"pip install 'seqgen-toolkit\[plot\]'"):
        as_image(loss_curves(METRICS), ".png")
