"""Dynamic fine-tuning (DFT; Wu et al. 2025, arXiv 2508.05629): supervised fine-tuning in which each token weighs as
much as its probability."""

from typing import TYPE_CHECKING

from shiftgym.training.recipes.sft import SFT

if TYPE_CHECKING:
    from torch import Tensor

    from shiftgym.models.microbatches import Microbatch
    from shiftgym.models.score import Scores


class DFT(SFT):
    """Its gradient is that of the answers' mean probability instead of their log-likelihood, which rare tokens
    dominate."""

    name = "dft"

    def loss(self, scores: "Scores", batch: "Microbatch") -> "tuple[Tensor, dict[str, Tensor]]":
        """A scalar: the mean over answer tokens, each weighed by its probability (A,), which has no gradient."""
        weights = scores.logprobs.detach().exp()
        return -(weights * scores.logprobs).sum() / batch.minibatch_answer_tokens, {}
