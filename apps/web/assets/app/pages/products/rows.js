/**
 * The rows of the list: pages as they are fetched, patched in place by the stream. Each row is a signal of its own, so
 * that a change touches that row on the screen and no other. The order never changes by itself.
 */
import { batch, signal } from "../../html.js";
import { leaving } from "./leaving.js";
import { matches } from "./query.js";

export const FIRST_PAGE = 100;
const NEXT_PAGE = 250;
/** The api's longest page. */
const DEEP_PAGE = 500;
/** Whoever has scrolled further loses the rest, and reads it again on the way down. */
const MOST_REFRESHED = 5_000;
/** Products that the stream told of lately: a page that was read before them must not bring back what was. */
const MOST_RECENT = 2_000;
/** After this many insertions the first page is read anew, so that a flood of new products stays bounded. */
const MOST_INSERTED = 500;
/** Beyond this nobody counts. */
const MOST_UNSEEN = 10_000;
/** Changes a second that are lit. More than that shows by itself, and lighting all of them costs more than all else. */
const MOST_LIT = 8;

/** A product as it was before a change. @param {import("../../types.js").Product} product @param {Record<string, {from: any}>} changes */
const before = (product, changes) => ({ ...product, ...Object.fromEntries(Object.entries(changes).map(([field, { from }]) => [field, from])) });

/** Whether what made `old` into `product` took it out of the list. */
const left = (old, product, query) => matches(old, query) && !matches(product, query);

/**
 * @typedef {object} Row
 * @property {import("../../types.js").Product} product
 * @property {number} pending what was added to the stock here and is not confirmed yet
 * @property {number} changed grows with each change by others
 * @property {boolean} gone it was deleted; it stays where it is until nobody points at it
 * @property {boolean} out it was changed and does not belong to this list any more; it stays for as long
 */
export class Rows {
  /**
   * @param {(query: object, signal: AbortSignal) => Promise<{items: import("../../types.js").Product[], nextCursor: string | null}>} list
   * @param {number} [depth] so many are read before any is shown
   */
  constructor(list, depth = FIRST_PAGE) {
    this.list = list;
    this.depth = depth;
    /** @type {import("../../../vendor/signals.js").Signal<string[]>} */
    this.ids = signal([]);
    /** How many new ones wait to be shown. */
    this.waiting = signal(0);
    /** `reading`: the rows on the screen are about to be others. @type {import("../../../vendor/signals.js").Signal<"first" | "reading" | "ready" | "more" | "failed">} */
    this.state = signal("first");
    this.problem = signal(null);
    this.more = signal(false);
    /** Grows with every row that is to be swept. */
    this.parting = signal(0);
    /** @type {Map<string, import("../../../vendor/signals.js").Signal<Row>>} */
    this.rows = new Map();
    this.recent = new Map();
    this.unseen = new Set();
    /**
     * What has come into the list since the first page was asked for, and whether it was created then: the page may have
     * been read before.
     * @type {Map<string, boolean>}
     */
    this.meanwhile = new Map();
    this.held = new Map();
    this.inserted = 0;
    /** In the second that began then. */
    this.lit = { since: 0, count: 0 };
    this.cursor = null;
    this.query = { sort: "-createdAt" };
    /** The query that the rows on the screen are of. */
    this.shown = this.query;
    /** Whether it is a further page that failed: the rows above it are good. */
    this.partly = false;
    this.abort = new AbortController();
  }

  /** Reads the beginning of a query. What is on the screen stays until it is here. */
  start(query) {
    if (JSON.stringify(query) !== JSON.stringify(this.query)) this.query = query;
    return this.#anew(this.depth);
  }

  reload() {
    return this.start(this.query);
  }

  /** Does again what failed, from where it failed. */
  retry() {
    if (!this.partly) return this.refresh();
    this.state.value = "ready";
    return this.loadMore();
  }

