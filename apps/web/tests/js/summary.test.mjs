/** The four figures of the products page: what they say while nobody knows them, and that they are asked for again. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { show, until } from "./dom.mjs";

/** Requests that wait for their answer. */
const asked = [];
globalThis.fetch = () => new Promise((resolve) => asked.push(resolve));
const answer = (status, body) => asked.pop()({ ok: status === 200, status, headers: new Headers(), json: async () => body });
const { html } = await import("../../assets/app/html.js");
const { config } = await import("../../assets/app/config.js");
const { Summary } = await import("../../assets/app/pages/products/summary.js");
config.analyticsUrl = "http://analytics.test";

/** What is seen, and what is read aloud, of each figure. */
const hidden = (node) => node.getAttribute?.("aria-hidden") === "true";
const aloud = (node) => (hidden(node) ? "" : node.childNodes.length > 0 ? node.childNodes.map(aloud).join("") : node.textContent);

test("what is not known is said so, shown as missing after a failure, and asked for again", async () => {
  const { place, again } = show(html`<${Summary} />`);
  const figures = () => place.all("dd");
  const titles = () => figures().map((dd) => dd.title ?? dd.getAttribute("title"));
  assert.deepEqual(figures().map(aloud), Array(4).fill("not known yet"));
  await until(() => asked.length > 0);

  answer(500, { title: "Analytics is full" });
  await until(() => place.all("dd")[0].textContent.startsWith("–"));
  assert.deepEqual(figures().map(aloud), Array(4).fill("–Analytics is full"));
  assert.deepEqual(titles(), Array(4).fill("Analytics is full"));

  await until(() => asked.length > 0);
  answer(200, { products: 12, units: 34, stockValue: "56.5", lowStockProducts: 7 });
  await until(() => place.textContent.includes("56.50"));
  assert.deepEqual(figures().map(aloud), ["12", "34", "56.50", "7"]);
  assert.equal(titles()[0] || "", "");
  again(null);
});
