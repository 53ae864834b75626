/** How far the sample is that fills the shop. */
import { html, useEffect } from "../../html.js";
import { count } from "../../format.js";
import { ready } from "../../ready.js";
import { sample, watchSample } from "./sample.js";

export function Progress() {
  const { linesDone, linesTotal } = sample.value;
  return html`<progress class="progress" aria-label="Sample shop" max=${linesTotal || undefined} value=${linesTotal ? linesDone : undefined}></progress>
    ${linesTotal > 0 && html`<span class="small">${count(linesDone)} of ${count(linesTotal)} lines</span>`}`;
}

/** The same, once its first products are in the list. @param {{hidden: boolean}} props */
export function SampleLine({ hidden }) {
  useEffect(() => {
    ready.then(watchSample);
  }, []);
  if (hidden || sample.value.state !== "running") return null;
  return html`<div class="notice tone-info sample"><div class="grow"><div class="title">The shop is filling up with the sample</div><${Progress} /></div></div>`;
}
