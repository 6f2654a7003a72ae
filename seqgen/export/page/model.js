// The network and the sampler of seqgen, step by step. What `ABOUT` and `WEIGHTS` hold is said in
// seqgen/export/web_page.py.

const WORD = (1n << 64n) - 1n;

/** The random numbers of NumPy's Philox, keyed by seed and 0: those of the first piece of `seqgen generate`. */
class Random {
  constructor(seed) {
    this.seed = seed;
    this.counter = 0n;
    this.waiting = [];
  }

  /** Return a number from 0 to below 1. */
  next() {
    if (!this.waiting.length) this.waiting = this.block();
    return Number(this.waiting.shift() >> 11n) / 2 ** 53;
  }

  /** Return four whole numbers of 64 bits: ten rounds of Philox 4x64 (Salmon et al. 2011). */
  block() {
    this.counter += 1n;
    let [a, b, c, d] = [this.counter & WORD, this.counter >> 64n, 0n, 0n];
    let [key, other] = [this.seed, 0n];
    for (let round = 0; round < 10; round++) {
      const x = a * 0xd2e7470ee14c6c93n, y = c * 0xca5a826395121157n;
      [a, b, c, d] = [(y >> 64n) ^ b ^ key, y & WORD, (x >> 64n) ^ d ^ other, x & WORD];
      key = (key + 0x9e3779b97f4a7c15n) & WORD;
      other = (other + 0xbb67ae8584caa73bn) & WORD;
    }
    return [a, b, c, d];
  }
}

/** Return numbers of 16 bits as numbers of 32 bits. */
function widened(halves) {
  const values = new Float32Array(2 ** 16);
  for (let bits = 0; bits < values.length; bits++) {
    const exponent = (bits >> 10) & 31, fraction = bits & 1023;
    const size = exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24;
    values[bits] = bits >> 15 ? -size : size;
  }
  return Float32Array.from(halves, (bits) => values[bits]);
}

/** Return the weights by name, from base64. */
function decoded(base64, about) {
  const text = atob(base64), bytes = new Uint8Array(text.length);
  for (let at = 0; at < bytes.length; at++) bytes[at] = text.charCodeAt(at);
  const all = about.bits === 16 ? widened(new Uint16Array(bytes.buffer)) : new Float32Array(bytes.buffer);
  const weights = {};
  let first = 0;
  for (const [name, size] of about.weights) {
    weights[name] = all.subarray(first, first + size);
    first += size;
  }
  return weights;
}

/** Add a matrix times x to `sums`; the rows of the matrix lie one after another. */
function addProduct(matrix, x, sums) {
  const width = x.length;
  for (let row = 0, at = 0; row < sums.length; row++) {
    let sum = 0;
    for (let column = 0; column < width; column++, at++) sum += matrix[at] * x[column];
    sums[row] += sum;
  }
}

const sigmoid = (x) => 1 / (1 + Math.exp(-x));

/** Return values with mean 0 and variance 1. */
function normalised(values) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return values.map((value) => (value - mean) / Math.sqrt(variance + 1e-5));
}

/** Return numbers one after another. */
function joined(...parts) {
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let first = 0;
  for (const part of parts) {
    all.set(part, first);
    first += part.length;
  }
  return all;
}

/** A network that reads ids one by one. Its state is that of the present piece. */
class Network {
  constructor(about, weights) {
    this.about = about;
    this.weights = weights;
    this.resets = new Set(about.resets);
    this.keys = about.keys.map(BigInt);
    this.start();
  }

  /** Forget everything. */
  start() {
    const { layers, hidden, contexts } = this.about;
    this.h = Array.from({ length: layers }, () => new Float32Array(hidden));
    this.c = Array.from({ length: layers }, () => new Float32Array(hidden));
    this.before = new Array(contexts).fill(this.about.nothing);
  }

  /** Read an id; return what the output layer reads. */
  read(id) {
    const { layers, skip } = this.about;
    const x = this.embedded(id), outputs = [];
    let below = x;
    for (let layer = 0; layer < layers; layer++) {
      this.advance(layer, below);
      if (this.resets.has(id)) {
        this.h[layer].fill(0);
        this.c[layer].fill(0);
      }
      const above = normalised(this.h[layer]);
      outputs.push(above);
      below = skip ? joined(above, x) : above;
    }
    return skip ? joined(...outputs) : below;
  }

  /** Return the row of an id, plus the rows of its contexts. */
  embedded(id) {
    const { width, contexts, rows } = this.about, table = this.weights["embedding.weight"];
    const x = new Float32Array(width);
    if (table) x.set(table.subarray(id * width, (id + 1) * width));
    else x[id] = 1;
    let code = longer(0n, this.keys[id]);
    for (let number = 0; number < contexts; number++) {
      code = longer(code, this.keys[this.before[contexts - 1 - number]]);
      const row = Number((code & 0x7fffffffffffffffn) % BigInt(rows)) * width;
      const more = this.weights[`contexts.${number}.weight`];
      for (let column = 0; column < width; column++) x[column] += more[row + column];
    }
    if (contexts) this.before = [...this.before.slice(1), id];
    if (this.resets.has(id)) this.before.fill(this.about.nothing);
    return x;
  }

  /** Advance the state of a layer by a step of the LSTM; its gates are input, forget, cell, output. */
  advance(layer, below) {
    const h = this.h[layer], c = this.c[layer], size = h.length;
    const gates = Float64Array.from(this.weights[`layers.${layer}.bias`]);
    addProduct(this.weights[`layers.${layer}.weight_ih`], below, gates);
    addProduct(this.weights[`layers.${layer}.weight_hh`], h, gates);
    for (let unit = 0; unit < size; unit++) {
      const kept = sigmoid(gates[size + unit]) * c[unit];
      c[unit] = kept + sigmoid(gates[unit]) * Math.tanh(gates[2 * size + unit]);
      h[unit] = sigmoid(gates[3 * size + unit]) * Math.tanh(c[unit]);
    }
  }

  /** Return the scores of all ids that may come, from what `read` returned. */
  predicted(top) {
    const weights = this.weights;
    if (!this.about.tied) {
      const scores = Float64Array.from(weights["output.bias"]);
      addProduct(weights["output.weight"], top, scores);
      return scores;
    }
    const projected = new Float64Array(this.about.width);
    addProduct(weights["project.weight"], top, projected);
    const scores = Float64Array.from(weights["output_bias"]);
    addProduct(weights["embedding.weight"], projected, scores);
    return scores;
  }
}

/** Return the code of a context with one more token, as whole numbers of 64 bits with a sign. */
function longer(code, key) {
  code = BigInt.asIntN(64, (code + key) * 0x1e3779b97f4a7c15n);
  return code ^ (code >> 32n);
}

/** Draw an id with a random number: temperature, then min-p, then the first id whose sum exceeds it. */
function drawn(scores, temperature, minP, random) {
  const highest = scores.reduce((most, score) => Math.max(most, score), -Infinity);
  if (!Number.isFinite(highest)) throw new Error("The model predicts values that are not numbers.");
  if (temperature === 0) return scores.indexOf(highest);
  const weights = scores.map((score) => Math.exp((score - highest) / temperature));
  let total = 0;
  for (let id = 0; id < weights.length; id++) {
    if (weights[id] < minP) weights[id] = 0;
    total += weights[id];
  }
  let sum = 0, last = 0;
  for (let id = 0; id < weights.length; id++) {
    sum += weights[id];
    if (sum > random * total) return id;
    if (weights[id] > 0) last = id;
  }
  return last;
}
