/** A list without a row: nothing fits what was asked for, or there is nothing in the shop at all, which looks else. */
import { api } from "../../api.js";
import { html, useEffect, useState } from "../../html.js";
import { setParams } from "../../route.js";
import { Later } from "../../shell/later.js";
import { resync } from "../../stream/client.js";
import { Button } from "../../ui/button.js";
import { Empty } from "../../ui/empty.js";

/** @param {{query: import("./query.js").ListQuery, onNew: () => void}} props */
export function Nothing({ query, onNew }) {
  const { sort, sellerId, ...filters } = query;
  const filtered = Object.keys(filters).length > 0;
  const part = filtered || Boolean(sellerId);
  const [bare, setBare] = useState(!part);
  const again = resync.value;
  useEffect(() => {
    if (part) api.list({ limit: 1 }).then(({ items }) => setBare(items.length === 0), () => undefined);
  }, [again]);
  const clear = () => setParams({ q: "", category: "", low: "" });
  const all = () => setParams({ q: "", category: "", low: "", seller: "" });
  if (bare) return html`<${Later} load=${() => import("./demo.js")} onNew=${onNew} onFill=${all} />`;
  return html`<${Empty} icon="search" title="Nothing fits" actions=${html`
      ${filtered && html`<${Button} onClick=${clear}>Clear the filters<//>`}${sellerId && html`<${Button} onClick=${all}>Show all sellers<//>`}`}>
    ${filtered ? `No product matches what was searched and filtered${sellerId ? ` in the shop of ${sellerId}` : ""}.` : `There is no product in the shop of ${sellerId}.`}<//>`;
}
