// Plays parts with Web Audio, also while more of them come: they are scheduled a little ahead.

const AHEAD = 0.1; // seconds that are scheduled
const TICK = 25; // milliseconds between two looks

let shared; // browsers allow few of them

export class Player {
  // `source` says which parts begin between two times, sounds one of them, and knows up to which
  // time parts are there (horizon) and when the piece ends (end), null while it grows. `moved` gets
  // the time.
  constructor(source, button, moved) {
    Object.assign(this, { source, button, moved, time: 0 });
    this.button.addEventListener("click", () => (this.isPlaying ? this.pause() : this.play()));
  }

  play() {
    this.context = shared ??= new AudioContext();
    this.context.resume();
    const end = this.source.end();
    if (end !== null && this.time >= end) this.time = 0;
    this.isPlaying = true;
    this.button.textContent = "Pause";
    this.#start();
    this.timer = setInterval(() => this.#tick(), TICK);
  }

  pause() {
    this.isPlaying = false;
    this.button.textContent = "Play";
    clearInterval(this.timer);
    this.#silence();
    this.moved(this.time);
  }

  seek(time) {
    this.time = Math.max(0, Math.min(time, this.source.horizon()));
    if (this.isPlaying) this.#start();
    this.moved(this.time);
  }

  playFrom(time) {
    this.seek(time);
    if (!this.isPlaying) this.play();
  }

  reset() {
    if (this.isPlaying) this.pause();
    this.time = 0;
  }

  // Begin to schedule at the current time.
  #start() {
    this.#silence();
    this.out = this.context.createGain();
    this.out.connect(this.context.destination);
    this.zero = this.context.currentTime + 0.05 - this.time;
    this.planned = this.time;
    this.isFirst = true;
  }

  #silence() {
    this.out?.disconnect();
    this.out = null;
  }

  #tick() {
    const now = this.context.currentTime - this.zero;
    const end = this.source.end(), there = this.source.horizon();
    if (end !== null && now >= end) {
      this.time = end;
      return this.pause();
    }
    if (end === null && now + AHEAD > there) {
      // The model is behind: stand still, and go on from here when there is more.
      this.time = Math.max(this.time, Math.min(now, there));
      this.zero = this.context.currentTime - this.time;
      return;
    }
    this.time = Math.max(now, 0);
    const span = [this.planned, now + AHEAD, this.isFirst];
    schedule(this.source, this.context, this.out, span, this.zero);
    this.isFirst = false;
    this.planned = Math.max(this.planned, now + AHEAD);
    this.moved(this.time);
  }
}

// The notes [begin, lasts, pitch, velocity, track] that begin within a span of seconds, and at first
// the rest of those that sound then.
export function notesBetween(notes, from, until, isFirst) {
  return notes
    .filter(([begin, lasts]) => begin < until && (begin >= from || (isFirst && begin + lasts > from)))
    .map(([begin, lasts, pitch, velocity, track]) => {
      const late = Math.max(from - begin, 0);
      return { begin: begin + late, lasts: lasts - late, pitch, velocity, track };
    });
}

// Schedules the parts that begin within a span of seconds, where `zero` is the begin of the piece; in
// the first span also those that have begun before.
export function schedule(source, context, out, span, zero) {
  for (const part of source.between(...span)) {
    source.sound(context, out, part, Math.max(zero + part.begin, context.currentTime));
  }
}
