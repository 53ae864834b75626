/** Stock by steps. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Adjuster, parseStock } from "../../assets/app/pages/products/adjuster.js";

function bench() {
  const sent = [];
  const log = { pending: 0, settled: 0, refused: null };
  const adjuster = new Adjuster({
    send: (id, body) => new Promise((resolve, reject) => sent.push({ body, resolve: () => resolve({ product: { id } }), reject })),
    expect: (_, pending) => (log.pending = pending),
    settled: () => (log.settled += 1),
    refused: (_, problem, lost) => (log.refused = { problem, lost }),
  });
  return { adjuster, sent, log };
}
const turn = () => new Promise((resolve) => setImmediate(resolve));

test("the first press goes out at once, the others follow as one", async () => {
  const { adjuster, sent, log } = bench();
  for (let i = 0; i < 5; i += 1) adjuster.add("a", 1);
  assert.equal(log.pending, 5);
  assert.deepEqual(sent.map(({ body }) => body.delta), [1]);
  sent[0].resolve();
  await turn();
  assert.deepEqual(sent.map(({ body }) => body.delta), [1, 4]);
  assert.equal(log.pending, 4);
  sent[1].resolve();
  await turn();
  assert.deepEqual([log.pending, log.settled], [0, 2]);
});

test("presses that cancel each other send nothing", async () => {
  const { adjuster, sent, log } = bench();
  adjuster.add("a", 1);
  adjuster.add("a", 1);
  adjuster.add("a", -1);
  sent[0].resolve();
  await turn();
  assert.equal(sent.length, 1);
  assert.equal(log.pending, 0);
});

test("a refusal takes back everything that was shown", async () => {
  const { adjuster, sent, log } = bench();
  adjuster.add("a", -1);
  adjuster.add("a", -1);
  sent[0].reject({ code: "insufficient-stock" });
  await turn();
  assert.deepEqual([log.pending, log.refused.lost, sent.length], [0, -2, 1]);
  adjuster.add("a", 1);
  assert.equal(sent.length, 2, "and the next press works");
});

test("products do not wait for each other", () => {
  const { adjuster, sent } = bench();
  adjuster.add("a", 1);
  adjuster.add("b", 1);
  assert.equal(sent.length, 2);
});

test("reads what was typed", () => {
  const read = (text, from = 10) => parseStock(text, from);
  assert.deepEqual(read("40"), { delta: 30, relative: false });
  assert.deepEqual(read("+5"), { delta: 5, relative: true });
  assert.deepEqual(read("−3"), { delta: -3, relative: true });
  assert.deepEqual(read("1,200"), { delta: 1190, relative: false });
  assert.deepEqual(read("1 200"), { delta: 1190, relative: false });
  for (const wrong of ["", "1.5", "1,5", "ten", "4 0", "--1", "99999999999"]) assert.equal(read(wrong), null, wrong);
});
