// The playground: the server writes what the form asks for, in one column or in two.

import * as api from "./api.js";
import { Controls } from "./controls.js";
import { Lane } from "./lane.js";
import { Source } from "./source.js";
import { Undo } from "./undo.js";

const $ = (name) => document.getElementById(name);

class Playground {
  constructor(run) {
    this.run = run;
    this.pieces = [null, null]; // those of the columns, also while a beginning is shown
    this.undo = new Undo($("undo"));
    this.controls = new Controls(run, $("form"), () => this.#change());
    this.lanes = [new Lane(run, this), new Lane(run, this, "2")];
    $("lanes").append(...this.lanes.map((lane) => lane.box));
    this.source = new Source(run, $("beginning"), $("sketch"), this.undo, {
      read: (view, told) => this.lanes[0].preview(view, told),
      reading: () => this.say("The beginning is being read."),
      removed: () => this.#endPreview(),
      failed: (error) => this.say(error.message, true),
    });
    $("form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.write();
    });
    $("stop").addEventListener("click", () => {
      for (const { piece, isLive } of this.lanes) {
        if (isLive) api.stop(piece).catch((error) => this.say(error.message, true));
      }
    });
    $("compare").addEventListener("change", () => this.#compare());
    this.#compare();
    $("write").disabled = false;
  }

  say(text, wrong) {
    this.lanes[0].say(text, wrong);
  }

  #compare() {
    const isOn = $("compare").checked;
    $("second").hidden = this.lanes[1].box.hidden = !isOn;
    $("lanes").classList.toggle("two", isOn);
  }

  async write() {
    const asked = this.controls.asked();
    await this.#begin(async () => {
      Object.assign(asked, await this.source.asked());
      return $("compare").checked ? [asked, { ...asked, sample: this.controls.second() }] : [asked];
    });
    this.controls.nextSeed();
  }

  // Go on from another token at a position.
  async goOn(lane, at, token) {
    const { seed, sample, limit } = this.controls.asked();
    const from = { piece: lane.piece, tokens: at, token };
    const all = this.lanes.map((each) => (each === lane ? { from, seed, sample, limit } : null));
    await this.#begin(async () => all);
  }

  // Write anew what does not stay of the piece that is shown.
  async rewrite(lane, keep) {
    const { seed, sample } = this.controls.asked();
    await this.#begin(async () => {
      const follow = lane.piece
        ? (await api.readPrompt({ piece: lane.piece, role: "given" })).prompt
        : await this.source.given();
      return this.lanes.map((each) => (each === lane ? { follow, keep, seed, sample } : null));
    });
    this.controls.nextSeed();
  }

  // Begin a piece in each column for which something is asked.
  async #begin(askedFor) {
    try {
      const asked = await askedFor();
      const pieces = await Promise.all(asked.map(async (body) => body && (await api.begin(body)).piece));
      this.#remember();
      this.#show(pieces);
    } catch (error) {
      this.say(error.message, true);
    }
  }

  #remember() {
    const before = [...this.pieces];
    this.undo.did(() => {
      before.forEach((piece, number) => piece || this.#empty(number));
      this.#show(before);
      if (!before[0]) this.source.show();
    });
  }

  #empty(number) {
    this.pieces[number] = null;
    this.lanes[number].preview(null, "Nothing is written yet.");
  }

  #show(pieces) {
    pieces.forEach((piece, number) => {
      if (!piece) return;
      this.pieces[number] = piece;
      this.lanes[number].show(piece);
    });
    if (this.lanes[0].piece) history.replaceState(null, "", `#${this.lanes[0].piece}`);
    // On a narrow screen the piece is below the form.
    if ($("piece").getBoundingClientRect().top > innerHeight / 2) $("piece").scrollIntoView();
  }

  // The beginning that is shown was removed: show the piece from before.
  #endPreview() {
    const [piece] = this.pieces;
    if (this.lanes[0].piece) return;
    if (piece) this.#show([piece]);
    else this.#empty(0);
  }

  // Settings that change hold from the next token on.
  #change() {
    const wanted = [this.controls.asked().sample, this.controls.second()];
    this.lanes.forEach((lane, number) => {
      if (!lane.isLive) return;
      api.change(lane.piece, wanted[number]).catch((error) => lane.isLive && lane.say(error.message, true));
    });
  }

  changed() {
    $("stop").disabled = !this.lanes?.some((lane) => lane.isLive);
  }

  resume(piece) {
    this.#show([piece]);
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
  $("about").textContent = `A model of ${run.domain}, trained with seqgen (codec ${run.codec}).`;
  $("warning").hidden = !run.warning;
  $("warning").textContent = run.warning && `Note: ${run.warning}.`;
  const playground = new Playground(run);
  if (/^#\d+$/.test(location.hash)) playground.resume(location.hash.slice(1));
}

main();
