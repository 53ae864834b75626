/** Rankings of more than can be read. */
import assert from "node:assert/strict";
import { test } from "node:test";

const asked = [];
/** How many keys there are, by kind. */
const keys = { product: 100_000, category: 3 };
globalThis.document = /** @type {any} */ ({ baseURI: "http://souk.test/", addEventListener: () => undefined });
globalThis.location = /** @type {any} */ (new URL("http://souk.test/"));
globalThis.fetch = async (url) => {
  const { pathname, searchParams } = new URL(url, "http://souk.test/");
  const json = (body) => /** @type {any} */ ({ ok: true, status: 200, json: async () => body });
  if (pathname === "/config.json") return json({ apiUrl: "http://api.test", analyticsUrl: "http://figures.test", sseUrl: "http://sse.test", time: new Date().toISOString() });
  asked.push(searchParams.get("window"));
  const from = Number(searchParams.get("cursor") ?? 0);
  const to = Math.min(from + Number(searchParams.get("limit")), keys[searchParams.get("by")]);
  const items = Array.from({ length: to - from }, (_, i) => ({ key: `k${from + i}`, revenue: `${from + i}`, unitsSold: 1, unitsReturned: 0, events: {} }));
  return json({ items, nextCursor: to < keys[searchParams.get("by")] ? String(to) : null });
};
const { loadConfig } = await import("../../assets/app/config.js");
const { rank } = await import("../../assets/app/pages/analytics/rankings.js");
await loadConfig();
const range = { from: Date.UTC(2026, 0, 1), to: Date.UTC(2026, 0, 2), whole: true };
const stop = new AbortController().signal;

test("where there are too many it says so, and does not read them all again", async () => {
  assert.deepEqual(await rank("product", range, "", stop), { rows: [], allTime: true, tooMany: true });
  assert.equal(asked.splice(0).length, 20);
  assert.equal((await rank("product", range, "", stop)).tooMany, true);
  assert.deepEqual(asked.splice(0), []);
  // A shorter range may have few enough of them.
  assert.equal((await rank("product", { ...range, whole: false }, "", stop)).tooMany, true);
  assert.deepEqual(new Set(asked.splice(0)), new Set(["day"]));
});

test("of few there is a ranking", async () => {
  const { rows, tooMany } = await rank("category", range, "", stop);
  assert.deepEqual([rows.map(({ key }) => key), tooMany], [["k2", "k1", "k0"], false]);
});
