/** The sample, looked at until it ends, whatever page is open by then. */
import assert from "node:assert/strict";
import { test } from "node:test";

const answers = [];
globalThis.location = { href: "http://localhost:5173/", hash: "" };
globalThis.document = { baseURI: location.href };
globalThis.fetch = async (url, { method }) => new Response(JSON.stringify({ linesDone: 0, linesTotal: 9, ...answers.shift()?.(method, url) }));
const { fillWithSample, sample, watchSample } = await import("../../assets/app/pages/products/sample.js");
const { resync } = await import("../../assets/app/stream/client.js");

/** Lets the time pass until something is so. */
async function until(condition) {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}
const running = (linesDone) => () => ({ state: "running", linesDone });

for (const [state, detail] of [["done", "290 products"], ["failed", "the api went away"]]) {
  test(`it is followed from the press on until it has ${state}, and then every list is read anew`, async () => {
    const before = resync.value;
    answers.push((method) => (assert.equal(method, "POST"), running(0)()), running(1), running(5), () => ({ state, detail, linesDone: 9 }));
    await fillWithSample();
    assert.equal(sample.value.state, "running");
    await until(() => sample.value.linesDone === 5);
    assert.equal(resync.value, before);
    await until(() => sample.value.state === state);
    assert.deepEqual([sample.value.detail, resync.value], [detail, before + 1]);
  });
}

test("one that was over before anybody looked is no news", async () => {
  const before = resync.value;
  sample.value = { state: "idle", linesDone: 0, linesTotal: 0 };
  answers.push(() => ({ state: "done", detail: "290 products" }));
  await watchSample();
  assert.deepEqual([sample.value.state, resync.value], ["done", before]);
});
