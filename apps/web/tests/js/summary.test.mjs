/** Figures that follow the events. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { readAfterwards } from "../../assets/app/pages/products/summary.js";

const later = (millis) => new Promise((resolve) => setTimeout(resolve, millis));
const until = async (holds) => {
  for (let i = 0; i < 400 && !holds(); i += 1) await later(5);
  assert.ok(holds(), String(holds));
};

test("what happens while the answer is on its way is in the next one", async () => {
  let truth = 1;
  let shown = null;
  let running = 0;
  const reader = readAfterwards(async () => {
    running += 1;
    assert.equal(running, 1, "one at a time: an older answer never comes last");
    const answer = truth;
    await later(20);
    shown = answer;
    running -= 1;
  }, 5);
  await later(5);
  truth = 2;
  reader.happened();
  await until(() => shown === 2);
  reader.stop();
});

test("after the last event there is one look more, and then none", async () => {
  let looks = 0;
  const reader = readAfterwards(async () => void (looks += 1), 5);
  await until(() => looks === 1);
  reader.happened();
  reader.happened();
  await until(() => looks === 3);
  await later(40);
  assert.equal(looks, 3);
  reader.happened();
  reader.stop();
  await later(40);
  assert.equal(looks, 3, "nobody looks any more");
});
