/**
 * The one place of a browser where the stream arrives. It keeps the history and the last id, and hands events to every
 * open page. It runs in a SharedWorker (`worker.js`), or in the page that was chosen (`leader.js`): it knows only
 * ports.
 *
 * Page to hub: hello {sseUrl, seller}, seller, taken, wake, read {seq}, history, backfill {events}, replay {until}, clear, bye.
 * Hub to page: begin, which a page answers with hello; status, events, unread, history, cleared, gap, replayed.
 */
import { History } from "./history.js";
import { isCheck } from "./checks.js";
import { noticeOf, noticeOfGap } from "./notices.js";
import { Port } from "./port.js";
import { Source } from "./source.js";
import { Store } from "./store.js";

const SAVE_MILLIS = 400;
const UNREAD_MILLIS = 120;
/** Of a replay, this many are put into the history at once. */
const REPLAY_BATCH = 1_000;
/** A replay that has brought nothing for so long is over; or it goes on, and is over once more. */
const REPLAY_QUIET_MILLIS = 1_500;

export class Hub {
  /** @param {import("./store.js").Store} store @param {object} saved what it had loaded @param {object} [env] for `Source` */
  constructor(store, saved, env) {
    this.store = store;
    this.env = env;
    this.history = new History(saved.notices, saved.reads);
    this.lastId = saved.lastId;
    this.sseUrl = saved.sseUrl;
    this.status = "reconnecting";
    /** @type {Set<Port>} */
    this.ports = new Set();
    /** @type {Source | null} */
    this.source = null;
    this.saving = null;
    this.counting = null;
    /** When the log was last read anew, in the server's milliseconds: what is older is no news. */
    this.until = saved.until ?? 0;
    /** What that brought and the history has not taken in yet. @type {import("../types.js").Notice[]} */
    this.replayed = [];
    this.place = 0;
    this.ending = null;
  }

  /** Takes in a page. Returns what has to be called with each of its messages. */
  connect(channel) {
    const port = new Port(channel);
    // Behind a port that a page has had for long there may be another hub than the one it greeted.
    port.send({ kind: "begin" });
    return (message) => this.#hear(port, message);
  }

  #hear(port, message) {
    switch (message.kind) {
      case "hello":
        this.ports.add(port);
        port.seller = message.seller;
        port.awaiting = false;
        this.#listen(message.sseUrl);
        this.#sayStatus(port);
        port.send({ kind: "unread", unread: this.history.unread(port.seller) });
        break;
      case "seller":
        port.seller = message.seller;
        port.send({ kind: "unread", unread: this.history.unread(port.seller) });
        break;
      case "taken":
        port.taken();
        break;
      case "wake":
        this.source?.wake(message.changed);
        // So that the page knows that somebody is here.
        this.#sayStatus(port);
        break;
      case "read":
        this.history.read(port.seller, message.seq);
        this.#changed();
        this.#saveNow();
        break;
      case "history":
        // Copies: a page of this very tab would see them change.
        port.send({ kind: "history", items: this.history.list(port.seller), reads: { ...this.history.reads } });
        break;
      case "backfill":
        this.#backfill(message.events);
        break;
      case "replay":
        this.until = message.until;
        this.place = 0;
        this.#listen(this.sseUrl, "earliest");
        break;
      case "clear":
        this.history.clear(port.seller);
        this.#changed();
        this.#all({ kind: "cleared" });
        break;
      case "bye":
        this.ports.delete(port);
        // With the last page the worker ends, and what it had not written down.
        this.#saveNow();
        break;
    }
  }

  /** Opens the stream, unless it is open; elsewhere when souk has moved. */
  #listen(sseUrl, from) {
    if (this.source && sseUrl === this.source.url && !from) return;
    this.source?.close();
    // A position in another installation's log would be answered with a gap that nobody can do anything about.
    if (this.sseUrl && this.sseUrl !== sseUrl) this.lastId = null;
    this.sseUrl = sseUrl;
    this.source = new Source(sseUrl, from ?? this.lastId, {
      event: (data, id) => this.#event(data, id),
      moved: (id) => this.#moved(id),
      gap: (gap) => this.#gap(gap),
      status: (status) => {
        this.status = status;
        this.#all({ kind: "status", status });
      },
    }, this.env);
  }

  #event(data, id) {
    const event = JSON.parse(data);
    this.lastId = id;
    const at = Date.parse(event.time);
    if (at < this.until) this.#replay(event, at);
    else {
      if (!isCheck(event.sellerid)) this.history.add(noticeOf(event));
      for (const port of this.ports) port.push(event);
    }
    this.#changed();
  }

  /** An event of a replay goes to its place in time. Pages, which have seen it or its effect, are told at the end. */
  #replay(event, at) {
    // In order also within a millisecond.
    this.place = Math.max(this.place + 1, at * 1000);
    if (!isCheck(event.sellerid)) this.replayed.push({ ...noticeOf(event), seq: this.place });
    if (this.replayed.length >= REPLAY_BATCH) this.#takeReplayed();
    clearTimeout(this.ending);
    this.ending = setTimeout(() => this.#all({ kind: "replayed" }), REPLAY_QUIET_MILLIS);
  }

  #takeReplayed() {
    this.history.merge(this.replayed.splice(0));
  }

  #moved(id) {
    if (!id || id === this.lastId) return;
    this.lastId = id;
    this.#save();
  }

  #gap(gap) {
    this.history.add(noticeOfGap(gap, Date.now(), this.history.latest()?.at));
    this.#all({ kind: "gap", gap });
    this.#changed();
  }

  /** Events that were looked up elsewhere go to their place in time; nobody is told of each. */
  #backfill(events) {
    const older = events
      .filter(({ sellerid }) => !isCheck(sellerid))
      .map((event, i) => ({ ...noticeOf(event), seq: Date.parse(event.time) * 1000 + (events.length - i) }));
    this.history.merge(older, { asked: true });
    this.#changed();
    this.#all({ kind: "cleared" });
  }

  #sayStatus(port) {
    port.send({ kind: "status", status: this.status });
  }

  #all(message) {
    for (const port of this.ports) port.send(message);
  }

  #changed() {
    this.counting ??= setTimeout(() => {
      this.counting = null;
      this.#takeReplayed();
      for (const port of this.ports) port.send({ kind: "unread", unread: this.history.unread(port.seller), seq: this.history.seq });
    }, UNREAD_MILLIS);
    this.#save();
  }

  #save() {
    this.saving ??= setTimeout(() => this.#saveNow(), SAVE_MILLIS);
  }

  #saveNow() {
    clearTimeout(this.saving);
    this.saving = null;
    this.#takeReplayed();
    const state = { lastId: this.lastId, reads: this.history.reads, sseUrl: this.sseUrl, until: this.until };
    const taken = this.history.take();
    // Refused (quota, a closed database): the next time writes it too, or the position would be ahead of the notices.
    this.store.save({ ...taken, state }).catch(() => this.history.giveBack(taken));
  }
}

/** Opens the store and makes a hub of it. */
export async function openHub() {
  const store = await Store.open();
  return new Hub(store, await store.load());
}
