// Sums of money, stretches of time, and series that grow.
import assert from "node:assert/strict";
import { test } from "node:test";
import { compareDecimals, formatDecimal, parseDecimal, sumDecimals } from "../../assets/app/pages/analytics/decimal.js";
import { linesOf } from "../../assets/app/pages/analytics/lines.js";
import { DAY, extentOf, HOUR, lastDayOf, MINUTE, rangeOf } from "../../assets/app/pages/analytics/range.js";
import { fetchAll, happenedAt, laidOut, merged, sumsByKey } from "../../assets/app/pages/analytics/series.js";

test("money is added exactly", () => {
  assert.equal(sumDecimals(["0.1", "0.2"]), "0.3");
  assert.equal(sumDecimals(["90071992547409.93", "0.01", "-0.0001"]), "90071992547409.9399");
  assert.equal(sumDecimals([]), "0");
  for (const text of ["0", "-12.5", "7", "0.0001", "-0.5"]) assert.equal(formatDecimal(parseDecimal(text)), text);
  assert.equal(formatDecimal(parseDecimal("1.50")), "1.5");
  assert.ok(compareDecimals("10", "9.99") > 0 && compareDecimals("-2", "-1") < 0 && compareDecimals("1.0", "1") === 0);
  assert.throws(() => parseDecimal("1e3"), /no decimal/);
});

const at = (text) => Date.parse(`${text}T00:00:00Z`);
const day = (text, sold, events = sold) => ({ bucket: at(text), sold, events });

test("the range begins where the data is, not now", () => {
  const replayed = [day("2010-12-01", 40), day("2010-12-02", 2), day("2011-01-20", 9)];
  const created = day("2026-11-28", 0, 3_000);
  assert.deepEqual(extentOf([...replayed, created]), { from: at("2010-12-01"), to: at("2011-01-21") });
  // What was sold since counts as another stretch, and the larger one is shown.
  assert.deepEqual(extentOf([...replayed, day("2026-11-28", 5)]), { from: at("2010-12-01"), to: at("2011-01-21") });
  assert.deepEqual(extentOf([day("2010-12-01", 5), day("2026-11-28", 5)]), { from: at("2026-11-28"), to: at("2026-11-29") });
  assert.deepEqual(extentOf([created]), { from: at("2026-11-28"), to: at("2026-11-29") });
  assert.equal(extentOf([]), null);
});

const known = { extent: { from: at("2010-12-01"), to: at("2011-12-10") }, all: { from: at("2010-12-01"), to: at("2026-11-29") }, newest: at("2011-12-09") + 12 * HOUR + 50 * MINUTE + 5 };

test("ranges end where the data ends", () => {
  const shown = rangeOf({}, known);
  assert.deepEqual([shown.preset, shown.from, shown.to, shown.step], ["data", at("2010-12-01"), at("2011-12-10"), "day"]);
  const hour = rangeOf({ range: "hour" }, known);
  assert.deepEqual([hour.to, hour.to - hour.from, hour.step], [at("2011-12-09") + 12 * HOUR + 51 * MINUTE, HOUR, "minute"]);
  const week = rangeOf({ range: "week" }, known);
  assert.deepEqual([week.step, week.steps], ["hour", ["hour", "day"]]);
  assert.deepEqual([rangeOf({ range: "week", step: "day" }, known).step, rangeOf({ range: "week", step: "minute" }, known).step], ["day", "hour"]);
  const own = rangeOf({ range: "custom", from: "2011-01-01", to: "2011-01-02" }, known);
  assert.deepEqual([own.from, own.to], [at("2011-01-01"), at("2011-01-03")]);
  const turned = rangeOf({ range: "custom", from: "2011-02-01", to: "2011-01-01" }, known);
  assert.ok(turned.to > turned.from);
  assert.equal(rangeOf({ range: "nonsense", step: "nonsense", from: "x" }, known).preset, "data");
  assert.equal(rangeOf({}, { extent: null, all: null, newest: 0 }), null);
});

test("what is latest is sought in all days", () => {
  const sample = [day("2010-12-01", 40), day("2011-12-09", 30)];
  assert.equal(lastDayOf([...sample, day("2026-11-28", 0, 3_000)]), at("2011-12-09"), "what was only created is no sale");
  assert.equal(lastDayOf([...sample, day("2026-11-28", 0, 3_000), day("2026-11-30", 1)]), at("2026-11-30"));
  assert.equal(lastDayOf([day("2026-11-28", 0, 3_000)]), at("2026-11-28"));
  assert.equal(lastDayOf([]), undefined);
});

