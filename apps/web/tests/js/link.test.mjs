/** The way to the hub, when the worker is ended, replaced, or does not start. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { define, streams } from "./source.mjs";
import { Hub } from "../../assets/app/stream/hub.js";


const workers = [];
/** What a browser does with a new one: it is joined to a hub, or not. @type {(worker: any) => void} */
let start;
class SharedWorker {
  constructor() {
    const worker = this;
    this.said = [];
    this.port = {
      onmessage: null,
      postMessage(message) {
        worker.said.push(message.kind);
        worker.take?.(structuredClone(message));
      },
      close: () => undefined,
    };
    start(worker);
    workers.push(this);
  }
}

const env = { setTimeout: () => 0, setInterval: () => 0, online: () => true, random: () => 1 };
const newHub = () => new Hub({ save: async () => undefined }, { notices: [], reads: {}, lastId: null, sseUrl: null }, { ...env, EventSource });
/** As `worker.js`: the same ports may be joined to another hub later. Both ways take a turn. */
function join(worker, hub) {
  const hear = hub.connect({ postMessage: (data) => setImmediate(() => worker.port.onmessage?.({ data: structuredClone(data) })) });
  worker.take = (message) => setImmediate(() => hear(message));
}
const turns = async () => {
  for (let i = 0; i < 20; i += 1) await new Promise((resolve) => setImmediate(resolve));
};

const listeners = {};
define("navigator", { onLine: true });
define("SharedWorker", SharedWorker);
define("document", { hidden: false, baseURI: "http://souk.test/", addEventListener: (name, run) => (listeners[name] = run) });
define("addEventListener", (name, run) => (listeners[name] = run));
const { setInterval: every } = globalThis;
define("setInterval", (...args) => every(...args).unref());
define("fetch", async () => ({ ok: true, json: async () => ({ sseUrl: "http://souk.test/events/stream", time: new Date().toISOString() }) }));

const client = await import("../../assets/app/stream/client.js");
const { linkToHub } = await import("../../assets/app/stream/link.js");
const { loadConfig } = await import("../../assets/app/config.js");

test("lists are read anew once at the begin, and once for each hub that takes another's place", async () => {
  await loadConfig();
  let hub = newHub();
  start = (worker) => join(worker, hub);
  client.connectStream();
  await turns();
  streams.at(-1).ready();
  await turns();
  assert.deepEqual([client.status.value, client.resync.value], ["live", 1]);

  // The process is ended and the script run anew behind the same port: nobody tells the page.
  hub = newHub();
  join(workers.at(-1), hub);
  await turns();
  assert.equal(streams.length, 2, "it was greeted");
  assert.equal(client.status.value, "reconnecting");
  streams.at(-1).ready();
  await turns();
  assert.deepEqual([client.status.value, client.resync.value], ["live", 2]);

  // Another page was quicker, and the stream is there already.
  hub = newHub();
  hub.connect({ postMessage: () => undefined })({ kind: "hello", sseUrl: "http://souk.test/events/stream", seller: "" });
  streams.at(-1).ready();
  join(workers.at(-1), hub);
  await turns();
  assert.deepEqual([client.status.value, client.resync.value], ["live", 3]);
});

test("a page that is looked at again and gets no word makes a worker anew", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  listeners.visibilitychange();
  await turns();
  t.mock.timers.tick(4_000);
  assert.equal(workers.length, 1, "who answers is kept");

  const [dead] = workers;
  dead.take = () => undefined;
  const hub = newHub();
  start = (worker) => join(worker, hub);
  listeners.visibilitychange();
  await turns();
  t.mock.timers.tick(4_000);
  assert.deepEqual([workers.length, client.status.value], [2, "reconnecting"]);
  assert.equal(dead.said.at(-1), "bye");
  const before = client.resync.value;
  await turns();
  streams.at(-1).ready();
  await turns();
  assert.deepEqual([client.status.value, client.resync.value], ["live", before + 1]);
  t.mock.timers.tick(4_000);
  await turns();
  assert.equal(hub.ports.size, 1, "it stays with the worker that answers");
});

/** A page that has only the link. */
function page() {
  const got = [];
  const speak = linkToHub((message) => got.push(message), () => speak?.({ kind: "hello", sseUrl: "http://souk.test/events/stream", seller: "" }));
  speak({ kind: "history" });
  return { speak, of: (kind) => got.filter((message) => message.kind === kind) };
}
const later = (millis = 10) => new Promise((resolve) => setTimeout(resolve, millis));
const until = async (holds) => {
  for (let i = 0; i < 200 && !holds(); i += 1) await later();
  assert.ok(holds(), String(holds));
};

test("where no worker can be made, or its script does not load, the tabs do without", async () => {
  start = () => {
    throw new Error("refused");
  };
  const refused = page();
  await until(() => refused.of("status").length > 0 && refused.of("history").length === 1);

  start = () => undefined;
  const unloaded = page();
  await later();
  assert.deepEqual(unloaded.of("begin"), []);
  workers.at(-1).onerror();
  unloaded.speak({ kind: "history" });
  await until(() => unloaded.of("status").length > 0 && unloaded.of("history").length > 0);
});

test("an error of a worker that runs is no reason to leave it", async () => {
  const hub = newHub();
  start = (worker) => join(worker, hub);
  const one = page();
  await until(() => one.of("begin").length > 0);
  workers.at(-1).onerror();
  await turns();
  assert.ok(!workers.at(-1).said.includes("bye"));
});

test("a worker made anew that is silent, too, is not waited for", async (t) => {
  const hub = newHub();
  start = (worker) => join(worker, hub);
  const one = page();
  await until(() => one.of("begin").length > 0);
  t.mock.timers.enable({ apis: ["setTimeout"] });
  workers.at(-1).take = () => undefined;
  start = () => undefined;
  one.speak({ kind: "wake" });
  t.mock.timers.tick(4_000);
  assert.equal(one.of("status").at(-1).status, "reconnecting");
  t.mock.timers.tick(4_000);
  t.mock.timers.reset();
  const begun = one.of("begin").length;
  await until(() => one.of("begin").length > begun);
});
