"""One customer's fortnight over seven channels, played through the public API, and the resume that comes of it."""

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import typer
from tqdm import tqdm

from hilo.client import asked
from hilo.resume_text import resume_text

PATIENCE_SECONDS = 20.0


@dataclass(frozen=True)
class Ana:
    """The customer of this run: new identifiers each time, so that every demo begins with a stranger."""

    tag: str
    phone: str
    document: str
    email: str
    account: str

    @classmethod
    def new(cls) -> "Ana":
        number = random.Random()  # noqa: S311 - invented identifiers, no secret
        tag = f"{int(time.time()):x}"
        return cls(
            tag=tag,
            phone=f"30{number.randint(0, 5)} {number.randint(100, 999)} {number.randint(1000, 9999)}",
            document=str(number.randint(52_000_000, 52_999_999)),
            email=f"ana.lopez.{tag}@example.com",
            account=f"A-{tag}",
        )


@dataclass(frozen=True)
class Step:
    """One contact: how long ago, what is said of it in the progress bar, and its touchpoint."""

    days_ago: float
    says: str
    touchpoint: dict[str, Any]
    more: dict[str, Any] = field(default_factory=dict)


def play(client: httpx.Client) -> None:
    """Post the fortnight, wait until all services have spoken, and print the resume in two views."""
    ana, now = Ana.new(), datetime.now(UTC).replace(microsecond=0)
    steps = fortnight(ana, now)
    first_conversation: str | None = None
    with tqdm(steps, bar_format="{l_bar}{bar:24}| {n_fmt}/{total_fmt} {desc}") as bar:
        for number, step in enumerate(bar, start=1):
            bar.set_description_str(step.says, refresh=True)
            body = {
                "external_id": f"demo-{ana.tag}-{number:02d}",
                "occurred_at": (now - timedelta(days=step.days_ago)).isoformat(),
                **step.touchpoint,
            }
            if step.more.get("continues") and first_conversation:
                body["conversation_id"] = _continued(client, step.touchpoint, first_conversation)
            recorded = asked(client.post("/interactions/v1/touchpoints", json=body))
            first_conversation = first_conversation or recorded["conversation_id"]
            time.sleep(0.15)
    customer_id = _recognised(client, ana)
    _look_after(client, customer_id)
    agent = _complete(client, customer_id)
    typer.echo(resume_text(agent, title="LO QUE VE EL AGENTE DEL CENTRO DE CONTACTO  (view=agent, canal: llamada)"))
    typer.echo(
        resume_text(_as_himself(client, customer_id), title="LO QUE ELLA MISMA PUEDE VER  (su propia credencial)")
    )
    typer.echo(
        f"customer_id {customer_id}; read it again: GET /interactions/v1/resume?customer_id={customer_id}&channel=call"
    )


