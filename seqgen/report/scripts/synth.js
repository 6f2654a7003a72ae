// Notes by plain oscillators, drums by noise.

const WAVES = { 6: "sawtooth", 4: "square", 5: "sawtooth", 7: "triangle", 9: "sine", 2: "square" };

export function sound(context, out, { lasts, pitch, velocity }, { program = 0, drums = false }, when) {
  const gain = context.createGain(), level = 0.18 * (velocity / 127) ** 1.5;
  gain.connect(out);
  let source, end;
  if (drums) {
    source = context.createBufferSource();
    source.buffer = noise(context);
    source.playbackRate.value = pitch < 40 ? 0.25 : pitch < 50 ? 0.7 : 1.6;
    end = when + (pitch < 40 ? 0.16 : 0.08);
  } else {
    source = context.createOscillator();
    source.type = WAVES[program >> 3] ?? "triangle";
    source.frequency.value = 440 * 2 ** ((pitch - 69) / 12);
    end = when + Math.max(lasts, 0.05);
  }
  const soft = source.type === "triangle" || source.type === "sine" ? 1.6 : 0.7;
  gain.gain.setValueAtTime(0, when);
  gain.gain.linearRampToValueAtTime(level * soft, when + 0.008);
  gain.gain.setTargetAtTime(level * soft * 0.5, when + 0.01, 0.4);
  gain.gain.setTargetAtTime(0, end, 0.04);
  source.connect(gain);
  source.start(when);
  source.stop(end + 0.25);
}

// White noise for drums, made once for each context.
const noises = new WeakMap();
function noise(context) {
  if (!noises.has(context)) {
    const buffer = context.createBuffer(1, context.sampleRate / 2, context.sampleRate);
    buffer.getChannelData(0).forEach((_, at, data) => (data[at] = 2 * Math.random() - 1));
    noises.set(context, buffer);
  }
  return noises.get(context);
}
