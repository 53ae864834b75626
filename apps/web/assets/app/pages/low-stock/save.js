/** Saves a threshold over changes of other fields, which are none of its business; another's threshold is one. */
import { api } from "../../api.js";

/** A busy product changes between the read and the write. */
const MOST_ROUNDS = 5;

/**
 * Returns the product as it is now, and whether the threshold was saved: it was not when another had changed it.
 * @param {import("../../types.js").Product} product as it was on the screen @param {number | null} lowStockThreshold
 */
export async function saveThreshold(product, lowStockThreshold, { get, patch } = api) {
  let now = product;
  for (let round = 1; ; round += 1) {
    try {
      return { product: await patch(product.id, { lowStockThreshold }, now.version), saved: true };
    } catch (problem) {
      if (problem.code !== "precondition-failed" || round >= MOST_ROUNDS) throw problem;
      now = await get(product.id);
      const theirs = now.lowStockThreshold ?? null;
      if (theirs === lowStockThreshold) return { product: now, saved: true };
      if (theirs !== (product.lowStockThreshold ?? null)) return { product: now, saved: false };
    }
  }
}
