"""Sagas under test: read like stories, crashed at every point, and held to their recorded histories."""

from bandstand.testing.sagas.calls import CallsByHand
from bandstand.testing.sagas.cast import Play
from bandstand.testing.sagas.histories import Diverged, record, replay
from bandstand.testing.sagas.proof import Case, Proof, prove
from bandstand.testing.sagas.rehearsal import Finished, Rehearsal
from bandstand.testing.sagas.scenarios import Scenario, Trouble
from bandstand.testing.sagas.stage import NotEnded, SagaStage, saga_stage
from bandstand.testing.sagas.staged import StagedStory, on_stage
from bandstand.testing.sagas.stepper import Stepper, stepper

__all__ = [
    "CallsByHand",
    "Case",
    "Diverged",
    "Finished",
    "NotEnded",
    "Play",
    "Proof",
    "Rehearsal",
    "SagaStage",
    "Scenario",
    "StagedStory",
    "Stepper",
    "Trouble",
    "on_stage",
    "prove",
    "record",
    "replay",
    "saga_stage",
    "stepper",
]
