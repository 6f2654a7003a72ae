// The page: fields in, text out. Comes after model.js.

const ABOUT = JSON.parse(document.getElementById("about").textContent);
const IDS = new Map(ABOUT.texts.map((text, id) => [text, id]));
const LONGEST = Math.max(...ABOUT.texts.map((text) => [...text].length));
/** Milliseconds of work between two looks at the page. */
const SLICE = 16;

const at = (id) => document.getElementById(id);
let network = null, isStopped = false;

/** Return the ids of a text, each of the longest that fits, or throw an error that names what does not. */
function encoded(text) {
  const characters = [...text], ids = [];
  for (let place = 0; place < characters.length; ) {
    let size = Math.min(LONGEST, characters.length - place);
    while (size && !IDS.has(characters.slice(place, place + size).join(""))) size--;
    if (!size) {
      const name = JSON.stringify(characters[place]);
      throw new Error(`The model does not know ${name}, character ${place + 1} of the beginning; remove it.`);
    }
    ids.push(IDS.get(characters.slice(place, place + size).join("")));
    place += size;
  }
  return ids;
}

/** Return what the fields say, or throw an error that names a wrong one. */
function asked() {
  for (const field of at("form").elements) {
    if (field.willValidate && !field.checkValidity()) {
      field.focus();
      throw new Error(`${field.labels[0].firstChild.textContent.trim()}: ${field.validationMessage}`);
    }
  }
  const escapes = { n: "\n", t: "\t", "\\": "\\" };
  return {
    prompt: at("prompt").value,
    ids: encoded(at("prompt").value),
    temperature: at("temperature").valueAsNumber,
    minP: at("min_p").valueAsNumber,
    length: at("length").valueAsNumber,
    seed: BigInt(at("seed").value),
    stop: at("stop_text").value.replace(/\\([nt\\])/g, (_, letter) => escapes[letter]),
  };
}

/** Write a piece; call `show` with its new text now and then. Return why it stopped and its number of tokens. */
async function written({ ids, temperature, minP, length, seed, stop }, show) {
  const random = new Random(seed), given = [ABOUT.start, ...ids];
  let text = "", count = 0, since = performance.now(), last = given.pop();
  const pause = async () => {
    if (performance.now() - since < SLICE) return;
    show(text);
    await new Promise((goOn) => setTimeout(goOn));
    since = performance.now();
  };
  network.start();
  for (const id of given) {
    network.read(id);
    await pause();
    if (isStopped) return { text, count, why: "stopped" };
  }
  while (count < length) {
    last = drawn(network.predicted(network.read(last)), temperature, minP, random.next());
    if (last === ABOUT.end) return { text, count, why: "the model ended it" };
    const searched = Math.max(text.length - stop.length + 1, 0);
    text += ABOUT.texts[last];
    count += 1;
    const found = stop ? text.indexOf(stop, searched) : -1;
    if (found >= 0) return { text: text.slice(0, found + stop.length), count, why: "the stop text came" };
    await pause();
    if (isStopped) return { text, count, why: "stopped" };
  }
  return { text, count, why: "the length is reached" };
}

/** Say something in the line for it. */
function say(text, isWrong = false) {
  at("status").textContent = text;
  at("status").classList.toggle("wrong", isWrong);
}

/** Write a piece with the settings of the fields, and show it. */
async function write(event) {
  event.preventDefault();
  if (at("write").disabled) return;
  isStopped = false;
  try {
    const settings = asked(), began = performance.now();
    at("write").disabled = true;
    at("stop").disabled = false;
    at("given").textContent = settings.prompt;
    at("new").textContent = "";
    say("Writing…");
    const done = await written(settings, (text) => (at("new").textContent = text));
    at("new").textContent = done.text;
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    say(`${done.count} new token${done.count === 1 ? "" : "s"} in ${seconds} s: ${done.why}. Seed ${settings.seed}.`);
    at("seed").value = settings.seed + 1n;
  } catch (error) {
    say(error.message, true);
  }
  at("write").disabled = false;
  at("stop").disabled = true;
}

/** Read the weights and open the form. */
function begin() {
  const weights = at("weights");
  network = new Network(ABOUT, decoded(weights.textContent.trim(), ABOUT));
  weights.remove();
  at("temperature").value = ABOUT.temperature;
  at("min_p").value = ABOUT.min_p;
  at("length").value = ABOUT.length;
  at("form").addEventListener("submit", write);
  at("stop").addEventListener("click", () => (isStopped = true));
  at("write").disabled = false;
  say("Ready.");
}

try {
  begin();
} catch (error) {
  say(`This page is damaged or the browser is too old: ${error.message}`, true);
}
