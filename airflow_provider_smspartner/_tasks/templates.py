"""
How the arguments of tasks and notifiers are rendered.

A text stays a text, also where a DAG renders native objects; a template for a whole list may give a list. What cannot
be rendered is told without a word of it: Airflow's own way logs the whole argument, phone numbers and texts included.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException

from airflow_provider_smspartner._tasks.arguments import ARGUMENTS, LISTS, is_literal, note_given, owner_of
from airflow_provider_smspartner.exceptions import SMSPartnerError, SMSPartnerInputError

if TYPE_CHECKING:
    import jinja2

    # Of BaseOperator and BaseNotifier alike; where it is imported from differs between Airflows.
    class _Templater:
        template_fields: Sequence[str]
        template_ext: Sequence[str]
        _optional: ClassVar[frozenset[str]]
        _given: frozenset[str]

        def _check_lists(self) -> None: ...
        def render_template(self, content: Any, *args: Any, **kwargs: Any) -> Any: ...
        def get_template_env(self, dag: Any = None) -> jinja2.Environment: ...
else:
    _Templater = object

_NOTHING = "None"
"""What Jinja makes of a template that gives nothing, such as the output of a task that was skipped."""

_ABOUT_THE_TEMPLATE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)
"""Errors that another try would meet again. Others, such as a variable that cannot be looked up now, may pass."""


class RendersTexts(_Templater):
    """Renders the arguments of a task or a notifier; stands before Airflow's own class."""

    def _do_render_template_fields(
        self,
        parent: Any,
        template_fields: Iterable[str],
        context: Any,
        jinja_env: jinja2.Environment,
        seen_oids: set[int],
    ) -> None:
        """
        Render the arguments in place: Airflow calls this for tasks, mapped ones included, and for notifiers.

        :param parent: whose attributes are rendered: this object, or one in its arguments that has templates itself.
        :param template_fields: their names.
        :param context: what the templates may use.
        :param jinja_env: the DAG's.
        :param seen_oids: of what was rendered or resolved already.
        :raises SMSPartnerInputError: names the argument and the kind of error.
        """
        if parent is self:
            note_given(parent)
        for name in template_fields:
            setattr(parent, name, self._guarded(parent, name, context, jinja_env, seen_oids))

    def render_template(
        self,
        content: Any,
        context: Any,
        jinja_env: jinja2.Environment | None = None,
        seen_oids: set[int] | None = None,
    ) -> Any:
        """
        Render a value, or what is in it; a text without a template stays as it is.

        :param content: the value.
        :param context: what the templates may use.
        :param jinja_env: the DAG's.
        :param seen_oids: of what was rendered or resolved already.
        """
        if not isinstance(content, str):
            return super().render_template(content, context, jinja_env, seen_oids)
        if seen_oids and id(content) in seen_oids:
            return content
        environment = jinja_env or self.get_template_env()
        if _is_native(environment):
            # Of an argument that a subclass has added: that is rendered as Airflow does.
            return super().render_template(content, context, environment, seen_oids)
        if content.endswith(tuple(self.template_ext)):
            return _text(environment.get_template(content), context)
        if is_literal(content, _marks_of(environment)):
            return content
        return _text(environment.from_string(content), context)

    def _guarded(
        self, parent: Any, name: str, context: Any, jinja_env: jinja2.Environment, seen_oids: set[int]
    ) -> Any:
        """Render an argument; what cannot be rendered is shown neither in an error nor beside its traceback."""
        failure: Exception
        try:
            return self._rendered(parent, name, context, jinja_env, seen_oids)
        except (AirflowFailException, AirflowSkipException) as error:
            # What `XComArg.map` or a macro decides, for example.
            failure = error.with_traceback(None)
        except Exception as error:  # noqa: BLE001 - a template may raise anything
            failure = self._unrendered(name, error)
        # Out here nothing hangs on it: the first error's text, and the variables on its way, are the template's.
        raise failure from None

    def _rendered(
        self, parent: Any, name: str, context: Any, jinja_env: jinja2.Environment, seen_oids: set[int]
    ) -> Any:
        content = getattr(parent, name)
        if callable(content):
            return content(context=context, jinja_env=jinja_env)
        if parent is not self or name not in ARGUMENTS:
            return self.render_template(content, context, jinja_env, seen_oids)
        may_be_list = name in LISTS and isinstance(content, str) and id(content) not in seen_oids
        if may_be_list and not is_literal(content, _marks_of(jinja_env)):
            return _list_or_text(content, context, jinja_env)
        return self.render_template(content, context, _for_texts(jinja_env), seen_oids)

    def _unrendered(self, name: str, error: Exception) -> SMSPartnerError:
        from jinja2 import TemplateError, TemplateSyntaxError

        hint = "See whether what it names is there."
        if isinstance(error, TemplateSyntaxError):
            hint = (
                "`{{`, `{%` and `{#` begin a template also within a text: there, write {{ '{#' }} for `{#`."
            )
        kind = SMSPartnerError
        if isinstance(error, (TemplateError, *_ABOUT_THE_TEMPLATE)):
            kind = SMSPartnerInputError
        return kind(
            f"{owner_of(self)}: the template of `{name}` cannot be rendered ({type(error).__name__}). "
            f"Nothing was sent. {hint}"
        )


