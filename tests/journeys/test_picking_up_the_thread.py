"""A customer writes on one channel, calls on another, and the second one picks up the thread."""

from .people import Person, ago, ahead
from .systems import until

BILLING = {
    "topic": "factura",
    "content": "Buenas, la factura de octubre me llegó doble",
    "summary": "October invoice received twice",
    "stop_point": "He will send both invoices",
    "next_step": "We compare them",
    "outcome": "pending",
}


def test_a_call_is_told_at_once_where_the_chat_stopped(caller):
    ana = Person.new(caller)
    promise = {"by": "company", "text": "Send one corrected invoice", "due_at": ahead(days=2)}
    chat = ana.does(**BILLING, site="bogota-chapinero", commitments=[promise], references=["invoice:F-2210"])
    assert (chat["status"], chat["matched_by"], len(chat["commitment_ids"])) == ("recorded", "new", 1)

    told = ana.resume()  # at once: no waiting for anybody
    point = told["resume_point"]
    assert point["touchpoint_id"] == chat["touchpoint_id"]
    assert point["conversation_id"] == chat["conversation_id"]
    assert (point["channel"], point["site"], point["topic"]) == ("whatsapp", "bogota-chapinero", "billing")
    assert (point["stop_point"], point["next_step"]) == ("He will send both invoices", "We compare them")
    assert [(thread["conversation_id"], thread["suggested"]) for thread in told["threads"]] == [
        (chat["conversation_id"], True)
    ]
    assert told["threads"][0]["state"] == "waiting-us"
    assert [(c["commitment_id"], c["by"], c["text"], c["state"]) for c in told["commitments"]] == [
        (chat["commitment_ids"][0], "company", "Send one corrected invoice", "open")
    ]


def test_the_call_continues_the_thread_and_the_next_one_resumes_from_the_call(caller):
    ana = Person.new(caller)
    chat = ana.does(**BILLING)
    call = ana.does(
        kind="call", channel="call", topic="cobro", occurred_at=ago(minutes=5), summary="Both invoices are here",
        stop_point="We correct the second one", next_step="She gets it by e-mail", outcome="pending",
        actor={"kind": "staff", "id": "a-7", "name": "Carlos"},
    )  # fmt: skip
    assert (call["matched_by"], call["conversation_id"]) == ("topic", chat["conversation_id"])
    told = ana.resume(channel="email")
    assert told["resume_point"]["touchpoint_id"] == call["touchpoint_id"]
    assert told["resume_point"]["attended_by"]
    assert [entry["channel"] for entry in told["recap"]].count("whatsapp") == 1
    assert len(told["threads"]) == 1


def test_a_contact_without_a_topic_continues_the_most_recent_thread_and_another_topic_opens_its_own(caller):
    ana = Person.new(caller)
    billing = ana.does(**BILLING)
    delivery = ana.does(topic="entrega", occurred_at=ago(minutes=20), outcome="pending", stop_point="On its way")
    assert (delivery["matched_by"], delivery["conversation_id"]) == ("new", delivery["touchpoint_id"])
    unsaid = ana.does(kind="call", channel="call", occurred_at=ago(minutes=10))
    assert (unsaid["matched_by"], unsaid["conversation_id"]) == ("recent", delivery["conversation_id"])
    chosen = ana.resume(topic="billing")
    assert [t["conversation_id"] for t in chosen["threads"] if t["suggested"]] == [billing["conversation_id"]]


def test_any_touchpoint_of_a_thread_names_it(caller):
    ana = Person.new(caller)
    first = ana.does(**BILLING)
    second = ana.does(kind="call", channel="call", topic="billing", occurred_at=ago(minutes=9))
    third = ana.does(by=ana.phone, kind="visit", channel="visit", conversation_id=second["touchpoint_id"])
    assert (third["matched_by"], third["conversation_id"]) == ("reference", first["conversation_id"])


