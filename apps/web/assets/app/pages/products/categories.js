/** The categories that the list can be narrowed to: those that analytics counts, and those that the stream tells of. */
import { analytics } from "../../api.js";
import { signal } from "../../html.js";
import { CHECK_CATEGORY } from "../../stream/checks.js";

/** The categories that have ever had an event, by name. */
export const categories = signal(/** @type {string[]} */ ([]));
/** More than this is no list to choose from. */
const MOST_CATEGORIES = 200;

/** @param {string[]} names */
function add(names) {
  const all = new Set(categories.peek());
  const before = all.size;
  for (const name of names) if (name && name !== CHECK_CATEGORY && all.size < MOST_CATEGORIES) all.add(name);
  // What is told of may not be counted yet: nothing is taken away.
  if (all.size > before) categories.value = [...all].sort((a, b) => a.localeCompare(b));
}

/** @param {AbortSignal} signal @param {typeof analytics} [ask] */
export async function loadCategories(signal, ask = analytics) {
  const { items } = await ask("/aggregates", { window: "all", by: "category", limit: MOST_CATEGORIES }, { signal, attempts: 1 });
  add(items.map(({ key }) => key));
}

/** Adds the categories that the stream told of. @param {import("../../types.js").SoukEvent[]} batch */
export function sawCategories(batch) {
  add(batch.filter(({ type }) => type === "ProductCreated" || type === "ProductUpdated").map(({ data }) => data.product.category));
}
