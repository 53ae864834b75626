/** What the page shows, looked at every few seconds while somebody looks at the page. */
import { analytics } from "../../api.js";
import { signal } from "../../html.js";
import { lastArchived } from "./archive.js";
import { countersOf, Rates } from "./metrics.js";
import { askHealth, askMetrics, services } from "./services.js";

const PACE_MILLIS = 2_500;
/** The archive gets an object in minutes, not seconds. */
const ARCHIVE_EVERY = 4;

export class OperationsModel {
  constructor() {
    /** @type {import("../../../vendor/signals.js").Signal<{service: import("./services.js").Service, health: import("./services.js").Health}[] | null>} */
    this.services = signal(null);
    /** Of `GET /progress`; null until it is known, and where it cannot be. */
    this.consumers = signal(null);
    /** {object} or {problem}; undefined until it is known. */
    this.archive = signal(undefined);
    /** By what grows: requests, frames, events, and each consumer. */
    this.rates = signal(/** @type {Record<string, number>} */ ({}));
    this.seenAt = signal(0);
    this.rater = new Rates();
    this.round = 0;
    this.timer = null;
    this.stopped = false;
  }

  /** Begins to look; returns what ends it. */
  start() {
    const wake = () => {
      if (document.hidden) return;
      // What was counted before a pause says nothing about now.
      this.rater.forget();
      clearTimeout(this.timer);
      this.look();
    };
    document.addEventListener("visibilitychange", wake);
    this.look();
    return () => {
      this.stopped = true;
      clearTimeout(this.timer);
      document.removeEventListener("visibilitychange", wake);
    };
  }

  async look() {
    const round = (this.looking = (this.looking ?? 0) + 1);
    const all = services();
    const [healths, metrics, progress] = await Promise.all([
      Promise.all(all.map(askHealth)),
      Promise.all(all.map(askMetrics)),
      analytics("/progress", {}, { attempts: 1 }).catch(() => null),
    ]);
    if (this.round % ARCHIVE_EVERY === 0) lastArchived().then((object) => (this.archive.value = { object }), (problem) => (this.archive.value = { problem }));
    this.round += 1;
    // Another look may have begun when the page was shown again.
    if (this.stopped || round !== this.looking) return;
    this.services.value = all.map((service, i) => ({ service, health: healths[i] }));
    this.consumers.value = progress?.consumers ?? null;
    this.measure(all, healths, metrics);
    this.seenAt.value = Date.now();
    if (!document.hidden) this.timer = setTimeout(() => this.look(), PACE_MILLIS);
  }

  measure(all, healths, metrics) {
    const now = performance.now();
    const rates = {};
    const take = (name, key, count) => {
      const rate = this.rater.take(key, count, now);
      if (rate !== null) rates[name] = (rates[name] ?? 0) + rate;
    };
    all.forEach(({ name }, i) => {
      for (const [counter, count] of Object.entries(countersOf(metrics[i]))) take(counter, `${name} ${counter}`, count);
      for (const check of healths[i].checks) if ("deadLetters" in check.figures) take(check.name, check.name, check.figures.events);
    });
    this.rates.value = rates;
  }
}
