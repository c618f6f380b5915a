"""What a reply that is no answer says. The errors are worded as servers word them."""

import json
import time

import pytest

from shiftgym.policies.faults import Fault, read_reply


def fault(status, reply, asked=0.0, content_type="application/json"):
    body = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
    with pytest.raises(Fault) as caught:
        read_reply(status, content_type, body, asked)
    return caught.value


def error(message, **more):
    return {"error": {"message": message, **more}}


TOO_LONG = [
    # OpenAI, Azure, Groq, Cerebras
    (400, error("Your input exceeds the context window of this model.", code="context_length_exceeded")),
    (400, error("Please adjust your input and try once more.", code="context_length_exceeded")),
    (400, error("Please reduce the length of the messages or completion. Current length is 9000 while limit is 8192")),
    (400, error("Invalid 'messages[1].content': string too long. Expected a string with maximum length 1048576")),
    (429, error("Request too large for gpt-x on tokens per min (TPM): Limit 30000, Requested 40000.", type="tokens")),
    (413, error("Request body too large for the model. Max size: 8000 tokens.", code="tokens_limit_reached")),
    # vLLM, with and without an `error` around it
    (400, {"object": "error", "message": "This model's maximum context length is 512 tokens. However, you requested"}),
    (
        400,
        error("'max_tokens' or 'max_completion_tokens' is too large: 256. This model's maximum context length is 512"),
    ),
    (400, error("The decoder prompt (length 600) is longer than the maximum model length of 512.")),
    (400, error("Input length (530) exceeds model's maximum context length (512).", type="BadRequestError", code=400)),
    # llama.cpp: once with status 500
    (400, error("request (600 tokens) exceeds the available context size (512 tokens), try increasing it")),
    (400, error("too many", type="exceed_context_size_error", n_prompt_tokens=600)),
    (500, error("Context size has been exceeded.", type="server_error", code=500)),
    # TGI, whose error is a text
    (422, {"error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 512. Given: 500 `inputs`"}),
    (422, {"error": "Input validation error: `inputs` must have less than 512 tokens. Given: 600"}),
    # SGLang
    (
        400,
        {
            "object": "error",
            "message": "The input (600 tokens) is longer than the model's context length (512 tokens).",
        },
    ),
    (400, error("Requested token count exceeds the model's maximum context length of 512 tokens.")),
    # Anthropic, Bedrock, Mistral, Gemini, xAI, Ollama, LM Studio, Moonshot, MiniMax, Cohere, Copilot, OpenRouter
    (
        400,
        {"type": "error", **error("prompt is too long: 210094 tokens > 200000 maximum", type="invalid_request_error")},
    ),
    (400, error("input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000")),
    (400, {"message": "Input is too long for requested model."}),
    (400, {"object": "error", "message": "Prompt contains 40000 tokens, too large for model with 32768 maximum"}),
    (400, [error("The input token count (1100000) exceeds the maximum number of tokens allowed (1048576).", code=400)]),
    (400, {"error": "This model's maximum prompt length is 131072 but the request contains 140000 tokens."}),
    (400, error("prompt too long; exceeded max context length by 88 tokens")),
    (400, error("the input length exceeds the context length")),
    (400, {"error": "The model is loaded with context length of only 512 tokens, which is not enough."}),
    (
        400,
        error("The sum of prompt length (600.0), query length (0) max_tokens (256) should not exceed max_num_tokens"),
    ),
    (400, error("Your messages contain 600 tokens which exceeds this model's limit of 512")),
    (400, error("Range of input length should be [1, 30720]", code="invalid_parameter_error")),
    (400, error("Invalid request: Your request exceeded model token limit: 8192")),
    (400, error("invalid params, context window exceeds limit (2013)")),
    (400, {"message": "too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 5000."}),
    (400, error("prompt token count of 150000 exceeds the limit of 128000")),
    (400, error("Provider returned error", metadata={"raw": json.dumps(error("prompt is too long: 9 > 8"))})),
    (400, {"detail": [{"loc": ["body", "messages"], "msg": "The prompt is too long", "input": "..."}]}),
    # A proxy, and an error inside a 200
    (413, b"<html><h1>413 Request Entity Too Large</h1></html>"),
    (200, error("This model's maximum context length is 512 tokens.", code=400)),
    (200, {"choices": [{"error": error("x", code="context_length_exceeded")["error"], "finish_reason": "error"}]}),
]

