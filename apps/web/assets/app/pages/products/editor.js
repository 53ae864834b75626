/**
 * The drawer in which a product is made or changed. What others change meanwhile comes in where I have not typed;
 * where both have, the api refuses (412) and `conflict.js` asks.
 */
import { api } from "../../api.js";
import { html, useEffect, useRef, useState } from "../../html.js";
import { rememberOwn } from "../../own.js";
import { seller, sellers } from "../../seller.js";
import { enumerate } from "../../format.js";
import { onEvents } from "../../stream/client.js";
import { Button } from "../../ui/button.js";
import { Dialog } from "../../ui/dialog.js";
import { Failure, Skeleton } from "../../ui/empty.js";
import { Field } from "../../ui/field.js";
import { Icon } from "../../ui/icons.js";
import { showToast } from "../../ui/toast.js";
import { Conflict } from "./conflict.js";
import { Creation } from "./creation.js";
import { bodyOf, fieldErrors, LABELS, textsOf, valuesOf } from "./form.js";
import { merge, patchOf } from "./merge.js";

/** A busy product changes between the read and the write; after so many rounds people are asked. */
const MOST_ROUNDS = 5;

/** @param {{id: string, onClose: () => void, onSaved: (product: import("../../types.js").Product) => void, onRemove: (product: any) => void}} props `id` is "new" to create */
export default function Editor({ id, onClose, onSaved, onRemove }) {
  const isNew = id === "new";
  /** The product as it was when the editing began, or as it has been merged since. */
  const [base, setBase] = useState(isNew ? {} : null);
  const begun = useRef(textsOf(isNew ? { sellerId: seller.peek(), category: "general" } : {}));
  const [texts, setTexts] = useState(begun.current);
  const [faults, setFaults] = useState({});
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const [conflict, setConflict] = useState(null);
  const [news, setNews] = useState("");
  /** Whether it is asked if what was typed may be lost. */
  const [leaving, setLeaving] = useState(false);
  const form = useRef(null);
  /** A late answer must not close the drawer that is open by then. */
  const here = useRef(true);
  const creation = useRef(null);
  creation.current ??= new Creation(api.create);
  const latest = useRef({ base, texts });
  latest.current = { base, texts };

  const read = () =>
    api.get(id).then((product) => {
      setProblem(null);
      setBase(product);
      setTexts(textsOf(product));
    }, setProblem);

  /** Takes in what the product is now: quietly where I have not typed, else with a word. */
  const rebase = (theirs) => {
    const { base: from, texts: typed } = latest.current;
    if (!from || theirs.version <= from.version) return;
    const { merged, conflicts, taken } = merge(from, { ...from, ...valuesOf(typed, from) }, theirs);
    if (conflicts.length > 0) {
      setNews(`Someone else changed ${enumerate(conflicts.map(({ field }) => LABELS[field].toLowerCase()))} too. You are asked when you save.`);
      return;
    }
    setBase(theirs);
    setTexts({ ...typed, ...Object.fromEntries(taken.map((field) => [field, textsOf(merged)[field]])) });
    if (taken.length > 0) setNews(`Just changed by someone else: ${enumerate(taken.map((field) => LABELS[field].toLowerCase()))}.`);
  };

  useEffect(() => () => (here.current = false), []);
  useEffect(() => {
    if (isNew) return undefined;
    read();
    return onEvents((batch) => {
      for (const event of batch) {
        if (event.subject !== id) continue;
        if (event.type === "ProductUpdated") rebase(event.data.product);
        if (event.type === "ProductDeleted") setNews("This product was deleted meanwhile.");
      }
    });
  }, []);

  const failed = (error) => {
    const found = fieldErrors(error);
    setFaults(found);
    setProblem(Object.keys(found).length > 0 ? null : error);
    // To the first field that is wrong, once it says so.
    requestAnimationFrame(() => form.current?.closest("dialog").querySelector("[aria-invalid]")?.focus());
  };
  const done = () => here.current && onClose();
  const saved = (product, title) => {
    rememberOwn(product.id, product.version);
    showToast({ tone: "good", title, detail: product.name });
    onSaved(product);
    done();
  };

  const create = async () => {
    const body = bodyOf(valuesOf(texts));
    const { product, earlier } = await creation.current.create(body);
    if (!earlier) return saved(product, "Product created");
    // It was made as it was typed then: what was corrected since is a change of it. A seller cannot be changed.
    if (product.sellerId !== body.sellerId) {
      onSaved(product);
      throw Object.assign(new Error(), { title: "It was created before", detail: `An earlier attempt had arrived: ${product.name} is in the shop of ${product.sellerId}. Save again to create it for ${body.sellerId} too.` });
    }
    setBase(product);
    return update(product, { ...product, ...valuesOf(texts) });
  };

  /** Saves `mine`, which began at `from`; merges by itself what does not collide. */
  const update = async (from, mine) => {
    for (let round = 0; round < MOST_ROUNDS; round += 1) {
      const patch = patchOf(from, mine);
      if (Object.keys(patch).length === 0) return isNew ? saved(from, "Product created") : done();
      try {
        return saved(await api.patch(from.id, patch, from.version), isNew ? "Product created" : "Saved");
      } catch (error) {
        if (error.code !== "precondition-failed") throw error;
        const theirs = await api.get(from.id);
        const { merged, conflicts, taken } = merge(from, mine, theirs);
        if (conflicts.length > 0) return setConflict({ conflicts, taken, merged, theirs });
        from = theirs;
        mine = merged;
      }
    }
    throw Object.assign(new Error(), { title: "This product changes too fast", detail: "Each time it was to be saved it had changed. Try again in a moment." });
  };

  const run = async (work) => {
    setBusy(true);
    setFaults({});
    setProblem(null);
    try {
      await work();
    } catch (error) {
      failed(error);
    }
    setBusy(false);
  };
  const ready = isNew || base;
  const submit = (event) => {
    event.preventDefault();
    if (!busy && ready) run(() => (base.id ? update(base, { ...base, ...valuesOf(texts, base) }) : create()));
  };

  // Escape, or a press beside it, asks before it throws away what was typed; Escape again means it.
  const dirty = JSON.stringify(texts) !== JSON.stringify(base?.id ? textsOf(base) : begun.current);
  const leave = ({ type, cancelable, target }) => {
    // Browsers hold a page's dialogs up for Escape only so often: then `close` follows, and the question comes after it.
    if (type === "cancel" && !cancelable) return;
    if (!dirty || (leaving && (type === "cancel" || type === "close"))) {
      onClose();
      return;
    }
    if (type === "close") target.showModal();
    setLeaving(true);
  };

  const set = (name) => (event) => {
    setLeaving(false);
    setTexts((now) => ({ ...now, [name]: event.target.value }));
  };
  const field = (name, more = {}) => html`<${Field} name=${name} label=${LABELS[name]} value=${texts[name]} error=${faults[name]} onInput=${set(name)} ...${more} />`;

  if (conflict) {
    return html`<${Conflict} ...${conflict} onCancel=${() => setConflict(null)} onChoose=${(mine) => {
      const { theirs } = conflict;
      setConflict(null);
      setBase(theirs);
      setTexts(textsOf({ ...theirs, ...mine }));
      setNews("");
      run(() => update(theirs, mine));
    }} />`;
  }
  const footer = leaving
    ? html`<p class="grow" role="alert">What you typed is not saved.</p><${Button} onClick=${() => setLeaving(false)}>Keep editing<//><${Button} kind="danger" onClick=${onClose}>Throw away<//>`
    : html`
    ${!isNew && base && html`<${Button} kind="quiet" icon="trash" onClick=${() => {
      onRemove(base);
      onClose();
    }}>Delete<//><span class="grow"></span>`}
    <${Button} onClick=${onClose}>Cancel<//><${Button} kind="primary" type="submit" busy=${busy} disabled=${!ready}>${isNew ? "Create product" : "Save"}<//>`;
  return html`<${Dialog} drawer title=${isNew ? "New product" : "Edit product"} onClose=${leave} onSubmit=${submit} footer=${footer}>
    <div ref=${form} class="vh"></div>
    ${problem && html`<${Failure} problem=${problem} retry=${!ready ? read : undefined} />`}
    <div role="status">${news && html`<div class="notice tone-info"><${Icon} name="info" /><div>${news}</div></div>`}</div>
    ${!ready && !problem && html`<${Skeleton} lines=${8} />`}
    ${ready && html`
      ${field("name", { required: true, maxlength: 400, "data-first": true })}
      <div class="pair">${field("sellerId", !base.id ? { required: true, list: "seller-names", hint: "Letters, digits, . _ -. It cannot be changed later." } : { disabled: true })}
        ${field("sku", { hint: "Unique among the seller's products." })}</div>
      <datalist id="seller-names">${sellers.value.map((name) => html`<option key=${name} value=${name} />`)}</datalist>
      <div class="pair">${field("price", { required: true, inputmode: "decimal" })}${field("category")}</div>
      <div class="pair">${field("stock", { required: true, inputmode: "numeric" })}
        ${field("lowStockThreshold", { inputmode: "numeric", hint: "Below this it counts as low. Empty: the shop's default." })}</div>
      ${field("description", { as: "textarea" })}`}
  <//>`;
}