def fortnight(ana: Ana, now: datetime) -> list[Step]:
    """The contacts, the oldest first: seven channels that know nothing of each other."""
    whatsapp, phone = f"whatsapp:57{ana.phone.replace(' ', '')}", f"phone:{ana.phone}"
    document, email, account = f"document:co-cc:{ana.document}", f"email:{ana.email}", f"account:billing:{ana.account}"
    promised = (now - timedelta(days=2)).isoformat()
    return [
        Step(14, "WhatsApp: pregunta por la factura", {
            "source": "whatsapp-gateway", "kind": "message", "channel": "whatsapp", "direction": "inbound",
            "identifiers": [whatsapp], "actor": {"kind": "customer"}, "language": "es",
            "profile": {"full_name": "Ana López", "preferred_name": "Ana"},
            "topic": "factura", "content": "Buenas, la factura de octubre me llegó doble",
            "summary": "La factura de octubre le llegó dos veces", "stop_point": "Enviará las dos facturas",
            "next_step": "Comparar las dos facturas", "outcome": "pending", "references": ["invoice:F-2210"],
            "facts": [{"key": "best_hour", "value": "después de las 18:00", "confidence": 0.9}],
        }),
        Step(12, "Tienda: compra en Chapinero", {
            "source": "pos-chapinero", "kind": "purchase", "channel": "shop", "direction": "inbound",
            "site": "bogota-chapinero", "identifiers": [document, phone], "actor": {"kind": "staff", "id": "caja-3"},
            "profile": {"full_name": "ANA MARIA LOPEZ RUIZ", "address": "cra 97 # 12-34 apto 501", "city": "Bogotá"},
            "summary": "Compra de café y filtros",
            "payload": {"amount": "129900.00", "currency": "COP", "quantity": 3, "category": "grocery",
                        "offering": "café-500g", "cost_of_goods": "80000.00"},
            "facts": [{"key": "payment_mode", "value": "tarjeta débito", "confidence": 1.0}],
        }),
        Step(11, "Llamada: retoma donde quedó el chat", {
            "source": "call-centre", "kind": "call", "channel": "call", "direction": "inbound",
            "identifiers": [phone, document, account], "actor": {"kind": "staff", "id": "s-118", "name": "Marta Díaz"},
            "profile": {"full_name": "Ana M. López Ruiz"}, "topic": "billing", "language": "es",
            "content": "Confirma que una de las dos facturas está pagada.",
            "summary": "Una de las dos facturas ya está pagada; la otra sobra",
            "stop_point": "Queda anular la factura F-2210-B", "next_step": "Enviar una sola factura corregida",
            "outcome": "pending", "references": ["invoice:F-2210"], "payload": {"duration_s": 412},
            "commitments": [{"by": "company", "text": "Enviar una sola factura corregida", "due_at": promised}],
        }),
        Step(9, "Correo: manda el comprobante", {
            "source": "mail-gateway", "kind": "message", "channel": "email", "direction": "inbound",
            "identifiers": [email, account], "actor": {"kind": "customer"}, "topic": "billing",
            "profile": {"full_name": "Ana López Ruiz"},
            "content": "Adjunto el comprobante del pago de octubre. Gracias.",
            "summary": "Envió el comprobante del pago de octubre", "stop_point": "Comprobante recibido, falta la factura corregida",
            "next_step": "Emitir la factura corregida", "outcome": "pending",
        }),
        Step(7, "Visita comercial: café para la oficina", {
            "source": "field-sales-app", "kind": "visit", "channel": "visit", "direction": "outbound",
            "site": "oficina-cliente", "identifiers": [account, document], "topic": "product",
            "actor": {"kind": "staff", "id": "s-044", "name": "Julián Peña"},
            "summary": "Le interesa un plan mensual de café para la oficina de doce personas",
            "stop_point": "Pidió la propuesta por escrito", "next_step": "Enviar la propuesta del plan mensual",
            "outcome": "pending",
            "facts": [{"key": "household_size", "value": "oficina de 12 personas", "confidence": 0.8},
                      {"key": "delivery_place", "value": "portería de la oficina", "confidence": 0.9}],
        }),
        Step(5, "Aliado: pedido por el distribuidor", {
            "source": "acme-portal", "kind": "purchase", "channel": "distributor", "direction": "inbound",
            "identifiers": [f"partner:acme:{ana.tag}", document], "actor": {"kind": "partner", "id": "acme"},
            "summary": "Pedido de diez cajas por el distribuidor ACME",
            "payload": {"amount": "890000.00", "currency": "COP", "quantity": 10, "category": "office",
                        "offering": "plan-café-oficina", "cost_of_goods": "520000.00"},
        }),
        Step(3, "Web: reclama por el cobro doble", {
            "source": "web-portal", "kind": "complaint", "channel": "web", "direction": "inbound",
            "identifiers": [account, email], "actor": {"kind": "customer"}, "topic": "billing",
            "content": "Ya van diez días y sigo sin la factura corregida. Me cobraron dos veces.",
            "summary": "Reclama: cobro doble y factura corregida sin enviar",
            "stop_point": "Espera la factura corregida y la devolución", "next_step": "Responder el reclamo y devolver el cobro",
            "outcome": "pending", "references": ["invoice:F-2210"], "payload": {"severity": "high", "about": "double-charge"},
        }, {"continues": True}),
        Step(1, "Encuesta: satisfacción 2 de 5", {
            "source": "survey-tool", "kind": "survey_response", "channel": "email", "direction": "inbound",
            "identifiers": [email], "actor": {"kind": "customer"}, "topic": "billing",
            "summary": "Calificó la atención con 2 de 5", "payload": {"survey": "post-contact", "answers": {"satisfaction": 2}},
        }),
    ]  # fmt: skip


