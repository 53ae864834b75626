/** The connection that does not stay dead, and the hub between it and the pages. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Hub } from "../../assets/app/stream/hub.js";
import { Port } from "../../assets/app/stream/port.js";
import { Source } from "../../assets/app/stream/source.js";

/** A world with its own clock, timers and connections. */
function world() {
  const made = [];
  const timers = [];
  const ticks = [];
  let now = 0;
  class EventSource {
    constructor(url) {
      Object.assign(this, { url: new URL(url), readyState: 0, closed: false, heard: {} });
      made.push(this);
    }
    addEventListener(name, run) {
      this.heard[name] = run;
    }
    say(name, data = "", id = "") {
      this.readyState = 1;
      const event = { data, lastEventId: id };
      if (name === "message") this.onmessage(event);
      else this.heard[name](event);
    }
    fail(readyState) {
      this.readyState = readyState;
      this.onerror();
    }
    close() {
      this.closed = true;
      this.readyState = 2;
    }
  }
  const env = {
    EventSource,
    setTimeout: (run, after) => timers.push({ run, after }),
    setInterval: (run) => ticks.push(run),
    now: () => now,
    online: () => true,
    random: () => 1,
  };
  return { env, made, timers, pass: (millis) => (now += millis), tick: () => ticks.forEach((run) => run()), last: () => made.at(-1) };
}

function sourceIn(w, lastId = null) {
  const log = { events: [], statuses: [], gaps: [] };
  const source = new Source("http://souk.test/events/stream", lastId, {
    event: (data, id) => log.events.push([data, id]),
    moved: () => undefined,
    gap: (gap) => log.gaps.push(gap),
    status: (status) => log.statuses.push(status),
  }, w.env);
  return { source, log };
}

test("begins after the last id that is known", () => {
  const w = world();
  sourceIn(w, "log-7");
  assert.equal(w.last().url.searchParams.get("lastEventId"), "log-7");
});

test("leaves reconnecting to the browser while it does", () => {
  const w = world();
  const { log } = sourceIn(w);
  w.last().say("ready", "{}", "log-1");
  w.last().fail(0);
  assert.deepEqual(log.statuses, ["live", "reconnecting"]);
  assert.equal(w.made.length, 1);
});

test("makes a new connection after the last id when the browser has given up, each time later", () => {
  const w = world();
  sourceIn(w);
  w.last().say("ready", "{}", "log-1");
  w.last().say("message", "{}", "log-5");
  const waits = [];
  for (let i = 0; i < 3; i += 1) {
    w.last().fail(2);
    const { run, after } = w.timers.at(-1);
    waits.push(after);
    run();
  }
  assert.deepEqual(waits, [500, 1000, 2000]);
  assert.equal(w.made.length, 4);
  assert.equal(w.last().url.searchParams.get("lastEventId"), "log-5");
  assert.ok(w.made.slice(0, 3).every((one) => one.closed));
});

test("after a sleep there is a new connection", () => {
  const w = world();
  sourceIn(w);
  w.last().say("ready", "{}", "log-1");
  w.pass(5_000);
  w.tick();
  assert.equal(w.made.length, 1);
  w.pass(60_000);
  w.tick();
  assert.equal(w.made.length, 2);
});

test("the old connection's words do not count any more", () => {
  const w = world();
  const { source, log } = sourceIn(w);
  const old = w.last();
  source.reopen();
  old.say("message", "{}", "log-9");
  assert.deepEqual(log.events, []);
  assert.equal(source.lastId, null);
});

test("a quiet reader's id moves on", () => {
  const w = world();
  const { source } = sourceIn(w);
  w.last().say("cursor", "", "log-8");
  assert.equal(source.lastId, "log-8");
});

const event = (id, sellerid = "s1") => ({ id, type: "LowStockWarning", subject: "p", time: "2026-01-01T00:00:00.000Z", sellerid, data: { version: 1, product: { name: "Lamp" }, stock: 1, threshold: 5 } });
const later = (millis = 30) => new Promise((resolve) => setTimeout(resolve, millis));
const until = async (holds) => {
  for (let i = 0; i < 500 && !holds(); i += 1) await later(5);
  assert.ok(holds(), String(holds));
};

