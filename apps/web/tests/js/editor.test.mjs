/** The drawer: what was asked for in one is no matter of the next. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { button, show, type, until } from "./dom.mjs";

const { html } = await import("../../assets/app/html.js");
const { config } = await import("../../assets/app/config.js");
const { default: Editor } = await import("../../assets/app/pages/products/editor.js");

config.apiUrl = "http://souk.test";
const product = (id, version, name) => ({ id, version, name, sellerId: "s1", sku: null, category: "x", price: 1, stock: 5, lowStockThreshold: null, description: null, lowStock: false });

/** An api whose writes are answered when the test says so. */
function saves() {
  const answers = [];
  globalThis.fetch = async (url, { method }) => {
    const id = url.pathname.split("/").at(-1);
    if (method !== "PATCH") return { ok: true, status: 200, json: async () => product(id, 1, id) };
    return new Promise((resolve) => answers.push((name) => resolve({ ok: true, status: 200, json: async () => product(id, 2, name) })));
  };
  return answers;
}

/** A drawer in which a name was typed and saved; the answer is on its way. */
async function saving(id) {
  const answers = saves();
  const closed = [];
  const saved = [];
  const drawer = (key) => html`<${Editor} key=${key} id=${key} onClose=${() => closed.push(key)} onSaved=${(one) => saved.push(one.name)} onRemove=${() => undefined} />`;
  const page = show(drawer(id));
  const name = () => page.place.all("input").find((one) => (one.getAttribute("name") ?? one.name) === "name");
  await type(await until(name), "Lantern");
  page.place.all("form")[0].fire("submit");
  await until(() => answers.length === 1);
  return { ...page, drawer, name, closed, saved, answer: answers[0] };
}

test("a save closes its drawer", async () => {
  const { closed, saved, answer, again } = await saving("a");
  answer("Lantern");
  await until(() => saved.length === 1);
  assert.deepEqual([closed, saved], [["a"], ["Lantern"]]);
  again(null);
});

test("a save that is answered late leaves the next drawer open, and is told all the same", async () => {
  const { place, again, drawer, name, closed, saved, answer } = await saving("a");
  button(place, "Cancel").fire("click");
  assert.deepEqual(closed.splice(0), ["a"]);
  again(drawer("b"));
  await type(await until(() => name()?.value === "b" && name()), "Candle");
  answer("Lantern");
  await until(() => saved.length === 1);
  assert.deepEqual([closed, saved, name().value], [[], ["Lantern"], "Candle"]);
  again(null);
});
