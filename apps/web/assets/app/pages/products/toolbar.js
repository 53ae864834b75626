/** Search, filters and order of the list. All of it lives in the address. */
import { html, useEffect, useRef, useState } from "../../html.js";
import { ready } from "../../ready.js";
import { retrying } from "../../retry.js";
import { HOME, route, setParams } from "../../route.js";
import { onEvents, resync } from "../../stream/client.js";
import { Icon } from "../../ui/icons.js";
import { categories, loadCategories, sawCategories } from "./categories.js";
import { DEFAULT_SORT, SORTS } from "./query.js";

/** A pause this long in typing is worth a request. */
const PAUSE_MILLIS = 110;

export function Toolbar() {
  const { q = "", category = "", low = "", sort = DEFAULT_SORT } = route.value.params;
  const again = resync.value;
  useEffect(() => onEvents(sawCategories), []);
  useEffect(() => {
    const stop = new AbortController();
    const { signal } = stop;
    // As with sellers: there is no hurry, and no end.
    ready.then(() => signal.aborted || retrying(() => loadCategories(signal), { attempts: Infinity, signal })).catch(() => undefined);
    return () => stop.abort();
  }, [again]);
  const names = category && !categories.value.includes(category) ? [category, ...categories.value] : categories.value;
  return html`<div class="toolbar" role="search">
    <${Search} q=${q} />
    <select class="input" aria-label="Category" value=${category} onChange=${(event) => setParams({ category: event.currentTarget.value })}>
      <option value="">All categories</option>${names.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}
    </select>
    <select class="input" aria-label="Sort" value=${sort} onChange=${(event) => setParams({ sort: event.currentTarget.value })}>
      ${SORTS.map(([value, words]) => html`<option key=${value} value=${value}>${words}</option>`)}
    </select>
    <label class="check"><input type="checkbox" checked=${Boolean(low)} onChange=${(event) => setParams({ low: event.currentTarget.checked ? "1" : "" })} />Low stock only</label>
  </div>`;
}

function Search({ q }) {
  const [text, setText] = useState(q);
  const timer = useRef(null);
  const sent = useRef(q);
  // The address can change by itself: back, a link, a cleared filter.
  useEffect(() => {
    if (q !== sent.current) {
      clearTimeout(timer.current);
      setText(q);
    }
    sent.current = q;
  }, [q]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const send = (value) => {
    clearTimeout(timer.current);
    // This page is shown until the next one is here: what was typed last is no search of that one.
    if (route.peek().page !== HOME) return;
    sent.current = value;
    setParams({ q: value }, { replace: true });
  };
  return html`<div class="search"><${Icon} name="search" size=${18} />
    <input class="input" type="search" data-search aria-label="Search products" placeholder="Search by name or SKU" value=${text} autocomplete="off" spellcheck="false" enterkeyhint="search"
      onInput=${(event) => {
        const { value } = event.currentTarget;
        setText(value);
        clearTimeout(timer.current);
        timer.current = setTimeout(() => send(value), PAUSE_MILLIS);
      }}
      onKeyDown=${(event) => {
        if (event.key === "Enter") send(event.currentTarget.value);
        if (event.key === "Escape" && text) {
          setText("");
          send("");
        }
      }} /><kbd aria-hidden="true">/</kbd></div>`;
}
