// Music: a piano roll that grows and scrolls, with a fixed width a second; played by oscillators.

import { element } from "./controls.js";
import { Parts, colour, fitted, isStill } from "./parts.js";
import { Player } from "./player.js";

const SECOND = 90; // CSS pixels
const ROW = 6; // CSS pixels of a pitch
const MARGIN = 6; // pitches above and below
// The palette of Okabe and Ito, which colour-blind readers can distinguish.
const COLOURS = ["#d55e00", "#009e73", "#0072b2", "#cc79a7", "#e69f00", "#56b4e9", "#8a8a8a", "#b5a900"];
const WAVES = { 6: "sawtooth", 4: "square", 5: "sawtooth", 7: "triangle", 9: "sine", 2: "square" };

export class RollView extends Parts {
  constructor(place) {
    super();
    this.canvas = element("canvas", { "aria-hidden": "true" });
    this.space = element("div", { className: "space" });
    this.box = element("div", {
      className: "roll", tabIndex: 0, role: "slider", "aria-label": "Place in the piece",
      "aria-valuemin": "0", "aria-valuemax": "0", "aria-valuenow": "0",
    }, this.canvas, this.space);
    this.tracks = element("div", { className: "tracks", role: "group", "aria-label": "Tracks" });
    this.player = new Player(this, (time) => this.#moved(time));
    const hint = "Click to hear the piece from there. Space plays, the arrow keys move by a bar.";
    place.replaceChildren(
      element("p", { className: "buttons" }, this.player.button), this.box, this.tracks,
      element("p", { className: "legend" }, hint));
    this.muted = new Set();
    this.box.addEventListener("scroll", () => this.#paint());
    this.box.addEventListener("click", (event) => {
      const left = event.clientX - this.box.getBoundingClientRect().left;
      this.player.seek((left + this.box.scrollLeft) / SECOND);
    });
    this.box.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.#paint()).observe(this.box);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#paint());
  }

  show() {
    this.player.reset();
    this.names = "";
    super.show();
    this.box.scrollLeft = 0;
  }

  changed(at) {
    if (at === 0) [this.low, this.high, this.length] = [128, -1, 0];
    for (const [begin, lasts, pitch] of this.parts.slice(at)) {
      this.low = Math.min(this.low, pitch);
      this.high = Math.max(this.high, pitch);
      this.length = Math.max(this.length, begin + lasts);
    }
    if (at > 0 && at === this.parts.length) this.length = Math.max(0, ...this.parts.map(([b, l]) => b + l));
    this.space.style.width = `${Math.ceil((this.length + 1) * SECOND)}px`;
    this.box.setAttribute("aria-valuemax", this.length.toFixed(1));
    this.#showTracks();
    if (!this.isDone && !this.player.isPlaying && !isStill()) this.box.scrollLeft = this.space.offsetWidth;
    this.#paint();
  }

  #showTracks() {
    const tracks = this.about.tracks ?? [];
    const names = JSON.stringify(tracks);
    if (names === this.names) return;
    this.names = names;
    this.muted.clear();
    this.tracks.replaceChildren(...tracks.map((track, number) => {
      const tick = element("input", { type: "checkbox", checked: true });
      tick.addEventListener("change", () => {
        this.muted[tick.checked ? "delete" : "add"](number);
        this.#paint();
      });
      const name = element("span", {}, track.name || `track ${number + 1}`);
      name.style.setProperty("--track", COLOURS[number % COLOURS.length]);
      return element("label", { className: "tick" }, tick, name);
    }));
  }

  #paint() {
    const width = this.box.clientWidth;
    if (!width) return;
    const low = this.high < 0 ? 54 : this.low, high = this.high < 0 ? 78 : this.high;
    const rows = high - low + 1 + 2 * MARGIN, height = rows * ROW;
    const context = fitted(this.canvas, width, height), left = this.box.scrollLeft;
    const x = (time) => time * SECOND - left;
    const y = (pitch) => (high + MARGIN - pitch) * ROW;
    context.font = "11px system-ui";
    context.fillStyle = colour("--quiet");
    (this.about.bars ?? []).forEach((bar, number) => {
      if (x(bar) < -40 || x(bar) > width) return;
      context.globalAlpha = 0.35;
      context.fillRect(x(bar), 0, 1, height);
      context.globalAlpha = 1;
      context.fillText(String(number + 1), x(bar) + 4, 12);
    });
    for (let pitch = Math.ceil(low / 12) * 12; pitch <= high; pitch += 12) {
      context.globalAlpha = 0.2;
      context.fillRect(0, y(pitch) + ROW - 1, width, 1);
    }
    for (const [begin, lasts, pitch, velocity, track] of this.parts) {
      if (x(begin + lasts) < 0 || x(begin) > width) continue;
      context.globalAlpha = this.muted.has(track) ? 0.15 : 0.55 + velocity / 285;
      context.fillStyle = COLOURS[track % COLOURS.length];
      context.fillRect(x(begin), y(pitch), Math.max(lasts * SECOND - 1, 2), ROW - 1);
    }
    context.globalAlpha = 1;
    context.fillStyle = colour("--ink");
    context.fillRect(x(this.player.time), 0, 2, height);
  }

