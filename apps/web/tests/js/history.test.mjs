/** The history: bounded, counted, never doubled. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { History } from "../../assets/app/stream/history.js";
import { noticeOf } from "../../assets/app/stream/notices.js";

const kept = { alert: 5, catalog: 5, stock: 5 };
const notice = (id, group = "alert", seller = "s1") => ({ id, group, seller, kind: "low", at: "2026-01-01T00:00:00.000Z", name: id, data: {}, productId: id });
const filled = (n, group) => {
  const history = new History([], {}, kept);
  for (let i = 0; i < n; i += 1) history.add(notice(`${group ?? "a"}${i}`, group), 1000 + i);
  return history;
};

test("keeps the newest of each group, and says what it let go", () => {
  const history = filled(1000);
  assert.deepEqual(history.list("").map(({ id }) => id), ["a999", "a998", "a997", "a996", "a995"]);
  const { put, remove } = history.take();
  assert.equal(put.length, 5);
  assert.equal(remove.length, 995);
  assert.equal(history.ids.size, 5);
});

test("a flood of sales does not push out what is urgent", () => {
  const history = filled(3);
  for (let i = 0; i < 10_000; i += 1) history.add(notice(`s${i}`, "stock"));
  assert.equal(history.list("").filter(({ group }) => group === "alert").length, 3);
  assert.ok(history.groups.stock.length <= 10);
});

test("an event that comes twice is kept once", () => {
  const history = filled(2);
  assert.equal(history.add(notice("a1")), null);
  assert.equal(history.list("").length, 2);
});

test("numbers grow, also within a millisecond, after a restart, and when the clock goes back", () => {
  const history = filled(1);
  const a = history.add(notice("x"), 5000);
  const b = history.add(notice("y"), 5000);
  const again = new History(history.list(""), history.reads, kept);
  const c = again.add(notice("z"), 10);
  assert.ok(a.seq < b.seq && b.seq < c.seq);
});

test("reading counts by seller, and all is all", () => {
  const history = new History([], {}, { alert: 50, catalog: 50, stock: 50 });
  const mine = history.add(notice("m", "alert", "me"), 1);
  history.add(notice("y", "alert", "you"), 2);
  history.add(notice("c", "catalog", "you"), 3);
  history.add(notice("q", "stock", "you"), 4);
  assert.deepEqual([history.unread(""), history.unread("me"), history.unread("you")], [3, 1, 2]);
  history.read("me", mine.seq);
  assert.deepEqual([history.unread(""), history.unread("me")], [2, 0]);
  history.read("", history.seq);
  assert.equal(history.unread("you"), 0);
});

test("a gap is everybody's", () => {
  const history = new History([], {}, kept);
  history.add({ ...notice("gap", "alert", ""), kind: "gap" });
  assert.equal(history.list("me").length, 1);
  assert.equal(history.unread("me"), 1);
});

test("what was looked up later stands at its place in time", () => {
  const history = filled(3);
  history.merge([{ ...notice("between"), seq: 1000 * 1000 + 500 }]);
  assert.deepEqual(history.list("").map(({ id }) => id), ["a2", "a1", "between", "a0"]);
  assert.ok(history.take().put.some(({ id }) => id === "between"));
});

const earlier = (n) => Array.from({ length: n }, (_, i) => ({ ...notice(`old${i}`), seq: i + 1 }));

test("what was asked for does not push out the newest, however full the group is", () => {
  const history = filled(9);
  history.take();
  history.merge(earlier(7), { asked: true });
  assert.deepEqual(history.list("").map(({ id }) => id), ["a8", "a7", "a6", "a5", "a4", "old6", "old5", "old4", "old3", "old2", "old1", "old0"]);
  assert.deepEqual(history.take(), { put: earlier(7), remove: [] }, "all of it is written down, and nothing is let go");
  for (let i = 0; i < 100; i += 1) history.add(notice(`b${i}`), 10_000 + i);
  assert.equal(history.list("").length, 12, "the room that there is now is no more than what was asked for");
});

test("what nobody asked for is kept where it is newer than what is there, and costs the disk nothing else", () => {
  const history = filled(5);
  history.take();
  history.merge([...earlier(50), { ...notice("between"), seq: 1_002_500 }]);
  assert.deepEqual(history.list("").map(({ id }) => id), ["a4", "a3", "between", "a2", "a1"]);
  const { put, remove } = history.take();
  assert.deepEqual([put.map(({ id }) => id), remove], [["between"], ["a0"]]);
  assert.equal(history.ids.size, 5);
});

test("what is merged twice is there once", () => {
  const history = filled(1);
  history.merge([...earlier(2), ...earlier(2)], { asked: true });
  history.merge(earlier(2), { asked: true });
  assert.equal(history.list("").length, 3);
});

test("cleared is empty, also on disk", () => {
  const history = filled(3);
  history.take();
  history.clear("");
  assert.deepEqual(history.take().remove.sort(), ["a0", "a1", "a2"]);
  assert.equal(history.unread(""), 0);
});

test("who looks at one shop clears that one", () => {
  const history = new History([], {}, kept);
  for (const seller of ["me", "you", ""]) history.add(notice(`of ${seller}`, "alert", seller));
  history.clear("me");
  assert.deepEqual(history.list("").map(({ id }) => id), ["of you"]);
  assert.equal(history.add(notice("of you", "alert", "you")), null);
});

test("an edit is told from a sale", () => {
  const event = (changes) => ({ id: "e", type: "ProductUpdated", subject: "p", time: "t", sellerid: "s", data: { product: { name: "Lamp" }, changes } });
  assert.equal(noticeOf(event({ stock: { from: 2, to: 1 }, lowStock: { from: false, to: true } })).group, "stock");
  assert.deepEqual(noticeOf(event({ price: { from: 2, to: 1 }, stock: { from: 2, to: 1 } })).data.fields, ["price"]);
});
