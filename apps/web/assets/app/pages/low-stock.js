/** What runs low, by how many days it still lasts; the threshold and the restock are in the row. */
import { api } from "../api.js";
import { html, signal, useEffect, useMemo, useRef, useState } from "../html.js";
import { count, plural } from "../format.js";
import { pageIsReady } from "../ready.js";
import { wait } from "../retry.js";
import { go, route, setParams, takeBack } from "../route.js";
import { seller } from "../seller.js";
import { Later } from "../shell/later.js";
import { onEvents, resync } from "../stream/client.js";
import { Button } from "../ui/button.js";
import { Empty, Failure, Skeleton } from "../ui/empty.js";
import { announce } from "../ui/live.js";
import { loadStyle } from "../ui/style.js";
import { actionsOn } from "./products/actions.js";
import { Rows } from "./products/rows.js";
import { byUrgency } from "./low-stock/cover.js";
import { rates } from "./low-stock/rates.js";
import { LowRow } from "./low-stock/row.js";
import { bestSellers, learnFirst } from "./low-stock/sellers.js";
import { learnDefault } from "./low-stock/threshold.js";

await loadStyle("style/low-stock.css");

/** So many are read, in pages; who has more to restock than this starts with one seller. */
const MOST = 5_000;
/** So many rates of what there is least of are asked for first, and at a time when they have to be looked at again. */
const FIRST_RATES = 40;
/** They are here before anybody has read a line, or the list is shown without them. */
const PATIENCE_MILLIS = 300;
const RELEARN_MILLIS = 5_000;
const STEP = 100;
const FAREWELL_MILLIS = 2_500;
/** What a rate is made of. */
const MOVES = new Set(["sale", "return"]);

/** Whether someone works in the list or points at it: it must not be sorted under them. */
const isAtWork = () => document.activeElement?.closest("table") || document.querySelector("tr.low:hover");

