/** Figures by bucket: fetched page by page, merged as they grow, and laid out without holes to be drawn. */
import { LENGTHS } from "./range.js";

/**
 * @typedef {object} Figures of one bucket
 * @property {string} revenue exact
 * @property {number} sold
 * @property {number} returned
 * @property {Record<string, number>} events by type
 * @property {number} count of all events
 *
 * @typedef {Map<number, Figures>} Series by the bucket's start, in milliseconds
 */

/** The service's longest page. */
const PAGE = 1_000;

/** @param {any} item an aggregate as analytics sends it @returns {Figures} */
export function figuresOf(item) {
  const count = Object.values(item.events).reduce((sum, n) => sum + n, 0);
  return { revenue: item.revenue, sold: item.unitsSold, returned: item.unitsReturned, events: item.events, count };
}

/**
 * Fetches aggregates, all pages of them up to `mostPages`; null when there are more.
 * @param {(query: object, signal?: AbortSignal) => Promise<{items: any[], nextCursor: string | null}>} ask
 * @param {object} query @param {number} mostPages @param {AbortSignal} [signal]
 */
export async function fetchAll(ask, query, mostPages, signal) {
  const items = [];
  let cursor;
  for (let page = 0; page < mostPages; page += 1) {
    const answer = await ask({ ...query, limit: PAGE, cursor }, signal);
    items.push(...answer.items);
    if (!answer.nextCursor) return items;
    cursor = answer.nextCursor;
  }
  return null;
}

/** Puts newer figures over older ones; returns a new series, so that whoever looks sees a change. @param {Series} series @param {any[]} items */
export function merged(series, items) {
  const next = new Map(series);
  for (const item of items) next.set(Date.parse(item.bucket), figuresOf(item));
  return next;
}

const NOTHING = Object.freeze({ revenue: "0", sold: 0, returned: 0, events: {}, count: 0 });

/**
 * Lays a series out: every bucket of the range, those without figures as nothing.
 * @param {Series} series @param {{from: number, to: number, step: import("./range.js").Step}} range
 */
export function laidOut(series, { from, to, step }) {
  const times = [];
  const figures = [];
  for (let bucket = from; bucket < to; bucket += LENGTHS[step]) {
    times.push(bucket);
    figures.push(series.get(bucket) ?? NOTHING);
  }
  return { times, figures };
}

/** When an event counts: when it happened where that is told, else when it was written. @param {any} event */
export const happenedAt = (event) => Date.parse(event.data.occurredAt ?? event.time);

/** Returns the sums by key, as the ranking of sellers or products needs them. @param {any[]} items */
export function sumsByKey(items) {
  const sums = new Map();
  for (const { key, revenue, unitsSold, unitsReturned } of items) {
    const sum = sums.get(key) ?? { key, revenues: [], sold: 0, returned: 0 };
    sum.revenues.push(revenue);
    sum.sold += unitsSold;
    sum.returned += unitsReturned;
    sums.set(key, sum);
  }
  return [...sums.values()];
}
