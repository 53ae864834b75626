/**
 * The table. Only what is on the screen is in the document (`window.js`); the page scrolls as if all were. Arrow keys
 * go from row to row, Tab through the controls of one.
 */
import { html, useLayoutEffect, useRef, useState } from "../../html.js";
import { ready } from "../../ready.js";
import { ProductRow } from "./row.js";
import { BEYOND, heightOf, segments, windowOf } from "./window.js";

/** Rows left below the screen when the next page is asked for. */
const AHEAD = 80;
/** Scrolled by less than this below the first row, in pixels, a reader is still at the top. */
const NEAR_TOP = 60;
/** How long after the last scroll a page is at rest, in milliseconds. */
const REST_MS = 500;
/** By then a frame is painted, in milliseconds. */
const PAINTED_MS = 50;

/** @param {{rows: import("./rows.js").Rows, act: import("./actions.js").Actions, presence: {pointed: boolean, within: boolean, atTop: boolean, focusRow: (index: number) => void}}} props */
export function ProductTable({ rows, act, presence }) {
  const body = useRef(null);
  const [rowHeight, setRowHeight] = useState(innerWidth < 760 ? 104 : 60);
  // At first no more than is seen: what is beyond its edge follows when that is painted.
  const [view, setView] = useState({ start: 0, end: Math.ceil(innerHeight / rowHeight) });
  /** The row that Tab comes to, and whether the focus is in it. */
  const [active, setActive] = useState({ index: 0, within: false });
  const wanted = useRef(null);
  const shown = useRef(view);
  const scrolledAt = useRef(-REST_MS);
  const ids = rows.ids.value;
  const total = ids.length;

  useLayoutEffect(() => {
    let frame = 0;
    let rest = 0;
    let around = 0;
    const look = () => {
      frame = 0;
      clearTimeout(around);
      const one = body.current?.querySelector("tr.product");
      const row = one?.offsetHeight || rowHeight;
      if (row !== rowHeight) setRowHeight(row);
      const top = -body.current.getBoundingClientRect().top;
      const within = (beyond) => windowOf({ top, height: innerHeight, row, total: rows.ids.peek().length, beyond });
      let next = within(BEYOND.resting);
      // Far from what is here, what is on the screen comes first, and what is around it when that is painted.
      const apart = next.start >= shown.current.end || next.end <= shown.current.start;
      if (apart && next.end > next.start) around = setTimeout(soon, PAINTED_MS);
      else if (performance.now() - scrolledAt.current < REST_MS) next = within(BEYOND.scrolling);
      shown.current = next;
      setView((now) => (now.start === next.start && now.end === next.end ? now : next));
      // Kept for those who ask often: reading it makes the browser lay out the page.
      presence.atTop = top < NEAR_TOP;
      if (next.end + AHEAD > rows.ids.peek().length) rows.loadMore();
    };
    const soon = () => (frame ||= requestAnimationFrame(look));
    const scrolled = () => {
      scrolledAt.current = performance.now();
      clearTimeout(rest);
      rest = setTimeout(soon, REST_MS);
      soon();
    };
    let here = true;
    // Once the page can be used, that is at once.
    ready.then(() => here && look());
    addEventListener("scroll", scrolled, { passive: true });
    addEventListener("resize", soon);
    return () => {
      here = false;
      cancelAnimationFrame(frame);
      clearTimeout(rest);
      clearTimeout(around);
      removeEventListener("scroll", scrolled);
      removeEventListener("resize", soon);
    };
  }, [total, rows.state.value === "ready", rowHeight]);

  const moveTo = (index, part) => {
    // Not `total`: a row may have gone since this was drawn.
    const count = rows.ids.peek().length;
    if (count === 0) return document.getElementById("main")?.focus({ preventScroll: true });
    const to = Math.max(0, Math.min(count - 1, index));
    wanted.current = { index: to, part };
    return setActive({ index: to, within: true });
  };
  presence.focusRow = (index) => moveTo(index, -1);

  // Rows are drawn anew when what they get is new: this stays the same.
  const rowAct = useRef(null);
  rowAct.current ??= { ...act, remove: (product) => goes.current(product) };
  const goes = useRef(null);
  // The row goes, and the focus with it, unless the next one takes it.
  const remove = (goes.current = (product) => {
    const index = rows.ids.peek().indexOf(product.id);
    act.remove(product);
    moveTo(index, -1);
  });
  const keys = (event) => {
    const row = event.target.closest("[data-index]");
    if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
    const index = Number(row.dataset.index);
    const id = row.dataset.id;
    const part = [...row.querySelectorAll("button, input")].indexOf(event.target);
    const onRow = event.target === row;
    const { key } = event;
    if (key === "ArrowDown") moveTo(index + 1, part);
    else if (key === "ArrowUp") moveTo(index - 1, part);
    else if (key === "Home" && part < 0) moveTo(0, part);
    else if (key === "End" && part < 0) moveTo(total - 1, part);
    else if (key === "PageDown" && part < 0) moveTo(index + 10, part);
    else if (key === "PageUp" && part < 0) moveTo(index - 10, part);
    else if (onRow && (key === "+" || key === "=")) act.step(id, 1);
    else if (onRow && (key === "-" || key === "−")) rows.row(id).peek().product.stock + rows.row(id).peek().pending > 0 && act.step(id, -1);
    else if (onRow && (key === "e" || key === "Enter")) act.edit(id);
    else if (onRow && key === "Delete") remove(rows.row(id).peek().product);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  const left = () => {
    presence.within = false;
    setActive((now) => ({ ...now, within: false }));
  };
  useLayoutEffect(
    () => () => {
      presence.within = false;
      presence.pointed = false;
    },
    [],
  );
  const pinned = active.within ? Math.min(active.index, total - 1) : -1;
  const parts = segments({ start: Math.min(view.start, total), end: Math.min(view.end, total), total, pinned });
  const tabbed = Math.min(active.index, Math.max(0, total - 1));
  const inside = parts.some((part) => part.row === tabbed);
  const firstShown = parts.find((part) => "row" in part)?.row;
  // Places change when rows come in; the rows themselves do not.
  useLayoutEffect(() => {
    for (const [place, part] of parts.entries()) {
      if (!("row" in part)) continue;
      const row = body.current.children[place];
      row.dataset.index = String(part.row);
      row.setAttribute("aria-rowindex", String(part.row + 2));
    }
  });

  // A row that the keyboard asked for may only now be in the document.
  useLayoutEffect(() => {
    if (!wanted.current) {
      // Browsers say nothing when what has the focus is taken away.
      if (presence.within && !body.current.contains(document.activeElement)) left();
      return;
    }
    const { index, part } = wanted.current;
    const row = body.current.querySelector(`[data-index="${index}"]`);
    // One that is not there any more must not take the focus from somebody when another comes in its place.
    if (row || index >= total) wanted.current = null;
    if (!row) return;
    const target = part >= 0 ? row.querySelectorAll("button, input")[part] : row;
    (target?.disabled ? row : target ?? row).focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  });

  return html`<div class="card table-card"><table role="grid" aria-label="Products" aria-rowcount=${rows.more.value ? -1 : total + 1} class="products">
    <thead role="rowgroup"><tr role="row" aria-rowindex="1">
      <th role="columnheader" scope="col">Product</th><th role="columnheader" scope="col" class="sku vh">SKU</th><th role="columnheader" scope="col" class="seller">Seller</th>
      <th role="columnheader" scope="col" class="category">Category</th><th role="columnheader" scope="col" class="price num">Price</th>
      <th role="columnheader" scope="col" class="stock">Stock</th><th role="columnheader" scope="col" class="state"><span class="vh">State</span></th>
      <th role="columnheader" scope="col" class="updated">Changed</th><th role="columnheader" scope="col" class="actions"><span class="vh">Actions</span></th>
    </tr></thead>
    <tbody role="rowgroup" ref=${body} onKeyDown=${keys}
      onPointerEnter=${(event) => (presence.pointed = event.pointerType === "mouse")}
      onPointerLeave=${() => (presence.pointed = false)}
      onFocusIn=${(event) => {
        const row = event.target.closest("[data-index]");
        presence.within = true;
        if (row) setActive({ index: Number(row.dataset.index), within: true });
      }}
      onFocusOut=${(event) => {
        if (!event.currentTarget.contains(event.relatedTarget)) left();
      }}>
      ${parts.map((part) =>
        "gap" in part
          ? html`<tr key=${`gap-${part.at}`} class="gap" role="presentation" aria-hidden="true" style=${{ height: `${heightOf(part) * rowHeight}px` }}></tr>`
          : html`<${ProductRow} key=${ids[part.row]} row=${rows.row(ids[part.row])} active=${inside ? part.row === tabbed : part.row === firstShown} act=${rowAct.current} />`,
      )}
    </tbody>
  </table></div>`;
}
