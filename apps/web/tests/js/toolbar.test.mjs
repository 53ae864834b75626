/** The filter of categories: it learns them from analytics, for as long as that takes, and from what happens. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { show, until } from "./dom.mjs";

const { html } = await import("../../assets/app/html.js");
const { config } = await import("../../assets/app/config.js");
const { pageIsReady } = await import("../../assets/app/ready.js");
const { connectStream, resync } = await import("../../assets/app/stream/client.js");
const { categories, sawCategories } = await import("../../assets/app/pages/products/categories.js");
const { Toolbar } = await import("../../assets/app/pages/products/toolbar.js");

config.analyticsUrl = "http://souk.test";
/** The stream's worker, which says what the test has it say. */
const port = { postMessage: () => undefined, onmessage: null };
globalThis.SharedWorker = class {
  port = port;
};
globalThis.addEventListener = () => undefined;
const { setInterval: every } = globalThis;
globalThis.setInterval = (...args) => every(...args).unref();
await connectStream();
const told = (type, category) => ({ type, data: { version: 1, product: { id: "p", category } } });

test("categories that the stream tells of are offered; those of checks are not", () => {
  categories.value = [];
  sawCategories([told("ProductCreated", "light"), told("ProductCreated", "souk-verify"), told("LowStockWarning", "dark")]);
  assert.deepEqual(categories.value, ["light"]);
  const before = categories.value;
  sawCategories([told("ProductUpdated", "light")]);
  assert.equal(categories.value, before, "nobody is told of nothing");
  sawCategories([told("ProductUpdated", "cloth"), told("ProductDeleted", "gone")]);
  assert.deepEqual(categories.value, ["cloth", "light"]);
});

test("there is an end to what can be chosen from", () => {
  categories.value = [];
  sawCategories(Array.from({ length: 1_000 }, (_, i) => told("ProductCreated", `c${i}`)));
  assert.equal(categories.value.length, 200);
});

test("analytics is asked until it answers, and again when something may have been missed", async (t) => {
  categories.value = [];
  let asked = 0;
  let answer = null;
  globalThis.fetch = async () => {
    asked += 1;
    if (!answer) throw new Error("away");
    return { ok: true, status: 200, json: async () => ({ items: answer.map((key) => ({ key })), nextCursor: null }) };
  };
  // The waits between are short.
  const { setTimeout: wait } = globalThis;
  t.mock.method(globalThis, "setTimeout", (run, _, ...args) => wait(run, 0, ...args));
  t.mock.method(performance, "mark", () => undefined);
  const { place, again } = show(html`<${Toolbar} />`);
  const offered = () => place.all("select")[0].all("option").map((one) => one.textContent);
  pageIsReady();
  await until(() => asked > 3);
  assert.deepEqual(offered(), ["All categories"]);
  answer = ["light", "souk-verify"];
  await until(() => offered().includes("light"));
  port.onmessage({ data: { kind: "events", events: [told("ProductCreated", "new")] } });
  await until(() => offered().includes("new"));
  answer = ["cloth", "light"];
  resync.value += 1;
  await until(() => offered().includes("cloth"));
  assert.deepEqual(offered(), ["All categories", "cloth", "light", "new"]);
  again(null);
});
