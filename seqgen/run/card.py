"""The model card of a run, its ``README.md``; and what the results mean for the user."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from seqgen.conditions.labels import label_facts
from seqgen.wording import counted

#: If the best model comes before this share of the budget, the budget was too large.
TOO_EARLY = 0.5


def card_facts(info: dict[str, Any]) -> dict[str, str]:
    """Return a description of a run by name, from the content of its ``run.json``."""
    corpus, labels = info["corpus"], info["codec"].get("labels", ())
    return {
        "codec": f"{info['codec']['name']} of {info['distribution']} {info['version']}",
        **{f"label {name}": text for name, text in label_facts(labels).items()},
        "corpus": f"{counted(corpus['pieces'], 'piece')}, "
        f"{corpus['tokens']['train']:,} training tokens",
        "left out": f"{counted(corpus['duplicates'], 'duplicate piece')}, "
        f"{corpus['skipped']:,} unusable",
        "model": ", ".join(f"{name} {value}" for name, value in info["model"].items()),
        "layers from": f"{info['architecture']['distribution']} {info['architecture']['version']}",
        **result_facts(info["result"]),
        **({"baseline": baseline_text(info["baseline"])} if "baseline" in info else {}),
        **sampling_facts(info.get("sampling")),
        **realigned_facts(info.get("realigned", ())),
        "versions": ", ".join(f"{name} {value}" for name, value in info["versions"].items()),
    }


def model_card(info: dict[str, Any], commands: Sequence[str] = ("seqgen generate . -n 4",)) -> str:
    """Return the facts of a run as Markdown, with the commands that write pieces by it."""
    about = f"\n{info['about']}\n" if "about" in info else ""
    rows = "\n".join(f"| {name} | {value} |" for name, value in card_facts(info).items())
    shown = "\n".join(f"    {command}" for command in commands)
    return f"""# A {info["domain"]} model

Made with seqgen: a recurrent network that writes {info["domain"]} token by token.

| | |
|---|---|
{rows}

{shown}
{about}"""


def result_facts(result: dict[str, Any] | None) -> dict[str, str]:
    """Return the result of a training as text, by name; None means that there was no training."""
    if result is None:
        return {"training": "none yet"}
    loss, kind = result["valid_loss"], "validation"
    if loss is None:
        loss, kind = result["loss"], "training"
    measured = f" on {result['valid_tokens']:,} tokens" if kind == "validation" else ""
    fitted = f", temperature {result['temperature']}" if "temperature" in result else ""
    return {
        "training": f"{result['seconds']:.0f} s, {result['step']:,} updates, "
        f"{result['tokens']:,} tokens",
        f"{kind} loss": f"{loss:.4f} nats per token{measured}{fitted}",
    }


def baseline_text(baseline: dict[str, Any]) -> str:
    """Return the losses that a network should beat as text, from the ``baseline`` of a run."""
    return (
        f"{baseline['order']}-grams, {baseline['valid_loss']:.4f} nats per token; "
        f"all allowed tokens alike, {baseline['uniform']:.4f}"
    )


def realigned_facts(rounds: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Return the rounds of realigning as text, by name."""
    return {
        f"realigned {entry['round']}": f"after {entry['step']:,} updates, {entry['pieces']:,} of "
        f"{entry['all']:,} training and validation pieces; {entry['moved']:.1%} of the content "
        f"moved; validation loss of the same model {entry['before']:.4f}, then {entry['after']:.4f}"
        for entry in rounds
    }


def sampling_facts(chosen: dict[str, Any] | None) -> dict[str, str]:
    """Return the default sampling settings and the repetition measured with them, as text."""
    if chosen is None:
        return {}
    counted = ", ".join(
        f"{name} {chosen['new'][key]:{form}} (corpus {chosen['corpus'][key]:{form}})"
        for name, key, form in (
            ("most common token", "most_common", ".1%"),
            ("longest run", "run", ""),
            ("distinct 4-grams", "distinct", ".1%"),
        )
    )
    return {
        "sampling": f"temperature {chosen['temperature']:g}, min-p {chosen['min_p']:g}: {counted}"
    }


def advice_for(best: dict[str, Any], tokens: int) -> str:
    """Return advice about a training that overfitted; empty if it did not.

    Parameters
    ----------
    best : dict
        The ``result`` of a run.
    tokens : int
        Number of tokens in the training split.
    """
    if best["fraction"] > TOO_EARLY:
        return ""
    epochs = best["tokens"] / max(tokens, 1)
    return (
        f"the validation loss was lowest after {epochs:.1f} epochs, {best['fraction']:.0%} of this "
        f"training; then the network overfitted: try `epochs={max(epochs, 1):.0f}`, or more "
        f"`dropout`"
    )


def beaten_by(baseline: dict[str, Any], best: dict[str, Any]) -> str:
    """Return advice about a model that n-grams or even guesses beat; empty if neither does.

    Parameters
    ----------
    baseline, best : dict
        The ``baseline`` and the ``result`` of a run.
    """
    if best["valid_loss"] >= baseline["uniform"]:
        better = (
            f"guessing evenly among the allowed tokens ({baseline['uniform']:.4f} nats) predicts"
        )
    elif best["valid_loss"] >= baseline["valid_loss"]:
        better = f"a {baseline['order']}-gram model predicts"
    else:
        return ""
    return f"{better} better than this network: train longer, or on more pieces"
