"""The statements of the resume: one for each shape of question, compiled when it is first asked."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Literal

import sqlalchemy as sa

from interactions.cases.models import IS_OPEN, case_file, case_step
from interactions.commitments.models import commitment
from interactions.contact.domain import CONTACTS, MOST_CONTACTS
from interactions.conversations.models import conversation, conversation_entry
from interactions.parts.domain import CONTACT, PROFILE, FailedMoment, Part
from interactions.parts.models import failed_moment, part
from interactions.resume.domain import (
    EXCERPT,
    MOST_TRACES,
    PROVEN,
    CaseFile,
    Commitment,
    Thread,
    Touchpoint,
)
from interactions.resume.sections import Dialect, Reading, asked, compiled, shared
from interactions.resume.talk import RECAP, SILENT
from interactions.touchpoints.models import LEARNT, RARE, customer, touchpoint, trace, trace_identifier

RECENT = 60
DEPTH = 1_000  # how far back purchases, offers and forms are looked for, and what counts for a quota
GROUPS = {
    "purchases": (("purchase",), 5),
    "offers": (("campaign_send", "campaign_response", "quote"), 20),
    "forms": (("web",), 10),
}
MOST_THREADS = 50
MOST_OWED = 100
MOST_MOMENTS = 10
OWED = ("open", "late", "broken")
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


def moments_at(now: datetime) -> dict[str, datetime]:
    """What all readings of one moment share."""
    return {"since": now - LONGEST_WINDOW, "remembered": now - REMEMBERED}


@cache
def reading(shape: Shape) -> Reading:
    """All that is on record of each party asked for, in its sections."""
    sections = {
        "recent": _recent(shape),
        "rare": _rare(shape),
        "threads": _threads(shape),
        "commitments": _commitments(shape),
        "cases": _cases(shape),
    }
    if shape.meant_for_customer:
        sections |= {"traces": _traces(shape), "shown": _last_shown(shape)}
    if shape.scope == "customer":
        sections |= {"parts": _parts(), "customers": _customers(), "outbound": _outbound(shape)}
    else:
        sections["linked"] = _linked(shape)
    if not shape.meant_for_customer:
        sections["moments"] = _moments(shape)
    brings = ("customer",) if shape.scope == "customer" else ("traces",)
    return compiled(
        shape.dialect, sections, brings=(*brings, *(("partner", "source") if shape.through_partner else ()))
    )


@cache
def lookup(dialect: Dialect) -> Reading:
    """What `carrying` gives, for each identifier asked for."""
    return compiled(dialect, {"carrying": carrying(asked("identifier"))}, brings=("identifier",))


def carrying(identifier_id: Any) -> Any:
    """The traces that carry the identifier, with whose they are: one more than are looked at."""
    return (
        sa.select(
            trace_identifier.c.scheme,
            *(trace.c[name] for name in ("trace_id", "customer_id", "revision", "proof")),
            customer.c.merged_into,
        )
        .select_from(trace_identifier)
        .join(trace, trace.c.trace_id == trace_identifier.c.trace_id)
        .outerjoin(customer, customer.c.customer_id == trace.c.customer_id)
        .where(trace_identifier.c.identifier_id == identifier_id)
        .order_by(trace_identifier.c.trace_id)
        .limit(MOST_TRACES + 1)
    )


def _mine(shape: Shape) -> sa.Subquery:
    """The traces that count for this reading."""
    if shape.scope == "customer":
        mine = sa.select(trace.c.trace_id, trace.c.proof).where(trace.c.customer_id == asked("customer"))
    else:
        named = _named_traces(shape.dialect)
        mine = sa.select(trace.c.trace_id, trace.c.proof).where(trace.c.trace_id.in_(named))
    if shape.proven:
        mine = mine.where(trace.c.proof.in_(sorted(PROVEN)))
    return mine.subquery("mine")


def _named_traces(dialect: Dialect) -> Any:
    if dialect == "postgresql":
        return sa.select(sa.func.unnest(asked("traces")).table_valued("trace_id").render_derived().c.trace_id)
    return sa.select(sa.func.json_each(asked("traces")).table_valued("value").c.value)


_READ_PAYLOAD = ("web", "campaign_send", "campaign_response", "quote")
_COLUMNS = [name for name in Touchpoint._fields if name != "conversation_id"]
# What the recap tells of a contact, and what puts it in its place.
_IN_RECAP = frozenset({
    "touchpoint_id", "kind", "channel", "direction", "occurred_at", "recorded_at", "topic", "content", "summary", "outcome",
    "visibility",
})  # fmt: skip
_EMPTY = {"payload": "'{}'", "profile": "'{}'", "figures": "'{}'", "facts": "'[]'"}


def _told_of(contact: Any, conversation_id: Any) -> list[Any]:
    """Of what was said only as much as is told, of the payload only where a section reads it: both may be long."""
    columns = {name: contact.c[name] for name in _COLUMNS}
    excerpt = sa.func.substr(contact.c.content, 1, EXCERPT + 1)
    nothing = sa.literal_column("'{}'", contact.c.payload.type)
    columns["content"] = sa.case((_said(contact.c.summary), None), else_=excerpt).label("content")
    columns["payload"] = sa.case((contact.c.kind.in_(_READ_PAYLOAD), contact.c.payload), else_=nothing).label("payload")
    return [*columns.values(), conversation_id]


def _newest(
    shape: Shape,
    limit: int,
    *names: str,
    only: Any = None,
    told: Mapping[str, Any] | None = None,
    of_each: Any = None,
) -> sa.Subquery:
    """The columns of the newest live touchpoints over all traces that may be shown, or `only` of some.

    `told` is what else is told of each, by name; `of_each` how many of a trace are enough, where the database can count that out.

    On PostgreSQL an index gives each trace's newest, so that a long history costs no more than a short one.
    """
    mine = _mine(shape)
    columns = [touchpoint.c[name] for name in dict.fromkeys((*names, "occurred_at", "touchpoint_id"))]
    columns += [each.label(name) for name, each in (told or {}).items()]
    newest = sa.select(*columns).where(touchpoint.c.state == "live", *_shown(shape, touchpoint))
    if only is not None:
        newest = newest.where(only)
    if shape.dialect == "postgresql":
        # with ties: the index knows no order among those of one moment, and to sort them it would read a trace's every contact
        latest = newest.order_by(touchpoint.c.occurred_at.desc()).fetch(
            limit if of_each is None else of_each, with_ties=True
        )
        each = latest.where(touchpoint.c.trace_id == mine.c.trace_id).correlate(mine).lateral("each")
        newest = sa.select(*each.c).select_from(mine.join(each, sa.true()))
    else:
        newest = newest.where(touchpoint.c.trace_id.in_(sa.select(mine.c.trace_id)))
    # by the id as well: it is told alike whenever it is asked
    in_time = [newest.selected_columns[name].desc() for name in ("occurred_at", "touchpoint_id")]
    return newest.order_by(*in_time).limit(limit).subquery("newest")


def _recent(shape: Shape) -> Any:
    """Of the latest: all, where threads are told anew from what may be shown; else the few that the sections look at."""
    if not shape.meant_for_customer:
        return _chosen(shape)
    newest = _newest(shape, RECENT, *_COLUMNS)
    entry = conversation_entry
    in_threads = newest.outerjoin(entry, entry.c.touchpoint_id == newest.c.touchpoint_id)
    told = sa.select(*_told_of(newest, entry.c.conversation_id)).select_from(in_threads)
    return told.order_by(*_in_turn(newest))


def _in_turn(newest: sa.Subquery) -> list[Any]:
    return [newest.c[name].desc() for name in ("occurred_at", "recorded_at", "touchpoint_id")]


def _chosen(shape: Shape) -> Any:
    """The last ones for the recap, which takes little of each, and whole those of which a section tells more."""
    # Sixty may be looked at, and a few told: only what they are chosen by is carried along, at half the price of whole rows.
    firsts = _told_once()
    kept = sa.or_(touchpoint.c.kind.in_(RARE), LEARNT)
    newest = _newest(shape, RECENT, "recorded_at", told={"kept": kept, **firsts}, of_each=_enough(shape))
    so_far: dict[str, Any] = {"order_by": _in_turn(newest), "rows": (None, 0)}
    numbered = sa.select(
        newest,
        sa.func.row_number().over(**so_far).label("place"),
        *(sa.func.count().filter(newest.c[name]).over(**so_far).label(f"{name}_so_far") for name in firsts),
    ).subquery("numbered")
    first = [sa.and_(numbered.c[name], numbered.c[f"{name}_so_far"] == 1) for name in firsts]
    whole = sa.or_(numbered.c.place == 1, numbered.c.kept, *first)
    chosen = sa.select(numbered.c.touchpoint_id, numbered.c.place, whole.label("whole")).subquery("chosen")
    entry = conversation_entry
    thread = sa.select(entry.c.conversation_id).where(entry.c.touchpoint_id == chosen.c.touchpoint_id).scalar_subquery()
    told = [_for_recap(column, chosen.c.whole) for column in _told_of(touchpoint, thread.label("conversation_id"))]
    return (
        sa.select(*told)
        .select_from(chosen.join(touchpoint, touchpoint.c.touchpoint_id == chosen.c.touchpoint_id))
        .where(sa.or_(chosen.c.place <= RECAP, chosen.c.whole))
        .order_by(chosen.c.place)
    )


def _for_recap(column: Any, whole: Any) -> Any:
    """The column where the contact is told whole, or the recap tells it; else nothing."""
    if column.name in _IN_RECAP:
        return column
    nothing = _EMPTY.get(column.name)
    told = column.element if isinstance(column, sa.Label) else column
    empty = None if nothing is None else sa.literal_column(nothing, column.type)
    return sa.case((whole, told), else_=empty).label(column.name)


def _told_once() -> dict[str, Any]:
    """Of these the latest alone is told: where the talk stopped, and how a channel names him."""
    profile = touchpoint.c.profile
    named = [_said(profile[name].as_string()) for name in ("full_name", "given_names")]
    talks = [_said(touchpoint.c.stop_point), _said(touchpoint.c.next_step)]
    about = sa.or_(
        touchpoint.c.kind != "web", touchpoint.c.topic.is_not(None), touchpoint.c.outcome.is_not(None)
    )  # else a page was merely seen
    return {
        "talks": sa.or_(sa.and_(touchpoint.c.kind.not_in(sorted(SILENT)), about), *talks),
        "named": sa.or_(*named),
        "preferred": _said(profile["preferred_name"].as_string()),
    }


def _said(column: Any) -> Any:
    return sa.func.coalesce(column, "") != ""


def _enough(shape: Shape) -> Any:
    """No more than the recap tells, where the last was a talk, and behind them nothing is to be found."""
    if shape.scope != "customer":
        return None
    last = _newest(shape, 1, told={"talks": _told_once()["talks"]})
    learnt = _newest(shape, 1, only=LEARNT)
    profile = sa.select(part.c.revision).where(part.c.customer_id == asked("customer"), part.c.source == PROFILE)
    named = profile.where(_said(part.c.body["preferred_name"].as_string()))  # then no channel is asked how he is called
    enough = sa.and_(sa.exists().where(last.c.talks), named.exists(), ~sa.exists().select_from(learnt))
    return sa.case((enough, RECAP), else_=RECENT)


def _horizon(shape: Shape) -> Any:
    """When the first of those came that are looked at. Asked only of what is else left out, and then once."""
    newest = _newest(shape, RECENT)
    first = sa.select(sa.func.min(newest.c.occurred_at).label("first"))
    # SQLite would ask a subquery that looks at `asked` again for each row; one that it joins it asks once
    return first.scalar_subquery() if shape.dialect == "postgresql" else first.subquery("horizon").c.first


def _rare(shape: Shape) -> Any:
    """The last purchases, offers and forms, however many other contacts lie before them, and all among the latest contacts."""
    newest = _newest(shape, DEPTH, "touchpoint_id", "occurred_at", "kind", only=touchpoint.c.kind.in_(RARE))
    group = sa.case(*((newest.c.kind.in_(kinds), name) for name, (kinds, _) in GROUPS.items()))
    in_time = (newest.c.occurred_at.desc(), newest.c.touchpoint_id.desc())
    place = sa.func.row_number().over(partition_by=group, order_by=in_time)
    columns = (newest.c.touchpoint_id, newest.c.occurred_at, group.label("part"), place.label("place"))
    ranked = sa.select(*columns).subquery("ranked")
    within = [sa.and_(ranked.c.part == name, ranked.c.place <= limit) for name, (_, limit) in GROUPS.items()]
    if not shape.meant_for_customer:
        within.append(ranked.c.occurred_at >= _horizon(shape))
    found = sa.select(ranked.c.touchpoint_id).where(sa.or_(*within)).subquery("found")
    whole = touchpoint.join(found, found.c.touchpoint_id == touchpoint.c.touchpoint_id)
    entry = conversation_entry
    return (
        sa.select(*_told_of(touchpoint, entry.c.conversation_id))
        .select_from(whole.outerjoin(entry, entry.c.touchpoint_id == touchpoint.c.touchpoint_id))
        .order_by(touchpoint.c.occurred_at.desc(), touchpoint.c.touchpoint_id.desc())
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
    unnamed = sa.and_(table.c.partner.is_(None), table.c.source == asked("source"))
    return sa.or_(table.c.partner == asked("partner"), unnamed)


def _traces(shape: Shape) -> Any:
    mine = _mine(shape)
    revision = sa.select(trace.c.revision).where(trace.c.trace_id == mine.c.trace_id).scalar_subquery()
    return sa.select(mine.c.trace_id, mine.c.proof, revision.label("revision"))


def _parties(shape: Shape) -> Any:
    if shape.scope == "customer":
        return conversation.c.party_id == asked("customer")
    return conversation.c.party_id.in_(_named_traces(shape.dialect))


def _open_threads(shape: Shape) -> Any:
    return (
        sa.select(*(conversation.c[field.name] for field in fields(Thread)))
        .where(_parties(shape), conversation.c.state != "closed", conversation.c.dialogue, conversation.c.entries > 0)
        .order_by(conversation.c.last_at.desc(), conversation.c.conversation_id.desc())
        .limit(MOST_THREADS)
    )


def _threads(shape: Shape) -> Any:
    return _open_threads(shape)


def _last_shown(shape: Shape) -> Any:
    """Of each open thread the last touchpoint that may be shown, the last that says where it stopped, and the last of its topic."""
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
            .order_by(touchpoint.c.occurred_at.desc(), touchpoint.c.touchpoint_id.desc())
            .limit(1)
            .correlate(open_threads)
            .scalar_subquery()
        )

    ids = sa.union_all(
        sa.select(open_threads.c.conversation_id, last().label("touchpoint_id")),
        sa.select(open_threads.c.conversation_id, last(told).label("touchpoint_id")),
        sa.select(
            open_threads.c.conversation_id, last(touchpoint.c.topic == open_threads.c.topic).label("touchpoint_id")
        ),
    ).subquery("ids")
    shown = touchpoint.join(ids, ids.c.touchpoint_id == touchpoint.c.touchpoint_id)
    return sa.select(*_told_of(touchpoint, ids.c.conversation_id)).select_from(shown)


def _commitments(shape: Shape) -> Any:
    mine, source = _mine(shape), {"partner", "source", "recorded_at"}
    owed = (
        sa.select(
            *(commitment.c[field.name] for field in fields(Commitment) if field.name not in source),
            touchpoint.c.partner,
            touchpoint.c.source,
            touchpoint.c.recorded_at,
        )
        .select_from(commitment.outerjoin(touchpoint, touchpoint.c.touchpoint_id == commitment.c.touchpoint_id))
        .where(commitment.c.trace_id.in_(sa.select(mine.c.trace_id)), commitment.c.state.in_(OWED))
        .order_by(commitment.c.due_at.nulls_last(), commitment.c.commitment_id)
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
        .select_from(_told_in(shape).outerjoin(step, step.c.step_id == last))
        .where(case_file.c.trace_id.in_(sa.select(mine.c.trace_id)), IS_OPEN, *_shown(shape, touchpoint))
        .order_by(case_file.c.occurred_at, case_file.c.number)
        .limit(MOST_OWED)
    )


def _told_in(shape: Shape) -> Any:
    """The cases, with the contact that opened each where that decides whether it may be shown: an agent sees them all."""
    if not shape.meant_for_customer:
        return case_file
    return case_file.join(touchpoint, touchpoint.c.touchpoint_id == case_file.c.touchpoint_id)


def _outbound(shape: Shape) -> Any:
    """When we contacted him, which is counted only where he set a limit: else the log is not even looked at."""
    limited = sa.exists().where(
        part.c.customer_id == asked("customer"),
        part.c.source == CONTACT,
        part.c.body["max_contacts"].as_string() != "null",
    )
    ours = replace(
        shape, meant_for_customer=False, proven=False, through_partner=False
    )  # whoever asks: they are all his
    newest = _newest(ours, DEPTH, "occurred_at", "kind", "direction")
    contacted = sa.select(newest.c.occurred_at).where(
        limited,
        newest.c.occurred_at > shared("since"),
        newest.c.direction == "outbound",
        newest.c.kind.in_(CONTACTS),
    )
    return contacted.order_by(newest.c.occurred_at.desc()).limit(MOST_CONTACTS)


def _parts() -> Any:
    return sa.select(*(part.c[field.name] for field in fields(Part))).where(part.c.customer_id == asked("customer"))


def _customers() -> Any:
    return sa.select(customer.c.key_account, customer.c.since).where(customer.c.customer_id == asked("customer"))


def _linked(shape: Shape) -> Any:
    """Those of the traces named that are somebody's by now: what was said on them is no longer all under their own names."""
    named = _named_traces(shape.dialect)
    return sa.select(trace.c.trace_id).where(trace.c.trace_id.in_(named), trace.c.customer_id.is_not(None))


def _moments(shape: Shape) -> Any:
    mine = _mine(shape)
    return (
        sa.select(*(failed_moment.c[field.name] for field in fields(FailedMoment)))
        .where(
            failed_moment.c.trace_id.in_(sa.select(mine.c.trace_id)),
            failed_moment.c.at > shared("remembered"),
            ~failed_moment.c.taken_back,
        )
        # of one moment in an order that hangs on what happened, not on who was told first
        .order_by(failed_moment.c.at.desc(), failed_moment.c.cycle, failed_moment.c.moment, failed_moment.c.trace_id)
        .limit(MOST_MOMENTS)
    )