  #moved(time) {
    const bar = (this.about.bars ?? []).filter((begin) => begin <= time + 0.001).length;
    this.box.setAttribute("aria-valuenow", time.toFixed(1));
    this.box.setAttribute("aria-valuetext", `bar ${bar}, ${time.toFixed(1)} seconds`);
    const at = time * SECOND - this.box.scrollLeft, width = this.box.clientWidth;
    if (at < 0 || at > width * 0.8) this.box.scrollLeft = time * SECOND - width * 0.3;
    this.#paint();
  }

  #key(event) {
    const bars = this.about.bars ?? [0], now = this.player.time;
    const steps = {
      ArrowRight: () => bars.find((bar) => bar > now + 0.01) ?? this.length,
      ArrowLeft: () => bars.findLast((bar) => bar < now - 0.01) ?? 0,
      Home: () => 0,
      End: () => this.length,
    };
    if (event.key === " ") this.player.button.click();
    else if (event.key in steps) this.player.seek(steps[event.key]());
    else return;
    event.preventDefault();
  }

  // What the player asks for.
  horizon() {
    return this.isDone ? this.length : (this.parts.at(-1)?.[0] ?? 0);
  }

  end() {
    return this.isDone ? this.length + 0.3 : null;
  }

  between(from, until) {
    return this.parts
      .filter(([begin, , , , track]) => begin >= from && begin < until && !this.muted.has(track))
      .map(([begin, lasts, pitch, velocity, track]) => ({ begin, lasts, pitch, velocity, track }));
  }

  sound(context, out, { lasts, pitch, velocity, track }, when) {
    const { program = 0, drums = false } = this.about.tracks?.[track] ?? {};
    const gain = context.createGain(), level = 0.18 * (velocity / 127) ** 1.5;
    gain.connect(out);
    let source, end;
    if (drums) {
      source = context.createBufferSource();
      source.buffer = noise(context);
      source.playbackRate.value = pitch < 40 ? 0.25 : pitch < 50 ? 0.7 : 1.6;
      end = when + (pitch < 40 ? 0.16 : 0.08);
    } else {
      source = context.createOscillator();
      source.type = WAVES[program >> 3] ?? "triangle";
      source.frequency.value = 440 * 2 ** ((pitch - 69) / 12);
      end = when + Math.max(lasts, 0.05);
    }
    const soft = source.type === "triangle" || source.type === "sine" ? 1.6 : 0.7;
    gain.gain.setValueAtTime(0, when);
    gain.gain.linearRampToValueAtTime(level * soft, when + 0.008);
    gain.gain.setTargetAtTime(level * soft * 0.5, when + 0.01, 0.4);
    gain.gain.setTargetAtTime(0, end, 0.04);
    source.connect(gain);
    source.start(when);
    source.stop(end + 0.25);
  }
}

// White noise for drums, made once for each context.
const noises = new WeakMap();
function noise(context) {
  if (!noises.has(context)) {
    const buffer = context.createBuffer(1, context.sampleRate / 2, context.sampleRate);
    buffer.getChannelData(0).forEach((_, at, data) => (data[at] = 2 * Math.random() - 1));
    noises.set(context, buffer);
  }
  return noises.get(context);
}
