/**
 * One product in the table. It draws itself anew when its own signal changes, and then only itself. Its place is not
 * among what it gets, or a new row on top would draw them all: the table writes it on (`table.js`).
 */
import { dateTime, money, since } from "../../format.js";
import { html } from "../../html.js";
import { currentTime } from "../../now.js";
import { Button } from "../../ui/button.js";
import { StockControl } from "./stock.js";

/** @param {{product: import("../../types.js").Product}} props */
export function StockTag({ product }) {
  if (product.stock === 0) return html`<span class="tag tone-bad">Sold out</span>`;
  if (product.lowStock) return html`<span class="tag tone-warn">Low</span>`;
  return null;
}

/** To the second, for whoever points at it: to say it of every row would cost more than all else that is in one. */
const exactly = (/** @type {string} */ time) => (/** @type {PointerEvent} */ { currentTarget }) => {
  /** @type {HTMLElement} */ (currentTarget).title = dateTime(time);
};

/**
 * @param {{row: import("../../../vendor/signals.js").Signal<import("./rows.js").Row>, active: boolean,
 *   act: import("./actions.js").Actions}} props
 */
export function ProductRow({ row, active, act }) {
  const { product, pending, changed, gone } = row.value;
  const { id, name, sku, sellerId, category, price, updatedAt } = product;
  const stock = product.stock + pending;
  const tab = active ? 0 : -1;
  // Two names for one animation: changing between them starts it anew.
  const flash = changed === 0 ? "" : changed % 2 ? "flash-a" : "flash-b";
  return html`<tr role="row" data-id=${id} tabindex=${tab} class=${`product ${flash} ${gone ? "gone" : ""}`}>
    <th role="rowheader" scope="row" class=${`name ${sku ? "" : "bare"}`} title=${name}>${name}</th>
    <td role="gridcell" class="sku clip">${sku ?? ""}<span class="seller-too">${sku ? " · " : ""}${sellerId}</span></td>
    <td role="gridcell" class="seller clip">${sellerId}</td>
    <td role="gridcell" class="category clip">${category}</td>
    <td role="gridcell" class="price num">${money(price)}</td>
    <td role="gridcell" class="stock"><${StockControl} id=${id} name=${name} stock=${stock} tab=${tab} disabled=${gone} act=${act} /></td>
    <td role="gridcell" class="state">${gone ? html`<span class="tag tone-bad">Deleted</span>` : html`<${StockTag} product=${{ ...product, stock }} />`}</td>
    <td role="gridcell" class="updated clip soft small" onPointerEnter=${exactly(updatedAt)}>${since(updatedAt, currentTime())}</td>
    <td role="gridcell" class="actions">
      <${Button} kind="quiet" size="small" icon="edit" label=${`Edit ${name}`} tabindex=${tab} disabled=${gone} onClick=${() => act.edit(id)} />
      <${Button} kind="quiet" size="small" icon="trash" label=${`Delete ${name}`} tabindex=${tab} disabled=${gone} onClick=${() => act.remove(product)} />
    </td>
  </tr>`;
}
