"""A recipe of your own in one file: the expert corrects exactly those answers that the present model gets wrong.

    shiftgym check examples.my_recipe:Corrections
    shiftgym train points-0 examples.my_recipe:Corrections --out runs/corrections
    shiftgym study run points-text --set 'branches.mine={recipe="examples.my_recipe:Corrections", label="Corrections"}'

A recipe says where conversations come from (`collect`) and how much their tokens count (`Conversation.weights`; here
all alike). Optimizer, KL term, compute ledger, checkpoints and resuming are the training loop's.
"""

from shiftgym import Collection, Recipe, SamplingSettings, SupervisedSettings


class CorrectionsSettings(SupervisedSettings, SamplingSettings):
    """What a branch may set, besides everything that supervised and sampling recipes have."""

    samples: int = 1
    """Answers to a problem that are sampled; one wrong among them, and the expert's is learned."""


class Corrections(Recipe):
    """Supervised fine-tuning on the expert's answers to what the model cannot do yet."""

    name = "corrections"
    Settings = CorrectionsSettings
    family = "between"

    @property
    def sampled_by(self):
        return "present"

    def collect(self, step):
        settings = self.settings
        indices = self.problems(step, settings.batch)
        answered = self.player.answers(settings.train_on, indices, settings.samples, [*self.noise, step])
        wrong = [
            index
            for index, decisions in zip(indices, answered, strict=True)
            if not all(right for samples in decisions for _, right in samples)
        ]
        groups = [self.player.expert(settings.train_on, index) for index in wrong]
        return Collection(groups, {"wrong": len(wrong) / len(indices)})
