/** A product that runs low: how long it lasts, and what to do about it. */
import { count, decimal, plural, utcDate } from "../../format.js";
import { html } from "../../html.js";
import { linkTo } from "../../route.js";
import { Button } from "../../ui/button.js";
import { StockControl } from "../products/stock.js";
import { daysOfCover, restockBy } from "./cover.js";
import { rates } from "./rates.js";
import { defaultThreshold, Threshold } from "./threshold.js";

/** Less than this many days is urgent. */
const URGENT_DAYS = 3;

/** @param {{stock: number, rate: import("./cover.js").Rate | null | undefined}} props */
function Cover({ stock, rate: known }) {
  if (known === undefined) return html`<span class="skeleton" aria-hidden="true">0 days</span>`;
  if (known === null) return html`<span class="soft" title="Analytics knows how it sells, and does not answer">Unknown</span>`;
  const days = daysOfCover(stock, known);
  if (days === null) return html`<span class="soft">No sales yet</span>`;
  const tone = days < URGENT_DAYS ? "bad" : days < 14 ? "warn" : "good";
  const words = days === 0 ? "Sold out" : days < 1 ? "Less than a day" : days > 999 ? "Years" : plural(Math.floor(days), "day");
  return html`<div class="cover"><span class=${`tag tone-${tone}`}>${words}</span>
    <span class="soft small" title=${`${known.days} days up to ${utcDate(known.until)}, returns taken off`}>${decimal(known.perDay)} a day, to ${utcDate(known.until)}</span></div>`;
}

/**
 * @param {{row: import("../../../vendor/signals.js").Signal<import("../products/rows.js").Row>, act: import("../products/actions.js").Actions,
 *   onSaved: (product: any) => void}} props
 */
export function LowRow({ row, act, onSaved }) {
  const { product, pending, changed, gone } = row.value;
  const stock = product.stock + pending;
  const threshold = product.lowStockThreshold ?? defaultThreshold.value;
  const known = rates.rate(product.id);
  const more = restockBy(stock, threshold, known);
  // Without a threshold that we know of, the server's word counts.
  const over = threshold === null ? !product.lowStock : stock >= threshold;
  // Not `disabled`: the button that was just pressed would lose the focus.
  const idle = gone || over;
  return html`<tr class=${`low ${changed === 0 ? "" : changed % 2 ? "flash-a" : "flash-b"} ${over ? "over" : ""}`} data-id=${product.id}>
    <th scope="row"><a href=${linkTo("low-stock", { edit: product.id })}>${product.name}</a>
      <span class="soft small clip">${[product.sku, product.sellerId].filter(Boolean).join(" · ")}</span></th>
    <td class="cover-cell">${gone ? html`<span class="tag tone-bad">Deleted</span>` : over ? html`<span class="tag tone-good">Enough again</span>` : html`<${Cover} stock=${stock} rate=${known} />`}</td>
    <td class="stock-cell"><${StockControl} id=${product.id} name=${product.name} stock=${stock} tab=${0} disabled=${gone} act=${act} /></td>
    <td class="threshold-cell"><span class="of soft small" aria-hidden="true">below</span><${Threshold} product=${product} onSaved=${onSaved} /></td>
    <td class="do"><${Button} size="small" aria-disabled=${idle ? "true" : undefined} onClick=${() => !idle && act.restock(product.id, product.name, more)}>Restock${idle ? "" : ` +${count(more)}`}<span class="vh"> of ${product.name}</span><//></td>
  </tr>`;
}
