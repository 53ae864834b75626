/** What is asked of analytics for a history that has too little. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { readEarlier, readMissed } from "../../assets/app/pages/notifications/older.js";

const SECOND = 1_000;
const at = (seconds) => new Date(Date.UTC(2026, 0, 2) + seconds * SECOND).toISOString();

/** Analytics with an event each second, `oldest` to `newest`; `from` is included, `to` is not. */
function analytics(oldest, newest) {
  const asked = [];
  const ask = async (query) => {
    asked.push(query);
    const all = [];
    for (let i = newest; i >= oldest; i -= 1) if ((!query.from || at(i) >= query.from) && (!query.to || at(i) < query.to)) all.push({ id: `e${i}`, time: at(i) });
    const start = Number(query.cursor ?? 0);
    const next = start + query.limit;
    return { items: all.slice(start, next), nextCursor: next < all.length ? String(next) : null };
  };
  return { ask, asked };
}
const gapAt = (seconds, since) => ({ kind: "gap", id: "gap", at: at(seconds), data: { reason: "expired", since } });

test("a gap is read back to the last event that was seen before it, over as many pages as it takes", async () => {
  const { ask, asked } = analytics(0, 5_000);
  const got = [];
  const { rest, whole } = await readMissed(ask, { whose: "ann", gap: gapAt(4_000, at(1_000)), offset: 0 }, (events) => got.push(...events));
  assert.deepEqual([rest, whole], [null, true]);
  const ids = new Set(got.map(({ id }) => id));
  for (let i = 1_000; i <= 4_000; i += 1) assert.ok(ids.has(`e${i}`), `e${i}`);
  assert.ok(got.length < 3_010, "what was seen is not read again");
  assert.ok(asked.slice(0, -1).every(({ sellerId }) => sellerId === "ann"));
});

test("a gap that is too long for one press goes on with the next", async () => {
  const { ask } = analytics(0, 9_000);
  const ids = new Set();
  const take = (events) => events.forEach(({ id }) => ids.add(id));
  const first = await readMissed(ask, { whose: "", gap: gapAt(9_000, at(100)), offset: 0 }, take);
  assert.ok(first.rest && !first.whole);
  const read = ids.size;
  const second = await readMissed(ask, { whose: "", gap: gapAt(9_000, at(100)), offset: 0, place: first.rest }, take);
  assert.deepEqual(second, { rest: null, whole: true });
  assert.ok(ids.size > read && ids.has("e100"));
});

test("what analytics does not hold any more, or nobody knows of, is not said to be all", async () => {
  const { ask } = analytics(2_000, 5_000);
  assert.equal((await readMissed(ask, { whose: "", gap: gapAt(4_000, at(1_000)), offset: 0 }, () => undefined)).whole, false);
  assert.equal((await readMissed(ask, { whose: "", gap: gapAt(4_000, undefined), offset: 0 }, () => undefined)).whole, false);
});

test("a clock that is wrong does not hide the end of a gap", async () => {
  const { ask } = analytics(0, 5_000);
  const got = [];
  await readMissed(ask, { whose: "", gap: gapAt(1_000, at(900)), offset: 3_600 * SECOND }, (events) => got.push(...events));
  assert.equal(got[0].id, "e4601");
});

test("earlier ones are looked for until there is something new, from where the last look ended", async () => {
  const { ask, asked } = analytics(0, 2_000);
  const got = [];
  // Of the oldest's own moment there may be more.
  const take = (events) => got.push(...events) >= 500;
  const rest = await readEarlier(ask, { whose: "", oldest: at(1_500) }, take);
  assert.equal(got[0].id, "e1500");
  assert.equal(asked.length, 2);
  await readEarlier(ask, { whose: "", oldest: at(1_500), place: rest }, () => true);
  assert.equal(asked.length, 3);
  assert.equal(asked[2].cursor, "500");
  assert.equal(await readEarlier(ask, { whose: "", oldest: at(10) }, () => false), null);
});
