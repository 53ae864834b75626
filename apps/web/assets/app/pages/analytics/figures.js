/**
 * What the page shows, kept up to date: fetched once for a range, then only what the stream says has changed, at a
 * pace that costs the service little. Nothing is asked while nobody looks.
 */
import { analytics } from "../../api.js";
import { signal } from "../../html.js";
import { onEvents } from "../../stream/client.js";
import { DAY, extentOf, HOUR, LENGTHS } from "./range.js";
import { fetchAll, figuresOf, happenedAt, merged } from "./series.js";

/** Often enough to see it grow. */
const PACE_MILLIS = 1_500;
/** Pages of a line, and of the totals by day: as many as their ranges can have. */
const MOST_PAGES = 4;
const MOST_DAYS = 12;
/** Ranges that end with the latest thing that happened. */
const SPANS = ["hour", "day", "week", "month"];

const aggregates = (query, stop) => analytics("/aggregates", query, { signal: stop });
const iso = (time) => new Date(time).toISOString();
const of = (whose) => (whose ? { by: "seller", key: whose } : { by: "total" });

export class FiguresModel {
  constructor() {
    /** What there is: {extent, all, newest, days}; undefined until it is known. */
    this.known = signal(undefined);
    /** One series for each line: [{key, name, series}], the total first. */
    this.lines = signal(/** @type {{key: string | null, series: import("./series.js").Series}[] | null} */ (null));
    this.problem = signal(null);
    /** Grows when rankings are worth asking for again. */
    this.moved = signal(0);
    this.stop = new AbortController();
    this.dirty = Infinity;
    this.dirtyBefore = Infinity;
    this.timer = null;
    this.range = null;
  }

  /** Learns where the data is. @param {string} whose seller, "" for all */
  async learn(whose) {
    this.stop.abort();
    this.stop = new AbortController();
    const { signal: stop } = this.stop;
    this.whose = whose;
    this.range = null;
    this.lines.value = null;
    try {
      const items = (await fetchAll(aggregates, { window: "day", ...of(whose) }, MOST_DAYS, stop)) ?? [];
      this.days = new Map(items.map((item) => [Date.parse(item.bucket), item]));
      await this.settle(stop);
      this.problem.value = null;
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
    const inLastDay = extent && newest >= extent.to - DAY && newest < extent.to;
    if (extent && (look || !inLastDay)) newest = await this.newestIn(extent.to - DAY, stop);
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
   * Shows a range, with a line for each key of `by` beside the total.
   * @param {{from: number, to: number, step: import("./range.js").Step}} range @param {"seller" | "category" | ""} by @param {string[]} keys
   */
  async show(range, by, keys) {
    const { signal: stop } = this.stop;
    const same = this.range && this.range.step === range.step && this.by === by && this.keys.join("\n") === keys.join("\n");
    const grown = same && this.range.from === range.from;
    Object.assign(this, { range, by, keys });
    if (grown && this.lines.peek()) return;
    try {
      const lines = await Promise.all(this.queries().map(async ({ key, query }) => ({ key, series: merged(new Map(), await this.fetch(query, range.from, stop)) })));
      if (!stop.aborted && this.range === range) this.lines.value = lines;
    } catch (problem) {
      if (!stop.aborted) this.problem.value = problem;
    }
  }

  queries() {
    return [{ key: null, query: of(this.whose) }, ...this.keys.map((key) => ({ key, query: { by: this.by, key } }))];
  }

  async fetch(query, from, stop) {
    const { step, to } = this.range;
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
    if (this.timer !== null || document.hidden || Math.min(this.dirty, this.dirtyBefore) === Infinity) return;
    this.timer = setTimeout(() => this.refresh(), PACE_MILLIS);
  }

  /** Asks for what has changed since the last look but one: analytics counts a moment after the stream has told. */
  async refresh() {
    const from = Math.min(this.dirty, this.dirtyBefore);
    [this.dirtyBefore, this.dirty] = [this.dirty, Infinity];
    const { signal: stop } = this.stop;
    try {
      const day = Math.floor(from / DAY) * DAY;
      const days = (await fetchAll(aggregates, { window: "day", ...of(this.whose), from: iso(day) }, MOST_DAYS, stop)) ?? [];
      for (const item of days) this.days.set(Date.parse(item.bucket), item);
      const { range } = this;
      await this.settle(stop, SPANS.includes(range?.preset));
      const length = LENGTHS[range?.step ?? "day"];
      if (range && this.lines.peek()) {
        const since = Math.max(range.from, Math.floor(from / length) * length);
        const queries = this.queries();
        const grown = await Promise.all(queries.map(({ query }) => (since < this.range.to ? this.fetch(query, since, stop) : [])));
        const lines = this.lines.peek();
        // Another range may have been chosen meanwhile.
        if (!stop.aborted && range.step === this.range?.step && lines?.length === grown.length) {
          this.lines.value = lines.map((line, i) => ({ ...line, series: merged(line.series, grown[i]) }));
        }
      }
      this.moved.value += 1;
    } catch {
      // What is on the screen stays; the next event asks again, from as far back.
      if (!stop.aborted) this.dirty = Math.min(this.dirty, from);
    }
    this.timer = null;
    this.wake();
  }
}
