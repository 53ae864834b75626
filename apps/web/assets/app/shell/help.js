/** The keys, written down; and whether they work anywhere. */
import { html } from "../html.js";
import { PAGES } from "../pages.js";
import { Dialog } from "../ui/dialog.js";
import { keysAnywhere, setKeysAnywhere } from "./keys.js";

const KEYS = [
  [["/"], "Search"],
  [["n"], "New product"],
  [["↑", "↓"], "Row above, row below; Home and End: the first and last that are loaded"],
  [["+", "−"], "On a row: one more, one less in stock"],
  [["e"], "On a row: edit"],
  [["Delete"], "On a row: delete, with undo"],
  [["Esc"], "Close, or leave a field as it was"],
  [["?"], "This help"],
];

/** @param {{onClose: () => void}} props */
export default function Help({ onClose }) {
  const goes = PAGES.map(({ keys, title }) => [["g", keys], `Go to ${title}`]);
  return html`<${Dialog} title="Keyboard" onClose=${onClose}>
    <label class="check"><input type="checkbox" checked=${keysAnywhere.value} onChange=${(event) => setKeysAnywhere(event.currentTarget.checked)} />Keys work anywhere on the page</label>
    <p class="small soft">Turned off, they do on a row that has the focus, and nowhere else.</p><dl class="keys">${[...KEYS, ...goes].map(
    ([keys, what]) => html`<dt key=${what}>${keys.map((key) => html`<kbd>${key}</kbd> `)}</dt><dd>${what}</dd>`,
  )}</dl><//>`;
}
