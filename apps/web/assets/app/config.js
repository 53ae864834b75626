/** Where the services are, and what their clock says: `GET /config.json`, read once at the start. */
import { retrying } from "./retry.js";

/**
 * @typedef {object} Config
 * @property {string} apiUrl
 * @property {string} sseUrl the stream itself, with its path
 * @property {string} analyticsUrl
 * @property {string} version
 * @property {"embedded" | "distributed"} backend
 */

/** Filled once it is known. @type {Config} */
export const config = /** @type {any} */ ({});

/** `offset` is what has to be added to this machine's clock to get the server's, in milliseconds. */
export const clock = { offset: 0, roundTrip: Infinity };

/** Returns the server's time as well as we know it, in milliseconds since 1970. */
export function serverNow() {
  return Date.now() + clock.offset;
}

async function ask({ timed }) {
  const before = Date.now();
  const answer = await fetch(new URL("config.json", document.baseURI));
  if (!answer.ok) throw new Error(`config.json: ${answer.status}`);
  const body = await answer.json();
  const after = Date.now();
  // The quickest round trip says it best: its error is at most half of itself. The first answer was asked for by the
  // page before this script ran, so nothing is known of its way: it is only better than nothing.
  if (!timed) clock.offset = Date.parse(body.time) - after;
  else if (after - before < clock.roundTrip) {
    clock.roundTrip = after - before;
    clock.offset = Date.parse(body.time) - (before + after) / 2;
  }
  return body;
}

/** Reads the configuration, for as long as it takes. */
export async function loadConfig() {
  return Object.assign(config, await retrying(() => ask({ timed: false }), { attempts: Infinity }));
}

/** Looks at the server's clock a few times more, once the page is up; and again after a sleep. */
export async function tuneClock() {
  clock.roundTrip = Infinity;
  for (let i = 0; i < 3; i += 1) await ask({ timed: true }).catch(() => undefined);
}