export default function LowStock() {
  const { rows, order, act } = useMemo(() => {
    const rows = new Rows((query, signal) => api.list(query, signal), MOST);
    const act = actionsOn({
      expect: (id, pending) => rows.expect(id, pending),
      update: (product) => rows.update(product),
      hide: (id) => rows.hide(id),
      nameOf: (id) => rows.row(id)?.peek().product.name ?? "the product",
    });
    return { rows, act: { ...act, edit: (id) => setParams({ edit: id }) }, order: signal(/** @type {string[] | null} */ (null)) };
  }, []);
  const [most, setMost] = useState(STEP);
  const whose = seller.value;
  const again = resync.value;
  const { edit } = route.value.params;

  useEffect(() => {
    const stop = new AbortController();
    const sort = () => {
      const keyed = rows.ids.peek().map((id) => {
        const { product } = rows.row(id).peek();
        return { id, stock: product.stock, name: product.name, rate: rates.rate(id) };
      });
      order.value = keyed.sort(byUrgency).map(({ id }) => id);
    };
    /** Whether more is known than the order tells, which somebody at work in the list kept as it was. */
    let due = false;
    const settle = () => {
      if (stop.signal.aborted) return;
      due = Boolean(isAtWork());
      if (!due) sort();
    };
    (async () => {
      const best = bestSellers(stop.signal);
      await rows.start({ lowStock: "true", sort: "stock", ...(whose && { sellerId: whose }) });
      if (stop.signal.aborted) return;
      learnDefault().catch(() => undefined);
      const ids = rows.ids.peek();
      // What sells may have more than hundreds that nobody buys, and be gone before them.
      const first = best.then((best) => rates.learn(learnFirst(ids, best, FIRST_RATES), stop.signal));
      await Promise.race([first, wait(PATIENCE_MILLIS)]);
      if (stop.signal.aborted) return;
      sort();
      pageIsReady();
      // Once more when more is known, unless someone is at work in the list by then.
      await first;
      settle();
      await rates.learn(ids, stop.signal);
      settle();
    })();
    const relearn = async () => {
      const ids = order.peek() ?? [];
      due ||= ids.some((id) => !rates.rate(id));
      if (!document.hidden) await rates.learn(rates.wanting(ids).slice(0, FIRST_RATES), stop.signal);
      if (due) settle();
      if (!stop.signal.aborted) timer = setTimeout(relearn, RELEARN_MILLIS);
    };
    let timer = setTimeout(relearn, RELEARN_MILLIS);
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [whose, again]);

  useEffect(() => {
    let farewell = null;
    const sweep = () => {
      farewell = null;
      const within = document.activeElement?.closest?.("[data-id]")?.dataset.id;
      const hovered = document.querySelector("tr.low:hover")?.getAttribute("data-id");
      const before = rows.ids.peek().length;
      rows.leave((id, { product, pending, gone }) => (gone || (!product.lowStock && pending === 0)) && id !== within && id !== hovered);
      if (rows.ids.peek().length < before) order.value = order.peek()?.filter((id) => rows.row(id)) ?? null;
    };
    const end = onEvents((batch) => {
      for (const event of batch) if (MOVES.has(event.data.reason) && rows.row(event.subject)) rates.doubt(event.subject);
      rows.apply(batch, false);
      // An empty list has nobody at work in it, and promises that what falls below appears at once.
      if (rows.state.peek() === "ready" && rows.ids.peek().length === 0 && rows.waiting.peek() > 0) resync.value += 1;
      if (batch.length > 0) farewell ??= setTimeout(sweep, FAREWELL_MILLIS);
    });
    const timer = setInterval(sweep, FAREWELL_MILLIS);
    return () => {
      clearInterval(timer);
      clearTimeout(farewell);
      end();
    };
  }, []);

  // The drawer gives the focus back to what opened it: when that is deleted from within, the next row takes it.
  const removed = useRef(-1);
  const remove = (product) => {
    removed.current = (order.peek() ?? []).indexOf(product.id);
    act.remove(product);
  };
  useEffect(() => {
    if (edit || removed.current < 0) return;
    const links = [...document.querySelectorAll("tr.low th a")];
    (links[Math.min(removed.current, links.length - 1)] ?? document.getElementById("main")).focus();
    removed.current = -1;
  }, [edit]);

  const state = rows.state.value;
  const there = rows.ids.value.length;
  const ids = (order.value ?? []).filter((id) => rows.row(id));
  const waiting = rows.waiting.value;
  useEffect(() => {
    if (waiting > 0) announce("There are more products to show");
  }, [waiting > 0]);
  const title = rows.more.value ? `The ${count(there)} with the least stock` : plural(there, "product");
  return html`
    <div class="page-head"><div><h1>Low stock</h1><p>${state === "first" ? "Below the threshold, the most urgent first" : `${title} below the threshold, the most urgent first`}</p></div></div>
    ${state === "failed" && html`<${Failure} problem=${rows.problem.value} retry=${() => (resync.value += 1)} />`}
    <div class="list" aria-busy=${state === "reading" ? "true" : undefined}>
      <div class="waiting">${waiting > 0 && html`<button type="button" class="button primary small" onClick=${() => (resync.value += 1)}>${count(waiting)} more, show</button>`}</div>
      ${(order.value === null || (ids.length === 0 && state === "reading")) && state !== "failed" && html`<div class="card pad"><${Skeleton} lines=${8} /></div>`}
      ${order.value !== null && ids.length === 0 && state === "ready" && html`<div class="card"><${Empty} icon="check" title="Everything is in stock" actions=${html`<${Button} onClick=${() => go("products")}>Go to the products<//>`}>
        No product${whose ? ` of ${whose}` : ""} is below its threshold. One that falls below appears here at once.<//></div>`}
      ${ids.length > 0 && html`<div class="card table-card"><table class="low-table" aria-label="Low stock">
        <thead><tr><th scope="col">Product</th><th scope="col">Lasts</th><th scope="col" class="stock-cell">Stock</th><th scope="col">Threshold</th><th scope="col"><span class="vh">Restock</span></th></tr></thead>
        <tbody>${ids.slice(0, most).map((id) => html`<${LowRow} key=${id} row=${rows.row(id)} act=${act} onSaved=${(product) => rows.update(product)} />`)}</tbody>
      </table></div>`}
      ${rows.more.value && html`<p class="soft small">There are more below their threshold than are read here. Choose a seller to see all of theirs.</p>`}
      ${ids.length > most && html`<div class="row more"><${Button} onClick=${() => setMost(most + STEP)}>Show more<//></div>`}
    </div>
    ${edit && html`<${Later} key=${edit} load=${() => import("./products/editor.js")} id=${edit} onClose=${() => takeBack({ edit: "" })} onSaved=${(product) => rows.update(product)} onRemove=${remove} />`}`;
}
