// The requests of the page. Addresses are relative: the token is in the path of the page.

async function ask(method, path, body) {
  let answer;
  try {
    answer = await fetch(path, {
      method,
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Error("The server does not answer. Is seqgen serve still running?");
  }
  const content = answer.status === 204 ? {} : await answer.json();
  if (!answer.ok) throw new Error(content.error);
  return content;
}

export const about = () => ask("GET", "api/run");
export const readPrompt = (body) => ask("POST", "api/prompt", body);
export const begin = (body) => ask("POST", "api/pieces", body);
export const keep = (piece) => ask("POST", `api/pieces/${piece}/keep`, {});
export const novelty = (piece) => ask("GET", `api/pieces/${piece}/novelty`);
export const change = (piece, sample) => ask("PATCH", `api/pieces/${piece}`, { sample });
export const stop = (piece) => ask("DELETE", `api/pieces/${piece}`);
export const file = (piece, format) =>
  `api/pieces/${piece}/file?format=${encodeURIComponent(format)}`;

export async function alternatives(piece, at) {
  return (await ask("GET", `api/pieces/${piece}/alternatives?at=${at}`)).alternatives;
}

// Calls what `take` has for each kind of event; returns a function that ends listening. The browser
// connects again by itself and asks for the events after the last one.
export function listen(piece, take) {
  const source = new EventSource(`api/pieces/${piece}/events`);
  for (const kind of ["note", "tokens", "view", "settings"]) {
    source.addEventListener(kind, (event) => take[kind](JSON.parse(event.data)));
  }
  source.addEventListener("done", (event) => {
    source.close();
    take.done(JSON.parse(event.data));
  });
  // The server's event and the browser's own have the same name; the server's has data.
  source.addEventListener("error", (event) => {
    if (event.data === undefined && source.readyState !== EventSource.CLOSED) return take.lost();
    source.close();
    take.failed(event.data ? JSON.parse(event.data).error : "The server does not have this piece.");
  });
  return () => source.close();
}
