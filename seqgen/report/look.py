"""Style and scripts of the page."""

from __future__ import annotations

import re
from pathlib import Path

STYLE = """
:root { color-scheme: light dark; }
body { background: #ffffff; color: #1c1f23; font: 16px/1.5 system-ui, sans-serif;
  max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
figure { margin: 2rem 0; }
a { color: #005a9c; }
figure.narrow { display: inline-block; width: 15rem; margin: 1rem; vertical-align: top; }
figcaption { opacity: .8; }
h1, p, figcaption, figcaption a { overflow-wrap: anywhere; }
.warning { border-left: 3px solid #d55e00; padding-left: 1rem; }
img, svg { max-width: 100%; height: auto; background: white; color: black; border-radius: 6px; }
figure svg { width: 100%; }
figure svg[data-seconds][width] { width: auto; max-width: none; display: block; }
audio { width: 100%; margin: .4rem 0; }
button { font: inherit; padding: .3rem .9rem; margin: .4rem .6rem .4rem 0; cursor: pointer; }
:focus-visible { outline: 3px solid #0072b2; outline-offset: 2px; }
pre { white-space: pre-wrap; border-left: 3px solid #0072b2; padding-left: 1rem; }
table { border-collapse: collapse; }
th, td { padding: .15rem 1.2rem .15rem 0; vertical-align: top; text-align: left; }
td { overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
.wide td { overflow-wrap: normal; }
@media (max-width: 45rem) {
  .wide svg:not([data-seconds][width]) { max-width: none; width: 45rem; }
  figure.narrow { margin: 1rem 0; width: 100%; }
}
@media (prefers-color-scheme: dark) {
  body { background: #15181c; color: #e6e9ec; }
  a { color: #6cb6ff; }
  :focus-visible { outline-color: #9fd0ff; }
  img, svg { filter: invert(.9) hue-rotate(180deg); }
}
"""

#: Folder of the scripts. Each is a module, some of which the playground loads, too.
SCRIPTS = Path(__file__).parent / "scripts"


def script(*names: str) -> str:
    """Return modules as one script, in which they need no import and no export."""
    texts = [(SCRIPTS / name).read_text("utf-8") for name in names]
    return "\n".join(re.sub(r"^import .*\n|^export ", "", text, flags=re.M) for text in texts)
