/**
 * Charts over time, on uPlot, which is fetched with the first page that draws. The picture is for eyes; beside it is a
 * sentence for those who listen, and the same figures as a table for everybody.
 */
import { html, signal, useEffect, useMemo, useRef, useState } from "../html.js";
import { theme } from "../theme.js";
import uPlot from "../../vendor/uplot.js";
import { loadStyle } from "./style.js";

await Promise.all([loadStyle("vendor/uplot.css"), loadStyle("style/charts.css")]);

const HEIGHT = 220;
/** Rows of the table: nobody reads more, and more would make the page slow. */
const MOST_ROWS = 200;
/** Colours of lines in their order, with a dash for those who do not see colours. */
const STROKES = ["--accent", "--info", "--good", "--warn", "--bad", "--ink-soft"];
const DASHES = [[], [8, 4], [2, 3], [12, 3, 2, 3], [5, 5], [1, 4]];

/** Grows when colours have changed: the canvas does not notice by itself. */
const shade = signal(0);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => (shade.value += 1));

/** Returns what a token is just now: canvases take no light-dark(). @param {string[]} tokens */
function colours(tokens) {
  const probe = document.createElement("span");
  document.body.append(probe);
  const found = tokens.map((token) => {
    probe.style.color = `var(${token})`;
    return getComputedStyle(probe).color;
  });
  probe.remove();
  return found;
}

/**
 * @typedef {object} Line
 * @property {string} name
 * @property {(number | null)[]} values
 * @property {(value: number | null, index: number) => string} exact as the table and the readout have it
 *
 * @param {{title: string, about?: any, kind?: "bars" | "lines", times: number[], lines: Line[], utc?: boolean, label: (time: number) => string,
 *   tick: (time: number, increment: number) => string, short: (value: number) => string, empty?: string}} props `times` in milliseconds;
 *   `label` names one of them, `tick` and `short` are for the axes; `empty` is said where no value is known
 */
export function Chart({ title, about, kind = "lines", times, lines, utc = false, label, tick, short, empty }) {
  const holder = useRef(null);
  const plot = useRef(null);
  const [at, setAt] = useState(/** @type {number | null} */ (null));
  const data = useMemo(() => [times.map((time) => time / 1000), ...lines.map((line) => line.values)], [times, lines]);
  const shape = `${kind} ${utc} ${lines.length} ${theme.value} ${shade.value}`;
  const said = useRef({ tick, short });
  said.current = { tick, short };

  useEffect(() => {
    const [ink, grid, ...strokes] = colours(["--ink-soft", "--line", ...STROKES]);
    const font = getComputedStyle(document.body).fontFamily;
    const axis = { stroke: ink, font: `12px ${font}`, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1, size: 5 } };
    const drawn = new uPlot(
      {
        width: Math.max(holder.current.clientWidth, 120),
        height: HEIGHT,
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
        scales: { x: { time: true }, y: { range: (_, low, high) => [Math.min(0, low), high > 0 ? high * 1.06 : low < 0 ? 0 : 1] } },
        tzDate: (seconds) => (utc ? uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC") : new Date(seconds * 1000)),
        axes: [
          { ...axis, size: 34, space: 70, values: (_, splits, _axis, _space, increment) => splits.map((split) => said.current.tick(split * 1000, increment)) },
          { ...axis, size: 58, values: (_, splits) => splits.map((split) => said.current.short(split)) },
        ],
        series: [
          {},
          ...lines.map((_, i) => ({
            stroke: strokes[i % strokes.length],
            width: kind === "bars" ? 0 : 2,
            dash: kind === "bars" ? [] : DASHES[i % DASHES.length],
            fill: kind === "bars" ? strokes[i % strokes.length] : undefined,
            paths: kind === "bars" ? uPlot.paths.bars({ size: [0.72, 48], radius: 0.15 }) : undefined,
            points: { show: false },
            spanGaps: false,
          })),
        ],
        hooks: { setCursor: [(u) => setAt(u.cursor.idx ?? null)] },
      },
      data,
      holder.current,
    );
    plot.current = drawn;
    const resized = new ResizeObserver(() => {
      const width = holder.current?.clientWidth;
      if (width > 0 && width !== drawn.width) drawn.setSize({ width, height: HEIGHT });
    });
    resized.observe(holder.current);
    return () => {
      resized.disconnect();
      drawn.destroy();
      plot.current = null;
    };
  }, [shape]);
  useEffect(() => plot.current?.setData(data), [data]);

  const shown = at !== null && at < times.length ? at : null;
  return html`<figure class="card chart" aria-label=${title}>
    <figcaption><h2>${title}</h2>${about && html`<p class="small soft">${about}</p>`}</figcaption>
    <div class="readout small" aria-hidden="true">${shown === null
      ? lines.length > 1 && lines.map((line, i) => html`<span key=${line.name} class="key"><${Swatch} i=${i} />${line.name}</span>`)
      : html`<b>${label(times[shown])}</b>${lines.map((line, i) => html`<span key=${line.name} class="key"><${Swatch} i=${i} />${lines.length > 1 && `${line.name} `}${line.exact(line.values[shown], shown)}</span>`)}`}</div>
    <div class="frame"><div class="plot" ref=${holder} role="img" aria-label=${sentence(title, times, lines, label)}></div>
      ${empty && lines.every((line) => line.values.every((value) => value === null)) && html`<p class="nothing soft">${empty}</p>`}</div>
    <${AsTable} title=${title} times=${times} lines=${lines} label=${label} />
  </figure>`;
}

