/** From the address to what is asked of the api, and whether a product that the stream tells of belongs there. */

/** What a list can be sorted by, and how that is called. */
export const SORTS = [
  ["-createdAt", "Newest first"],
  ["createdAt", "Oldest first"],
  ["name", "Name, A to Z"],
  ["-name", "Name, Z to A"],
  ["stock", "Least stock first"],
  ["-stock", "Most stock first"],
];
export const DEFAULT_SORT = "-createdAt";

/**
 * @typedef {{sellerId?: string, category?: string, q?: string, lowStock?: "true", sort: string}} ListQuery
 * @param {Record<string, string>} params of the route @param {string} seller
 * @returns {ListQuery}
 */
export function listQuery(params, seller) {
  const sort = SORTS.some(([name]) => name === params.sort) ? params.sort : DEFAULT_SORT;
  return {
    sort,
    ...(seller && { sellerId: seller }),
    ...(params.category && { category: params.category }),
    ...(params.low && { lowStock: /** @type {const} */ ("true") }),
    ...(params.q?.trim() && { q: params.q.trim() }),
  };
}

/** Words as the api's search takes them: runs of letters and digits. @param {string} text */
export const words = (text) => text.toLowerCase().match(/[\p{Alphabetic}\p{N}]+/gu) ?? [];

/** Whether the list holds the product: the api's rules, for what comes by the stream. @param {import("../../types.js").Product} product @param {ListQuery} query */
export function matches(product, query) {
  if (query.sellerId && product.sellerId !== query.sellerId) return false;
  if (query.category && product.category !== query.category) return false;
  if (query.lowStock && !product.lowStock) return false;
  if (!query.q) return true;
  const has = words(`${product.name} ${product.sku ?? ""}`);
  return words(query.q).every((word) => has.some((one) => one.startsWith(word)));
}
