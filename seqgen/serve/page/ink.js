// Handwriting: the pen writes the strokes at its own pace, as far as they are there.

import { element } from "./controls.js";
import { Parts, colour, fitted, isStill } from "./parts.js";

const SPEED = 90; // millimetres a second
const LIFT = 12; // millimetres that a lifted pen goes meanwhile

export class InkView extends Parts {
  constructor(place) {
    super();
    this.canvas = element("canvas", { role: "img", "aria-label": "The drawing" });
    this.box = element("div", { className: "ink" }, this.canvas);
    this.again = element("button", { type: "button" }, "Write it again");
    this.again.addEventListener("click", () => this.#restart());
    place.replaceChildren(this.box, element("p", { className: "buttons" }, this.again));
    new ResizeObserver(() => this.#paint()).observe(this.box);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#paint());
  }

  show() {
    this.written = 0; // millimetres that the pen has gone
    super.show();
  }

  changed() {
    this.lengths = this.parts.map((stroke) => lengthOf(stroke) + LIFT);
    this.whole = this.lengths.reduce((sum, length) => sum + length, 0);
    if (isStill()) this.written = this.whole;
    this.#run();
    this.#paint();
  }

  #restart() {
    this.written = isStill() ? this.whole : 0;
    this.#run();
  }

  #run() {
    if (this.frame || this.written >= this.whole) return;
    let before = null;
    const step = (now) => {
      this.frame = null;
      // A long text is written faster, within half a minute.
      const speed = Math.max(SPEED, this.whole / 30);
      if (before !== null) this.written = Math.min(this.written + (speed * (now - before)) / 1000, this.whole);
      before = now;
      this.#paint();
      if (this.written < this.whole) this.frame = requestAnimationFrame(step);
    };
    this.frame = requestAnimationFrame(step);
  }

  #paint() {
    const { width = 100, height = 20, pen = 0.5 } = this.about;
    const room = this.box.clientWidth;
    if (!room) return;
    const scale = Math.min(room / width, 8);
    const context = fitted(this.canvas, room, Math.max(height * scale, 40));
    context.strokeStyle = context.fillStyle = colour("--ink");
    context.lineCap = context.lineJoin = "round";
    context.lineWidth = Math.max(pen * scale, 1);
    let left = this.written, tip = null;
    this.parts.forEach((stroke, number) => {
      if (left <= 0) return;
      tip = strokeUpTo(context, stroke, scale, left);
      left -= this.lengths[number];
    });
    if (tip && this.written < this.whole) {
      context.fillStyle = colour("--accent");
      context.beginPath();
      context.arc(tip[0] * scale, tip[1] * scale, 4, 0, 7);
      context.fill();
    }
  }
}

const distance = (a, b) => Math.hypot(b[0] - a[0], b[1] - a[1]);

const lengthOf = (stroke) =>
  stroke.slice(1).reduce((sum, point, number) => sum + distance(stroke[number], point), 0);

// Draws the first `room` millimetres of a stroke; returns where the pen is.
function strokeUpTo(context, stroke, scale, room) {
  let at = stroke[0];
  context.beginPath();
  context.moveTo(at[0] * scale, at[1] * scale);
  context.lineTo(at[0] * scale, at[1] * scale);
  for (const next of stroke.slice(1)) {
    const far = distance(at, next), share = far > 0 ? Math.min(room / far, 1) : 1;
    at = [at[0] + share * (next[0] - at[0]), at[1] + share * (next[1] - at[1])];
    context.lineTo(at[0] * scale, at[1] * scale);
    room -= far;
    if (room <= 0) break;
  }
  context.stroke();
  return at;
}
