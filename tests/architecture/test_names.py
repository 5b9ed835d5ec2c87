"""Each thing is found where its name says, and every module can be explained by its first line."""

import ast

import pytest

from .modules import SERVICES, Module, modules

FEATURE = {"__init__", "domain", "models", "repository", "use_cases", "schemas", "router"}
SERVICE = {"__init__", "__main__", "main", "worker", "service", "settings", "tables", "uow", "consumers"}
# A file outside the list wants a good reason.
REASONS = {
    "identity.callers": "What all routes of identity ask for, in one place.",
    "identity.customers.golden": "The golden record joins four features; as a schema it would pull them all into one.",
    "identity.customers.reading": "Looking up spans traces, names and ids: more than one repository's queries.",
    "identity.customers.telling": "Every use case that changes a customer tells it in the same way.",
    "identity.matching.blocking": "Which pairs are looked at: a step of matching, apart from how they are compared.",
    "identity.matching.bulk": "Composes the steps of matching for a whole file, as use cases do for a transaction.",
    "identity.matching.clustering": "From pairs to persons: a step of matching with an algorithm of its own.",
    "identity.matching.columns": "Records as arrays for many at once; what a record is stands in records.",
    "identity.matching.comparing": "Levels of likeness for many pairs at once: arrays, not rules.",
    "identity.matching.indexing": "Work of the worker over all traces, apart from what a caller asks of matching.",
    "identity.matching.learning": "Expectation maximisation, apart from the model that it estimates.",
    "identity.matching.records": "What is compared, read from what was told: the same for one record and for a file.",
    "identity.merges.undoing": "An undo tells the past since the merge again; with the merge itself it would be one long file.",
    "identity.privacy.rectifying": "Putting a value right writes; forgetting takes out: together they would be one long file.",
    "identity.reach": "Who may reach whom is one rule for all routes.",
    "identity.sightings.renewing": "Work of the worker over all identifiers, apart from what a channel tells.",
    "identity.republish": "A command of the service, beside its worker.",
    "interactions.republish": "A command of the service, beside its worker.",
    "interactions.journal": "Written after the answer has left, by several features.",
    "interactions.readers": "Which view a credential reaches is one rule for all routes.",
    "interactions.resume.bond": "A part of the packet; together they would be one long domain file.",
    "interactions.resume.packet": "Composes the parts of the packet.",
    "interactions.resume.scene": "What every part of the packet looks at.",
    "interactions.resume.sections": "The mechanism by which a resume is one round trip.",
    "interactions.resume.statements": "The statements of that round trip, apart from how their rows become values.",
    "interactions.resume.talk": "A part of the packet; together they would be one long domain file.",
    "interactions.resume.together": "The mechanism by which those who ask at once share a round trip.",
    "interactions.touchpoints.renewing": "Work of the worker over the whole log, apart from what a channel tells.",
    "interactions.touchpoints.payloads": "The sixteen kinds, apart from the body that all of them share.",
    "scoring.access": "Who may ask scoring is one rule for all routes.",
    "scoring.appraisals.reading": "What was true on a day is asked by value, lists and reports.",
    "scoring.books": "The company's currency and calendar, for all features.",
    "service_audit.callers": "What all routes of service-audit ask for, in one place.",
}
VAGUE = {"utils", "util", "helpers", "helper", "base", "core", "misc", "manager", "common_utils", "tools"}


def ids(module: Module) -> str:
    return module.name


@pytest.mark.parametrize("module", list(modules()), ids=ids)
def test_a_module_is_explained_by_its_first_line(module):
    told = ast.get_docstring(module.tree)
    assert told, "a module has a line that a newcomer could read aloud"
    first = told.splitlines()[0]
    assert first.strip().endswith((".", ":", "?")), first
    assert len(first) <= 200, first


@pytest.mark.parametrize("module", list(modules(*SERVICES)), ids=ids)
def test_a_service_has_the_files_that_every_service_has(module):
    if module.folders[:1] == ("migrations",):
        return
    allowed = FEATURE if module.folders else SERVICE
    assert module.stem in allowed or module.name in REASONS


@pytest.mark.parametrize("module", list(modules()), ids=ids)
def test_no_file_is_named_after_nothing(module):
    assert module.stem not in VAGUE
    assert not VAGUE.intersection(module.folders)


def test_every_reason_is_still_needed():
    assert sorted(set(REASONS) - {module.name for module in modules(*SERVICES)}) == []
    assert all(reason.endswith(".") for reason in REASONS.values())


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_can_be_run_and_is_one_value(service):
    names = {module.name for module in modules(service)}
    assert {
        f"{service}.{name}" for name in ("__main__", "main", "worker", "service", "settings", "uow", "consumers")
    } <= names
