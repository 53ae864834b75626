/** A threshold goes over changes of others, but not over another's threshold. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { saveThreshold } from "../../assets/app/pages/low-stock/save.js";

const product = (version, lowStockThreshold) => ({ id: "p", version, lowStockThreshold });

/** An api where others change the product before each of our writes arrives. */
function apiOf(...others) {
  let now = product(1, 5);
  return {
    get: async () => now,
    patch: async (_, change, version) => {
      now = others.shift() ?? now;
      if (version !== now.version) throw { code: "precondition-failed" };
      return (now = { ...now, ...change, version: version + 1 });
    },
  };
}

test("changes of other fields do not matter", async () => {
  const api = apiOf(product(2, 5), product(3, 5));
  assert.deepEqual(await saveThreshold(product(1, 5), 8, api), { product: product(4, 8), saved: true });
});

test("another's threshold is not overwritten", async () => {
  const api = apiOf(product(2, 20));
  assert.deepEqual(await saveThreshold(product(1, 5), 8, api), { product: product(2, 20), saved: false });
  assert.deepEqual(await saveThreshold(product(2, 20), 8, api), { product: product(3, 8), saved: true }, "once it was seen it is");
});

test("another who wanted the same is no matter", async () => {
  assert.deepEqual(await saveThreshold(product(1, 5), null, apiOf(product(2, null))), { product: product(2, null), saved: true });
});

test("what else goes wrong is told", async () => {
  const api = { patch: async () => { throw { code: "not-found" }; } };
  await assert.rejects(saveThreshold(product(1, 5), 8, api), { code: "not-found" });
});
