/** Chooses the stretch of time and its steps; both are in the address. */
import { html } from "../../html.js";
import { setParams } from "../../route.js";
import { Tabs } from "../../ui/tabs.js";
import { DAY, dayText, PRESETS } from "./range.js";

const STEPS = { minute: "Minutes", hour: "Hours", day: "Days" };

/** @param {{range: any, known: {all: {from: number, to: number}}, children?: any}} props `children`: what else is chosen there */
export function RangePicker({ range, known, children }) {
  const { preset, from, to, step, steps } = range;
  const choose = (value) =>
    setParams({ range: value === "data" ? "" : value, step: "", from: value === "custom" ? dayText(from) : "", to: value === "custom" ? dayText(to - 1) : "" });
  const edges = { min: dayText(known.all.from), max: dayText(known.all.to - DAY) };
  return html`<div class="row picker">
    <label class="row"><span class="small soft">Range</span><select class="input" aria-label="Range" value=${preset} onChange=${(event) => choose(event.currentTarget.value)}>
      ${PRESETS.map(([name, words]) => html`<option key=${name} value=${name}>${words}</option>`)}</select></label>
    ${preset === "custom" && html`<label class="row"><span class="small soft">From</span><input class="input" type="date" aria-label="From" value=${dayText(from)} ...${edges} onChange=${(event) => setParams({ from: event.currentTarget.value })} /></label>
      <label class="row"><span class="small soft">to</span><input class="input" type="date" aria-label="To" value=${dayText(to - 1)} ...${edges} onChange=${(event) => setParams({ to: event.currentTarget.value })} /></label>`}
    ${steps.length > 1 && html`<${Tabs} label="Steps" value=${step} choices=${steps.map((one) => [one, STEPS[one]])} onChoose=${(one) => setParams({ step: one })} />`}
    ${children}
  </div>`;
}
