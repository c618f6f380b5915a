"""The agent file that OpenRLHF loads: `--train.agent_func_path examples/integrations/openrlhf/agent.py`."""

from shiftgym.integrations.openrlhf import AgentExecutor

__all__ = ["AgentExecutor"]
