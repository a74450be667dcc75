"""The ``student`` stage: a sequential recommender trained on the data alone."""

import torch

from engine.config import Config
from engine.data.repeated_targets import protocol_of
from engine.data.sequences import Sequences
from engine.runs.run import Run
from engine.stages import STUDENT_MODEL, STUDENT_REFIT
from engine.student.continuation import continue_from
from engine.student.model import SequenceModel, save_student
from engine.student.module import StudentModule
from engine.student.refit import train_again, with_validation
from engine.student.training_plan import load_inputs, plan_of, sampler_of, train
from engine.student.validation import Validation
from engine.training import fit
from engine.training.plan import TrainingPlan


def run(config: Config, run: Run) -> None:
    """Train to the best validation NDCG@10 and write the model; with ``student.refit`` train and write another one."""
    settings, device = config.student, fit.device(config.trainer)
    items, sequences, rows = load_inputs(run)
    module, plan = _training(config, items, sequences, run)
    validation = Validation(rows, device, protocol_of(run))
    state = train(module, plan, config.trainer, run, lambda tick: validation(module.model, tick))
    model = module.model
    model.to(device).eval()
    with run.output(STUDENT_MODEL) as path:
        save_student(path, model)
    run.note(items=items, users=len(sequences))
    if settings.refit:
        again, plan = _training(config, items, with_validation(sequences, rows)[0], run)
        train_again(again, plan, config.trainer, run, state.best_step / module.sampler.per_epoch)
        with run.output(STUDENT_REFIT) as path:
            save_student(path, again.model)


def _training(config: Config, items: int, sequences: Sequences, run: Run) -> tuple[StudentModule, TrainingPlan]:
    """A new student, and what its training on these sequences is."""
    settings, trainer = config.student, config.trainer
    graphs = trainer.cuda_graph == "true"
    sampler = sampler_of(settings, sequences, fit.device(trainer), trainer.devices, same_shapes=graphs)
    return StudentModule(_new_model(config, items, run), settings, sampler), plan_of(settings, sampler.per_epoch, items)


def _new_model(config: Config, items: int, run: Run) -> SequenceModel:
    """The student before its first step; the seed of everything random is set."""
    settings = config.student
    torch.manual_seed(settings.seed)
    model = SequenceModel(items, settings).to(fit.device(config.trainer))
    if settings.init_from is not None:
        run.note(new_items=continue_from(model, run, settings.init_from))
    if config.trainer.compile:
        model.network.compile()
    return model
