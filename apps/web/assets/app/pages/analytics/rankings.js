/** Who sold most: sellers, categories and products, in the range that is shown where that can be asked for. */
import { analytics, api } from "../../api.js";
import { compareDecimals, sumDecimals } from "./decimal.js";
import { fetchAll, sumsByKey } from "./series.js";

const TOP = 10;
/** Pages of 1,000 figures that the ranking of a seller's own products may take; beyond, it is made over all time, which has one for each. */
const MOST_PAGES = 8;
/** Pages of them, and of a seller's products. */
const MOST_PRODUCTS = 20;
/** @type {Map<string, {name: string, sellerId: string} | null>} */
const names = new Map();
/** There are more products than are read, of all time; they do not become fewer. */
let tooMany = false;

const aggregates = (query, signal) => analytics("/aggregates", query, { signal });
const iso = (time) => new Date(time).toISOString();

/** @typedef {{key: string, name: string, revenue: string, sold: number, returned: number, of?: string}} Ranked */
/** @typedef {{rows: Ranked[], allTime: boolean, tooMany: boolean}} Ranking `tooMany`: they were not ranked; a part of them, read in the
 *   order of their ids, would say nothing */

/**
 * @param {"seller" | "category" | "product"} by
 * @param {{from: number, to: number, whole: boolean}} range `whole`: it has all the data
 * @param {string} whose seller, "" for all @param {AbortSignal} signal
 * @returns {Promise<Ranking>}
 */
export async function rank(by, range, whose, signal) {
  if (by === "product" && whose) return rankOwn(range, whose, signal);
  const ask = (of) => analytics("/rankings", { by, limit: TOP, ...of }, { signal });
  // It refuses where there are more of them than it adds up days for.
  const refused = (problem) => {
    if (problem.status !== 400) throw problem;
    return null;
  };
  const inRange = range.whole ? null : await ask({ from: iso(range.from), to: iso(range.to) }).catch(refused);
  const { items } = inRange ?? (await ask({}));
  const rows = items.map(({ key, revenue, unitsSold, unitsReturned }) => ({ key, name: key, revenue, sold: unitsSold, returned: unitsReturned }));
  if (by === "product") await nameProducts(rows, signal);
  return { rows, allTime: inRange === null, tooMany: false };
}

/** Ranks a seller's own products: analytics does not know whose they are. @returns {Promise<Ranking>} */
async function rankOwn(range, whose, signal) {
  const inRange = { window: "day", by: "product", from: iso(range.from), to: iso(range.to) };
  let items = range.whole ? null : await fetchAll(aggregates, inRange, MOST_PAGES, signal);
  const allTime = items === null;
  if (allTime && !tooMany) {
    items = await fetchAll(aggregates, { window: "all", by: "product" }, MOST_PRODUCTS, signal);
    tooMany = items === null;
  }
  if (items === null) return { rows: [], allTime, tooMany: true };
  const own = await productsOf(whose, signal);
  const rows = sumsByKey(items)
    .filter(({ key }) => own.has(key))
    .map(({ key, revenues, sold, returned }) => ({ key, name: key, revenue: sumDecimals(revenues), sold, returned }))
    .filter(({ sold, returned }) => sold > 0 || returned > 0)
    .sort((a, b) => compareDecimals(b.revenue, a.revenue) || a.key.localeCompare(b.key))
    .slice(0, TOP);
  await nameProducts(rows, signal);
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
