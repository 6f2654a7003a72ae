// What all views share that draw parts: they grow by differences from the parts before.

export class Parts {
  tokens = [];
  parts = [];
  about = {};
  isDone = false;

  show() {
    Object.assign(this, { tokens: [], parts: [], about: {}, isDone: false });
    this.changed(0);
  }

  take({ at, tokens }) {
    this.tokens.splice(at, Infinity, ...tokens);
  }

  draw({ at, parts, about }) {
    this.parts.splice(at, Infinity, ...parts);
    if (about) this.about = about;
    this.changed(at);
  }

  finish() {
    this.isDone = true;
    this.changed(this.parts.length);
  }
}

export const isStill = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// Makes a canvas as fine as the screen; returns its context, in CSS pixels.
export function fitted(canvas, width, height) {
  const scale = devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    canvas.style.height = `${height}px`;
  }
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}
