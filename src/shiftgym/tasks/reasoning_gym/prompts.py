"""What the policy is told beside the question, and how an answer is written."""

from shiftgym.messages import Messages, user
from shiftgym.tasks.answer import Form, write_fields

_REPLY: dict[Form, str] = {
    "json": 'Reply as JSON, with or without steps: {"steps": "...", "answer": "..."}',
    "lines": "Reply in lines, with or without steps, where \\n stands for a line break:\nsteps: ...\nanswer: ...",
}


def prompt(question: str, form: Form) -> Messages:
    """How to reply, and the question as it is. Where a question asks for a form of its own, this is meant for the
    answer inside the reply.

    The beginning is the same in all prompts, so that a model reads it once for many questions.
    """
    return [user(f"{_REPLY[form]}\n\n{question.strip()}")]


def answer(text: str, form: Form) -> str:
    """The reply with this answer."""
    return write_fields({"answer": text.replace("\n", r"\n") if form == "lines" else text}, form)
