"""A resume as plain Spanish text, as an agent's screen or a customer's page would lay it out."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

WIDTH = 100
_STATES = {
    "waiting-us": "espera por nosotros", "waiting-customer": "espera por el cliente", "parked": "aparcada", "closed": "cerrada",
    "open": "abierto", "late": "VENCIDO", "kept": "cumplido", "broken": "INCUMPLIDO", "waived": "dispensado",
    "received": "recibido", "answered": "respondido", "verified": "verificado", "reopened": "reabierto",
}  # fmt: skip
_ALERTS = {
    "moment-failed": "momento de verdad fallido", "promise-broken": "promesa incumplida", "drop-warning": "compra menos de lo habitual",
    "drop-critical": "compra mucho menos de lo habitual", "dormant": "inactivo", "long-dormant": "inactivo desde hace mucho",
}  # fmt: skip
_TIERS = {
    "MVC": "MVC (cliente más valioso)",
    "GROWING": "en crecimiento",
    "STANDARD": "estándar",
    "BELOW_ZERO": "bajo cero",
}
_TIES = {
    ("referred", True): "nos refirió a", ("referred", False): "vino referido por", ("household_member", True): "vive en el hogar",
    ("household_member", False): "viven en el hogar", ("same_owner", None): "mismo dueño que", ("relative_of", None): "pariente de",
    ("partner_of", None): "socio de", ("works_for", True): "trabaja en", ("buys_through", True): "compra por medio de",
    ("buys_through", False): "por su medio compran",
}  # fmt: skip


def resume_text(packet: dict[str, Any], *, title: str) -> str:
    """The packet's parts in the order in which one reads them on the phone. Parts that a view leaves out are left out."""
    lines = ["", "═" * WIDTH, title, "═" * WIDTH]
    for heading, part in _PARTS:
        found = list(part(packet))
        if found:
            lines += [f"{heading:<22}{found[0]}", *(f"{'':<22}{line}" for line in found[1:])]
    return "\n".join(lines)


def _who(p: dict[str, Any]) -> Iterator[str]:
    who = p["who"]
    name = who.get("preferred_name") or "sin nombre todavía"
    yield f"{name}  ·  {who['recognised']}  ·  certeza {who['confidence']:.0%}"
    yield f"customer_id {who['customer_id']}"


def _stopped(p: dict[str, Any]) -> Iterator[str]:
    if point := p["resume_point"]:
        by = point["attended_by"] or {}
        attended = f", atendió {by.get('name') or by.get('id')}" if by else ""
        yield f"{_day(point['occurred_at'])} por {point['channel']}{attended}  ·  tema: {point['topic'] or '-'}"
        yield str(point["summary"] or "")
        if point["stop_point"]:
            yield f"Quedó en: {point['stop_point']}"
        if point["next_step"]:
            yield f"Sigue: {point['next_step']}"


def _threads(p: dict[str, Any]) -> Iterator[str]:
    for thread in p["threads"]:
        mark = "→" if thread["suggested"] else " "
        yield (
            f"{mark} {thread['topic'] or 'sin tema'}: {_STATES.get(thread['state'], thread['state'])}, "
            f"último canal {thread['last_channel']}, hace {thread['age_hours'] / 24:.0f} d. Quedó en: {thread['stop_point'] or '-'}"
        )


def _recap(p: dict[str, Any]) -> Iterator[str]:
    for entry in p["recap"]:
        yield f"{_day(entry['occurred_at'])}  {entry['channel']:<12}{entry['kind']:<17}{entry['summary'] or ''}"


def _commitments(p: dict[str, Any]) -> Iterator[str]:
    for promise in p["commitments"]:
        whose = "nuestra" if promise["by"] == "company" else "suya"
        due = f" para el {_day(promise['due_at'])}" if promise["due_at"] else ""
        yield f"[{_STATES.get(promise['state'], promise['state'])}] {promise['text']} (promesa {whose}{due})"


def _cases(p: dict[str, Any]) -> Iterator[str]:
    for case in p["cases"]:
        yield (
            f"{case['number']}  {case['kind']} {case['severity']}: {_STATES.get(case['state'], case['state'])}, "
            f"{case['hours_open']:.0f} h abierto, quedan {_days_left(p, case)} días para recuperarla"
        )


