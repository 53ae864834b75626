/** How long the stock lasts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { byUrgency, daysOfCover, rateOf, restockBy } from "../../assets/app/pages/low-stock/cover.js";

const day = (date, unitsSold, unitsReturned = 0) => ({ bucket: `${date}T00:00:00.000Z`, unitsSold, unitsReturned });

test("the rate is of the days in which it was sold, however long ago", () => {
  const rate = rateOf([day("2010-12-01", 60), day("2010-12-10", 40)]);
  assert.deepEqual(rate, { perDay: 10, days: 10, until: "2010-12-10T00:00:00.000Z" });
});

test("only the last four weeks count", () => {
  assert.equal(rateOf([day("2010-01-01", 10_000), day("2010-12-01", 28)]).perDay, 1);
});

test("returns are taken off, and never make a negative rate", () => {
  assert.equal(rateOf([day("2010-12-01", 70, 35)]).perDay, 5);
  assert.equal(rateOf([day("2010-12-01", 7, 70)]).perDay, 0);
});

test("one day of sales is spread over a week", () => {
  assert.equal(rateOf([day("2010-12-01", 14)]).perDay, 2);
});

test("without sales there is no end", () => {
  assert.equal(daysOfCover(5, rateOf([])), null);
  assert.equal(daysOfCover(5, undefined), null);
  assert.equal(daysOfCover(6, { perDay: 2, days: 7, until: "" }), 3);
});

test("restocks for two weeks, and above the threshold", () => {
  assert.equal(restockBy(4, 10, { perDay: 3, days: 28, until: "" }), 38);
  assert.equal(restockBy(4, 10, undefined), 16);
  assert.equal(restockBy(0, 0, undefined), 1, "never nothing");
});

test("the most urgent comes first", () => {
  const rate = (perDay) => ({ perDay, days: 28, until: "" });
  const of = (name, stock, perDay) => ({ name, stock, rate: perDay ? rate(perDay) : undefined });
  const sorted = [of("idle", 0), of("slow", 8, 1), of("out, quick", 0, 9), of("fast", 8, 4), of("out, slow", 0, 1)].sort(byUrgency);
  assert.deepEqual(sorted.map(({ name }) => name), ["out, quick", "out, slow", "fast", "slow", "idle"]);
});
