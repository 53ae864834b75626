/** How long it takes from the write to this screen, second by second, while one looks. */
import { duration, timeOf } from "../../format.js";
import { html, useEffect, useMemo, useState } from "../../html.js";
import { lag } from "../../stream/client.js";
import { Chart } from "../../ui/chart.js";
import { axisNumber, tickLabel } from "./words.js";

const KEPT = 120;

/** As many seconds as are kept, of which nothing is known yet. */
const unknown = () => Array.from({ length: KEPT }, (_, i) => ({ at: Date.now() - (KEPT - i) * 1000, p50: null, p99: null }));

export function LatencyChart() {
  const [samples, setSamples] = useState(/** @type {() => {at: number, p50: number | null, p99: number | null}[]} */ (unknown));
  useEffect(() => {
    const timer = setInterval(() => {
      if (document.hidden) return;
      const { p50, p99, count } = lag.peek();
      const known = count > 0;
      setSamples((before) => [...before.slice(1), { at: Date.now(), p50: known ? p50 : null, p99: known ? p99 : null }]);
    }, 1000);
    return () => clearInterval(timer);
  }, []);
  const { p50, p99, count } = lag.value;
  const times = useMemo(() => samples.map((one) => one.at), [samples]);
  const lines = useMemo(() => {
    const line = (name, of) => ({ name, values: samples.map(of), exact: (ms) => duration(ms) });
    return [line("Half within", (one) => one.p50), line("99 of 100 within", (one) => one.p99)];
  }, [samples]);
  const about = count > 0 ? `Of the last 30 seconds: half within ${duration(p50)}, 99 of 100 within ${duration(p99)}` : "The last two minutes, second by second";
  return html`<${Chart} title="From the write to this screen" about=${about} times=${times} lines=${lines} label=${timeOf}
    tick=${(time) => tickLabel(time, 1, "minute")} short=${axisMillis} empty="Nothing has happened in the shop while you look. As soon as something does, it is measured here." />`;
}

/** @param {number} ms */
const axisMillis = (ms) => (ms < 1000 ? `${axisNumber(ms)} ms` : `${axisNumber(ms / 1000)} s`);
