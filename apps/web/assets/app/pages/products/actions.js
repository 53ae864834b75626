/** What can be done to a product from a list: adjust, set, restock, edit, delete with undo. Shared by the pages. */
import { api } from "../../api.js";
import { count, plural } from "../../format.js";
import { rememberOwn } from "../../own.js";
import { setParams } from "../../route.js";
import { announce } from "../../ui/live.js";
import { showProblem, showToast } from "../../ui/toast.js";
import { Adjuster } from "./adjuster.js";
import { removeLater } from "./remove.js";

/** @typedef {ReturnType<typeof actionsOn>} Actions */

/**
 * @param {{expect: (id: string, pending: number) => void, update: (product: import("../../types.js").Product) => void,
 *   hide: (id: string) => () => void, nameOf: (id: string) => string}} rows where it shows
 */
export function actionsOn(rows) {
  const adjuster = new Adjuster({
    send: (id, body) => api.adjust(id, body),
    expect: (id, pending) => rows.expect(id, pending),
    settled: (product) => {
      rememberOwn(product.id, product.version);
      rows.update(product);
      announce(`${product.name}: ${count(product.stock)} in stock`);
    },
    refused: (id, problem, lost) => refused(id, problem, lost),
  });

  const refused = async (id, problem, lost) => {
    const name = rows.nameOf(id);
    if (problem.code === "insufficient-stock") {
      showToast({ key: `stock-${id}`, tone: "warn", icon: "warn", title: `Not enough stock of ${name}`, detail: `${count(problem.members.stock)} at hand, ${count(-lost)} were to be taken. Nothing was changed.` });
    } else if (problem.code === "not-found") {
      showToast({ key: `stock-${id}`, tone: "bad", icon: "warn", title: `${name} is gone`, detail: "It was deleted meanwhile." });
    } else showProblem(problem, { key: `stock-${id}` });
    // What the screen shows may be what misled: look.
    if (!problem.unreachable) rows.update(await api.get(id).catch(() => ({ id, version: 0 })));
  };

  /** Sets the stock to what was typed; when it changed meanwhile, asks. */
  const setTo = async (id, name, from, to) => {
    rows.expect(id, to - from);
    try {
      const { product } = await api.adjust(id, { delta: to - from, reason: "correction", changeFrom: from });
      rememberOwn(product.id, product.version);
      rows.update(product);
      rows.expect(id, 0);
      announce(`${name}: ${count(product.stock)} in stock`);
    } catch (problem) {
      rows.expect(id, 0);
      if (problem.code !== "stock-changed") return void refused(id, problem, to - from);
      const now = problem.members.stock;
      rows.update(await api.get(id).catch(() => ({ id, version: 0 })));
      if (now === to) return;
      showToast({
        key: `stock-${id}`, tone: "warn", icon: "warn", lasts: 20_000,
        title: `The stock of ${name} changed meanwhile`,
        detail: `It was ${count(from)} when you began and is ${count(now)} now. It was left as it is.`,
        action: { label: `Set to ${count(to)}`, run: () => setTo(id, name, now, to) },
      });
    }
  };

  return {
    step: (id, delta) => adjuster.add(id, delta),
    /** @param {{delta: number, relative: boolean}} given */
    setStock: (id, name, given, from) => (given.relative || adjuster.pending(id) !== 0 ? adjuster.add(id, given.delta) : setTo(id, name, from, from + given.delta)),
    /** One press: so many come in. */
    restock: (id, name, delta) => {
      showToast({ key: `stock-${id}`, tone: "good", title: `Restocked ${name}`, detail: `${plural(delta, "piece")} added`, quiet: true, action: { label: "Undo", run: () => adjuster.once(id, -delta, { reason: "correction" }) } });
      return adjuster.once(id, delta, { reason: "restock" });
    },
    edit: (id) => setParams({ edit: id }),
    remove: (product) => removeLater(product, rows.hide(product.id)),
  };
}
