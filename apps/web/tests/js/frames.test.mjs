/** Batches, latencies, waits: what keeps a page responsive. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { backoff, retrying } from "../../assets/app/retry.js";
import { frameBatches } from "../../assets/app/stream/frames.js";
import { LagWindow, percentile } from "../../assets/app/stream/lag.js";

function frames(most) {
  const runs = [];
  const batches = [];
  const box = frameBatches((batch, lost) => batches.push([batch.length, lost]), { schedule: (run) => runs.push(run), most });
  return { box, batches, frame: () => runs.splice(0).forEach((run) => run()), runs };
}

test("everything of a frame is one batch", () => {
  const { box, batches, frame, runs } = frames();
  for (let i = 0; i < 33; i += 1) box.add([i]);
  assert.equal(runs.length, 1);
  frame();
  frame();
  assert.deepEqual(batches, [[33, false]]);
});

test("what comes while a batch is delivered is in the next", () => {
  const runs = [];
  const seen = [];
  const box = frameBatches((batch) => {
    seen.push(batch);
    if (seen.length === 1) box.add(["b"]);
  }, { schedule: (run) => runs.push(run) });
  box.add(["a"]);
  runs.shift()();
  runs.shift()();
  assert.deepEqual(seen, [["a"], ["b"]]);
});

test("a page without frames holds no more than the bound, and is told", () => {
  const { box, batches, frame } = frames(100);
  for (let i = 0; i < 1000; i += 1) box.add([i]);
  frame();
  assert.equal(batches.length, 1);
  assert.ok(batches[0][0] <= 100);
  assert.equal(batches[0][1], true);
});

test("nothing is no batch", () => {
  const { box, runs } = frames();
  box.add([]);
  assert.equal(runs.length, 0);
});

test("percentiles are nearest ranks", () => {
  const sorted = Array.from({ length: 100 }, (_, i) => i + 1);
  assert.deepEqual([percentile(sorted, 0.5), percentile(sorted, 0.99), percentile(sorted, 1), percentile([], 0.5)], [50, 99, 100, null]);
});

test("latencies age out, are bounded, and are never negative", () => {
  const lag = new LagWindow({ keepMillis: 100, most: 10 });
  lag.add(-5, 0);
  assert.equal(lag.figures(50).p50, 0);
  assert.deepEqual(lag.figures(500), { p50: null, p99: null, count: 0 });
  for (let i = 0; i < 1000; i += 1) lag.add(i, 600);
  assert.equal(lag.figures(600).count, 10);
  assert.ok(lag.samples.length <= 20);
});

test("waits double up to the longest, with jitter", () => {
  const waits = [0, 1, 2, 50].map((n) => backoff(n, { first: 100, longest: 1000, random: () => 1 }));
  assert.deepEqual(waits, [100, 200, 400, 1000]);
  assert.equal(backoff(0, { first: 100, random: () => 0 }), 50);
});

test("retries what may pass, and nothing else", async () => {
  let calls = 0;
  const call = () => {
    calls += 1;
    throw { passing: calls < 3, retryAfterMillis: 0 };
  };
  await assert.rejects(retrying(call, { attempts: 9, again: (error) => error.passing }));
  assert.equal(calls, 3);
});
