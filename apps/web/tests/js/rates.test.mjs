/** Sales rates: learnt bit by bit, kept while they are old, given up where nobody answers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Rates } from "../../assets/app/pages/low-stock/rates.js";

const sold = (units) => [{ bucket: "2010-12-01T00:00:00.000Z", unitsSold: units, unitsReturned: 0 }];
const stop = new AbortController().signal;

test("a product that is sold keeps its rate until there is a newer one", async () => {
  let units = 7;
  const rates = new Rates(async () => sold(units));
  assert.equal(rates.rate("a"), undefined);
  await rates.learn(["a"], stop);
  assert.equal(rates.rate("a").perDay, 1);
  rates.doubt("a");
  assert.equal(rates.rate("a").perDay, 1);
  assert.deepEqual(rates.wanting(["a"]), ["a"]);
  await rates.learn(["a"], stop);
  assert.deepEqual(rates.wanting(["a"]), ["a"], "what was sold may not have been counted yet");
  units = 14;
  await rates.learn(["a"], stop);
  assert.equal(rates.rate("a").perDay, 2);
  assert.deepEqual(rates.wanting(["a"]), []);
});

test("what is sold while it is asked is asked again", async () => {
  let answer;
  const rates = new Rates(() => new Promise((resolve) => (answer = resolve)));
  const learnt = rates.learn(["a"], stop);
  rates.doubt("a");
  assert.deepEqual(rates.wanting(["a"]), [], "not twice at a time");
  answer(sold(7));
  await learnt;
  assert.deepEqual(rates.wanting(["a"]), ["a"]);
});

test("who cannot be reached for one is not asked for the others, and they are unknown until it can", async () => {
  let asked = 0;
  let away = true;
  const rates = new Rates(async () => {
    asked += 1;
    if (away) throw Object.assign(new Error(), { passing: true });
    return sold(7);
  });
  const ids = Array.from({ length: 100 }, (_, i) => `p${i}`);
  await rates.learn(ids, stop);
  assert.ok(asked <= 4, `${asked} were asked`);
  assert.ok(ids.every((id) => rates.rate(id) === null));
  away = false;
  await rates.learn(ids, stop);
  assert.ok(ids.every((id) => rates.rate(id).perDay === 1));
});

test("one that cannot be told does not keep the others from it", async () => {
  const rates = new Rates(async (id) => {
    if (id === "a") throw new Error("no such thing");
    return sold(7);
  });
  await rates.learn(["a", "b"], stop);
  assert.deepEqual([rates.rate("a"), rates.rate("b").perDay], [null, 1]);
});

test("what was learnt meanwhile is not asked again by who asks for many", async () => {
  const asked = [];
  const rates = new Rates(async (id) => {
    asked.push(id);
    return sold(7);
  });
  const ids = Array.from({ length: 40 }, (_, i) => `p${i}`);
  await Promise.all([rates.learn(ids, stop), rates.learn(ids.slice(-8), stop)]);
  assert.equal(asked.length, 40);
  assert.ok(ids.every((id) => rates.rate(id).perDay === 1));
});
