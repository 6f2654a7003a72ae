// The form: what a piece begins with and follows, and how it is drawn.

const SHOWN = ["temperature", "min_p", "length"];
const STEPS = { temperature: [0, 2, 0.05], min_p: [0, 0.5, 0.01], top_p: [0.05, 1, 0.01] };
const NAMES = { min_p: "Min-p", top_p: "Top-p", top_k: "Top-k" };

export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

// The others are limits.
const isOfDrawing = (name) => !name.endsWith("length");

export class Controls {
  // `changed` is called some time after a setting of drawing has changed.
  constructor(run, form, changed) {
    this.run = run;
    this.changed = changed;
    this.settings = new Map();
    this.others = new Map(); // those of the second column
    this.given = new Map();
    this.#addGivens(form.querySelector("#beginning"));
    for (const control of run.controls) {
      if (control.name === "guidance" && !Object.keys(run.labels).length) continue;
      const place = form.querySelector(SHOWN.includes(control.name) ? "#controls" : "#more");
      this.#addNumber(place, control, this.settings);
      if (isOfDrawing(control.name)) this.#addNumber(form.querySelector("#second"), control, this.others, "2");
    }
    this.#addUnit(form.querySelector("#controls"));
    this.#addSeed(form.querySelector("#controls"));
  }

  #addGivens(place) {
    const { run } = this;
    if (run.follows_text) this.#addGiven(place, "", "Text to write", element("textarea", { id: "given" }));
    for (const [name, values] of Object.entries(run.labels)) {
      const options = ["", ...values].map((value) => element("option", { value }, value || "any"));
      this.#addGiven(place, name, name, element("select", {}, ...options));
    }
    for (const [name, { about, offer }] of Object.entries(run.requests)) {
      if (name in run.labels) continue;
      const field = element("input", { id: `given-${name}`, placeholder: offer.slice(0, 80) });
      this.#addGiven(document.querySelector("#more"), name, name, field, about);
    }
  }

  #addGiven(place, name, title, field, hint = "") {
    this.given.set(name, field);
    place.append(element("label", {}, title, field, ...(hint ? [element("small", {}, hint)] : [])));
  }

  #addNumber(place, { name, default: usual, least, most, about }, settings, mark = "") {
    const words = name.replaceAll("_", " "), title = NAMES[name] ?? words[0].toUpperCase() + words.slice(1);
    const [low, high, step] = STEPS[name] ?? [least, most, name === "repetition_penalty" ? 0.05 : 1];
    const field = element("input", { type: "number", step: "any", min: least, max: most, id: name + mark });
    field.placeholder = usual === 0 || usual === null ? "default" : String(usual);
    const label = element("label", { className: "row", title: about }, title, field);
    if (name in STEPS) {
      const slide = element("input", { type: "range", min: low, max: high, step, value: usual ?? low });
      slide.setAttribute("aria-label", title);
      slide.addEventListener("input", () => (field.value = slide.value));
      field.addEventListener("input", () => (slide.value = field.value === "" ? usual : field.value));
      label.append(slide);
    }
    settings.set(name, field);
    place.append(label);
    if (!isOfDrawing(name)) return;
    label.addEventListener("input", () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(this.changed, 150);
    });
  }

  #addUnit(place) {
    const options = this.run.units.map((value) => element("option", { value }, value));
    this.unit = element("select", { id: "unit" }, ...options);
    place.append(element("label", { className: "row" }, "Unit of the lengths", this.unit));
  }

  #addSeed(place) {
    this.seed = element("input", { id: "seed", type: "number", min: 0, step: 1, value: 0 });
    this.isNew = element("input", { id: "new", type: "checkbox", checked: true });
    place.append(element("label", { className: "row" }, "Seed", this.seed));
    place.append(element("label", { className: "tick" }, this.isNew, "Take another seed each time"));
  }

  // The settings of drawing of the second column.
  second() {
    const filled = [...this.others].filter(([, field]) => field.value !== "");
    return Object.fromEntries(filled.map(([name, field]) => [name, Number(field.value)]));
  }

  // What the form asks for, without the beginning.
  asked() {
    const body = { seed: Number(this.seed.value), sample: {}, limit: {}, given: [] };
    for (const [name, field] of this.settings) {
      if (field.value !== "") body[isOfDrawing(name) ? "sample" : "limit"][name] = Number(field.value);
    }
    if (this.unit.value !== "tokens" && Object.keys(body.limit).length) body.limit.unit = this.unit.value;
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
}
