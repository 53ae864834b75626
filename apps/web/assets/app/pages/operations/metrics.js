/** The little of the Prometheus text format that the page needs: sums of counters, and how fast they grow. */

/**
 * Returns the sum of a metric over its labels; null where it is not there.
 * @param {string} text @param {string} name @param {(labels: Record<string, string>) => boolean} [wanted]
 */
export function sumOf(text, name, wanted = () => true) {
  let sum = null;
  for (const line of text.split("\n")) {
    if (!line.startsWith(name)) continue;
    const match = /^\S+?(?:\{(.*)\})? (\S+)/.exec(line);
    if (!match || !/^[{ ]/.test(line.slice(name.length))) continue;
    const labels = Object.fromEntries([...(match[1] ?? "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, value]) => [key, value]));
    if (wanted(labels)) sum = (sum ?? 0) + Number(match[2]);
  }
  return sum;
}

/** Requests that people and programs make, not those that look after the service. */
const OWN = new Set(["/", "/health", "/livez", "/readyz", "/metrics", "/progress", "/problems/{code}", "unmatched"]);

/** @param {string} text @returns {Record<string, number>} counters by what they count */
export function countersOf(text) {
  const counters = {
    requests: sumOf(text, "souk_http_requests_total", ({ route }) => !OWN.has(route)),
    frames: sumOf(text, "souk_stream_frames_total"),
    events: sumOf(text, "souk_stream_events_total"),
  };
  return Object.fromEntries(Object.entries(counters).filter(([, value]) => value !== null));
}

/** Turns counts that grow into what they grow by in a second. */
export class Rates {
  constructor() {
    /** @type {Map<string, {at: number, count: number}>} */
    this.before = new Map();
  }

  /**
   * Takes a count in; returns its rate since the last time, null the first time and after a restart.
   * @param {string} name @param {number} count @param {number} at milliseconds
   */
  take(name, count, at) {
    const before = this.before.get(name);
    this.before.set(name, { at, count });
    if (!before || count < before.count || at <= before.at) return null;
    return ((count - before.count) / (at - before.at)) * 1000;
  }

  forget() {
    this.before.clear();
  }
}
