"""``seqgen demo``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqgen.bounds import Count, Minutes, Seed, checked
from seqgen.cli.generate import shown_progress, write_samples_page
from seqgen.cli.outputs import check_folder
from seqgen.cli.prepare import FileOptions, prepare_corpus
from seqgen.cli.printing import show
from seqgen.cli.settings import named_values
from seqgen.cli.train import hold_run, train_run
from seqgen.config import TrainConfig
from seqgen.options import options_from

if TYPE_CHECKING:
    from seqgen.data.corpus import Corpus
    from seqgen.generation.choosing import Critic
    from seqgen.generation.engine import Progress
    from seqgen.generation.pieces import Generated
    from seqgen.report.samples import Samples
    from seqgen.run.folder import Run

#: Pieces that are written for each one that is shown.
BEST_OF = 4


@checked
def demo(
    domain: str,
    *,
    minutes: Minutes = 3.0,
    count: Count = 4,
    out: Path | None = None,
    seed: Seed = 0,
    write: tuple[str, ...] = (),
    overwrite: bool = False,
) -> None:
    """Try a domain: train for a few minutes, write pieces and a page to look at.

    Parameters
    ----------
    domain
        Name of an installed domain. The command `seqgen domains` lists them.
    minutes
        Training time in minutes.
    count
        Number of pieces to write.
    out
        A new folder for everything; by default the first free of demo-DOMAIN, demo-DOMAIN-2 ...
    seed
        Seed of training and generation. A budget in minutes still varies from run to run.
    write
        Option of writing as NAME=VALUE; `seqgen domains DOMAIN` lists them. May be repeated.
    overwrite
        Replace the folder if it exists.
    """
    from seqgen.cli.console import say, say_corpus
    from seqgen.plugins.discovery import load_domain
    from seqgen.training.creation import create_run, refuse_trained

    implementation, found = load_domain(domain)
    writing = named_values("--write", write)
    options_from(implementation.write_options, writing, f"write options of {domain}")
    check_folder(out, found.suffixes, "the folder gets the model and what belongs to it")
    if out is not None:
        refuse_trained(out, overwrite)
    corpus = prepare_corpus(domain, (), FileOptions())
    say_corpus(corpus)
    with hold_run(out, Path(f"demo-{domain}")) as folder:
        config = TrainConfig(minutes=minutes, seed=seed)
        run = create_run(folder, corpus, train=config, overwrite=overwrite)
        train_run(run, corpus)
        samples = _samples(run, count, seed, corpus, write_options=writing)
        page = write_samples_page(run, samples, folder / "index.html", implementation.demo_note)
    for path in (*samples.paths, page):
        show(path)
    say(
        f"\nFor each piece {BEST_OF} were written, and those with the fewest faults are kept; the "
        f"page says which faults they have.\nOpen {page} in a browser. What to try next:\n"
        f"  seqgen generate {folder} -n 10 --best-of {BEST_OF}     more pieces of this model\n"
        f"  seqgen compare {folder}                       how like the corpus they are\n"
        f"  seqgen train {domain} MY-FILES --minutes 10     a model of your own\n"
        f"  seqgen train --help                           every setting"
    )


def _samples(run: Run, count: int, seed: int, corpus: Corpus, **writing: Any) -> Samples:
    """Generate pieces: what the domain's probes ask for, or else what the model likes."""
    from seqgen.evaluation.criticism import learn_critic
    from seqgen.evaluation.probing import typical_conditions
    from seqgen.report.samples import generate_samples, write_samples

    conditions = typical_conditions(run, count)
    with shown_progress(count * BEST_OF) as progress:
        if not conditions:
            options: dict[str, Any] = {"seed": seed, "best_of": BEST_OF, "progress": progress}
            return generate_samples(run, count, compare=corpus, **options, **writing)

        new = _asked(run, conditions, seed, learn_critic(run, corpus), progress)
        settings = {"count": count, "seed": seed, "best_of": BEST_OF}
        return write_samples(run, new, compare=corpus, settings=settings, **writing)


def _asked(
    run: Run, conditions: Sequence[Any], seed: int, critic: Critic, progress: Progress
) -> Iterator[Generated]:
    """Yield the best piece for each condition."""
    from seqgen.generation.engine import generate

    drawn = 0
    for number, condition in enumerate(conditions):
        options: dict[str, Any] = {"best_of": BEST_OF, "critic": critic, "seed": seed + number}
        for new in generate(run, condition=condition, **options):
            drawn += BEST_OF * len(new.ids)
            progress((number + 1) * BEST_OF, drawn, new.ids.tolist())
            yield new
