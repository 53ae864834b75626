/** Sales rates of products, asked of analytics one by one, a few at a time; old ones stay until there are newer. */
import { analytics } from "../../api.js";
import { signal } from "../../html.js";
import { rateOf } from "./cover.js";

/** Browsers open six connections to a server; some stay free for what people press meanwhile. */
const AT_ONCE = 4;
const PAGE = 500;
/** More days than this are years ago. */
const MOST_PAGES = 4;
/** Of what was just sold. */
const LOOKS = 2;
/** Twice what the page shows. */
const MOST_KNOWN = 10_000;
/** Who has not answered by then is asked again later, like who cannot be reached. */
const TIMEOUT_MILLIS = 8_000;

/** @typedef {import("./cover.js").Rate} Rate */

export class Rates {
  /** @param {(id: string, signal: AbortSignal) => Promise<object[]>} days asks for a product's sales by day */
  constructor(days) {
    this.days = days;
    /** A rate, undefined while nobody knows yet, null when it could not be learnt. @type {Map<string, import("../../../vendor/signals.js").Signal<Rate | null | undefined>>} */
    this.known = new Map();
    /** Sold since: the rate is what it was then. How often it is to be asked again. @type {Map<string, number>} */
    this.stale = new Map();
    this.asking = new Set();
  }

  #of(id) {
    if (!this.known.has(id)) {
      if (this.known.size >= MOST_KNOWN) this.known.delete(this.known.keys().next().value);
      this.known.set(id, signal(undefined));
    }
    return this.known.get(id);
  }

  /** Returns the rate; what is drawn with it is drawn anew when it changes. @param {string} id */
  rate(id) {
    return this.#of(id).value;
  }

  /** It was sold: the rate is to be looked at again, and once more: analytics counts a moment after the stream has told. @param {string} id */
  doubt(id) {
    this.stale.set(id, LOOKS);
  }

  /** Returns those of which the rate is not known, or not of now, and is not being asked. @param {string[]} ids */
  wanting(ids) {
    return ids.filter((id) => this.#wants(id));
  }

  #wants(id) {
    return !this.asking.has(id) && (this.stale.has(id) || !this.#of(id).peek());
  }

  /** Learns the rates that are wanting. After the first who cannot be reached the others are not tried: they stay unknown. @param {string[]} ids @param {AbortSignal} stop */
  async learn(ids, stop) {
    const wanted = this.wanting(ids);
    const left = [...wanted].reverse();
    const work = async () => {
      for (let id = left.pop(); id !== undefined && !stop.aborted; id = left.pop()) {
        // Who asks for many may be overtaken.
        if (!this.#wants(id)) continue;
        // What is sold while it is asked is in doubt again.
        const looks = this.stale.get(id) ?? 1;
        if (looks > 1) this.stale.set(id, looks - 1);
        else this.stale.delete(id);
        this.asking.add(id);
        try {
          this.#of(id).value = rateOf(await this.days(id, stop));
        } catch (problem) {
          this.stale.set(id, Math.max(looks, this.stale.get(id) ?? 0));
          if (problem.passing) left.length = 0;
        }
        this.asking.delete(id);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    if (!stop.aborted) for (const id of wanted) if (!this.asking.has(id)) this.#of(id).value ??= null;
  }
}

async function daysOf(id, stop) {
  const days = [];
  let cursor;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const query = { window: "day", by: "product", key: id, limit: PAGE, cursor };
    const { items, nextCursor } = await analytics("/aggregates", query, { signal: stop, attempts: 1, timeoutMillis: TIMEOUT_MILLIS });
    days.push(...items);
    if (!nextCursor) break;
    cursor = nextCursor;
  }
  return days;
}

export const rates = new Rates(daysOf);
