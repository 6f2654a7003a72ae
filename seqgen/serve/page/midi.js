// Writes notes as a MIDI file of one track (Standard MIDI Files 1.0, format 0).

const PER_STEP = 120; // ticks of a sixteenth, a quarter of the 480 of a quarter note
const VELOCITY = 80;

// `notes` are [begin, lasts, pitch], in sixteenths.
export function midiOf(notes) {
  const events = notes.flatMap(([begin, lasts, pitch]) => [
    [begin * PER_STEP, 1, [0x90, pitch, VELOCITY]],
    [(begin + lasts) * PER_STEP, 0, [0x80, pitch, 0]],
  ]);
  events.sort((a, b) => a[0] - b[0] || a[1] - b[1]); // a note ends before the next one begins
  const tempo = [0, 0xff, 0x51, 3, 0x07, 0xa1, 0x20]; // 120 quarters a minute
  const body = [...tempo];
  let now = 0;
  for (const [tick, , bytes] of events) {
    body.push(...variable(tick - now), ...bytes);
    now = tick;
  }
  body.push(0, 0xff, 0x2f, 0);
  const head = [...letters("MThd"), ...number(6, 4), ...number(0, 2), ...number(1, 2), ...number(4 * PER_STEP, 2)];
  return Uint8Array.from([...head, ...letters("MTrk"), ...number(body.length, 4), ...body]);
}

const letters = (text) => [...text].map((sign) => sign.charCodeAt(0));

const number = (value, size) =>
  Array.from({ length: size }, (_, at) => (value >> (8 * (size - 1 - at))) & 255);

// A number in groups of seven bits, the first of which has the eighth bit set in all but the last.
function variable(value) {
  const bytes = [value & 127];
  for (let rest = value >> 7; rest; rest >>= 7) bytes.unshift((rest & 127) | 128);
  return bytes;
}
