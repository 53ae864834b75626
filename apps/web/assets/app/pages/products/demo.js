/** The first thing in an empty shop: one press fills it with the months of a real one. */
import { html, useEffect, useState } from "../../html.js";
import { count } from "../../format.js";
import { ready } from "../../ready.js";
import { Button } from "../../ui/button.js";
import { Empty, Failure } from "../../ui/empty.js";
import { fillWithSample, sample, watchSample } from "./sample.js";

function Progress() {
  const { linesDone, linesTotal } = sample.value;
  return html`<progress class="progress" aria-label="Sample shop" max=${linesTotal || undefined} value=${linesTotal ? linesDone : undefined}></progress>
    ${linesTotal > 0 && html`<span class="small">${count(linesDone)} of ${count(linesTotal)} lines</span>`}`;
}

/** @param {{onNew: () => void, onFill: () => void}} props */
export function EmptyShop({ onNew, onFill }) {
  const { state, detail } = sample.value;
  const [problem, setProblem] = useState(null);
  const fill = () => {
    setProblem(null);
    // Who looks at a part of the shop sees the whole of it fill up.
    return fillWithSample().then(onFill, setProblem);
  };
  const running = state === "running";
  return html`<${Empty} icon="products" title=${running ? "The shop is filling up" : "The stall is set up. Nothing is on it yet."}
    actions=${!running && html`<${Button} kind="primary" icon="box" onClick=${fill}>Fill with the sample shop<//><${Button} icon="plus" onClick=${onNew}>New product<//>`}>
    ${running ? detail || "Real transactions go through the api, one after the other." : "Add your first product, or fill the shop with seven months of a real one and watch them go by."}
    ${running && html`<br /><${Progress} />`}
    ${state === "failed" && html`<br /><span class="error">The sample could not be loaded: ${detail}</span>`}
  <//>${problem && html`<${Failure} problem=${problem} retry=${fill} />`}`;
}

/** How far the sample is, once its first products are in the list. @param {{hidden: boolean}} props */
export function SampleLine({ hidden }) {
  useEffect(() => {
    ready.then(watchSample);
  }, []);
  if (hidden || sample.value.state !== "running") return null;
  return html`<div class="notice tone-info sample"><div class="grow"><div class="title">The shop is filling up with the sample</div><${Progress} /></div></div>`;
}
