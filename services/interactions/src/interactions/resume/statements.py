"""The statements of the resume: one for each shape of question, compiled when it is first asked."""

from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Literal

import orjson
import sqlalchemy as sa

from interactions.cases.models import case_file, case_step
from interactions.commitments.models import commitment
from interactions.contact.domain import CONTACTS
from interactions.conversations.models import conversation, conversation_entry
from interactions.parts.domain import CONTACT, FailedMoment, Part
from interactions.parts.models import failed_moment, part
from interactions.resume.domain import EXCERPT, PROVEN, CaseFile, Commitment, Reader, Thread, Touchpoint, Who
from interactions.resume.sections import Dialect, Reading, compiled, given
from interactions.touchpoints.models import customer, touchpoint, trace

RECENT = 60
DEPTH = 1_000  # how far back purchases, offers and forms are looked for behind the latest contacts
GROUPS = {
    "purchases": (("purchase",), 5),
    "offers": (("campaign_send", "campaign_response", "quote"), 20),
    "forms": (("web",), 10),
}
MOST_THREADS = 50
MOST_OWED = 100
MOST_MOMENTS = 10
MOST_OUTBOUND = 200
OWED = ("open", "late", "broken")
OPEN_CASE = ("received", "answered", "reopened")
REMEMBERED = timedelta(days=90)  # how long a failed moment of truth is an alert
LONGEST_WINDOW = timedelta(days=400)


Scope = Literal["customer", "traces"]


@dataclass(frozen=True)
class Shape:
    """What makes one compiled statement differ from another."""

    dialect: Dialect
    scope: Scope  # all traces of a customer, or the traces named
    meant_for_customer: bool  # nothing internal
    proven: bool  # only traces that are his by attestation or a person's decision
    through_partner: bool


def values_of(shape: Shape, who: Who, reader: Reader, now: datetime) -> dict[str, Any]:
    """What the statement of the shape leaves open."""
    values: dict[str, Any] = {"since": now - LONGEST_WINDOW, "remembered": now - REMEMBERED}
    if shape.scope == "customer":
        values["customer"] = who.customer_id
    else:
        values["traces"] = list(who.anonymous)
        if shape.dialect == "sqlite":
            values["traces"] = orjson.dumps([trace_id.hex for trace_id in who.anonymous]).decode()
    if shape.through_partner:
        values |= {"partner": reader.partner, "source": reader.source}
    return values


@cache
def reading(shape: Shape) -> Reading:
    sections = {
        "traces": _traces(shape),
        "touchpoints": _latest(shape, limit=RECENT),
        "threads": _threads(shape),
        "commitments": _commitments(shape),
        "cases": _cases(shape),
    }
    if shape.meant_for_customer:
        sections["shown"] = _last_shown(shape)
    if shape.scope == "customer":
        sections |= {"parts": _parts(), "customers": _customers(), "outbound": _outbound(shape)}
    if not shape.meant_for_customer:
        sections["moments"] = _moments(shape)
    return compiled(shape.dialect, sections)


@cache
def deep_reading(shape: Shape) -> Reading:
    return compiled(shape.dialect, {"deeper": _deeper(shape)})


def _mine(shape: Shape) -> sa.Subquery:
    """The traces that count for this reading."""
    if shape.scope == "customer":
        mine = sa.select(trace.c.trace_id, trace.c.proof).where(trace.c.customer_id == given("customer"))
    else:
        named = _named_traces(shape.dialect)
        mine = sa.select(trace.c.trace_id, trace.c.proof).where(trace.c.trace_id.in_(named))
    if shape.proven:
        mine = mine.where(trace.c.proof.in_(sorted(PROVEN)))
    return mine.subquery("mine")


def _named_traces(dialect: Dialect) -> Any:
    if dialect == "postgresql":
        array = given("traces")
        return sa.select(sa.func.unnest(array).table_valued("trace_id").render_derived().c.trace_id)
    return sa.select(sa.func.json_each(given("traces")).table_valued("value").c.value)


# Of what was said only as much as is told, of the payload only where a section reads it: both may be long.
_READ_PAYLOAD = ("web", "campaign_send", "campaign_response", "quote")
_SHORT = {
    "content": sa.func.substr(touchpoint.c.content, 1, EXCERPT + 1).label("content"),
    "payload": sa.case(
        (touchpoint.c.kind.in_(_READ_PAYLOAD), touchpoint.c.payload),
        else_=sa.literal_column("'{}'", touchpoint.c.payload.type),
    ).label("payload"),
}
_TOUCHPOINT = [
    _SHORT.get(field.name, touchpoint.c[field.name]) for field in fields(Touchpoint) if field.name != "conversation_id"
]


