/**
 * Where there is no SharedWorker, one tab holds the stream for all. A lock says which (its tab gone, the next gets it),
 * a BroadcastChannel joins them. Without either, each tab has a stream of its own.
 */
import { openHub } from "./hub.js";
import { uniqueId } from "../storage.js";

/**
 * @param {(message: any) => void} hear is called with what the hub says
 * @param {() => void} hello is called when there is a (new) hub to greet
 * @returns {(message: any) => void} to speak to the hub
 */
export function joinTabs(hear, hello) {
  if (!navigator.locks || !globalThis.BroadcastChannel) return alone(hear, hello);
  const channel = new BroadcastChannel("souk-stream");
  const me = uniqueId();
  /** The hub, when it is here. @type {Map<string, (message: any) => void> | null} */
  let pages = null;
  let connect = null;
  /** Whether a tab leads, as far as this one knows; what is said while none does waits. */
  let led = false;
  /** @type {any[]} */
  const waiting = [];

  const toHub = (from, message) => {
    if (!pages) return;
    if (!pages.has(from)) {
      const reply = from === me ? (message) => queueMicrotask(() => hear(message)) : (message) => channel.postMessage({ to: from, message });
      pages.set(from, connect({ postMessage: reply }));
    }
    pages.get(from)(message);
    if (message.kind === "bye") pages.delete(from);
  };

  const speak = (message) => {
    if (pages) {
      toHub(me, message);
      // The others keep to themselves what they have to say, until the next one leads.
      if (message.kind === "bye") channel.postMessage({ leader: null });
    } else if (led || message.kind === "hello") channel.postMessage({ from: me, message });
    else waiting.push(message);
  };

  const follow = () => {
    led = true;
    for (const message of waiting.splice(0)) speak(message);
  };

  channel.onmessage = ({ data }) => {
    if (data.to === me) {
      hear(data.message);
      if (!led) follow();
    } else if (data.leader) hello();
    else if (data.leader === null) led = false;
    else if (data.from) toHub(data.from, data.message);
  };

  navigator.locks.request("souk-stream", async () => {
    const hub = await openHub();
    connect = (port) => hub.connect(port);
    pages = new Map();
    channel.postMessage({ leader: me });
    hello();
    follow();
    // Held until the tab is closed.
    await new Promise(() => undefined);
  });

  return speak;
}

function alone(hear, hello) {
  let speak = null;
  /** @type {any[]} */
  const waiting = [];
  openHub().then((hub) => {
    speak = hub.connect({ postMessage: (message) => queueMicrotask(() => hear(message)) });
    hello();
    for (const message of waiting.splice(0)) speak(message);
  });
  // It is greeted as soon as it is there.
  return (message) => (speak ? speak(message) : message.kind !== "hello" && waiting.push(message));
}
