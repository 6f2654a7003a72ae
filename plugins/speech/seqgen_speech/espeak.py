"""Speaks text with the synthesiser eSpeak NG, through its C interface.

The library and its voices come with the package espeakng-loader.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import PluginError
from seqgen_speech.sound import Sound

#: Of espeak-ng/speak_lib.h: return sound while speaking; do not end the process after an error;
#: text is UTF-8; parameters.
SYNCHRONOUS, DONT_EXIT, UTF8 = 2, 0x8000, 1
RATE, PITCH = 1, 3


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
    """Yield the sound of each text in its voice, with the text.

    Raises
    ------
    PluginError
        If espeakng-loader is not installed, or the synthesiser fails.
    """
    library, rate = _library()
    parts: list[NDArray[np.int16]] = []

    def keep(samples: Any, count: int, events: Any) -> int:
        if samples and count > 0:
            parts.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    # Held here as long as the library may call it.
    callback = _CALLBACK(keep)
    library.espeak_SetSynthCallback(callback)
    for voice, text in said:
        parts.clear()
        data = text.encode()
        failed = library.espeak_SetVoiceByName(voice.name.encode())
        failed = failed or library.espeak_SetParameter(RATE, voice.rate, 0)
        failed = failed or library.espeak_SetParameter(PITCH, voice.pitch, 0)
        failed = failed or library.espeak_Synth(data, len(data) + 1, 0, 1, 0, UTF8, None, None)
        if failed or not parts:
            raise PluginError(f"eSpeak NG cannot say {text!r} with the voice {voice.name!r}")
        samples = np.concatenate(parts).astype(np.float32) * np.float32(2**-15)
        yield Sound(samples, rate, text)


#: Gets samples, their number, and events that are not read here.
_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


def _library() -> tuple[Any, int]:
    """Return the loaded library and the samples per second that it makes."""
    try:
        import espeakng_loader
    except ImportError as error:
        raise PluginError(
            'the demo speaks with eSpeak NG; try: python -m pip install "seqgen-speech[espeak]"'
        ) from error
    try:
        library = ctypes.CDLL(espeakng_loader.get_library_path())
        data = espeakng_loader.get_data_path().encode()
    except (OSError, RuntimeError) as error:
        raise PluginError(f"eSpeak NG cannot be loaded ({error})") from error
    library.espeak_Synth.argtypes = (
        *(ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int),
        *(ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p),
    )
    rate = library.espeak_Initialize(SYNCHRONOUS, 0, data, DONT_EXIT)
    if rate <= 0:
        raise PluginError("eSpeak NG finds no voices")
    return library, rate
