/** The field of a threshold: what is typed is a change of what was there when the typing began. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { show, type, until } from "./dom.mjs";

const { html } = await import("../../assets/app/html.js");
const { config } = await import("../../assets/app/config.js");
const { Threshold } = await import("../../assets/app/pages/low-stock/threshold.js");

config.apiUrl = "http://souk.test";
const product = (version, lowStockThreshold) => ({ id: "p", version, name: "Lamp", sellerId: "s1", lowStockThreshold });

/** An api that has one product and refuses what was made of another version. */
function apiOf(now) {
  const api = { now, asked: [] };
  const answer = (status, body) => ({ ok: status < 400, status, headers: new Headers(), json: async () => body });
  globalThis.fetch = async (_, { method, body, headers }) => {
    api.asked.push(method);
    if (method === "GET") return answer(200, api.now);
    if (headers["If-Match"] !== `"${api.now.version}"`) return answer(412, { code: "precondition-failed" });
    return answer(200, (api.now = { ...api.now, ...JSON.parse(body), version: api.now.version + 1 }));
  };
  return api;
}

function field(first) {
  const saved = [];
  const drawn = (one) => html`<${Threshold} product=${one} onSaved=${(now) => saved.push(now.lowStockThreshold)} />`;
  const { place, again } = show(drawn(first));
  const [input] = place.all("input");
  return {
    saved, input,
    draw: (one) => again(drawn(one)),
    write: (text) => type(input, text),
  };
}

test("a threshold that another set while one was typed is not overwritten", async () => {
  const api = apiOf(product(1, 5));
  const { input, draw, write, saved } = field(product(1, 5));
  await write("8");
  draw((api.now = product(2, 20)));
  assert.equal(input.value, "8", "what is typed is not taken away");
  input.fire("blur");
  await until(() => saved.length === 1);
  assert.deepEqual([api.now, saved], [product(2, 20), [20]]);
});

test("what else was changed meanwhile is no matter", async () => {
  const api = apiOf(product(1, 5));
  const { input, draw, write, saved } = field(product(1, 5));
  await write("8");
  draw((api.now = product(2, 5)));
  input.fire("blur");
  await until(() => saved.length === 1);
  assert.deepEqual([api.now, saved], [product(3, 8), [8]]);
});

test("the next typing begins with what is there then", async () => {
  const api = apiOf(product(1, 5));
  const { input, draw, write, saved } = field(product(1, 5));
  await write("8");
  await write("5");
  input.fire("blur");
  assert.deepEqual(api.asked, [], "typed back, nothing was changed");
  draw((api.now = product(2, 20)));
  await write("8");
  input.fire("blur");
  await until(() => saved.length === 1);
  assert.deepEqual(api.now, product(3, 8));
});
