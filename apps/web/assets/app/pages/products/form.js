/** Between what people type and what the api takes. */
import { decimalOf, MARKS } from "./decimals.js";
import { FIELDS } from "./merge.js";
import { wholeOf } from "./numbers.js";

/** How each field is called. @type {Record<string, string>} */
export const LABELS = {
  name: "Name", sellerId: "Seller", sku: "SKU", category: "Category", price: "Price", stock: "Stock",
  lowStockThreshold: "Low-stock threshold", description: "Description",
};
/** How a number is read; null when it is none. @type {Record<string, (text: string) => string | number | null>} */
const NUMBERS = { price: decimalOf, stock: wholeOf, lowStockThreshold: wholeOf };

/** Returns a field as the form shows it: the fraction of a price begins as the reader writes it. */
function textOf(field, value) {
  if (value === null || value === undefined) return "";
  return field === "price" ? String(value).replace(".", MARKS.decimal) : String(value);
}

/** Returns what the form shows of a product: texts. @param {Partial<import("../../types.js").Product>} product */
export function textsOf(product) {
  return Object.fromEntries(["sellerId", ...FIELDS].map((field) => [field, textOf(field, product[field])]));
}

/**
 * Reads the texts of a form. What nobody typed in is what it was, blanks at its ends and all. What is no number is left
 * as the text it is, so that the api says what is wrong with it in the same words as to everybody; an empty number is null.
 * @param {Record<string, string>} texts @param {Record<string, any>} [base] what the form was filled with
 */
export function valuesOf(texts, base = {}) {
  const before = textsOf(base);
  const values = {};
  for (const [field, text] of Object.entries(texts)) {
    const tidy = text.trim();
    if (text === before[field]) values[field] = base[field] ?? null;
    else if (!NUMBERS[field]) values[field] = field === "description" ? text : tidy;
    else if (tidy === "") values[field] = null;
    else {
      const number = NUMBERS[field](tidy);
      values[field] = number === null ? text : Number(number);
    }
  }
  return values;
}

/** Returns the body that creates a product: empty fields are left to the server's defaults. @param {Record<string, any>} values */
export function bodyOf(values) {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== "" && value !== null));
}

/**
 * Returns what is wrong with each field: the name from its JSON Pointer (RFC 6901), and the words to show beside it.
 * @param {import("../../problem.js").Problem} problem
 * @returns {Record<string, string>}
 */
export function fieldErrors(problem) {
  /** @type {Record<string, string>} */
  const faults = {};
  for (const { pointer, detail } of problem.errors ?? []) {
    const name = (pointer ?? "").split("/")[1]?.replaceAll("~1", "/").replaceAll("~0", "~");
    if (name) faults[name] = faults[name] ? `${faults[name]}; ${detail}` : detail;
  }
  if (problem.code === "sku-taken") faults.sku = "This seller has another product with this SKU";
  return faults;
}
