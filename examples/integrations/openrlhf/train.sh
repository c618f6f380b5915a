#!/bin/sh
# GRPO by OpenRLHF on GeneralPoints, with feedback and several attempts, then a verdict by shiftgym. It needs a GPU.
#
#   MODEL=Qwen/Qwen2.5-1.5B-Instruct GPUS=1 OUT=runs/openrlhf sh examples/integrations/openrlhf/train.sh
set -e
HERE=$(cd "$(dirname "$0")" && pwd)
MODEL=${MODEL:-Qwen/Qwen2.5-1.5B-Instruct}
STUDY=${STUDY:-points-text}
GPUS=${GPUS:-1}
mkdir -p "${OUT:=runs/openrlhf}"
OUT=$(cd "$OUT" && pwd)

shiftgym data openrlhf "$OUT/train.parquet" --study "$STUDY" --split train --count 5000
shiftgym data openrlhf "$OUT/id.parquet" --study "$STUDY" --split id --count 200

# The sum of the rewards of five attempts reaches from -16 to 5, and OpenRLHF clips at -10 unless told otherwise.
python -m openrlhf.cli.train_ppo_ray \
    --actor.model_name_or_path "$MODEL" \
    --train.agent_func_path "$HERE/agent.py" \
    --data.prompt_dataset "$OUT/train.parquet" \
    --data.input_key prompt \
    --data.label_key label \
    --data.apply_chat_template \
    --data.max_len 3072 \
    --eval.dataset "$OUT/id.parquet" \
    --eval.steps 20 \
    --reward.clip_range -20 20 \
    --algo.advantage.estimator group_norm \
    --algo.kl.use_loss \
    --algo.kl.estimator k3 \
    --algo.kl.init_coef 0.001 \
    --rollout.n_samples_per_prompt 8 \
    --rollout.batch_size 128 \
    --train.batch_size 1024 \
    --train.micro_batch_size 4 \
    --actor.adam.lr 1e-6 \
    --actor.gradient_checkpointing_enable \
    --ds.zero_stage 2 \
    --ds.param_dtype bf16 \
    --train.colocate_all \
    --actor.num_gpus_per_node "$GPUS" \
    --ref.num_gpus_per_node "$GPUS" \
    --vllm.num_engines "$GPUS" \
    --vllm.enable_sleep \
    --ds.enable_sleep \
    --vllm.gpu_memory_utilization 0.5 \
    --ckpt.path "$OUT/checkpoints" \
    --ckpt.save_steps 20 \
    --ckpt.save_hf \
    --ckpt.output_dir "$OUT/last"

shiftgym compare "$MODEL" "$OUT/checkpoints" --label before --label GRPO --study "$STUDY"