def _newest(shape: Shape, limit: int) -> sa.Subquery:
    """The newest live touchpoints over all traces that may be shown, in few columns.

    On PostgreSQL the index gives each trace's newest, so that a long history costs no more than a short one.
    """
    mine = _mine(shape)
    columns = [touchpoint.c[name] for name in ("touchpoint_id", "occurred_at", "kind", "direction")]
    newest = (
        sa.select(*columns)
        .where(touchpoint.c.state == "live", *_shown(shape, touchpoint))
        .order_by(touchpoint.c.occurred_at.desc())
        .limit(limit)
    )
    if shape.dialect == "postgresql":
        each = newest.where(touchpoint.c.trace_id == mine.c.trace_id).correlate(mine).lateral("each")
        newest = (
            sa.select(*each.c).select_from(mine.join(each, sa.true())).order_by(each.c.occurred_at.desc()).limit(limit)
        )
    else:
        newest = newest.where(touchpoint.c.trace_id.in_(sa.select(mine.c.trace_id)))
    return newest.subquery("newest")


def _latest(shape: Shape, *, limit: int) -> Any:
    """The latest touchpoints, whole."""
    newest = _newest(shape, limit)
    return _whole(sa.select(newest.c.touchpoint_id))


def _deeper(shape: Shape) -> Any:
    """Of his thousand latest the last purchases, offers and forms, whole; the thousand are gone through once."""
    newest = _newest(shape, DEPTH)
    group = sa.case(*((newest.c.kind.in_(kinds), name) for name, (kinds, _) in GROUPS.items()))
    place = sa.func.row_number().over(partition_by=group, order_by=newest.c.occurred_at.desc())
    every = [kind for kinds, _ in GROUPS.values() for kind in kinds]
    ranked = (
        sa.select(newest.c.touchpoint_id, group.label("part"), place.label("place"))
        .where(newest.c.kind.in_(every))
        .subquery("ranked")
    )
    within = [sa.and_(ranked.c.part == name, ranked.c.place <= limit) for name, (_, limit) in GROUPS.items()]
    return _whole(sa.select(ranked.c.touchpoint_id).where(sa.or_(*within)))


def _whole(picked: Any) -> Any:
    found = picked.subquery("found")
    return (
        sa.select(*_TOUCHPOINT, conversation_entry.c.conversation_id)
        .select_from(found)
        .join(touchpoint, touchpoint.c.touchpoint_id == found.c.touchpoint_id)
        .outerjoin(conversation_entry, conversation_entry.c.touchpoint_id == found.c.touchpoint_id)
        .order_by(touchpoint.c.occurred_at.desc(), touchpoint.c.recorded_at.desc())
    )


def _shown(shape: Shape, table: sa.Table) -> list[Any]:
    conditions: list[Any] = []
    if shape.meant_for_customer:
        conditions.append(table.c.visibility == "customer")
    if shape.through_partner:
        conditions.append(_through(touchpoint))
    return conditions


def _through(table: sa.Table) -> Any:
    # A null parameter equals nothing: a partner without a source is known by his name alone.
    unnamed = sa.and_(table.c.partner.is_(None), table.c.source == given("source"))
    return sa.or_(table.c.partner == given("partner"), unnamed)


def _traces(shape: Shape) -> Any:
    mine = _mine(shape)
    revision = sa.select(trace.c.revision).where(trace.c.trace_id == mine.c.trace_id).scalar_subquery()
    return sa.select(mine.c.trace_id, mine.c.proof, revision.label("revision"))


def _parties(shape: Shape) -> Any:
    if shape.scope == "customer":
        return conversation.c.party_id == given("customer")
    return conversation.c.party_id.in_(_named_traces(shape.dialect))


def _open_threads(shape: Shape) -> Any:
    return (
        sa.select(*(conversation.c[field.name] for field in fields(Thread)))
        .where(_parties(shape), conversation.c.state != "closed", conversation.c.dialogue, conversation.c.entries > 0)
        .order_by(conversation.c.last_at.desc())
        .limit(MOST_THREADS)
    )


def _threads(shape: Shape) -> Any:
    return _open_threads(shape)


