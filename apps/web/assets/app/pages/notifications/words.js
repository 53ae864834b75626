/** What a notice says. */
import { count, money, plural } from "../../format.js";

/** @type {Record<string, {icon: string, tone: string, many: (n: number) => string}>} */
export const KINDS = {
  low: { icon: "low", tone: "warn", many: (n) => `${plural(n, "product")} running low` },
  replenished: { icon: "up", tone: "good", many: (n) => `${plural(n, "product")} back in stock` },
  created: { icon: "plus", tone: "info", many: (n) => `${plural(n, "product")} added` },
  deleted: { icon: "trash", tone: "", many: (n) => `${plural(n, "product")} deleted` },
  edited: { icon: "edit", tone: "", many: (n) => `${plural(n, "product")} edited` },
  stock: { icon: "box", tone: "", many: (n) => plural(n, "stock movement") },
  gap: { icon: "gap", tone: "warn", many: (n) => plural(n, "gap") },
};

const FIELD_WORDS = { price: "price", name: "name", category: "category", sku: "SKU", description: "description", lowStockThreshold: "threshold" };
const REASONS = { sale: "Sold", return: "Returned", restock: "Restocked", correction: "Corrected", other: "Changed" };

const shown = (field, value) => (value === null || value === undefined ? "none" : field === "price" ? money(value) : typeof value === "number" ? count(value) : String(value));

/** Returns the words for a notice: `title` goes before the product's name, `detail` below. @param {import("../../types.js").Notice} notice */
export function wordsOf(notice) {
  const { kind, data } = notice;
  switch (kind) {
    case "low":
      return { title: "Low stock", detail: `${count(data.stock)} left, the threshold is ${count(data.threshold)}${typeof data.previousStock === "number" ? `; there were ${count(data.previousStock)}` : ""}` };
    case "replenished":
      return { title: "Back in stock", detail: `${count(data.stock)} at hand, the threshold is ${count(data.threshold)}` };
    case "created":
      return { title: "New product", detail: [data.price !== undefined && money(data.price), `${count(data.stock ?? 0)} in stock`].filter(Boolean).join(", ") };
    case "deleted":
      return { title: "Deleted", detail: typeof data.stock === "number" ? `${count(data.stock)} were in stock` : "" };
    case "edited": {
      const parts = data.fields.map((field) => {
        const { from, to } = data.changes[field];
        const name = FIELD_WORDS[field] ?? field;
        return field === "description" ? "description" : `${name} from ${shown(field, from)} to ${shown(field, to)}`;
      });
      return { title: "Edited", detail: parts.join("; ") };
    }
    case "stock": {
      const { from = 0, to = 0 } = data.changes.stock ?? {};
      const n = Math.abs(to - from);
      const reference = data.reference ? ` (${data.reference})` : "";
      return { title: REASONS[data.reason] ?? "Stock changed", detail: `${count(n)} ${to < from ? "out" : "in"}${reference}: ${count(from)} to ${count(to)}` };
    }
    default:
      return { title: "Some events were missed", detail: "" };
  }
}
