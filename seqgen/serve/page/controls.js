// The form: what a piece begins with and follows, and how it is drawn.

const SHOWN = ["temperature", "min_p", "length"];
const STEPS = { temperature: [0, 2, 0.05], min_p: [0, 0.5, 0.01], top_p: [0.05, 1, 0.01] };
const NAMES = { min_p: "min-p", top_p: "top-p", top_k: "top-k" };

export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

export class Controls {
  constructor(run, form) {
    this.run = run;
    this.settings = new Map();
    this.given = new Map();
    const beginning = form.querySelector("#beginning");
    this.#addBeginning(beginning);
    for (const control of run.controls) {
      const place = form.querySelector(SHOWN.includes(control.name) ? "#controls" : "#more");
      if (control.name !== "guidance" || Object.keys(run.labels).length) this.#addNumber(place, control);
    }
    this.#addUnit(form.querySelector("#controls"));
    this.#addSeed(form.querySelector("#controls"));
  }

  #addBeginning(place) {
    const { run } = this;
    if (run.is_typed) {
      this.prompt = element("textarea", { id: "prompt", spellcheck: false });
      place.append(element("label", {}, "Beginning", this.prompt));
    } else {
      this.file = element("input", { id: "file", type: "file", accept: run.suffixes.join() });
      const hint = element("small", {}, `Optional: a file that the piece goes on from (${run.suffixes.join(" ")})`);
      place.append(element("label", {}, "Beginning", this.file, hint));
    }
    if (run.follows_text) this.#addGiven(place, "", "Text to write", element("textarea", { id: "given" }));
    for (const [name, values] of Object.entries(run.labels)) {
      const options = ["", ...values].map((value) => element("option", { value }, value || "any"));
      this.#addGiven(place, name, name, element("select", {}, ...options));
    }
    for (const [name, { about, offer }] of Object.entries(run.requests)) {
      if (name in run.labels) continue;
      const field = element("input", { placeholder: offer.slice(0, 80) });
      this.#addGiven(document.querySelector("#more"), name, name, field, about);
    }
  }

  #addGiven(place, name, title, field, hint = "") {
    this.given.set(name, field);
    place.append(element("label", {}, title, field, ...(hint ? [element("small", {}, hint)] : [])));
  }

  #addNumber(place, { name, default: usual, least, most, about }) {
    const title = NAMES[name] ?? name.replaceAll("_", " ");
    const [low, high, step] = STEPS[name] ?? [least, most, name === "repetition_penalty" ? 0.05 : 1];
    const field = element("input", { type: "number", step: "any", min: least, max: most, id: name });
    field.placeholder = usual === 0 || usual === null ? "default" : String(usual);
    const label = element("label", { className: "row", title: about }, title, field);
    if (name in STEPS) {
      const slide = element("input", { type: "range", min: low, max: high, step, value: usual ?? low });
      slide.setAttribute("aria-label", title);
      slide.addEventListener("input", () => (field.value = slide.value));
      field.addEventListener("input", () => (slide.value = field.value === "" ? usual : field.value));
      label.append(slide);
    }
    const group = name.endsWith("length") ? "limit" : "sample";
    this.settings.set(name, { field, group });
    place.append(label);
  }

  #addUnit(place) {
    const options = this.run.units.map((value) => element("option", { value }, value));
    this.unit = element("select", { id: "unit" }, ...options);
    place.append(element("label", { className: "row" }, "unit of the length", this.unit));
  }

  #addSeed(place) {
    this.seed = element("input", { id: "seed", type: "number", min: 0, step: 1, value: 0 });
    this.isNew = element("input", { id: "new", type: "checkbox", checked: true });
    place.append(element("label", { className: "row" }, "seed", this.seed));
    place.append(element("label", { className: "tick" }, this.isNew, "another seed each time"));
  }

  // What the form asks for, without the beginning.
  asked() {
    const body = { seed: Number(this.seed.value), sample: {}, limit: {}, given: [] };
    for (const [name, { field, group }] of this.settings) {
      if (field.value !== "") body[group][name] = Number(field.value);
    }
    if (this.unit.value !== "tokens" && "length" in body.limit) body.limit.unit = this.unit.value;
    const requests = [];
    for (const [name, field] of this.given) {
      const value = field.value.trim();
      if (value === "") continue;
      if (name === "") body.given.push(value);
      else if (name in this.run.labels) body.given.push(`${name}=${value}`);
      else requests.push(`${name}=${value}`);
    }
    if (requests.length) body.given.push(requests.join(", "));
    return body;
  }

  nextSeed() {
    if (this.isNew.checked) this.seed.value = Number(this.seed.value) + 1;
  }

  // The prompt as the API takes it, or null.
  async beginning() {
    if (this.prompt) return this.prompt.value === "" ? null : { text: this.prompt.value };
    const [file] = this.file.files;
    if (!file) return null;
    const bytes = new Uint8Array(await file.arrayBuffer());
    let text = "";
    for (let at = 0; at < bytes.length; at += 8192) {
      text += String.fromCharCode(...bytes.subarray(at, at + 8192));
    }
    return { name: file.name, content: btoa(text) };
  }
}