OTHERS = [
    ("max_tokens", 400, error("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")),
    ("temperature", 400, error("Unsupported value: 'temperature' does not support 0.0 with this model.")),
    ("temperature", 400, error("Only the default (1) is supported.", param="temperature")),
    ("temperature", 422, {"error": "Input validation error: `temperature` must be strictly positive"}),
    ("temperature", 422, {"detail": [{"loc": ["body", "temperature"], "msg": "Input should be greater than 0"}]}),
    ("cut", 400, error("Could not finish the message because max_tokens or model output limit was reached.")),
    ("refused", 400, error("This model cannot see pictures.")),
    ("refused", 400, error("max_tokens is too large: 100000. This model supports at most 16384 completion tokens")),
    ("refused", 400, error("messages.1.content.0.image: image exceeds 5 MB maximum")),
    ("refused", 422, {"detail": [{"loc": ["body", "messages"], "msg": "Input should be a valid list"}]}),
    ("refused", 400, error("The response was filtered by the content management policy.", code="content_filter")),
    ("refused", 422, {"detail": [{"loc": ["body", "messages"], "msg": "bad", "input": {"temperature": 1}}]}),
    ("refused", 403, error("Your chosen model requires moderation and your input was flagged")),
    ("refused", 200, error("messages: must be a list", type="invalid_request_error")),
    ("broken", 500, error("Internal error")),
    ("broken", 502, b"<html>Bad Gateway</html>"),
    ("broken", 524, b""),
    ("broken", 200, error("upstream overloaded", code=502)),
    ("broken", 200, error("upstream overloaded", code="502")),
    ("broken", 200, {"error": "something went wrong"}),
    ("broken", 200, {"choices": [{"message": {"content": ""}, "finish_reason": "error"}]}),
    ("broken", 200, {"choices": [], "error": {"message": "cut off", "code": 500}}),
    ("broken", 200, {"hello": "world"}),
    ("broken", 200, b"<html>Welcome</html>"),
    ("broken", 200, b""),
    ("broken", 200, b"null"),
    ("broken", 200, b"[" * 100_000),
    ("broken", 200, b'{"choices": ' + b"9" * 5000 + b"}"),
    ("busy", 429, error("Rate limit reached for requests per min. Add a payment method at /account/billing.")),
    ("busy", 429, error("Too many tokens, please wait before trying again.")),
    ("busy", 429, error("You exceeded your current quota, please check your plan and billing. Please retry in 34s.")),
    (
        "busy",
        429,
        error("Rate limit reached on tokens per min (TPM): Limit 100, Requested 200. Please try again in 6s."),
    ),
    ("busy", 429, error("Number of request tokens has exceeded your per-minute rate limit")),
    ("busy", 429, b""),
    ("busy", 503, error("Loading model", type="unavailable_error")),
    ("busy", 529, {"type": "error", **error("Overloaded", type="overloaded_error")}),
    ("busy", 200, error("Overloaded", type="overloaded_error")),
    ("busy", 200, error("slow down", type="rate_limit_error")),
    ("closed", 429, error("You exceeded your current quota, please check your plan and billing details.")),
    ("closed", 429, error("no more", type="insufficient_quota")),
    ("closed", 402, error("Insufficient Balance")),
    ("closed", 400, error("Your credit balance is too low to access the API.")),
    ("closed", 401, error("Incorrect API key provided")),
    ("closed", 403, error("Country not supported")),
    ("closed", 404, error("The model `x` does not exist")),
    ("closed", 200, error("Incorrect key", type="authentication_error", code="invalid_api_key")),
]


@pytest.mark.parametrize(("status", "reply"), TOO_LONG)
def test_a_conversation_that_is_too_long(status, reply):
    assert fault(status, reply).kind == "too_long"


@pytest.mark.parametrize(("kind", "status", "reply"), OTHERS)
def test_other_faults(kind, status, reply):
    assert fault(status, reply).kind == kind


def test_a_rate_limit_that_says_when_to_come_back_is_no_quota_that_is_used_up():
    reply = error("You exceeded your current quota, please check your plan and billing details.")
    found = fault(429, reply, asked=30.0)
    assert (found.kind, found.wait) == ("busy", 30.0)


@pytest.mark.parametrize(
    ("status", "reply", "content_type", "shown"),
    [
        (503, error("Server is loading"), "application/json", "HTTP 503 Server is loading"),
        (200, error("no luck", code=502), "application/json", "an error with HTTP 200: no luck"),
        (502, b"<h1>Bad</h1>", "text/html", "HTTP 502 a body that is no JSON (text/html): <h1>Bad</h1>"),
        (200, b"\xff\xfe", "", "an error with HTTP 200: a body that is no JSON (without a type): \ufffd\ufffd"),
        (500, b" ", "text/plain", "HTTP 500 an empty body"),
        (200, {"hello": 1}, "application/json", 'the reply has no `choices`: {"hello": 1}'),
        (418, {"teapot": True}, "application/json", 'HTTP 418 {"teapot": true}'),
    ],
)
def test_a_fault_is_shown_in_the_endpoint_s_own_words(status, reply, content_type, shown):
    assert str(fault(status, reply, content_type=content_type)) == shown


def test_an_error_of_any_length_is_judged_in_bounded_time():
    started = time.monotonic()
    assert fault(500, error("context length " * 100_000)).kind == "broken"
    assert fault(500, {"error": ["prompt "] * 100_000}).kind == "broken"
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    "body", [b'{"choices": []}', b'\xef\xbb\xbf{"choices": null, "error": null}', b'[{"choices": 1}]']
)
def test_a_reply_with_choices_is_no_fault(body):
    assert "choices" in read_reply(200, "application/json", body, 0.0)
