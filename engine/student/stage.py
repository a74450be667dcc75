"""The ``student`` stage: a sequential recommender trained on the data alone."""

import torch

from engine.config import Config
from engine.data.repeated_targets import protocol_of
from engine.runs.run import Run
from engine.stages import STUDENT_MODEL
from engine.student.continuation import continue_from
from engine.student.model import SequenceModel, save_student
from engine.student.module import StudentModule
from engine.student.training_plan import load_inputs, plan_of, sampler_of
from engine.student.validation import Validation
from engine.training import fit


def run(config: Config, run: Run) -> None:
    """Train to the best validation NDCG@10, then write the model."""
    settings, device = config.student, fit.device(config.trainer)
    items, sequences, rows = load_inputs(run)
    torch.manual_seed(settings.seed)
    trainer = config.trainer
    sampler = sampler_of(settings, sequences, device, trainer.devices, same_shapes=trainer.cuda_graph == "true")
    model = SequenceModel(items, settings).to(device)
    if settings.init_from is not None:
        run.note(new_items=continue_from(model, run, settings.init_from))
    if trainer.compile:
        model.network.compile()
    validation = Validation(rows, device, protocol_of(run))
    fit.fit(
        StudentModule(model, settings, sampler),
        plan_of(settings, sampler.per_epoch, items),
        trainer,
        run,
        groups=model.groups(),
        evaluate=lambda tick: validation(model, tick),
        positions=sampler.positions,
    )
    model.to(device).eval()
    with run.output(STUDENT_MODEL) as path:
        save_student(path, model)
    run.note(items=items, users=len(sequences))
