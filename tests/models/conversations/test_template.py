"""Which template is used, and how it is filled."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shiftgym.errors import ConfigError
from shiftgym.models.conversations.template import Template
from shiftgym.models.loading.load import load_policy

MESSAGES = [{"role": "user", "content": "Q"}]
PLAIN = "{% for m in messages %}{{ m.content }}<e>{% endfor %}"


def rendered(reader: Any, **options: Any) -> str:
    return Template(reader, **options).render(MESSAGES, prompt=True)


def test_of_several_templates_the_one_called_default_is_used(make_reader: Callable[..., Any]) -> None:
    for several in (
        {"tool_use": "tools", "default": "right"},
        [{"name": "tool_use", "template": "tools"}, {"name": "default", "template": "right"}],
    ):
        assert rendered(make_reader(several, ["<e>"])) == "right"
        assert rendered(make_reader(several, ["<e>"]), given="mine") == "mine"


def test_without_a_template_to_choose_it_says_so(make_reader: Callable[..., Any]) -> None:
    several = {"rag": "one", "tool_use": "other"}
    with pytest.raises(ConfigError, match="called 'rag', 'tool_use'; one must be called 'default'"):
        Template(make_reader(several, ["<e>"]))
    for nothing in (None, "", {}):
        with pytest.raises(
            ConfigError, match="has no chat template; give one by --chat-template FILE|one must be called 'default'"
        ):
            Template(make_reader(nothing, ["<e>"]))


def test_dates_are_pinned(make_reader: Callable[..., Any]) -> None:
    dates = "{{ date_string }} {{ strftime_now('%Y-%m-%d') }} {{ strftime_now('%B %d, %Y') }} {{ strftime_now('%H') }}"
    assert rendered(make_reader(dates, ["<e>"])) == "26 Jul 2024 2024-07-26 July 26, 2024 00"
    macro = "{% macro today() %}{{ strftime_now('%d %b %Y') }}{% endmacro %}{{ today() }}"
    assert rendered(make_reader(macro, ["<e>"])) == "26 Jul 2024"
    fallback = "{% if date_string is not defined %}{% set date_string = 'never' %}{% endif %}{{ date_string }}"
    assert rendered(make_reader(fallback, ["<e>"])) == "26 Jul 2024"
    assert rendered(make_reader(fallback, ["<e>"]), variables={"date_string": "1 Jan 2000"}) == "1 Jan 2000"


def test_variables_are_set(make_reader: Callable[..., Any]) -> None:
    template = "{% if think is defined and think is false %}off{% else %}on{% endif %} {{ levels }}"
    reader = make_reader(template, ["<e>"])
    assert rendered(reader) == "on "
    assert rendered(reader, variables={"think": False, "levels": ["low", 1]}) == "off ['low', 1]"


@pytest.mark.parametrize("name", ["thnk", "messages", "strftime_now", "add_generation_prompt"])
def test_a_variable_that_the_template_does_not_take_is_named(make_reader: Callable[..., Any], name: str) -> None:
    reader = make_reader("{{ think }}{{ strftime_now('%Y') }}{{ messages[0].content }}{{ bos_token }}", ["<e>"])
    with pytest.raises(ConfigError, match=f"takes no '{name}'; its variables: bos_token, think$"):
        Template(reader, variables={name: 1})


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ raise_exception('Only\\nusers, please') }}", "roles user: Only users, please; give a template that takes"),
        ("{{ settings.style }}", "'settings' is undefined; set it in template_variables$"),
        ("{{ messages[0].content.text.style }}", "has no attribute 'text'; give a template that takes them$"),
        ("{{ messages[0].content + 1 }}", "roles user: TypeError: can only concatenate str"),
        ("{{ messages[0].content | int // 0 }}", "ZeroDivisionError"),
        ("{{ ''.__class__.mro() }}", "unsafe|undefined"),
    ],
)
def test_a_template_that_fails_is_told_in_one_line(make_reader: Callable[..., Any], template: str, said: str) -> None:
    template = Template(make_reader(template, ["<e>"]))
    with pytest.raises(ConfigError, match=said) as failure:
        template.render(MESSAGES, prompt=True)
    assert "\n" not in str(failure.value)


def test_what_is_no_template_is_told_with_its_line(make_reader: Callable[..., Any]) -> None:
    with pytest.raises(ConfigError, match="is no Jinja template: line 2: .*endfor"):
        Template(make_reader("{% for m in messages %}\n{% endif %}", ["<e>"]))


def test_a_processors_own_template_counts_before_its_tokenizers(make_reader: Callable[..., Any]) -> None:
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
    from transformers.models.llava import LlavaProcessor

    tokenizer = make_reader("the tokenizer's", ["<image>"])
    tokenizer.image_token, tokenizer.image_token_id = "<image>", tokenizer.convert_tokens_to_ids("<image>")
    processor = LlavaProcessor(CLIPImageProcessorPil(), tokenizer, patch_size=16, chat_template="its own")
    assert Template(processor).text == "its own"
    processor.chat_template = None
    assert Template(processor).text == "the tokenizer's"


def test_a_template_in_a_file_of_its_own_is_read_and_one_that_was_given_is_saved(
    tiny_llama: Any, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    for part in tiny_llama:
        part.save_pretrained(model)
    ends = "<|eot_id|>{% if thinks %}!{% endif %}"
    (model / "chat_template.jinja").write_text(f"{{% for m in messages %}}{{{{ m.content }}}}{ends}{{% endfor %}}")
    assert load_policy(str(model))[1].chat_template.endswith(f"{ends}{{% endfor %}}")

    given = f"{{% for m in messages %}}* {{{{ m.content }}}}{ends}{{% endfor %}}"
    _, chat_format = load_policy(str(model), chat_template=given, template_variables={"thinks": True})
    assert chat_format.chat_template == given
    prompt = chat_format.prompt([{"role": "user", "content": "K"}])
    assert chat_format.tokenizer.decode(prompt) == "* K<|eot_id|>!*"
    chat_format.reader.save_pretrained(tmp_path / "trained")
    assert (tmp_path / "trained" / "chat_template.jinja").read_text() == given
