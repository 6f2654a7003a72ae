"""A copy of a corpus folder in which the ids of some pieces are others.

Comes from: `seqgen.training.rounds`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqgen.data.corpus import Corpus
from seqgen.data.integrity import data_files, digests
from seqgen.data.shards import shard_names
from seqgen.files import CORPUS, new_folder, write_json


def rewrite(corpus: Corpus, folder: Path, pieces: Iterable[tuple[int, NDArray[Any]]]) -> Corpus:
    """Write a corpus with other ids for some pieces; the folder of `corpus` stays as it is.

    Parameters
    ----------
    corpus : Corpus
    folder : Path
        The new corpus folder; another corpus there is replaced.
    pieces : iterable of (int, integer array (N,))
        Number of a piece and its new ids, as many as before.

    Returns
    -------
    Corpus
    """
    with new_folder(folder, marker=CORPUS, overwrite=True) as temporary:
        for name in data_files(corpus.info):
            shutil.copyfile(corpus.folder / name, temporary / name)
        names = shard_names(corpus.info)
        arrays = [np.load(temporary / name, mmap_mode="r+") for name in names]
        shards = corpus.shards.of(arrays)
        for number, ids in pieces:
            shards.piece(number)[:] = ids
        for array in arrays:
            array.flush()
        # The last array is also the one of the loop.
        del arrays, array, shards  # Windows replaces no file that is mapped.
        write_json(temporary / CORPUS, corpus.info | {"digests": digests(temporary, corpus.info)})
    return Corpus(folder)
