/** Who sold most: sellers, categories and products, in the range that is shown where that can be asked for. */
import { analytics, api } from "../../api.js";
import { compareDecimals, sumDecimals } from "./decimal.js";
import { fetchAll, sumsByKey } from "./series.js";

const TOP = 10;
/** Pages of 1,000 figures that a ranking may take; beyond, it is made over all time, which has one for each. */
const MOST_PAGES = 8;
/** Pages of them, and of a seller's products. */
const MOST_PRODUCTS = 20;
/** @type {Map<string, {name: string, sellerId: string} | null>} */
const names = new Map();
/** Of these there are more than are read, of all time; they do not become fewer. @type {Set<string>} */
const tooMany = new Set();

const aggregates = (query, signal) => analytics("/aggregates", query, { signal });
const iso = (time) => new Date(time).toISOString();

/** @typedef {{key: string, name: string, revenue: string, sold: number, returned: number, of?: string}} Ranked */

/**
 * @param {"seller" | "category" | "product"} by
 * @param {{from: number, to: number, whole: boolean}} range `whole`: it has all the data
 * @param {string} whose seller, "" for all @param {AbortSignal} signal
 * @returns {Promise<{rows: Ranked[], allTime: boolean, tooMany: boolean}>} `tooMany`: they were not ranked; a part of them, read in the
 *   order of their ids, would say nothing
 */
export async function rank(by, range, whose, signal) {
  const inRange = { window: "day", by, from: iso(range.from), to: iso(range.to) };
  let items = range.whole ? null : await fetchAll(aggregates, inRange, MOST_PAGES, signal);
  const allTime = items === null;
  if (allTime && !tooMany.has(by)) {
    items = await fetchAll(aggregates, { window: "all", by }, MOST_PRODUCTS, signal);
    if (items === null) tooMany.add(by);
  }
  if (items === null) return { rows: [], allTime, tooMany: true };
  let sums = sumsByKey(items);
  if (by === "product" && whose) {
    const own = await productsOf(whose, signal);
    sums = sums.filter(({ key }) => own.has(key));
  }
  const rows = sums
    .map(({ key, revenues, sold, returned }) => ({ key, name: key, revenue: sumDecimals(revenues), sold, returned }))
    .filter(({ sold, returned }) => sold > 0 || returned > 0)
    .sort((a, b) => compareDecimals(b.revenue, a.revenue) || a.key.localeCompare(b.key))
    .slice(0, TOP);
  if (by === "product") await nameProducts(rows, signal);
  return { rows, allTime, tooMany: false };
}

/** Returns the ids of a seller's products, and learns their names. */
async function productsOf(whose, signal) {
  const own = new Set();
  let cursor;
  for (let page = 0; page < MOST_PRODUCTS; page += 1) {
    const { items, nextCursor } = await api.list({ sellerId: whose, limit: 500, cursor }, signal);
    for (const { id, name, sellerId } of items) {
      own.add(id);
      names.set(id, { name, sellerId });
    }
    if (!nextCursor) break;
    cursor = nextCursor;
  }
  return own;
}

/** @param {Ranked[]} rows */
async function nameProducts(rows, signal) {
  await Promise.all(
    rows.map(async (row) => {
      if (!names.has(row.key)) {
        const product = await api.get(row.key, signal).catch((problem) => (problem.status === 404 ? null : undefined));
        // One that cannot be asked for now is asked for the next time.
        if (product !== undefined) names.set(row.key, product && { name: product.name, sellerId: product.sellerId });
      }
      const known = names.get(row.key);
      row.name = known?.name ?? (known === null ? "A product that was deleted" : row.key);
      row.of = known?.sellerId;
    }),
  );
}
