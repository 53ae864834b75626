/** The shop in four figures, kept up to date while things happen. */
import { analytics } from "../../api.js";
import { compact, compactMoney, count, money } from "../../format.js";
import { html, signal, useEffect } from "../../html.js";
import { backoff } from "../../retry.js";
import { linkTo } from "../../route.js";
import { seller } from "../../seller.js";
import { onEvents, resync } from "../../stream/client.js";
import { follow } from "./follow.js";

/** Often enough to look live, seldom enough to cost nothing. */
const PAUSE_MILLIS = 1_000;
/** Whose figures they are, and the figures; or, where none are known, why. */
const summary = signal({ whose: null, figures: null, problem: null });

export function Summary() {
  const whose = seller.value;
  const again = resync.value;
  useEffect(() => {
    let stopped = false;
    let asked = 0;
    let failures = 0;
    let timer = null;
    const read = async () => {
      const mine = (asked += 1);
      clearTimeout(timer);
      const answer = await analytics("/summary", { sellerId: whose }).then((figures) => ({ figures, problem: null }), (problem) => ({ figures: null, problem }));
      if (stopped || mine !== asked) return;
      const { problem } = answer;
      const before = summary.peek();
      // What is shown stays where it could not be read anew.
      if (!problem || before.whose !== whose || !before.figures) summary.value = { whose, ...answer };
      if (problem) timer = setTimeout(read, problem.retryAfterMillis ?? backoff(failures, { first: PAUSE_MILLIS }));
      failures = problem ? failures + 1 : 0;
    };
    const followed = follow(read, PAUSE_MILLIS);
    read();
    const end = onEvents((batch) => batch.length > 0 && followed.wake());
    return () => {
      stopped = true;
      clearTimeout(timer);
      followed.stop();
      end();
    };
  }, [whose, again]);
  const { figures, problem } = summary.value.whose === whose ? summary.value : {};
  const { products, units, stockValue, lowStockProducts } = figures ?? {};
  const unknown = (why) => html`${problem ? "–" : html`<span class="skeleton" aria-hidden="true">0000</span>`}<span class="vh">${why}</span>`;
  const figure = (name, value, exact) => html`<div class="figure"><dt>${name}</dt><dd title=${exact || problem?.title}>${value || unknown(problem?.title ?? "not known yet")}</dd></div>`;
  return html`<dl class="figures">
    ${figure("Products", products !== undefined && count(products))}
    ${figure("Pieces in stock", units !== undefined && compact(units), units !== undefined && count(units))}
    ${figure("Stock value", stockValue !== undefined && compactMoney(stockValue), stockValue !== undefined && money(stockValue))}
    ${figure("Low on stock", lowStockProducts !== undefined && html`<a href=${linkTo("products", { low: "1" })}>${count(lowStockProducts)}</a>`)}
  </dl>`;
}
