// A sheet on which the pointer draws: a sample of a hand with its text, or a begun drawing.

import { element } from "./controls.js";
import { colour, fitted } from "./parts.js";

const HEIGHT = 220; // CSS pixels
const APART = 1.5; // CSS pixels between two points

export class StrokesPad {
  content = []; // strokes of points [x, y, seconds]

  // `changed` is called with the strokes from before.
  constructor(run, changed) {
    this.changed = changed;
    this.title = run.follows_text ? "Draw a sample of your hand" : "Begin a drawing";
    this.canvas = element("canvas", { role: "img", "aria-label": "What you have drawn: nothing yet" });
    this.box = element("div", { id: "strokes", className: "pad sheet" }, this.canvas);
    const clear = element("button", { type: "button" }, "Remove all strokes");
    clear.addEventListener("click", () => this.#set([]));
    this.parts = [this.box, element("p", { className: "buttons" }, clear)];
    if (run.follows_text) {
      this.text = element("input", { id: "says" });
      this.text.addEventListener("change", () => this.content.length && changed(this.content));
      this.parts.unshift(element("label", {}, "What the sample says", this.text));
    }
    const hint = run.follows_text
      ? "Write these words with the pointer. The text to write follows in the same hand."
      : "Draw the first strokes with the pointer; the model finishes the drawing.";
    this.parts.push(element("p", { className: "legend" }, `${hint} Without a pointer, choose a file as the beginning.`));
    this.box.addEventListener("pointerdown", (event) => this.#down(event));
    this.box.addEventListener("pointermove", (event) => this.#move(event));
    this.box.addEventListener("pointerup", () => this.#up());
    this.box.addEventListener("pointercancel", () => this.#up());
    new ResizeObserver(() => this.#paint()).observe(this.box);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#paint());
  }

  put(content) {
    this.content = content;
    this.#paint();
  }

  // A file of seqgen's own JSON of ink.
  file() {
    if (!this.content.length) return null;
    const drawing = { text: this.text?.value.trim() ?? "", strokes: this.content };
    return { name: "drawing.json", bytes: new TextEncoder().encode(JSON.stringify(drawing)) };
  }

  #set(strokes) {
    const before = this.content;
    if (!before.length && !strokes.length) return;
    this.put(strokes);
    this.changed(before);
  }

  #point(event) {
    const { left, top } = this.canvas.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top, event.timeStamp / 1000].map((value) => Math.round(1000 * value) / 1000);
  }

  #down(event) {
    if (event.button !== 0) return;
    this.drawn = [this.#point(event)];
    this.box.setPointerCapture(event.pointerId);
    event.preventDefault();
  }

  #move(event) {
    if (!this.drawn) return;
    for (const each of event.getCoalescedEvents?.() ?? [event]) {
      const next = this.#point(each), last = this.drawn.at(-1);
      if (Math.hypot(next[0] - last[0], next[1] - last[1]) >= APART) this.drawn.push(next);
    }
    this.#paint();
  }

  #up() {
    if (!this.drawn) return;
    const strokes = [...this.content, this.drawn];
    this.drawn = null;
    this.#set(strokes);
  }

  #paint() {
    const width = this.box.clientWidth;
    if (!width) return;
    const context = fitted(this.canvas, width, HEIGHT);
    this.canvas.setAttribute("aria-label", `What you have drawn: ${this.content.length || "no"} strokes`);
    context.strokeStyle = colour("--ink");
    context.lineCap = context.lineJoin = "round";
    context.lineWidth = 2;
    for (const stroke of [...this.content, ...(this.drawn ? [this.drawn] : [])]) {
      context.beginPath();
      context.moveTo(stroke[0][0], stroke[0][1]);
      context.lineTo(stroke[0][0], stroke[0][1]);
      for (const [x, y] of stroke.slice(1)) context.lineTo(x, y);
      context.stroke();
    }
  }
}
