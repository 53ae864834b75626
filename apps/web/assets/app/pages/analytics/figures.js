/**
 * What the page shows, kept up to date: fetched once for a range, then only what the stream says has changed, at a
 * pace that costs the service little. Nothing is asked while nobody looks.
 */
import { analytics } from "../../api.js";
import { signal } from "../../html.js";
import { onEvents } from "../../stream/client.js";
import { choiceOf, DAY, extentOf, HOUR, lastDayOf, LENGTHS } from "./range.js";
import { fetchAll, figuresOf, happenedAt, merged } from "./series.js";

/** Often enough to see it grow. */
const PACE_MILLIS = 1_500;
/** Pages of a line, and of the totals by day: as many as their ranges can have. */
const MOST_PAGES = 4;
const MOST_DAYS = 12;
/** Ranges that end with the latest thing that happened, in whatever stretch that was. */
const SPANS = ["hour", "day", "week", "month"];

const aggregates = (query, stop) => analytics("/aggregates", query, { signal: stop });
const iso = (time) => new Date(time).toISOString();
const of = (whose) => (whose ? { by: "seller", key: whose } : { by: "total" });

/**
 * @typedef {object} Shown what was asked for, and its answer
 * @property {string} place names what was asked for: other answers do not belong into these lines
 * @property {{preset: string, from: number, to: number, step: import("./range.js").Step}} range
 * @property {"seller" | "category" | ""} by what the lines beside the total are
 * @property {{key: string | null, series: import("./series.js").Series}[]} lines one series for each, the total first
 */

export class FiguresModel {
  constructor() {
    /** What there is: {extent, all, newest, days}; undefined until it is known. */
    this.known = signal(undefined);
    this.shown = signal(/** @type {Shown | null} */ (null));
    this.problem = signal(null);
    /** Grows when rankings are worth asking for again. */
    this.moved = signal(0);
    this.stop = new AbortController();
    this.dirty = Infinity;
    this.dirtyBefore = Infinity;
    this.timer = null;
    this.range = null;
    /** Names what is asked for or shown; null where that failed, so that it is asked for again. @type {string | null} */
    this.place = null;
    /** Totals by day; null until they are known. @type {Map<number, any> | null} */
    this.days = null;
  }

  /** Learns where the data is. @param {string} whose seller, "" for all */
  async learn(whose) {
    this.stop.abort();
    this.stop = new AbortController();
    const { signal: stop } = this.stop;
    if (this.whose !== whose) {
      // Nothing of one seller is shown as another's.
      this.days = null;
      this.known.value = undefined;
      this.shown.value = null;
      this.problem.value = null;
    }
    Object.assign(this, { whose, range: null, place: null });
    try {
      const items = (await fetchAll(aggregates, { window: "day", ...of(whose) }, MOST_DAYS, stop)) ?? [];
      stop.throwIfAborted();
      this.days = new Map(items.map((item) => [Date.parse(item.bucket), item]));
      await this.settle(stop);
      if (stop.aborted) return;
      this.problem.value = null;
      this.wake();
    } catch (problem) {
      if (!stop.aborted) this.problem.value = problem;
    }
  }

  /** Tells what is known from the totals by day; looks for the newest minute where that is not known, or asked for. */
  async settle(stop, look = false) {
    const days = [...this.days].map(([bucket, item]) => ({ bucket, sold: item.unitsSold, events: figuresOf(item).count })).sort((a, b) => a.bucket - b.bucket);
    const extent = extentOf(days);
    const all = days.length > 0 ? { from: days[0].bucket, to: days.at(-1).bucket + DAY } : null;
    let newest = this.known.peek()?.newest ?? 0;
    const last = lastDayOf(days);
    const inLastDay = newest >= last && newest < last + DAY;
    if (last !== undefined && (look || !inLastDay)) newest = await this.newestIn(last, stop);
    if (!stop.aborted) this.known.value = { extent, all, newest };
  }

  /** Returns when the latest sale, or event, of a day was. */
  async newestIn(day, stop) {
    const last = (items) => Date.parse((items.filter((item) => item.unitsSold > 0).at(-1) ?? items.at(-1))?.bucket ?? iso(day));
    const hours = await aggregates({ window: "hour", ...of(this.whose), from: iso(day), to: iso(day + DAY), limit: 24 }, stop);
    const hour = last(hours.items);
    const minutes = await aggregates({ window: "minute", ...of(this.whose), from: iso(hour), to: iso(hour + HOUR), limit: 60 }, stop);
    return last(minutes.items);
  }

