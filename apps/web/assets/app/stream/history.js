/**
 * The notices that are kept, newest last, bounded by group; and up to where they were read. In memory: `store.js`
 * writes it down.
 */
import { KEPT } from "./notices.js";

/** Whose notices those are that nobody in particular sells: gaps. Everybody sees them. */
const EVERYBODY = "";
const isOf = (notice, seller) => !seller || notice.seller === seller || notice.seller === EVERYBODY;

export class History {
  /** @param {import("../types.js").Notice[]} [items] in any order @param {Record<string, number>} [reads] */
  constructor(items = [], reads = {}, kept = KEPT) {
    this.kept = kept;
    /** By group, how many more than that there may be: what somebody has asked for stays while he reads. */
    this.room = { alert: 0, catalog: 0, stock: 0 };
    /** By seller, "*" for all: the last `seq` that was read. */
    this.reads = { ...reads };
    /** @type {Record<string, import("../types.js").Notice[]>} */
    this.groups = { alert: [], catalog: [], stock: [] };
    /** @type {Set<string>} */
    this.ids = new Set();
    this.seq = 0;
    this.fresh = [];
    this.evicted = [];
    for (const item of [...items].sort((a, b) => a.seq - b.seq)) this.#insert(item);
    this.fresh = [];
  }

  #insert(notice) {
    const group = this.groups[notice.group];
    group.push(notice);
    this.#enter(notice);
    // About twice the bound before it is cut, so that a flood does not shift an array for each event.
    if (group.length >= this.#most(notice.group) + this.kept[notice.group]) this.#cut(notice.group);
  }

  #enter(notice) {
    this.ids.add(notice.id);
    this.seq = Math.max(this.seq, notice.seq);
    this.fresh.push(notice);
  }

  #most(name) {
    return this.kept[name] + this.room[name];
  }

  #cut(name) {
    const group = this.groups[name];
    const extra = group.length - this.#most(name);
    if (extra > 0) for (const gone of group.splice(0, extra)) this.#leave(gone);
  }

  #leave({ id }) {
    this.ids.delete(id);
    this.evicted.push(id);
  }

  /** Adds a notice, once. @returns {import("../types.js").Notice | null} null when it was there already */
  add(notice, now = Date.now()) {
    if (this.ids.has(notice.id)) return null;
    // Time leads, so that numbers grow across restarts; the counter orders what came within a millisecond.
    const seq = Math.max(this.seq + 1, now * 1000);
    const kept = { ...notice, seq };
    this.#insert(kept);
    return kept;
  }

  /**
   * Takes in notices of earlier, each once, at the place that its `seq` says. Those that were asked for get room of their
   * own; of others, only what is new enough is kept.
   * @param {import("../types.js").Notice[]} notices
   */
  merge(notices, { asked = false } = {}) {
    for (const name of Object.keys(this.groups)) {
      const added = new Map(notices.filter(({ group, id }) => group === name && !this.ids.has(id)).map((notice) => [notice.id, notice]));
      this.#cut(name);
      if (asked) this.room[name] += added.size;
      const all = [...this.groups[name], ...added.values()].sort((a, b) => a.seq - b.seq);
      for (const gone of all.splice(0, Math.max(0, all.length - this.#most(name)))) if (!added.delete(gone.id)) this.#leave(gone);
      for (const notice of added.values()) this.#enter(notice);
      this.groups[name] = all;
    }
  }

  /** Returns what the seller sees, newest first. @param {string} seller "" for all */
  list(seller) {
    for (const name of Object.keys(this.groups)) this.#cut(name);
    return Object.values(this.groups)
      .flat()
      .filter((notice) => isOf(notice, seller))
      .sort((a, b) => b.seq - a.seq);
  }

  /** Returns the last event that was seen. */
  latest() {
    return this.list("").find(({ kind }) => kind !== "gap");
  }

  /** @param {import("../types.js").Notice} notice */
  isRead(notice) {
    return notice.seq <= Math.max(this.reads["*"] ?? 0, this.reads[notice.seller] ?? 0);
  }

  /** Returns how many wait to be read; movements of stock are there to look up, nobody waits for them. */
  unread(seller) {
    let n = 0;
    for (const name of ["alert", "catalog"]) {
      const group = this.groups[name];
      for (let i = group.length - 1; i >= Math.max(0, group.length - this.#most(name)); i -= 1) {
        if (isOf(group[i], seller) && !this.isRead(group[i])) n += 1;
      }
    }
    return n;
  }

  /** @param {string} seller "" for all @param {number} seq */
  read(seller, seq) {
    const key = seller || "*";
    this.reads[key] = Math.max(this.reads[key] ?? 0, seq);
    // What belongs to everybody was seen by whoever looked at one shop.
    if (seller) this.reads[EVERYBODY] = Math.max(this.reads[EVERYBODY] ?? 0, seq);
  }

  /** Forgets what the seller sees. @param {string} seller "" for all */
  clear(seller) {
    for (const [name, group] of Object.entries(this.groups)) {
      for (const notice of group) if (isOf(notice, seller)) this.#leave(notice);
      this.groups[name] = group.filter((notice) => !isOf(notice, seller));
      if (!seller) this.room[name] = 0;
    }
  }

  /** Takes what has to be written down since the last time: what was added and is still there, and what went. */
  take() {
    for (const name of Object.keys(this.groups)) this.#cut(name);
    const put = this.fresh.filter((notice) => this.ids.has(notice.id));
    const remove = this.evicted;
    this.fresh = [];
    this.evicted = [];
    return { put, remove };
  }

  /** What could not be written down is taken again the next time. @param {{put: import("../types.js").Notice[], remove: string[]}} taken */
  giveBack({ put, remove }) {
    this.fresh.unshift(...put);
    this.evicted.unshift(...remove);
  }
}
