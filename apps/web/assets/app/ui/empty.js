/** Places where there is nothing (yet), and what to do about it; and where something failed. */
import { html } from "../html.js";
import { Button } from "./button.js";
import { Icon } from "./icons.js";

/** @param {{icon?: string, title: string, children?: any, actions?: any}} props */
export function Empty({ icon = "box", title, children, actions }) {
  return html`<div class="empty"><div class="picture"><${Icon} name=${icon} size=${56} /></div><h2>${title}</h2>
    <p>${children}</p>${actions && html`<div class="row">${actions}</div>`}</div>`;
}

/** @param {{problem: import("../problem.js").Problem, retry?: () => void}} props */
export function Failure({ problem, retry }) {
  return html`<div class="notice tone-bad" role="alert"><${Icon} name="warn" /><div class="grow">
      <div class="title">${problem.title ?? "Something went wrong"}</div><div>${problem.detail || problem.message}</div>
      ${problem.requestId && html`<div class="small soft">Request ${problem.requestId}</div>`}
    </div>${retry && html`<${Button} size="small" icon="refresh" onClick=${retry}>Try again<//>`}</div>`;
}

/** Grey lines in place of what is being loaded the first time. @param {{lines?: number}} props */
export function Skeleton({ lines = 6 }) {
  return html`<div class="stack" aria-hidden="true">${Array.from({ length: lines }, (_, i) => html`<div class="skeleton" key=${i}>loading</div>`)}</div>`;
}
