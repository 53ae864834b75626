/** The list: patched in place, never older than what was seen, never moved under the pointer. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Rows } from "../../assets/app/pages/products/rows.js";

const product = (id, version = 1, more = {}) => ({ id, version, name: id, sku: null, sellerId: "s1", category: "x", price: 1, stock: 5, lowStock: false, ...more });
const created = (p) => ({ type: "ProductCreated", subject: p.id, sellerid: p.sellerId, data: { version: p.version, product: p } });
const updated = (p, changes = {}) => ({ type: "ProductUpdated", subject: p.id, sellerid: p.sellerId, data: { version: p.version, product: p, changes } });
const deleted = (p, version) => ({ type: "ProductDeleted", subject: p.id, sellerid: p.sellerId, data: { version, product: p } });

/** What an event says of a field that was changed. */
const changed = (field, from, to) => ({ [field]: { from, to } });

const listOf = (...items) => listBy({ sort: "-createdAt" }, ...items);

async function listBy(query, ...items) {
  const rows = new Rows(async () => ({ items, nextCursor: null }));
  await rows.start(query);
  return rows;
}

test("a change touches its row and moves nothing", async () => {
  const rows = await listOf(product("a"), product("b"));
  const ids = rows.ids.value;
  rows.apply([updated(product("b", 2, { stock: 1 }))], true);
  assert.equal(rows.row("b").value.product.stock, 1);
  assert.equal(rows.row("a").value.changed, 0);
  assert.equal(rows.ids.value, ids);
});

test("few changes are lit, and a flood is not", async () => {
  const rows = await listOf(product("a"));
  const changes = (from, count) => Array.from({ length: count }, (_, n) => updated(product("a", from + n)));
  rows.apply([...changes(2, 1), created(product("b"))], true, 5_000);
  assert.deepEqual([rows.row("a").value.changed, rows.row("b").value.changed], [1, 1]);
  rows.apply([...changes(3, 20), created(product("c"))], true, 5_500);
  assert.deepEqual([rows.row("a").value.changed, rows.row("c").value.changed], [1, 0]);
  assert.equal(rows.row("a").value.product.version, 22, "it is shown all the same");
  rows.apply(changes(23, 1), true, 6_500);
  assert.equal(rows.row("a").value.changed, 2);
});

test("what is older than what is there is ignored", async () => {
  const rows = await listOf(product("a", 5));
  rows.apply([updated(product("a", 4, { stock: 0 }))], true);
  assert.equal(rows.row("a").value.product.version, 5);
});

test("a page that was read before an event does not undo it", async () => {
  let answer;
  const rows = new Rows(() => new Promise((resolve) => (answer = resolve)));
  const started = rows.start({ sort: "-createdAt" });
  rows.apply([updated(product("a", 2, { stock: 1 })), deleted(product("b"), 2)], true);
  answer({ items: [product("a"), product("b"), product("c")], nextCursor: null });
  await started;
  assert.deepEqual(rows.ids.value, ["a", "c"]);
  assert.equal(rows.row("a").value.product.stock, 1);
});

test("what is created while the first page is on its way is in the list", async () => {
  let answer;
  const rows = new Rows(() => new Promise((resolve) => (answer = resolve)));
  const started = rows.start({ sort: "-createdAt" });
  rows.apply([created(product("b")), created(product("c")), created(product("gone"))], true);
  rows.apply([deleted(product("gone"), 2)], true);
  answer({ items: [product("b"), product("a")], nextCursor: null });
  await started;
  assert.deepEqual(rows.ids.value, ["c", "b", "a"]);
  assert.equal(rows.waiting.value, 0);

  const byName = rows.start({ sort: "name" });
  rows.apply([created(product("d"))], true);
  answer({ items: [product("a"), product("b"), product("c")], nextCursor: null });
  await byName;
  assert.deepEqual(rows.ids.value, ["a", "b", "c"]);
  assert.equal(rows.waiting.value, 1);
});

test("new ones come in on top, unless someone is at work", async () => {
  const rows = await listOf(product("a"));
  rows.apply([created(product("b")), created(product("c"))], true);
  assert.deepEqual(rows.ids.value, ["c", "b", "a"]);
  rows.apply([created(product("d"))], false);
  assert.deepEqual(rows.ids.value, ["c", "b", "a"]);
  assert.equal(rows.waiting.value, 1);
});

