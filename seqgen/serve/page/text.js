// A text that grows: tokens tinted by surprise; the alternatives of each, and going on from one.

import { alternatives } from "./api.js";
import { element } from "./controls.js";

const FULL = 8; // nats of a token that is tinted most
const WAIT = 150; // milliseconds of pointing before the alternatives are fetched

const shownOf = (text) => text.replaceAll("\n", "↵").replaceAll(" ", "␣") || "·";

export class TextView {
  constructor(place, { names, goOn, say }) {
    Object.assign(this, { goOn, say });
    this.box = element("div", {
      className: names ? "text names" : "text", tabIndex: 0, role: "group",
      "aria-label": "The text. Arrow keys choose a token, Enter shows what else could have come.",
    });
    this.others = element("div", { className: "others", role: "group", hidden: true });
    const legend = "The stronger the tint of a token, the more it surprised the model. Point at a token to see " +
      "what else could have come; click one of these to go on from there.";
    place.replaceChildren(this.box, element("p", { className: "legend" }, legend));
    this.box.addEventListener("pointerover", (event) => this.#point(event));
    this.box.addEventListener("click", (event) => this.#open(event.target.closest("[data-at]")));
    this.box.addEventListener("pointerleave", () => this.#leave());
    this.box.addEventListener("keydown", (event) => this.#key(event));
    this.clear();
  }

  clear() {
    this.tokens = [];
    this.spans = [];
    this.at = -1;
    this.others.hidden = true;
    this.box.replaceChildren(this.others);
  }

  show(piece) {
    this.clear();
    this.piece = piece;
  }

  // A text is whole with its last token.
  finish() {}

  take({ at, tokens }) {
    for (const span of this.spans.splice(at)) span.remove();
    const added = tokens.map(([id, text, surprise], number) => {
      const span = element("span", { "data-at": at + number }, text);
      if (surprise === null) span.className = "given";
      else span.style.setProperty("--s", Math.round(70 * Math.min(surprise / FULL, 1)));
      return span;
    });
    this.tokens.splice(at, Infinity, ...tokens);
    this.spans.push(...added);
    this.box.append(...added);
  }

  get text() {
    return this.tokens.map(([, text]) => text).join("");
  }

  #point(event) {
    const span = event.target.closest("[data-at]");
    clearTimeout(this.timer);
    clearTimeout(this.closing);
    if (span && event.pointerType === "mouse") this.timer = setTimeout(() => this.#open(span), WAIT);
  }

  #leave() {
    clearTimeout(this.timer);
    if (!this.others.contains(document.activeElement)) {
      this.closing = setTimeout(() => (this.others.hidden = true), 400);
    }
  }

  #mark(at) {
    this.spans[this.at]?.classList.remove("at");
    this.at = Math.max(0, Math.min(at, this.spans.length - 1));
    this.spans[this.at]?.classList.add("at");
    this.spans[this.at]?.scrollIntoView({ block: "nearest" });
  }

  async #open(span, focus = false) {
    if (!span || !this.piece) return;
    const at = Number(span.dataset.at), piece = this.piece;
    this.#mark(at);
    let found;
    try {
      found = await alternatives(piece, at);
    } catch {
      return; // the token is that of a label, or the server has gone
    }
    if (piece !== this.piece || at !== this.at) return;
    const [own] = this.tokens[at];
    const buttons = found.map(({ id, text, probability }) => {
      const shown = text === null ? "(end)" : shownOf(text);
      const share = `${(100 * probability).toFixed(1)} %`;
      const button = element("button", { type: "button" }, element("b", {}, shown), share);
      button.style.setProperty("--p", `${100 * probability}%`);
      if (id === own) button.className = "same";
      button.disabled = text === null;
      button.addEventListener("click", (event) => {
        event.stopPropagation();
        this.others.hidden = true;
        this.box.focus();
        this.goOn(at, id);
      });
      return button;
    });
    this.others.replaceChildren(element("p", {}, "what could have come here"), ...buttons);
    this.others.setAttribute("aria-label", `What could have come in place of token ${at + 1}`);
    this.others.hidden = false;
    const left = Math.min(span.offsetLeft, this.box.clientWidth - this.others.offsetWidth);
    this.others.style.left = `${Math.max(left, 0)}px`;
    this.others.style.top = `${span.offsetTop + span.offsetHeight + 2}px`;
    if (focus) this.others.querySelector("button:not(:disabled)")?.focus();
  }

  #key(event) {
    const inside = this.others.contains(event.target);
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 1, ArrowUp: -1 };
    if (event.key === "Escape" && !this.others.hidden) {
      this.others.hidden = true;
      this.box.focus();
    } else if (inside && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      const buttons = [...this.others.querySelectorAll("button:not(:disabled)")];
      const next = buttons.indexOf(event.target) + steps[event.key];
      buttons[(next + buttons.length) % buttons.length].focus();
    } else if (!inside && (event.key === "ArrowRight" || event.key === "ArrowLeft")) {
      this.#mark(this.at + steps[event.key]);
      if (this.spans.length) this.say(`Token ${this.at + 1} of ${this.spans.length}: ${shownOf(this.tokens[this.at][1])}`);
    } else if (!inside && event.key === "Enter") {
      this.#open(this.spans[this.at], true);
    } else return;
    event.preventDefault();
  }
}
