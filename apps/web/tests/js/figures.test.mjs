/** Figures of a range: what is asked for, whose they are, and that they keep growing. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { hide, until } from "./dom.mjs";

/** Answers that wait until they are let go. */
let held = null;
const asked = [];
let refuse = () => false;
/** What happened, by the minute: [time, key of a seller, pieces]. */
let sales = [];
const iso = (time) => new Date(time).toISOString();
const LENGTHS = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };

globalThis.fetch = async (url, { signal }) => {
  const query = Object.fromEntries(url.searchParams);
  asked.push(query);
  const answer = () => {
    if (refuse(query)) return { ok: false, status: 500, headers: new Headers(), json: async () => ({ title: "Analytics is full" }) };
    const buckets = new Map();
    for (const [time, key, pieces] of sales) {
      const bucket = Math.floor(time / LENGTHS[query.window]) * LENGTHS[query.window];
      const inRange = !(bucket < Date.parse(query.from)) && !(bucket >= Date.parse(query.to));
      if (inRange && (query.by === "total" || query.key === key)) buckets.set(bucket, (buckets.get(bucket) ?? 0) + pieces);
    }
    const items = [...buckets].sort(([a], [b]) => a - b).map(([bucket, unitsSold]) => ({ bucket: iso(bucket), revenue: String(unitsSold), unitsSold, unitsReturned: 0, events: { ProductUpdated: unitsSold } }));
    return { ok: true, status: 200, json: async () => ({ items, nextCursor: null }) };
  };
  // Counted when it was asked, told when it is let go.
  const told = answer();
  if (held?.of(query)) await new Promise((resolve) => held.release.push(resolve));
  signal.throwIfAborted();
  return told;
};
const hold = (of) => (held = { of, release: [] });
const letGo = () => {
  const { release } = held;
  held = null;
  for (const resolve of release) resolve();
};

const { config } = await import("../../assets/app/config.js");
const { FiguresModel } = await import("../../assets/app/pages/analytics/figures.js");
const { covers, rangeOf } = await import("../../assets/app/pages/analytics/range.js");
config.analyticsUrl = "http://analytics.test";

const T = Date.parse("2010-12-01T10:00:00Z");
const HOUR = LENGTHS.hour;

async function bench(params = {}) {
  [held, refuse, asked.length] = [null, () => false, 0];
  sales = [[T, "ann", 3], [T + 30 * HOUR, "bob", 5]];
  const model = new FiguresModel();
  await model.learn("");
  const range = (more = {}) => rangeOf({ ...params, ...more }, model.known.value);
  const sold = () => model.shown.value.lines.map(({ key, series }) => [key, [...series.values()].reduce((sum, { sold }) => sum + sold, 0)]);
  /** Something is sold, and the stream tells it. */
  const sell = (time, key, pieces) => {
    sales.push([time, key, pieces]);
    model.dirty = Math.min(model.dirty, time);
  };
  return { model, range, sold, sell };
}

test("lines are drawn only in the steps they were asked for, and a failure is told beside them", async () => {
  const { model, range } = await bench();
  await model.show(range({ step: "hour" }), "", []);
  assert.ok(covers(model.shown.value.range, range({ step: "hour" })));
  const days = range({ step: "day" });
  assert.ok(!covers(model.shown.value.range, days), "midnights are not days");
  refuse = ({ window }) => window === "day";
  await model.show(days, "", []);
  assert.equal(model.problem.value.title, "Analytics is full");
  assert.equal(model.shown.value.range.step, "hour");
  // The same is asked for again after a failure, and what was wrong is forgotten when it comes.
  refuse = () => false;
  await model.show({ ...days }, "", []);
  assert.ok(covers(model.shown.value.range, days));
  assert.equal(model.problem.value, null);
});

test("an answer counts also when the data has gone on since it was asked for", async () => {
  const { model, range } = await bench();
  await model.show(range({ step: "hour" }), "", []);
  hold(({ window }) => window === "day");
  const first = model.show(range({ step: "day" }), "", []);
  // What is known is a new object after each look, for which the page shows the same once more.
  await model.show(range({ step: "day" }), "", []);
  letGo();
  await first;
  assert.equal(model.shown.value.range.step, "day");
});