test("a list in another order is not moved at all", async () => {
  const rows = await listOf(product("b"));
  await rows.start({ sort: "name" });
  rows.apply([created(product("a"))], true);
  assert.deepEqual(rows.ids.value, ["b"]);
  assert.equal(rows.waiting.value, 1);
});

test("another seller's product is no news", async () => {
  const rows = await listOf(product("a"));
  await rows.start({ sort: "-createdAt", sellerId: "s1" });
  rows.apply([created(product("z", 1, { sellerId: "s2" }))], true);
  assert.equal(rows.waiting.value, 0);
  assert.deepEqual(rows.ids.value, ["a"]);
});

test("a flood of new products reads the first page anew, and stays bounded", async () => {
  let reads = 0;
  const rows = new Rows(async () => {
    reads += 1;
    return { items: [product("a")], nextCursor: null };
  });
  await rows.start({ sort: "-createdAt" });
  for (let i = 0; i < 5_000; i += 1) rows.apply([created(product(`n${i}`))], true);
  assert.ok(rows.ids.value.length <= 501, `${rows.ids.value.length} rows`);
  assert.ok(rows.recent.size <= 2_000);
  assert.ok(reads >= 2);
});

test("our own adjustment is not counted twice when its event comes first", async () => {
  const rows = await listOf(product("a", 1, { stock: 5 }));
  const shown = () => rows.row("a").value.product.stock + rows.row("a").value.pending;
  rows.expect("a", 3);
  assert.equal(shown(), 8);
  rows.apply([updated(product("a", 2, { stock: 8 }))], true);
  assert.equal(shown(), 8);
  rows.update(product("a", 2, { stock: 8 }));
  rows.expect("a", 0);
  assert.equal(shown(), 8);
});

test("what others did meanwhile is there once ours is settled, also when it was refused", async () => {
  const rows = await listOf(product("a", 1, { stock: 5 }));
  rows.expect("a", -3);
  rows.apply([updated(product("a", 2, { stock: 1 }))], true);
  rows.expect("a", 0);
  assert.equal(rows.row("a").value.product.stock, 1);
});

test("a deleted row stays until it is swept, and not where someone is", async () => {
  const rows = await listOf(product("a"), product("b"));
  rows.apply([deleted(product("a"), 2), deleted(product("b"), 2)], true);
  assert.ok(rows.row("a").value.gone);
  rows.sweep((id) => id === "b");
  assert.deepEqual(rows.ids.value, ["b"]);
});

test("undo puts the row back to its place", async () => {
  const rows = await listOf(product("a"), product("b"), product("c"));
  const back = rows.hide("b");
  assert.deepEqual(rows.ids.value, ["a", "c"]);
  await rows.reload();
  assert.deepEqual(rows.ids.value, ["a", "c"], "a reload does not bring back what is about to be deleted");
  back();
  assert.deepEqual(rows.ids.value, ["a", "b", "c"]);
});

test("pages follow each other, and a product on two of them is shown once", async () => {
  const pages = [{ items: [product("a"), product("b")], nextCursor: "2" }, { items: [product("b"), product("c")], nextCursor: null }];
  const asked = [];
  const rows = new Rows(async (query) => {
    asked.push(query.cursor);
    return pages[query.cursor ? 1 : 0];
  });
  await rows.start({ sort: "name" });
  await rows.loadMore();
  await rows.loadMore();
  assert.deepEqual(rows.ids.value, ["a", "b", "c"]);
  assert.deepEqual(asked, [undefined, "2"]);
});

test("an answer to an older question is dropped", async () => {
  const answers = [];
  const rows = new Rows(() => new Promise((resolve) => answers.push(resolve)));
  const first = rows.start({ sort: "name", q: "l" });
  const second = rows.start({ sort: "name", q: "la" });
  answers[1]({ items: [product("new")], nextCursor: null });
  answers[0]({ items: [product("old")], nextCursor: null });
  await Promise.all([first, second]);
  assert.deepEqual(rows.ids.value, ["new"]);
});

