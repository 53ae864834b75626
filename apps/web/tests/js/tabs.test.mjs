/** The page's end of the stream where there is no SharedWorker: one tab leads, the others find it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { define, streams } from "./source.mjs";

/** Every channel of a name hears what the others say, as in a browser; later, and never itself. */
const channels = new Set();
class Channel {
  constructor() {
    channels.add(this);
  }
  postMessage(data) {
    for (const other of channels) if (other !== this) setImmediate(() => channels.has(this) && other.onmessage?.({ data: structuredClone(data) }));
  }
}

/** One lock: whoever asks first has it until it is passed on. */
const queue = [];
const locks = {
  request: (_, run) => {
    queue.push(run);
    if (queue.length === 1) run();
  },
};
/** The tab that leads is closed without a word, as when it crashes. */
function crash(channel) {
  channels.delete(channel);
  queue.shift();
  queue[0]?.();
}

const listeners = {};
define("navigator", { locks, onLine: true });
define("BroadcastChannel", Channel);
define("document", { hidden: false, baseURI: "http://souk.test/", addEventListener: () => undefined });
define("addEventListener", (name, run) => (listeners[name] = run));
const { setInterval: every } = globalThis;
define("setInterval", (...args) => every(...args).unref());
define("fetch", async () => ({ ok: true, json: async () => ({ sseUrl: "http://souk.test/events/stream", time: new Date().toISOString() }) }));

const { joinTabs } = await import("../../assets/app/stream/leader.js");
const client = await import("../../assets/app/stream/client.js");
const { loadConfig } = await import("../../assets/app/config.js");

const later = (millis = 10) => new Promise((resolve) => setTimeout(resolve, millis));
const until = async (holds) => {
  for (let i = 0; i < 200 && !holds(); i += 1) await later();
  assert.ok(holds(), String(holds));
};

function tab() {
  const got = [];
  const before = [...channels];
  const speak = joinTabs((message) => got.push(message), () => speak({ kind: "hello", sseUrl: "http://souk.test/events/stream", seller: "" }));
  const channel = [...channels].find((one) => !before.includes(one));
  return { speak, channel, of: (kind) => got.filter((message) => message.kind === kind) };
}

test("what is said before anybody leads is answered, and there is one stream for all tabs", async () => {
  const [a, b] = [tab(), tab()];
  a.speak({ kind: "history" });
  b.speak({ kind: "history" });
  await until(() => a.of("history").length === 1 && b.of("history").length === 1);
  assert.equal(streams.length, 1);

  // The tab that leads is closed: what the other says meanwhile reaches the next one.
  a.speak({ kind: "bye" });
  await later();
  b.speak({ kind: "history" });
  await later();
  assert.equal(b.of("history").length, 1);
  crash(a.channel);
  await until(() => b.of("history").length === 2);
  assert.equal(streams.length, 2);
  crash(b.channel);
});

test("a page that opens with its history gets it, also when who was asked is gone", async () => {
  await loadConfig();
  const other = tab();
  await until(() => other.of("status").length > 0);
  const first = client.readHistory();
  client.connectStream();
  assert.deepEqual((await first).items, []);
  streams.at(-1).ready();
  await until(() => client.status.value === "live");
  const read = client.resync.value;
  // It takes the question with it.
  const { channel } = other;
  channel.onmessage = () => undefined;
  const second = client.readHistory();
  await later();
  crash(channel);
  assert.deepEqual((await second).items, []);
  // What the hub that is gone still held for this page nobody has any more: lists are read anew.
  assert.equal(client.resync.value, read);
  streams.at(-1).ready();
  await until(() => client.status.value === "live" && client.resync.value > read);
});

test("without locks each tab has a stream of its own, and is answered as well", async () => {
  navigator.locks = undefined;
  const alone = tab();
  alone.speak({ kind: "history" });
  await until(() => alone.of("history").length === 1);
  navigator.locks = locks;
});

test("a page that comes back as it was reads everything anew", () => {
  const before = [client.resync.value, client.historySeq.value];
  listeners.pageshow({ persisted: false });
  assert.deepEqual([client.resync.value, client.historySeq.value], before);
  listeners.pageshow({ persisted: true });
  assert.ok(client.resync.value > before[0] && client.historySeq.value !== before[1]);
});
