"""``seqgen prepare``."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from seqgen.bounds import Jobs, Patience, Seed, checked
from seqgen.cli.outputs import check_folder
from seqgen.cli.printing import print_json, show
from seqgen.cli.settings import named_values, parse_labels, parse_weights
from seqgen.errors import ConfigError, DataError
from seqgen.files import text_of

if TYPE_CHECKING:
    from seqgen.data.corpus import Corpus
    from seqgen.plugin import Codec


@dataclass(frozen=True)
class FileOptions:
    """How files become pieces and tokens, for all commands that read files to learn from."""

    codec: str | None = None
    """Encoding of pieces as tokens. The default is a codec that fits the files."""
    codec_option: tuple[str, ...] = ()
    """Setting of the codec as NAME=VALUE. May be repeated."""
    read: tuple[str, ...] = ()
    """Option of reading as NAME=VALUE; `seqgen domains DOMAIN` lists them. May be repeated."""
    valid: tuple[Path, ...] = ()
    """File or folder to hold out for validation, or @LIST for a file with a path in each line. May
    be repeated. By default pieces are drawn."""
    test: tuple[Path, ...] = ()
    """The same for test."""
    draw_splits: Annotated[bool, Parameter(negative="")] = False
    """Draw the splits even if files or their folders are named train, valid and test."""
    split_label: str = ""
    """The label that says the split of a piece (train, valid or test), such as a column."""
    label: tuple[str, ...] = ()
    """Label of pieces, to request with --given. NAME='{}/*.mid' takes it from the end of a path,
    where {} is the value; NAME alone takes it from the piece; "none" uses no label. May be
    repeated. By default all labels in pieces that have few values."""
    weight: tuple[str, ...] = ()
    """How often training reads some pieces, as RULE:NUMBER from 0 to 100. A rule is a label
    (composer=bach:2) or the end of a path ('drafts/*.txt:0.5'). May be repeated."""


@checked
def prepare(
    domain: str,
    *paths: Path,
    out: Path | None = None,
    files: Annotated[FileOptions, Parameter(name="*", group="Files")] = FileOptions(),
    seed: Seed = 0,
    jobs: Jobs = -1,
    patience: Patience = None,
    cluster: str = "",
    overwrite: bool = False,
    report: bool = False,
    json: bool = False,
) -> None:
    """Read and encode files into a corpus folder.

    Unusable files are skipped and listed. A corpus of the same content is reused.

    Parameters
    ----------
    domain
        Name of an installed domain. The command `seqgen domains` lists them.
    paths
        Files, folders to search, or - for standard input; without any, the domain's demo data.
    out
        The corpus folder; by default a folder in the cache.
    files
        How files become pieces and tokens.
    seed
        Seed of the split into training, validation and test pieces.
    jobs
        Number of processes that read files; -1 uses all cores.
    patience
        Time limit in seconds for each 64 MB of a file; by default 600.
    cluster
        Address of a Dask scheduler whose workers read the files, such as tcp://host:8786; "local"
        starts workers on this machine.
    overwrite
        Replace an existing corpus in the folder.
    report
        Print a table of the files: pieces, facts, and what was left out and why.
    json
        Print the description of the corpus as JSON.
    """
    from seqgen.cli.console import print_table, say_corpus
    from seqgen.cli.report import file_reports, left_out_labels, table
    from seqgen.data.finding import unread_text
    from seqgen.plugins.discovery import load_domain

    check_folder(out, load_domain(domain)[1].suffixes, "files to read go before --out")
    with shared_out(cluster):
        corpus = prepare_corpus(
            domain,
            paths,
            files,
            out,
            seed=seed,
            jobs=jobs,
            patience=patience,
            overwrite=overwrite,
        )
    if json:
        print_json(corpus.info | ({"report": file_reports(corpus)} if report else {}))
    else:
        say_corpus(corpus)
        if report:
            print_table(table(file_reports(corpus)))
            for line in left_out_labels(corpus):
                show(line)
            if corpus.info["unread"]:
                show(unread_text(corpus.info["unread"]))
        show(corpus.folder)


def prepare_corpus(
    domain: str,
    paths: tuple[Path, ...],
    files: FileOptions,
    out: Path | None = None,
    *,
    seed: int = 0,
    jobs: int = -1,
    patience: Patience = None,
    overwrite: bool = False,
    before: Codec | None = None,
) -> Corpus:
    """Prepare a corpus and show the progress; `before` is the codec of a run to start from."""
    from seqgen.cli.console import meter, say
    from seqgen.cli.standard_input import input_copied
    from seqgen.data.preparation import prepare as read_and_encode
    from seqgen.files import cache_folder, cache_is_kept

    if not cache_is_kept():
        say(
            f"the cache folder cannot be written; {cache_folder()} is used, which may not last; "
            f"set SEQGEN_CACHE to choose another"
        )

    with input_copied(paths) as found, meter("prepare") as show:
        return read_and_encode(
            domain,
            found,
            out,
            codec=files.codec,
            options=named_values("--codec-option", files.codec_option),
            read_options=named_values("--read", files.read),
            valid=_listed("--valid", files.valid),
            test=_listed("--test", files.test),
            draw_splits=files.draw_splits,
            labels=parse_labels(files.label),
            weights=parse_weights(files.weight),
            split_label=files.split_label,
            seed=seed,
            jobs=jobs,
            patience=patience,
            overwrite=overwrite,
            before=before,
            progress=lambda stage, done, total: show(
                done / total, f"{stage} {done / 1e6:,.1f} of {total / 1e6:,.1f} MB"
            ),
        )


def shared_out(cluster: str) -> AbstractContextManager[object]:
    """Share the work of a block out to a cluster, if its address is given."""
    from seqgen.cluster import on_cluster

    return on_cluster(cluster) if cluster else nullcontext()


def _listed(option: str, paths: tuple[Path, ...]) -> list[Path]:
    """Return the paths, with the lines of LIST instead of @LIST.

    Raises
    ------
    ConfigError
        If a list cannot be read, or names nothing.
    """
    found: list[Path] = []
    for path in paths:
        if not str(path).startswith("@"):
            found.append(path)
            continue
        name = str(path)[1:]
        try:
            lines = text_of(Path(name).read_bytes()).splitlines()
        except (OSError, ValueError, DataError) as error:
            raise ConfigError(f"{option} cannot read the list {name}: {error}") from error
        if not (listed := [Path(line) for line in lines if line.strip()]):
            raise ConfigError(f"{option}: the list {name} names no file")
        found += listed
    return found
