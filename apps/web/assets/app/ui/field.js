/** A labelled input with its hint and its fault, joined so that a screen reader reads all three. */
import { html } from "../html.js";
import { Icon } from "./icons.js";

/**
 * @param {{name: string, label: string, hint?: any, error?: string, as?: "input" | "textarea" | "select", children?: any,
 *   class?: string, [input: string]: any}} props
 */
export function Field({ name, label, hint, error, as = "input", children, class: extra = "", id = `field-${name}`, ...input }) {
  const about = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ");
  return html`<div class=${`field ${extra}`}>
    <label for=${id}>${label}${input.required && html`<span aria-hidden="true"> *</span>`}</label>
    <${as} class="input" id=${id} name=${name} aria-invalid=${error ? "true" : undefined} aria-describedby=${about || undefined}
      autocomplete="off" ...${input}>${children}<//>
    ${hint && html`<div class="hint" id=${`${id}-hint`}>${hint}</div>`}
    ${error && html`<div class="error" id=${`${id}-error`}><${Icon} name="warn" size=${16} />${error[0].toUpperCase() + error.slice(1)}</div>`}
  </div>`;
}