test("a product that is about to be deleted is in no list, and undone it comes back only where it belongs", async () => {
  const first = await listOf(product("a"), product("b"));
  const back = first.hide("a");
  const second = await listOf(product("a"), product("b"));
  assert.deepEqual(second.ids.value, ["b"], "another page is opened meanwhile");
  second.apply([updated(product("a", 2))], true);
  assert.deepEqual([second.ids.value, second.waiting.value], [["b"], 0]);
  first.list = async () => ({ items: [product("z", 1, { sellerId: "s2" })], nextCursor: null });
  await first.start({ sort: "-createdAt", sellerId: "s2" });
  back();
  assert.deepEqual(first.ids.value, ["z"], "it is not of this seller");
  await second.refresh();
  assert.deepEqual(second.ids.value, ["a", "b"]);
});

test("another question is at work until it is answered, and drops what does not fit when it fails", async () => {
  const rows = await listOf(product("a"), product("z", 1, { sellerId: "s2" }));
  rows.list = () => Promise.reject(new Error("away"));
  const asked = rows.start({ sort: "-createdAt", sellerId: "s2" });
  assert.deepEqual([rows.state.value, rows.ids.value], ["reading", ["a", "z"]], "nothing blinks");
  await asked;
  assert.deepEqual([rows.state.value, rows.ids.value], ["failed", ["z"]]);
  rows.list = async () => ({ items: [product("z", 1, { sellerId: "s2" }), product("y", 1, { sellerId: "s2" })], nextCursor: null });
  const again = rows.retry();
  assert.equal(rows.state.value, "reading");
  await again;
  assert.deepEqual([rows.state.value, rows.ids.value], ["ready", ["z", "y"]]);
});

test("what was read for the same question stays when it cannot be read anew", async () => {
  const rows = await listOf(product("a"), product("b"));
  rows.apply([updated(product("a", 2, { sellerId: "s9" }))], true);
  rows.list = () => Promise.reject(new Error("away"));
  await rows.refresh();
  assert.deepEqual([rows.state.value, rows.ids.value], ["failed", ["a", "b"]]);
});

test("a further page that failed is asked for again, and the rows above it stay", async () => {
  const asked = [];
  const rows = new Rows(async ({ cursor }) => {
    asked.push(cursor);
    if (asked.length === 2) throw new Error("away");
    return cursor ? { items: [product("b")], nextCursor: null } : { items: [product("a")], nextCursor: "2" };
  });
  await rows.start({ sort: "name" });
  await rows.loadMore();
  assert.deepEqual([rows.state.value, rows.partly, rows.ids.value], ["failed", true, ["a"]]);
  await rows.retry();
  assert.deepEqual([rows.state.value, rows.ids.value, asked], ["ready", ["a", "b"], [undefined, "2", "2"]]);
});

test("what no longer belongs to the list is not counted as new", async () => {
  const rows = await listOf();
  await rows.start({ sort: "stock", lowStock: "true" });
  const fell = changed("lowStock", false, true);
  rows.apply([updated(product("a", 2, { lowStock: true }), fell), updated(product("b", 2, { lowStock: true }), fell)], false);
  assert.equal(rows.waiting.value, 2);
  rows.apply([updated(product("a", 3), changed("lowStock", true, false))], false);
  assert.equal(rows.waiting.value, 1);
});

test("a list that is read deep is shown once all of it is here", async () => {
  const asked = [];
  const items = Array.from({ length: 1_200 }, (_, i) => product(`p${i}`));
  const rows = new Rows(async ({ limit, cursor }) => {
    asked.push(limit);
    assert.equal(rows.ids.value.length, 0, "not a part of it");
    const end = Number(cursor ?? 0) + limit;
    return { items: items.slice(end - limit, end), nextCursor: end < items.length ? String(end) : null };
  }, 1_100);
  await rows.start({ sort: "stock" });
  assert.deepEqual([asked, rows.ids.value.length, rows.more.value], [[500, 500, 100], 1_100, true]);
});

test("what does not belong there any more leaves at once", async () => {
  const rows = await listOf(product("a"), product("b", 1, { lowStock: true }), product("c"));
  rows.leave((id, row) => id !== "c" && !row.product.lowStock);
  assert.deepEqual([rows.ids.value, rows.row("a")], [["b", "c"], undefined]);
});

test("what was in the list before and is further down is no news", async () => {
  const rows = await listBy({ sort: "stock", lowStock: "true" }, product("a", 1, { lowStock: true }));
  const low = (version, stock) => updated(product("deep", version, { lowStock: true, stock }), changed("stock", stock + 1, stock));
  rows.apply([low(2, 4), low(3, 3), updated(product("deep", 4, { lowStock: true, name: "new" }), changed("name", "deep", "new"))], true);
  assert.equal(rows.waiting.value, 0);
});

