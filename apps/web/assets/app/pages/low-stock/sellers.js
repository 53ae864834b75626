/**
 * What sells most: the rates that are worth learning first. Time is the events' own: the last weeks of a replayed history
 * are as good as ours.
 */
import { analytics } from "../../api.js";
import { RATE_DAYS } from "./cover.js";

const DAY_MILLIS = 86_400_000;
/** The service's longest ranking. */
const MOST_RANKED = 100;
/** Pages of days: more are years ago. */
const PAGE = 1_000;
const MOST_PAGES = 4;

/**
 * Returns the ids of the products that sold most in the last weeks with sales, then those that did over all time; few where
 * analytics does not tell.
 * @param {AbortSignal} signal @param {typeof analytics} [ask]
 * @returns {Promise<string[]>}
 */
export async function bestSellers(signal, ask = analytics) {
  const ranked = async (range) => {
    const { items } = await ask("/rankings", { by: "product", limit: MOST_RANKED, ...range }, { signal, attempts: 1 });
    return items.map(({ key }) => key);
  };
  // It refuses where there are more products than it adds up days for; and what cannot be ranked is learnt all the same, later.
  const recent = async () => ranked({ from: await beginOfLastWeeks(signal, ask) });
  const [lately, ever] = await Promise.all([recent().catch(() => []), ranked({}).catch(() => [])]);
  return [...new Set([...lately, ...ever])];
}

/** Returns when the last weeks of sales begin. */
async function beginOfLastWeeks(signal, ask) {
  let last;
  let cursor;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const { items, nextCursor } = await ask("/aggregates", { window: "day", by: "total", limit: PAGE, cursor }, { signal, attempts: 1 });
    last = items.findLast(({ unitsSold }) => unitsSold > 0)?.bucket ?? last;
    if (!nextCursor) break;
    cursor = nextCursor;
  }
  if (!last) return undefined;
  return new Date(Date.parse(last) - (RATE_DAYS - 1) * DAY_MILLIS).toISOString();
}

/**
 * Returns whose rates are learnt first: what sells most, however much of it there is, then what there is least of.
 * @param {string[]} ids least stock first @param {string[]} best @param {number} least how many of the least
 */
export function learnFirst(ids, best, least) {
  const there = new Set(ids);
  return [...new Set([...best.filter((id) => there.has(id)), ...ids.slice(0, least)])];
}
