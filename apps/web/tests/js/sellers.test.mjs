/** Whose rates are learnt first: a fast seller is among them however many have less stock. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bestSellers, learnFirst } from "../../assets/app/pages/low-stock/sellers.js";

const stop = new AbortController().signal;
const day = (date, unitsSold) => ({ bucket: `${date}T00:00:00.000Z`, unitsSold });

/** Answers as analytics does: `days` in pages of two, rankings by where they begin. */
const analytics = (days, rankings, asked = []) => async (path, query) => {
  if (path === "/aggregates") {
    const from = Number(query.cursor ?? 0);
    return { items: days.slice(from, from + 2), nextCursor: from + 2 < days.length ? String(from + 2) : null };
  }
  asked.push(query.from);
  const keys = rankings[query.from ?? "ever"];
  if (!keys) throw Object.assign(new Error(), { status: 400 });
  return { items: keys.map((key) => ({ key })), nextCursor: null };
};

test("the last weeks are those of the data, and what sold over all time follows", async () => {
  const days = [day("2010-12-01", 9), day("2011-06-27", 4), day("2011-06-28", 2), day("2026-11-29", 0)];
  const rankings = { "2011-06-01T00:00:00.000Z": ["lantern", "candle"], ever: ["candle", "wick"] };
  assert.deepEqual(await bestSellers(stop, analytics(days, rankings)), ["lantern", "candle", "wick"]);
});

test("a ranking that is refused is none, and so is one that nobody answers", async () => {
  const days = [day("2011-06-28", 2)];
  assert.deepEqual(await bestSellers(stop, analytics(days, { ever: ["wick"] })), ["wick"]);
  assert.deepEqual(await bestSellers(stop, async () => { throw new Error("away"); }), []);
});

test("of what sells only what runs low is learnt, and then what there is least of", () => {
  const ids = Array.from({ length: 600 }, (_, i) => `p${i}`);
  assert.deepEqual(learnFirst(ids, ["p599", "elsewhere", "p1"], 3), ["p599", "p1", "p0", "p2"]);
});