def _continued(client: httpx.Client, touchpoint: dict[str, Any], conversation_id: str) -> str:
    """The thread, once the resume shows it to the channel that is to go on with it: it may be another channel's."""
    question = {"identifiers": touchpoint["identifiers"], "channel": touchpoint["channel"]}
    for _ in _patiently():
        threads = asked(client.post("/interactions/v1/resume", json=question))["threads"]
        if any(thread["conversation_id"] == conversation_id for thread in threads):
            return conversation_id
    raise typer.Exit(_complain("identity has not said whose the identifiers are"))


def _recognised(client: httpx.Client, ana: Ana) -> str:
    """The id of the customer to whom all seven channels' identifiers lead."""
    question = {"identifiers": [f"phone:{ana.phone}"], "channel": "call", "view": "agent"}
    for _ in _patiently():
        who = asked(client.post("/interactions/v1/resume", json=question))["who"]
        if who["recognised"] == "customer":
            return str(who["customer_id"])
    raise typer.Exit(_complain("identity has not said who she is"))


def _look_after(client: httpx.Client, customer_id: str) -> None:
    """What people write to a customer: who looks after her, how she wants to be contacted, what she consented to."""
    base = f"/identity/v1/customers/{customer_id}"
    owner = {
        "role": "account_owner",
        "staff_id": "s-044",
        "name": "Julián Peña",
        "handover_note": "Prefiere correos cortos",
    }
    asked(client.put(f"{base}/assignments", json=owner))
    preferences = {
        "ranking": ["whatsapp", "email", "call"], "max_contacts": 2, "per_days": 7,
        "quiet_times": [{"days": [1, 2, 3, 4, 5, 6, 7], "from": "21:00", "to": "08:00"}],
    }  # fmt: skip
    asked(client.put(f"{base}/preferences", json=preferences))
    consent = {"purpose": "marketing", "channel": "whatsapp", "granted": True, "evidence": "Formulario de la tienda"}
    asked(client.post(f"{base}/consents", json=consent))


def _complete(client: httpx.Client, customer_id: str) -> dict[str, Any]:
    """The agent's resume, once every source has spoken."""
    packet: dict[str, Any] = {}
    for _ in _patiently():
        params = {"customer_id": customer_id, "channel": "call", "view": "agent"}
        packet = asked(client.get("/interactions/v1/resume", params=params))
        if not packet["continuity"]["missing"] and packet["value"] and packet["people"] and len(packet["known"]) >= 3:
            return packet
    return packet


def _as_himself(client: httpx.Client, customer_id: str) -> dict[str, Any]:
    """The same customer with a credential of her own, which sees her and nobody else."""
    key = {"name": "demo: portal de Ana", "scopes": ["resume:read"], "subject": f"customer:{customer_id}"}
    made = asked(client.post("/identity/v1/access-keys", json=key))
    for _ in _patiently():
        headers = {"Authorization": f"Bearer {made['key']}"}
        answer = client.get(
            "/interactions/v1/resume", params={"customer_id": customer_id, "view": "customer"}, headers=headers
        )
        if answer.status_code != httpx.codes.UNAUTHORIZED:  # the new key is on its way to interactions
            asked(client.delete(f"/identity/v1/access-keys/{made['key_id']}"))
            packet: dict[str, Any] = asked(answer)
            return packet
    raise typer.Exit(_complain("interactions has not heard of her credential"))


def _patiently() -> Iterator[int]:
    deadline = time.monotonic() + PATIENCE_SECONDS
    attempt = 0
    while time.monotonic() < deadline:
        yield attempt
        attempt += 1
        time.sleep(0.2)


def _complain(words: str) -> int:
    typer.echo(f"{words} within {PATIENCE_SECONDS:.0f} s; is its worker running?", err=True)
    return 1
