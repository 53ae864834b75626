/** Rows that are to leave the list leave it a moment later, and never under somebody. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { farewells } from "../../assets/app/pages/products/farewells.js";
import { Rows } from "../../assets/app/pages/products/rows.js";

const MOMENT = 1_200;
const product = (id, version = 1, more = {}) => ({ id, version, name: id, sku: null, sellerId: "s1", category: "x", price: 1, stock: 5, lowStock: false, ...more });

test("what is changed here or by others leaves when nobody is at it", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const rows = new Rows(async () => ({ items: ["a", "b", "c", "d"].map((id) => product(id)), nextCursor: null }));
  await rows.start({ sort: "name", category: "x" });
  const at = { pointed: true, row: "b" };
  const end = farewells(rows, () => at.pointed, () => at.row);
  rows.put(product("a", 2, { category: "y" }));
  rows.put(product("b", 2, { category: "y" }));
  rows.apply([{ type: "ProductDeleted", subject: "c", data: { version: 2, product: product("c") } }], true);
  t.mock.timers.tick(MOMENT);
  assert.deepEqual(rows.ids.value, ["a", "b", "c", "d"], "the pointer is in the list");
  at.pointed = false;
  t.mock.timers.tick(MOMENT);
  assert.deepEqual(rows.ids.value, ["b", "d"], "the focus is in b");
  at.row = "d";
  t.mock.timers.tick(MOMENT);
  assert.deepEqual(rows.ids.value, ["d"]);
  end();
  rows.put(product("d", 2, { category: "y" }));
  at.row = undefined;
  t.mock.timers.tick(MOMENT);
  assert.deepEqual(rows.ids.value, ["d"]);
});
