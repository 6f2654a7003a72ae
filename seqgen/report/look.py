"""Style and script of the page."""

STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
figure { margin: 2rem 0; }
figure.narrow { display: inline-block; width: 15rem; margin: 1rem; vertical-align: top; }
figcaption { opacity: .8; }
h1, p, figcaption, figcaption a { overflow-wrap: anywhere; }
.warning { border-left: 3px solid #d55e00; padding-left: 1rem; }
img, svg { max-width: 100%; height: auto; background: white; color: black; border-radius: 6px; }
figure svg { width: 100%; }
figure svg[data-seconds][width] { width: auto; max-width: none; display: block; }
audio { width: 100%; margin: .4rem 0; }
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
@media (prefers-color-scheme: dark) { img, svg { filter: invert(.9) hue-rotate(180deg); } }
"""

#: Shows a cursor that follows the sound over each picture; clicks and keys move it.
PLAYER = """
for (const figure of document.querySelectorAll("figure")) {
  const picture = figure.querySelector("svg"), sound = figure.querySelector("audio");
  if (!picture || !sound) continue;
  const view = picture.viewBox.baseVal, has = picture.dataset;
  const box = view?.width ? view : picture.getBBox();
  const first = Number(has.x0 ?? box.x), last = Number(has.x1 ?? box.x + box.width);
  const seconds = () => Number(has.seconds ?? sound.duration) || 1;
  const cursor = document.createElementNS(picture.namespaceURI, "path");
  cursor.setAttribute("stroke", "black");
  cursor.setAttribute("stroke-width", "2");
  cursor.setAttribute("vector-effect", "non-scaling-stroke");
  picture.append(cursor);
  const frame = picture.parentElement;
  const show = () => {
    const x = Math.min(first + (last - first) * sound.currentTime / seconds(), last);
    cursor.setAttribute("d", `M${x.toFixed(1)} ${box.y}v${box.height}`);
    picture.setAttribute("aria-valuenow", Math.round(sound.currentTime));
    picture.setAttribute("aria-valuemax", Math.round(seconds()));
    picture.setAttribute("aria-valuetext", `${Math.round(sound.currentTime)} seconds`);
    const place = (x - box.x) / box.width * picture.clientWidth - frame.scrollLeft;
    if (!sound.paused && (place < 0 || place > frame.clientWidth * .9)) {
      frame.scrollLeft += place - frame.clientWidth * .1;
    }
    if (!sound.paused) requestAnimationFrame(show);
  };
  const seek = (time) => {
    sound.currentTime = Math.max(0, Math.min(time, seconds()));
  };
  const toggle = () => sound.paused ? sound.play() : sound.pause();
  sound.addEventListener("play", () => {
    for (const other of document.querySelectorAll("audio")) if (other !== sound) other.pause();
    show();
  });
  for (const change of ["seeked", "timeupdate"]) sound.addEventListener(change, show);
  picture.addEventListener("click", (event) => {
    const point = new DOMPoint(event.clientX, event.clientY);
    const x = point.matrixTransform(picture.getScreenCTM().inverse()).x;
    seek(seconds() * (x - first) / (last - first));
    sound.play();
  });
  picture.tabIndex = 0;
  picture.style.cursor = "pointer";
  picture.setAttribute("role", "slider");
  picture.setAttribute("aria-label", "place in the piece; an arrow key moves, space plays");
  picture.setAttribute("aria-valuemin", 0);
  show();
  picture.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: -2, ArrowRight: 2 };
    if (event.key in moves) seek(sound.currentTime + moves[event.key]);
    else if (event.key === " ") toggle();
    else if (event.key === "Home") seek(0);
    else if (event.key === "End") seek(seconds());
    else return;
    event.preventDefault();
  });
}
"""
