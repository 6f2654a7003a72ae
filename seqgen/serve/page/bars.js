// The bars of a piece that are selected, to be written anew.

export class Bars {
  lines = []; // the begin of each bar, in seconds; an upbeat belongs to the first bar
  first = 1; // the number that the first bar line has; that of an upbeat is 0
  span = null; // [from, to], both selected, from 1

  // `about` is that of the view of a piece.
  set({ bars = [], upbeat = false }) {
    this.first = upbeat ? 0 : 1;
    this.lines = upbeat ? bars.filter((_, number) => number !== 1) : bars;
    if (this.span && this.span[1] > this.lines.length) this.span = null;
  }

  // The number of the bar in which a time lies.
  at(time) {
    return Math.max(1, this.lines.filter((begin) => begin <= time + 0.001).length);
  }

  select(from, to) {
    const most = Math.max(this.lines.length, 1), within = (bar) => Math.max(1, Math.min(bar, most));
    this.anchor = within(from);
    this.end = within(to);
    this.span = [Math.min(this.anchor, this.end), Math.max(this.anchor, this.end)];
  }

  // Move the end of the selection, which begins at a bar if there is none.
  extend(by, from) {
    if (this.span) this.select(this.anchor, this.end + by);
    else this.select(from, from);
  }

  clear() {
    this.span = null;
  }

  // Begin and end of the selection in seconds.
  edges(length) {
    return [this.lines[this.span[0] - 1] ?? 0, this.lines[this.span[1]] ?? length];
  }

  // "bar 3" or "bars 3 to 4".
  get title() {
    const [from, to] = this.span;
    return from === to ? `bar ${from}` : `bars ${from} to ${to}`;
  }

  // The bars that stay, as `seqgen generate --keep` takes them, or nothing.
  words() {
    if (!this.span) return "";
    const [from, to] = this.span;
    const parts = [from > 1 ? `-${from - 1}` : "", to < this.lines.length ? `${to + 1}-` : ""].filter(Boolean);
    return parts.length ? `bars ${parts.join(", ")}` : "";
  }
}
