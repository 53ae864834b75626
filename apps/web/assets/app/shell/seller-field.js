/** The seller switch of a crowd: among thousands one types an id, with those that begin alike offered, or nothing for all. */
import { analytics } from "../api.js";
import { html } from "../html.js";
import { sellers, setSeller } from "../seller.js";
import { showToast } from "../ui/toast.js";

/** Tells whether anything ever happened to a seller. @param {string} id */
async function isKnown(id) {
  if (sellers.value.includes(id)) return true;
  const { items } = await analytics("/aggregates", { window: "all", by: "seller", key: id, limit: 1 });
  return items.length > 0;
}

/** @param {{chosen: string, names: string[]}} props */
export default function SellerField({ chosen, names }) {
  const choose = async (event) => {
    const field = event.currentTarget;
    const id = field.value.trim();
    // Who cannot be looked up is taken at his word.
    if (id === "" || (await isKnown(id).catch(() => true))) return setSeller(id);
    showToast({ key: "seller", tone: "warn", icon: "warn", title: `No seller is called ${id}`, detail: "Names are told apart by upper and lower case, too." });
    field.value = chosen;
  };
  return html`<div class="seller"><label for="seller">Seller</label>
    <input class="input" id="seller" type="search" aria-label="Seller" list="sellers" placeholder="All sellers" autocomplete="off" value=${chosen} onChange=${choose} />
    <datalist id="sellers">${names.map((name) => html`<option key=${name} value=${name} />`)}</datalist></div>`;
}