/** The stroke of a line, beside its name. @param {{i: number}} props */
function Swatch({ i }) {
  return html`<svg width="22" height="8" viewBox="0 0 22 8" class=${`stroke stroke-${i % STROKES.length}`}><path d="M0 4h22" stroke="currentColor" stroke-width="3" stroke-dasharray=${DASHES[i % DASHES.length].join(" ") || undefined} /></svg>`;
}

/** What the picture shows, in words. */
function sentence(title, times, lines, label) {
  if (lines.every((line) => line.values.every((value) => value === null))) return `${title}: nothing yet`;
  const each = lines.map((line) => {
    let top = 0;
    line.values.forEach((value, i) => {
      if ((value ?? -Infinity) > (line.values[top] ?? -Infinity)) top = i;
    });
    return `${lines.length > 1 ? `${line.name}: ` : ""}at most ${line.exact(line.values[top], top)} on ${label(times[top])}`;
  });
  return `${title} from ${label(times[0])} to ${label(times.at(-1))}. ${each.join("; ")}`;
}

/** The figures as a table, newest first; made when it is opened. */
function AsTable({ title, times, lines, label }) {
  const [open, setOpen] = useState(false);
  const rows = open ? times.map((_, i) => i).filter((i) => lines.some((line) => line.values[i])).reverse() : [];
  return html`<details class="as-table" onToggle=${(event) => setOpen(event.currentTarget.open)}><summary class="small">As a table</summary>
    ${open && html`<div class="scroll" tabindex="0" role="region" aria-label=${`${title}, table`}><table>
      <thead><tr><th scope="col">Time</th>${lines.map((line) => html`<th scope="col" class="num" key=${line.name}>${line.name}</th>`)}</tr></thead>
      <tbody>${rows.slice(0, MOST_ROWS).map((i) => html`<tr key=${times[i]}><th scope="row">${label(times[i])}</th>${lines.map((line) => html`<td class="num" key=${line.name}>${line.exact(line.values[i], i)}</td>`)}</tr>`)}</tbody>
    </table>${rows.length === 0 && html`<p class="small soft">Nothing happened in this range.</p>`}${rows.length > MOST_ROWS && html`<p class="small soft">The ${MOST_ROWS} newest with figures; choose a shorter range for the others.</p>`}</div>`}
  </details>`;
}
