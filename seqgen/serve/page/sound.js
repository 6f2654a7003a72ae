// Speech and other sounds: a waveform that grows, and plays while it does.

import { element } from "./controls.js";
import { Parts, colour, fitted } from "./parts.js";
import { Player } from "./player.js";

const HEIGHT = 160; // CSS pixels

export class SoundView extends Parts {
  blocks = [];
  length = 0; // seconds

  constructor(place) {
    super();
    this.canvas = element("canvas", { "aria-hidden": "true" });
    this.box = element("div", {
      className: "wave", tabIndex: 0, role: "slider", "aria-label": "Place in the sound",
      "aria-valuemin": "0", "aria-valuemax": "0", "aria-valuenow": "0",
    }, this.canvas);
    const play = element("button", { type: "button", className: "play" }, "Play");
    this.player = new Player(this, play, (time) => {
      this.box.setAttribute("aria-valuenow", time.toFixed(1));
      this.box.setAttribute("aria-valuetext", `${time.toFixed(1)} seconds`);
      this.#paint();
    });
    place.replaceChildren(element("p", { className: "buttons" }, this.player.button), this.box);
    this.box.addEventListener("click", (event) => {
      const { left, width } = this.box.getBoundingClientRect();
      this.player.playFrom(((event.clientX - left) / width) * this.length);
    });
    this.box.addEventListener("keydown", (event) => {
      const steps = { ArrowRight: 0.5, ArrowLeft: -0.5, Home: -Infinity, End: Infinity };
      if (event.key === " ") this.player.button.click();
      else if (event.key in steps) this.player.seek(this.player.time + steps[event.key]);
      else return;
      event.preventDefault();
    });
    new ResizeObserver(() => this.#paint()).observe(this.box);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#paint());
  }

  show() {
    this.player.reset();
    super.show();
  }

  changed(at) {
    const blocks = at === 0 ? [] : this.blocks.slice(0, at);
    let begin = blocks.length ? blocks.at(-1).begin + blocks.at(-1).samples.length / this.about.rate : 0;
    for (const part of this.parts.slice(at)) {
      const samples = samplesOf(part);
      blocks.push({ begin, samples });
      begin += samples.length / this.about.rate;
    }
    this.blocks = blocks;
    this.length = begin;
    this.box.setAttribute("aria-valuemax", begin.toFixed(1));
    this.#paint();
  }

  #paint() {
    const width = this.box.clientWidth;
    if (!width) return;
    const context = fitted(this.canvas, width, HEIGHT), middle = HEIGHT / 2;
    const scale = width / Math.max(this.length, 1);
    context.fillStyle = colour("--accent");
    for (const { begin, samples } of this.blocks) {
      const columns = Math.max(Math.round((samples.length / this.about.rate) * scale), 1);
      for (let column = 0; column < columns; column += 1) {
        const from = Math.floor((column * samples.length) / columns);
        const until = Math.max(Math.floor(((column + 1) * samples.length) / columns), from + 1);
        let high = 0;
        for (let at = from; at < until; at += 1) high = Math.max(high, Math.abs(samples[at]));
        context.fillRect(begin * scale + column, middle - high * middle, 1, Math.max(2 * high * middle, 1));
      }
    }
    context.fillStyle = colour("--ink");
    context.fillRect(this.player.time * scale, 0, 2, HEIGHT);
  }

  // What the player asks for.
  horizon() {
    return this.length;
  }

  end() {
    return this.isDone ? this.length : null;
  }

  between(from, until, isFirst) {
    const end = (block) => block.begin + block.samples.length / this.about.rate;
    return this.blocks
      .filter((block) => block.begin < until && (block.begin >= from || (isFirst && end(block) > from)))
      .map(({ begin, samples }) => ({
        samples, begin: Math.max(begin, from), skip: Math.max(from - begin, 0),
      }));
  }

  sound(context, out, { samples, skip }, when) {
    const buffer = context.createBuffer(1, samples.length, this.about.rate);
    buffer.copyToChannel(samples, 0);
    const source = context.createBufferSource();
    source.buffer = buffer;
    source.connect(out);
    source.start(when, skip);
  }
}

function samplesOf(text) {
  const bytes = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Float32Array.from({ length: bytes.length / 2 }, (_, at) => view.getInt16(2 * at, true) / 32768);
}
