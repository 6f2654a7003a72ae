// A grid on which notes are drawn, with the pointer or by keys: sixteenths and pitches.

import { element } from "./controls.js";
import { midiOf } from "./midi.js";
import { colour, fitted } from "./parts.js";

const [LOW, HIGH] = [48, 84]; // C3 to C6
const ROW = 8; // CSS pixels
const NAMES = ["C", "C sharp", "D", "E flat", "E", "F", "F sharp", "G", "A flat", "A", "B flat", "B"];
const HINT = "Draw a note from left to right; click on one to remove it. By keyboard: the arrow keys move, " +
  "Enter sets or removes a note, and Shift with the right or left arrow lengthens or shortens it.";

export class NotesPad {
  title = "Draw notes to begin with";
  content = []; // notes [begin, lasts, pitch]

  // `changed` is called with the notes from before.
  constructor(run, changed) {
    Object.assign(this, { changed, cursor: [0, 60] });
    this.canvas = element("canvas", { "aria-hidden": "true" });
    this.said = element("p", { className: "unseen", "aria-live": "assertive" });
    this.box = element("div", {
      id: "notes", className: "pad", tabIndex: 0, role: "application",
      "aria-label": "Grid of notes. Arrow keys move, Enter sets or removes a note.",
    }, this.canvas);
    const clear = element("button", { type: "button" }, "Remove all notes");
    clear.addEventListener("click", () => this.#set([]));
    this.parts = [this.box, this.said, element("p", { className: "legend" }, HINT),
      element("p", { className: "buttons" }, clear)];
    this.box.addEventListener("pointerdown", (event) => this.#down(event));
    this.box.addEventListener("pointermove", (event) => this.#move(event));
    this.box.addEventListener("pointerup", () => this.#up());
    this.box.addEventListener("pointercancel", () => this.#up());
    this.box.addEventListener("keydown", (event) => this.#key(event));
    this.box.addEventListener("focus", () => {
      this.#say();
      this.#paint();
    });
    this.box.addEventListener("blur", () => this.#paint());
    new ResizeObserver(() => this.#paint()).observe(this.box);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#paint());
  }

  // Four bars, or two where there is little room.
  get steps() {
    return this.box.clientWidth < 500 ? 32 : 64;
  }

  put(content) {
    this.content = content;
    this.#paint();
  }

  file() {
    return this.content.length ? { name: "drawing.mid", bytes: midiOf(this.content) } : null;
  }

  #set(notes, before = this.content) {
    if (!before.length && !notes.length) return;
    this.put(notes);
    this.changed(before);
  }

  #at(step, pitch) {
    return this.content.find(([begin, lasts, own]) => own === pitch && begin <= step && step < begin + lasts);
  }

  // The notes with one more, which ends those of its pitch that it meets.
  #with(note) {
    const [begin, lasts, pitch] = note;
    const others = this.content.filter(([from, long, own]) => own !== pitch || from + long <= begin || from >= begin + lasts);
    return [...others, note];
  }

  #without(note) {
    return this.content.filter((each) => each !== note);
  }

  #placeOf(event) {
    const { left, top, width } = this.canvas.getBoundingClientRect();
    const step = Math.floor(((event.clientX - left) / width) * this.steps);
    return [Math.max(0, Math.min(step, this.steps - 1)), Math.max(LOW, HIGH - Math.floor((event.clientY - top) / ROW))];
  }

  #down(event) {
    if (event.button !== 0) return;
    const [step, pitch] = (this.cursor = this.#placeOf(event));
    const there = this.#at(step, pitch);
    if (there) return this.#set(this.#without(there));
    this.drawn = [step, 2, pitch];
    this.box.setPointerCapture(event.pointerId);
    this.#paint();
  }

  #move(event) {
    if (!this.drawn) return;
    const [begin, , pitch] = this.drawn;
    this.drawn = [begin, Math.max(1, this.#placeOf(event)[0] - begin + 1), pitch];
    this.#paint();
  }

  #up() {
    if (!this.drawn) return;
    const notes = this.#with(this.drawn);
    this.drawn = null;
    this.#set(notes);
  }

  #key(event) {
    const [step, pitch] = this.cursor, note = this.#at(step, pitch);
    const longer = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (event.shiftKey && longer) {
      const lasts = note ? note[1] + longer : 0;
      if (note && lasts > 0) {
        const before = this.content;
        this.cursor = [note[0], pitch];
        this.content = this.#without(note);
        this.#set(this.#with([note[0], lasts, pitch]), before);
      }
    } else if (event.key === "Enter") {
      this.#set(note ? this.#without(note) : this.#with([step, 2, pitch]));
    } else {
      const moves = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1], Home: [-step, 0] };
      if (!(event.key in moves)) return;
      const [right, up] = moves[event.key];
      this.cursor = [
        Math.max(0, Math.min(step + right, this.steps - 1)), Math.max(LOW, Math.min(pitch + up, HIGH)),
      ];
    }
    event.preventDefault();
    this.#say();
    this.#paint();
  }

  #say() {
    const [step, pitch] = this.cursor, note = this.#at(step, pitch);
    const beat = `bar ${Math.floor(step / 16) + 1}, sixteenth ${(step % 16) + 1}`;
    const there = note ? `note of ${note[1]} sixteenths` : "empty";
    this.said.textContent = `${NAMES[pitch % 12]} ${Math.floor(pitch / 12) - 1}, ${beat}: ${there}`;
  }

  #paint() {
    const width = this.box.clientWidth;
    if (!width) return;
    const height = (HIGH - LOW + 1) * ROW, context = fitted(this.canvas, width, height);
    const cell = width / this.steps, y = (pitch) => (HIGH - pitch) * ROW;
    context.fillStyle = colour("--line");
    for (let pitch = LOW; pitch <= HIGH; pitch += 1) {
      context.globalAlpha = 0.4;
      if ([1, 3, 6, 8, 10].includes(pitch % 12)) context.fillRect(0, y(pitch), width, ROW);
      context.globalAlpha = 1;
      if (pitch % 12 === 0) context.fillRect(0, y(pitch) + ROW - 1, width, 1);
    }
    for (let step = 0; step < this.steps; step += 4) context.fillRect(step * cell, 0, step % 16 ? 0.5 : 2, height);
    const paint = ([begin, lasts, pitch]) =>
      context.fillRect(begin * cell, y(pitch), Math.max(lasts * cell - 1, 2), ROW - 1);
    context.fillStyle = colour("--accent");
    this.content.forEach(paint);
    context.fillStyle = colour("--surprise");
    if (this.drawn) paint(this.drawn);
    if (document.activeElement !== this.box) return;
    context.strokeStyle = colour("--ink");
    context.strokeRect(this.cursor[0] * cell + 0.5, y(this.cursor[1]) + 0.5, Math.max(cell - 1, 3), ROW - 1);
  }
}
