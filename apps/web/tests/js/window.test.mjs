/** Which rows are in the document. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { segments, windowOf } from "../../assets/app/pages/products/window.js";

const all = (parts) => parts.reduce((sum, part) => sum + ("gap" in part ? part.gap : 1), 0);

test("of 100,000 rows those on the screen and a few around are there", () => {
  const { start, end } = windowOf({ top: 50_000 * 60, height: 900, row: 60, total: 100_000 });
  assert.ok(start <= 50_000 && end >= 50_015);
  assert.ok(end - start <= 50, `${end - start} rows`);
});

test("never beyond the ends", () => {
  assert.deepEqual(windowOf({ top: -500, height: 900, row: 60, total: 3 }), { start: 0, end: 3 });
  assert.deepEqual(windowOf({ top: 0, height: 900, row: 60, total: 0 }), { start: 0, end: 0 });
  const { start, end } = windowOf({ top: 9e6, height: 900, row: 60, total: 100 });
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
