/** Rankings: of everything by analytics, of a seller's own products here. */
import assert from "node:assert/strict";
import { test } from "node:test";

const asked = [];
/** How many products have figures. */
let products = 100_000;
globalThis.document = /** @type {any} */ ({ baseURI: "http://souk.test/", addEventListener: () => undefined });
globalThis.location = /** @type {any} */ (new URL("http://souk.test/"));
globalThis.fetch = async (url) => {
  const { pathname, searchParams } = new URL(url, "http://souk.test/");
  const json = (body, status = 200) => /** @type {any} */ ({ ok: status === 200, status, headers: new Headers({ "content-type": "application/json" }), json: async () => body });
  if (pathname === "/config.json") return json({ apiUrl: "http://api.test", analyticsUrl: "http://figures.test", sseUrl: "http://sse.test", time: new Date().toISOString() });
  asked.push(`${pathname} ${searchParams.get("window") ?? (searchParams.get("from") ? "days" : "ever")}`);
  if (pathname === "/rankings") {
    if (searchParams.get("by") === "product" && searchParams.get("from")) return json({ code: "malformed-request", title: "Too many", detail: "more than 200000", status: 400 }, 400);
    return json({ items: [{ key: "k9", revenue: "9.5", unitsSold: 2, unitsReturned: 1 }], asOf: "2026-01-01T00:00:00Z" });
  }
  if (pathname === "/products") return json({ items: [1, 3].map((n) => ({ id: `k${n}`, name: `Product ${n}`, sellerId: "ann" })), nextCursor: null });
  if (pathname === "/products/k9") return json({ id: "k9", name: "Nine", sellerId: "bob" });
  const from = Number(searchParams.get("cursor") ?? 0);
  const to = Math.min(from + Number(searchParams.get("limit")), products);
  const items = Array.from({ length: to - from }, (_, i) => ({ key: `k${from + i}`, revenue: `${from + i}`, unitsSold: 1, unitsReturned: 0, events: {} }));
  return json({ items, nextCursor: to < products ? String(to) : null });
};
const { loadConfig } = await import("../../assets/app/config.js");
const { rank } = await import("../../assets/app/pages/analytics/rankings.js");
await loadConfig();
const days = { from: Date.UTC(2026, 0, 1), to: Date.UTC(2026, 0, 2), whole: false };
const ever = { ...days, whole: true };
const stop = new AbortController().signal;

test("of however many, analytics tells the best", async () => {
  const { rows, allTime } = await rank("category", days, "", stop);
  assert.deepEqual([rows, allTime], [[{ key: "k9", name: "k9", revenue: "9.5", sold: 2, returned: 1 }], false]);
  assert.deepEqual(asked.splice(0), ["/rankings days"]);
});

test("where it cannot add up so many days it ranks over all time", async () => {
  const { rows, allTime } = await rank("product", days, "", stop);
  assert.deepEqual([rows[0].name, rows[0].of, allTime], ["Nine", "bob", true]);
  assert.deepEqual(asked.splice(0), ["/rankings days", "/rankings ever", "/products/k9 ever"]);
});

test("of a seller's own products there is a ranking", async () => {
  products = 5;
  const { rows, tooMany } = await rank("product", ever, "ann", stop);
  assert.deepEqual([rows.map(({ name }) => name), tooMany], [["Product 3", "Product 1"], false]);
  asked.splice(0);
});

test("where there are too many to look for them it says so, and does not read them all again", async () => {
  products = 100_000;
  assert.deepEqual(await rank("product", ever, "ann", stop), { rows: [], allTime: true, tooMany: true });
  assert.equal(asked.splice(0).length, 20);
  assert.equal((await rank("product", ever, "ann", stop)).tooMany, true);
  assert.deepEqual(asked.splice(0), []);
  // A shorter range may have few enough of them.
  assert.equal((await rank("product", days, "ann", stop)).tooMany, true);
  assert.deepEqual(new Set(asked.splice(0)), new Set(["/aggregates day"]));
});
