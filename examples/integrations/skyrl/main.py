"""SkyRL's own trainer, with the environment `shiftgym` registered where episodes are played."""

import sys

import ray
from skyrl.train.config import SkyRLTrainConfig
from skyrl.train.entrypoints.main_base import BasePPOExp
from skyrl.train.utils import initialize_ray, validate_cfg


@ray.remote(num_cpus=1)
def train(config: SkyRLTrainConfig) -> None:
    import shiftgym.integrations.skyrl  # noqa: F401 (it registers the environment)

    BasePPOExp(config).run()


def main() -> None:
    config = SkyRLTrainConfig.from_cli_overrides(sys.argv[1:])
    validate_cfg(config)
    initialize_ray(config)
    ray.get(train.remote(config))


if __name__ == "__main__":
    main()