test("a page that takes nothing costs a bounded amount, and is told", async () => {
  const sent = [];
  const port = new Port({ postMessage: (message) => sent.push(message) });
  for (let i = 0; i < 20_000; i += 1) port.push(event(`e${i}`));
  await until(() => sent.length === 1);
  for (let i = 0; i < 20_000; i += 1) port.push(event(`f${i}`));
  assert.ok(port.held.length <= 5_000);
  port.taken();
  await until(() => sent.length === 2);
  assert.ok(sent[1].overflowed);
});

test("a page gets its seller's events only", async () => {
  const sent = [];
  const port = new Port({ postMessage: (message) => sent.push(message) });
  port.seller = "s2";
  port.push(event("a", "s1"));
  port.push(event("b", "s2"));
  await until(() => sent.length === 1);
  assert.deepEqual(sent[0].events.map(({ id }) => id), ["b"]);
});

function hubIn(w, saved = {}) {
  const saves = [];
  const store = { save: async (what) => void saves.push(what) };
  const hub = new Hub(store, { notices: [], reads: {}, lastId: null, sseUrl: null, ...saved }, w.env);
  const page = () => {
    const got = [];
    const speak = hub.connect({ postMessage: (message) => got.push(message) });
    return { got, speak, hello: () => speak({ kind: "hello", sseUrl: "http://souk.test/events/stream", seller: "" }), of: (kind) => got.filter((message) => message.kind === kind) };
  };
  return { hub, page, saves };
}

test("two pages share one connection, and one count of what is unread", async () => {
  const w = world();
  const { page } = hubIn(w);
  const [a, b] = [page(), page()];
  a.hello();
  b.hello();
  assert.equal(w.made.length, 1);
  w.last().say("ready", "{}", "log-0");
  w.last().say("message", JSON.stringify(event("e1")), "log-1");
  await until(() => a.of("unread").at(-1).unread === 1 && b.of("unread").at(-1).unread === 1);
  assert.equal(b.of("events")[0].events[0].id, "e1");
  a.speak({ kind: "read", seq: Number.MAX_SAFE_INTEGER });
  await until(() => b.of("unread").at(-1).unread === 0);
});

test("the last id and what came with it are written down together", async () => {
  const w = world();
  const { page, saves } = hubIn(w);
  page().hello();
  w.last().say("message", JSON.stringify(event("e1")), "log-1");
  await until(() => saves.length > 0);
  assert.equal(saves[0].state.lastId, "log-1");
  assert.deepEqual(saves[0].put.map(({ id }) => id), ["e1"]);
});

test("what could not be written down is written with the next position", async () => {
  const w = world();
  const { hub, page, saves } = hubIn(w);
  const { save } = hub.store;
  let refused = 0;
  hub.store.save = async () => {
    refused += 1;
    throw new Error("quota");
  };
  page().hello();
  w.last().say("message", JSON.stringify(event("e1")), "log-1");
  await until(() => refused > 0);
  hub.store.save = save;
  w.last().say("message", JSON.stringify(event("e2")), "log-2");
  await until(() => saves.length > 0);
  assert.equal(saves[0].state.lastId, "log-2");
  assert.deepEqual(saves[0].put.map(({ id }) => id), ["e1", "e2"]);
});

test("a resumed event that is kept already is not counted again", () => {
  const w = world();
  const kept = { id: "e1", seq: 5, at: "2026-01-01T00:00:00.000Z", kind: "low", group: "alert", seller: "s1", productId: "p", name: "Lamp", data: {} };
  const { hub, page } = hubIn(w, { notices: [kept], lastId: "log-0", sseUrl: "http://souk.test/events/stream" });
  page().hello();
  assert.equal(w.last().url.searchParams.get("lastEventId"), "log-0");
  w.last().say("message", JSON.stringify(event("e1")), "log-1");
  assert.equal(hub.history.unread(""), 1);
});

