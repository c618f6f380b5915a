#!/bin/sh
# GRPO by verl on GeneralPoints, with feedback and several attempts, then a verdict by shiftgym. It needs a GPU.
#
#   MODEL=Qwen/Qwen2.5-1.5B-Instruct GPUS=1 OUT=runs/verl sh examples/integrations/verl/train.sh
#
# LOOP=single_turn_agent trains one attempt at each decision, judged by the reward function. SHIFTGYM is the command of
# the environment that writes the data and judges; verl pins versions that shiftgym's own models do not run with.
set -e
HERE=$(cd "$(dirname "$0")" && pwd)
MODEL=${MODEL:-Qwen/Qwen2.5-1.5B-Instruct}
STUDY=${STUDY:-points-text}
LOOP=${LOOP:-shiftgym}
GPUS=${GPUS:-1}
SHIFTGYM=${SHIFTGYM:-shiftgym}
mkdir -p "${OUT:=runs/verl}"
OUT=$(cd "$OUT" && pwd)

"$SHIFTGYM" data verl "$OUT/train.parquet" --study "$STUDY" --split train --count 5000
"$SHIFTGYM" data verl "$OUT/id.parquet" --study "$STUDY" --split id --count 200
"$SHIFTGYM" data verl "$OUT/rule_ood.parquet" --study "$STUDY" --split rule_ood --count 200

python -m verl.trainer.main_ppo \
    algorithm.adv_estimator=grpo \
    algorithm.use_kl_in_reward=False \
    data.train_files="$OUT/train.parquet" \
    data.val_files="[$OUT/id.parquet,$OUT/rule_ood.parquet]" \
    data.train_batch_size=128 \
    data.max_prompt_length=1024 \
    data.max_response_length=2048 \
    data.filter_overlong_prompts=True \
    actor_rollout_ref.model.path="$MODEL" \
    actor_rollout_ref.actor.optim.lr=1e-6 \
    actor_rollout_ref.actor.ppo_mini_batch_size=64 \
    actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=8 \
    actor_rollout_ref.actor.use_kl_loss=True \
    actor_rollout_ref.actor.kl_loss_coef=0.001 \
    actor_rollout_ref.actor.checkpoint.save_contents="['model','optimizer','extra','hf_model']" \
    actor_rollout_ref.rollout.name=vllm \
    actor_rollout_ref.rollout.n=8 \
    actor_rollout_ref.rollout.tensor_model_parallel_size=1 \
    actor_rollout_ref.rollout.gpu_memory_utilization=0.5 \
    actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu=8 \
    actor_rollout_ref.rollout.agent.default_agent_loop="$LOOP" \
    actor_rollout_ref.rollout.agent.agent_loop_config_path="$HERE/agent_loop.yaml" \
    actor_rollout_ref.ref.log_prob_micro_batch_size_per_gpu=8 \
    reward.custom_reward_function.path=pkg://shiftgym.integrations.verl \
    reward.custom_reward_function.name=compute_score \
    trainer.n_gpus_per_node="$GPUS" \
    trainer.nnodes=1 \
    trainer.save_freq=20 \
    trainer.test_freq=20 \
    trainer.total_training_steps=100 \
    trainer.logger="['console']" \
    trainer.default_local_dir="$OUT/checkpoints"

"$SHIFTGYM" compare "$MODEL" "$OUT/checkpoints" --label before --label GRPO --study "$STUDY"
