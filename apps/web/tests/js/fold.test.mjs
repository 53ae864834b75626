/** Bursts become one line, in toasts and in the history. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { foldNews, headline, isNews, mergeNews } from "../../assets/app/shell/fold.js";
import { byDay, firstLines, foldRuns } from "../../assets/app/pages/notifications/runs.js";

const low = (name, extra = {}) => ({ kind: "low", name, data: { stock: 2, threshold: 10 }, ...extra });

test("one of a kind is told with its figures", () => {
  const news = foldNews([low("Lamp")]);
  assert.equal(headline("low", news.get("low")).title, "Low stock: Lamp");
  assert.match(headline("low", news.get("low")).detail, /^2 left, the threshold is 10$/);
});

test("many of a kind are one toast with a count and the latest names", () => {
  const news = foldNews(Array.from({ length: 50 }, (_, i) => low(`P${i}`)));
  const { title, detail } = headline("low", news.get("low"));
  assert.equal(news.size, 1);
  assert.match(title, /^50 products running low$/);
  assert.match(detail, /P49, P48, P47,? and 47 others/);
});

test("a burst that goes on adds to the toast that is shown", () => {
  const [first, second] = [["A", "B"], ["C"]].map((names) => foldNews(names.map((name) => low(name))).get("low"));
  assert.equal(mergeNews(first, second).count, 3);
});

test("what came late is told as one, by kind", () => {
  const news = foldNews([low("A", { late: true }), low("B", { late: true }), { kind: "created", name: "C", data: {}, late: true }]);
  assert.deepEqual([...news.keys()], ["away"]);
  assert.equal(headline("away", news.get("away")).detail, "2 products running low and 1 product added");
});

test("sales are no news", () => {
  assert.equal(isNews({ type: "ProductUpdated", sellerid: "s1" }), false);
  assert.equal(isNews({ type: "LowStockWarning", sellerid: "s1" }), true);
  assert.equal(isNews({ type: "LowStockWarning", sellerid: "souk-verify-01" }), false);
});

const at = (seconds) => new Date(Date.UTC(2026, 0, 2, 12, 0, seconds)).toISOString();
const notice = (kind, seconds) => ({ id: `${kind}${seconds}`, kind, at: at(seconds) });

test("a run of one kind folds, and keeps its key while it grows", () => {
  const run = [5, 4, 3, 2].map((s) => notice("stock", s));
  const [folded] = foldRuns(run);
  assert.equal(folded.run.length, 4);
  assert.equal(foldRuns([notice("stock", 6), ...run])[0].key, folded.key);
});

test("few, far apart, different, or gaps stay apart", () => {
  assert.equal(foldRuns([3, 2, 1].map((s) => notice("low", s))).length, 3);
  assert.equal(foldRuns([900, 600, 300, 1].map((s) => notice("low", s))).length, 4);
  assert.equal(foldRuns([4, 3, 2, 1].map((s) => notice("gap", s))).length, 4);
});

test("days stand apart", () => {
  const days = byDay([notice("low", 0), { ...notice("low", 1), at: "2026-01-01T10:00:00.000Z" }], (time) => time.slice(0, 10));
  assert.deepEqual(days.map(({ day, lines }) => [day, lines.length]), [["2026-01-02", 1], ["2026-01-01", 1]]);
});

test("a page of lines goes over days, and says whether there is more", () => {
  const days = [{ day: "b", lines: [1, 2, 3] }, { day: "a", lines: [4, 5] }];
  assert.deepEqual(firstLines(days, 4), { days: [{ day: "b", lines: [1, 2, 3] }, { day: "a", lines: [4] }], more: true });
  assert.equal(firstLines(days, 5).more, false);
});