  /** What is read anew for the same question needs no word, unless it had failed. */
  #busy() {
    const state = this.state.peek();
    if (state === "failed" || (state !== "first" && this.shown !== this.query)) this.state.value = "reading";
  }

  /** Reads anew what is loaded, as deep as it goes, and shows it at once: nobody loses their place. */
  refresh() {
    return this.#anew(Math.max(this.depth, Math.min(this.ids.peek().length, MOST_REFRESHED)));
  }

  async #anew(depth) {
    this.abort.abort();
    this.abort = new AbortController();
    const { signal: aborted } = this.abort;
    this.meanwhile.clear();
    this.#busy();
    let all = { items: [], nextCursor: null };
    let asked = 0;
    try {
      do {
        const limit = Math.min(DEEP_PAGE, Math.max(FIRST_PAGE, depth - asked));
        asked += limit;
        const page = await this.list({ ...this.query, limit, ...(all.nextCursor && { cursor: all.nextCursor }) }, aborted);
        if (aborted.aborted) return;
        all = { items: [...all.items, ...page.items], nextCursor: page.nextCursor };
      } while (all.nextCursor && asked < depth);
      batch(() => this.#take(all, true));
    } catch (problem) {
      if (!aborted.aborted) this.#failed(problem, true);
    }
  }

  /** What is on the screen is old, not wrong, and stays; unless it was of another query. */
  #failed(problem, anew) {
    batch(() => {
      const fits = (id) => matches(this.rows.get(id).peek().product, this.query);
      if (this.shown !== this.query) this.#keep(this.ids.peek().filter(fits));
      this.partly = !anew;
      this.problem.value = problem;
      this.state.value = "failed";
    });
  }

  /** Reads the next page, unless one is on its way. */
  async loadMore() {
    if (!this.more.peek() || this.state.peek() !== "ready") return;
    this.state.value = "more";
    const { signal: aborted } = this.abort;
    try {
      const page = await this.list({ ...this.query, limit: NEXT_PAGE, cursor: this.cursor }, aborted);
      if (!aborted.aborted) batch(() => this.#take(page, false));
    } catch (problem) {
      if (!aborted.aborted) this.#failed(problem, false);
    }
  }

  #take({ items, nextCursor }, anew) {
    const ids = anew ? [] : [...this.ids.peek()];
    const there = new Set(ids);
    const old = this.rows;
    if (anew) this.rows = new Map();
    for (const item of items) {
      const heard = this.recent.get(item.id);
      const product = heard && heard.version > item.version ? heard.product : item;
      // The same product can be on two pages when it moved between them.
      if (product === null || there.has(item.id) || leaving.has(item.id)) continue;
      // The page was read before it was changed out of the list.
      if (product !== item && left(item, product, this.query)) continue;
      there.add(item.id);
      this.unseen.delete(item.id);
      ids.push(item.id);
      const known = old.get(item.id);
      if (!known) this.rows.set(item.id, signal({ product, pending: 0, changed: 0, gone: false, out: false }));
      else {
        this.rows.set(item.id, known);
        const row = known.peek();
        // What had left another list may belong to this one.
        if (product.version > row.product.version) known.value = { ...row, product, out: false };
        else if (row.out && matches(row.product, this.query)) known.value = { ...row, out: false };
      }
    }
    this.ids.value = ids;
    this.shown = this.query;
    this.cursor = nextCursor;
    this.more.value = nextCursor !== null;
    this.state.value = "ready";
    this.problem.value = null;
    if (anew) {
      this.inserted = 0;
      this.unseen.clear();
      this.#catchUp(there);
    }
    this.waiting.value = this.unseen.size;
  }

  /** Takes in what came into the list while the page was on its way. @param {Set<string>} there */
  #catchUp(there) {
    const products = [...this.meanwhile.keys()].map((id) => this.recent.get(id)?.product);
    const missing = products.filter((product) => product && !there.has(product.id) && !leaving.has(product.id) && matches(product, this.query));
    // What was changed may be as old as any.
    const tops = this.query.sort === "-createdAt" ? missing.filter(({ id }) => this.meanwhile.get(id)) : [];
    const onTop = tops.length <= MOST_INSERTED ? tops : [];
    this.meanwhile.clear();
    for (const { id } of missing) this.unseen.add(id);
    for (const { id } of onTop) this.unseen.delete(id);
    this.#onTop(onTop);
  }

  /** @param {string} id */
  row(id) {
    return this.rows.get(id);
  }

  /**
   * Takes in what the stream told. `mayInsert`: new rows may come in on top, since nobody points at or works in the
   * rows; else they are counted.
   * @param {import("../../types.js").SoukEvent[]} events @param {boolean} mayInsert @param {number} [now]
   */
  apply(events, mayInsert, now = Date.now()) {
    if (now - this.lit.since >= 1_000) this.lit = { since: now, count: 0 };
    this.lit.count += events.length;
    batch(() => {
      const tops = [];
      for (const event of events) {
        if (event.type === "ProductCreated") this.#created(event, tops);
        else if (event.type === "ProductUpdated") this.update(event.data.product, true, event.data.changes);
        else if (event.type === "ProductDeleted") this.#deleted(event);
      }
      if (tops.length > 0) this.#insert(tops, mayInsert);
      this.waiting.value = this.unseen.size;
    });
  }

  #remember(id, version, product) {
    this.recent.delete(id);
    this.recent.set(id, { version, product });
    if (this.recent.size > MOST_RECENT) this.recent.delete(this.recent.keys().next().value);
  }

  #created(event, tops) {
    const { product } = event.data;
    this.#remember(product.id, product.version, product);
    if (!matches(product, this.query) || leaving.has(product.id)) return;
    if (this.meanwhile.size < MOST_RECENT) this.meanwhile.set(product.id, true);
    if (!this.rows.has(product.id)) tops.push(product);
  }

  #insert(products, mayInsert) {
    const onTop = mayInsert && this.query.sort === "-createdAt" && this.state.peek() !== "first";
    if (!onTop || this.inserted + products.length > MOST_INSERTED) {
      for (const { id } of products) this.#count(id);
      if (onTop && this.state.peek() === "ready") {
        this.state.value = "more";
        this.reload();
      }
      return;
    }
    this.inserted += products.length;
    this.#onTop(products);
  }

  /** It is in the list, and not on the screen. */
  #count(id) {
    if (this.unseen.size < MOST_UNSEEN) this.unseen.add(id);
  }

  #onTop(products) {
    if (products.length === 0) return;
    const changed = this.#few() ? 1 : 0;
    for (const product of products) this.rows.set(product.id, signal({ product, pending: 0, changed, gone: false, out: false }));
    this.ids.value = [...products.map(({ id }) => id).reverse(), ...this.ids.peek()];
  }

  #few() {
    return this.lit.count <= MOST_LIT;
  }

  /**
   * A product as it is now, from the stream or from an answer.
   * @param {import("../../types.js").Product} product @param {boolean} [byStream]
   * @param {Record<string, {from: any, to: any}>} [changes] what the stream says was changed
   */
  update(product, byStream = false, changes = undefined) {
    this.#remember(product.id, product.version, product);
    const row = this.rows.get(product.id);
    if (!matches(product, this.query)) this.unseen.delete(product.id);
    else if (changes && !leaving.has(product.id) && !matches(before(product, changes), this.query)) {
      // Changed into the list. What was in it before and has no row is further down, and no news.
      if (this.meanwhile.size < MOST_RECENT && !this.meanwhile.has(product.id)) this.meanwhile.set(product.id, false);
      if (!row) this.#count(product.id);
    }
    if (!row) return;
    const { product: old, pending, changed, out: wasOut } = row.peek();
    if (product.version <= old.version) return;
    // While an adjustment of ours is on its way its event may come first: counted twice, the figure would jump.
    if (byStream && pending !== 0) {
      if (!(this.held.get(product.id)?.version > product.version)) this.held.set(product.id, product);
      return;
    }
    // While another list is on its way, the rows are still those of the one that is shown.
    const out = !matches(product, this.shown) && (wasOut || left(old, product, this.shown));
    row.value = { product, pending, changed: changed + (byStream && this.#few() ? 1 : 0), gone: false, out };
    if (out) this.parting.value += 1;
  }

  /** A product that was just saved here: it is shown at once, on top where it is new. @param {import("../../types.js").Product} product */
  put(product) {
    if (this.rows.has(product.id)) this.update(product);
    else if (matches(product, this.query)) {
      this.#remember(product.id, product.version, product);
      this.unseen.delete(product.id);
      this.waiting.value = this.unseen.size;
      this.rows.set(product.id, signal({ product, pending: 0, changed: 1, gone: false, out: false }));
      this.ids.value = [product.id, ...this.ids.peek()];
    }
  }

  #deleted(event) {
    this.#remember(event.subject, event.data.version, null);
    this.unseen.delete(event.subject);
    const row = this.rows.get(event.subject);
    if (!row) return;
    row.value = { ...row.peek(), gone: true };
    this.parting.value += 1;
  }

  /** Shows an adjustment before it is confirmed. @param {string} id @param {number} pending all that is on its way */
  expect(id, pending) {
    const row = this.rows.get(id);
    if (!row) return;
    row.value = { ...row.peek(), pending };
    if (pending !== 0) return;
    const held = this.held.get(id);
    this.held.delete(id);
    if (held) this.update(held);
  }

  /**
   * Takes away what was deleted, or does not belong to the list any more, except where someone is. Returns whether some of
   * it is left.
   * @param {(id: string) => boolean} busy
   */
  sweep(busy) {
    this.leave((id, { gone, out, pending }) => (gone || (out && pending === 0)) && !busy(id));
    const goes = ({ gone, out }) => gone || out;
    return this.ids.peek().some((id) => goes(this.rows.get(id).peek()));
  }

  /** Takes rows out that do not belong there any more. @param {(id: string, row: Row) => boolean} which */
  leave(which) {
    const ids = this.ids.peek();
    const kept = ids.filter((id) => !which(id, this.rows.get(id).peek()));
    if (kept.length < ids.length) this.#keep(kept);
  }

  /** Hides a row that is about to be deleted. Returns what brings it back to its place, if that is still in this list. */
  hide(id) {
    const place = this.ids.peek().indexOf(id);
    const row = this.rows.get(id);
    leaving.add(id);
    if (place >= 0) this.#keep(this.ids.peek().filter((one) => one !== id));
    return () => {
      leaving.delete(id);
      if (place < 0 || !row || this.rows.has(id) || !matches(row.peek().product, this.query)) return;
      this.rows.set(id, row);
      this.ids.value = this.ids.peek().toSpliced(place, 0, id);
    };
  }

  #keep(left) {
    const kept = new Set(left);
    for (const id of this.rows.keys()) if (!kept.has(id)) this.rows.delete(id);
    this.ids.value = left;
  }
}
