"""The bytes of a file as text: encodings, marks and line ends."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from pathlib import Path

from seqgen.errors import DataError

#: Bytes decoded at a time.
CHUNK = 2**20

#: Marks at the beginning of a file, with their encodings. That of UTF-32 begins like one of UTF-16.
MARKED = (
    *((codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32")),
    *((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")),
)


def decoded(path: Path, encoding: str, errors: str = "strict") -> Iterator[str]:
    """Yield the text of a file in chunks, without a byte-order mark."""
    with path.open("rb") as file:
        begin = file.read(4)
        file.seek(0)
        if encoding == "utf-8":
            # No UTF-8 begins with one of these marks.
            encoding = next((name for mark, name in MARKED if begin.startswith(mark)), encoding)
        made = codecs.getincrementaldecoder(encoding)(errors)
        decoder = io.IncrementalNewlineDecoder(made, translate=True)
        begun = False
        try:
            while data := file.read(CHUNK):
                text = decoder.decode(data)
                yield text if begun else text.removeprefix("\ufeff")
                begun |= bool(text)
            yield decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            # The decoder may hold back bytes of the chunk before: count back from here.
            name = "UTF-8" if encoding == "utf-8" else encoding
            position = file.tell() - len(error.object) + error.start
            raise DataError(
                f"byte {position} is not {name} ({error.reason}); convert the file to {name}, or "
                f"name its encoding (--read encoding=latin-1)"
            ) from error
