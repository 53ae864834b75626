/** A choice of few that stands open: buttons of which one is pressed. */
import { html } from "../html.js";
import { loadStyle } from "./style.js";

await loadStyle("style/tabs.css");

/** @param {{label: string, choices: [string, string][], value: string, onChoose: (value: string) => void}} props `choices` are value and words */
export function Tabs({ label, choices, value, onChoose }) {
  return html`<div class="tabs" role="group" aria-label=${label}>${choices.map(
    ([one, words]) => html`<button type="button" key=${one} class="tab" aria-pressed=${value === one ? "true" : "false"} onClick=${() => onChoose(one)}>${words}</button>`,
  )}</div>`;
}
