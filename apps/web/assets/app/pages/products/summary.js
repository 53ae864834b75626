/** The shop in four figures, kept up to date while things happen. */
import { analytics } from "../../api.js";
import { compact, compactMoney, count, money } from "../../format.js";
import { html, signal, useEffect } from "../../html.js";
import { linkTo } from "../../route.js";
import { seller } from "../../seller.js";
import { onEvents, resync } from "../../stream/client.js";

/** Often enough to look live, seldom enough to cost nothing. */
const PAUSE_MILLIS = 1_000;
const summary = signal(null);

export function Summary() {
  const whose = seller.value;
  const again = resync.value;
  useEffect(() => {
    let timer = null;
    let stopped = false;
    const read = async () => {
      const figures = await analytics("/summary", { sellerId: whose }).catch(() => null);
      timer = null;
      if (!stopped && figures) summary.value = figures;
    };
    read();
    const end = onEvents((batch) => {
      if (batch.length > 0) timer ??= setTimeout(read, PAUSE_MILLIS);
    });
    return () => {
      stopped = true;
      clearTimeout(timer);
      end();
    };
  }, [whose, again]);
  const { products, units, stockValue, lowStockProducts } = summary.value ?? {};
  const figure = (name, value, exact) => html`<div class="figure"><dt>${name}</dt><dd title=${exact}>${value || html`<span class="skeleton">0000</span>`}</dd></div>`;
  return html`<dl class="figures">
    ${figure("Products", products !== undefined && count(products))}
    ${figure("Pieces in stock", units !== undefined && compact(units), units !== undefined && count(units))}
    ${figure("Stock value", stockValue !== undefined && compactMoney(stockValue), stockValue !== undefined && money(stockValue))}
    ${figure("Low on stock", lowStockProducts !== undefined && html`<a href=${linkTo("products", { low: "1" })}>${count(lowStockProducts)}</a>`)}
  </dl>`;
}
