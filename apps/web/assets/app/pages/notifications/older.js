/** Events that this browser has not kept, or never saw, from analytics: page by page, newest first. */

/** A press of a button loads no more pages than this; the next one goes on. */
const MOST_PAGES = 10;
const EARLIER = 250;
const MISSED = 500;
/** Several api's write, each by its own clock, and this browser has one too. */
const APART_MILLIS = 2_000;

const iso = (time) => new Date(time).toISOString();

/**
 * Hands over page after page until `take` says that it is enough.
 * @param {(query: object) => Promise<{items: import("../../types.js").SoukEvent[], nextCursor: string | null}>} ask
 * @param {object} query @param {(events: import("../../types.js").SoukEvent[]) => boolean | void} take
 * @returns {Promise<object | null>} the query that goes on; null when there is nothing more
 */
async function readBack(ask, query, take) {
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const { items, nextCursor } = await ask(query);
    const enough = take(items);
    if (!nextCursor) return null;
    query = { ...query, cursor: nextCursor };
    if (enough) break;
  }
  return query;
}

/**
 * Looks for what is older than `oldest`, until `take` has found something in it.
 * @param {{whose: string, oldest?: string, place?: object | null}} from `place` is where the last look ended
 */
export const readEarlier = (ask, { whose, oldest, place }, take) =>
  // The oldest may be one of many of its millisecond.
  readBack(ask, place ?? { sellerId: whose, limit: EARLIER, to: oldest && iso(Date.parse(oldest) + 1) }, take);

/**
 * Reads what came between the last event that was seen before a gap and the gap.
 * @param {{whose: string, gap: import("../../types.js").Notice, offset: number, place?: object | null}} from `offset` is what this
 *   machine's clock lacks of the server's
 * @returns {Promise<{rest: object | null, whole: boolean}>} `rest`: where the next press goes on; `whole`: analytics goes back so far
 *   that nothing can be missing
 */
export async function readMissed(ask, { whose, gap, offset, place }, take) {
  const { since } = gap.data;
  const from = since && iso(Date.parse(since) - APART_MILLIS);
  const to = iso(Date.parse(gap.at) + offset + APART_MILLIS);
  const rest = await readBack(ask, place ?? { sellerId: whose, limit: MISSED, from, to }, (events) => void take(events));
  if (rest || !since) return { rest, whole: false };
  // The event that was seen last, or an older one, is still there, so that every later one is.
  const { items } = await ask({ limit: 1, to: iso(Date.parse(since) + 1) });
  return { rest, whole: items.length > 0 };
}
