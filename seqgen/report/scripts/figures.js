// Pieces that sound: a cursor follows the sound over each picture, and clicks and keys move it.

import { Player, notesBetween } from "./player.js";
import { sound } from "./synth.js";

// A sound that the page holds, with the interface of a `Player`.
class Recording {
  constructor(audio, moved) {
    this.audio = audio;
    const step = () => {
      moved();
      if (this.isPlaying) requestAnimationFrame(step);
    };
    audio.addEventListener("play", step);
    for (const change of ["pause", "seeked", "timeupdate"]) audio.addEventListener(change, moved);
  }

  get time() {
    return this.audio.currentTime;
  }

  get length() {
    return this.audio.duration;
  }

  get isPlaying() {
    return !this.audio.paused;
  }

  seek(time) {
    this.audio.currentTime = Math.max(0, Math.min(time, this.length || time));
  }

  play() {
    this.audio.play();
  }

  pause() {
    this.audio.pause();
  }
}

// Notes in seconds, which are made to sound when they are played.
function ofNotes({ notes, tracks }, button, moved) {
  const length = Math.max(0, ...notes.map(([begin, lasts]) => begin + lasts));
  const player = new Player({
    horizon: () => length,
    end: () => length,
    between: (...span) => notesBetween(notes, ...span),
    sound: (context, out, note, when) => sound(context, out, note, tracks[note.track] ?? {}, when),
  }, button, moved);
  player.length = length;
  button.hidden = false;
  return player;
}

// Make a picture the slider of a sound; returns what shows the place.
function slider(picture, sounding) {
  const view = picture.viewBox.baseVal, has = picture.dataset;
  const box = view?.width ? view : picture.getBBox();
  const first = Number(has.x0 ?? box.x), last = Number(has.x1 ?? box.x + box.width);
  const seconds = () => Number(has.seconds ?? sounding().length) || 1;
  const cursor = document.createElementNS(picture.namespaceURI, "path");
  for (const [name, value] of [["stroke", "black"], ["stroke-width", 2], ["vector-effect", "non-scaling-stroke"]]) {
    cursor.setAttribute(name, value);
  }
  picture.append(cursor);
  picture.tabIndex = 0;
  picture.parentElement.removeAttribute("tabindex"); // the arrow keys move the sound, not the frame
  picture.style.cursor = "pointer";
  picture.setAttribute("role", "slider");
  picture.setAttribute("aria-label", "place in the piece; an arrow key moves, space plays");
  picture.setAttribute("aria-valuemin", 0);
  picture.addEventListener("click", (event) => {
    const point = new DOMPoint(event.clientX, event.clientY);
    const x = point.matrixTransform(picture.getScreenCTM().inverse()).x;
    sounding().seek(seconds() * (x - first) / (last - first));
    if (!sounding().isPlaying) sounding().play();
  });
  picture.addEventListener("keydown", (event) => {
    const { time, isPlaying } = sounding();
    const places = { ArrowLeft: time - 2, ArrowRight: time + 2, Home: 0, End: seconds() };
    if (event.key in places) sounding().seek(places[event.key]);
    else if (event.key === " " && isPlaying) sounding().pause();
    else if (event.key === " ") sounding().play();
    else return;
    event.preventDefault();
  });
  return () => {
    const { time, isPlaying } = sounding(), frame = picture.parentElement;
    const x = Math.min(first + (last - first) * time / seconds(), last);
    cursor.setAttribute("d", `M${x.toFixed(1)} ${box.y}v${box.height}`);
    picture.setAttribute("aria-valuenow", Math.round(time));
    picture.setAttribute("aria-valuemax", Math.round(seconds()));
    picture.setAttribute("aria-valuetext", `${Math.round(time)} seconds`);
    const place = (x - box.x) / box.width * picture.clientWidth - frame.scrollLeft;
    if (isPlaying && (place < 0 || place > frame.clientWidth * .9)) {
      frame.scrollLeft += place - frame.clientWidth * .1;
    }
  };
}

const all = [];
for (const figure of document.querySelectorAll("figure")) {
  const audio = figure.querySelector("audio"), notes = figure.querySelector("script");
  const picture = figure.querySelector("svg");
  if (!audio && !notes) continue;
  const show = picture ? slider(picture, () => own) : () => {};
  let played = false;
  const moved = () => {
    if (own.isPlaying && !played) all.forEach((other) => other !== own && other.isPlaying && other.pause());
    played = own.isPlaying;
    show();
  };
  const own = audio ? new Recording(audio, moved)
    : ofNotes(JSON.parse(notes.textContent), figure.querySelector("button"), moved);
  all.push(own);
  show();
}
