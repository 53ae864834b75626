/** Sales rates of products, asked of analytics one by one, a few at a time, and kept until the product sells again. */
import { analytics } from "../../api.js";
import { rateOf } from "./cover.js";

/** Browsers open six connections to a server; some stay free for what people press meanwhile. */
const AT_ONCE = 4;
const PAGE = 500;
/** More days than this are years ago. */
const MOST_PAGES = 4;
/** @type {Map<string, import("./cover.js").Rate>} */
const known = new Map();
const MOST_KNOWN = 5_000;

/** @param {string} id */
export const rate = (id) => known.get(id);

/** The next look at this product's rate has to ask anew. @param {string} id */
export const forgetRate = (id) => known.delete(id);

async function ask(id, signal) {
  const days = [];
  let cursor;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const { items, nextCursor } = await analytics("/aggregates", { window: "day", by: "product", key: id, limit: PAGE, cursor }, { signal });
    days.push(...items);
    if (!nextCursor) break;
    cursor = nextCursor;
  }
  if (known.size >= MOST_KNOWN) known.clear();
  known.set(id, rateOf(days));
}

/** Learns the rates that are not known. What cannot be learnt stays unknown; the page is of use without. @param {string[]} ids @param {AbortSignal} signal */
export async function learnRates(ids, signal) {
  const left = ids.filter((id) => !known.has(id));
  const work = async () => {
    for (let id = left.pop(); id !== undefined && !signal.aborted; id = left.pop()) {
      await ask(id, signal).catch(() => undefined);
    }
  };
  left.reverse();
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}
