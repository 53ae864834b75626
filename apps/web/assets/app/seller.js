/** Whose shop is shown: one seller's or everybody's. Every page obeys it; links carry it; the browser remembers it. */
import { analytics } from "./api.js";
import { computed, effect, signal } from "./html.js";
import { route, setParams } from "./route.js";
import { remember, remembered } from "./storage.js";
import { isCheck } from "./stream/checks.js";

/** The seller's id, or "" for all: the address says it, so that Back undoes a choice. */
export const seller = computed(() => route.value.params.seller ?? "");

/** @param {string} id "" for all */
export function setSeller(id) {
  setParams({ seller: id, cursor: "" });
}

/** Puts the remembered seller into the address, so that a copied link shows what is on the screen; remembers from then on. */
export function restoreSeller() {
  const last = remembered("seller");
  if (route.value.params.seller === undefined && last) setParams({ seller: last }, { replace: true });
  effect(() => remember("seller", seller.value || null));
}

/** The sellers that have ever had an event, by name; of a crowd, some. */
export const sellers = signal(/** @type {string[]} */ ([]));
const MOST_SELLERS = 500;
/** There are more than a list could help with: the one that is meant is typed. */
export const isCrowd = computed(() => sellers.value.length >= MOST_SELLERS);
/** Each check leaves a seller of its own: they are passed over, but not for ever. */
const PAGE = 1_000;
const MOST_PAGES = 10;

export async function loadSellers() {
  const people = [];
  let cursor;
  for (let page = 0; page < MOST_PAGES && people.length < MOST_SELLERS; page += 1) {
    const { items, nextCursor } = await analytics("/aggregates", { window: "all", by: "seller", limit: PAGE, cursor });
    people.push(...items.map((item) => item.key).filter((id) => !isCheck(id)));
    if (!nextCursor) break;
    cursor = nextCursor;
  }
  sellers.value = people.slice(0, MOST_SELLERS).sort((a, b) => a.localeCompare(b, undefined, { numeric: true }));
}

/** Adds a seller that the stream told of. @param {string} id */
export function sawSeller(id) {
  if (!id || isCheck(id) || sellers.value.length >= MOST_SELLERS || sellers.value.includes(id)) return;
  sellers.value = [...sellers.value, id].sort((a, b) => a.localeCompare(b, undefined, { numeric: true }));
}
