/**
 * The page's end of the stream: `onEvents` gives batches, one a frame; `status`, `unread` and `lag` are signals. Who
 * shows lists reads `resync`, which grows when something may have been missed, and then asks the api anew.
 */
import { config, serverNow, tuneClock } from "../config.js";
import { computed, effect, signal } from "../html.js";
import { seller } from "../seller.js";
import { frameBatches } from "./frames.js";
import { LagWindow } from "./lag.js";
import { linkToHub } from "./link.js";

/** @type {import("../../vendor/signals.js").Signal<"live" | "reconnecting" | "offline">} */
const connection = signal("reconnecting");
/** The last gap that nobody has dealt with: {reason, from, to}. */
export const gap = signal(null);
/** `live`, `reconnecting`, `offline`, or `gap`: connected, and something was missed. */
export const status = computed(() => (connection.value === "live" && gap.value ? "gap" : connection.value));
/** Whether the stream has been live since the page was opened. */
export const wasLive = signal(false);
export const unread = signal(0);
/** Grows whenever what is on the screen may be older than the shop. */
export const resync = signal(0);
/** Grows when the history has changed. */
export const historySeq = signal(0);
/** From the write to this screen, over the last 30 seconds, in milliseconds: {p50, p99, count}. */
export const lag = signal({ p50: null, p99: null, count: 0 });

/** Older than this on arrival, it was caught up with rather than seen live. */
export const LATE_MILLIS = 10_000;

/** @type {Set<(batch: import("../types.js").SoukEvent[]) => void>} */
const listeners = new Set();
const samples = new LagWindow();
/** What was written before was caught up with: its age says nothing of how quick the way is. */
let liveSince = Infinity;
/** Whether a hub was greeted that has not been live since: what happened before it knew of this page is in no event. */
let fresh = false;
/** What is said before there is anybody to hear it waits. @type {any[]} */
const early = [];
let speak = (/** @type {any} */ message) => void early.push(message);
/** @type {((answer: {items: import("../types.js").Notice[], reads: Record<string, number>}) => void)[]} */
let asking = [];

/**
 * Calls with all events since the last frame, of the seller that is chosen. Returns what ends it.
 * @param {(batch: import("../types.js").SoukEvent[]) => void} listener
 */
export function onEvents(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

const frames = frameBatches((/** @type {import("../types.js").SoukEvent[]} */ batch, overflowed) => {
  if (overflowed) resync.value += 1;
  for (const listener of listeners) listener(batch);
  speak({ kind: "taken" });
  if (!document.hidden) measure(batch);
});

/** The samples are taken when what the batch changed has been painted: after the frame, not before it. */
function measure(batch) {
  requestAnimationFrame(() => {
    const now = serverNow();
    for (const event of batch.slice(-64)) {
      const written = Date.parse(event.time);
      if (written >= liveSince) samples.add(now - written, now);
    }
  });
}

function hear(message) {
  switch (message.kind) {
    case "begin":
      hello();
      break;
    case "status":
      if (message.status === "live") {
        if (fresh || connection.peek() !== "live") liveSince = serverNow();
        if (fresh) resync.value += 1;
        fresh = false;
        wasLive.value = true;
      }
      connection.value = message.status;
      break;
    case "events":
      if (message.overflowed) resync.value += 1;
      frames.add(message.events);
      if (message.events.length === 0) speak({ kind: "taken" });
      break;
    case "unread":
      unread.value = message.unread;
      if (message.seq) historySeq.value = message.seq;
      break;
    case "history":
      for (const resolve of asking.splice(0)) resolve(message);
      break;
    case "cleared":
      historySeq.value += 1;
      break;
    case "replayed":
      // What happened just before it was asked for was in it, too.
      resync.value += 1;
      historySeq.value += 1;
      break;
    case "gap":
      gap.value = message.gap;
      resync.value += 1;
      break;
  }
}

function hello() {
  fresh = true;
  speak({ kind: "hello", sseUrl: config.sseUrl, seller: seller.peek() });
  // The hub that was asked may be gone with its tab.
  if (asking.length > 0) speak({ kind: "history" });
}

/** Connects to the browser's one stream. */
export function connectStream() {
  speak = linkToHub(hear, hello);
  hello();
  for (const message of early.splice(0)) speak(message);
  effect(() => speak({ kind: "seller", seller: seller.value }));
  setInterval(() => {
    if (!document.hidden) lag.value = samples.figures(serverNow());
  }, 1000);
  const changed = () => speak({ kind: "wake", changed: true });
  addEventListener("online", changed);
  addEventListener("offline", changed);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    speak({ kind: "wake" });
    tuneClock();
  });
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    hello();
    // While the page was put aside nobody told it anything.
    resync.value += 1;
    historySeq.value += 1;
  });
  addEventListener("pagehide", () => speak({ kind: "bye" }));
}

/** Returns the kept notices of the seller that is chosen, newest first, and up to where they were read. */
export function readHistory() {
  return new Promise((resolve) => {
    asking.push(resolve);
    if (asking.length === 1) speak({ kind: "history" });
  });
}

/** Marks everything up to `seq` as read, in all tabs. @param {number} seq */
export const markRead = (seq) => speak({ kind: "read", seq });
/** Adds older events that analytics still had, newest first. */
export const backfill = (events) => speak({ kind: "backfill", events });
/** Reads the whole log anew, from the earliest that is held. */
export const replayAll = () => speak({ kind: "replay", until: serverNow() });
/** Forgets the notices of the seller that is chosen. */
export const clearHistory = () => speak({ kind: "clear" });
