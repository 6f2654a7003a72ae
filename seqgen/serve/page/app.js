// The playground: what the form asks for is written by the server, and shown while it is written.

import * as api from "./api.js";
import { Controls, element } from "./controls.js";
import { InkView } from "./ink.js";
import { RollView } from "./roll.js";
import { SoundView } from "./sound.js";
import { TextView } from "./text.js";

const $ = (name) => document.getElementById(name);
const VIEWS = { roll: RollView, ink: InkView, sound: SoundView };
const REASONS = {
  end: "The model ended the piece", grammar: "The piece ended",
  length: "The piece reached its length", interrupt: "The piece was stopped",
  time: "The time was up", stop: "The piece reached a stop text",
};

class Playground {
  constructor(run) {
    this.run = run;
    this.controls = new Controls(run, $("form"));
    const text = { names: run.view !== "text", goOn: (at, id) => this.goOn(at, id) };
    this.view = new (VIEWS[run.view] ?? TextView)($("view"), text);
    this.history = []; // the pieces before this one
    this.piece = null;
    $("form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.write();
    });
    $("stop").addEventListener("click", () => api.stop(this.piece).catch((error) => this.say(error.message, true)));
    $("undo").addEventListener("click", () => this.undo());
    $("write").disabled = false;
  }

  say(text, wrong = false) {
    $("status").textContent = text;
    $("status").classList.toggle("wrong", wrong);
  }

  async write() {
    const asked = this.controls.asked();
    await this.#begin(async () => {
      const beginning = await this.controls.beginning();
      if (beginning) asked.prompt = (await api.readPrompt(beginning)).prompt;
      return asked;
    });
    this.controls.nextSeed();
  }

  // Go on from another token at a position.
  async goOn(at, token) {
    const { seed, sample, limit } = this.controls.asked();
    const from = { piece: this.piece, tokens: at, token };
    await this.#begin(async () => ({ from, seed, sample, limit }));
  }

  async #begin(askedFor) {
    try {
      const { piece } = await api.begin(await askedFor());
      if (this.piece) this.history.push(this.piece);
      this.show(piece);
    } catch (error) {
      this.say(error.message, true);
    }
  }

  // Show a piece from its first token on, and what comes.
  show(piece) {
    this.unlisten?.();
    if (this.piece && this.isLive) api.stop(this.piece).catch(() => {});
    this.piece = piece;
    this.isLive = true;
    history.replaceState(null, "", `#${piece}`);
    this.view.show(piece);
    this.spoken = 0;
    $("result").hidden = true;
    $("spoken").replaceChildren();
    this.#enable();
    this.say("The first token is awaited.");
    // On a narrow screen the piece is below the form.
    if ($("piece").getBoundingClientRect().top > innerHeight / 2) $("piece").scrollIntoView();
    this.unlisten = api.listen(piece, {
      note: ({ note }) => this.say(note),
      tokens: (change) => {
        this.view.take(change);
        this.say(`${this.view.tokens.length.toLocaleString("en")} tokens`);
        this.#speak(false);
      },
      view: (change) => this.view.draw(change),
      done: (summary) => this.#done(summary),
      lost: () => this.say("The connection is lost; the page tries again.", true),
      failed: (error) => {
        this.isLive = false;
        this.#enable();
        this.say(error, true);
      },
    });
  }

  // Tell a screen reader the sentences that are complete.
  #speak(everything) {
    if (this.run.view !== "text") return;
    const rest = this.view.text.slice(this.spoken);
    const end = everything ? rest.length : Math.max(...[".", "!", "?", "\n"].map((sign) => rest.lastIndexOf(sign))) + 1;
    if (end <= 0) return;
    $("spoken").replaceChildren(rest.slice(0, end));
    this.spoken += end;
  }

  #done(summary) {
    this.isLive = false;
    this.#enable();
    this.#speak(true);
    this.view.finish();
    const drawn = summary.tokens - summary.prompt_tokens;
    const pace = summary.seconds > 0 ? `, ${Math.round(drawn / summary.seconds).toLocaleString("en")} a second` : "";
    this.say(`${REASONS[summary.stopped_by]} after ${drawn.toLocaleString("en")} new tokens${pace}; ` +
      `${summary.nats.toFixed(2)} nats a token.`);
    $("command").textContent = summary.command;
    $("line").hidden = !summary.command;
    const links = this.run.formats.map((format) =>
      element("a", { href: api.file(this.piece, format), download: "" }, format));
    $("downloads").replaceChildren("Download: ", ...links);
    $("result").hidden = false;
  }

  undo() {
    const before = this.history.pop();
    if (before) this.show(before);
  }

  #enable() {
    $("stop").disabled = !this.isLive;
    $("undo").disabled = !this.history.length;
  }
}

async function main() {
  let run;
  try {
    run = await api.about();
  } catch (error) {
    $("about").textContent = error.message;
    return;
  }
  document.title = `${run.name}: seqgen playground`;
  $("title").textContent = run.name;
  $("about").textContent = `A model of ${run.domain}, codec ${run.codec}, written by seqgen.`;
  $("warning").hidden = !run.warning;
  $("warning").textContent = run.warning && `Note: ${run.warning}.`;
  const playground = new Playground(run);
  if (/^#\d+$/.test(location.hash)) playground.show(location.hash.slice(1));
}

main();
