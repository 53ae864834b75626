/** Which rows are in the document. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BEYOND, heightOf, segments, windowOf } from "../../assets/app/pages/products/window.js";

const all = (parts) => parts.reduce((sum, part) => sum + ("gap" in part ? part.gap : 1), 0);

test("of 100,000 rows those on the screen and a few around are there, and more while it scrolls", () => {
  for (const [beyond, most] of [[BEYOND.resting, 23], [BEYOND.scrolling, 39]]) {
    const { start, end } = windowOf({ top: 50_000 * 60, height: 900, row: 60, total: 100_000, beyond });
    assert.ok(start <= 50_000 - beyond && end >= 50_015 + beyond);
    assert.ok(end - start <= most, `${end - start} rows`);
  }
});

test("never beyond the ends", () => {
  assert.deepEqual(windowOf({ top: -500, height: 900, row: 60, total: 3, beyond: 10 }), { start: 0, end: 3 });
  assert.deepEqual(windowOf({ top: 0, height: 900, row: 60, total: 0, beyond: 10 }), { start: 0, end: 0 });
  const { start, end } = windowOf({ top: 9e6, height: 900, row: 60, total: 100, beyond: 10 });
  assert.ok(start < end && end === 100);
});

test("what is in the document and the gaps stand for all rows, wherever the focus is", () => {
  for (const pinned of [-1, 0, 3, 10, 19, 20, 55, 99]) {
    const parts = segments({ start: 10, end: 20, total: 100, pinned });
    assert.equal(all(parts), 100, `pinned ${pinned}`);
    const rows = parts.filter((part) => "row" in part).map((part) => part.row);
    assert.deepEqual(rows, [...rows].sort((a, b) => a - b));
    if (pinned >= 0) assert.ok(rows.includes(pinned), "the row with the focus is there");
  }
});

test("a page grows in steps while its end is far away, and never ends too soon", () => {
  assert.equal(heightOf({ gap: 1001, at: "after" }), heightOf({ gap: 1002, at: "after" }));
  for (let gap = 0; gap < 300; gap += 1) {
    const more = heightOf({ gap, at: "after" }) - gap;
    assert.ok(more >= 0 && (gap > 64 || more === 0), `${gap}: ${more}`);
    assert.equal(heightOf({ gap, at: "before" }), gap);
  }
});