  /**
   * Shows a range, with a line for each key of `by` beside the total. What was shown stays until the answer is there.
   * @param {Shown["range"]} range @param {"seller" | "category" | ""} by @param {string[]} keys
   */
  async show(range, by, keys) {
    const { signal: stop } = this.stop;
    const place = [this.whose, choiceOf(range), range.from, by, ...keys].join("\n");
    const { preset } = this.range ?? range;
    this.range = range;
    if (range.preset !== preset && SPANS.includes(range.preset)) {
      // The latest thing was not looked for while its minute did not matter.
      this.dirty = Math.min(this.dirty, this.known.peek()?.newest ?? Infinity);
      this.wake();
    }
    if (this.place === place) return;
    this.place = place;
    try {
      const answers = [null, ...keys].map(async (key) => ({ key, series: merged(new Map(), await this.fetch(by, key, range, range.from, stop)) }));
      const lines = await Promise.all(answers);
      if (stop.aborted || this.place !== place) return;
      this.shown.value = { place, range, by, lines };
      this.problem.value = null;
    } catch (problem) {
      if (stop.aborted || this.place !== place) return;
      this.place = null;
      this.problem.value = problem;
    }
  }

  /** Fetches one line of a range, from `from` on. */
  async fetch(by, key, { step, to }, from, stop) {
    const query = key === null ? of(this.whose) : { by, key };
    return (await fetchAll(aggregates, { window: step, ...query, from: iso(from), to: iso(to) }, MOST_PAGES, stop)) ?? [];
  }

  /** Follows the stream; returns what ends that. */
  follow() {
    const end = onEvents((batch) => {
      for (const event of batch) this.dirty = Math.min(this.dirty, happenedAt(event));
      if (batch.length > 0) this.wake();
    });
    const seen = () => !document.hidden && this.wake();
    document.addEventListener("visibilitychange", seen);
    return () => {
      end();
      document.removeEventListener("visibilitychange", seen);
      clearTimeout(this.timer);
      this.stop.abort();
    };
  }

  /** Events may have been missed: everything that is shown is asked for once more, and stays on the screen meanwhile. */
  doubt() {
    const { all } = this.known.peek() ?? {};
    if (!all) return this.learn(this.whose);
    this.dirty = Math.min(this.dirty, all.from);
    return this.wake();
  }

  wake() {
    if (this.timer !== null || !this.days || document.hidden || Math.min(this.dirty, this.dirtyBefore) === Infinity) return;
    this.timer = setTimeout(() => this.refresh(), PACE_MILLIS);
  }

  /** Asks for what has changed since the last look but one: analytics counts a moment after the stream has told. */
  async refresh() {
    const { days } = this;
    const { signal: stop } = this.stop;
    const from = Math.min(this.dirty, this.dirtyBefore);
    if (!days) {
      // Another seller was chosen, who is asked for whole; then it goes on.
      this.timer = null;
      return;
    }
    [this.dirtyBefore, this.dirty] = [this.dirty, Infinity];
    try {
      const day = Math.floor(from / DAY) * DAY;
      const items = (await fetchAll(aggregates, { window: "day", ...of(this.whose), from: iso(day) }, MOST_DAYS, stop)) ?? [];
      stop.throwIfAborted();
      for (const item of items) days.set(Date.parse(item.bucket), item);
      await this.settle(stop, SPANS.includes(this.range?.preset));
      stop.throwIfAborted();
      await this.grow(from, stop);
      this.moved.value += 1;
    } catch {
      // What is on the screen stays; the next event asks again, from as far back.
      if (!stop.aborted) this.dirty = Math.min(this.dirty, from);
    }
    this.timer = null;
    this.wake();
  }

  /** Puts what has changed since `from` into the lines that are shown, and into no others. */
  async grow(from, stop) {
    const { range, place } = this;
    const shown = this.shown.peek();
    // What could not be had is asked for whole.
    if (place === null) return;
    if (shown?.place === place) {
      const length = LENGTHS[range.step];
      const since = Math.max(range.from, Math.floor(from / length) * length);
      if (since >= range.to) return;
      const grown = await Promise.all(shown.lines.map(({ key }) => this.fetch(shown.by, key, range, since, stop)));
      if (stop.aborted) return;
      if (this.shown.peek() === shown) {
        const lines = shown.lines.map((line, i) => ({ ...line, series: merged(line.series, grown[i]) }));
        this.shown.value = { ...shown, range, lines };
        return;
      }
    }
    // Lines that are on their way, or came meanwhile, may have been read before: the next look adds to them.
    this.dirty = Math.min(this.dirty, from);
  }
}
