/** Stock of a row: less, the figure (which can be typed over), more. */
import { html, useLayoutEffect, useRef, useState } from "../../html.js";
import { count } from "../../format.js";
import { Icon } from "../../ui/icons.js";
import { parseStock } from "./adjuster.js";

/** @param {{id: string, name: string, stock: number, tab: number, disabled: boolean, act: import("./actions.js").Actions}} props */
export function StockControl({ id, name, stock, tab, disabled, act }) {
  /** What is being typed, and the stock that it started from. @type {[{text: string, from: number} | null, any]} */
  const [draft, setDraft] = useState(null);
  const [wrong, setWrong] = useState(false);
  const input = useRef(null);
  // Leaving by Escape must not save what is left behind.
  const dropped = useRef(false);
  // Before the next key: a selection that came later would have it replace the digits typed so far.
  useLayoutEffect(() => {
    if (draft && draft.text === String(draft.from)) input.current.select();
  }, [draft === null]);

  const commit = () => {
    const given = draft && !dropped.current ? parseStock(draft.text, draft.from) : null;
    dropped.current = false;
    setDraft(null);
    setWrong(false);
    if (!given || given.delta === 0) return undefined;
    return act.setStock(id, name, given, draft.from);
  };
  // The focus goes on in the row: to the row itself where it takes it, else to the next control.
  const leave = (field) => {
    const row = field.closest("tr[tabindex]");
    (row ?? field.nextElementSibling).focus();
  };
  const keys = (event) => {
    if (event.key === "Enter") {
      if (draft && parseStock(draft.text, draft.from) === null) setWrong(true);
      else leave(event.currentTarget);
    } else if (event.key === "Escape") {
      dropped.current = true;
      leave(event.currentTarget);
    } else return;
    event.stopPropagation();
    event.preventDefault();
  };
  const meanwhile = draft && stock !== draft.from;
  return html`<div class=${`stepper ${wrong ? "wrong" : ""}`}>
    <button type="button" tabindex=${tab} disabled=${disabled} aria-disabled=${stock <= 0 ? "true" : undefined} aria-label=${`Decrease stock of ${name}`} onClick=${() => stock > 0 && act.step(id, -1)}><${Icon} name="minus" size=${16} /></button>
    <input ref=${input} class="num" inputmode="text" autocomplete="off" tabindex=${tab} disabled=${disabled} aria-label=${`Stock of ${name}`}
      aria-invalid=${wrong ? "true" : undefined} title=${wrong ? "A whole number, or +5 or -3" : "Type a number, or +5 or -3"}
      value=${draft ? draft.text : count(stock)}
      onFocus=${() => setDraft({ text: String(stock), from: stock })}
      onInput=${(event) => {
        setWrong(false);
        setDraft({ text: event.currentTarget.value, from: draft?.from ?? stock });
      }}
      onBlur=${commit} onKeyDown=${keys} />
    <button type="button" tabindex=${tab} disabled=${disabled} aria-label=${`Increase stock of ${name}`} onClick=${() => act.step(id, 1)}><${Icon} name="plus" size=${16} /></button>
    ${meanwhile && html`<span class="meanwhile">now ${count(stock)}</span>`}
  </div>`;
}