def _last_shown(shape: Shape) -> Any:
    """The last touchpoint of each open thread that may be shown, and the last that says where it stopped."""
    open_threads = _open_threads(shape).subquery("open_threads")
    entry = conversation_entry.alias("entry")
    told = sa.or_(touchpoint.c.stop_point.is_not(None), touchpoint.c.next_step.is_not(None))
    mine = _mine(shape)

    def last(*conditions: Any) -> Any:
        return (
            sa.select(touchpoint.c.touchpoint_id)
            .select_from(touchpoint)
            .join(entry, entry.c.touchpoint_id == touchpoint.c.touchpoint_id)
            .where(entry.c.conversation_id == open_threads.c.conversation_id, touchpoint.c.state == "live")
            .where(touchpoint.c.trace_id.in_(sa.select(mine.c.trace_id)), *_shown(shape, touchpoint), *conditions)
            .order_by(touchpoint.c.occurred_at.desc())
            .limit(1)
            .correlate(open_threads)
            .scalar_subquery()
        )

    ids = sa.union_all(
        sa.select(open_threads.c.conversation_id, last().label("touchpoint_id")),
        sa.select(open_threads.c.conversation_id, last(told).label("touchpoint_id")),
    ).subquery("ids")
    shown = touchpoint.join(ids, ids.c.touchpoint_id == touchpoint.c.touchpoint_id)
    return sa.select(*_TOUCHPOINT, ids.c.conversation_id).select_from(shown)


def _commitments(shape: Shape) -> Any:
    mine, source = _mine(shape), {"partner", "source"}
    owed = (
        sa.select(
            *(commitment.c[field.name] for field in fields(Commitment) if field.name not in source),
            touchpoint.c.partner,
            touchpoint.c.source,
        )
        .select_from(commitment.join(touchpoint, touchpoint.c.touchpoint_id == commitment.c.touchpoint_id))
        .where(commitment.c.trace_id.in_(sa.select(mine.c.trace_id)), commitment.c.state.in_(OWED))
        .order_by(commitment.c.due_at)
        .limit(MOST_OWED)
    )
    return owed.where(*_shown(shape, commitment))


def _cases(shape: Shape) -> Any:
    mine = _mine(shape)
    step, later = case_step.alias("step"), case_step.alias("later")
    last = (
        sa.select(later.c.step_id)
        .where(later.c.number == case_file.c.number)
        .order_by(later.c.step_id.desc())
        .limit(1)
        .correlate(case_file)
        .scalar_subquery()
    )
    return (
        sa.select(
            *(case_file.c[field.name] for field in fields(CaseFile) if field.name != "last_step"),
            step.c.move.label("step_move"),
            step.c.at.label("step_at"),
            step.c.by.label("step_by"),
            step.c.text.label("step_text"),
        )
        .select_from(case_file.outerjoin(step, step.c.step_id == last))
        .where(case_file.c.trace_id.in_(sa.select(mine.c.trace_id)), case_file.c.state.in_(OPEN_CASE))
        .order_by(case_file.c.occurred_at)
        .limit(MOST_OWED)
    )


def _outbound(shape: Shape) -> Any:
    """When we contacted him, which is counted only where he set a limit: else the log is not even looked at."""
    limited = sa.exists().where(
        part.c.customer_id == given("customer"),
        part.c.source == CONTACT,
        part.c.body["max_contacts"].as_string() != "null",
    )
    ours = replace(
        shape, meant_for_customer=False, proven=False, through_partner=False
    )  # whoever asks: they are all his
    newest = _newest(ours, DEPTH)
    contacted = sa.select(newest.c.occurred_at).where(
        limited,
        newest.c.occurred_at > given("since"),
        newest.c.direction == "outbound",
        newest.c.kind.in_(CONTACTS),
    )
    return contacted.order_by(newest.c.occurred_at.desc()).limit(MOST_OUTBOUND)


def _parts() -> Any:
    return sa.select(*(part.c[field.name] for field in fields(Part))).where(part.c.customer_id == given("customer"))


def _customers() -> Any:
    return sa.select(customer.c.key_account, customer.c.since).where(customer.c.customer_id == given("customer"))


def _moments(shape: Shape) -> Any:
    mine = _mine(shape)
    return (
        sa.select(*(failed_moment.c[field.name] for field in fields(FailedMoment)))
        .where(
            failed_moment.c.trace_id.in_(sa.select(mine.c.trace_id)),
            failed_moment.c.at > given("remembered"),
            ~failed_moment.c.taken_back,
        )
        .order_by(failed_moment.c.at.desc())
        .limit(MOST_MOMENTS)
    )
