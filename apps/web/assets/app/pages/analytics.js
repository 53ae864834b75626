/** Figures of the shop over time: what was sold, by whom, and how much happened; growing while one looks. */
import { compactMoney, count, money } from "../format.js";
import { html, useEffect, useMemo, useState } from "../html.js";
import { pageIsReady } from "../ready.js";
import { go, route, setParams } from "../route.js";
import { seller } from "../seller.js";
import { resync } from "../stream/client.js";
import { Chart } from "../ui/chart.js";
import { Button } from "../ui/button.js";
import { Empty, Failure, Skeleton } from "../ui/empty.js";
import { loadStyle } from "../ui/style.js";
import { Tabs } from "../ui/tabs.js";
import { sumDecimals } from "./analytics/decimal.js";
import { FiguresModel } from "./analytics/figures.js";
import { LatencyChart } from "./analytics/latency.js";
import { linesOf } from "./analytics/lines.js";
import { RangePicker } from "./analytics/picker.js";
import { covers, rangeOf } from "./analytics/range.js";
import { Ranking, useRanking } from "./analytics/ranking.js";
import { laidOut } from "./analytics/series.js";
import { axisNumber, bucketLabel, tickLabel } from "./analytics/words.js";

await loadStyle("style/analytics.css");

/** Lines beside the total that can still be told apart. */
const MOST_LINES = 5;

export default function Analytics() {
  const model = useMemo(() => new FiguresModel(), []);
  const whose = seller.value;
  const again = resync.value;
  const [tries, retry] = useState(0);
  const { params } = route.value;

  useEffect(() => {
    model.learn(whose);
  }, [whose, tries]);
  useEffect(() => {
    if (again > 0) model.doubt();
  }, [again]);
  useEffect(() => model.follow(), []);

  const known = model.known.value;
  const range = known ? rangeOf(params, known) : null;
  const split = whose ? "" : ["seller", "category"].includes(params.split) ? params.split : "";
  const whole = Boolean(range && known.all && range.from <= known.all.from && range.to >= known.all.to) || range?.preset === "data";
  const rankings = {
    seller: useRanking("seller", range, whole, whose, model),
    category: useRanking("category", range, whole, whose, model),
    product: useRanking("product", range, whole, whose, model),
  };
  const keys = split ? (rankings[split]?.rows ?? []).slice(0, MOST_LINES).map((row) => row.key) : [];
  useEffect(() => {
    if (range) model.show(range, /** @type {any} */ (split), keys);
  }, [range?.from, range?.to, range?.step, range?.preset, split, keys.join("\n"), whose, tries, known]);
  const shown = model.shown.value;
  const problem = model.problem.value;
  useEffect(() => {
    if (known !== undefined && (!range || shown)) pageIsReady();
  }, [known, shown]);

  // What is measured here and now goes on whatever else is chosen.
  return html`<${Head} range=${shown && range} /><div class="stack">${content()}</div><${LatencyChart} />`;

  function content() {
    const failure = problem && html`<${Failure} problem=${problem} retry=${() => retry(tries + 1)} />`;
    const waiting = html`<div class="card pad"><${Skeleton} lines=${10} /></div>`;
    if (known === undefined || (range && !shown)) return failure || waiting;
    if (!range) {
      return html`<div class="card"><${Empty} icon="chart" title="No figures yet" actions=${html`<${Button} kind="primary" onClick=${() => go("products")}>Go to the products<//>`}>
        As soon as something happens in the shop${whose ? ` of ${whose}` : ""}, it is counted here.<//></div>`;
    }
    return html`<${RangePicker} range=${range} known=${known}>${!whose && html`<${Tabs} label="Split by" value=${split} choices=${SPLITS} onChoose=${(value) => setParams({ split: value })} />`}<//>
      ${failure}
      ${covers(shown.range, range) ? html`<${Pictures} range=${range} lines=${shown.lines} split=${shown.by === split ? split : ""} />` : !failure && waiting}
      <div class="rankings">
        ${!whose && html`<${Ranking} title="Top sellers" ranking=${rankings.seller} />`}
        <${Ranking} title="Top products" ranking=${rankings.product} link />
        ${!whose && html`<${Ranking} title="Categories" ranking=${rankings.category} />`}
      </div>`;
  }
}

function Head({ range = null }) {
  return html`<div class="page-head"><div><h1>Analytics</h1><p>${range ? `${bucketLabel(range.from, range.step)} to ${bucketLabel(range.step === "day" ? range.to - 1 : range.to, range.step)}, ${STEPS[range.step]}` : "What was sold, and how much happened"}</p></div></div>`;
}

const SPLITS = [["", "Total"], ["seller", "Sellers"], ["category", "Categories"]];
const STEPS = { minute: "by minute", hour: "by hour", day: "by day (UTC)" };

/** The figures of the range, and the charts. */
function Pictures({ range, lines, split }) {
  const { step } = range;
  const shown = useMemo(() => lines.map(({ key, series }) => ({ key, ...laidOut(series, range) })), [lines, range.from, range.to, step]);
  const [{ times, figures }] = shown;
  /** Whether the lines beside the total are there by now. */
  const apart = split && shown.length > 1 ? split : "";
  const drawn = useMemo(() => linesOf(shown, Boolean(apart)), [shown, apart]);
  const sums = useMemo(
    () => ({
      revenue: sumDecimals(figures.map((one) => one.revenue)),
      sold: figures.reduce((sum, one) => sum + one.sold, 0),
      returned: figures.reduce((sum, one) => sum + one.returned, 0),
      events: figures.reduce((sum, one) => sum + one.count, 0),
    }),
    [figures],
  );
  const axes = { times, utc: step === "day", label: (time) => bucketLabel(time, step), tick: (time, increment) => tickLabel(time, increment, step) };
  const whom = { seller: ["The seller", "sellers"], category: ["The category", "categories"] }[apart];
  /** Whose lines they are. */
  const most = whom && (drawn.revenue.length === 1 ? `${whom[0]} with most revenue` : `The ${count(drawn.revenue.length)} ${whom[1]} with most revenue`);
  const figure = (name, value, exact) => html`<div class="figure"><dt>${name}</dt><dd title=${exact}>${value}</dd></div>`;
  return html`<dl class="figures">
      ${figure("Revenue", compactMoney(sums.revenue), money(sums.revenue))}
      ${figure("Units sold", count(sums.sold))}
      ${figure("Units returned", count(sums.returned))}
      ${figure("Events", count(sums.events))}
    </dl>
    <div class="charts">
      <${Chart} key=${`revenue ${apart}`} title="Revenue" about=${most ?? "Sold less returned, at the price of the day"}
        kind=${drawn.revenue.length > 1 ? "lines" : "bars"} lines=${drawn.revenue} short=${axisNumber} ...${axes} />
      <${Chart} key=${`units ${apart}`} title="Units" about=${most && `${most}: sold less returned`} kind="lines" lines=${drawn.units} short=${axisNumber} ...${axes} />
      <${Chart} key=${`events ${apart}`} title=${`Events per ${step}`} about=${most && `${most}: events of all types`} kind="lines" lines=${drawn.events} short=${axisNumber} ...${axes} />
    </div>`;
}
