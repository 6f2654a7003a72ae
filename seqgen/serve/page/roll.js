// Music: a piano roll that grows and scrolls, with a fixed width a second; played by oscillators.

import { element } from "./controls.js";
import { Bars } from "./bars.js";
import { Parts, colour, fitted, isStill } from "./parts.js";
import { Player, notesBetween } from "./player.js";
import { sound } from "./synth.js";
import { Tracks } from "./tracks.js";

const SECOND = 90; // CSS pixels
const ROW = 6; // CSS pixels of a pitch
const MARGIN = 6; // pitches above and below
const RULER = 20; // CSS pixels
// The palette of Okabe and Ito, which colour-blind readers can distinguish.
const COLOURS = ["#d55e00", "#009e73", "#0072b2", "#cc79a7", "#e69f00", "#56b4e9", "#8a8a8a", "#b5a900"];

export class RollView extends Parts {
  bars = new Bars();

  constructor(place, { rewrites = false, rewrite = null, say = null } = {}) {
    super();
    Object.assign(this, { rewrites, rewrite, say });
    this.canvas = element("canvas", { "aria-hidden": "true" });
    this.space = element("div", { className: "space" });
    this.box = element("div", {
      className: "roll", tabIndex: 0, role: "slider", "aria-label": "Place in the piece",
      "aria-valuemin": "0", "aria-valuemax": "0", "aria-valuenow": "0",
    }, this.canvas, this.space);
    this.tracks = new Tracks(rewrites, COLOURS, () => this.#chosen());
    this.anew = element("button", { type: "button", className: "rewrite", disabled: true, hidden: !rewrites });
    this.anew.addEventListener("click", () => this.rewrite(this.#words()));
    const play = element("button", { type: "button", className: "play" }, "Play");
    this.player = new Player(this, play, (time) => this.#moved(time));
    const hint = "Click to hear the piece from there. Space plays, the arrow keys move by a bar." + (rewrites
      ? " Drag along the numbers of the bars, or press Shift with the arrow keys, to select bars; Escape selects none." : "");
    place.replaceChildren(
      element("p", { className: "buttons" }, this.player.button, this.anew), this.box, this.tracks.box,
      element("p", { className: "legend" }, hint));
    this.#chosen();
    this.box.addEventListener("scroll", () => this.#paint());
    this.box.addEventListener("pointerdown", (event) => this.#down(event));
    this.box.addEventListener("pointermove", (event) => this.#drag(event));
    for (const end of ["pointerup", "pointercancel"]) this.box.addEventListener(end, () => (this.dragged = null));
    this.box.addEventListener("click", (event) => {
      if (!this.#isOnRuler(event)) this.player.playFrom(this.#timeOf(event));
    });
    this.box.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.#paint()).observe(this.box);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#paint());
  }

  show() {
    this.player.reset();
    this.bars.clear();
    this.tracks.seen = "";
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
    this.bars.set(this.about);
    this.tracks.show(this.about.tracks ?? []);
    this.#nameRewriting();
    if (!this.player.isPlaying && !isStill()) this.box.scrollLeft = this.isDone ? 0 : this.space.offsetWidth;
    this.#paint();
  }

  #timeOf(event) {
    return (event.clientX - this.box.getBoundingClientRect().left + this.box.scrollLeft) / SECOND;
  }

  #isOnRuler(event) {
    return this.rewrites && event.clientY - this.box.getBoundingClientRect().top < RULER;
  }

  #down(event) {
    if (event.button !== 0 || !this.#isOnRuler(event)) return;
    this.dragged = this.bars.at(this.#timeOf(event));
    this.box.setPointerCapture(event.pointerId);
    this.#drag(event);
  }

  #drag(event) {
    if (!this.dragged) return;
    this.bars.select(this.dragged, this.bars.at(this.#timeOf(event)));
    this.#select(this.bars.span);
  }

  #select(span) {
    if (!span) this.bars.clear();
    this.say?.(span ? `Selected: ${this.bars.title}.` : "No bar is selected.");
    this.#chosen();
  }

  #chosen() {
    this.#nameRewriting();
    this.#paint();
  }

  // What stays; without it there is nothing to lead on to.
  #words() {
    return [this.bars.words(), this.tracks.words()].filter(Boolean).join("; ");
  }

  #nameRewriting() {
    const others = this.tracks.words() ? "the other tracks" : "";
    const what = this.bars.span ? [others, this.bars.title].filter(Boolean).join(" in ") : others;
    this.anew.textContent = `Write ${what || "selected bars"} anew`;
    this.anew.disabled = !this.isDone || !this.#words();
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
      context.fillText(String(number + this.bars.first), x(bar) + 4, 12);
    });
    for (let pitch = Math.ceil(low / 12) * 12; pitch <= high; pitch += 12) {
      context.globalAlpha = 0.2;
      context.fillRect(0, y(pitch) + ROW - 1, width, 1);
    }
    for (const [begin, lasts, pitch, velocity, track] of this.parts) {
      if (x(begin + lasts) < 0 || x(begin) > width) continue;
      context.globalAlpha = this.tracks.isSilent(track) ? 0.15 : 0.7 + velocity / 425;
      context.fillStyle = COLOURS[track % COLOURS.length];
      context.fillRect(x(begin), y(pitch), Math.max(lasts * SECOND - 1, 2), ROW - 1);
    }
    context.globalAlpha = 0.18;
    context.fillStyle = colour("--accent");
    if (this.bars.span) {
      const [begin, end] = this.bars.edges(this.length);
      context.fillRect(x(begin), 0, (end - begin) * SECOND, height);
    }
    context.globalAlpha = 1;
    context.fillStyle = colour("--ink");
    context.fillRect(x(this.player.time), 0, 2, height);
  }

  #moved(time) {
    const bar = (this.about.bars ?? []).filter((begin) => begin <= time + 0.001).length - 1 + this.bars.first;
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
    else if (event.key === "Escape" && this.bars.span) this.#select(null);
    else if (event.shiftKey && event.key.startsWith("Arrow") && event.key in steps && this.rewrites) {
      this.bars.extend(event.key === "ArrowRight" ? 1 : -1, this.bars.at(now));
      this.#select(this.bars.span);
    } else if (event.key in steps) this.player.seek(steps[event.key]());
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

  between(from, until, isFirst) {
    return notesBetween(this.parts, from, until, isFirst).filter(({ track }) => !this.tracks.isSilent(track));
  }

  sound(context, out, note, when) {
    sound(context, out, note, this.about.tracks?.[note.track] ?? {}, when);
  }
}
