// What a piece begins with: a text, a file, or what was drawn on the page.

import { readPrompt } from "./api.js";
import { element } from "./controls.js";
import { NotesPad } from "./notes.js";
import { StrokesPad } from "./strokes.js";

const PADS = { roll: NotesPad, ink: StrokesPad };

export class Source {
  // `told` has reading(), read(view, text) with what the server read, removed() and failed(error).
  constructor(run, place, sketch, undo, told) {
    Object.assign(this, { run, undo, told, turn: 0, reading: Promise.resolve() });
    if (run.is_typed) this.#addText(place);
    else this.#addFile(place, sketch);
    this.#takeDropped();
  }

  #addText(place) {
    this.prompt = element("textarea", { id: "prompt", spellcheck: false });
    place.prepend(element("label", {}, "Beginning", this.prompt));
  }

  #addFile(place, sketch) {
    const { run } = this;
    this.file = element("input", { id: "file", type: "file", accept: run.suffixes.join() });
    const hint = `Optional: a file (${run.suffixes.join(" ")}), which can also be dropped anywhere on the page.`;
    const parts = [element("label", {}, "Beginning", this.file, element("small", {}, hint))];
    if (run.rewrites) {
      const roles = {
        either: "Goes on from it, if it can",
        prompt: "Goes on from it",
        given: "Follows it, as a melody is harmonised",
      };
      const options = Object.entries(roles).map(([value, text]) => element("option", { value }, text));
      this.role = element("select", { id: "role" }, ...options);
      this.role.addEventListener("change", () => this.show());
      parts.push(element("label", {}, "What the model does with it", this.role));
    }
    place.prepend(...parts);
    this.files = this.file.files;
    this.file.addEventListener("change", () => {
      const drawn = this.pad?.content;
      this.pad?.put([]);
      this.#changed(drawn);
    });
    if (!(run.view in PADS)) return;
    this.pad = new PADS[run.view](run, (before) => {
      this.file.value = "";
      this.#changed(before);
    });
    sketch.append(element("summary", {}, this.pad.title), ...this.pad.parts);
    sketch.hidden = false;
  }

  // A file was chosen, or something was drawn in place of `drawn`; one replaces the other.
  #changed(drawn) {
    const { files } = this;
    this.files = this.file.files;
    this.undo.did(() => {
      this.file.files = this.files = files;
      this.pad?.put(drawn);
      this.show();
    });
    this.show();
  }

  // A file that is dropped anywhere on the page is chosen; of a text the words are taken.
  #takeDropped() {
    document.addEventListener("dragover", (event) => {
      if (event.dataTransfer?.types.includes("Files")) event.preventDefault();
    });
    document.addEventListener("drop", async (event) => {
      const [file] = event.dataTransfer?.files ?? [];
      if (!file) return;
      event.preventDefault();
      if (this.prompt) this.prompt.value = await file.text();
      else {
        this.file.files = event.dataTransfer.files;
        this.file.dispatchEvent(new Event("change"));
      }
    });
  }

  // What was given, as the API reads it, or null.
  async #body() {
    if (this.prompt) return this.prompt.value === "" ? null : { text: this.prompt.value };
    const drawn = this.pad?.file();
    if (drawn) return { name: drawn.name, content: asBase64(drawn.bytes) };
    const [file] = this.file.files;
    return file ? { name: file.name, content: asBase64(new Uint8Array(await file.arrayBuffer())) } : null;
  }

  get #role() {
    return this.role?.value ?? "prompt";
  }

  // The server reads one after the other.
  #read(body) {
    const read = () => readPrompt(body);
    return (this.reading = this.reading.then(read, read));
  }

  // Show what the server reads, some time after the last change. A typed text shows itself.
  show() {
    if (this.prompt) return;
    const turn = (this.turn += 1);
    clearTimeout(this.timer);
    this.timer = setTimeout(async () => {
      try {
        const body = await this.#body();
        if (!body) return this.told.removed();
        this.told.reading();
        await this.reading.catch(() => {});
        if (turn !== this.turn) return;
        const { role, tokens, view } = await this.#read({ ...body, role: this.#role });
        if (turn !== this.turn) return;
        const what = role === "given" ? "a piece that follows it" : "what comes next";
        const count = role === "given" ? "" : `: ${tokens.length.toLocaleString("en")} tokens`;
        this.told.read(view, `The beginning was read${count}. Press Write for ${what}.`);
      } catch (error) {
        if (turn === this.turn) this.told.failed(error);
      }
    }, 300);
  }

  // The part of a request for a piece.
  async asked() {
    this.turn += 1;
    clearTimeout(this.timer);
    const body = await this.#body();
    if (!body) return {};
    const { prompt, role } = await this.#read({ ...body, role: this.#role });
    return role === "given" ? { follow: prompt } : { prompt };
  }

  // The name of the piece as one that is given.
  async given() {
    return (await this.#read({ ...(await this.#body()), role: "given" })).prompt;
  }
}

function asBase64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) {
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return btoa(text);
}
