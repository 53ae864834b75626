/** Both changed the same field: the two values side by side, and the choice. */
import { html, useState } from "../../html.js";
import { enumerate, money } from "../../format.js";
import { Button } from "../../ui/button.js";
import { Dialog } from "../../ui/dialog.js";
import { LABELS } from "./form.js";

const shown = (field, value) => (value === null || value === undefined || value === "" ? "(empty)" : field === "price" ? money(value) : String(value));

/**
 * @param {{conflicts: import("./merge.js").Conflict[], taken: string[], merged: Record<string, any>, theirs: Record<string, any>,
 *   onCancel: () => void, onChoose: (mine: Record<string, any>) => void}} props
 */
export function Conflict({ conflicts, taken, merged, theirs, onCancel, onChoose }) {
  const [picks, setPicks] = useState(Object.fromEntries(conflicts.map(({ field }) => [field, "mine"])));
  const choose = (event) => {
    event.preventDefault();
    const choices = Object.fromEntries(conflicts.map(({ field }) => [field, picks[field] === "mine" ? merged[field] : theirs[field]]));
    onChoose({ ...merged, ...choices });
  };
  const option = (field, which, words, value) => html`<label class=${`choice ${picks[field] === which ? "picked" : ""}`}>
    <input type="radio" name=${`pick-${field}`} value=${which} checked=${picks[field] === which} onChange=${() => setPicks({ ...picks, [field]: which })} />
    <span><span class="small soft">${words}</span><br />${shown(field, value)}</span></label>`;
  return html`<${Dialog} wide title="Someone else changed this product" onClose=${onCancel} onSubmit=${choose}
    footer=${html`<${Button} onClick=${onCancel}>Back to editing<//><${Button} kind="primary" type="submit">Save the choice<//>`}>
    <p>While you were editing, ${conflicts.length === 1 ? "a field was" : "some fields were"} changed to something else than you wrote. Which shall it be?</p>
    ${conflicts.map(({ field, base, mine, theirs: now }) => html`<fieldset class="conflict" key=${field}>
      <legend>${LABELS[field]} <span class="small soft">was ${shown(field, base)}</span></legend>
      <div class="pair">${option(field, "mine", "Yours", mine)}${option(field, "theirs", "Theirs, as it is now", now)}</div>
    </fieldset>`)}
    ${taken.length > 0 && html`<p class="soft small">Also changed by them, and kept: ${enumerate(taken.map((field) => LABELS[field].toLowerCase()))}.</p>`}
  <//>`;
}
