// One piece in its column: shown while it is written, then its files and its command line.

import * as api from "./api.js";
import { element } from "./controls.js";
import { InkView } from "./ink.js";
import { RollView } from "./roll.js";
import { SoundView } from "./sound.js";
import { TextView } from "./text.js";

const VIEWS = { roll: RollView, ink: InkView, sound: SoundView };
const REASONS = {
  end: "The model ended the piece", grammar: "The piece ended",
  length: "The piece reached its length", interrupt: "The piece was stopped",
  time: "The time was up", stop: "The piece reached a stop text",
};

export class Lane {
  piece = null;
  isLive = false;

  // `page` has goOn(lane, at, token), rewrite(lane, keep) and changed(); `mark` ends the ids.
  constructor(run, page, mark = "") {
    Object.assign(this, { run, page });
    const id = (name) => ({ id: name + mark });
    this.status = element("p", { ...id("status"), role: "status", className: "status" }, "Nothing is written yet.");
    this.place = element("div", id("view"));
    this.spoken = element("div", { ...id("spoken"), className: "unseen", "aria-live": "polite" });
    this.keepButton = element("button", { type: "button", ...id("keep") }, "Keep");
    this.keepButton.addEventListener("click", () => this.#keep());
    this.copiedButton = element("button", { type: "button", ...id("novelty"), hidden: !run.has_corpus }, "What is copied?");
    this.copiedButton.addEventListener("click", () => this.#compare());
    this.downloads = element("p", { ...id("downloads"), className: "downloads" });
    this.changes = element("p", { ...id("changes"), className: "hint", hidden: true });
    this.command = element("code", id("command"));
    this.line = element("div", id("line"), element("h2", {}, "The same on the command line"),
      element("pre", { tabIndex: 0 }, this.command));
    this.result = element("div", { ...id("result"), hidden: true },
      this.downloads, this.changes, this.line);
    this.box = element("div", { className: "lane" }, this.status, this.place, this.spoken, this.result);
    const text = {
      names: run.view !== "text",
      rewrites: run.rewrites,
      goOn: (at, token) => page.goOn(this, at, token),
      rewrite: (keep) => page.rewrite(this, keep),
      say: (told) => this.say(told),
    };
    this.view = new (VIEWS[run.view] ?? TextView)(this.place, text);
  }

  say(text, wrong = false) {
    this.status.textContent = text;
    this.status.classList.toggle("wrong", wrong);
  }

  #clear() {
    this.unlisten?.();
    if (this.piece && this.isLive) api.stop(this.piece).catch(() => {});
    this.result.hidden = this.changes.hidden = true;
    this.changes.replaceChildren();
    this.spoken.replaceChildren();
    this.said = 0;
    this.isLive = false;
  }

  // Show what a beginning is, before a piece is written.
  preview(view, told) {
    this.#clear();
    this.piece = null;
    this.view.show(null);
    if (view) this.view.draw(view);
    this.view.finish();
    this.say(told);
    this.page.changed();
  }

  // Show a piece from its first token on, and what comes.
  show(piece) {
    this.#clear();
    this.piece = piece;
    this.isLive = true;
    this.view.show(piece);
    this.page.changed();
    this.say("The first token is awaited.");
    this.unlisten = api.listen(piece, {
      note: ({ note }) => this.say(note),
      tokens: (change) => {
        this.view.take(change);
        this.say(`${this.view.tokens.length.toLocaleString("en")} tokens`);
        this.#speak(false);
      },
      view: (change) => this.view.draw(change),
      settings: (change) => this.#noteChange(change),
      done: (summary) => this.#done(summary),
      lost: () => this.say("The connection is lost; the page tries again.", true),
      failed: (error) => {
        this.isLive = false;
        this.page.changed();
        this.say(error, true);
      },
    });
  }

  // Tell a screen reader the sentences that are complete.
  #speak(everything) {
    if (this.run.view !== "text") return;
    const rest = this.view.text.slice(this.said);
    const end = everything ? rest.length : Math.max(...[".", "!", "?", "\n"].map((sign) => rest.lastIndexOf(sign))) + 1;
    if (end <= 0) return;
    this.spoken.replaceChildren(rest.slice(0, end));
    this.said += end;
  }

  #noteChange({ at, sample }) {
    const words = Object.entries(sample).map(([name, value]) => `${name.replaceAll("_", "-")} ${value}`)
      .filter((text) => !text.startsWith("final-"));
    const text = `From token ${(at + 1).toLocaleString("en")} on: ${words.join(", ")}.`;
    this.changes.append(this.changes.hasChildNodes() ? ` ${text}` : `Settings changed. ${text}`);
    this.changes.hidden = false;
  }

  #done(summary) {
    this.isLive = false;
    this.page.changed();
    this.#speak(true);
    this.view.finish();
    const drawn = summary.tokens - summary.prompt_tokens;
    const pace = summary.seconds > 0 ? `, ${Math.round(drawn / summary.seconds).toLocaleString("en")} a second` : "";
    this.say(`${REASONS[summary.stopped_by]} after ${drawn.toLocaleString("en")} new tokens${pace}; ` +
      `${summary.nats.toFixed(2)} nats a token.`);
    // A line breaks at a blank, not within --seed.
    const words = summary.command.split(" ").flatMap((word) => [" ", element("span", {}, word)]);
    this.command.replaceChildren(...words.slice(1));
    this.line.hidden = !summary.command;
    const links = this.run.formats.map((format) =>
      element("a", { href: api.file(this.piece, format), download: "" }, format));
    this.keepButton.disabled = this.copiedButton.disabled = false;
    this.downloads.replaceChildren(this.keepButton, this.copiedButton, "Download: ", ...links);
    this.result.hidden = false;
  }

  // Say what the piece shares with the training pieces.
  async #compare() {
    const { piece } = this;
    this.copiedButton.disabled = true;
    this.say("The piece is being compared with the training pieces.");
    try {
      const { about } = await api.novelty(piece);
      if (piece === this.piece) this.say(about);
    } catch (error) {
      if (piece === this.piece) this.say(error.message, true);
    }
  }

  async #keep() {
    try {
      const { folder, files } = await api.keep(this.piece);
      this.say(`Kept as ${files.join(", ")} in ${folder}.`);
      this.keepButton.disabled = true;
    } catch (error) {
      this.say(error.message, true);
    }
  }
}