test("what is changed into a list is counted, whatever it is narrowed by", async () => {
  const x = await listBy({ sort: "-createdAt", category: "x" });
  x.apply([updated(product("a", 2), changed("category", "y", "x")), updated(product("b", 2), changed("price", 2, 1))], true);
  assert.deepEqual([x.waiting.value, x.ids.value], [1, []], "it may be as old as any: it is not put on top");
  const lamps = await listBy({ sort: "name", q: "lamp" });
  lamps.apply([updated(product("a", 2, { name: "Red lamp" }), changed("name", "Red light", "Red lamp"))], true);
  lamps.apply([updated(product("b", 2, { name: "Lamp two" }), changed("name", "Lamp", "Lamp two"))], true);
  lamps.apply([updated(product("c", 2, { sku: "LAMP-1" }), changed("sku", null, "LAMP-1"))], true);
  assert.equal(lamps.waiting.value, 2);
});

test("what is changed into a list while its page is on its way is counted, and out of it is not shown", async () => {
  let answer;
  const rows = new Rows(() => new Promise((resolve) => (answer = resolve)));
  const started = rows.start({ sort: "-createdAt", category: "x" });
  rows.apply([updated(product("in", 2), changed("category", "y", "x")), updated(product("out", 2, { category: "y" }), changed("category", "x", "y"))], true);
  rows.apply([created(product("new")), updated(product("both", 2), changed("category", "y", "x"))], true);
  answer({ items: [product("both", 2), product("out"), product("a")], nextCursor: null });
  await started;
  assert.deepEqual([rows.ids.value, rows.waiting.value], [["new", "both", "a"], 1]);
});

test("what a further page shows waits no more", async () => {
  const rows = new Rows(async ({ cursor }) => (cursor ? { items: [product("b", 2)], nextCursor: null } : { items: [product("a")], nextCursor: "2" }));
  await rows.start({ sort: "name", category: "x" });
  rows.apply([updated(product("b", 2), changed("category", "y", "x"))], true);
  assert.equal(rows.waiting.value, 1);
  await rows.loadMore();
  assert.deepEqual([rows.ids.value, rows.waiting.value], [["a", "b"], 0]);
});

test("what was changed out of the list leaves it, but not where someone is, and not when it is back", async () => {
  const rows = await listBy({ sort: "name", category: "x" }, product("a"), product("b"), product("c"), product("d"));
  const before = rows.parting.value;
  const away = (id) => updated(product(id, 2, { category: "y" }), changed("category", "x", "y"));
  rows.apply([away("a"), away("b"), away("c")], true);
  assert.ok(rows.parting.value > before);
  assert.deepEqual(rows.ids.value, ["a", "b", "c", "d"], "nothing moves at once");
  rows.apply([updated(product("c", 3), changed("category", "y", "x")), updated(product("a", 3, { category: "y" }), changed("stock", 1, 5))], true);
  assert.equal(rows.sweep((id) => id === "b"), true, "one is left");
  assert.deepEqual(rows.ids.value, ["b", "c", "d"]);
  assert.equal(rows.sweep(() => false), false);
  assert.deepEqual(rows.ids.value, ["c", "d"]);
});

test("what was changed out of the list here leaves it too, once it is settled", async () => {
  const rows = await listBy({ sort: "name", lowStock: "true" }, product("a", 1, { lowStock: true }), product("b", 1, { lowStock: true }));
  rows.put(product("a", 2));
  rows.expect("b", 5);
  rows.update(product("b", 2));
  assert.equal(rows.sweep(() => false), true);
  assert.deepEqual(rows.ids.value, ["b"]);
  rows.expect("b", 0);
  rows.sweep(() => false);
  assert.deepEqual(rows.ids.value, []);
});

test("what has left one list stays in the next, where it belongs", async () => {
  const rows = await listBy({ sort: "name", category: "x" }, product("a"));
  rows.put(product("a", 2, { category: "y" }));
  rows.list = async () => ({ items: [product("a", 2, { category: "y" })], nextCursor: null });
  await rows.start({ sort: "name" });
  assert.equal(rows.sweep(() => false), false);
  assert.deepEqual(rows.ids.value, ["a"]);
});
