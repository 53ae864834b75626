/** The page of what happened: read by whoever comes back to it, and as old as it is. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { hide, show, until } from "./dom.mjs";

/** What the page said to the worker of its stream, and what that keeps. */
const said = [];
let kept = [];
const port = {
  onmessage: (_) => undefined,
  close: () => undefined,
  postMessage(message) {
    said.push(message);
    if (message.kind === "history") setImmediate(() => port.onmessage({ data: { kind: "history", items: structuredClone(kept), reads: {} } }));
  },
};
globalThis.SharedWorker = class {
  port = port;
};
globalThis.addEventListener = () => undefined;
globalThis.fetch = async () => ({ ok: true, json: async () => ({ time: new Date().toISOString() }) });
const { setInterval: every } = globalThis;
globalThis.setInterval = (...args) => every(...args).unref();
const { html } = await import("../../assets/app/html.js");
const { now } = await import("../../assets/app/now.js");
const { connectStream, historySeq } = await import("../../assets/app/stream/client.js");
const { since } = await import("../../assets/app/format.js");
const { default: Notifications } = await import("../../assets/app/pages/notifications.js");
await connectStream();

const low = (seq) => ({ id: `e${seq}`, seq, at: new Date().toISOString(), kind: "low", group: "alert", seller: "ann", productId: `p${seq}`, name: `Lamp ${seq}`, data: { stock: 1, threshold: 10 } });
const read = () => said.filter(({ kind }) => kind === "read").map(({ seq }) => seq);

test("what came while nobody looked is read by whoever comes back", async () => {
  kept = [low(1)];
  const { place, again } = show(html`<${Notifications} />`);
  await until(() => read().includes(1));
  hide(true);
  kept = [low(2), ...kept];
  historySeq.value += 1;
  await until(() => place.textContent.includes("Lamp 2"));
  assert.deepEqual(read(), [1], "nobody has seen it");
  hide(false);
  await until(() => read().includes(2));
  again(null);
  // A page that is left asks no more.
  await until(() => {
    const before = said.length;
    hide(false);
    return !said.slice(before).some(({ kind }) => kind === "history");
  });
});

test("in a quiet shop, too, a notice grows older", async () => {
  kept = [low(3)];
  const { place, again } = show(html`<${Notifications} />`);
  await until(() => place.textContent.includes("Lamp 3"));
  const time = () => place.all("time")[0].textContent;
  assert.equal(time(), since(kept[0].at, Date.now()));
  const later = Date.parse(kept[0].at) + 30 * 60_000;
  now.value = later;
  await until(() => time() === since(kept[0].at, later));
  again(null);
});