test("every range has buckets that begin where the service's begin", () => {
  for (const range of ["data", "hour", "day", "week", "month", "all"]) {
    const { from, to, step } = rangeOf({ range }, known);
    const length = { minute: MINUTE, hour: HOUR, day: DAY }[step];
    assert.ok(from % length === 0 && to % length === 0 && to > from && (to - from) / length <= 6_000, range);
  }
});

const item = (bucket, revenue, unitsSold = 1, key = "") => ({ bucket, key, revenue, unitsSold, unitsReturned: 0, events: { ProductUpdated: 2, ProductCreated: 1 } });

test("newer figures take the place of older ones, and holes are nothing", () => {
  const first = merged(new Map(), [item("2010-12-01T00:00:00.000Z", "1.10"), item("2010-12-03T00:00:00.000Z", "3")]);
  const second = merged(first, [item("2010-12-03T00:00:00.000Z", "4.5", 7)]);
  assert.equal(first.get(at("2010-12-03")).revenue, "3", "what was drawn is not changed under it");
  const { times, figures } = laidOut(second, { from: at("2010-12-01"), to: at("2010-12-04"), step: "day" });
  assert.deepEqual(times, [at("2010-12-01"), at("2010-12-02"), at("2010-12-03")]);
  assert.deepEqual(figures.map(({ revenue, sold, count }) => [revenue, sold, count]), [["1.10", 1, 3], ["0", 0, 0], ["4.5", 7, 3]]);
});

test("all pages are fetched, and too many are not", async () => {
  const asked = [];
  const ask = async (query) => {
    asked.push(query.cursor);
    return { items: [asked.length], nextCursor: asked.length < 3 ? `page-${asked.length + 1}` : null };
  };
  assert.deepEqual(await fetchAll(ask, {}, 5), [1, 2, 3]);
  assert.deepEqual(asked, [undefined, "page-2", "page-3"]);
  assert.equal(await fetchAll(async () => ({ items: [1], nextCursor: "more" }), {}, 2), null);
});

test("an event counts when it happened", () => {
  const event = { time: "2026-11-28T10:00:00.000Z", data: { occurredAt: "2010-12-01T08:26:00.000Z" } };
  assert.equal(happenedAt(event), Date.parse("2010-12-01T08:26:00.000Z"));
  assert.equal(happenedAt({ ...event, data: {} }), Date.parse(event.time));
});

test("figures of one key are summed over buckets", () => {
  const sums = sumsByKey([item("2010-12-01T00:00:00Z", "1.1", 2, "a"), item("2010-12-02T00:00:00Z", "2.2", 3, "a"), item("2010-12-02T00:00:00Z", "9", 1, "b")]);
  assert.deepEqual(sums.map(({ key, sold, revenues }) => [key, sold, sumDecimals(revenues)]), [["a", 5, "3.3"], ["b", 1, "9"]]);
});

test("split, each key has a line in every chart", () => {
  const of = (revenue, sold, returned, events) => ({ revenue, sold, returned, events, count: Object.values(events).reduce((sum, n) => sum + n, 0) });
  const shown = [
    { key: null, figures: [of("37.5", 5, 1, { ProductUpdated: 6, LowStockWarning: 1 })] },
    { key: "ann", figures: [of("30", 4, 1, { ProductUpdated: 5, LowStockWarning: 1 })] },
    { key: "bob", figures: [of("7.5", 1, 0, { ProductUpdated: 1 })] },
  ];
  const told = (apart) => Object.values(linesOf(shown, apart)).map((lines) => lines.map(({ name, values, exact }) => [name, values[0], exact(values[0], 0)].join(" ")));
  assert.deepEqual(told(true), [["ann 30 30.00", "bob 7.5 7.50"], ["ann 3 3", "bob 1 1"], ["ann 6 6", "bob 1 1"]]);
  assert.deepEqual(told(false), [["Revenue 37.5 37.50"], ["Sold 5 5", "Returned 1 1"], ["Changed 6 6", "Low stock 1 1"]]);
});
