/** One product, however many answers get lost. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Creation } from "../../assets/app/pages/products/creation.js";

const LOST = { passing: true, code: "unreachable" };

/** An api that keeps the answer of each key, as the real one does; `fate` says what becomes of each request. */
function apiOf(...fate) {
  const made = new Map();
  const products = [];
  const send = async (body, key) => {
    const what = fate.shift();
    if (what === "lost before") throw LOST;
    if (what === "refused") throw { passing: false, code: "validation-failed" };
    const text = JSON.stringify(body);
    if (made.has(key) && made.get(key).text !== text) throw { passing: false, code: "idempotency-key-reused" };
    if (!made.has(key)) {
      made.set(key, { text, product: { id: `p${made.size}`, ...body } });
      products.push(made.get(key).product);
    }
    if (what === "lost after") throw LOST;
    return made.get(key).product;
  };
  let keys = 0;
  return { products, creation: new Creation(send, () => `k${(keys += 1)}`) };
}

test("an answer that was lost is asked for again, and nothing is made twice", async () => {
  const { products, creation } = apiOf("lost after");
  await assert.rejects(creation.create({ name: "Lamp" }), LOST);
  assert.deepEqual(await creation.create({ name: "Lamp" }), { product: { id: "p0", name: "Lamp" }, earlier: false });
  assert.equal(products.length, 1);
});

test("what was corrected after a lost answer finds what had been made", async () => {
  const { products, creation } = apiOf("lost before", "lost after");
  await assert.rejects(creation.create({ name: "Lamp", price: 1 }), LOST);
  await assert.rejects(creation.create({ name: "Lamp", price: 2 }), LOST);
  const { product, earlier } = await creation.create({ name: "Lamp", price: 3 });
  assert.deepEqual([product.price, earlier, products.length], [2, true, 1]);
});

test("what was corrected after an attempt that never arrived is simply made", async () => {
  const { products, creation } = apiOf("lost before", "refused");
  await assert.rejects(creation.create({ price: 1 }), LOST);
  await assert.rejects(creation.create({ price: -1 }), { code: "validation-failed" });
  assert.equal((await creation.create({ price: 2 })).product.price, 2);
  assert.equal(products.length, 1);
});

test("the next product is another one", async () => {
  const { products, creation } = apiOf();
  await creation.create({ name: "Lamp" });
  await creation.create({ name: "Lamp" });
  assert.equal(products.length, 2);
});
