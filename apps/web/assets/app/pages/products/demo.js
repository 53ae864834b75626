/** The first thing in an empty shop: one press fills it with the months of a real one. */
import { html, useState } from "../../html.js";
import { Button } from "../../ui/button.js";
import { Empty, Failure } from "../../ui/empty.js";
import { Progress } from "./progress.js";
import { fillWithSample, sample } from "./sample.js";

/** @param {{onNew: () => void, onFill: () => void}} props */
export default function EmptyShop({ onNew, onFill }) {
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
