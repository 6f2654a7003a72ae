"""The synthesiser eSpeak NG, through its C interface: it speaks text, and knows its phonemes.

The library and its voices come with the package espeakng-loader. Phonemes are in the International
Phonetic Alphabet, with their stress. A blank separates words. The sign that ends a clause stands
for the pause after it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from sys import intern
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError, PluginError
from seqgen_speech.sound import GAP, PAUSES, STOP, Sound, Times

#: Of espeak-ng/speak_lib.h: return sound while speaking; tell phonemes, in IPA; do not end the
#: process after an error; text is UTF-8; parameters; kinds of events.
SYNCHRONOUS, PHONEME_EVENTS, DONT_EXIT, UTF8 = 2, 0x0003, 0x8000, 1
RATE, PITCH = 1, 3
NO_MORE, WORD, END, PHONEME = 0, 1, 5, 7

#: Words per minute at which a text is spoken for its phonemes alone.
FASTEST = 450

#: Variant without roughness, words per minute and pitch in hertz of what is said alike every time.
PLAIN_VARIANT, PLAIN_RATE, PLAIN_PITCH = "+Andrea", 160, 120

#: Texts whose phonemes are kept, and most characters of one: training, checks and answers ask for
#: the same ones again and again.
KEPT, LONGEST_KEPT = 2**14, 1_000

#: What helps if the synthesiser does not work.
WAY_OUT = (
    'install seqgen-speech[espeak] anew, or spell texts in letters: `options={"text": "letters"}`'
)

#: The library has one voice and one text at a time, and is loaded once.
_LOCK = Lock()


@dataclass(frozen=True)
class Voice:
    """A voice of the synthesiser.

    Attributes
    ----------
    speaker : str
        What we call it.
    name : str
        The language and variant, as eSpeak NG calls them.
    rate : int
        Words per minute.
    pitch : int
        From 0 to 100.
    """

    speaker: str
    name: str
    rate: int
    pitch: int


def speak(said: Iterable[tuple[Voice, str]]) -> Iterator[Sound]:
    """Yield the sound of each text in its voice, with the text and the times of its phonemes.

    Raises
    ------
    PluginError
        If espeakng-loader is not installed, or the synthesiser fails.
    """
    for voice, text in said:
        with _LOCK:
            library, rate = _library()
            samples, events = _spoken(library, voice, text)
        yield Sound(samples, rate, text, _times(events, text, rate, len(samples)))


def said_alike(text: str, language: str) -> Sound:
    """Return the sound of a text with the times of its phonemes, the same ones every time.

    The synthesiser goes on from where it was. So its pitch is constant, which else flutters; noise
    begins anew; the voice is not rough, which depends on the number of periods so far; and
    something else is said first.

    Raises
    ------
    PluginError
        If espeakng-loader is not installed, or the synthesiser fails.
    """
    voice = Voice("", language.split("+")[0] + PLAIN_VARIANT, PLAIN_RATE, 50)
    with _LOCK:
        library, rate = _library()
        library.espeak_ng_SetConstF0(PLAIN_PITCH)
        try:
            _spoken(library, voice, "a")
            library.espeak_ng_SetRandSeed(1)
            samples, events = _spoken(library, voice, text)
        finally:
            library.espeak_ng_SetConstF0(0)
    return Sound(samples, rate, text, _times(events, text, rate, len(samples)))


def phonemes(text: str, language: str) -> tuple[str, ...]:
    """Return the phonemes of a text, with gaps between words and pauses after clauses.

    They are those that `speak` tells: the text is spoken, and the sound forgotten. Those of many
    texts are kept.

    Parameters
    ----------
    text : str
    language : str
        As eSpeak NG calls it, such as "en-us".

    Raises
    ------
    PluginError
        If espeakng-loader is not installed, or the synthesiser fails.
    DataError
        If eSpeak NG does not know the language.
    """
    # Long ones would take too much memory.
    return (_kept if len(text) <= LONGEST_KEPT else _phonemes)(text, language)


def is_usable() -> bool:
    """Return whether the synthesiser is installed and can be loaded."""
    try:
        with _LOCK:
            _library()
    except PluginError:
        return False
    return True


def _phonemes(text: str, language: str) -> tuple[str, ...]:
    with _LOCK:
        library, rate = _library()
        if library.espeak_SetVoiceByName(language.encode()):
            raise DataError(
                f"eSpeak NG does not know the language {language!r}; expected a name such as "
                f"en-us, en (British), de, es or fr"
            )
        _, events = _spoken(library, Voice("", language, FASTEST, 50), text)
    # Few strings differ, so each is held once.
    return tuple(intern(symbol) for symbol, *_ in _times(events, text, rate, 0))


_kept = lru_cache(maxsize=KEPT)(_phonemes)


def _pause(text: str, end: int, is_all: bool) -> str:
    """Return the sign that ends a text up to a place; "" if a long clause was only divided."""
    for place in range(min(end, len(text)) - 1, -1, -1):
        if text[place] in PAUSES:
            return text[place]
        if text[place].isalnum() or text[place] == "_":
            break
    return STOP * is_all


@dataclass(frozen=True)
class _Happening:
    """An event of the synthesiser: its kind, at which sample and character, and its phoneme."""

    kind: int
    sample: int
    character: int
    phoneme: str


def _times(events: list[_Happening], text: str, rate: int, samples: int) -> Times:
    """Return what is said when; a phoneme without a name is part of the one before."""
    begun: list[tuple[str, float]] = []
    silent_from: float | None = None
    last = max((at for at, event in enumerate(events) if event.kind == PHONEME), default=-1)
    for number, event in enumerate(events):
        at = event.sample / rate
        if event.kind == PHONEME and event.phoneme:
            begun.append((event.phoneme, at))
            silent_from = None
        elif event.kind == PHONEME:
            silent_from = at if silent_from is None else silent_from
        elif event.kind == WORD and begun and begun[-1][0] != GAP:
            begun.append((GAP, at))
        elif event.kind == END:
            pause = _pause(text, event.character, is_all=number > last)
            if pause:
                begun.append((pause, at if silent_from is None else silent_from))
    ends = [at for _, at in begun[1:]] + [samples / rate]
    return tuple((symbol, at, end) for (symbol, at), end in zip(begun, ends, strict=True))


def _spoken(library: Any, voice: Voice, text: str) -> tuple[NDArray[np.float32], list[_Happening]]:
    """Return the samples ``(N,)`` of a text, and what happens when."""
    parts: list[NDArray[np.int16]] = []
    events: list[_Happening] = []
    # Held here as long as the library may call it.
    callback = _CALLBACK(_keeper(parts, events))
    library.espeak_SetSynthCallback(callback)
    data = text.replace("\0", " ").encode()
    failed = library.espeak_SetVoiceByName(voice.name.encode())
    failed = failed or library.espeak_SetParameter(RATE, voice.rate, 0)
    failed = failed or library.espeak_SetParameter(PITCH, voice.pitch, 0)
    failed = failed or library.espeak_Synth(data, len(data) + 1, 0, 1, 0, UTF8, None, None)
    if failed or not parts:
        raise PluginError(f"eSpeak NG cannot say {text!r} with the voice {voice.name!r}")
    return np.concatenate(parts).astype(np.float32) * np.float32(2**-15), events


def _keeper(parts: list[NDArray[np.int16]], events: list[_Happening]) -> Callable[..., int]:
    """Return a function for the library that keeps samples and events.

    Another language, such as that of a foreign word, is told as a phoneme in parentheses, which is
    left out.
    """

    def keep(samples: Any, count: int, found: Any) -> int:
        """Copy samples and events, and tell the library to go on."""
        if samples and count > 0:
            parts.append(np.ctypeslib.as_array(samples, (count,)).copy())
        number = 0
        while found and found[number].kind != NO_MORE:
            event = found[number]
            phoneme = bytes(event.phoneme) if event.kind == PHONEME else b""
            name = phoneme.split(b"\0")[0].decode(errors="ignore")
            if not name.startswith("("):
                events.append(_Happening(event.kind, event.sample, event.character, name))
            number += 1
        return 0

    return keep


class _Event(ctypes.Structure):
    """``espeak_EVENT``; the union at its end holds the name of a phoneme."""

    _fields_ = (
        *(("kind", ctypes.c_int), ("message", ctypes.c_uint), ("character", ctypes.c_int)),
        *(("length", ctypes.c_int), ("milliseconds", ctypes.c_int), ("sample", ctypes.c_int)),
        *(("data", ctypes.c_void_p), ("phoneme", ctypes.c_ubyte * 8)),
    )


#: Gets samples, their number, and events.
_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


@lru_cache(maxsize=1)
def _library() -> tuple[Any, int]:
    """Return the loaded library and the samples per second that it makes."""
    try:
        import espeakng_loader
    except ImportError as error:
        raise PluginError(
            "phonemes and the voices of the demo come from eSpeak NG; try: python -m pip install "
            '"seqgen-speech[espeak]"'
        ) from error
    try:
        library = ctypes.CDLL(espeakng_loader.get_library_path())
        data = espeakng_loader.get_data_path().encode()
    except (OSError, RuntimeError) as error:
        raise PluginError(f"eSpeak NG cannot be loaded ({error}); {WAY_OUT}") from error
    library.espeak_Synth.argtypes = (
        *(ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int),
        *(ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p),
    )
    library.espeak_ng_SetRandSeed.argtypes = (ctypes.c_long,)
    library.espeak_ng_SetConstF0.argtypes = (ctypes.c_int,)
    rate = library.espeak_Initialize(SYNCHRONOUS, 0, data, DONT_EXIT | PHONEME_EVENTS)
    if rate <= 0:
        raise PluginError(f"eSpeak NG finds no voices; {WAY_OUT}")
    return library, rate
