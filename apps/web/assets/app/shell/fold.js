/** Folding: many notices into few lines. Nothing here knows of the page. */
import { count as figure, enumerate, plural } from "../format.js";
import { isCheck } from "../stream/checks.js";

/** Names that a line spells out; the rest is counted. */
const NAMED = 3;

/**
 * @typedef {{count: number, names: string[], first: any, kinds: Record<string, number>}} News
 */

const NEWS = new Set(["LowStockWarning", "StockReplenished", "ProductCreated", "ProductDeleted"]);

/** Whether people want to hear of it at once. Edits and sales they find in the history. */
export const isNews = (event) => NEWS.has(event.type) && !isCheck(event.sellerid);

/**
 * Folds notices by kind; all that came late into "away".
 * @param {(import("../types.js").Notice & {late?: boolean})[]} notices
 * @returns {Map<string, News>}
 */
export function foldNews(notices) {
  /** @type {Map<string, News>} */
  const folded = new Map();
  for (const notice of notices) {
    const key = notice.late ? "away" : notice.kind;
    const one = { count: 1, names: [notice.name], first: notice, kinds: { [notice.kind]: 1 } };
    folded.set(key, folded.has(key) ? mergeNews(folded.get(key), one) : one);
  }
  return folded;
}

/** @param {News} a the older @param {News} b @returns {News} */
export function mergeNews(a, b) {
  const kinds = { ...a.kinds };
  for (const [kind, n] of Object.entries(b.kinds)) kinds[kind] = (kinds[kind] ?? 0) + n;
  const names = [...new Set([...b.names, ...a.names])].slice(0, NAMED);
  return { count: a.count + b.count, names, first: a.first, kinds };
}

const WORDS = {
  low: (n) => `${plural(n, "product")} running low`,
  replenished: (n) => `${plural(n, "product")} back in stock`,
  created: (n) => `${plural(n, "product")} added`,
  deleted: (n) => `${plural(n, "product")} deleted`,
};

/** Returns the words of a toast. @param {string} key @param {News} news */
export function headline(key, news) {
  const { count, names, first } = news;
  const rest = count - names.length;
  const detail = enumerate(rest > 0 ? [...names, plural(rest, "other")] : names);
  if (key === "away") {
    const parts = Object.entries(news.kinds).map(([kind, n]) => WORDS[kind](n));
    return { title: "While you were away", detail: enumerate(parts), tone: "info", icon: "info" };
  }
  if (key === "low") {
    return count === 1
      ? { title: `Low stock: ${first.name}`, detail: `${figure(first.data.stock)} left, the threshold is ${figure(first.data.threshold)}`, tone: "warn", icon: "low" }
      : { title: WORDS.low(count), detail, tone: "warn", icon: "low" };
  }
  if (key === "replenished") {
    return count === 1
      ? { title: `Back in stock: ${first.name}`, detail: `${figure(first.data.stock)} at hand`, tone: "good", icon: "up" }
      : { title: WORDS.replenished(count), detail, tone: "good", icon: "up" };
  }
  const icon = key === "deleted" ? "trash" : "plus";
  return count === 1
    ? { title: key === "deleted" ? "Product deleted" : "New product", detail: first.name, tone: "info", icon }
    : { title: WORDS[key](count), detail, tone: "info", icon };
}
