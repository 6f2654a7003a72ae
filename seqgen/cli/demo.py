"""``seqgen demo``."""

from __future__ import annotations

from pathlib import Path

from seqgen.bounds import Count, Minutes, Seed, checked
from seqgen.cli.generate import shown_progress, write_samples_page
from seqgen.cli.outputs import check_folder
from seqgen.cli.prepare import FileOptions, prepare_corpus
from seqgen.cli.printing import show
from seqgen.cli.settings import named_values
from seqgen.cli.train import hold_run, train_run
from seqgen.config import TrainConfig
from seqgen.options import options_from


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
    from seqgen.report.samples import generate_samples
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
        with shown_progress(count) as progress:
            samples = generate_samples(
                run, count, compare=corpus, write_options=writing, seed=seed, progress=progress
            )
        page = write_samples_page(run, samples, folder / "index.html")
    for path in (*samples.paths, page):
        show(path)
    say(
        f"\nOpen {page} in a browser. What to try next:\n"
        f"  seqgen generate {folder} -n 10 --seed 1        more pieces of this model\n"
        f"  seqgen compare {folder}                       how like the corpus they are\n"
        f"  seqgen train {domain} MY-FILES --minutes 10     a model of your own\n"
        f"  seqgen train --help                           every setting"
    )