def _marks_of(environment: jinja2.Environment) -> list[str]:
    """Return what begins a template in this environment: a DAG may have markers of its own."""
    marks = (
        environment.variable_start_string,
        environment.block_start_string,
        environment.comment_start_string,
        environment.line_statement_prefix,
        environment.line_comment_prefix,
    )
    return [mark for mark in marks if mark]


def _is_native(environment: jinja2.Environment) -> bool:
    from jinja2.nativetypes import NativeEnvironment

    return isinstance(environment, NativeEnvironment)


def _for_texts(environment: jinja2.Environment) -> jinja2.Environment:
    """Return an environment like this one that renders to text."""
    import jinja2

    if not _is_native(environment):
        return environment
    # As its `overlay` does, but of Jinja's plain class: that alone decides what is rendered to.
    plain = object.__new__(jinja2.Environment)
    vars(plain).update(vars(environment))
    plain.cache = None
    plain.extensions = {name: each.bind(plain) for name, each in environment.extensions.items()}
    return plain


def _nodes(template: jinja2.Template, context: Any) -> list[Any]:
    """Return what the parts of a template give."""
    # Not `Template.render`: it makes a dict of the context, for which Airflow 2 looks up everything in it.
    values = copy(context)
    for name, value in template.globals.items():
        if name not in values:
            values[name] = value
    return list(template.root_render_func(template.new_context(values, shared=True)))


def _text(template: jinja2.Template, context: Any) -> str | None:
    """Render a template to text, or to None if it gives nothing."""
    text = "".join(_nodes(template, context))
    return None if text.strip() == _NOTHING else text


def _list_or_text(content: str, context: Any, environment: jinja2.Environment) -> Any:
    """Render the template of a whole list: to what it gives if that is no text, in a native environment."""
    import jinja2
    from jinja2.nativetypes import native_concat

    if not _is_native(environment):
        return _text(environment.from_string(content), context)
    nodes = _nodes(environment.from_string(content), context)
    if len(nodes) == 1 and not _is_scalar(nodes[0]):
        (given,) = nodes
        # Jinja's undefined raises its own error, or is empty.
        return str(given) if isinstance(given, jinja2.Undefined) else given
    text = "".join(map(str, nodes))
    if text.strip() == _NOTHING:
        return None
    # Jinja reads "+33639980001, +33639980002" as a tuple of integers: only what is written as a list is one.
    given = native_concat([text]) if text.lstrip().startswith(("[", "(", "{")) else text
    return text if _is_scalar(given) else given


def _is_scalar(value: object) -> bool:
    return value is None or isinstance(value, str | bytes | int | float | complex)
