/** Between what people type and what the api takes. */
import { FIELDS } from "./merge.js";

/** How each field is called. @type {Record<string, string>} */
export const LABELS = {
  name: "Name", sellerId: "Seller", sku: "SKU", category: "Category", price: "Price", stock: "Stock",
  lowStockThreshold: "Low-stock threshold", description: "Description",
};
const NUMBERS = new Set(["price", "stock", "lowStockThreshold"]);

/** Returns what the form shows of a product: texts. @param {Partial<import("../../types.js").Product>} product */
export function textsOf(product) {
  return Object.fromEntries(["sellerId", ...FIELDS].map((field) => [field, product[field] === null || product[field] === undefined ? "" : String(product[field])]));
}

/**
 * Reads the texts of a form. What is no number is left as the text it is, so that the api says what is wrong with it in
 * the same words as to everybody; an empty number is null.
 * @param {Record<string, string>} texts
 */
export function valuesOf(texts) {
  const values = {};
  for (const [field, text] of Object.entries(texts)) {
    const tidy = text.trim();
    if (!NUMBERS.has(field)) values[field] = field === "description" ? text : tidy;
    else if (tidy === "") values[field] = null;
    else {
      // A decimal comma is a comma; the api's numbers have points.
      const number = Number(tidy.replace(/^(\d+),(\d+)$/, "$1.$2"));
      values[field] = Number.isFinite(number) ? number : text;
    }
  }
  return values;
}

/** Returns the body that creates a product: empty fields are left to the server's defaults. @param {Record<string, any>} values */
export function bodyOf(values) {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== "" && value !== null));
}
