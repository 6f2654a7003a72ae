// The tracks of a piece in a table: which are heard, and which stay when the rest is written anew.

import { element } from "./controls.js";

export class Tracks {
  muted = new Set();
  solo = new Set();
  kept = new Set();

  constructor(canKeep, colours, changed) {
    Object.assign(this, { canKeep, colours, changed });
    this.box = element("table", { className: "tracks" });
  }

  isSilent(track) {
    return this.solo.size ? !this.solo.has(track) : this.muted.has(track);
  }

  show(tracks) {
    const seen = JSON.stringify(tracks);
    if (seen === this.seen) return;
    this.seen = seen;
    this.names = tracks.map(({ name }, number) => name || `${number + 1}`);
    for (const chosen of [this.muted, this.solo, this.kept]) chosen.clear();
    const kinds = [["mute", this.muted], ["solo", this.solo], ...(this.canKeep ? [["keep", this.kept]] : [])];
    const heads = ["track", ...kinds.map(([title]) => title)].map((title) => element("th", { scope: "col" }, title));
    const rows = this.names.map((name, number) => {
      const head = element("th", { scope: "row" }, name);
      head.style.setProperty("--track", this.colours[number % this.colours.length]);
      const cells = kinds.map(([title, chosen]) => element("td", {}, this.#tick(`${title} ${name}`, number, chosen)));
      return element("tr", {}, head, ...cells);
    });
    const parts = [element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...rows)];
    this.box.replaceChildren(...(rows.length ? parts : []));
  }

  #tick(label, number, chosen) {
    const tick = element("input", { type: "checkbox", "aria-label": label });
    tick.addEventListener("change", () => {
      chosen[tick.checked ? "add" : "delete"](number);
      this.changed();
    });
    return tick;
  }

  // The tracks that stay, as `seqgen generate --keep` takes them, or nothing.
  words() {
    const names = [...this.kept].sort((a, b) => a - b).map((number) => this.names[number]);
    return names.length ? `tracks ${names.map((name) => (/[,;]/.test(name) ? `"${name}"` : name)).join(", ")}` : "";
  }
}
