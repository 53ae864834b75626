/** The shop in four figures, kept up to date while things happen. */
import { analytics } from "../../api.js";
import { compact, compactMoney, count, money } from "../../format.js";
import { html, signal, useEffect } from "../../html.js";
import { linkTo } from "../../route.js";
import { seller } from "../../seller.js";
import { onEvents, resync } from "../../stream/client.js";
import { follow } from "./follow.js";

/** Often enough to look live, seldom enough to cost nothing. */
const PAUSE_MILLIS = 1_000;
/** Whose figures they are, and the figures. */
const summary = signal({ whose: null, figures: null });

export function Summary() {
  const whose = seller.value;
  const again = resync.value;
  useEffect(() => {
    let stopped = false;
    let asked = 0;
    const read = async () => {
      const mine = (asked += 1);
      const figures = await analytics("/summary", { sellerId: whose }).catch(() => null);
      if (!stopped && figures && mine === asked) summary.value = { whose, figures };
    };
    const followed = follow(read, PAUSE_MILLIS);
    read();
    const end = onEvents((batch) => batch.length > 0 && followed.wake());
    return () => {
      stopped = true;
      followed.stop();
      end();
    };
  }, [whose, again]);
  const { products, units, stockValue, lowStockProducts } = (summary.value.whose === whose && summary.value.figures) || {};
  const figure = (name, value, exact) => html`<div class="figure"><dt>${name}</dt><dd title=${exact}>${value || html`<span class="skeleton">0000</span>`}</dd></div>`;
  return html`<dl class="figures">
    ${figure("Products", products !== undefined && count(products))}
    ${figure("Pieces in stock", units !== undefined && compact(units), units !== undefined && count(units))}
    ${figure("Stock value", stockValue !== undefined && compactMoney(stockValue), stockValue !== undefined && money(stockValue))}
    ${figure("Low on stock", lowStockProducts !== undefined && html`<a href=${linkTo("products", { low: "1" })}>${count(lowStockProducts)}</a>`)}
  </dl>`;
}
