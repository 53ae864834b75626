/** The sample that fills an empty shop, as the server's demo tells of it: looked at while it runs, whatever page is open. */
import { own } from "../../api.js";
import { signal } from "../../html.js";
import { resync } from "../../stream/client.js";
import { showToast } from "../../ui/toast.js";

const LOOK_MILLIS = 400;

/**
 * @typedef {{state: "idle" | "running" | "done" | "failed", linesDone: number, linesTotal: number, detail?: string}} Sample
 * @type {import("../../../vendor/signals.js").Signal<Sample>}
 */
export const sample = signal({ state: "idle", linesDone: 0, linesTotal: 0 });
let timer = null;

/** Looks how it is doing, and goes on looking while it runs. Where the demo cannot be had it is as it was. */
export async function watchSample() {
  clearTimeout(timer);
  const before = sample.peek().state;
  const now = await own("demo").catch(() => sample.peek());
  sample.value = now;
  clearTimeout(timer);
  if (now.state === "running") timer = setTimeout(watchSample, LOOK_MILLIS);
  else if (before === "running") ended(now);
}

/** Begins to fill the shop; throws why it does not. */
export async function fillWithSample() {
  sample.value = await own("demo", { method: "POST" });
  watchSample();
}

function ended({ state, detail }) {
  resync.value += 1;
  if (state === "done") showToast({ key: "sample", tone: "good", title: "The sample is in the shop", detail });
  else if (state === "failed") showToast({ key: "sample", tone: "bad", icon: "warn", lasts: 20_000, title: "The sample stopped halfway", detail });
}
