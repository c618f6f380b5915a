#!/bin/sh
# First answers of the shipped backbone, at home and under another rule, by lm-evaluation-harness.
#
#     sh examples/integrations/lm_eval.sh [PROBLEMS] [FOLDER]
#
# In place of the backbone's folder, give `pretrained=` a model of yours.
set -e
backbone=$(python -c "from shiftgym import load_policy; print(load_policy('points-0')[0].name_or_path)")
lm-eval run \
    --include_path "$(python -m shiftgym.integrations.lm_eval)" --tasks shiftgym_points_text \
    --metadata "{\"problems\": ${1:-128}}" \
    --model hf --model_args "pretrained=$backbone,dtype=float32" --device cpu --batch_size 64 --apply_chat_template \
    --log_samples --output_path "${2:-runs/lm_eval}"
