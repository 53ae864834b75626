/** Figures that follow what happens. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { follow } from "../../assets/app/pages/products/follow.js";

const PAUSE = 1_000;
const turn = () => new Promise((resolve) => setImmediate(resolve));

function bench(t) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const reads = [];
  const followed = follow(() => new Promise((resolve) => reads.push(resolve)), PAUSE);
  const pass = async () => {
    t.mock.timers.tick(PAUSE);
    await turn();
  };
  const answer = async () => {
    reads.at(-1)();
    await turn();
  };
  return { reads, followed, pass, answer };
}

test("what happens while the answer is awaited is looked at too", async (t) => {
  const { reads, followed, pass, answer } = bench(t);
  followed.wake();
  await pass();
  followed.wake();
  await pass();
  assert.equal(reads.length, 1, "never two at a time");
  await answer();
  await pass();
  assert.equal(reads.length, 2);
});

test("a burst is one look, and one more for what counts later", async (t) => {
  const { reads, followed, pass, answer } = bench(t);
  for (let i = 0; i < 50; i += 1) followed.wake();
  for (let i = 0; i < 5; i += 1) {
    await pass();
    await answer();
  }
  assert.equal(reads.length, 2);
});

test("what is over does not look any more", async (t) => {
  const { reads, followed, pass, answer } = bench(t);
  followed.wake();
  await pass();
  followed.stop();
  await answer();
  await pass();
  assert.equal(reads.length, 1);
});
