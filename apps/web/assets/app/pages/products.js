/** The products page: a live list of the shop, and everything that is done to a product. */
import { api } from "../api.js";
import { html, useEffect, useLayoutEffect, useMemo, useRef } from "../html.js";
import { plural } from "../format.js";
import { pageIsReady } from "../ready.js";
import { route, setParams, takeBack } from "../route.js";
import { seller } from "../seller.js";
import { Later } from "../shell/later.js";
import { onEvents, resync, status } from "../stream/client.js";
import { Button } from "../ui/button.js";
import { Failure } from "../ui/empty.js";
import { announce } from "../ui/live.js";
import { actionsOn } from "./products/actions.js";
import { farewells } from "./products/farewells.js";
import { takeFirst } from "./products/first.js";
import { Nothing } from "./products/nothing.js";
import { SampleLine } from "./products/progress.js";
import { listQuery } from "./products/query.js";
import { Rows } from "./products/rows.js";
import { Summary } from "./products/summary.js";
import { ProductTable } from "./products/table.js";
import { Toolbar } from "./products/toolbar.js";

export default function Products() {
  const { rows, act, presence } = useMemo(() => {
    const rows = new Rows((query, signal) => takeFirst(query) ?? api.list(query, signal));
    return {
      rows,
      /** Where the pointer and the focus are: nothing moves under them. */
      presence: { pointed: false, within: false, atTop: true, focusRow: (_index) => {} },
      act: actionsOn({
        expect: (id, pending) => rows.expect(id, pending),
        update: (product) => rows.update(product),
        hide: (id) => rows.hide(id),
        nameOf: (id) => rows.row(id)?.peek().product.name ?? "the product",
      }),
    };
  }, []);
  const { params } = route.value;
  const query = listQuery(params, seller.value);
  const asked = JSON.stringify(query);
  const again = resync.value;

  // Before the paint: the list is on its way while the frame is drawn.
  useLayoutEffect(() => {
    scrollTo(0, 0);
    rows.start(query);
  }, [asked]);
  useEffect(() => {
    if (again > 0) rows.refresh();
  }, [again]);
  useEffect(() => {
    const endFarewells = farewells(rows, () => presence.pointed);
    const end = onEvents((batch) => {
      rows.apply(batch, presence.atTop && !presence.pointed && !presence.within && !route.peek().params.edit);
    });
    return () => {
      endFarewells();
      end();
    };
  }, []);

  // Whoever could not be reached may be back when the stream is.
  const live = status.value;
  useEffect(() => {
    if (live === "live" && rows.state.peek() === "failed") rows.refresh();
  }, [live]);

  const state = rows.state.value;
  const empty = rows.ids.value.length === 0;
  const failure = state === "failed" && html`<${Failure} problem=${rows.problem.value} retry=${() => rows.retry()} />`;
  useEffect(() => {
    if (state !== "first") pageIsReady();
  }, [state]);
  const create = () => setParams({ edit: "new" });
  const close = () => takeBack({ edit: "" });
  // The drawer gives the focus back to what opened it: when that is deleted from within, the next row takes it.
  const removed = useRef(-1);
  const remove = (product) => {
    removed.current = rows.ids.peek().indexOf(product.id);
    act.remove(product);
  };
  useEffect(() => {
    if (params.edit || removed.current < 0) return;
    presence.focusRow(removed.current);
    removed.current = -1;
  }, [params.edit]);
  return html`
    <div class="page-head"><div><h1>Products</h1></div>
      <${Button} kind="primary" icon="plus" data-new onClick=${create}>New product<//></div>
    <${Summary} />
    <${Toolbar} />
    <${SampleLine} hidden=${empty} />
    ${failure && !rows.partly && failure}
    <div class="list" aria-busy=${state === "reading" ? "true" : undefined}>
      <${Waiting} rows=${rows} />
      ${(state === "first" || (state === "reading" && empty)) && html`<${Loading} />`}
      ${!empty && html`<${ProductTable} rows=${rows} act=${act} presence=${presence} />`}
      ${!empty && (failure && rows.partly ? failure : html`<p class="list-end soft small">${state === "more" ? "Reading more…" : rows.more.value ? "" : `${plural(rows.ids.value.length, "product")}, that is all`}</p>`)}
      ${empty && (state === "ready" || state === "more") && html`<div class="card"><${Nothing} key=${asked} query=${query} onNew=${create} /></div>`}
    </div>
    ${params.edit && html`<${Later} key=${params.edit} load=${() => import("./products/editor.js")} id=${params.edit} onClose=${close}
      onSaved=${(product) => {
        rows.put(product);
      }} onRemove=${remove} />`}`;
}

/** New ones that were not put in, since someone is at work in the rows. */
function Waiting({ rows }) {
  const n = rows.waiting.value;
  // That there are some is told once; how many changes with every frame.
  useEffect(() => {
    if (n > 0) announce("There are new products to show");
  }, [n > 0]);
  return html`<div class="waiting">${n > 0 && html`<button type="button" class="button primary small" onClick=${() => {
    scrollTo(0, 0);
    rows.reload();
    announce("The list is up to date");
  }}>${n >= 10_000 ? "Many" : n} new, show</button>`}</div>`;
}

function Loading() {
  return html`<div class="card table-card" aria-hidden="true">${Array.from({ length: 10 }, (_, i) => html`<div class="row-skeleton" key=${i}><span class="skeleton">loading the product</span><span class="skeleton">seller</span><span class="skeleton">12</span></div>`)}</div>`;
}
