/** Back: what a browser's history does, with as much of a browser as that takes. */
import assert from "node:assert/strict";
import { test } from "node:test";

const listeners = {};
globalThis.addEventListener = (name, listener) => (listeners[name] = listener);
const entries = [{ hash: "#/products", state: null }];
let at = 0;
globalThis.location = { get hash() { return entries[at].hash; } };
globalThis.history = {
  get state() { return entries[at].state; },
  pushState(state, _, hash) { entries.splice(at += 1, Infinity, { hash, state }); },
  replaceState(state, _, hash = entries[at].hash) { entries[at] = { hash, state }; },
  back() { steps += 1; },
};
let steps = 0;
/** The browser goes where it was told, in its own time. */
function go(by) {
  at += by;
  listeners.popstate();
  listeners.hashchange();
}
function follow(hash) {
  entries.splice(at + 1, Infinity, { hash, state: null });
  go(1);
}

const kept = new Map();
globalThis.localStorage = { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value), removeItem: (key) => kept.delete(key) };
const { route, setParams, takeBack } = await import("../../assets/app/route.js");
const { restoreSeller, seller, setSeller } = await import("../../assets/app/seller.js");
const hashes = () => entries.slice(0, at + 1).map(({ hash }) => hash);

test("a drawer that was opened here closes by going back, once", () => {
  setParams({ edit: "p1" });
  takeBack({ edit: "" });
  assert.deepEqual([steps, route.value.params], [1, { edit: "p1" }]);
  takeBack({ edit: "" });
  assert.deepEqual([steps, route.value.params], [1, {}], "the second press has it at once");
  go(-1);
  assert.deepEqual([hashes(), route.value.params], [["#/products"], {}]);
});

test("one that a link opened, too", () => {
  follow("#/products?edit=p2");
  takeBack({ edit: "" });
  assert.equal(steps, 2);
  go(-1);
  assert.deepEqual(hashes(), ["#/products"]);
});

test("one that the address opened, or after a change of something else, closes in place", () => {
  entries.splice(0, Infinity, { hash: "#/products?edit=p3", state: { behind: null } });
  at = 0;
  go(0);
  takeBack({ edit: "" });
  assert.deepEqual([hashes(), steps], [["#/products"], 2]);
  setParams({ edit: "p4" });
  setParams({ q: "lamp" }, { replace: true });
  takeBack({ edit: "" });
  assert.deepEqual([hashes(), steps], [["#/products", "#/products?q=lamp"], 2]);
});

test("the choice of a seller is a step to go back, and what is shown is what is remembered", () => {
  kept.set("souk.seller", "bob");
  restoreSeller();
  assert.deepEqual([seller.value, hashes().at(-1)], ["bob", "#/products?q=lamp&seller=bob"]);
  setSeller("ann");
  assert.deepEqual([seller.value, kept.get("souk.seller")], ["ann", "ann"]);
  go(-1);
  assert.deepEqual([seller.value, kept.get("souk.seller")], ["bob", "bob"]);
  setSeller("");
  assert.deepEqual([seller.value, kept.has("souk.seller"), hashes().at(-1)], ["", false, "#/products?q=lamp"]);
});
