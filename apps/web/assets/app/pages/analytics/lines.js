/** What the charts draw: totals, or a line for each seller or category in all of them. */
import { count, money } from "../../format.js";

const TYPES = [["ProductUpdated", "Changed"], ["ProductCreated", "Created"], ["ProductDeleted", "Deleted"], ["LowStockWarning", "Low stock"], ["StockReplenished", "Replenished"]];

/** @typedef {import("./series.js").Figures} Figures @typedef {{key: string | null, figures: Figures[]}} Laid */
/** @typedef {import("../../ui/chart.js").Line} Line */

/** @param {(one: Figures) => number} of @returns {(name: string, figures: Figures[]) => Line} */
const counted = (of) => (name, figures) => ({ name, values: figures.map(of), exact: (n) => count(n ?? 0) });
/** @type {(name: string, figures: Figures[]) => Line} */
const revenue = (name, figures) => ({ name, values: figures.map((one) => Number(one.revenue)), exact: (_, i) => money(figures[i].revenue) });
const net = counted((one) => one.sold - one.returned);
const all = counted((one) => one.count);

/**
 * Returns the lines of each chart. Apart, each key has one: its revenue, its pieces sold less those returned, its events of
 * all types.
 * @param {Laid[]} shown the total first, then what is split off it @param {boolean} apart
 * @returns {{revenue: Line[], units: Line[], events: Line[]}}
 */
export function linesOf([total, ...keys], apart) {
  if (apart) {
    const each = (line) => keys.map(({ key, figures }) => line(key, figures));
    return { revenue: each(revenue), units: each(net), events: each(all) };
  }
  const { figures } = total;
  const types = TYPES.map(([type, name]) => counted((one) => one.events[type] ?? 0)(name, figures));
  return {
    revenue: [revenue("Revenue", figures)],
    units: [counted((one) => one.sold)("Sold", figures), counted((one) => one.returned)("Returned", figures)],
    events: types.filter((line, i) => i === 0 || line.values.some(Boolean)),
  };
}
