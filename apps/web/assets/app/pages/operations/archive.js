/** The archive's newest object. Lists begin with the oldest, and an archive has thousands: the last hour is searched for. */
import { analytics } from "../../api.js";
import { serverNow } from "../../config.js";

const HOUR_MILLIS = 3_600_000;
/** No archive is older than these hours, which are decades. */
const MOST_HOURS = 2 ** 18;
const PAGE = 1_000;
/** Pages of two hours: far more than any installation writes. */
const MOST_PAGES = 20;

/**
 * Returns the object that was written last; null where there is none.
 * @param {(query: object) => Promise<{items: any[], nextCursor: string | null}>} [ask] `GET /archive` @param {number} [now] milliseconds
 */
export async function lastArchived(ask = (query) => analytics("/archive", query), now = serverNow()) {
  const from = (hour) => ({ from: new Date(hour * HOUR_MILLIS).toISOString() });
  const holds = async (range) => (await ask({ ...range, limit: 1 })).items.length > 0;
  if (!(await holds({}))) return null;
  const hour = await lastHour((hour) => holds(from(hour)), Math.floor(now / HOUR_MILLIS));
  let newest = null;
  let cursor;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    // A partition that lags writes an hour's objects when others are in the next.
    const { items, nextCursor } = await ask({ ...from(hour - 1), limit: PAGE, cursor });
    for (const item of items) if (!newest || item.createdAt >= newest.createdAt) newest = item;
    if (!nextCursor) break;
    cursor = nextCursor;
  }
  return newest;
}

/** Returns the last hour since which there is something: back by ever longer steps, then between the last two. */
async function lastHour(holdsSince, now) {
  let back = 1;
  while (back < MOST_HOURS && !(await holdsSince(now - back))) back *= 2;
  let there = now - back;
  let beyond = back === 1 ? now + 1 : now - back / 2;
  while (beyond - there > 1) {
    const middle = Math.floor((there + beyond) / 2);
    if (await holdsSince(middle)) there = middle;
    else beyond = middle;
  }
  return there;
}
