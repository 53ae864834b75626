/** Whose shop is shown: one seller's or everybody's. Every page obeys it; links carry it; the browser remembers it. */
import { analytics } from "./api.js";
import { computed, signal } from "./html.js";
import { route, setParams } from "./route.js";
import { remember, remembered } from "./storage.js";
import { isCheck } from "./stream/checks.js";

const last = signal(remembered("seller") ?? "");

/** The seller's id, or "" for all. */
export const seller = computed(() => route.value.params.seller ?? last.value);

/** @param {string} id "" for all */
export function setSeller(id) {
  last.value = id;
  remember("seller", id || null);
  setParams({ seller: id, cursor: "" });
}

/** Puts the remembered seller into the address, so that a copied link shows what is on the screen. */
export function restoreSeller() {
  const { seller: named } = route.value.params;
  if (named === undefined && last.value) setParams({ seller: last.value }, { replace: true });
  else if (named) last.value = named;
}

/** The sellers that have ever had an event, by name. A select with more than these would help nobody. */
export const sellers = signal(/** @type {string[]} */ ([]));
const MOST_SELLERS = 500;

export async function loadSellers() {
  const { items } = await analytics("/aggregates", { window: "all", by: "seller", limit: MOST_SELLERS });
  const people = items.map((item) => item.key).filter((id) => !isCheck(id));
  sellers.value = people.sort((a, b) => a.localeCompare(b, undefined, { numeric: true }));
}

/** Adds a seller that the stream told of. @param {string} id */
export function sawSeller(id) {
  if (!id || isCheck(id) || sellers.value.length >= MOST_SELLERS || sellers.value.includes(id)) return;
  sellers.value = [...sellers.value, id].sort((a, b) => a.localeCompare(b, undefined, { numeric: true }));
}
