"""Episodes on a server of OpenEnv, split by split.

python -m shiftgym.integrations.openenv points-text --port 8000 &
python examples/integrations/openenv_points/play.py http://127.0.0.1:8000
"""

import argparse
from typing import Any

from openenv.core import GenericEnvClient


def answer(messages: list[dict[str, Any]]) -> str:
    """Put a model here; it is given chat messages."""
    return '{"formula": "1+1"}' if len(messages) == 1 else "I do not know."


def main(url: str, splits: list[str], problems: int) -> None:
    with GenericEnvClient(base_url=url).sync() as env:
        for split in splits:
            rewards, outcomes = [], []
            for index in range(problems):
                result = env.reset(split=split, index=index)
                while not result.done:
                    result = env.step({"text": answer(result.observation["messages"])})
                    outcomes.append(result.observation["outcome"])
                rewards.append(result.observation["total_reward"])
            print(f"{split}: mean reward {sum(rewards) / problems:+.2f}, outcomes {', '.join(sorted(set(outcomes)))}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("--splits", nargs="+", default=["id", "rule_ood"])
    parser.add_argument("--problems", type=int, default=4)
    asked = parser.parse_args()
    main(asked.url, asked.splits, asked.problems)