test("the events of a check pass through, and nobody is told of them", async () => {
  const w = world();
  const { hub, page } = hubIn(w);
  const a = page();
  a.hello();
  w.last().say("message", JSON.stringify(event("e1", "souk-verify-01")), "log-1");
  a.speak({ kind: "backfill", events: [event("e0", "souk-verify-01")] });
  await until(() => a.of("events").length === 1);
  assert.equal(hub.history.unread(""), 0);
  assert.deepEqual(hub.history.list(""), []);
});

test("a replay makes nothing new, nothing unread, and tells the pages once, when it is over", async () => {
  const w = world();
  const { hub, page } = hubIn(w);
  const a = page();
  a.hello();
  const at = (i) => new Date(Date.UTC(2026, 0, 1) + i).toISOString();
  const told = (i) => JSON.stringify({ ...event(`e${i}`), time: at(i) });
  for (let i = 5; i < 10; i += 1) w.last().say("message", told(i), `log-${i + 1}`);
  await until(() => a.of("events").length > 0);
  a.speak({ kind: "taken" });
  a.speak({ kind: "read", seq: Number.MAX_SAFE_INTEGER });
  const batches = a.of("events").length;
  a.speak({ kind: "replay", until: Date.parse(at(10)) });
  assert.equal(w.last().url.searchParams.get("lastEventId"), "earliest");
  // Of two in the same millisecond the later stays above.
  for (const [i, time] of [0, 1, 1, 3, 4].entries()) w.last().say("message", JSON.stringify({ ...event(`e${i}`), time: at(time) }), `log-${i + 1}`);
  for (let i = 5; i < 10; i += 1) w.last().say("message", told(i), `log-${i + 1}`);
  await until(() => a.of("replayed").length === 1);
  assert.equal(hub.history.unread(""), 0);
  assert.deepEqual(hub.history.list("").map(({ id }) => id), [9, 8, 7, 6, 5, 4, 3, 2, 1, 0].map((i) => `e${i}`));
  assert.equal(a.of("events").length, batches);
  // What happens from now on is news again.
  w.last().say("message", told(11), "log-12");
  await until(() => a.of("events").length === batches + 1);
  assert.equal(hub.history.list("")[0].id, "e11");
});

test("a replay that the last page did not see to its end goes on as one", () => {
  const w = world();
  const { hub, page } = hubIn(w, { lastId: "log-3", sseUrl: "http://souk.test/events/stream", until: Date.UTC(2026, 0, 2), reads: { "*": Date.UTC(2026, 0, 2) * 1000 } });
  page().hello();
  w.last().say("message", JSON.stringify(event("e4")), "log-4");
  hub.connect({ postMessage: () => undefined })({ kind: "bye" });
  assert.equal(hub.history.list("").length, 1);
  assert.equal(hub.history.unread(""), 0);
});

test("a page keeps what it was told of the reads, also in the tab that leads", () => {
  const w = world();
  const { page } = hubIn(w);
  const a = page();
  a.hello();
  a.speak({ kind: "history" });
  a.speak({ kind: "read", seq: 7 });
  assert.deepEqual(a.of("history")[0].reads, {});
});

test("another installation's position is not asked for", () => {
  const w = world();
  const { page } = hubIn(w, { lastId: "other-9", sseUrl: "http://elsewhere.test/events/stream" });
  page().hello();
  assert.equal(w.last().url.searchParams.get("lastEventId"), null);
});

test("a gap is told to every page and kept", async () => {
  const w = world();
  const { hub, page } = hubIn(w);
  const a = page();
  a.hello();
  w.last().say("gap", JSON.stringify({ reason: "expired", from: "a", to: "b" }), "log-4");
  assert.equal(a.of("gap")[0].gap.reason, "expired");
  assert.equal(hub.history.list("")[0].kind, "gap");
  assert.equal(hub.history.list("")[0].data.since, undefined);
  // What was seen last says how far back the missed ones may go.
  w.last().say("message", JSON.stringify(event("e1")), "log-5");
  await later(2);
  w.last().say("gap", JSON.stringify({ reason: "expired", from: "b", to: "c" }), "log-9");
  assert.equal(hub.history.list("")[0].data.since, event("e1").time);
});
