/** Thresholds: a product's own, changed in place; and the shop's default, which products without one follow. */
import { health } from "../../api.js";
import { html, signal, useState } from "../../html.js";
import { count } from "../../format.js";
import { rememberOwn } from "../../own.js";
import { announce } from "../../ui/live.js";
import { showProblem, showToast } from "../../ui/toast.js";
import { wholeOf } from "../products/numbers.js";
import { saveThreshold } from "./save.js";

/** The server's `LOW_STOCK_THRESHOLD`; null while nobody has told us. @type {import("../../../vendor/signals.js").Signal<number | null>} */
export const defaultThreshold = signal(null);

/** Learns the default from what the api says of itself. */
export async function learnDefault() {
  const { checks } = await health();
  const told = checks?.catalog?.lowStockThreshold;
  if (Number.isInteger(told)) defaultThreshold.value = told;
}

/** @param {{product: import("../../types.js").Product, onSaved: (product: any) => void}} props */
export function Threshold({ product, onSaved }) {
  /** What is being typed, and the product as it was when that began. @type {[{text: string, from: import("../../types.js").Product} | null, any]} */
  const [draft, setDraft] = useState(null);
  const own = product.lowStockThreshold;
  const name = `The threshold of ${product.name}`;
  const words = (value) => (value === null ? "the shop's default" : count(value));
  /** Sets it, unless another has since it was as in `from`. */
  const set = async (from, value) => {
    try {
      const { product: now, saved } = await saveThreshold(from, value);
      onSaved(now);
      if (!saved) {
        showToast({
          key: `threshold-${product.id}`, tone: "warn", icon: "warn", lasts: 20_000, title: `${name} changed meanwhile`,
          detail: `Someone else made it ${words(now.lowStockThreshold)}. It was left as it is.`,
          action: { label: `Set to ${words(value)}`, run: () => set(now, value) },
        });
        return;
      }
      rememberOwn(now.id, now.version);
      announce(`${name} is ${words(value)}`);
    } catch (problem) {
      showProblem(problem, { title: `${name} was not changed` });
    }
  };
  const commit = ({ text, from }) => {
    setDraft(null);
    const whole = wholeOf(text);
    const value = text.trim() === "" ? null : Number(whole);
    if (value !== null && (whole === null || value < 0)) showToast({ tone: "warn", icon: "warn", title: `${name} was not changed`, detail: `“${text.trim()}” is no whole number.` });
    else if (value !== (from.lowStockThreshold ?? null)) set(from, value);
  };
  return html`<input class="input threshold num" inputmode="numeric" autocomplete="off" aria-label=${`Threshold of ${product.name}`} title="Empty: the shop's default"
    placeholder=${defaultThreshold.value === null ? "" : count(defaultThreshold.value)} value=${draft?.text ?? (own === null ? "" : String(own))}
    onFocus=${(event) => event.currentTarget.select()}
    onInput=${(event) => setDraft({ text: event.currentTarget.value, from: draft?.from ?? product })}
    onBlur=${() => draft !== null && commit(draft)}
    onKeyDown=${(event) => {
      if (event.key === "Enter") event.currentTarget.blur();
      if (event.key === "Escape") {
        setDraft(null);
        event.currentTarget.value = own === null ? "" : String(own);
      }
    }} />`;
}
