/** The shop in four figures, kept up to date while things happen. */
import { analytics } from "../../api.js";
import { compact, compactMoney, count, money } from "../../format.js";
import { html, signal, useEffect } from "../../html.js";
import { linkTo } from "../../route.js";
import { seller } from "../../seller.js";
import { onEvents, resync } from "../../stream/client.js";

/** Often enough to look live, seldom enough to cost nothing. */
const PAUSE_MILLIS = 1_000;
/** The figures, and whose they are. */
const summary = signal(/** @type {{whose: string, figures: any} | null} */ (null));

/**
 * Calls `read` now, then a while after something happened, and once more after the last: analytics counts a moment after
 * the stream has told.
 * @param {() => Promise<void>} read @param {number} pauseMillis
 */
export function readAfterwards(read, pauseMillis) {
  let looks = 1;
  let timer = null;
  let busy = false;
  const look = async () => {
    timer = null;
    busy = true;
    looks -= 1;
    await read();
    busy = false;
    wait();
  };
  const wait = () => {
    if (looks > 0 && !busy) timer ??= setTimeout(look, pauseMillis);
  };
  look();
  return {
    happened: () => {
      looks = 2;
      wait();
    },
    stop: () => {
      looks = -Infinity;
      clearTimeout(timer);
    },
  };
}

export function Summary() {
  const whose = seller.value;
  const again = resync.value;
  useEffect(() => {
    const stop = new AbortController();
    const reader = readAfterwards(async () => {
      const figures = await analytics("/summary", { sellerId: whose }, { signal: stop.signal }).catch(() => null);
      if (!stop.signal.aborted && figures) summary.value = { whose, figures };
    }, PAUSE_MILLIS);
    const end = onEvents((batch) => {
      if (batch.length > 0) reader.happened();
    });
    return () => {
      stop.abort();
      reader.stop();
      end();
    };
  }, [whose, again]);
  // Another seller's figures are nobody's.
  const { products, units, stockValue, lowStockProducts } = summary.value?.whose === whose ? summary.value.figures : {};
  const figure = (name, value, exact) => html`<div class="figure"><dt>${name}</dt><dd title=${exact}>${value || html`<span class="skeleton">0000</span>`}</dd></div>`;
  return html`<dl class="figures">
    ${figure("Products", products !== undefined && count(products))}
    ${figure("Pieces in stock", units !== undefined && compact(units), units !== undefined && count(units))}
    ${figure("Stock value", stockValue !== undefined && compactMoney(stockValue), stockValue !== undefined && money(stockValue))}
    ${figure("Low on stock", lowStockProducts !== undefined && html`<a href=${linkTo("products", { low: "1" })}>${count(lowStockProducts)}</a>`)}
  </dl>`;
}
