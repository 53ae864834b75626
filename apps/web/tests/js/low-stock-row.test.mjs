/** How long a product lasts, as its row tells it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { show, until } from "./dom.mjs";

// West of Greenwich a day of UTC begins on the evening before.
process.env.TZ = "America/Los_Angeles";
const { html, signal } = await import("../../assets/app/html.js");
const { rates } = await import("../../assets/app/pages/low-stock/rates.js");
const { LowRow } = await import("../../assets/app/pages/low-stock/row.js");
const { dateOf, utcDate } = await import("../../assets/app/format.js");

test("the last day of sales is the services' own, wherever the reader is", async () => {
  const bucket = "2010-12-10T00:00:00.000Z";
  const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" }).format(new Date(2010, 11, 10));
  assert.equal(utcDate(bucket), day);
  assert.notEqual(dateOf(bucket), day, "the zone is one where it matters");
  rates.rate = () => ({ perDay: 2, days: 28, until: bucket });
  const product = { id: "p1", name: "Lamp", sellerId: "ann", stock: 4, lowStock: true, lowStockThreshold: 10 };
  const { place } = show(html`<${LowRow} row=${signal({ product, pending: 0, changed: 0, gone: false })} act=${{}} onSaved=${() => undefined} />`);
  await until(() => place.textContent.includes("2 a day"));
  assert.ok(place.textContent.includes(`2 a day, to ${day}`), place.textContent);
  const [title] = place.all("span").map((span) => span.title ?? span.getAttribute("title")).filter((text) => text?.includes("days up to"));
  assert.equal(title, `28 days up to ${day}, returns taken off`);
});
