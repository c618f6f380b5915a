#!/bin/sh
# GRPO by SkyRL on GeneralPoints, with feedback and several attempts, then a verdict by shiftgym. It needs a GPU, and is
# run in an environment that holds SkyRL (its repository; the package skyrl-gym has the environments alone).
#
#   MODEL=Qwen/Qwen2.5-1.5B-Instruct GPUS=1 OUT=runs/skyrl sh examples/integrations/skyrl/train.sh
set -e
HERE=$(cd "$(dirname "$0")" && pwd)
MODEL=${MODEL:-Qwen/Qwen2.5-1.5B-Instruct}
STUDY=${STUDY:-points-text}
GPUS=${GPUS:-1}
mkdir -p "${OUT:=runs/skyrl}"
OUT=$(cd "$OUT" && pwd)

shiftgym data skyrl "$OUT/train.parquet" --study "$STUDY" --split train --count 5000
shiftgym data skyrl "$OUT/id.parquet" --study "$STUDY" --split id --count 200
shiftgym data skyrl "$OUT/rule_ood.parquet" --study "$STUDY" --split rule_ood --count 200

python "$HERE/main.py" \
    data.train_data="['$OUT/train.parquet']" \
    data.val_data="['$OUT/id.parquet','$OUT/rule_ood.parquet']" \
    environment.env_class=shiftgym \
    trainer.algorithm.advantage_estimator=grpo \
    trainer.algorithm.use_kl_loss=true \
    trainer.policy.model.path="$MODEL" \
    trainer.policy.optimizer_config.lr=1.0e-6 \
    trainer.placement.colocate_all=true \
    trainer.placement.policy_num_gpus_per_node="$GPUS" \
    trainer.placement.ref_num_gpus_per_node="$GPUS" \
    trainer.train_batch_size=128 \
    trainer.policy_mini_batch_size=64 \
    trainer.micro_forward_batch_size_per_gpu=8 \
    trainer.micro_train_batch_size_per_gpu=8 \
    trainer.max_prompt_length=1024 \
    trainer.epochs=1 \
    trainer.hf_save_interval=20 \
    trainer.export_path="$OUT/checkpoints" \
    trainer.logger=console \
    generator.inference_engine.num_engines="$GPUS" \
    generator.inference_engine.gpu_memory_utilization=0.5 \
    generator.batched=false \
    generator.max_turns=5 \
    generator.max_input_length=3072 \
    generator.use_conversation_multi_turn=true \
    generator.n_samples_per_prompt=8 \
    generator.sampling_params.max_generate_length=512

shiftgym compare "$MODEL" "$OUT/checkpoints" --label before --label GRPO --study "$STUDY"
