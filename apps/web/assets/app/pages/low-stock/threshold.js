/** Thresholds: a product's own, changed in place; and the shop's default, which products without one follow. */
import { analytics, api } from "../../api.js";
import { config } from "../../config.js";
import { html, signal, useState } from "../../html.js";
import { count } from "../../format.js";
import { rememberOwn } from "../../own.js";
import { announce } from "../../ui/live.js";
import { showProblem } from "../../ui/toast.js";

/** The server's `LOW_STOCK_THRESHOLD`: 10 until we know better. */
export const defaultThreshold = signal(10);

/** Learns the default from what the server says, or from a warning about a product without a threshold of its own. */
export async function learnDefault() {
  if (Number.isInteger(config.lowStockThreshold)) {
    defaultThreshold.value = config.lowStockThreshold;
    return;
  }
  const { items } = await analytics("/events", { type: "LowStockWarning", limit: 100 });
  const telling = items.find((event) => event.data.product.lowStockThreshold === null);
  if (telling) defaultThreshold.value = telling.data.threshold;
}

/** Saves a threshold, over changes of other fields, which are none of its business. */
async function save(product, lowStockThreshold) {
  let { version } = product;
  for (let round = 0; ; round += 1) {
    try {
      return await api.patch(product.id, { lowStockThreshold }, version);
    } catch (problem) {
      if (problem.code !== "precondition-failed" || round >= 4) throw problem;
      version = problem.members.version;
    }
  }
}

/** @param {{product: import("../../types.js").Product, onSaved: (product: any) => void}} props */
export function Threshold({ product, onSaved }) {
  const [draft, setDraft] = useState(/** @type {string | null} */ (null));
  const own = product.lowStockThreshold;
  const commit = async (text) => {
    setDraft(null);
    const tidy = text.trim();
    if (tidy !== "" && !/^\d{1,10}$/.test(tidy)) return;
    const value = tidy === "" ? null : Number(tidy);
    if (value === own) return;
    try {
      const saved = await save(product, value);
      rememberOwn(saved.id, saved.version);
      onSaved(saved);
      announce(`The threshold of ${product.name} is ${value === null ? "the shop's default" : value}`);
    } catch (problem) {
      showProblem(problem, { title: `The threshold of ${product.name} was not changed` });
    }
  };
  return html`<input class="input threshold num" inputmode="numeric" autocomplete="off" aria-label=${`Threshold of ${product.name}`} title="Empty: the shop's default"
    placeholder=${`${count(defaultThreshold.value)}`} value=${draft ?? (own === null ? "" : String(own))}
    onFocus=${(event) => event.currentTarget.select()}
    onInput=${(event) => setDraft(event.currentTarget.value)}
    onBlur=${() => draft !== null && commit(draft)}
    onKeyDown=${(event) => {
      if (event.key === "Enter") event.currentTarget.blur();
      if (event.key === "Escape") {
        setDraft(null);
        event.currentTarget.value = own === null ? "" : String(own);
      }
    }} />`;
}
