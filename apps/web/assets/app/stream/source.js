/**
 * One EventSource that does not stay dead. The browser comes back by itself after a broken connection; after any
 * answer but 200 it gives up, and of a connection that a sleep has cut it may not know for minutes. Then a new one is
 * made here, after the last id that was seen, so that nothing is missed.
 */
import { backoff } from "../retry.js";

/** A quiet shop's stream holds only comments, which no script hears: after this long a new connection, which misses
 * nothing, is cheaper than the doubt. */
const SILENCE_MILLIS = 120_000;
/** A page that is looked at again doubts sooner. */
const WAKE_MILLIS = 20_000;
/** A connection that says nothing for this long at its begin is said to be none. */
const READY_MILLIS = 4_000;
const LOOK_MILLIS = 5_000;

/**
 * @typedef {object} Handlers
 * @property {(data: string, id: string) => void} event
 * @property {(id: string) => void} moved the id moved on without an event
 * @property {(gap: {reason: string, from: string, to: string}) => void} gap
 * @property {(status: "live" | "reconnecting" | "offline") => void} status
 */
export class Source {
  /**
   * @param {string} url
   * @param {string | null} lastId
   * @param {Handlers} on
   * @param {{EventSource?: any, setTimeout?: any, setInterval?: any, now?: () => number, online?: () => boolean, random?: () => number}} [env]
   */
  constructor(url, lastId, on, env = {}) {
    this.url = url;
    this.lastId = lastId;
    this.on = on;
    this.env = {
      EventSource: globalThis.EventSource,
      setTimeout: (...a) => setTimeout(...a),
      setInterval: (...a) => setInterval(...a),
      now: () => Date.now(),
      online: () => globalThis.navigator?.onLine !== false,
      random: Math.random,
      ...env,
    };
    this.failures = 0;
    this.retry = null;
    this.looked = this.env.now();
    this.#open();
    this.looking = this.env.setInterval(() => this.#look(), LOOK_MILLIS);
  }

  #open() {
    this.source?.close();
    clearTimeout(this.retry);
    this.retry = null;
    const url = new URL(this.url);
    if (this.lastId) url.searchParams.set("lastEventId", this.lastId);
    const source = new this.env.EventSource(url.href);
    this.source = source;
    this.heard = this.env.now();
    this.ready = false;
    this.env.setTimeout(() => source === this.source && !this.ready && this.#lost(), READY_MILLIS);
    const hear = (event) => {
      if (source !== this.source) return false;
      this.heard = this.env.now();
      if (event.lastEventId) this.lastId = event.lastEventId;
      return true;
    };
    source.onmessage = (event) => hear(event) && this.on.event(event.data, event.lastEventId);
    source.addEventListener("ready", (event) => {
      if (!hear(event)) return;
      this.failures = 0;
      this.ready = true;
      this.on.moved(event.lastEventId);
      this.on.status("live");
    });
    source.addEventListener("cursor", (event) => hear(event) && this.on.moved(event.lastEventId));
    source.addEventListener("gap", (event) => hear(event) && this.on.gap(JSON.parse(event.data)));
    source.onerror = () => source === this.source && this.#failed();
  }

  #lost() {
    this.on.status(this.env.online() ? "reconnecting" : "offline");
  }

  #failed() {
    this.ready = false;
    this.#lost();
    // CONNECTING: the browser is at it. CLOSED: it has given up.
    if (this.source.readyState === 2) this.#again();
  }

  #again() {
    if (this.retry !== null) return;
    this.retry = this.env.setTimeout(() => this.#open(), backoff(this.failures, { first: 500, random: this.env.random }));
    this.failures += 1;
  }

  /** Notices sleeps (the clock has jumped) and connections that are dead without a word. */
  #look() {
    const now = this.env.now();
    const slept = now - this.looked > 4 * LOOK_MILLIS;
    this.looked = now;
    if (slept || now - this.heard > SILENCE_MILLIS) this.reopen();
  }

  /** Makes a new connection now: the network is back, the laptop awake. Nobody needs to hear of it if it succeeds. */
  reopen() {
    this.failures = 0;
    this.#open();
  }

  /**
   * A page looks again: is what we have still worth something? `changed`: the network has come or gone; souk on this
   * very machine is reached without one, so only trying tells.
   */
  wake(changed = false) {
    if (changed || !this.ready || this.env.now() - this.heard > WAKE_MILLIS) this.reopen();
  }

  close() {
    clearInterval(this.looking);
    clearTimeout(this.retry);
    this.source.close();
  }
}
