/**
 * The first list of a visit. It is asked for before there is a page to show it in, and by the browser itself even before
 * there are scripts, as the page's server tells it to (`Link`, in `page.rs`): so it is mostly there when the page is drawn,
 * which then is drawn once.
 */
import { api } from "../../api.js";
import { HOME, route } from "../../route.js";
import { seller } from "../../seller.js";
import { DEFAULT_SORT, listQuery } from "./query.js";
import { FIRST_PAGE } from "./rows.js";

/** @type {{question: string, answer: Promise<any>} | null} */
let first = null;

/** What the server has the browser ask for. It begins with the limit, as no later question does: it is the answer to none. */
const USUAL = { limit: FIRST_PAGE, sort: DEFAULT_SORT };

/** Asks, as the address says; returns when there is nothing to wait for any more. */
export async function askFirst() {
  const { page, params } = route.peek();
  const query = { limit: FIRST_PAGE, ...listQuery(params, seller.peek()) };
  const question = page === HOME ? questionOf(query) : null;
  // A list that failed is told by the page. One that the browser asked for and nobody takes it would complain of.
  if (question !== questionOf(USUAL)) api.list(USUAL).catch(() => undefined);
  if (question === null) return;
  first = { question, answer: api.list(query) };
  await first.answer.catch(() => undefined);
}

/** Returns the answer to `query`, once, if that was the first question. @param {object} query */
export function takeFirst(query) {
  const taken = first?.question === questionOf(query) ? first.answer : null;
  first = null;
  return taken;
}

/** The same for the same question, in whatever order. */
const questionOf = (query) => JSON.stringify(Object.entries(query).sort());