test("sellers' lines come and grow while it is busy", async () => {
  const { model, range, sold, sell } = await bench();
  await model.show(range(), "", []);
  hold(({ by }) => by === "seller");
  const first = model.show(range(), "seller", ["bob", "ann"]);
  sell(T + 31 * HOUR, "ann", 1);
  for (let look = 0; look < 3; look += 1) {
    await model.refresh();
    await model.show(range(), "seller", ["bob", "ann"]);
  }
  letGo();
  await first;
  assert.deepEqual([model.shown.value.by, model.shown.value.lines.length], ["seller", 3]);
  // They were read before the sale: the next look brings it.
  await model.refresh();
  assert.deepEqual(sold(), [[null, 9], ["bob", 5], ["ann", 4]]);
});

test("no line gets what another seller sold", async () => {
  const { model, range, sold, sell } = await bench();
  await model.show(range(), "seller", ["bob", "ann"]);
  sell(T + 31 * HOUR, "ann", 10);
  hold(({ by, from }) => by === "seller" && Date.parse(from) > T);
  const looked = model.refresh();
  await until(() => held.release.length === 2);
  // Their order changes while the look is on its way.
  const { release } = held;
  held = null;
  await model.show(range(), "seller", ["ann", "bob"]);
  for (const resolve of release) resolve();
  await looked;
  assert.deepEqual(sold(), [[null, 18], ["ann", 13], ["bob", 5]]);
  sell(T + 31 * HOUR, "bob", 1);
  await model.refresh();
  assert.deepEqual(sold(), [[null, 19], ["ann", 13], ["bob", 6]]);
});

test("a longer range from the same begin is asked for, and one that slides on is drawn meanwhile", async () => {
  const { model, range, sold } = await bench({ step: "hour" });
  const own = (to) => range({ range: "custom", from: "2010-12-01", to });
  await model.show(own("2010-12-01"), "", []);
  assert.deepEqual(sold(), [[null, 3]]);
  await model.show(own("2010-12-02"), "", []);
  assert.deepEqual(sold(), [[null, 8]]);
  const hour = { preset: "hour", from: T, to: T + HOUR, step: /** @type {const} */ ("minute") };
  const slid = { ...hour, from: hour.from + 60_000, to: hour.to + 60_000 };
  assert.ok(covers(hour, slid));
  assert.ok(!covers(slid, hour), "its begin was never asked for");
  assert.ok(!covers(hour, { ...hour, from: hour.to, to: hour.to + HOUR }));
});

test("another seller is never shown what the one before sold", async () => {
  const { model, range } = await bench();
  await model.show(range(), "", []);
  hold(({ key }) => key === "ann");
  const learnt = model.learn("ann");
  assert.deepEqual([model.known.value, model.shown.value], [undefined, null]);
  letGo();
  await learnt;
  assert.equal(model.known.value.newest, T);
  assert.equal(model.known.value.all.to, Date.parse("2010-12-02T00:00:00Z"));
});

test("the last hour ends with the latest sale, also where an older stretch sold more", async () => {
  const { model, range, sell } = await bench();
  const now = Date.parse("2026-11-30T15:04:00Z");
  assert.equal(model.known.value.newest, T + 30 * HOUR);
  await model.show(range(), "", []);
  sell(now, "ann", 1);
  await model.refresh();
  assert.equal(model.known.value.newest, now);
  assert.equal(range({ range: "hour" }).to, now + 60_000);
  assert.equal(range().to, Date.parse("2010-12-03T00:00:00Z"), "most was sold there");
});

test("a range that ends with the latest sale looks for it when it is chosen", async () => {
  const { model, range, sell } = await bench();
  await model.show(range(), "", []);
  sell(T + 31 * HOUR, "ann", 1);
  await model.refresh();
  await model.refresh();
  assert.equal(model.known.value.newest, T + 30 * HOUR, "where its minute does not matter nobody asks for it");
  await model.show(range({ range: "hour" }), "", []);
  await until(() => model.known.value.newest === T + 31 * HOUR);
  // A page that nobody looks at asks no more.
  hide(true);
  clearTimeout(model.timer);
});
