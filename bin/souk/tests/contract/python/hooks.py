"""What schemathesis has to know beside the contract: relations that OpenAPI has no words for.

The contract tells each of them in a description. Requests that are meant to fit (positive ones) are made to keep to them
here; what is meant not to fit is sent as it was generated.
"""

import itertools

import schemathesis

# Where pages ended: a cursor is opaque, so only one that was handed out fits.
HANDED_OUT = set()
KEYS = itertools.count()

# Stock has a maximum, and only the product knows how near it is: this much, moved this far at once, never comes there.
MOST_STOCK = 500_000_000
MOST_DELTA = 1_000_000

# A body may repeat these when they equal what is there, which nobody can generate.
READ_ONLY = ("id", "sellerId", "lowStock", "version", "createdAt", "updatedAt")


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta is None or case.meta.generation.mode.is_negative:
        return
    query = case.query or {}
    if "cursor" in query and query["cursor"] not in HANDED_OUT:
        del query["cursor"]
    # A time that lies before the other one, whichever comes first.
    if "from" in query and "to" in query and str(query["from"]) > str(query["to"]):
        query["from"], query["to"] = query["to"], query["from"]
    if case.operation.path == "/aggregates":
        # All time has no beginning, and products are not counted by the minute.
        if query.get("window") == "all":
            query.pop("from", None)
            query.pop("to", None)
        if query.get("by") == "product" and query.get("window") not in ("day", "all"):
            query["window"] = "day"
    if "Idempotency-Key" in case.headers:
        # A key belongs to one request, and generators like to send short texts again.
        case.headers["Idempotency-Key"] = f"{case.headers['Idempotency-Key'][:200]} {next(KEYS)}"
    if isinstance(case.body, dict):
        repair_body(case)


def repair_body(case):
    body = case.body
    if case.operation.path == "/products":
        # The seller comes from the body or from a header; where both are there they have to agree.
        case.headers.pop("X-Seller-Id", None)
        body.setdefault("sellerId", "seller1")
    if case.method in ("PUT", "PATCH"):
        case.headers.pop("X-Seller-Id", None)
        for name in READ_ONLY:
            body.pop(name, None)
    for name in ("stock", "quantity"):
        limit(body, name, MOST_STOCK)
    for move in [body, *(line for line in body.get("items") or [] if isinstance(line, dict))]:
        # Not in the future by more than five minutes, and a schema does not know the time.
        if (move.get("occurredAt") or "") >= "2026":
            move["occurredAt"] = "2010-12-01T08:26:00Z"
        limit(move, "delta", MOST_DELTA)


def limit(body, name, most):
    if isinstance(body.get(name), (int, float)) and body[name] > most:
        body[name] = most


@schemathesis.hook
def after_call(context, case, response):
    if response.headers.get("Content-Type", [""])[0].startswith("application/json"):
        answer = response.json()
        if isinstance(answer, dict) and answer.get("nextCursor"):
            HANDED_OUT.add(answer["nextCursor"])
