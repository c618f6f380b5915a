"""A recipe of your own in one file: the expert corrects exactly those answers that the present model gets wrong.

    shiftgym check examples.my_recipe:Corrections
    shiftgym train points-0 examples.my_recipe:Corrections --out runs/corrections
    shiftgym study run points-text --set 'branches.mine={recipe="examples.my_recipe:Corrections", label="Corrections"}'

A recipe says where conversations come from (`collect`) and how much their tokens count (`Conversation.weights`; here
all alike). The training loop does the rest: optimizer, KL term, compute ledger, checkpoints and resuming.
"""

from shiftgym import Collection, Recipe, SamplingSettings, SupervisedSettings


class CorrectionsSettings(SupervisedSettings, SamplingSettings):
    """The settings of this recipe, besides those of supervised and of sampling recipes."""

    samples: int = 1
    """Answers sampled to each problem. If one of them is wrong, the expert's answer is learned."""


class Corrections(Recipe):
    """Supervised fine-tuning on the expert's answers to problems that the model cannot solve yet."""

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
