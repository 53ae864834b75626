/** The first thing in an empty shop: one press fills it with the months of a real one. */
import { own } from "../../api.js";
import { html, useEffect, useState } from "../../html.js";
import { count } from "../../format.js";
import { Button } from "../../ui/button.js";
import { Empty, Failure } from "../../ui/empty.js";

const LOOK_MILLIS = 400;

/** @param {{onNew: () => void, onDone: () => void}} props */
export function EmptyShop({ onNew, onDone }) {
  const [demo, setDemo] = useState({ state: "idle", linesDone: 0, linesTotal: 0 });
  const [problem, setProblem] = useState(null);
  const running = demo.state === "running";
  useEffect(() => {
    let timer = null;
    let stopped = false;
    const look = async () => {
      try {
        const now = await own("demo");
        if (stopped) return;
        if (running && now.state === "done") onDone();
        setDemo(now);
      } catch (error) {
        // Where the demo cannot be had, the shop can still be filled by hand.
        if (running && !stopped) setProblem(error);
      }
      if (running && !stopped) timer = setTimeout(look, LOOK_MILLIS);
    };
    look();
    return () => {
      stopped = true;
      clearTimeout(timer);
    };
  }, [running]);
  const fill = async () => {
    setProblem(null);
    try {
      await own("demo", { method: "POST" });
      setDemo({ ...demo, state: "running" });
    } catch (error) {
      setProblem(error);
    }
  };
  const { linesDone, linesTotal, detail } = demo;
  return html`<${Empty} icon="products" title=${running ? "The shop is filling up" : "The stall is set up. Nothing is on it yet."}
    actions=${!running && html`<${Button} kind="primary" icon="box" onClick=${fill}>Fill with the sample shop<//><${Button} icon="plus" onClick=${onNew}>New product<//>`}>
    ${running ? detail || "Real transactions go through the api, one after the other." : "Add your first product, or fill the shop with the transactions of a real one from December 2010 and watch it live."}
    ${running && html`<br /><progress class="progress" aria-label="Sample shop" max=${linesTotal || undefined} value=${linesTotal ? linesDone : undefined}></progress><br />
      <span class="small">${count(linesDone)} of ${count(linesTotal)} lines</span>`}
    ${demo.state === "failed" && html`<br /><span class="error">The sample could not be loaded: ${detail}</span>`}
  <//>${problem && html`<${Failure} problem=${problem} retry=${fill} />`}`;
}