def _days_left(p: dict[str, Any], case: dict[str, Any]) -> int:
    as_of = datetime.fromisoformat(p["continuity"]["as_of"])
    return (datetime.fromisoformat(case["recovery_deadline"]) - as_of).days


def _known(p: dict[str, Any]) -> Iterator[str]:
    for fact in p["known"]:
        stale = "  (puede reconfirmarse)" if fact["stale"] else ""
        yield f"{fact['key']}: {fact['value']}  · {fact['source']}, {_day(fact['as_of'])}{stale}"


def _ask(p: dict[str, Any]) -> Iterator[str]:
    for question in p.get("ask", []):
        yield str(question["text"])


def _value(p: dict[str, Any]) -> Iterator[str]:
    if value := p.get("value"):
        tier = _TIERS.get(value.get("tier") or "", value.get("tier") or "sin calcular")
        yield f"{tier}  ·  clase {value.get('abc') or '-'}  ·  {value.get('tenure_months', 0)} meses con nosotros"
    if treatment := p.get("treatment"):
        limit = treatment.get("spend_limit")
        money = f", puede conceder hasta {limit['amount']} {limit['currency']}" if isinstance(limit, dict) else ""
        yield f"Trato: {treatment.get('service_level')}, atiende {treatment.get('attend_by')}{money}"
        for reason in treatment.get("reasons", []):
            yield f"porque {reason}"


def _bought(p: dict[str, Any]) -> Iterator[str]:
    for purchase in p["holdings"].get("last_purchases", []):
        amount = purchase["amount"]
        yield f"{_day(purchase['occurred_at'])}  {purchase.get('offering') or '-'}  {amount['amount']} {amount['currency']} por {purchase['channel']}"


def _contact(p: dict[str, Any]) -> Iterator[str]:
    contact = p["contact"]
    if contact.get("ranking"):
        quiet = "en horas de silencio ahora" if contact.get("quiet") else "puede contactarse ahora"
        yield f"prefiere {', '.join(contact['ranking'])}  ·  cupo restante {contact.get('quota_left')}  ·  {quiet}"


def _alerts(p: dict[str, Any]) -> Iterator[str]:
    told: dict[str, int] = {}
    for alert in p.get("alerts", []):
        words = _ALERTS.get(alert["signal"], alert["signal"])
        if name := (alert.get("evidence") or {}).get("name"):
            words = f"{words}: {name}"
        told[words] = told.get(words, 0) + 1
    for words, times in told.items():
        yield words if times == 1 else f"{words} ({times} veces)"


def _people(p: dict[str, Any]) -> Iterator[str]:
    for person in p["people"]:
        note = f"  ({person['handover_note']})" if person.get("handover_note") else ""
        yield f"{person['role']}: {person.get('name') or person.get('staff_id')}{note}"


def _network(p: dict[str, Any]) -> Iterator[str]:
    network = p.get("network") or {"ties": []}
    for tie in network["ties"]:
        names = ", ".join(other["display_name"] or other["customer_id"] for other in tie["others"])
        yield f"{_TIES.get((tie['kind'], tie['given']), tie['kind'])} ({tie['count']}){f': {names}' if names else ''}"
    if reference := network.get("reference"):
        yield f"cliente show-room: puede mostrarse {reference['uses_left']} veces más ({', '.join(reference['offerings'])})"
    if partner := network.get("partner"):
        yield f"aliado ({partner['kind']}), reputación {partner['standing']}"


def _freshness(p: dict[str, Any]) -> Iterator[str]:
    sources = ", ".join(f"{s['source']} {s['lag_seconds']:.1f} s" for s in p["continuity"]["sources"])
    yield f"{sources}  ·  faltan: {', '.join(p['continuity']['missing']) or 'ninguna'}"


def _day(moment: str) -> str:
    return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M")


_PARTS: tuple[tuple[str, Callable[[dict[str, Any]], Iterator[str]]], ...] = (
    ("Quién es", _who),
    ("Dónde quedó", _stopped),
    ("Hilos abiertos", _threads),
    ("Promesas", _commitments),
    ("Casos abiertos", _cases),
    ("Ya lo sabemos", _known),
    ("Preguntar (máx. 2)", _ask),
    ("Valor y trato", _value),
    ("Últimas compras", _bought),
    ("Cómo contactar", _contact),
    ("Alertas", _alerts),
    ("Quién la cuida", _people),
    ("Red de relaciones", _network),
    ("Últimos contactos", _recap),
    ("Frescura", _freshness),
)
