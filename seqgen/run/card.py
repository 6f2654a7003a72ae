"""The card of a run: what it is and what came of it, as ``README.md`` in its folder."""

from __future__ import annotations

from typing import Any


def model_card(info: dict[str, Any]) -> str:
    """Return a description of a run for people, in Markdown."""
    corpus = info["corpus"]
    facts = {
        "codec": f"{info['codec']['name']} of {info['distribution']} {info['version']}",
        "corpus": f"{corpus['pieces']} pieces, {corpus['tokens']['train']:,} training tokens",
        "left out": f"{corpus['duplicates']} duplicate pieces, {corpus['skipped']} unusable",
        "model": ", ".join(f"{name} {value}" for name, value in info["model"].items()),
        **result_facts(info["result"]),
        **sampling_facts(info.get("sampling")),
        "versions": ", ".join(f"{name} {value}" for name, value in info["versions"].items()),
    }
    rows = "\n".join(f"| {name} | {value} |" for name, value in facts.items())
    return f"""# A {info["domain"]} model

Made with seqgen: an LSTM that writes {info["domain"]} token by token.

| | |
|---|---|
{rows}

    seqgen generate . -n 4
"""


def result_facts(result: dict[str, Any] | None) -> dict[str, str]:
    """Return what came of a training, for people."""
    if result is None:
        return {"training": "none yet"}
    loss, kind = result["valid_loss"], "validation"
    if loss is None:
        loss, kind = result["loss"], "training"
    tokens = result["valid_tokens"]
    measured = f" on {tokens:,} tokens" if kind == "validation" and tokens else ""
    fitted = f", temperature {result['temperature']}" if "temperature" in result else ""
    return {
        "training": f"{result['seconds']:.0f} s, {result['step']:,} updates, "
        f"{result['tokens']:,} tokens",
        f"{kind} loss": f"{loss:.4f} nats per token{measured}{fitted}",
    }


def sampling_facts(chosen: dict[str, Any] | None) -> dict[str, str]:
    """Return what training chose for sampling, and what it counted, for people."""
    if chosen is None:
        return {}
    counted = ", ".join(
        f"{name} {chosen['new'][key]:{form}} (corpus {chosen['corpus'][key]:{form}})"
        for name, key, form in (
            ("commonest token", "commonest", ".1%"),
            ("longest run", "run", ""),
            ("distinct 4-grams", "distinct", ".1%"),
        )
    )
    return {
        "sampling": f"temperature {chosen['temperature']:g}, min-p {chosen['min_p']:g}: {counted}"
    }
