"""Runs on the Hugging Face hub: uploads what generating needs, downloads it and checks all of it.

`huggingface_hub` speaks to the hub (extra ``hub``). No file is a pickle or code. Other files of a
repository are never downloaded. Comes from: `seqgen.run.folder`.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqgen.errors import ConfigError, PluginError, RunError, SeqgenError
from seqgen.files import RUN, new_folder, read_description
from seqgen.plugins.proofreaders import MOST_BYTES
from seqgen.run.card import model_card
from seqgen.run.folder import Run, load
from seqgen.run.proofreader import HEADER, saved_proofreader
from seqgen.run.results import METRICS, PROOFREADER, WEIGHTS, check_trained
from seqgen.storage.checked_json import LARGEST

if TYPE_CHECKING:
    from huggingface_hub import HfApi

CARD = "README.md"

#: The files that travel, and the most bytes of each; the first two are in every run.
TRAVELLERS = {
    RUN: LARGEST,
    WEIGHTS: 2**32,
    PROOFREADER: MOST_BYTES + HEADER,
    METRICS: 2**26,
    CARD: 2**20,
}

#: A repository of the hub, and the short name of a licence there.
_REPOSITORY = re.compile(r"\w[\w.-]{0,95}/\w[\w.-]{0,95}", re.ASCII)
_LICENSE = re.compile(r"[a-z0-9.-]{1,40}")


@dataclass(frozen=True)
class Moved:
    """What was uploaded or downloaded.

    Attributes
    ----------
    repository : str
        Such as ``ada/chorales``.
    commit : str
        The commit of the repository.
    files : dict of str to int
        Bytes of each file.
    """

    repository: str
    commit: str
    files: dict[str, int]

    @property
    def megabytes(self) -> float:
        """The size of all files, in MB of a million bytes."""
        return sum(self.files.values()) / 1e6


def push(
    run: Run | Path | str, repository: str, *, private: bool = False, license: str = ""
) -> Moved:
    """Upload a trained run to the Hugging Face hub; make the repository if there is none.

    The token of the hub is that of ``hf auth login``, or of the variable ``HF_TOKEN``.

    Parameters
    ----------
    run : Run or Path or str
        The run, or its folder. The folder does not change.
    repository : str
        ``OWNER/NAME``.
    private : bool
        Make a new repository private.
    license : str
        The licence of the model as the hub writes it, such as ``mit`` or ``cc-by-4.0``.

    Raises
    ------
    ConfigError
        If the name of the repository or the licence is none.
    PluginError
        If huggingface_hub is not installed.
    RunError
        If the run is damaged or untrained, or the hub refuses.
    """
    api = _hub(repository)
    if license and _LICENSE.fullmatch(license) is None:
        raise ConfigError(
            f"license: expected a short name such as mit or cc-by-4.0, found {license!r}"
        )
    opened = run if isinstance(run, Run) else load(run, "cpu")
    _check(opened)
    contents = _contents(opened, repository, license)
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    with _failures(f"{opened.folder} could not be uploaded to {repository}"):
        # None leaves it to what the owner has chosen.
        api.create_repo(repository, private=private or None, exist_ok=True)
        before = {each.rfilename for each in api.model_info(repository).siblings or ()}
        made = api.create_commit(
            repository,
            [
                *(CommitOperationAdd(name, content) for name, content in contents.items()),
                # A file of an earlier run would be taken for one of this run.
                *(
                    CommitOperationDelete(name)
                    for name in TRAVELLERS
                    if name in before - {*contents}
                ),
            ],
            commit_message="Add a run of seqgen",
        )
    return Moved(repository, made.oid, {name: len(content) for name, content in contents.items()})


def pull(
    repository: str, folder: Path | str, *, revision: str = "main", overwrite: bool = False
) -> Moved:
    """Download a run from the Hugging Face hub into a new folder.

    Sizes are checked before the download, everything else before the folder appears: the JSON
    against its table, tensors against the settings, the codec by its own plugin.

    Parameters
    ----------
    repository : str
        ``OWNER/NAME``.
    folder : Path or str
        The new run folder.
    revision : str
        Branch, tag or commit.
    overwrite : bool
        Replace a run that is there.

    Raises
    ------
    ConfigError
        If the name of the repository is none.
    PluginError
        If huggingface_hub or the plugin of the run is not installed.
    RunError
        If there is no such run, it is damaged, or something is in the place of the folder.
    """
    api = _hub(repository)
    with new_folder(Path(folder), marker=RUN, overwrite=overwrite) as temporary:
        with _failures(f"{repository} could not be downloaded"):
            about = api.model_info(repository, revision=revision, files_metadata=True)
            sizes = {each.rfilename: each.size for each in about.siblings or ()}
            files = _bounded(repository, sizes)
            for name in files:
                api.hf_hub_download(repository, name, revision=about.sha, local_dir=temporary)
        # The library keeps notes of its own beside the files.
        shutil.rmtree(temporary / ".cache", ignore_errors=True)
        _check_downloaded(repository, temporary, files)
    return Moved(repository, str(about.sha), files)


def _hub(repository: str) -> HfApi:
    """Return the client of the hub, once the name of a repository is one."""
    if _REPOSITORY.fullmatch(repository) is None:
        raise ConfigError(f"expected a repository OWNER/NAME, found {repository!r}")
    try:
        from huggingface_hub import HfApi
    except ModuleNotFoundError as error:
        raise PluginError(
            "the hub needs huggingface_hub, which is not installed; "
            "try: python -m pip install 'seqgen-toolkit[hub]'"
        ) from error
    return HfApi(library_name="seqgen")


def _contents(run: Run, repository: str, license: str) -> dict[str, bytes]:
    """Return the files of a run as they are uploaded, in the order of `TRAVELLERS`."""
    described = json.dumps(_described(run), indent=2, ensure_ascii=False, allow_nan=False)
    made = {RUN: f"{described}\n".encode(), CARD: _card(run, repository, license).encode()}
    there = [name for name in TRAVELLERS if name in made or (run.folder / name).is_file()]
    return {name: made.get(name) or (run.folder / name).read_bytes() for name in there}


def _described(run: Run) -> dict[str, Any]:
    """Return the content of ``run.json`` with names in the place of any paths.

    Runs of older versions have absolute ones.
    """
    info = read_description(run.folder / RUN)
    info["corpus"]["folder"] = Path(info["corpus"]["folder"]).name
    info["distribution"] = Path(info["distribution"]).name
    if "from" in info:
        info["from"]["run"] = Path(info["from"]["run"]).name
    return info


def _card(run: Run, repository: str, license: str) -> str:
    """Return the model card with its front matter, which the hub reads as YAML."""
    name = repository.split("/")[1]
    # A text in JSON is one in YAML, whatever is in it.
    lines = [
        *(["license: " + json.dumps(license)] if license else []),
        "library_name: seqgen",
        "tags:",
        *(f"- {json.dumps(tag)}" for tag in ("seqgen", "lstm", run.info["domain"])),
    ]
    if run.info["domain"] == "text":
        lines.insert(-4, "pipeline_tag: text-generation")
    commands = f"seqgen pull {repository}", f"seqgen generate {name} -n 4"
    text = model_card(run.info, commands)
    return "\n".join(["---", *lines, "---", "", text])


def _bounded(repository: str, sizes: dict[str, int | None]) -> dict[str, int]:
    """Return the bytes of the files to download; raise `RunError` if they are no run."""
    for name in (RUN, WEIGHTS):
        if name not in sizes:
            raise RunError(f"{repository} holds no run of seqgen: it has no {name}")
    files = {}
    for name, most in TRAVELLERS.items():
        if name not in sizes:
            continue
        size = sizes[name]
        if size is None or not 0 <= size <= most:
            found = "no size" if size is None else f"{size:,}"
            raise RunError(
                f"{name} of {repository} was not downloaded: expected at most {most:,} bytes, "
                f"found {found}"
            )
        files[name] = size
    return files


def _check_downloaded(repository: str, folder: Path, files: dict[str, int]) -> None:
    """Raise an error that names the repository if the files are not those of a sound run."""
    for name, size in files.items():
        path = folder / name
        if path.is_symlink() or not path.is_file() or path.stat().st_size != size:
            raise RunError(f"{name} of {repository} is not a file of {size:,} bytes; pull again")
    try:
        _check(load(folder, "cpu"))
    except SeqgenError as error:
        # The folder of the download is gone when the message is read.
        raise type(error)(str(error).replace(str(folder), repository)) from error


def _check(run: Run) -> None:
    """Read all that travels with a run, which checks it."""
    check_trained(run.folder, run.name)
    len(run.weights)
    len(run.metrics)
    saved_proofreader(run)


@contextmanager
def _failures(what: str) -> Iterator[None]:
    """Turn what the hub and the network refuse into one error that says what was not done."""
    from huggingface_hub import errors

    # The error of the library's HTTP client, which has changed; httpx2 now.
    http: type[Exception] = vars(errors)["HTTPError"]
    try:
        yield
    except (http, errors.HFValidationError, errors.EntryNotFoundError, OSError) as error:
        if getattr(error, "errno", None) is not None:
            raise  # of this machine, such as a full disk
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        answer = getattr(error, "server_message", None) or first
        raise RunError(
            f"{what}: {answer}; check the name and the network, and log in with: hf auth login"
        ) from error
