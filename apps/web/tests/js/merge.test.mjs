/** Merging what I wrote with what others did meanwhile. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bodyOf, textsOf, valuesOf } from "../../assets/app/pages/products/form.js";
import { merge, patchOf } from "../../assets/app/pages/products/merge.js";

const base = { id: "p", version: 3, name: "Lamp", sku: null, category: "light", price: 10, stock: 5, lowStockThreshold: null, description: null };

test("takes theirs where I changed nothing, and mine where they did not", () => {
  const { merged, conflicts, taken } = merge(base, { ...base, price: 12 }, { ...base, version: 4, stock: 2 });
  assert.deepEqual([merged.price, merged.stock, merged.version], [12, 2, 4]);
  assert.deepEqual(conflicts, []);
  assert.deepEqual(taken, ["stock"]);
});

test("asks where both changed a field to something else", () => {
  const { merged, conflicts } = merge(base, { ...base, price: 12 }, { ...base, price: 15 });
  assert.deepEqual(conflicts, [{ field: "price", base: 10, mine: 12, theirs: 15 }]);
  assert.equal(merged.price, 12);
});

test("does not ask where both changed a field to the same", () => {
  assert.deepEqual(merge(base, { ...base, price: 12 }, { ...base, price: 12 }).conflicts, []);
});

test("an empty field and none are the same", () => {
  const { conflicts, taken } = merge(base, { ...base, sku: "" }, { ...base, sku: "L-1" });
  assert.deepEqual(conflicts, []);
  assert.deepEqual(taken, ["sku"]);
});

test("patches only what differs, and empties with null", () => {
  assert.deepEqual(patchOf({ ...base, sku: "L-1" }, { ...base, sku: "", price: 11 }), { sku: null, price: 11 });
  assert.deepEqual(patchOf(base, { ...base, sku: "", description: "" }), {});
});

test("reads a form as it was typed", () => {
  const values = valuesOf({ ...textsOf(base), name: " Lamp ", price: "12,50", stock: "", lowStockThreshold: "abc" });
  assert.equal(values.name, "Lamp");
  assert.equal(values.price, 12.5);
  assert.equal(values.stock, null);
  assert.equal(values.lowStockThreshold, "abc", "what is no number goes to the api, which says what is wrong");
});

test("a form that nobody touched changes nothing", () => {
  assert.deepEqual(patchOf(base, { ...base, ...valuesOf(textsOf(base)) }), {});
});

test("reads grouped numbers as what the list shows, and never as a fraction of them", () => {
  const read = (texts) => valuesOf({ ...textsOf(base), ...texts }, base);
  for (const text of ["1,000", "1.000", "1 000", "1’000"]) {
    const { stock, lowStockThreshold } = read({ stock: text, lowStockThreshold: text });
    assert.deepEqual([stock, lowStockThreshold], [1000, 1000], text);
  }
  // en-US is what these tests are read in.
  assert.deepEqual(["1,234", "1,234.5", "1.234", "12,5"].map((price) => read({ price }).price), [1234, 1234.5, 1.234, 12.5]);
  assert.deepEqual(["1,5", "0,500"].map((stock) => read({ stock }).stock), ["1,5", "0,500"], "the api says that it is no stock");
});

test("a field that nobody typed in is as it was, blanks and all", () => {
  const odd = { ...base, name: "Lamp ", category: " light" };
  assert.deepEqual(patchOf(odd, { ...odd, ...valuesOf(textsOf(odd), odd) }), {});
  const theirs = { ...odd, version: 4, name: "Big lamp" };
  assert.deepEqual(merge(odd, { ...odd, ...valuesOf(textsOf(odd), odd) }, theirs).conflicts, []);
  assert.equal(valuesOf({ ...textsOf(odd), name: "Lamp  " }, odd).name, "Lamp", "what was typed is tidied");
});

test("leaves empty fields of a new product to the server", () => {
  assert.deepEqual(bodyOf({ name: "Lamp", sku: "", stock: 0, price: null }), { name: "Lamp", stock: 0 });
});
