/** What went wrong, as the services say it: RFC 9457 problem documents, and what never reached them. */

export class Problem extends Error {
  /** @param {object} body a problem document, or as much of one as there is */
  constructor(body) {
    super(body.detail ?? body.title ?? "something went wrong");
    this.name = "Problem";
    this.status = body.status ?? 0;
    this.title = body.title ?? "Something went wrong";
    this.detail = body.detail ?? "";
    /** @type {string} */
    this.code = body.code ?? "internal";
    /** @type {{pointer: string, code: string, detail: string}[]} */
    this.errors = body.errors ?? [];
    this.requestId = body.requestId ?? null;
    /** Everything else that this kind of problem carries: `stock`, `version`, `productId`. */
    this.members = body;
    this.retryAfterMillis = undefined;
  }

  /** Whether nobody answered: the network, a server that is down, a wait that was too long. */
  get unreachable() {
    return this.status === 0;
  }

  /** Whether the same request may well succeed a little later. */
  get passing() {
    return this.unreachable || [502, 503, 504].includes(this.status) || this.code === "outcome-unknown";
  }
}

/** Returns the problem of a request that got no answer. @param {string} what @param {unknown} cause */
export function unreachable(what, cause) {
  const slow = cause instanceof DOMException && cause.name === "TimeoutError";
  return new Problem({
    title: slow ? `The ${what} took too long to answer` : `The ${what} cannot be reached`,
    detail: slow ? "The network may be slow. Try again." : "Check that souk is running and the network is up, then try again.",
    code: slow ? "timeout" : "unreachable",
  });
}

/** Reads a problem from an answer that is not a success. @param {Response} answer */
export async function problemOf(answer) {
  let body = {};
  try {
    body = await answer.json();
  } catch {
    body = { title: `The server answered ${answer.status}`, detail: answer.statusText };
  }
  const problem = new Problem({ ...body, status: answer.status });
  problem.requestId ??= answer.headers.get("X-Request-Id");
  const seconds = Number(answer.headers.get("Retry-After"));
  if (seconds > 0) problem.retryAfterMillis = seconds * 1000;
  return problem;
}