def test_a_closed_subject_that_comes_back_is_resumed(caller):
    ana = Person.new(caller)
    first = ana.does(**BILLING)
    caller.post(f"/interactions/v1/conversations/{first['conversation_id']}:close", {"reason": "Solved"})
    assert [thread["state"] for thread in ana.resume()["threads"] if thread["suggested"]] == []
    again = ana.does(kind="call", channel="call", topic="billing", occurred_at=ago(seconds=0), outcome="pending")
    assert (again["matched_by"], again["conversation_id"]) == ("resumed-closed", first["conversation_id"])
    assert [thread["state"] for thread in ana.resume()["threads"]] == ["waiting-us"]


def test_a_promise_is_kept_by_the_contact_that_keeps_it(caller):
    ana = Person.new(caller)
    chat = ana.does(**BILLING, commitments=[{"by": "company", "text": "Call back", "due_at": ahead(hours=1)}])
    ana.does(kind="call", channel="call", direction="outbound", topic="billing", keeps=chat["commitment_ids"])
    assert [c for c in ana.resume()["commitments"] if c["state"] in ("open", "late")] == []


def test_a_late_promise_surfaces_by_itself(caller):
    ana = Person.new(caller)
    ana.does(**BILLING, commitments=[{"by": "company", "text": "Call back", "due_at": ahead(seconds=2)}])
    late = until(lambda: [c for c in ana.resume()["commitments"] if c["state"] == "late"])
    assert late[0]["text"] == "Call back"


def test_identity_makes_him_a_customer_who_is_known_on_every_channel(caller):
    ana = Person.new(caller)
    ana.does(**BILLING, identifiers=[ana.phone, ana.email], facts=[{"key": "best_hour", "value": "after 18:00"}])
    customer = until(ana.customer_id)
    by_email = until(lambda: ana.customer_id(by=ana.email))
    assert by_email == customer
    told = until(lambda: (r := ana.resume(by=ana.email))["known"] and r)
    assert ("best_hour", "after 18:00") in [(fact["key"], fact["value"]) for fact in told["known"]]
    assert told["who"]["preferred_name"] == "Ana"
    golden = caller.get(f"/identity/v1/customers/{customer}")
    assert golden["customer_id"] == customer
    assert golden["display_name"]


def test_the_packet_is_the_same_whichever_channel_asks(caller):
    ana = Person.new(caller)
    ana.does(**BILLING)
    until(ana.customer_id)

    def settled():
        first, second = (ana.resume(channel=channel) for channel in ("whatsapp", "visit"))
        for packet in (first, second):
            for moving in ("continuity", "ask"):
                del packet[moving]
            for thread in packet["threads"]:
                del thread["age_hours"], thread["suggested"]
        assert first == second
        return True

    until(settled)


def test_the_resume_answers_304_while_nothing_has_changed(caller, stack):
    ana = Person.new(caller)
    ana.does(**BILLING)
    until(ana.customer_id)
    until(lambda: ana.resume()["value"]["tier"])
    query = {"identifier": ana.phone, "channel": "call"}

    def unchanged():
        tag = caller.ask("GET", "/interactions/v1/resume", params=query).headers["etag"]
        again = caller.ask("GET", "/interactions/v1/resume", params=query, headers={"If-None-Match": tag})
        assert again.status_code == 304
        return tag

    tag = until(unchanged)
    ana.does(kind="call", channel="call", topic="billing", occurred_at=ago(minutes=1))
    changed = caller.ask("GET", "/interactions/v1/resume", params=query, headers={"If-None-Match": tag})
    assert changed.status_code == 200


def test_an_identifier_need_not_stand_in_a_path_or_query(caller):
    ana = Person.new(caller)
    chat = ana.does(**BILLING)
    told = caller.post("/interactions/v1/resume", {"identifiers": [ana.phone], "channel": "call"})
    assert told["resume_point"]["touchpoint_id"] == chat["touchpoint_id"]
